//! What systemd does at a first boot, and what must not happen then.
//!
//! With "uninitialized" in `/etc/machine-id` systemd takes the boot for the first one. Then it applies
//! the presets to all units (`manager_preset_all` in its src/core/manager.c): Debian's presets
//! enable whatever they do not name, and Fedora's disable it. What was enabled or disabled in the image
//! would be undone, the units of the agent among them. Presets that say what the image has stand
//! before all others, so nothing changes. And the wizard of systemd-firstboot(1) asks on the console for
//! what it misses, before everything else: it is told not to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hardtack_guest::glob::glob;
use hardtack_guest::{FileType, Set, Stage};

use crate::{Context, StepError};

const PRESETS: &str = "/etc/systemd/system-preset/00-hardtack.preset";
const WIZARD: &str = "/etc/systemd/system/systemd-firstboot.service.d/hardtack.conf";
const NO_QUESTIONS: &str = "# Nobody is at the console of a new instance. What is given as a credential is taken.\n\
                            [Service]\nExecStart=\nExecStart=systemd-firstboot\n\
                            StandardInput=null\nStandardOutput=journal\nStandardError=journal\n";
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// No unit file is longer.
const LIMIT: u64 = 1 << 20;

/// Keeps the first boot from changing which units are enabled, and from asking questions. With an empty ID, or one
/// of a build before, there is nothing to keep it from.
pub(super) fn keep_units(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let text = cx.stage.read_limited("/etc/machine-id", LIMIT)?.unwrap_or_default();
    if text.trim_ascii() != b"uninitialized" {
        for path in [PRESETS, WIZARD] {
            cx.stage.remove(path)?;
        }
        return Ok(());
    }
    let enabled = enabled(cx.stage)?;
    let mut presets = String::from(
        "# Which units were enabled when this image was made, so that its first boot changes none of them.\n",
    );
    for unit in installable(cx.stage)? {
        let word = if is_enabled(&unit, &enabled) { "enable" } else { "disable" };
        let _ = writeln!(presets, "{word} {unit}");
    }
    cx.stage.write(PRESETS, presets, Set::all(0o644, 0, 0))?;
    if !glob(cx.stage, "/{usr/,}lib/systemd/system/systemd-firstboot.service")?.is_empty() {
        cx.stage.write(WIZARD, NO_QUESTIONS, Set::all(0o644, 0, 0))?;
    }
    Ok(())
}

/// The names of all links that enable something.
fn enabled(stage: &Stage<'_>) -> Result<BTreeSet<String>, StepError> {
    let mut names = BTreeSet::new();
    for path in glob(stage, "/etc/systemd/system/{*,*.wants/*,*.requires/*,*.upholds/*}")? {
        let Some(target) = stage.read_link(&path)? else { continue };
        // A masked unit is a link, too.
        if target == "/dev/null" {
            continue;
        }
        // An alias stands for the unit it leads to.
        names.extend([&path, &target].iter().filter_map(|path| path.rsplit('/').next()).map(str::to_owned));
    }
    Ok(names)
}

/// A template is enabled when one of its instances is.
fn is_enabled(unit: &str, enabled: &BTreeSet<String>) -> bool {
    enabled.contains(unit)
        || unit.split_once("@.").is_some_and(|(stem, end)| {
            enabled.iter().any(|name| {
                name.split_once('@')
                    .is_some_and(|(head, tail)| head == stem && tail.ends_with(&format!(".{end}")))
            })
        })
}

/// The units that can be enabled: those that say how.
fn installable(stage: &Stage<'_>) -> Result<BTreeSet<String>, StepError> {
    // The first directory that has a unit wins.
    let mut units: BTreeMap<String, bool> = BTreeMap::new();
    for directory in UNITS {
        if stage.stat(directory)?.is_none_or(|found| found.kind != FileType::Directory) {
            continue;
        }
        for entry in stage.list(directory)? {
            if units.contains_key(&entry.name) || entry.kind != FileType::Regular {
                continue;
            }
            let text = stage.read_limited(&format!("{directory}/{}", entry.name), LIMIT)?.unwrap_or_default();
            let can = text.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == b"[Install]");
            units.insert(entry.name, can);
        }
    }
    Ok(units.into_iter().filter_map(|(name, can)| can.then_some(name)).collect())
}
