//! A folder with an image and a recipe that asks for all kinds of things, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(crate) const SECRET: &str = "canary-Secret-77";
pub(crate) const TOKEN: &str = "canary-Token-78";

const RECIPE: &str = r#"recipe: 1
name: x
include: [more.yaml]
vars: {motd: hard}
steps:
  - files:
      - {append: /etc/motd, line: {var: motd}}
      - {copy: copied, to: /etc/copied}
      - {write: /etc/token, content: {env: TOKEN}, mode: "0600"}
      - {write: /etc/secret, content: {file: secret}, mode: "0600"}
  - copy-in: {from: tree, to: /opt}
"#;

pub(crate) struct Scene(tempfile::TempDir);

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/sample.qcow2");
        std::fs::copy(sample, scene.path("sample.qcow2")).unwrap();
        std::fs::create_dir(scene.path("tree")).unwrap();
        for (name, text) in [
            ("r.yaml", RECIPE),
            ("more.yaml", "recipe: 1\nsteps:\n  - files: [{write: /etc/more, content: \"more\\n\"}]\n"),
            ("copied", "content\n"),
            ("tree/a", "a file of a directory\n"),
        ] {
            scene.write(name, text);
        }
        scene.write("secret", &format!("{SECRET}\n"));
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
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
            .env("TOKEN", TOKEN)
            .env("CI", "true");
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// Runs it, and expects `code`.
    pub(crate) fn expect(&self, code: i32, arguments: &str) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments}: {}{}", ran.out, ran.err);
        ran
    }

    /// The same, which gives JSON.
    pub(crate) fn json(&self, code: i32, arguments: &str) -> Value {
        serde_json::from_str(&self.expect(code, arguments).out).unwrap()
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
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// What the cache did.
pub(crate) fn cache(built: &Value) -> &str {
    built["cache"]["result"].as_str().unwrap()
}
