//! A repository by `dpkg-deb`, `apt-ftparchive` and `gpg`, with throwaway keys.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use hardtack_guest::dpkg::admin::Architectures;
use hardtack_repository::{Catalogue, Error, Keys, Lock, Settings, Source};

/// False, and told, when a program is not there.
pub(crate) fn have(test: &str, programs: &[&str]) -> bool {
    for program in programs {
        let found =
            ["/usr/bin", "/usr/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists());
        if !found {
            assert!(std::env::var_os("CI").is_none(), "{program} is missing");
            eprintln!("SKIPPED: {test}: no {program} here");
            return false;
        }
    }
    true
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

pub(crate) fn architectures() -> Architectures {
    Architectures { native: "amd64".to_owned(), foreign: Vec::new() }
}

pub(crate) struct Made {
    pub(crate) folder: tempfile::TempDir,
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home()).args(["--kill", "all"]).status();
    }
}

impl Made {
    /// With a key `good`, and the package a 1.0 in suite `stable`.
    pub(crate) fn new() -> Self {
        // GnuPG's sockets need a short path.
        let folder = tempfile::Builder::new().prefix("hr").tempdir_in("/tmp").unwrap();
        let made = Self { folder };
        for directory in ["g", "r/pool", "r/dists/stable/main/binary-amd64"] {
            std::fs::create_dir_all(made.path(directory)).unwrap();
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(made.home(), mode).unwrap();
        made
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn home(&self) -> PathBuf {
        self.path("g")
    }

    pub(crate) fn gpg(&self, arguments: &[&str]) -> Output {
        let mut gpg = Command::new("gpg");
        gpg.env("GNUPGHOME", self.home()).args([
            "--batch",
            "--yes",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        run(gpg.args(arguments))
    }

    /// A key, and its ring as `NAME.gpg`.
    pub(crate) fn key(&self, name: &str, algorithm: &str, more: &[&str], life: &str) {
        let user = format!("{name} <{name}@example.org>");
        self.gpg(&[more, &["--quick-gen-key", &user, algorithm, "sign", life]].concat());
        self.export(name);
    }

    pub(crate) fn export(&self, name: &str) {
        let ring = self.path(&format!("{name}.gpg"));
        self.gpg(&["--output", ring.to_str().unwrap(), "--export", &format!("{name}@example.org")]);
    }

    pub(crate) fn ring(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(&format!("{name}.gpg"))).unwrap()
    }

    pub(crate) fn deb(&self, name: &str, version: &str, more: &str) {
        let root = self.path(&format!("build/{name}_{version}"));
        std::fs::create_dir_all(root.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.org>\n{more}Description: {name}\n"
        );
        std::fs::write(root.join("DEBIAN/control"), control).unwrap();
        let to = self.path(&format!("r/pool/{name}_{version}_all.deb"));
        run(Command::new("dpkg-deb").args(["--root-owner-group", "-Znone", "--build"]).arg(&root).arg(to));
    }

    /// `Packages` and `Release` of what is in the pool. Lines of `more` replace fields or are added.
    pub(crate) fn index(&self, more: &str) {
        let root = self.path("r");
        let packages =
            run(Command::new("apt-ftparchive").current_dir(&root).args(["packages", "pool"])).stdout;
        let folder = root.join("dists/stable/main/binary-amd64");
        std::fs::write(folder.join("Packages"), packages).unwrap();
        for (tool, option) in [("xz", "-kf"), ("gzip", "-kfn"), ("zstd", "-kfq")] {
            run(Command::new(tool).arg(option).arg(folder.join("Packages")));
        }
        self.release(more);
    }

    pub(crate) fn release(&self, more: &str) {
        let folder = self.path("r/dists/stable");
        for name in ["Release", "InRelease", "Release.gpg"] {
            let _ = std::fs::remove_file(folder.join(name));
        }
        let made = run(Command::new("apt-ftparchive").current_dir(&folder).args([
            "-o",
            "APT::FTPArchive::Release::Suite=stable",
            "-o",
            "APT::FTPArchive::Release::Codename=book",
            "-o",
            "APT::FTPArchive::Release::Components=main",
            "-o",
            "APT::FTPArchive::Release::Architectures=amd64",
            "release",
            ".",
        ]))
        .stdout;
        let mut text = String::from_utf8(made).unwrap();
        for line in more.lines() {
            let field = line.split_once(':').unwrap().0;
            let known = format!("{field}:");
            text =
                text.lines().filter(|old| !old.starts_with(&known)).map(|old| format!("{old}\n")).collect();
            text = format!("{line}\n{text}");
        }
        std::fs::write(folder.join("Release"), text).unwrap();
    }

    /// `InRelease`, by these keys.
    pub(crate) fn sign(&self, keys: &[&str], more: &[&str]) {
        let folder = self.path("r/dists/stable");
        let users: Vec<String> = keys.iter().map(|name| format!("{name}@example.org")).collect();
        let mut arguments = more.to_vec();
        for user in &users {
            arguments.extend(["--local-user", user]);
        }
        let (to, from) = (folder.join("InRelease"), folder.join("Release"));
        arguments.extend(["--output", to.to_str().unwrap(), "--clearsign", from.to_str().unwrap()]);
        self.gpg(&arguments);
    }

    pub(crate) fn uri(&self) -> String {
        format!("file://{}", self.path("r").display())
    }

    pub(crate) fn source(&self, ring: &str) -> Source {
        Source {
            place: "test".to_owned(),
            uri: self.uri(),
            suite: "stable".to_owned(),
            components: vec!["main".to_owned()],
            architectures: None,
            keys: Keys::Rings(vec![(format!("{ring}.gpg"), self.ring(ring))]),
            fingerprints: Vec::new(),
            check_valid_until: true,
            valid_until_max: None,
            by_hash: None,
        }
    }

    pub(crate) fn open(&self, ring: &str) -> Result<Catalogue, Error> {
        self.open_with(ring, &Settings::new(SystemTime::now()), None)
    }

    pub(crate) fn open_with(
        &self,
        ring: &str,
        settings: &Settings,
        lock: Option<&Lock>,
    ) -> Result<Catalogue, Error> {
        Catalogue::open(&[self.source(ring)], &architectures(), settings, lock)
    }

    /// gpgv's verdict as apt reads it: a good signature and no bad one.
    pub(crate) fn gpgv(&self, ring: &str) -> bool {
        let output = Command::new("gpgv")
            .args(["--status-fd", "1", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160", "--keyring"])
            .arg(self.path(&format!("{ring}.gpg")))
            .arg(self.path("r/dists/stable/InRelease"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.contains("] GOODSIG ") && !text.contains("] BADSIG ")
    }
}
