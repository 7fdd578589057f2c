//! What data sources on disks and in directories have in common.

use hardtack_userdata::Value;

use crate::found::Found;

/// When modules run (`dsmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Before there is a network.
    Local,
    /// With the network.
    Network,
}

/// A data source that was read without a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Seed {
    /// What it said.
    pub found: Found,
    /// When modules run.
    pub mode: Mode,
}

/// The first mode that is given (`_determine_dsmode`); one that nobody knows is the network. `None` for
/// `disabled`: the seed is there and does not want to be used.
pub(crate) fn mode<'v>(
    candidates: impl IntoIterator<Item = Option<&'v Value>>,
    notes: &mut Vec<String>,
) -> Option<Mode> {
    let Some(given) = candidates.into_iter().flatten().find(|value| !value.is_null()) else {
        return Some(Mode::Network);
    };
    match given.as_text() {
        Some("local") => Some(Mode::Local),
        Some("net") => Some(Mode::Network),
        Some("disabled") => None,
        _ => {
            notes.push("dsmode is none of local, net and disabled: net is taken".to_owned());
            Some(Mode::Network)
        }
    }
}

/// `config-disk (/dev/vdb)`, `seed-dir (/var/lib/cloud/seed/nocloud)`.
pub(crate) fn subplatform(seed: &str) -> String {
    let kind = if seed.starts_with("/dev") { "config-disk" } else { "seed-dir" };
    format!("{kind} ({seed})")
}
