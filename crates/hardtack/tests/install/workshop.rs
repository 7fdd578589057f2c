//! A folder with an image and a recipe, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A recipe that writes a file.
pub(crate) const RECIPE: &str =
    "recipe: 1\nname: x\nsteps:\n  - files:\n      - {write: /etc/motd, content: \"hard\\n\"}\n";

pub(crate) struct Folder(tempfile::TempDir);

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    /// With `sample.qcow2` and `x.yaml`.
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/sample.qcow2");
        std::fs::copy(sample, folder.path("sample.qcow2")).unwrap();
        folder.write("x.yaml", RECIPE);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            .env("HARDTACK_CATALOG", self.path("catalog"))
            .env("CI", "true");
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// Runs it, and expects `code`.
    pub(crate) fn expect(&self, code: i32, arguments: &str) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments}: {}{}", ran.out, ran.err);
        ran
    }

    /// Runs a line of a shell.
    pub(crate) fn sh(&self, line: &str) {
        let ran = Command::new("sh").args(["-ec", line]).current_dir(self.0.path()).status();
        assert!(ran.unwrap().success(), "{line}");
    }

    /// Names in a folder, sorted; none where it is missing.
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        let Ok(found) = std::fs::read_dir(self.path(name)) else { return Vec::new() };
        let mut names: Vec<String> =
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The id of the line `IMAGE<TAB>ID`, which is the last one.
    pub(crate) fn image(&self) -> String {
        let last = self.out.strip_suffix('\n').unwrap().lines().last().unwrap();
        let id = last.strip_prefix("IMAGE\t").unwrap_or_else(|| panic!("{}{}", self.out, self.err));
        assert!(id.starts_with("ami-") || id.starts_with("emi-"), "{id}");
        id.to_owned()
    }
}

/// A cloud where nothing is waited for.
pub(crate) fn cloud(euca: bool) -> hardtack_fake_cloud::Cloud {
    cloud_with(euca, |_| {})
}

/// The same, with other options.
pub(crate) fn cloud_with(
    euca: bool,
    change: impl FnOnce(&mut hardtack_fake_cloud::Options),
) -> hardtack_fake_cloud::Cloud {
    let builder = hardtack_fake_cloud::Cloud::builder();
    let builder = if euca { builder.eucalyptus() } else { builder };
    builder
        .with(|options| {
            options.completion_polls = 0;
            options.copy_polls = 0;
            options.image_polls = 0;
            options.instance_polls = 0;
            change(options);
        })
        .start()
}

impl Folder {
    pub(crate) fn command_at(&self, cloud: &hardtack_fake_cloud::Cloud, arguments: &str) -> Command {
        let mut command = self.command(arguments);
        command.envs(cloud.environment());
        command
    }

    /// Runs it with the cloud's keys, and expects `code`.
    pub(crate) fn expect_at(&self, cloud: &hardtack_fake_cloud::Cloud, code: i32, arguments: &str) -> Ran {
        let ran = Ran::of(&self.command_at(cloud, arguments).output().unwrap());
        assert_eq!(ran.code, Some(code), "{arguments}: {}{}", ran.out, ran.err);
        for secret in ["secret/of+the-first+account", "password-of-the-test"] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{arguments}: a secret is shown");
        }
        ran
    }

    /// A disk with an MBR and `mebibytes` of noise.
    pub(crate) fn noise(&self, name: &str, mebibytes: usize) {
        let mut bytes = vec![0_u8; mebibytes << 20];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for chunk in bytes.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes());
        }
        bytes[..446].fill(0);
        bytes[446..510].fill(0);
        bytes[446..462].copy_from_slice(&[0x80, 0, 33, 0, 0x83, 9, 9, 9, 0, 8, 0, 0, 0, 0x10, 0, 0]);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Key and certificate of a user, and the cloud's certificate.
    pub(crate) fn keys(&self) {
        self.write("user.pem", hardtack_fake_cloud::USER_KEY);
        self.write("user.crt", hardtack_fake_cloud::USER_CERTIFICATE);
        self.write("cloud.crt", hardtack_fake_cloud::CLOUD_CERTIFICATE);
    }
}
