use hardtack_guest::{MemoryTree, Stage};

use super::{CLOUD_SUDO, PATH, ROTATE};
use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

const SUDOERS: &str =
    "Defaults\tenv_reset\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n\n@includedir /etc/sudoers.d\n";
const SU: &str =
    "#\nauth       sufficient pam_rootok.so\n\n# auth       required   pam_wheel.so\n@include common-auth\n";
const HASH: &str = "$6$salt$abcdefghijklmnopqrstuvwxyz0123456789";

fn image() -> MemoryTree {
    MemoryTree::new()
        .file(
            "/var/lib/dpkg/status",
            "Package: sudo\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.9.13p3-1\n",
        )
        .file_as("/etc/sudoers", SUDOERS, 0o440, 0, 0)
        .dir("/etc/sudoers.d")
        .file("/etc/pam.d/su", SU)
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/bash\n")
        .file("/etc/shadow", "root:*:19000::::::\nana:!:19000::::::\n")
        .file("/etc/group", "root:x:0:\nsudo:x:27:ana\nana:x:1000:\n")
        .file("/etc/gshadow", "root:*::\nsudo:*::ana\nana:!::\n")
}

#[test]
fn sudo_is_told_in_a_file_of_ours() {
    let ids = ["sudo-pty", "sudo-log", "sudo-authenticate", "sudo-timeout", "sudo-dir-mode", "su-group"];
    let tree = image();
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    let failed: Vec<bool> = before.iter().map(|one| matches!(one, Finding::Fail { .. })).collect();
    assert_eq!(failed, [true, true, false, false, true, true], "{before:?}");
    assert_eq!(after, vec![Finding::Pass; 6]);
    let there = stage.stat(PATH).unwrap().unwrap();
    assert_eq!((there.mode & 0o7777, there.uid, there.gid), (0o440, 0, 0));
    let text = stage.read_text(PATH).unwrap().unwrap();
    assert!(
        text.contains("Defaults use_pty\n") && text.contains("Defaults logfile=\"/var/log/sudo.log\"\n"),
        "{text}"
    );
    assert!(stage.read_text(ROTATE).unwrap().unwrap().contains("/var/log/sudo.log {"));
    assert_eq!(stage.read_text("/etc/sudoers").unwrap().as_deref(), Some(SUDOERS));
    // Behind root's line, in both files of groups.
    let su = stage.read_text("/etc/pam.d/su").unwrap().unwrap();
    assert!(
        su.contains("pam_rootok.so\nauth       required   pam_wheel.so use_uid group=nosugroup\n"),
        "{su}"
    );
    assert!(stage.read_text("/etc/group").unwrap().unwrap().ends_with("nosugroup:x:999:\n"));
    assert!(stage.read_text("/etc/gshadow").unwrap().unwrap().ends_with("nosugroup:!::\n"));
}

#[test]
fn what_weakens_sudo_is_found_wherever_it_stands() {
    for (line, id) in [
        ("Defaults:ana !use_pty", "sudo-pty"),
        ("Defaults !use_pty", "sudo-pty"),
        ("Defaults timestamp_timeout=-1", "sudo-timeout"),
        ("Defaults:%sudo timestamp_timeout=\"60\"", "sudo-timeout"),
        ("Defaults !logfile", "sudo-log"),
        ("Defaults:ana !authenticate", "sudo-authenticate"),
        ("@include /etc/sudoers.d/90-later", "sudo-pty"),
    ] {
        let tree = image().file("/etc/sudoers.d/90-later", format!("# x\n{line}\n"));
        let (_, after, _) = carry_out(&tree, &Settings::default(), &[id]);
        let [Finding::Fail { places, .. }] = after.as_slice() else { panic!("{line}: {after:?}") };
        assert_eq!(places[0].path, "/etc/sudoers.d/90-later", "{line}");
    }
    let tree = image().file("/etc/sudoers.d/90-later", "Defaults !authenticate\n");
    let found = look(&Stage::new(&tree), &Settings::default(), &["sudo-authenticate"]);
    assert!(matches!(found[0], Finding::Fail { .. }));
    for (path, text) in
        [("/etc/sudoers.d/a.conf", "Defaults !use_pty\n"), ("/etc/sudoers.d/a~", "Defaults !use_pty\n")]
    {
        let tree = image().file(path, text);
        let (_, after, _) = carry_out(&tree, &Settings::default(), &["sudo-pty"]);
        assert_eq!(after, [Finding::Pass], "{path} is passed over by sudo");
    }
}

#[test]
fn a_main_file_that_includes_nothing_gets_the_directory() {
    let tree = image().file("/etc/sudoers", "root ALL=(ALL) ALL\n");
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["sudo-pty"]);
    assert_eq!(after, [Finding::Pass]);
    assert_eq!(
        stage.read_text("/etc/sudoers").unwrap().unwrap(),
        "root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n"
    );
}

#[test]
fn nopasswd_goes_only_where_somebody_has_a_password() {
    let cloud = "system_info:\n  default_user:\n    name: ana\n    sudo: [\"ALL=(ALL) NOPASSWD:ALL\"]\n";
    let rule = "ana ALL=(ALL) NOPASSWD:ALL\n";
    let keys_only =
        image().file("/etc/cloud/cloud.cfg", cloud).file("/etc/sudoers.d/90-cloud-init-users", rule);
    let (before, after, stage) = carry_out(&keys_only, &Settings::default(), &["sudo-nopasswd"]);
    assert!(matches!((&before[0], &after[0]), (Finding::Exception(_), Finding::Exception(_))), "{after:?}");
    assert!(stage.edits().unwrap().is_empty());

    let tree = keys_only.file("/etc/shadow", format!("ana:{HASH}:19000::::::\n"));
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["sudo-nopasswd"]);
    let [Finding::Fail { places, .. }] = before.as_slice() else { panic!("{before:?}") };
    assert_eq!(places.len(), 2);
    assert_eq!(after, [Finding::Pass]);
    let text = stage.read_text("/etc/sudoers.d/90-cloud-init-users").unwrap();
    assert_eq!(text.as_deref(), Some("ana ALL=(ALL) ALL\n"));
    assert!(stage.read_text(CLOUD_SUDO).unwrap().unwrap().contains("sudo: ['ALL=(ALL:ALL) ALL']"));
}

#[test]
fn su_asks_for_a_group_that_nobody_is_in() {
    for (line, group, passes) in [
        ("auth required pam_wheel.so use_uid group=none", "none:x:50:", true),
        ("auth required pam_wheel.so use_uid group=none", "none:x:50:ana", false),
        ("auth required pam_wheel.so use_uid group=none", "none:x:1000:", false),
        ("auth required pam_wheel.so use_uid group=none", "", false),
        ("auth required pam_wheel.so use_uid", "", false),
        ("auth sufficient pam_unix.so\nauth required pam_wheel.so use_uid group=none", "none:x:50:", false),
        ("auth required pam_wheel.so deny group=none", "none:x:50:", false),
    ] {
        let tree = image()
            .file("/etc/pam.d/su", format!("auth sufficient pam_rootok.so\n{line}\n@include common-auth\n"))
            .file("/etc/group", format!("root:x:0:\nana:x:1000:\n{group}\n"));
        let found = look(&Stage::new(&tree), &Settings::default(), &["su-group"]);
        assert_eq!(found[0] == Finding::Pass, passes, "{line} {group}: {found:?}");
        let (_, after, _) = carry_out(&tree, &Settings::default(), &["su-group"]);
        assert_eq!(after, [Finding::Pass], "{line} {group}");
    }
}
