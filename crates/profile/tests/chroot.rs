//! auditd's own programs over what the profile writes, in a root that has them.
//!
//! `HARDTACK_PROFILE_ROOT` names such a directory, which is changed: a Debian root with the packages auditd,
//! audispd-plugins, aide and aide-common.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_guest::{Content, HostTree, Stage, State};
use hardtack_profile::{Exception, Finding, Kind, Phase, Profile, Surroundings, apply, check, rules};

/// Only these families: the test is about no other.
fn profile() -> Profile {
    let mut profile = Profile::new(Kind::Cis2);
    let is_ours = |id: &str| id.starts_with("audit") || id.starts_with("aide");
    let others = rules().iter().filter(|rule| !is_ours(rule.id));
    profile.exceptions =
        others.map(|rule| Exception { rule: rule.id, reason: "not now".to_owned() }).collect();
    profile
}

/// Writes what is staged into the directory that the stage was made over.
fn write(stage: &Stage<'_>, root: &Path) {
    for edit in stage.edits().unwrap() {
        let path = root.join(edit.path.as_str().trim_start_matches('/'));
        let attributes = match &edit.state {
            State::Absent => {
                std::fs::remove_file(&path).unwrap();
                continue;
            }
            State::Link(target, _) => {
                let _ = std::fs::remove_file(&path);
                std::os::unix::fs::symlink(target, &path).unwrap();
                continue;
            }
            State::Directory(attributes) | State::Special(attributes) => {
                std::fs::create_dir_all(&path).unwrap();
                attributes
            }
            State::File(Content::Bytes(bytes), attributes) => {
                std::fs::write(&path, bytes).unwrap();
                attributes
            }
            State::File(_, attributes) => attributes,
        };
        std::os::unix::fs::chown(&path, Some(attributes.uid), Some(attributes.gid)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(attributes.mode)).unwrap();
    }
}

fn inside(root: &Path, script: &str) -> (bool, String) {
    let done = Command::new("unshare")
        .args(["-n", "chroot"])
        .arg(root)
        .args(["/bin/sh", "-c", script])
        .output()
        .unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_real_programs_agree() {
    let Some(root) = std::env::var_os("HARDTACK_PROFILE_ROOT").map(PathBuf::from) else {
        eprintln!("SKIPPED: HARDTACK_PROFILE_ROOT names no root with auditd and aide");
        return;
    };
    let profile = profile();
    let around = Surroundings { epoch: 1_700_000_000, ..Surroundings::default() };
    let tree = HostTree::new(&root);
    let mut stage = Stage::new(&tree);
    for phase in [Phase::Early, Phase::Late] {
        apply(&profile, &mut stage, around, phase).unwrap();
    }
    write(&stage, &root);
    let tree = HostTree::new(&root);
    let stage = Stage::new(&tree);
    for judged in check(&profile, &stage).unwrap() {
        assert!(!matches!(judged.finding, Finding::Fail { .. }), "{judged:#?}");
    }

    // The rules join in the order that the kernel needs, and every call has a number. Loading them would change the
    // kernel of this machine.
    let (_, said) = inside(&root, "augenrules --check");
    assert!(said.contains("Rules have changed") || said.contains("No change"), "{said}");
    let (_, said) = inside(&root, "augenrules >/dev/null 2>&1; cat /etc/audit/audit.rules");
    assert!(
        said.lines().filter(|line| line.starts_with("-a") || line.starts_with("-w")).count() > 50,
        "{said}"
    );
    assert_eq!(said.lines().rfind(|line| !line.is_empty()), Some("-e 2"), "{said}");
    let calls = "for pair in b64:x86_64 b32:i386; do for call in $(sed -n \"s/.*arch=${pair%:*} -S \\([^ ]*\\).*/\\1/p\" \
                 /etc/audit/audit.rules | tr , ' '); do ausyscall ${pair#*:} $call --exact >/dev/null || echo $call; done; done";
    assert_eq!(inside(&root, calls), (true, String::new()));

    // aide finds no difference between the root and the database that was written here.
    let (_, said) = inside(&root, "aide --config=/etc/hardtack/aide.conf --check");
    assert!(said.contains("found NO differences"), "{said}");
    // And it does look: a changed program is told.
    let (_, said) = inside(
        &root,
        "echo x >> /usr/sbin/zic; chmod 700 /etc/fstab; aide --config=/etc/hardtack/aide.conf --check",
    );
    assert!(said.contains("/usr/sbin/zic") && said.contains("/etc/fstab"), "{said}");
}
