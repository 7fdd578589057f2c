//! The policy: what is done with what was found (`parse_policy`, `read_config` in `tools/ds-identify`).

use hardtack_modules::Machine;

use super::shell;

/// What ds-identify is configured by.
pub(super) const CONFIG: &str = "/etc/cloud/ds-identify.cfg";

/// What ds-identify does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is searched, and cloud-init does not run.
    Disabled,
    /// Nothing is searched, and cloud-init runs.
    Enabled,
    /// It searches.
    Search,
    /// It searches, and the result counts for nothing.
    Report,
}

/// `search,found=all,maybe=none,notfound=disabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What is done at all.
    pub mode: Mode,
    /// `found=first`: only the first that was found counts.
    pub first: bool,
    /// `maybe=all`: if nothing was found, what may be there counts.
    pub maybe: bool,
    /// `notfound=enabled`: if nothing was found, cloud-init runs and searches itself.
    pub enabled: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { mode: Mode::Search, first: false, maybe: false, enabled: false }
    }
}

impl Policy {
    /// What `text` says. Words that it does not know count for nothing, values that it does not know for the
    /// default.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let default = Self::default();
        let mut policy = default;
        for word in shell::fields(text) {
            match word {
                "disabled" => policy.mode = Mode::Disabled,
                "enabled" => policy.mode = Mode::Enabled,
                "search" => policy.mode = Mode::Search,
                "report" => policy.mode = Mode::Report,
                "found=all" => policy.first = false,
                "found=first" => policy.first = true,
                "maybe=all" => policy.maybe = true,
                "maybe=none" => policy.maybe = false,
                "notfound=enabled" => policy.enabled = true,
                "notfound=disabled" => policy.enabled = false,
                _ if word.starts_with("found=") => policy.first = default.first,
                _ if word.starts_with("maybe=") => policy.maybe = default.maybe,
                _ if word.starts_with("notfound=") => policy.enabled = default.enabled,
                _ => {}
            }
        }
        policy
    }
}

/// What the file and the command line say: the policy, and the one data source that is named. The command line
/// wins.
pub(super) fn read(machine: &dyn Machine, command_line: &str) -> (Policy, String) {
    let mut policy = String::new();
    let mut source = String::new();
    for (key, value) in entries(machine) {
        match key.as_str() {
            "datasource" => source = value,
            "policy" => policy = value,
            _ => {}
        }
    }
    for word in shell::words(command_line) {
        // A word without `=` is both: `ds` names the data source "ds".
        let (key, value) = word.split_once('=').unwrap_or((word, word));
        let value = value.split(';').next().unwrap_or_default();
        match key {
            "ds" | "ci.ds" | "ci.datasource" => value.clone_into(&mut source),
            "ci.di.policy" => value.clone_into(&mut policy),
            _ => {}
        }
    }
    (Policy::parse(&policy), source)
}

/// The lines `key: value` of the file.
pub(super) fn entries(machine: &dyn Machine) -> Vec<(String, String)> {
    let Some(bytes) = machine.read(CONFIG) else { return Vec::new() };
    let lines = shell::lines(&bytes);
    let entry = |line: &String| {
        let line = line.split('#').next().unwrap_or_default();
        let (key, value) = line.split_once(':')?;
        Some((shell::trim(key).to_owned(), shell::unquote(shell::trim(value)).to_owned()))
    };
    lines.iter().filter_map(entry).collect()
}
