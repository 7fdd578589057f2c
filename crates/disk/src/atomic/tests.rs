#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::*;

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

type Make = fn(&Path) -> Result<AtomicFile, Error>;

/// Both ways, since which one a machine takes depends on its file systems.
const WAYS: [(&str, Make); 2] =
    [("create", AtomicFile::create), ("create_named", |path| AtomicFile::create_named(resolve(path)?))];

#[test]
fn an_output_that_nobody_waits_for_is_whole_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let mut out = AtomicFile::create(&path).unwrap();
    assert!(out.is_durable());
    out.set_durable(false);
    out.file().write_all(b"whole").unwrap();
    assert!(!path.exists());
    out.commit(false).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"whole");
}

#[test]
fn an_output_appears_whole_and_private() {
    for (way, make) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        let out = make(&path).unwrap();
        out.file().write_all(b"all of it").unwrap();
        assert!(!path.exists(), "{way}");
        out.commit(false).unwrap();
        assert_eq!(names(directory.path()), ["image"], "{way}");
        assert_eq!(fs::read(&path).unwrap(), b"all of it", "{way}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{way}");
    }
}

#[test]
fn an_existing_output_is_replaced_only_when_asked() {
    for (way, make) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        // It comes into being while ours is written.
        let out = make(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(out.commit(false), Err(Error::Exists { .. })), "{way}");
        assert_eq!(fs::read(&path).unwrap(), b"theirs", "{way}");
        assert_eq!(names(directory.path()), ["image"], "{way}");

        let out = make(&path).unwrap();
        out.file().write_all(b"ours").unwrap();
        out.commit(true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ours", "{way}");
        assert_eq!(names(directory.path()), ["image"], "{way}");
    }
}

#[test]
fn what_is_not_committed_leaves_nothing() {
    for (way, make) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let out = make(&directory.path().join("image")).unwrap();
        out.file().write_all(b"half").unwrap();
        let listed = temporary_files().iter().filter(|path| path.starts_with(directory.path())).count();
        assert_eq!(listed, names(directory.path()).len(), "{way}: a temporary name that is not listed");
        drop(out);
        assert!(names(directory.path()).is_empty(), "{way}");
        assert!(!temporary_files().iter().any(|path| path.starts_with(directory.path())), "{way}");
    }
}

#[test]
fn a_link_is_followed_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (target, link) = (directory.path().join("target"), directory.path().join("link"));
    fs::write(&target, "old").unwrap();
    symlink("target", &link).unwrap();
    let out = AtomicFile::create(&link).unwrap();
    out.file().write_all(b"new").unwrap();
    out.commit(true).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn outputs_that_cannot_be_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let long = directory.path().join("x".repeat(300));
    let device = fs::metadata("/dev/null").unwrap().rdev();
    for path in [
        directory.path(),
        &directory.path().join("missing/image"),
        &long,
        Path::new("/dev/null"),
        Path::new("/"),
    ] {
        let error = AtomicFile::create(path).expect_err(&path.display().to_string());
        assert!(!error.is_refusal(), "{error}");
    }
    assert_eq!(fs::metadata("/dev/null").unwrap().rdev(), device);
    assert!(names(directory.path()).is_empty());
    // A name as long as a name can be leaves no room for a suffix, and needs none.
    for (_, make) in WAYS {
        make(&directory.path().join("x".repeat(255))).unwrap().commit(true).unwrap();
    }
}

/// The other half of the test below: what it kills.
#[test]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os("HARDTACK_TEST_OUTPUT") else { return };
    let out = AtomicFile::create(Path::new(&path)).unwrap();
    out.file().write_all(&[7; 1 << 20]).unwrap();
    // Standard error, which the test runner does not capture from here.
    fs::write("/dev/stderr", "ready").unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn sigkill_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let probe = AtomicFile::create(&directory.path().join("probe")).unwrap();
    if probe.temporary.is_some() {
        assert!(std::env::var_os("CI").is_none(), "no O_TMPFILE here");
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "atomic::tests::child_that_is_killed", "--nocapture"])
        .env("HARDTACK_TEST_OUTPUT", directory.path().join("image"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 5];
    child.stderr.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(names(directory.path()).is_empty());
}
