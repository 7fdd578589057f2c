//! Small packages for tests, built by the real `dpkg-deb`.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package to build.
pub(crate) struct Built {
    folder: tempfile::TempDir,
    name: String,
    control: String,
}

/// A built package; the folder lives as long as it does.
pub(crate) struct Package {
    pub(crate) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Built {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        let control = format!(
            "Package: {name}\nVersion: {version}\nMaintainer: T <t@example.org>\nDescription: {name} for tests\n"
        );
        let built = Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned(), control };
        std::fs::create_dir_all(built.root().join("DEBIAN")).unwrap();
        std::fs::set_permissions(built.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(built.root().join("DEBIAN"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        built
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.root().join(&path[1..]);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    pub(crate) fn field(mut self, line: &str) -> Self {
        self.control.push_str(&format!("{line}\n"));
        self
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>, mode: u32) -> Self {
        write(&self.place(path), content.as_ref(), mode);
        self
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.place(path)).unwrap();
        self
    }

    pub(crate) fn hard_link(self, path: &str, original: &str) -> Self {
        std::fs::hard_link(self.root().join(&original[1..]), self.place(path)).unwrap();
        self
    }

    pub(crate) fn dir(self, path: &str, mode: u32) -> Self {
        let place = self.place(path);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn script(self, name: &str, content: &str) -> Self {
        write(&self.root().join("DEBIAN").join(name), content.as_bytes(), 0o755);
        self
    }

    pub(crate) fn member(self, name: &str, content: &str) -> Self {
        write(&self.root().join("DEBIAN").join(name), content.as_bytes(), 0o644);
        self
    }
}

fn write(path: &Path, content: &[u8], mode: u32) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Builds it; `None`, with a visible word, where there is no dpkg-deb.
pub(crate) fn dpkg_deb(mut built: Built, compression: &str) -> Option<Package> {
    if !built.control.contains("Architecture:") {
        built.control.push_str("Architecture: amd64\n");
    }
    let control = std::mem::take(&mut built.control);
    let built = built.member("control", &control);
    let path = built.folder.path().join(format!("{}.deb", built.name));
    let run = Command::new("dpkg-deb")
        .args(["--root-owner-group", &format!("-Z{compression}"), "-b"])
        .arg(built.root())
        .arg(&path)
        .output();
    let Ok(run) = run else {
        assert!(std::env::var_os("CI").is_none(), "dpkg-deb is missing");
        eprintln!("SKIPPED: no dpkg-deb here");
        return None;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(Package { path, _folder: built.folder })
}
