//! What a first boot enables by itself: with no machine-id systemd applies the presets to all units, and enables what
//! they do not speak of (systemd.preset(5)).

use hardtack_guest::{Stage, glob};

use super::install::section;
use crate::Error;
use crate::merged::{files, text};

const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system-preset",
    "/run/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
];

/// The next boot is the first one, and will enable the unit whose file is `path`.
pub(super) fn enables(stage: &Stage<'_>, unit: &str, path: &str) -> Result<bool, Error> {
    // An image without one that has not even systemd's presets is a tree of tests, or no image of systemd's.
    let is_first = text(stage, "/etc/machine-id").is_some_and(|id| id.trim() == "uninitialized");
    let content = text(stage, path).unwrap_or_default();
    let wanted =
        ["WantedBy", "RequiredBy", "Alias", "Also"].iter().any(|key| !section(&content, key).is_empty());
    if !is_first || !wanted {
        return Ok(false);
    }
    for file in files(stage, &DIRECTORIES, ".preset")? {
        for line in text(stage, &file).unwrap_or_default().lines() {
            let mut words = line.split_whitespace();
            if let (Some(word @ ("enable" | "disable" | "ignore")), Some(pattern)) =
                (words.next(), words.next())
                && glob::matches(pattern, unit)
            {
                return Ok(word == "enable");
            }
        }
    }
    Ok(true)
}
