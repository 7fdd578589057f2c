//! What is recorded: the lines of the benchmark, for the image's architecture.

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Version;
use hardtack_report::Place;

use super::line::Audit;
use super::{RULES_D, is_there, two};
use crate::bench::root;
use crate::families::permissions::set_id_programs;
use crate::{Bench, Error, Finding, Measure, Rule, View};

/// Who is a person, not a daemon.
const PEOPLE: &str = "-F auid>=1000 -F auid!=unset";
const PRIVILEGED: &str = "/etc/audit/rules.d/50-privileged.rules";
/// Debian's first auditctl that is known to read `unset`.
const READS_UNSET: &str = "1:2.6";

/// One thing that is recorded.
pub(super) enum What {
    /// Paths, and what is done to them: `wa`.
    Watch(&'static [&'static str], &'static str),
    /// System calls, under these conditions.
    Calls(&'static [&'static str], &'static [&'static str]),
    /// That people run this program.
    Runs(&'static str),
}

/// These lines stand in this file, under this key.
pub(super) struct Lines {
    id: &'static str,
    file: &'static str,
    key: &'static str,
    what: &'static [What],
}

/// Calls of old that architectures with the generic table do not have (asm-generic/unistd.h).
const OLD_CALLS: [&str; 7] = ["creat", "open", "chmod", "chown", "lchown", "unlink", "rename"];

/// The words for the tables of calls that the machine has, and whether calls of old are in them.
fn tables(architecture: Option<&str>) -> &'static [(&'static str, bool)] {
    match architecture {
        Some("i386" | "armhf") => &[("b32", true)],
        Some("arm64") => &[("b64", false), ("b32", true)],
        Some("ppc64el" | "s390x") => &[("b64", true)],
        Some("riscv64" | "loong64") => &[("b64", false)],
        _ => &[("b64", true), ("b32", true)],
    }
}

fn calls_of(all: &[&'static str], architecture: Option<&str>, has_old: bool) -> Vec<&'static str> {
    let known = |call: &&str| {
        (has_old || !OLD_CALLS.contains(call))
            && !(*call == "renameat" && matches!(architecture, Some("riscv64" | "loong64")))
    };
    all.iter().copied().filter(known).collect()
}

impl Lines {
    /// What stands in the file.
    fn text(&self, view: &View<'_>) -> Vec<String> {
        let architecture = view.facts.architecture;
        let key = self.key;
        let mut lines = Vec::new();
        for what in self.what {
            match what {
                What::Watch(paths, perm) => {
                    lines.extend(paths.iter().map(|path| format!("-w {path} -p {perm} -k {key}")));
                }
                What::Runs(path) => {
                    lines.push(format!("-a always,exit -F path={path} -F perm=x {PEOPLE} -k {key}"));
                }
                What::Calls(calls, conditions) => {
                    for (table, has_old) in tables(architecture) {
                        let calls = calls_of(calls, architecture, *has_old).join(",");
                        for condition in *conditions {
                            let condition =
                                if condition.is_empty() { String::new() } else { format!("{condition} ") };
                            lines.push(format!(
                                "-a always,exit -F arch={table} -S {calls} {condition}-k {key}"
                            ));
                        }
                    }
                }
            }
        }
        spelled(lines, view)
    }
}

/// As the image's auditctl reads it.
fn spelled(lines: Vec<String>, view: &View<'_>) -> Vec<String> {
    let old = match (view.package("auditd"), Version::parse(READS_UNSET)) {
        (Ok(Some(version)), Ok(first)) => *version < first,
        _ => false,
    };
    if old { lines.into_iter().map(|line| line.replace("!=unset", "!=4294967295")).collect() } else { lines }
}

/// The directory of the rules, as the package makes it.
pub(super) fn directory(bench: &mut Bench<'_, '_>) -> Result<(), Error> {
    for path in [super::ETC, RULES_D] {
        if bench.stage.stat(path)?.is_none() {
            bench.stage.mkdir(path, root(0o750))?;
        }
    }
    let path = "/etc/default/auditd";
    if let Some(text) = augenrules_off(bench.stage) {
        let text = text.replace("USE_AUGENRULES=\"no\"", "USE_AUGENRULES=\"yes\"");
        bench.stage.write(path, text, hardtack_guest::Set::default())?;
    }
    Ok(())
}

/// Old packages read audit.rules alone unless they are told otherwise; the text that says so.
fn augenrules_off(stage: &Stage<'_>) -> Option<String> {
    crate::merged::text(stage, "/etc/default/auditd")
        .filter(|text| text.lines().any(|line| line.trim() == "USE_AUGENRULES=\"no\""))
}

/// The finding for lines of which `missing` is recorded by nothing.
fn judged(view: &View<'_>, id: &str, file: &str, lines: &[String]) -> Result<Finding, Error> {
    let missing = Audit::read(view.stage)?.missing(lines);
    if !missing.is_empty() {
        let fault = |line: &str| (Place::file(file), format!("not recorded: {line}"));
        return Ok(Finding::of(missing.into_iter().map(fault).collect()));
    }
    if augenrules_off(view.stage).is_some() {
        return Ok(Finding::fail_at("/etc/default/auditd", "USE_AUGENRULES is no: nobody reads rules.d"));
    }
    let found = view.at_first_boot(id, "auditd is not in the image yet; it loads these rules when it comes");
    let has_failed = matches!(&found, Finding::Fail { places, .. } if !places.is_empty());
    Ok(if has_failed || !is_there(view) { found } else { Finding::Pass })
}

fn look(bench: &mut Bench<'_, '_>, id: &'static str, key: &str) {
    bench.first_boot(id, format!("    auditctl -l | grep -Eq -- '(-k |key=){key}( |$)'"));
}

impl Measure for Lines {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let lines = self.text(&bench.view()?);
        directory(bench)?;
        for line in lines {
            bench.line(self.file, 0o640, line);
        }
        look(bench, self.id, self.key);
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        judged(view, self.id, self.file, &self.text(view))
    }
}

/// Each program with set-id bits that the image has.
pub(super) struct Privileged;

impl Privileged {
    /// The lines, and the programs that no line can name.
    fn text<'v>(view: &'v View<'_>) -> Result<(Vec<String>, Vec<&'v String>), Error> {
        // auditctl has no way to write a blank.
        let (mut programs, nameless): (Vec<&String>, Vec<&String>) =
            set_id_programs(view)?.iter().partition(|path| path.bytes().all(|byte| byte.is_ascii_graphic()));
        programs.sort_unstable();
        let line = |path: &String| format!("-a always,exit -F path={path} -F perm=x {PEOPLE} -k privileged");
        Ok((spelled(programs.into_iter().map(line).collect(), view), nameless))
    }
}

impl Measure for Privileged {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let (lines, nameless) = {
            let view = bench.view()?;
            let (lines, nameless) = Self::text(&view)?;
            (lines, nameless.len())
        };
        if nameless > 0 {
            bench.notes.push(format!(
                "programs with set-id bits whose paths auditctl cannot read, for blanks or letters beyond ASCII: \
                 {nameless}; nobody records who runs them"
            ));
        }
        directory(bench)?;
        if !lines.is_empty() {
            look(bench, "audit-privileged", "privileged");
        }
        for line in lines {
            bench.line(PRIVILEGED, 0o640, line);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let (lines, nameless) = Self::text(view)?;
        if let Some(first) = nameless.first() {
            let more = nameless.len() - 1;
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            return Ok(Finding::fail_at(
                *first,
                format!("{first} has a name that auditctl cannot read, so nobody records who runs it{more}"),
            ));
        }
        if lines.is_empty() {
            return Ok(Finding::NotApplicable("the image has no program with set-id bits".to_owned()));
        }
        judged(view, "audit-privileged", PRIVILEGED, &lines)
    }

    // Packages bring such programs, and other rules take bits away.
    fn is_late(&self) -> bool {
        true
    }
}

macro_rules! recorded {
    ($name:ident, $id:literal, $cis:literal, $file:literal, $key:literal, $title:literal, $reason:literal, $($what:expr),+) => {
        pub(super) const $name: Rule = two(
            $id,
            $cis,
            $title,
            $reason,
            &Lines { id: $id, file: concat!("/etc/audit/rules.d/50-", $file, ".rules"), key: $key, what: &[$($what),+] },
        );
    };
}
use What::{Calls, Runs, Watch};

recorded!(
    SUDOERS,
    "audit-sudoers",
    "6.2.3.1",
    "scope",
    "scope",
    "changes to who may become root are recorded",
    "a line in sudoers makes anybody root",
    Watch(&["/etc/sudoers", "/etc/sudoers.d"], "wa")
);
recorded!(
    EMULATION,
    "audit-emulation",
    "6.2.3.2",
    "user_emulation",
    "user_emulation",
    "what is run as somebody else is recorded",
    "who acts under another name is found by what he has run",
    Calls(&["execve"], &["-C euid!=uid -F auid!=unset"])
);
recorded!(
    SUDO_LOG,
    "audit-sudolog",
    "6.2.3.3",
    "sudo",
    "sudo_log_file",
    "changes to sudo's log are recorded",
    "who has used sudo can edit its log",
    Watch(&["/var/log/sudo.log"], "wa")
);
recorded!(
    TIME,
    "audit-time",
    "6.2.3.4",
    "time-change",
    "time-change",
    "changes of the clock are recorded",
    "a clock that was set back makes every other record doubtful",
    Calls(&["adjtimex", "settimeofday", "clock_settime"], &[""]),
    Watch(&["/etc/localtime"], "wa")
);
recorded!(
    NETWORK,
    "audit-network",
    "6.2.3.5",
    "system_locale",
    "system-locale",
    "changes of the machine's name and its networks are recorded",
    "they send traffic and logs elsewhere",
    Calls(&["sethostname", "setdomainname"], &[""]),
    Watch(
        &["/etc/issue", "/etc/issue.net", "/etc/hosts", "/etc/networks", "/etc/network", "/etc/netplan"],
        "wa"
    )
);
recorded!(
    ACCESS,
    "audit-access",
    "6.2.3.7",
    "access",
    "access",
    "files that people were refused are recorded",
    "who tries one file after the other is looking for something",
    Calls(
        &["creat", "open", "openat", "truncate", "ftruncate"],
        &["-F exit=-EACCES -F auid>=1000 -F auid!=unset", "-F exit=-EPERM -F auid>=1000 -F auid!=unset"]
    )
);
recorded!(
    IDENTITY,
    "audit-identity",
    "6.2.3.8",
    "identity",
    "identity",
    "changes of users, groups and how they log in are recorded",
    "a new user, or a line of PAM, is a way back in",
    Watch(
        &[
            "/etc/group",
            "/etc/passwd",
            "/etc/gshadow",
            "/etc/shadow",
            "/etc/security/opasswd",
            "/etc/nsswitch.conf",
            "/etc/pam.conf",
            "/etc/pam.d"
        ],
        "wa"
    )
);
recorded!(
    PERM_MOD,
    "audit-perm-mod",
    "6.2.3.9",
    "perm_mod",
    "perm_mod",
    "changes of modes, owners and attributes are recorded",
    "they open files to those who should not have them",
    Calls(&["chmod", "fchmod", "fchmodat"], &[PEOPLE]),
    Calls(&["chown", "fchown", "lchown", "fchownat"], &[PEOPLE]),
    Calls(&["setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"], &[PEOPLE])
);
recorded!(
    MOUNTS,
    "audit-mounts",
    "6.2.3.10",
    "mounts",
    "mounts",
    "what people mount is recorded",
    "data leaves on what is mounted",
    Calls(&["mount"], &[PEOPLE])
);
recorded!(
    SESSION,
    "audit-session",
    "6.2.3.11",
    "session",
    "session",
    "changes to the records of who was logged in are recorded",
    "who was not supposed to be there edits them",
    Watch(&["/var/run/utmp", "/var/log/wtmp", "/var/log/btmp"], "wa")
);
recorded!(
    LOGINS,
    "audit-logins",
    "6.2.3.12",
    "login",
    "logins",
    "changes to the records of logins are recorded",
    "they tell of passwords that were guessed",
    Watch(&["/var/log/lastlog", "/var/run/faillock"], "wa")
);
recorded!(
    DELETE,
    "audit-delete",
    "6.2.3.13",
    "delete",
    "delete",
    "files that people remove or rename are recorded",
    "traces go away like that",
    Calls(&["unlink", "unlinkat", "rename", "renameat"], &[PEOPLE])
);
recorded!(
    MAC,
    "audit-mac",
    "6.2.3.14",
    "MAC-policy",
    "MAC-policy",
    "changes of AppArmor's profiles are recorded",
    "a profile that was opened confines nothing",
    Watch(&["/etc/apparmor", "/etc/apparmor.d"], "wa")
);
recorded!(
    CHCON,
    "audit-chcon",
    "6.2.3.15",
    "perm_chng",
    "perm_chng",
    "who runs chcon is recorded",
    "another label lets a confined program out",
    Runs("/usr/bin/chcon")
);
recorded!(
    SETFACL,
    "audit-setfacl",
    "6.2.3.16",
    "perm_chng",
    "perm_chng",
    "who runs setfacl is recorded",
    "access lists open files without a trace in their modes",
    Runs("/usr/bin/setfacl")
);
recorded!(
    CHACL,
    "audit-chacl",
    "6.2.3.17",
    "perm_chng",
    "perm_chng",
    "who runs chacl is recorded",
    "access lists open files without a trace in their modes",
    Runs("/usr/bin/chacl")
);
recorded!(
    USERMOD,
    "audit-usermod",
    "6.2.3.18",
    "usermod",
    "usermod",
    "who runs usermod is recorded",
    "it puts users into groups that may more",
    Runs("/usr/sbin/usermod")
);
recorded!(
    MODULES,
    "audit-modules",
    "6.2.3.19",
    "kernel_modules",
    "kernel_modules",
    "modules of the kernel that people load or take out are recorded",
    "a module can hide everything else",
    Calls(&["init_module", "finit_module", "delete_module"], &[PEOPLE]),
    Runs("/usr/bin/kmod")
);
