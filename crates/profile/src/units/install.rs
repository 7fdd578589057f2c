//! Enabling a unit as `systemctl enable` does.

use hardtack_guest::FileType;

use super::{ADMIN, enable, file, first, is_masked, real_name};
use crate::bench::root;
use crate::merged::text;
use crate::{Bench, Error};

/// What the unit's section `[Install]` says: the values of `key`, word by word; an empty one takes back those before it.
pub(super) fn section(unit: &str, key: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut inside = false;
    for line in unit.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[Install]";
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            if value.trim().is_empty() {
                words.clear();
            }
            words.extend(value.split_whitespace().map(str::to_owned));
        }
    }
    words.retain(|word| !word.contains('/') && !word.contains('%'));
    words
}

/// The unit is enabled, if this is its own name: its mask is taken away, and all links are there that its section `[Install]` names. Whatever does
/// not start by a unit starts as it did, but for Upstart's `manual` in an override, which is taken out.
pub(crate) fn install(bench: &mut Bench<'_, '_>, unit: &str) -> Result<(), Error> {
    let own = format!("{ADMIN}/{unit}");
    let is_link =
        bench.stage.lstat(&own)?.is_some_and(|there| there.kind == FileType::Symlink || there.size == 0);
    if is_link && is_masked(bench.stage, unit)? {
        bench.stage.remove(&own)?;
    }
    // By its own name only: systemd would warn of two.
    if let Some(path) = first(bench.stage, unit)?
        && real_name(bench.stage, &path, unit)?.is_some()
    {
        return Ok(());
    }
    if let Some(path) = file(bench.stage, unit)? {
        let content = text(bench.stage, &path).unwrap_or_default();
        for target in section(&content, "WantedBy") {
            enable(bench, unit, &target)?;
        }
        for alias in section(&content, "Alias") {
            let link = format!("{ADMIN}/{alias}");
            if alias != unit && bench.stage.lstat(&link)?.is_none() {
                bench.stage.symlink(&link, &path)?;
            }
        }
        return Ok(());
    }
    let job = unit.strip_suffix(".service").unwrap_or(unit);
    let path = format!("/etc/init/{job}.override");
    if let Some(content) = text(bench.stage, &path)
        && content.lines().any(|line| line.trim() == "manual")
    {
        let kept: String =
            content.lines().filter(|line| line.trim() != "manual").map(|line| format!("{line}\n")).collect();
        if kept.trim().is_empty() {
            bench.stage.remove(&path)?;
        } else {
            bench.stage.write(&path, kept, root(0o644))?;
        }
    }
    Ok(())
}
