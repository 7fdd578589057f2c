//! The firewall's rules in real network namespaces, by the real nft.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hardtack_guest::{MemoryTree, Stage};
use hardtack_profile::{Kind, OpenPort, Phase, Profile, Protocol, Surroundings, apply};

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
    files(kind, from, &[], &["/etc/hardtack/firewall.nft"]).remove(0)
}

/// What the profile writes there.
fn files(kind: Kind, from: &[&str], open: &[OpenPort], paths: &[&str]) -> Vec<String> {
    let tree = image();
    let mut profile = Profile::new(kind);
    // What this is not about: the other families want more of an image than this one has.
    profile.exceptions = hardtack_profile::rules()
        .iter()
        .filter(|rule| !rule.id.starts_with("fw-"))
        .map(|rule| hardtack_profile::Exception { rule: rule.id, reason: "not now".to_owned() })
        .collect();
    profile.settings.ssh_from = from.iter().map(|&one| one.to_owned()).collect();
    profile.settings.open_ports = open.to_vec();
    let mut stage = Stage::new(&tree);
    apply(&profile, &mut stage, Surroundings::default(), Phase::Late).unwrap();
    paths.iter().map(|path| stage.read_text(path).unwrap().unwrap()).collect()
}

const SCRIPT: &str = "/usr/sbin/hardtack-firewall";
const COUNT: &str = "/etc/systemd/system/hardtack-firewall-rollback.service";
const SERVICE: &str = "/etc/systemd/system/hardtack-firewall.service";

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
fn probe(kind: Kind, from: &[&str], open: &[OpenPort]) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rules = files(kind, from, open, &["/etc/hardtack/firewall.nft"]).remove(0);
    std::fs::write(file.path(), rules).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firewall/probe.sh");
    let out = if kind == Kind::Cis2 { "block" } else { "pass" };
    let others = if from.is_empty() { "pass" } else { "block" };
    let mut unshare = Command::new("unshare");
    let web = if open.is_empty() { "block" } else { "pass" };
    unshare.arg("-n").arg("bash").arg(script).arg(file.path()).args([out, others, web]);
    let done = unshare.output().unwrap();
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
        let lines = probe(Kind::Cis1, &["10.9.0.0/24", "fd09::/64"], &[]);
        assert_blocked(
            &lines,
            &["ssh4-other", "ssh6-other", "other-port", "other-port-other", "other-udp", "container-direct"],
        );
    }
}

#[test]
fn other_ports_are_open_to_whom_the_settings_say() {
    if have("other_ports_are_open_to_whom_the_settings_say") {
        let open = |protocol, port, from: &[&str]| OpenPort {
            protocol,
            port,
            from: from.iter().map(|&one| one.to_owned()).collect(),
        };
        let ports = [
            open(Protocol::Tcp, 80, &["10.9.0.0/24", "192.0.2.1", "fd09::/64"]),
            open(Protocol::Udp, 5353, &["0.0.0.0/0"]),
        ];
        let lines = probe(Kind::Cis2, &["10.9.0.0/24", "fd09::/64"], &ports);
        let blocked = ["ssh4-other", "ssh6-other", "other-port-other", "out-4444", "container-direct"];
        assert_blocked(&lines, &blocked);
    }
}

#[test]
fn at_level_2_nothing_leaves_by_an_unnamed_port() {
    if have("at_level_2_nothing_leaves_by_an_unnamed_port") {
        let lines = probe(Kind::Cis2, &["10.9.0.0/24", "fd09::/64"], &[]);
        assert_blocked(
            &lines,
            &[
                "ssh4-other",
                "ssh6-other",
                "other-port",
                "other-port-other",
                "other-udp",
                "out-4444",
                "container-direct",
            ],
        );
    }
}

#[test]
fn without_networks_ssh_is_open_to_all_of_them() {
    if have("without_networks_ssh_is_open_to_all_of_them") {
        assert_blocked(
            &probe(Kind::Cis1, &[], &[]),
            &["other-port", "other-port-other", "other-udp", "container-direct"],
        );
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

#[test]
fn it_reopens_after_its_minutes_whoever_loads_it_again_and_stays_once_confirmed() {
    if !have("it_reopens_after_its_minutes_whoever_loads_it_again_and_stays_once_confirmed") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = ["/etc/hardtack/firewall.nft", SCRIPT, COUNT];
    for (path, text) in paths.iter().zip(files(Kind::Cis1, &["10.9.0.0/24"], &[], &paths)) {
        let file = folder.path().join(path.rsplit('/').next().unwrap());
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firewall/count.sh");
    let done =
        Command::new("unshare").args(["-m", "-n", "sh"]).arg(script).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let opened = "hardtack-firewall: the firewall is open; to close it again: hardtack-firewall close";
    let closed = "hardtack-firewall: closed; to keep it: hardtack-firewall confirm";
    let waits = "unless somebody says: hardtack-firewall confirm";
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            &*format!("never loaded: not in force not confirmed: it reopens {waits} 0 "),
            &*format!("loaded: in force not confirmed: it reopens in 10 min {waits} 1 "),
            opened,
            "700 seconds later: not in force reopened: it is not loaded at boot 0 firewall.rolled-back ",
            closed,
            "hardtack-firewall: confirmed",
            "confirmed: in force confirmed 1 firewall.confirmed ",
            "700 seconds later: in force confirmed 1 firewall.confirmed ",
        ]
    );
}

/// The units, as systemd reads them: all words are known, nothing waits for itself, and the one starts the other.
#[test]
fn systemd_takes_the_units() {
    let missing = ["systemd-analyze", "systemctl"]
        .into_iter()
        .find(|tool| !Command::new(tool).arg("--version").output().is_ok_and(|done| done.status.success()));
    if let Some(missing) = missing {
        eprintln!("SKIPPED: systemd_takes_the_units: no {missing}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str, mode: u32| {
        let file = folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    };
    let paths = [SERVICE, COUNT, SCRIPT];
    for (path, text) in paths.iter().zip(files(Kind::Cis1, &[], &[], &paths)) {
        put(path, &text, if path.ends_with(".service") { 0o644 } else { 0o755 });
    }
    let early = "[Unit]\nDefaultDependencies=no\n";
    for target in ["sysinit", "shutdown", "network-pre", "local-fs", "basic"] {
        put(&format!("/usr/lib/systemd/system/{target}.target"), early, 0o644);
    }
    put("/usr/lib/systemd/system/-.slice", early, 0o644);
    put("/usr/lib/systemd/system/system.slice", early, 0o644);
    let root = format!("--root={}", folder.path().display());
    let mut verify = Command::new("systemd-analyze");
    let done = verify.args(["verify", "--man=no", &root]).args([SERVICE, COUNT]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && !said.contains("hardtack"), "{said}");
    let enable = ["enable", "hardtack-firewall.service"];
    let done = Command::new("systemctl").arg(&root).args(enable).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let wants = "etc/systemd/system/sysinit.target.wants/hardtack-firewall.service";
    assert!(folder.path().join(wants).symlink_metadata().is_ok());
}
