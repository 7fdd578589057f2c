//! Core dumps, prelink, compilers.

mod limits;

use hardtack_guest::FileType;
use hardtack_inspect::facts::Init;
use hardtack_report::Place;

use crate::merged::{Ini, text};
use crate::packages::Unwanted;
use crate::{Bench, Error, Finding, Level, Measure, Rule, View, units};

const LIMITS: &str = "/etc/security/limits.d/60-hardtack.conf";
const COREDUMP: &str = "/etc/systemd/coredump.conf.d/60-hardtack.conf";
const COREDUMP_PROGRAMS: [&str; 2] = ["/usr/lib/systemd/systemd-coredump", "/lib/systemd/systemd-coredump"];
const APPORT: &str = "/etc/default/apport";

/// No session may leave a core.
struct CoreLimits;

impl Measure for CoreLimits {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        // `*` is everybody but root.
        bench.line(LIMITS, 0o644, "* hard core 0");
        bench.line(LIMITS, 0o644, "root hard core 0");
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(Finding::of(limits::faults(view.stage, LIMITS)?))
    }
}

/// systemd-coredump keeps none.
struct CoreSystemd;

const KEPT: [(&str, &str); 2] = [("Storage", "none"), ("ProcessSizeMax", "0")];

impl Measure for CoreSystemd {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        // Other inits have no use for it, and no directory.
        if bench.stage.stat("/etc/systemd")?.is_some() {
            bench.line(COREDUMP, 0o644, "[Coredump]");
            for (key, value) in KEPT {
                bench.line(COREDUMP, 0o644, format!("{key}={value}"));
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !COREDUMP_PROGRAMS.iter().any(|path| view.facts.exists(path).unwrap_or(false)) {
            return Ok(Finding::NotApplicable("systemd-coredump is not in the image".to_owned()));
        }
        let ini = Ini::systemd(view.stage, "coredump")?;
        let mut faults = Vec::new();
        for (key, wanted) in KEPT {
            match ini.get("Coredump", key) {
                Some(set) if set.value == wanted => {}
                Some(set) => faults.push((
                    Place { path: set.path.clone(), line: Some(set.line) },
                    format!("{key} is {}, not {wanted}", set.value),
                )),
                None => {
                    faults.push((Place::file(COREDUMP), format!("{key} is not set; it shall be {wanted}")));
                }
            }
        }
        Ok(Finding::of(faults))
    }
}

/// Ubuntu's error reports are not made.
struct ApportOff;

impl Measure for ApportOff {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if let Some(old) = bench.stage.read_text(APPORT)? {
            let is_set = |line: &str| line.trim_start().starts_with("enabled=");
            let mut new: String = old
                .lines()
                .map(|line| if is_set(line) { "enabled=0\n".to_owned() } else { format!("{line}\n") })
                .collect();
            if !old.lines().any(is_set) {
                new.push_str("enabled=0\n");
            }
            if new != old {
                crate::conffile::edit(bench.stage, APPORT, new, hardtack_guest::Set::default())?;
            }
        }
        units::mask(bench, "apport.service")
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !view.has_package("apport") && !view.facts.exists("/usr/share/apport/apport")? {
            return Ok(Finding::NotApplicable("apport is not in the image".to_owned()));
        }
        let mut faults = Vec::new();
        let defaults = text(view.stage, APPORT).unwrap_or_default();
        let last = defaults.lines().enumerate().filter_map(|(index, line)| {
            Some((index + 1, line.trim().strip_prefix("enabled=")?.trim_matches(['"', '\''])))
        });
        match last.last() {
            Some((_, "0")) => {}
            Some((line, value)) => faults.push((
                Place { path: APPORT.to_owned(), line: Some(line) },
                format!("enabled is {value}, not 0"),
            )),
            // What the job takes it for, where nothing is said.
            None => faults.push((Place::file(APPORT), "enabled is not set; it shall be 0".to_owned())),
        }
        for path in units::enabled(view.stage, "apport.service")? {
            // Upstart's job and the script of System V look at the defaults file by themselves.
            if view.facts.init == Some(Init::Systemd) {
                faults.push((Place::file(path), "apport is started at boot".to_owned()));
            }
        }
        Ok(Finding::of(faults))
    }
}

/// kdump keeps no copy of the memory.
struct KdumpOff;

const KDUMP: [&str; 2] = ["kdump-tools.service", "kdump.service"];

impl Measure for KdumpOff {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        KDUMP.iter().try_for_each(|unit| units::mask(bench, unit))
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        for unit in KDUMP {
            for path in units::enabled(view.stage, unit)? {
                faults.push((Place::file(path), format!("{unit} is started at boot")));
            }
        }
        Ok(Finding::of(faults))
    }
}

/// Only root compiles.
struct Compilers;

const COMPILERS: [&str; 9] = [
    "/usr/bin/as",
    "/usr/bin/cc",
    "/usr/bin/c++",
    "/usr/bin/gcc",
    "/usr/bin/g++",
    "/usr/bin/clang",
    "/usr/bin/clang++",
    "/usr/bin/ld",
    "/usr/bin/tcc",
];
const COMPILER_MODE: u32 = 0o750;

impl Compilers {
    /// Where the programs really are, each once.
    fn there(stage: &hardtack_guest::Stage<'_>) -> Result<Vec<String>, Error> {
        let mut found: Vec<String> = Vec::new();
        for path in COMPILERS {
            if stage.stat(path)?.is_some_and(|there| there.kind == FileType::Regular) {
                let place = stage.resolve(path)?.as_str().to_owned();
                if !found.contains(&place) {
                    found.push(place);
                }
            }
        }
        Ok(found)
    }
}

impl Measure for Compilers {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for path in Self::there(bench.stage)? {
            bench.restrict(&path, COMPILER_MODE)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        for path in Self::there(view.stage)? {
            if let Some(there) = view.stage.stat(&path)?
                && (there.mode & !COMPILER_MODE != 0 || (there.uid, there.gid) != (0, 0))
            {
                let is = format!("mode {:04o}, of {}:{}", there.mode, there.uid, there.gid);
                faults.push((Place::file(path), format!("{is}; it shall be root's, 0750 at most")));
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "core-limits",
        "1.5.3",
        Level::One,
        "no session leaves a core",
        "a core holds the keys and passwords that its program had in memory",
        &CoreLimits,
    )
    .baseline(),
    Rule::new(
        "core-systemd",
        "1.5.3",
        Level::One,
        "systemd-coredump keeps no core",
        "a core holds the keys and passwords that its program had in memory",
        &CoreSystemd,
    )
    .baseline(),
    Rule::new(
        "prelink-absent",
        "1.5.4",
        Level::One,
        "prelink is not installed",
        "it changes programs: their sums fit no more, and their addresses are no longer random",
        &Unwanted(&["prelink"]),
    ),
    Rule::new(
        "apport-off",
        "1.5.5",
        Level::One,
        "no reports of crashes are made",
        "they hold what the program had in memory, and are sent out of the house",
        &ApportOff,
    )
    .baseline(),
    Rule::new(
        "kdump-off",
        "",
        Level::None,
        "a crash of the kernel leaves no copy of the memory",
        "it would hold the keys and passwords of all programs",
        &KdumpOff,
    ),
    Rule::new(
        "compiler-perms",
        "",
        Level::None,
        "only root compiles",
        "who breaks in as a user builds his tools on the machine; DKMS builds as root",
        &Compilers,
    ),
];

#[cfg(test)]
mod tests {
    use hardtack_guest::MemoryTree;

    use super::{APPORT, LIMITS};
    use crate::testing::carry_out;
    use crate::{Finding, Settings};

    #[test]
    fn nobody_leaves_a_core() {
        let tree = MemoryTree::new()
            .dir("/etc/systemd/system")
            .file("/lib/systemd/systemd-coredump", "")
            .file("/etc/security/limits.conf", "#*  soft core 0\n")
            .file("/etc/systemd/coredump.conf", "[Coredump]\n#Storage=external\nStorage=external\n");
        let ids = ["core-limits", "core-systemd"];
        let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
        let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
        assert_eq!(why.len(), 2, "root and everybody else: {why:?}");
        let Finding::Fail { places, .. } = &before[1] else { panic!("{before:?}") };
        assert_eq!(places[0].line, Some(3));
        assert_eq!(after, [Finding::Pass, Finding::Pass]);
        assert!(stage.read_text(LIMITS).unwrap().unwrap().ends_with("\n* hard core 0\nroot hard core 0\n"));
    }

    #[test]
    fn without_systemd_coredump_there_is_nothing_to_say() {
        let tree = MemoryTree::new();
        let (_, after, stage) = carry_out(&tree, &Settings::default(), &["core-systemd", "apport-off"]);
        assert!(after.iter().all(|found| matches!(found, Finding::NotApplicable(_))), "{after:?}");
        assert!(stage.edits().unwrap().is_empty());
    }

    #[test]
    fn apport_is_off_and_masked() {
        let tree = MemoryTree::new()
            .link("/sbin/init", "../lib/systemd/systemd")
            .file("/lib/systemd/systemd", "")
            .file("/usr/share/apport/apport", "")
            .file(APPORT, "# set this to 0 to disable apport\nenabled=1\n")
            .file("/lib/systemd/system/apport.service", "[Unit]\n")
            .link(
                "/etc/systemd/system/multi-user.target.wants/apport.service",
                "/lib/systemd/system/apport.service",
            );
        let (before, after, stage) = carry_out(&tree, &Settings::default(), &["apport-off"]);
        let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
        assert_eq!(why.len(), 2, "{why:?}");
        assert_eq!(after, [Finding::Pass]);
        assert_eq!(
            stage.read_text(APPORT).unwrap().as_deref(),
            Some("# set this to 0 to disable apport\nenabled=0\n")
        );
    }

    #[test]
    fn upstart_reads_the_same_file() {
        let tree = MemoryTree::new()
            .file("/sbin/init", "")
            .file("/etc/init/rc-sysinit.conf", "")
            .file("/etc/init/apport.conf", "start on runlevel [2345]\n")
            .file("/usr/share/apport/apport", "")
            .file(APPORT, "enabled=1\n");
        let (before, after, _) = carry_out(&tree, &Settings::default(), &["apport-off"]);
        assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
        assert_eq!(after, [Finding::Pass]);
    }

    #[test]
    fn compilers_are_roots_wherever_links_lead() {
        let tree = MemoryTree::new()
            .link("/usr/bin/cc", "/etc/alternatives/cc")
            .link("/etc/alternatives/cc", "/usr/bin/gcc")
            .link("/usr/bin/gcc", "gcc-12")
            .file_as("/usr/bin/gcc-12", "", 0o755, 0, 0)
            .link("/usr/bin/as", "/nowhere");
        let (before, after, stage) = carry_out(&tree, &Settings::default(), &["compiler-perms"]);
        assert!(
            matches!(&before[0], Finding::Fail { places, .. } if places[0].path == "/usr/bin/gcc-12"),
            "{before:?}"
        );
        assert_eq!(after, [Finding::Pass]);
        assert_eq!(stage.stat("/usr/bin/cc").unwrap().unwrap().mode, 0o750);
    }
}
