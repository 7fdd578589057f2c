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
