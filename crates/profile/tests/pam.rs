//! The hardened stacks in a chroot of a real Debian root, with its own tools.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hardtack_guest::{Content, HostTree, Stage, State};
use hardtack_profile::{Exception, Kind, Phase, Profile, Surroundings, apply, rule};

/// What the test writes into the root: PAM's own files.
const PARTS: [&str; 4] = ["/etc/pam.d/", "/etc/security/", "/usr/share/pam-configs/", "/var/lib/pam/"];

fn root() -> Option<tempfile::TempDir> {
    let cache =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    let tar = cache.join("bookworm.tar");
    let is_root = fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0);
    if !is_root || !tar.exists() {
        eprintln!("SKIPPED: it takes root, and {}", tar.display());
        return None;
    }
    let root = tempfile::tempdir().unwrap();
    // Whoever calls su is not root.
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let done = Command::new("tar")
        .args([
            "--exclude=./boot",
            "--exclude=./usr/share/doc",
            "--exclude=./usr/lib/modules",
            "--exclude=./dev/*",
            "-xf",
        ])
        .arg(&tar)
        .arg("-C")
        .arg(root.path())
        .status()
        .unwrap();
    assert!(done.success());
    for (name, mode) in [("null", "666"), ("urandom", "444")] {
        let path = root.path().join("dev").join(name);
        let minor = if name == "null" { "3" } else { "9" };
        let made =
            Command::new("mknod").args(["-m", mode]).arg(&path).args(["c", "1", minor]).status().unwrap();
        if !made.success() {
            eprintln!("SKIPPED: no devices can be made here");
            return None;
        }
    }
    Some(root)
}

/// Carries the profile out over `root`, as far as PAM goes.
fn harden(root: &Path) {
    let tree = HostTree::new(root);
    let mut stage = Stage::new(&tree);
    let mut profile = Profile::new(Kind::Cis1);
    // The test asks for passwords with su.
    if let Some(rule) = rule("su-group") {
        profile.exceptions.push(Exception { rule: rule.id, reason: "su is tried".to_owned() });
    }
    let around = Surroundings { epoch: 1_700_000_000, ..Surroundings::default() };
    apply(&profile, &mut stage, around, Phase::Early).unwrap();
    for edit in stage.edits().unwrap() {
        let path = edit.path.as_str();
        if !PARTS.iter().any(|part| path.starts_with(part)) {
            continue;
        }
        let target = root.join(&path[1..]);
        match edit.state {
            State::File(Content::Bytes(bytes), attributes) => {
                fs::write(&target, &bytes).unwrap();
                fs::set_permissions(&target, fs::Permissions::from_mode(attributes.mode)).unwrap();
            }
            State::Directory(_) => fs::create_dir_all(&target).unwrap(),
            other => panic!("{path}: {other:?}"),
        }
    }
}

/// Runs a command in the root, by root or by nobody, and tells whether it went well, and what it said.
fn run(root: &Path, user: &str, command: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("chroot")
        .arg(format!("--userspec={user}"))
        .arg(root)
        .args(command)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn su(root: &Path, user: &str, password: &str) -> bool {
    run(root, "65534:65534", &["su", user, "-s", "/bin/sh", "-c", "true"], &format!("{password}\n")).0
}

/// PAM's stacks and what pam-auth-update keeps.
fn stacks(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for part in ["etc/pam.d", "var/lib/pam"] {
        for entry in fs::read_dir(root.join(part)).unwrap() {
            let path = entry.unwrap().path();
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn five_wrong_passwords_lock_and_passwords_can_be_changed() {
    let Some(root) = root() else { return };
    let root = root.path();
    harden(root);
    fs::create_dir_all(root.join("run/faillock")).unwrap();

    // What the tool itself makes of it.
    let ours = stacks(root);
    let (done, text) = run(root, "0:0", &["pam-auth-update", "--package"], "");
    assert!(done, "{text}");
    assert_eq!(stacks(root), ours, "pam-auth-update changes something");

    // use_authtok without a module that asks would make this fail.
    let (done, text) = run(root, "0:0", &["useradd", "-m", "anna"], "");
    assert!(done, "{text}");
    for password in ["Zq7!first-Kelp", "Zq7!second-Kelp"] {
        let (done, text) = run(root, "0:0", &["chpasswd"], &format!("anna:{password}\nroot:{password}\n"));
        assert!(done, "{text}");
    }
    let (done, text) = run(root, "0:0", &["chpasswd"], "anna:Zq7!first-Kelp\n");
    assert!(!done, "an old password is taken again: {text}");

    let right = "Zq7!second-Kelp";
    assert!(su(root, "anna", right), "the right password does not work at all");
    // PAM lets who is wrong wait: all of them wait together.
    std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..10).map(|n| scope.spawn(move || su(root, ["anna", "root"][n % 2], "wrong"))).collect();
        assert!(!tries.into_iter().any(|tried| tried.join().unwrap()));
    });
    assert!(!su(root, "anna", right), "five wrong passwords do not lock");
    assert!(su(root, "root", right), "root is locked");
    let (done, text) = run(root, "0:0", &["faillock", "--user", "anna", "--reset"], "");
    assert!(done, "{text}");
    assert!(su(root, "anna", right), "it stays locked");
}
