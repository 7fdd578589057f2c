//! SELinux, where the image has a policy.

use hardtack_guest::{FileType, Set, Stage};
use hardtack_report::Place;

use crate::families::boot::cmdline;
use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View, units};

const CONFIG: &str = "/etc/selinux/config";
/// At the next boot all files get their labels, and the machine boots once more.
const RELABEL: &str = "/.autorelabel";
/// Names of policies, the first one where none is named: RHEL's, and Debian's.
const POLICIES: [&str; 3] = ["targeted", "mls", "default"];
const OFF: [&str; 2] = ["selinux=0", "enforcing=0"];

/// The policy is enforced.
pub(super) struct Enforcing;

impl Measure for Enforcing {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(old) = bench.stage.read_text(CONFIG)? else { return Ok(()) };
        let Some(policy) = policy(bench.stage, &old)? else { return Ok(()) };
        // Files that were written while it was off have no labels.
        if value(&old, "SELINUX").is_none_or(|(mode, _)| mode == "disabled") {
            bench.stage.write(RELABEL, "", Set::all(0o644, 0, 0))?;
        }
        let new = set(&set(&old, "SELINUX", "enforcing"), "SELINUXTYPE", policy);
        if new != old {
            bench.stage.write(CONFIG, new, Set::default())?;
        }
        cmdline::remove(bench, &OFF)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(config) = text(view.stage, CONFIG) else {
            return Ok(Finding::NotApplicable("the image has no SELinux".to_owned()));
        };
        let mut faults = Vec::new();
        let place = |line: Option<usize>| Place { path: CONFIG.to_owned(), line };
        match value(&config, "SELINUX") {
            Some((mode, _)) if mode == "enforcing" => {}
            Some((mode, line)) => {
                faults.push((place(Some(line)), format!("SELINUX is {mode}, not enforcing")))
            }
            None => faults.push((place(None), "SELINUX is not set; it shall be enforcing".to_owned())),
        }
        let kind = value(&config, "SELINUXTYPE");
        let named = kind.as_ref().map_or(POLICIES[0], |(kind, _)| kind);
        let line = kind.as_ref().map(|(_, line)| *line);
        if !POLICIES.contains(&named) {
            faults.push((place(line), format!("SELINUXTYPE is {named}, not {}", POLICIES[0])));
        } else if !has_policy(view.stage, named)? {
            faults.push((place(line), format!("there is no policy in /etc/selinux/{named}/policy")));
        }
        faults.extend(cmdline::having(view, &OFF)?);
        Ok(Finding::of(faults))
    }
}

/// The one that is named, else the first that is there.
fn policy(stage: &Stage<'_>, config: &str) -> Result<Option<&'static str>, Error> {
    let named = value(config, "SELINUXTYPE").map(|(kind, _)| kind);
    let first = POLICIES.iter().find(|policy| named.as_deref() == Some(**policy));
    for policy in first.into_iter().chain(&POLICIES) {
        if has_policy(stage, policy)? {
            return Ok(Some(policy));
        }
    }
    Ok(None)
}

fn has_policy(stage: &Stage<'_>, name: &str) -> Result<bool, Error> {
    let directory = format!("/etc/selinux/{name}/policy");
    if stage.stat(&directory)?.is_none_or(|there| there.kind != FileType::Directory) {
        return Ok(false);
    }
    Ok(stage.list(&directory)?.iter().any(|entry| entry.name.starts_with("policy.")))
}

/// The last value of a key, and its line.
fn value(config: &str, key: &str) -> Option<(String, usize)> {
    let lines = config.lines().enumerate();
    let values = lines.filter_map(|(index, line)| {
        let (name, value) = line.trim().split_once('=')?;
        (name.trim() == key).then(|| (value.trim().to_ascii_lowercase(), index + 1))
    });
    values.last()
}

fn set(config: &str, key: &str, wanted: &str) -> String {
    let is_it = |line: &str| line.trim().split_once('=').is_some_and(|(name, _)| name.trim() == key);
    let mut new: String = config
        .lines()
        .map(|line| if is_it(line) { format!("{key}={wanted}\n") } else { format!("{line}\n") })
        .collect();
    if !config.lines().any(is_it) {
        new.push_str(&format!("{key}={wanted}\n"));
    }
    new
}

/// Services for desktops.
pub(super) struct Helpers;

const HELPERS: [(&str, &str); 2] =
    [("/usr/sbin/setroubleshootd", "setroubleshootd.service"), ("/usr/sbin/mcstransd", "mcstrans.service")];

impl Measure for Helpers {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        HELPERS.iter().try_for_each(|(_, unit)| units::mask(bench, unit))
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !view.facts.exists(CONFIG)? {
            return Ok(Finding::NotApplicable("the image has no SELinux".to_owned()));
        }
        let mut faults = Vec::new();
        for (program, unit) in HELPERS {
            if view.facts.exists(program)? && !units::is_masked(view.stage, unit)? {
                faults.push((Place::file(program), format!("it is there, and {unit} is not masked")));
            }
        }
        Ok(Finding::of(faults))
    }
}

#[cfg(test)]
mod tests {
    use hardtack_guest::MemoryTree;

    use super::{CONFIG, RELABEL};
    use crate::testing::carry_out;
    use crate::{Finding, Settings};

    fn rocky() -> MemoryTree {
        MemoryTree::new().file("/etc/selinux/targeted/policy/policy.33", "")
    }

    #[test]
    fn what_was_off_is_on_and_gets_its_labels() {
        let tree = rocky()
            .file(CONFIG, "# SELINUX= can take\nSELINUX=disabled\n")
            .file(
                "/boot/loader/entries/a.conf",
                "title A\nlinux /vmlinuz-5\ninitrd /i\noptions root=/dev/vda1 ro selinux=0 quiet\n",
            )
            .file("/boot/vmlinuz-5", "");
        let (before, after, stage) = carry_out(&tree, &Settings::default(), &["selinux-enforcing"]);
        let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
        assert_eq!(why.len(), 2, "{why:?}");
        assert_eq!(after, [Finding::Pass]);
        assert!(stage.stat(RELABEL).unwrap().is_some());
        assert_eq!(
            stage.read_text(CONFIG).unwrap().as_deref(),
            Some("# SELINUX= can take\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
        );
        let entry = stage.read_text("/boot/loader/entries/a.conf").unwrap().unwrap();
        assert!(entry.contains("ro quiet"), "{entry}");
    }

    #[test]
    fn permissive_files_have_their_labels() {
        let tree = rocky().file(CONFIG, "SELINUX=permissive\nSELINUXTYPE=targeted\n");
        let (_, after, stage) = carry_out(&tree, &Settings::default(), &["selinux-enforcing"]);
        assert_eq!(after, [Finding::Pass]);
        assert!(stage.stat(RELABEL).unwrap().is_none());
    }

    #[test]
    fn without_a_policy_nothing_is_enforced() {
        let tree = MemoryTree::new().file(CONFIG, "SELINUX=disabled\n");
        let (_, after, stage) = carry_out(&tree, &Settings::default(), &["selinux-enforcing"]);
        assert!(matches!(after[0], Finding::Fail { .. }), "{after:?}");
        assert!(stage.edits().unwrap().is_empty());
        let ids = ["selinux-enforcing", "setroubleshoot-absent"];
        let (_, after, _) = carry_out(&MemoryTree::new(), &Settings::default(), &ids);
        assert!(after.iter().all(|found| matches!(found, Finding::NotApplicable(_))), "{after:?}");
    }

    #[test]
    fn helpers_for_desktops_are_masked() {
        let tree = rocky()
            .file(CONFIG, "SELINUX=enforcing\n")
            .file("/usr/sbin/mcstransd", "")
            .file("/usr/lib/systemd/system/mcstrans.service", "[Unit]\n");
        let (before, after, _) = carry_out(&tree, &Settings::default(), &["setroubleshoot-absent"]);
        assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
        assert_eq!(after, [Finding::Pass]);
    }
}
