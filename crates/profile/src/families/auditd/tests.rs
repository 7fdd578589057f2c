use hardtack_guest::{MemoryTree, Stage};

use super::RULES;
use super::line::{Audit, AuditRule};
use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

const STATUS: &str = "Package: auditd\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:3.0.9-1\n\n\
                      Package: audispd-plugins\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:3.0.9-1\n";

/// A program of this machine (System V ABI: `e_machine`).
fn program(machine: u8) -> Vec<u8> {
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    head.resize(64, 0);
    head[18] = machine;
    head
}

fn image(machine: u8) -> MemoryTree {
    MemoryTree::new()
        .file("/var/lib/dpkg/status", STATUS)
        .file_as("/bin/sh", program(machine), 0o755, 0, 0)
        .file_as("/usr/bin/passwd", "x", 0o4755, 0, 0)
        .file_as("/usr/sbin/auditctl", "x", 0o777, 5, 0)
        .file_as("/etc/audit/auditd.conf", CONF, 0o644, 0, 0)
        .file_as("/etc/audit/rules.d/audit.rules", "-D\n-b 8192\n", 0o640, 0, 0)
        .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        .file("/etc/group", "root:x:0:\n")
        .dir_as("/var/log/audit", 0o755, 0, 4)
        .file("/lib/systemd/system/auditd.service", "[Service]\n")
}

const CONF: &str = "# auditd\nlog_group = adm\nmax_log_file = 8\nmax_log_file_action = ROTATE\nnum_logs = 5\n\
                    disk_full_action = SUSPEND\nspace_left_action = SYSLOG\nadmin_space_left_action = SUSPEND\n";

fn ids() -> Vec<&'static str> {
    RULES.iter().map(|rule| rule.id).collect()
}

fn text(stage: &Stage<'_>, name: &str) -> String {
    stage.read_text(&format!("/etc/audit/rules.d/{name}")).unwrap().unwrap()
}

#[test]
fn an_image_with_auditd_gets_all_of_it() {
    let tree = image(62);
    let ids = ids();
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    for ((id, before), after) in ids.iter().zip(&before).zip(&after) {
        let was_good = ["audit-pkg", "auditd-low"].contains(id);
        assert_eq!(matches!(before, Finding::Fail { .. }), !was_good, "{id}: {before:?}");
        let at_boot = *id == "audit-same";
        assert_eq!(*after != Finding::Pass, at_boot, "{id}: {after:?}");
    }
    let conf = stage.read_text("/etc/audit/auditd.conf").unwrap().unwrap();
    assert!(
        conf.starts_with(
            "# auditd\nlog_group = adm\nmax_log_file = 10\nmax_log_file_action = ROTATE\nnum_logs = 10\n"
        ),
        "{conf}"
    );
    assert!(
        conf.contains("disk_full_action = syslog\n") && conf.ends_with("disk_error_action = syslog\n"),
        "{conf}"
    );
    let privileged = text(&stage, "50-privileged.rules");
    assert!(
        privileged.contains("-F path=/usr/bin/passwd -F perm=x -F auid>=1000 -F auid!=unset -k privileged\n")
    );
    let there = stage.stat("/etc/audit/rules.d/50-scope.rules").unwrap().unwrap();
    assert_eq!((there.mode & 0o7777, there.uid, there.gid), (0o640, 0, 0));
    let logs = stage.stat("/var/log/audit").unwrap().unwrap();
    assert_eq!((logs.mode & 0o7777, logs.gid), (0o750, 4), "adm may go on reading");
}

#[test]
fn a_program_that_no_line_can_name_is_told() {
    let tree = image(62).file_as("/usr/bin/a b", "x", 0o4755, 0, 0);
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["audit-privileged"]);
    let [Finding::Fail { why, places }] = &after[..] else { panic!("{after:?}") };
    assert!(why[0].starts_with("/usr/bin/a b has a name") && places[0].path == "/usr/bin/a b", "{why:?}");
    let privileged = text(&stage, "50-privileged.rules");
    assert!(privileged.contains("/usr/bin/passwd") && !privileged.contains("a b"), "{privileged}");
}

/// One word that auditctl does not know ends the loading.
#[test]
fn calls_are_those_of_the_architecture() {
    let (arm, small) = (image(183), image(3));
    let (_, _, stage) = carry_out(&arm, &Settings::default(), &["audit-delete", "audit-perm-mod"]);
    let delete = text(&stage, "50-delete.rules");
    assert!(delete.contains("-F arch=b64 -S unlinkat,renameat -F"), "{delete}");
    assert!(delete.contains("-F arch=b32 -S unlink,unlinkat,rename,renameat -F"), "{delete}");
    let modes = text(&stage, "50-perm_mod.rules");
    assert!(
        modes.contains("arch=b64 -S fchmod,fchmodat ") && modes.contains("arch=b64 -S fchown,fchownat "),
        "{modes}"
    );
    let (_, _, stage) = carry_out(&small, &Settings::default(), &["audit-delete"]);
    assert!(!text(&stage, "50-delete.rules").contains("b64"));
}

#[test]
fn without_auditd_the_first_boot_looks() {
    let tree =
        MemoryTree::new().file("/var/lib/dpkg/status", "").file_as("/bin/sh", program(62), 0o755, 0, 0);
    let (before, after, stage) =
        carry_out(&tree, &Settings::default(), &["audit-sudoers", "auditd-size", "audit-file-access"]);
    assert!(
        matches!(before[0], Finding::Fail { .. }) && matches!(after[0], Finding::FirstBoot(_)),
        "{after:?}"
    );
    assert!(matches!(after[1], Finding::FirstBoot(_)), "{after:?}");
    let directory = stage.stat("/etc/audit/rules.d").unwrap().unwrap();
    assert_eq!(directory.mode & 0o7777, 0o750);
    // dpkg would ask about a file of its package that is there already.
    assert!(stage.lstat("/etc/audit/auditd.conf").unwrap().is_none());
}

#[test]
fn old_releases_read_numbers_and_are_told_to_join_the_files() {
    let tree = image(62)
        .file("/var/lib/dpkg/status", STATUS.replace("1:3.0.9-1", "1:2.3.2-2ubuntu1"))
        .file("/etc/default/auditd", "EXTRAOPTIONS=\"\"\nUSE_AUGENRULES=\"no\"\n");
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["audit-mounts"]);
    assert_eq!(after, [Finding::Pass]);
    assert!(text(&stage, "50-mounts.rules").contains("auid!=4294967295 "));
    let default = stage.read_text("/etc/default/auditd").unwrap().unwrap();
    assert_eq!(default, "EXTRAOPTIONS=\"\"\nUSE_AUGENRULES=\"yes\"\n");
}

#[test]
fn rules_of_others_count_however_they_are_written() {
    let tree = image(62).file(
        "/etc/audit/rules.d/mine.rules",
        "-a exit,always -F arch=b64 -S rename,renameat,unlink -S unlinkat -F auid!=-1 -F auid>=1000 -k x\n\
         -a always,exit -F arch=b32 -S all -F key=y\n-a always,exit -F path=/etc/sudoers -F perm=wxa -k z\n\
         -w /etc/sudoers.d/ -p wa\n-e 1\n-e 2\n",
    );
    let found =
        look(&Stage::new(&tree), &Settings::default(), &["audit-delete", "audit-sudoers", "audit-immutable"]);
    assert_eq!(found, [Finding::Pass, Finding::Pass, Finding::Pass]);
    // A rule for fewer people, or fewer calls, is not the same.
    let narrow = tree.file(
        "/etc/audit/rules.d/mine.rules",
        "-a always,exit -F arch=b64 -S rename -F auid=1000 -k x\n-w /etc/sudoers -p r\n",
    );
    let found = look(&Stage::new(&narrow), &Settings::default(), &["audit-delete", "audit-sudoers"]);
    assert!(found.iter().all(|finding| matches!(finding, Finding::Fail { .. })), "{found:?}");
}

#[test]
fn damage_is_no_rule() {
    for line in ["-w", "-a", "-a always,exit -F", "-w /x -p", "\u{0}", "-S", "-D", "--backlog_wait_time 1"] {
        assert_eq!(AuditRule::parse(line), None, "{line}");
    }
    let tree = MemoryTree::new().file("/etc/audit/rules.d/a.rules", [0xff, 0xfe, b'\n', b'-', b'e']);
    assert_eq!(Audit::read(&Stage::new(&tree)).unwrap().enabled.unwrap().0, "");
}
