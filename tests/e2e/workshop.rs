//! A folder in which a recipe is built as its users build it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hardtack_tests::image::{Images, sha256};
use hardtack_tests::ssh::{make_key, make_key_of};
use hardtack_tests::tools::{as_ordinary_user, hand_over, hardtack, output, top};
use tempfile::TempDir;

/// The password of every test.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// OpenSSH 9.8 and later stops listening to an address with too many failures; the failures of a test must come
/// from what is tested.
pub(crate) const NO_PENALTIES: (&str, &str) =
    ("MaxAuthTries: 4", "MaxAuthTries: 4\n      PerSourcePenalties: no");

/// The folder, with what the shipped recipes name beside them.
pub(crate) struct Workshop {
    directory: TempDir,
    /// The private key whose public half is in the image.
    pub(crate) key: PathBuf,
}

impl Workshop {
    /// A folder with the shipped recipes, the packages of `suite`, keys and the local file.
    pub(crate) fn new(images: &Images, suite: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        for recipe in ["debian-3fa.yaml", "debian-3fa-crypt.yaml", "debian-replace.yaml"] {
            std::fs::copy(top().join("image-recipes").join(recipe), path.join(recipe)).unwrap();
        }
        let debs = path.join("debs");
        std::fs::create_dir(&debs).unwrap();
        for deb in std::fs::read_dir(images.debs(suite)).unwrap() {
            let deb = deb.unwrap();
            std::fs::copy(deb.path(), debs.join(deb.file_name())).unwrap();
        }
        std::fs::write(path.join("local-file"), "#!/bin/sh\necho tool\n").unwrap();
        let key = make_key(path, "id_ed25519");
        hand_over(&key);
        let workshop = Self { directory, key };
        hand_over(workshop.path());
        workshop
    }

    /// One more key pair in the folder: ssh-keygen's options.
    pub(crate) fn make_key(&self, name: &str, kind: &[&str]) -> PathBuf {
        let key = make_key_of(self.path(), name, kind);
        hand_over(&key);
        key
    }

    /// Changes a recipe of the folder; each text must be in it.
    pub(crate) fn change(&self, recipe: &str, changes: &[(&str, &str)]) {
        let file = self.path().join(recipe);
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{recipe} has no {from:?}:\n{text}");
            text = text.replace(from, to);
        }
        std::fs::write(file, text).unwrap();
    }

    /// Where everything is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs `hardtack build` as an ordinary user; the source must be as before afterwards.
    pub(crate) fn build(&self, recipe: &str, source: &Path, arguments: &[&str]) -> Output {
        let before = sha256(source);
        let mut command = self.command();
        command.arg("build").arg(recipe).arg("--source").arg(source).args(arguments);
        let output = output(&mut command);
        assert_eq!(sha256(source), before, "the source was changed");
        output
    }

    /// Builds something that must succeed.
    pub(crate) fn build_ok(&self, recipe: &str, source: &Path, arguments: &[&str]) -> (String, String) {
        let output = self.build(recipe, source, arguments);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{:?}: {}\n{stdout}{stderr}", arguments, output.status);
        assert!(!stdout.contains(PASSWORD) && !stderr.contains(PASSWORD), "the password was shown");
        assert!(!stdout.contains("$6$") && !stderr.contains("$6$"), "a hash was shown:\n{stdout}{stderr}");
        (stdout, stderr)
    }

    /// Builds `hard.qcow2` with packages of Debian's own repository; `None`, said aloud, without a mirror.
    pub(crate) fn build_from_mirror(&self, recipe: &str, source: &Path) -> Option<PathBuf> {
        let built = self.build(recipe, source, &["--output", "hard.qcow2", "--packages-cache", "packages"]);
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        // Exit code of a remote service that does not answer.
        if built.status.code() == Some(5) {
            assert!(std::env::var_os("CI").is_none(), "no mirror: {said}");
            eprintln!("SKIPPED: packages from Debian's repository: {said}");
            return None;
        }
        assert!(built.status.success(), "{said}");
        Some(self.path().join("hard.qcow2"))
    }

    /// `hardtack`, as an ordinary user, in this folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = as_ordinary_user(hardtack());
        command
            .current_dir(self.path())
            .env("DEBIAN_PASSWORD", PASSWORD)
            .env("SOURCE_DATE_EPOCH", "1760000000");
        command
    }
}
