#![allow(clippy::unwrap_used, clippy::print_stderr)]
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_credentials::TotpConfig;
use hardtack_guest::{Attributes, Content, MemoryTree, State};

use super::*;

const HOME_FILE: &str = "/home/debian/.google_authenticator";

fn tree() -> MemoryTree {
    MemoryTree::new()
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndebian:x:1000:1001::/home/debian:/bin/sh\nnohome:x:1001:1001::/srv/none:/bin/sh\n")
        .file("/etc/hostname", "web-1\n")
        .file("/etc/hardtack/agent.json", r#"{"recipe":"debian-3fa","mfa":{"totp":{"window":17}},"overlay":{"mode":"crypt"}}"#)
        .dir("/home/debian")
}

fn counting() -> impl FnMut(&mut [u8]) -> std::io::Result<()> {
    let mut state = 1_u32;
    move |buffer: &mut [u8]| {
        for slot in buffer {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *slot = (state >> 24) as u8;
        }
        Ok(())
    }
}

#[test]
fn facts_come_from_the_build() {
    let tree = tree();
    let facts = stage::facts(&Stage::new(&tree)).unwrap();
    assert_eq!(
        (facts.recipe.as_str(), facts.hostname.as_str(), facts.totp.window),
        ("debian-3fa", "web-1", 17)
    );
    assert!(facts.warnings.iter().any(|warning| warning.contains("overlay")));
    let foreign = MemoryTree::new();
    assert!(
        stage::facts(&Stage::new(&foreign))
            .unwrap()
            .warnings
            .iter()
            .any(|warning| warning.contains("missing"))
    );
    let broken = MemoryTree::new().file("/etc/hardtack/agent.json", r#"{"recipe": "#);
    assert_eq!(stage::facts(&Stage::new(&broken)).unwrap_err().exit_code(), 3);
}

#[test]
fn a_new_secret_is_the_users_alone_and_marked_as_handed_over() {
    let file = SecretFile::generate(&TotpConfig::default(), &mut counting()).unwrap();
    for tree in [tree(), tree().file(HOME_FILE, "old"), tree().link(HOME_FILE, "/etc/passwd")] {
        let mut stage = Stage::new(&tree);
        stage::enroll(&mut stage, "debian", Some(&file)).unwrap();
        let edits = stage.edits().unwrap();
        let paths: Vec<&str> = edits.iter().map(|edit| edit.path.as_str()).collect();
        assert!(paths.contains(&HOME_FILE) && paths.contains(&"/var/lib/hardtack/used/debian"), "{paths:?}");
        assert!(!paths.contains(&"/etc/passwd"), "{paths:?}");
        let edit = edits.iter().find(|edit| edit.path.as_str() == HOME_FILE).unwrap();
        let State::File(Content::Bytes(content), attributes) = &edit.state else {
            panic!("{path}", path = edit.path)
        };
        assert_eq!(&content[..], file.render().as_bytes());
        assert_eq!(*attributes, Attributes { mode: 0o400, uid: 1000, gid: 1001 });
        assert!(stage.secrets().iter().any(|secret| secret == file.secret()));
    }
}

#[test]
fn clearing_leaves_nothing() {
    let tree = tree().file(HOME_FILE, "old").file("/var/lib/hardtack/used/debian", "");
    let mut stage = Stage::new(&tree);
    stage::enroll(&mut stage, "debian", None).unwrap();
    let edits = stage.edits().unwrap();
    assert!(edits.iter().all(|edit| matches!(edit.state, State::Absent)) && edits.len() == 2);
    let clean = self::tree();
    let mut stage = Stage::new(&clean);
    stage::enroll(&mut stage, "debian", None).unwrap();
    assert!(stage.edits().unwrap().is_empty());
}

#[test]
fn users_without_a_home_are_refused() {
    let file = SecretFile::generate(&TotpConfig::default(), &mut counting()).unwrap();
    let tree = tree();
    for (name, part) in [("eve", "it has root, debian"), ("nohome", "/srv/none")] {
        let error = stage::enroll(&mut Stage::new(&tree), name, Some(&file)).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.report().contains(part), "{}", error.report());
    }
    let odd = self::tree().file("/home/debian/.google_authenticator/x", "");
    assert_eq!(stage::enroll(&mut Stage::new(&odd), "debian", Some(&file)).unwrap_err().exit_code(), 3);
    assert_eq!(stage::enroll(&mut Stage::new(&odd), "debian", None).unwrap_err().exit_code(), 3);
}

/// An ext4 image with a user, made by mke2fs; `None` (said aloud) where it is not installed.
fn image(directory: &Path) -> Option<PathBuf> {
    let root = directory.join("root");
    for path in ["etc", "home/debian", "root", "usr/lib", "var/lib"] {
        std::fs::create_dir_all(root.join(path)).unwrap();
    }
    std::fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\ndebian:x:1000:1000::/home/debian:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(root.join("etc/os-release"), "ID=debian\nVERSION_ID=12\n").unwrap();
    std::fs::write(root.join("etc/fstab"), "").unwrap();
    let image = directory.join("disk.raw");
    let made = Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-d"])
        .arg(&root)
        .arg(&image)
        .arg("16M")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .status();
    match made {
        Ok(status) => {
            assert!(status.success());
            Some(image)
        }
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "mke2fs is missing: install e2fsprogs");
            eprintln!("SKIPPED: mke2fs is not installed (e2fsprogs)");
            None
        }
    }
}

fn e2fsprogs(arguments: &[&str], image: &Path) -> String {
    let output = Command::new(arguments[0])
        .args(&arguments[1..])
        .arg(image)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_image_gets_a_secret_and_loses_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let Some(image) = image(directory.path()) else { return };
    let run = |arguments: &EnrollArgs| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = Terminal { width: None, color: false };
        let code = enroll(arguments, &mut counting(), terminal, &mut out, &mut err);
        (
            code.map_err(|error| error.report()),
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    };
    let arguments =
        EnrollArgs { image: image.clone(), user: "debian".into(), json: true, ..EnrollArgs::default() };
    let (code, out, err) = run(&arguments);
    assert_eq!(code, Ok(0), "{err}");
    let credentials: UserCredentials = serde_json::from_str(&out).unwrap();
    assert!(!err.contains(&credentials.secret));
    e2fsprogs(&["e2fsck", "-fn"], &image);
    let stat = e2fsprogs(&["debugfs", "-R", &format!("stat {HOME_FILE}")], &image);
    assert!(stat.contains("Mode:  0400") && stat.contains("User:  1000"), "{stat}");
    let content = e2fsprogs(&["debugfs", "-R", &format!("cat {HOME_FILE}")], &image);
    assert_eq!(SecretFile::parse(content.as_bytes()).unwrap().secret(), credentials.secret);

    let copy = directory.path().join("copy.raw");
    let before = std::fs::read(&image).unwrap();
    let clear = EnrollArgs { clear: true, json: false, output: Some(copy.clone()), ..arguments.clone() };
    let (code, out, err) = run(&clear);
    assert_eq!((code, out.as_str()), (Ok(0), ""), "{err}");
    assert_eq!(std::fs::read(&image).unwrap(), before, "with --output the image stays");
    e2fsprogs(&["e2fsck", "-fn"], &copy);
    assert!(!e2fsprogs(&["debugfs", "-R", "ls -p /home/debian"], &copy).contains("google"));
    assert!(run(&clear).0.is_err_and(|report| report.contains("exists already")));
    let same = EnrollArgs { output: Some(image.clone()), force: true, ..clear };
    assert!(run(&same).0.is_err_and(|report| report.contains("the output is the image")));
    let gone = EnrollArgs { image: directory.path().join("none"), ..arguments };
    assert!(run(&gone).0.is_err());
}
