//! auditd: what it records, and what becomes of its files.
//!
//! augenrules joins the files of /etc/audit/rules.d by name into /etc/audit/audit.rules when auditd starts. One word
//! that auditctl does not know ends the loading there, so calls are named by what the architecture has.

mod conf;
mod files;
mod line;
mod lines;
#[cfg(test)]
mod tests;

use hardtack_report::Place;

use crate::packages::Wanted;
use crate::{Bench, Error, Finding, Level, Measure, Rule, View, units};
use conf::Key;
use line::Audit;
use lines::Privileged;

/// auditd's directory, and that of the rules.
const ETC: &str = "/etc/audit";
const RULES_D: &str = "/etc/audit/rules.d";

/// auditctl is in the image.
fn is_there(view: &View<'_>) -> bool {
    ["/sbin/auditctl", "/usr/sbin/auditctl"]
        .iter()
        .any(|path| view.stage.stat(path).is_ok_and(|there| there.is_some()))
}

/// The daemon starts.
struct On;

impl Measure for On {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        units::enable(bench, "auditd.service", "multi-user.target")?;
        bench.first_boot("audit-on", "    auditctl -s | grep -q '^enabled [12]'");
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let found = view.at_first_boot("audit-on", "auditd is not in the image yet");
        if matches!(&found, Finding::Fail { places, .. } if !places.is_empty()) || !is_there(view) {
            return Ok(found);
        }
        let links = units::enabled(view.stage, "auditd.service")?;
        Ok(if links.is_empty() { Finding::fail("nothing starts auditd.service") } else { Finding::Pass })
    }
}

/// What runs is what lies on the disk.
struct Same;

impl Measure for Same {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let body = "    said=$(augenrules --check 2>&1)\n    printf '%s' \"$said\"\n    \
                    case \"$said\" in *'No change'*) ;; *) return 1 ;; esac";
        bench.first_boot("audit-same", body);
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(view
            .at_first_boot("audit-same", "augenrules --check compares what runs with what lies on the disk"))
    }
}

/// The rules cannot be changed until the next boot.
struct Immutable;

const FINAL: &str = "/etc/audit/rules.d/99-finalize.rules";

impl Measure for Immutable {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        lines::directory(bench)?;
        bench.line(FINAL, 0o640, "-e 2");
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let audit = Audit::read(view.stage)?;
        Ok(match &audit.enabled {
            Some((value, _)) if value == "2" => Finding::Pass,
            Some((value, place)) => Finding::of(vec![(place.clone(), format!("-e {value}, not 2"))]),
            None => Finding::of(vec![(Place::file(FINAL), "no line sets -e 2".to_owned())]),
        })
    }
}

const fn two(
    id: &'static str,
    cis: &'static str,
    title: &'static str,
    reason: &'static str,
    measure: &'static dyn Measure,
) -> Rule {
    Rule::new(id, cis, Level::Two, title, reason, measure)
}

pub(super) const RULES: &[Rule] = &[
    two(
        "audit-pkg",
        "6.2.1.1",
        "auditd and its plug-ins are installed",
        "without it nobody records who has done what",
        &Wanted(&["auditd", "audispd-plugins"]),
    ),
    two("audit-on", "6.2.1.2", "auditd starts", "a daemon that does not run records nothing", &On),
    two(
        "auditd-size",
        "6.2.2.1",
        "a log of auditd is at least 10 MiB before the next one begins",
        "logs that turn over quickly keep nothing of what has happened",
        &Key { id: "auditd-size", values: &[("max_log_file", "10", &[])] },
    ),
    two(
        "auditd-keep",
        "6.2.2.2",
        "auditd keeps ten logs, or all",
        "keeping all of them fills the one disk of a cloud machine, which then stops; ten are kept",
        &Key {
            id: "auditd-keep",
            values: &[("num_logs", "10", &[]), ("max_log_file_action", "rotate", &["keep_logs"])],
        },
    ),
    two(
        "auditd-full",
        "6.2.2.3",
        "a full disk is told to the system's log",
        "the benchmark halts the machine, which a cloud's machine does not survive: it says so instead",
        &Key {
            id: "auditd-full",
            values: &[
                ("disk_full_action", "syslog", &["halt", "single"]),
                ("disk_error_action", "syslog", &["halt", "single"]),
            ],
        },
    ),
    two(
        "auditd-low",
        "6.2.2.4",
        "a disk that runs full is told to the system's log, and recording is suspended in the end",
        "the benchmark sends mail, which cloud images cannot, and halts",
        &Key {
            id: "auditd-low",
            values: &[
                ("space_left_action", "syslog", &["email", "exec", "single", "halt"]),
                ("admin_space_left_action", "suspend", &["single", "halt"]),
            ],
        },
    ),
    lines::SUDOERS,
    lines::EMULATION,
    lines::SUDO_LOG,
    lines::TIME,
    lines::NETWORK,
    two(
        "audit-privileged",
        "6.2.3.6",
        "who runs a program with set-user-ID or set-group-ID bits is recorded",
        "these are the ways by which a user becomes somebody else",
        &Privileged,
    ),
    lines::ACCESS,
    lines::IDENTITY,
    lines::PERM_MOD,
    lines::MOUNTS,
    lines::SESSION,
    lines::LOGINS,
    lines::DELETE,
    lines::MAC,
    lines::CHCON,
    lines::SETFACL,
    lines::CHACL,
    lines::USERMOD,
    lines::MODULES,
    two(
        "audit-immutable",
        "6.2.3.20",
        "the rules cannot be changed until the next boot",
        "who has become root cannot stop the recording unseen",
        &Immutable,
    ),
    two(
        "audit-same",
        "6.2.3.21",
        "the rules in force are those on the disk",
        "rules that were changed by hand are gone after a boot, or never were in force",
        &Same,
    ),
    Rule::new(
        "audit-file-access",
        "6.2.4.1-10",
        Level::UbuntuOne,
        "auditd's logs, configuration and programs belong to root, and others cannot change or read them",
        "who can write them can hide what he did, and who can read them learns what others do",
        &files::Access,
    ),
];
