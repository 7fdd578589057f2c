#![allow(clippy::unwrap_used)]
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;
use crate::testing::{Tree, has, is_root};

const POLICY: &str = "usr/sbin/policy-rc.d";

#[test]
fn the_unit_ends_after_the_deadline() {
    let unit = include_str!("../../../recipe/src/units/hardtack-packages.service");
    let limit = unit.lines().find_map(|line| line.strip_prefix("TimeoutStartSec=")).unwrap();
    assert!(limit.parse::<u64>().unwrap() >= DEADLINE.as_secs() + 60);
}

#[test]
fn the_policy_of_the_image_comes_back() {
    let tree = Tree::new().file(POLICY, "#!/bin/sh\nexit 0\n");
    let host = tree.host();
    let held = policy::Held::new(&host).unwrap();
    assert!(tree.read(POLICY).contains("exit 101"));
    assert_eq!(tree.metadata(POLICY).permissions().mode() & 0o777, 0o755);
    drop(held);
    assert_eq!(tree.read(POLICY), "#!/bin/sh\nexit 0\n");

    let none = Tree::new().directory("usr/sbin");
    drop(policy::Held::new(&none.host()).unwrap());
    assert!(!none.host().exists("/usr/sbin/policy-rc.d"));

    // The power went while it was held.
    let cut = Tree::new().file(POLICY, "theirs\n");
    std::mem::forget(policy::Held::new(&cut.host()).unwrap());
    policy::recover(&cut.host());
    assert_eq!(cut.read(POLICY), "theirs\n");
    policy::recover(&cut.host());
    assert_eq!(cut.read(POLICY), "theirs\n");
}

#[test]
fn units_are_enabled_by_their_links() {
    let tree = Tree::new()
        .link("etc/systemd/system/multi-user.target.wants/ssh.service", "/lib/systemd/system/ssh.service")
        .link("etc/systemd/system/sockets.target.wants/x.socket", "/lib/systemd/system/x.socket")
        .link("etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service");
    let names: Vec<String> = units::enabled(&tree.host()).into_iter().collect();
    assert_eq!(names, ["ssh.service", "x.socket"]);
}

#[test]
fn nothing_to_do_is_done() {
    let tree = Tree::new();
    run(&tree.host(), &AgentConfig::default()).unwrap();
    assert_eq!(recorded(&tree.host()), None);
}

#[test]
fn a_spool_that_is_not_whole_is_a_failure_on_record() {
    let tree = Tree::new().directory("var/lib/hardtack/packages");
    let config = with(&["gone.deb"], &[]);
    assert!(run(&tree.host(), &config).is_err());
    let outcome = recorded(&tree.host()).unwrap();
    assert!(!outcome.ok && outcome.detail.contains("gone.deb is missing"), "{outcome:?}");
    assert!(tree.host().exists(SPOOL), "kept for the next boot");
}

fn with(install: &[&str], configure: &[&str]) -> AgentConfig {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    AgentConfig {
        packages: Some(PackagesConfig {
            install: list(install),
            configure: list(configure),
            ..PackagesConfig::default()
        }),
        ..AgentConfig::default()
    }
}

/// The real dpkg on a root of its own: two packages without scripts, the first needs the second.
#[test]
fn dpkg_installs_the_spool_once() {
    if !is_root() || !has("dpkg-deb") {
        return;
    }
    let tree = Tree::new()
        .file("var/lib/dpkg/status", "")
        .file("var/lib/dpkg/lock-frontend", "")
        .directory("var/lib/dpkg/info")
        .directory("var/lib/dpkg/updates")
        .directory("var/lib/dpkg/triggers")
        .directory("usr/sbin")
        .file(
            "build/a/DEBIAN/control",
            "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: x\nDepends: b\nDescription: x\n",
        )
        .file("build/a/opt/a", "a\n")
        .file(
            "build/b/DEBIAN/control",
            "Package: b\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n",
        )
        .directory("var/lib/hardtack/packages")
        .file("sys/class/tty/console/active", "ttyS0\n")
        .file("dev/ttyS0", "");
    for name in ["a", "b"] {
        let made = Command::new("dpkg-deb")
            .args(["--build", "--root-owner-group"])
            .arg(tree.host().path(&format!("/build/{name}")))
            .arg(tree.host().path(&format!("{SPOOL}/{name}_1_all.deb")))
            .output()
            .unwrap();
        assert!(made.status.success());
    }
    let mut config = with(&["a_1_all.deb", "b_1_all.deb"], &["b"]);
    config.packages.as_mut().unwrap().hold = vec!["a".to_owned()];
    run(&tree.host(), &config).unwrap();
    assert_eq!(tree.read("opt/a"), "a\n");
    assert!(tree.read("dev/ttyS0").starts_with("\nhardtack: 3 packages are being finished"));
    let status = tree.read("var/lib/dpkg/status");
    assert!(status.contains("Package: a\nStatus: hold ok installed\n"), "{status}");
    assert!(status.contains("Package: b\nStatus: install ok installed\n"), "{status}");
    assert!(recorded(&tree.host()).unwrap().ok);
    assert!(!tree.host().exists(SPOOL), "the spool is gone");
    assert!(!tree.host().exists("/usr/sbin/policy-rc.d"));
    run(&tree.host(), &config).unwrap();

    // Another build's: both go, the one that the other needs with it.
    std::fs::remove_file(tree.host().path(&record_path())).unwrap();
    let gone =
        PackagesConfig { remove: vec!["b".into()], purge: vec!["a".into()], ..PackagesConfig::default() };
    let config = AgentConfig { packages: Some(gone), ..AgentConfig::default() };
    run(&tree.host(), &config).unwrap();
    assert!(!tree.host().exists("/opt/a"));
    let outcome = recorded(&tree.host()).unwrap();
    assert!(outcome.ok && outcome.detail == "2 packages", "{outcome:?}");
    let status = tree.read("var/lib/dpkg/status");
    assert!(!status.contains("ok installed"), "{status}");
}

/// dpkg refuses to remove what others need; that is told, and nothing else is lost.
#[test]
fn what_dpkg_does_not_remove_is_told() {
    if !is_root() || !has("dpkg") {
        return;
    }
    let package = |name: &str, more: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: x\n{more}Description: x\n\n"
        )
    };
    let tree = Tree::new()
        .file("var/lib/dpkg/status", &format!("{}{}", package("a", "Depends: b\n"), package("b", "")))
        .file("var/lib/dpkg/info/format", "1\n")
        .file("var/lib/dpkg/info/a.list", "/.\n")
        .file("var/lib/dpkg/info/b.list", "/.\n")
        .directory("var/lib/dpkg/updates")
        .directory("var/lib/dpkg/triggers")
        .directory("var/lib/hardtack")
        .directory("usr/sbin");
    let gone = PackagesConfig { remove: vec!["b".into()], ..PackagesConfig::default() };
    let config = AgentConfig { packages: Some(gone), ..AgentConfig::default() };
    let error = run(&tree.host(), &config).unwrap_err().to_string();
    assert!(error.contains("not removed: b (dpkg --remove"), "{error}");
    assert!(!recorded(&tree.host()).unwrap().ok);
}
