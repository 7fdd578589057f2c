//! A root directory made of files, for tests.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::host::Host;

pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(self.0.path())
    }

    fn place(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        fs::write(self.place(path), content).unwrap();
        self
    }

    pub(crate) fn directory(self, path: &str) -> Self {
        fs::create_dir_all(self.0.path().join(path)).unwrap();
        self
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.place(path)).unwrap();
        self
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap()
    }

    pub(crate) fn metadata(&self, path: &str) -> fs::Metadata {
        self.0.path().join(path).symlink_metadata().unwrap()
    }
}

/// Giving files away takes root; an ordinary user's run says that it left the test out.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: only root can give files to other users");
    }
    root
}

/// Whether a program is installed; its absence is an error in CI.
pub(crate) fn has(program: &str) -> bool {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|dir| PathBuf::from(dir).join(program).exists());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

/// A file as a block device, until it is dropped.
pub(crate) struct Loop {
    pub(crate) path: String,
}

impl Loop {
    /// `None`, and a visible skip, where this machine gives nobody a loop device: in a container.
    pub(crate) fn new(file: &std::path::Path) -> Option<Self> {
        let made = std::process::Command::new("losetup").args(["-f", "--show"]).arg(file).output();
        let path = made.ok().filter(|made| made.status.success()).map(|made| made.stdout);
        let Some(path) = path.and_then(|path| String::from_utf8(path).ok()) else {
            eprintln!("SKIPPED: no loop device to be had");
            return None;
        };
        let path = path.trim().to_owned();
        // What the device's last user left.
        let _ = std::process::Command::new("partx").args(["-d", &path]).output();
        Some(Self { path })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = std::process::Command::new("partx").args(["-d", &self.path]).output();
        let _ = std::process::Command::new("losetup").args(["-d", &self.path]).output();
    }
}
