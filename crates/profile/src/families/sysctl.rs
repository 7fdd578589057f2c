//! Kernel parameters that sysctl.d sets.
//!
//! systemd-sysctl and procps read all directories as one, sorted by file name, and the last value wins: ours sorts
//! behind Debian's `99-protect-links.conf` and `99-sysctl.conf`. What is in force is looked at again on the running
//! machine: anything that is started may write to /proc/sys.

mod merged;
mod table;

use std::fmt::Write as _;

use hardtack_guest::Set;
use hardtack_report::Place;

use crate::{Bench, Error, Finding, Measure, View, units, uses};
use merged::Merged;

pub(super) use table::RULES;

const PATH: &str = "/etc/sysctl.d/99-zz-hardtack.conf";

/// These keys have these values.
struct Keys {
    /// The rule's own id.
    id: &'static str,
    /// Keys with dots, and their values.
    keys: &'static [(&'static str, &'static str)],
    /// Only new kernels have them: systemd, as new as these, says nothing where the kernel has not.
    new: bool,
    /// Containers set it themselves, and stop working when it is taken back.
    not_with_containers: bool,
}

impl Keys {
    const fn new(id: &'static str, keys: &'static [(&'static str, &'static str)]) -> Self {
        Self { id, keys, new: false, not_with_containers: false }
    }

    fn exception(&self, view: &View<'_>) -> Option<String> {
        let user = self.not_with_containers.then(|| uses::found(view, uses::CONTAINERS)).flatten()?;
        Some(format!(
            "{user} is in the image: it sets this to 1 when it starts, and the next sysctl --system would stop its \
             containers' traffic"
        ))
    }

    /// Compares /proc/sys with the list.
    fn script(&self) -> String {
        let mut body = String::from("    differs=\n    while read -r key wanted; do\n");
        body.push_str("        [ -r \"/proc/sys/$key\" ] || continue\n");
        body.push_str("        is=$(tr '\\t' ' ' < \"/proc/sys/$key\")\n");
        body.push_str(
            "        [ \"$is\" = \"$wanted\" ] || { echo \"$key is $is, not $wanted.\"; differs=1; }\n",
        );
        body.push_str("    done <<'END'\n");
        for (key, value) in self.keys {
            // Writing to a string cannot fail.
            let _ = writeln!(body, "{} {value}", merged::normal(key));
        }
        body.push_str("END\n    [ -z \"$differs\" ]");
        body
    }
}

impl Measure for Keys {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if self.not_with_containers && self.exception(&bench.view()?).is_some() {
            return Ok(());
        }
        let last = Merged::read(bench.stage)?;
        // It is read behind ours: what it says otherwise is taken out.
        let wrong: Vec<usize> = self
            .keys
            .iter()
            .filter_map(|(key, wanted)| last.get(key).filter(|set| set.value != *wanted))
            .filter(|set| set.path == merged::LAST)
            .map(|set| set.line)
            .collect();
        for (key, value) in self.keys {
            let dash = if self.new && last.is_systemd() { "-" } else { "" };
            bench.line(PATH, 0o644, format!("{dash}{key} = {value}"));
        }
        bench.first_boot(self.id, self.script());
        if wrong.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.keys.iter().map(|(key, _)| merged::normal(key)).collect();
        let Some(text) = crate::merged::text(bench.stage, merged::LAST) else { return Ok(()) };
        let is_ours = |line: &str| {
            let key = line.trim().split_once('=').map(|(key, _)| merged::normal(key.trim()));
            !line.trim().starts_with(['#', ';']) && key.is_some_and(|key| names.contains(&key))
        };
        let edited: String = text
            .split_inclusive('\n')
            .map(|line| if is_ours(line) { format!("#{line}") } else { line.to_owned() })
            .collect();
        crate::conffile::edit(bench.stage, merged::LAST, edited, Set::default())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if let Some(reason) = self.exception(view) {
            return Ok(Finding::Exception(reason));
        }
        let merged = Merged::read(view.stage)?;
        let mut faults = Vec::new();
        for (key, wanted) in self.keys {
            match merged.get(key) {
                Some(set) if set.value == *wanted => {}
                Some(set) => faults.push((
                    Place { path: set.path.clone(), line: Some(set.line) },
                    format!("{key} is {}, not {wanted}", set.value),
                )),
                None => {
                    faults.push((Place::file(PATH), format!("{key} is set nowhere; it shall be {wanted}")));
                }
            }
        }
        if faults.is_empty()
            && let Some(failed) = view.failed_at_first_boot(self.id)
        {
            return Ok(failed);
        }
        Ok(Finding::of(faults))
    }
}

/// Ctrl-Alt-Del starts nothing.
struct CtrlAltDel(Keys);

const CTRL_ALT_DEL: &str = "ctrl-alt-del.target";
const CTRL_ALT_DEL_MASK: &str = "/etc/systemd/system/ctrl-alt-del.target";
const CTRL_ALT_DEL_JOB: &str = "/etc/init/control-alt-delete.conf";
const CTRL_ALT_DEL_OFF: &str = "/etc/init/control-alt-delete.override";

impl Measure for CtrlAltDel {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        self.0.apply(bench)?;
        // A name of reboot.target, which is needed: only the name is masked.
        if units::file(bench.stage, CTRL_ALT_DEL)?.is_some() {
            bench.stage.symlink(CTRL_ALT_DEL_MASK, "/dev/null")?;
        }
        units::mask(bench, "control-alt-delete.service")
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if let Some(path) = units::file(view.stage, CTRL_ALT_DEL)? {
            return Ok(Finding::fail_at(path, "Ctrl-Alt-Del reboots: the target is not masked"));
        }
        let off = crate::merged::text(view.stage, CTRL_ALT_DEL_OFF).unwrap_or_default();
        if view.facts.exists(CTRL_ALT_DEL_JOB)? && !off.lines().any(|line| line.trim() == "manual") {
            return Ok(Finding::fail_at(CTRL_ALT_DEL_JOB, "Ctrl-Alt-Del reboots: the job starts by itself"));
        }
        self.0.check(view)
    }
}

/// The key has not this value: what follows from it cannot be taken back.
struct Never(&'static str, &'static str);

impl Measure for Never {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Self(key, value) = *self;
        let merged = Merged::read(view.stage)?;
        let set = merged.get(key).filter(|set| set.value == value);
        Ok(Finding::of(
            set.map(|set| {
                let place = Place { path: set.path.clone(), line: Some(set.line) };
                (place, format!("{key} is {value}"))
            })
            .into_iter()
            .collect(),
        ))
    }
}

#[cfg(test)]
mod tests;
