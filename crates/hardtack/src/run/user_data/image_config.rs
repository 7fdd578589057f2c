//! What the image's own cloud-init configuration says, and what the user-data makes of it.
//!
//! `/etc/cloud/cloud.cfg`, then `cloud.cfg.d/*.cfg` in the order of their names, a later one first
//! (`cloudinit/util.py`: `read_conf_with_confd`).

use hardtack_modules::Machine;
use hardtack_userdata::{Kind, Map, Value, layers};

/// `place.part` of values that stand in the image and not in the user-data.
pub(super) const IN_IMAGE: usize = usize::MAX - 1;

/// The configuration that the image itself brings.
pub(super) fn of_image(machine: &dyn Machine) -> Map {
    let mut layers = Vec::new();
    let directory = "/etc/cloud/cloud.cfg.d";
    let mut names = machine.list(directory);
    names.retain(|name| name.ends_with(".cfg"));
    names.sort();
    layers.extend(names.iter().rev().filter_map(|name| read(machine, &format!("{directory}/{name}"))));
    layers.extend(read(machine, "/etc/cloud/cloud.cfg"));
    layers::effective(&layers.iter().collect::<Vec<_>>())
}

/// The configuration that applies on an instance of the image with this user-data.
pub(super) fn effective(user: &Map, machine: &dyn Machine) -> Map {
    layers::effective(&[user, &of_image(machine)])
}

/// A file that cannot be read says nothing.
fn read(machine: &dyn Machine, path: &str) -> Option<Map> {
    let bytes = machine.read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    match Value::load(&text, IN_IMAGE).ok()?.kind {
        Kind::Map(map) => Some(map),
        _ => None,
    }
}
