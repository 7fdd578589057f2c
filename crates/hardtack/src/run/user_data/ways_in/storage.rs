//! The device that an encrypted overlay lives on: user-data that takes it for something else.
//!
//! From `cc_disk_setup.py`, `cc_mounts.py` and crypttab(5).

use hardtack_guest::Stage;
use hardtack_userdata::{Finding, Key, Map, Place, Value};

use super::image::Facts;
use super::users::get;

/// Partitions, file systems, mounts and mappings above the overlay's device.
pub(super) fn look(own: &Map, facts: &Facts, after: &Stage<'_>, crypttab: Option<Place>) -> Vec<Finding> {
    let overlay = facts.agent.as_ref().and_then(|agent| agent.overlay.as_ref());
    let Some(device) = overlay.and_then(|overlay| overlay.device.as_deref()) else { return Vec::new() };
    let mut found = Vec::new();
    let mut tell = |place: Place, path: String, what: &str| {
        let message = format!("{what} {device}, on which the image's recipe puts the overlay");
        let finding = Finding::error("image-overlay-undone", place, message).at(path);
        found.push(finding.with_hint("take another disk, or change the recipe of the image"));
    };
    let aliases = get(own, "device_aliases").and_then(Value::as_map);
    let is_it = |name: &str| {
        let name = aliases.and_then(|map| map.get(&Key::text(name))?.as_text()).unwrap_or(name);
        let name = if name.starts_with('/') || name.contains('=') {
            name.to_owned()
        } else {
            format!("/dev/{name}")
        };
        name.strip_prefix(device).is_some_and(|rest| {
            let number = rest.strip_prefix('p').filter(|rest| !rest.is_empty()).unwrap_or(rest);
            number.chars().all(|c| c.is_ascii_digit())
        })
    };
    for (key, _) in get(own, "disk_setup").and_then(Value::as_map).into_iter().flatten() {
        let Some(name) = key.as_text().filter(|name| is_it(name)) else { continue };
        tell(key.place, format!("disk_setup.{name}"), "`disk_setup` partitions");
    }
    for (index, entry) in get(own, "fs_setup").and_then(Value::as_list).unwrap_or_default().iter().enumerate()
    {
        if let Some(value) = entry.get("device").filter(|value| value.as_text().is_some_and(is_it)) {
            tell(value.place, format!("fs_setup.{index}.device"), "`fs_setup` formats");
        }
    }
    for (index, entry) in get(own, "mounts").and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
        let first = entry.as_list().and_then(|fields| fields.first());
        if let Some(value) = first.filter(|value| value.as_text().is_some_and(is_it)) {
            tell(value.place, format!("mounts.{index}"), "`mounts` mounts");
        }
    }
    if let Some(place) = crypttab {
        let text = after.read_limited("/etc/crypttab", 1 << 20).ok().flatten().unwrap_or_default();
        let taken = String::from_utf8_lossy(&text)
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .any(|line| line.split_whitespace().nth(1).is_some_and(is_it));
        if taken {
            tell(place, "write_files".to_owned(), "/etc/crypttab maps");
        }
    }
    found
}
