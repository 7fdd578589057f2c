//! The firewall's rules in real network namespaces, by the real nft.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use hardtack_guest::{MemoryTree, Stage};
use hardtack_profile::{Kind, Phase, Profile, Surroundings, apply};

/// An image with sshd on two ports and Docker.
fn image() -> MemoryTree {
    MemoryTree::new()
        .file("/usr/sbin/nft", "")
        .file("/usr/bin/dockerd", "")
        .file("/usr/sbin/sshd", "OpenSSH_9.2p1 Debian-2")
        .file("/etc/ssh/sshd_config", "Port 22\nPort 2222\n")
        .file("/var/lib/dpkg/status", STATUS)
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        .file("/etc/group", "root:x:0:\n")
}

const STATUS: &str = "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\n\
                      Version: 1:9.2p1-2\n\nPackage: nftables\nStatus: install ok installed\n\
                      Architecture: amd64\nVersion: 1.0.6-2\n";

fn rules(kind: Kind, from: &[&str]) -> String {
    let tree = image();
    let mut profile = Profile::new(kind);
    // What this is not about: the other families want more of an image than this one has.
    profile.exceptions = hardtack_profile::rules()
        .iter()
        .filter(|rule| !rule.id.starts_with("fw-"))
        .map(|rule| hardtack_profile::Exception { rule: rule.id, reason: "not now".to_owned() })
        .collect();
    profile.settings.ssh_from = from.iter().map(|&one| one.to_owned()).collect();
    let mut stage = Stage::new(&tree);
    apply(&profile, &mut stage, Surroundings::default(), Phase::Late).unwrap();
    stage.read_text("/etc/hardtack/firewall.nft").unwrap().unwrap()
}

/// Root and the programs, or a visible word.
fn have(test: &str) -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let missing = ["/usr/sbin/nft", "/usr/sbin/ip", "/usr/bin/unshare", "/usr/bin/python3"]
        .into_iter()
        .find(|program| !Path::new(program).exists() && !Path::new(&program.replace("/usr", "")).exists());
    if !root || missing.is_some() {
        eprintln!("SKIPPED: {test}: needs root, and {}", missing.unwrap_or("what it has"));
        return false;
    }
    true
}

/// What each state lets pass.
fn probe(kind: Kind, from: &[&str]) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rules(kind, from)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firewall/probe.sh");
    let out = if kind == Kind::Cis2 { "block" } else { "pass" };
    let others = if from.is_empty() { "pass" } else { "block" };
    let mut unshare = Command::new("unshare");
    let done =
        unshare.arg("-n").arg("bash").arg(script).arg(file.path()).args([out, others]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What is blocked while the rules are loaded; everything passes before and after.
#[track_caller]
fn assert_blocked(lines: &[String], blocked: &[&str]) {
    for state in ["open", "loaded", "reopened"] {
        let of: Vec<&str> =
            lines.iter().filter_map(|line| line.strip_prefix(state)?.strip_prefix(' ')).collect();
        assert!(of.len() >= 14, "{lines:#?}");
        let got: Vec<&str> = of.iter().filter_map(|line| line.strip_suffix(" block")).collect();
        assert_eq!(got, if state == "loaded" { blocked } else { &[] }, "{state}: {lines:#?}");
        assert!(of.contains(&"nat 2"), "{state}: Docker's table is not as it was: {lines:#?}");
    }
    assert!(lines.contains(&"loaded twice same".to_owned()), "{lines:#?}");
}

#[test]
fn only_ssh_comes_in_and_only_from_its_networks() {
    if have("only_ssh_comes_in_and_only_from_its_networks") {
        let lines = probe(Kind::Cis1, &["10.9.0.0/24", "fd09::/64"]);
        assert_blocked(&lines, &["ssh4-other", "ssh6-other", "other-port", "container-direct"]);
    }
}

#[test]
fn at_level_2_nothing_leaves_by_an_unnamed_port() {
    if have("at_level_2_nothing_leaves_by_an_unnamed_port") {
        let lines = probe(Kind::Cis2, &["10.9.0.0/24", "fd09::/64"]);
        assert_blocked(&lines, &["ssh4-other", "ssh6-other", "other-port", "out-4444", "container-direct"]);
    }
}

#[test]
fn without_networks_ssh_is_open_to_all_of_them() {
    if have("without_networks_ssh_is_open_to_all_of_them") {
        assert_blocked(&probe(Kind::Cis1, &[]), &["other-port", "container-direct"]);
    }
}

/// Rule 7: other people's tables are theirs.
#[test]
fn nothing_of_others_is_flushed() {
    for kind in [Kind::Cis1, Kind::Cis2] {
        let text = rules(kind, &["10.0.0.0/8"]);
        assert!(!text.contains("flush") && text.contains("\ndelete table inet hardtack\n"), "{text}");
    }
}
