#![allow(clippy::unwrap_used, clippy::print_stderr)]
//! The translation against the tool itself, byte for byte.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::{HostTree, MemoryTree};

const OURS: &str = "Name: One-time code (hardtack)\nDefault: yes\nPriority: 1024\nAuth-Type: Additional\nAuth:\n\trequired\tpam_google_authenticator.so noskewadj\n";

const FAILLOCK: &str = "Name: Faillock\nDefault: yes\nPriority: 900\nAuth-Type: Primary\nAuth:\n\t[default=die]\tpam_faillock.so authfail\nAuth-Initial:\n\trequisite pam_faillock.so preauth\nAccount-Type: Additional\nAccount:\n\trequired\tpam_faillock.so\n";
const LDAP: &str = "Name: LDAP\nDefault: yes\nPriority: 128\nConflicts: mkhomedir, nothing\nAuth-Type: Primary\nAuth-Initial:\n\t[success=end default=ignore]\tpam_ldap.so\nAuth-Final:\n\t[success=end default=ignore]\tpam_ldap.so use_first_pass\nAccount-Type: Primary\nAccount:\n\t[success=end default=ignore]\tpam_ldap.so\nSession-Type: Additional\nSession:\n\toptional\tpam_ldap.so\nPassword-Type: Primary\nPassword:\n\t[success=end default=ignore]\tpam_ldap.so try_first_pass\n";
const SYSTEMD: &str = "Name: systemd\nDefault: yes\nPriority: 0\nSession-Interactive-Only: yes\nSession-Type: Additional\nSession:\n\toptional\tpam_systemd.so\n";
const TALLY: &str =
    "Name: tally\nDefault: yes\nPriority: 99\nAuth-Type: Primary\nAuth:\n\trequired pam_tally2.so\n";

/// The files that the tool reads and writes, below `root`.
fn snapshot(root: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for directory in ["etc/pam.d", "var/lib/pam"] {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{directory}/{}", path.file_name().unwrap().to_str().unwrap());
            files.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    files.sort();
    files
}

/// A root with the state that the package itself would make on this machine.
fn root(profiles: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["etc/pam.d", "var/lib/pam", "usr/share/pam-configs", "usr/share/pam", "usr/sbin"] {
        fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    fs::copy(TOOL, root.path().join("usr/sbin/pam-auth-update")).unwrap();
    for kind in TYPES {
        fs::copy(
            format!("{TEMPLATES}/common-{kind}"),
            root.path().join(format!("usr/share/pam/common-{kind}")),
        )
        .unwrap();
        // The templates with variables in place of the blocks serve as a first stack.
        let text = fs::read_to_string(format!("{TEMPLATES}/common-{kind}")).unwrap();
        fs::write(root.path().join(format!("etc/pam.d/common-{kind}")), text).unwrap();
    }
    fs::copy("/usr/share/pam-configs/unix", root.path().join("usr/share/pam-configs/unix")).unwrap();
    for (name, text) in profiles {
        fs::write(root.path().join("usr/share/pam-configs").join(name), text).unwrap();
    }
    run_tool(root.path(), &["--force", "--package"]);
    root
}

fn run_tool(root: &Path, arguments: &[&str]) {
    let scratch = tempfile::tempdir().unwrap();
    let rc = scratch.path().join("debconf.conf");
    let at = scratch.path().display();
    fs::write(
        &rc,
        format!(
            "Config: config\nTemplates: templates\n\nName: config\nDriver: File\nMode: 600\nFilename: {at}/config.dat\n\n\
             Name: templates\nDriver: File\nMode: 600\nFilename: {at}/templates.dat\n"
        ),
    )
    .unwrap();
    let output = Command::new(TOOL)
        .args(arguments)
        .arg("--root")
        .arg(root)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBCONF_SYSTEMRC", &rc)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn leaves_exactly_what_the_tool_leaves() {
    if !Path::new(TOOL).exists() {
        assert!(std::env::var_os("CI").is_none(), "{TOOL} is missing");
        eprintln!("SKIPPED: {TOOL} is missing");
        return;
    }
    type Edit = fn(&Path);
    type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], Edit);
    let none: Edit = |_| {};
    let cases: &[Case<'_>] = &[
        ("plain", &[], none),
        ("three ways and faillock", &[("faillock", FAILLOCK), ("ldap", LDAP), ("systemd", SYSTEMD)], none),
        ("a profile nobody has processed", &[("systemd", SYSTEMD)], |root| {
            fs::write(root.join("usr/share/pam-configs/ldap"), LDAP).unwrap();
            fs::write(root.join("usr/share/pam-configs/tally"), TALLY).unwrap();
            fs::write(root.join("usr/share/pam-configs/old~"), LDAP).unwrap();
        }),
        ("options added and removed by hand", &[("ldap", LDAP)], |root| {
            let path = root.join("etc/pam.d/common-auth");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("pam_unix.so nullok", "pam_unix.so audit zzz debug")).unwrap();
        }),
        ("boilerplate edited by hand", &[], |root| {
            let path = root.join("etc/pam.d/common-session");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("# mine\n{text}session optional pam_umask.so\n")).unwrap();
        }),
        ("a profile switched off by hand", &[("systemd", SYSTEMD)], |root| {
            let path = root.join("etc/pam.d/common-session");
            let text = fs::read_to_string(&path).unwrap();
            let text: String =
                text.split_inclusive('\n').filter(|line| !line.contains("pam_systemd")).collect();
            fs::write(&path, text).unwrap();
        }),
        ("switched on already", &[("hardtack", OURS)], none),
    ];
    for (name, profiles, edit) in cases {
        let root = root(profiles);
        edit(root.path());
        fs::write(root.path().join("usr/share/pam-configs/hardtack"), OURS).unwrap();

        let tree = HostTree::new(root.path());
        let mut stage = Stage::new(&tree);
        assert_eq!(update(&mut stage, "hardtack").unwrap(), Outcome::Done, "{name}");
        let mut ours = Vec::new();
        for (path, _) in snapshot(root.path()) {
            ours.push((path.clone(), stage.read_text(&format!("/{path}")).unwrap().unwrap()));
        }
        run_tool(root.path(), &["--package", "--enable", "hardtack"]);
        for (theirs, ours) in snapshot(root.path()).iter().zip(&ours) {
            assert_eq!(theirs, ours, "{name}");
        }
        // A second run finds nothing to do.
        let tree = HostTree::new(root.path());
        let mut stage = Stage::new(&tree);
        update(&mut stage, "hardtack").unwrap();
        for (path, text) in &ours {
            assert_eq!(stage.read_text(&format!("/{path}")).unwrap().as_ref(), Some(text), "{name}");
        }
    }
}

#[test]
fn a_line_of_somebody_else_is_named() {
    let common = format!("{PRIMARY}\nauth\trequired\tpam_mine.so\n{FALLBACK}\n{ADDITIONAL}\n{END}\n");
    let tree = MemoryTree::new()
        .file("/var/lib/pam/auth", "Module: unix\n[success=end default=ignore]\tpam_unix.so nullok\n")
        .file("/etc/pam.d/common-auth", common);
    let outcome = update(&mut Stage::new(&tree), "hardtack").unwrap();
    let Outcome::Unmanaged(unmanaged) = outcome else { panic!("{outcome:?}") };
    assert_eq!((unmanaged.path.as_str(), unmanaged.line), ("/etc/pam.d/common-auth", Some(2)));
}
