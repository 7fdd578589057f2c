//! `hardtack customize` and `hardtack sysprep` beside the real virt-customize and virt-sysprep, on copies of one image.
//!
//! What comes out is compared path by path: type, mode, owner, target of a link, content. What differs stands in a table
//! with its reason; a difference without a reason is an error, and so is a reason without a difference.

mod customize;
mod sysprep;
mod traps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hardtack_tests::image::Images;
use hardtack_tests::tools::{hardtack, output, run};
use serde_json::Value;
use tempfile::TempDir;

/// A path that differs, and why. A `*` at the end stands for all that begins so.
type Reason = (&'static str, &'static str);

/// A folder with an image that both change.
struct Bench {
    directory: TempDir,
}

impl Bench {
    /// `base.qcow2`: the image `debian12` after the steps of `material`. `None`, said aloud, without the peers.
    fn new(material: &str) -> Option<Self> {
        let images = Images::find()?;
        if Command::new("virt-customize").arg("--version").output().is_err() {
            eprintln!("SKIPPED: virt-customize is not installed (guestfs-tools)");
            return None;
        }
        let bench = Self { directory: TempDir::new().unwrap() };
        let text = format!("recipe: 1\nname: material\nsteps:\n{material}");
        std::fs::write(bench.path("material.yaml"), text).unwrap();
        let disk = images.disk("debian12");
        let source = disk.to_str().unwrap();
        let output = ["--output", "base.qcow2", "--no-provenance"];
        run(bench.ours("build").args(["material.yaml", "--source", source]).args(output));
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn ours(&self, verb: &str) -> Command {
        let mut command = Command::new(hardtack());
        command.current_dir(self.directory.path()).arg(verb);
        command
    }

    fn theirs(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .env("LIBGUESTFS_BACKEND", "direct")
            .env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg");
        command
    }

    /// A copy of the image.
    fn copy(&self, name: &str) {
        std::fs::copy(self.path("base.qcow2"), self.path(name)).unwrap();
    }

    /// The same arguments for both, which must both be content: `theirs.qcow2` and `ours.qcow2`.
    fn both(&self, verb: &str, arguments: &[&str]) {
        self.copy("theirs.qcow2");
        self.copy("ours.qcow2");
        run(self.theirs(&format!("virt-{verb}")).args(["-a", "theirs.qcow2"]).args(arguments));
        run(self.ours(verb).args(["-a", "ours.qcow2"]).args(arguments));
    }

    /// What differs from the first to the second image.
    fn differences(&self, first: &str, second: &str) -> BTreeMap<String, Value> {
        let told = output(self.ours("diff").args(["--json", first, second]));
        assert!(matches!(told.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&told.stderr));
        let text = String::from_utf8(told.stdout).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let settings = lines.next().unwrap();
        assert_eq!(settings["schema"], 1, "{settings}");
        lines.map(|line| (line["path"].as_str().unwrap().to_owned(), line)).collect()
    }

    /// Theirs and ours are the same but for what has a reason.
    fn assert_same_but(&self, reasons: &[Reason]) {
        let differences = self.differences("theirs.qcow2", "ours.qcow2");
        let is = |path: &str, pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == pattern,
        };
        let unexplained: Vec<&Value> = differences
            .iter()
            .filter(|(path, _)| !reasons.iter().any(|(pattern, _)| is(path, pattern)))
            .map(|(_, line)| line)
            .collect();
        assert!(unexplained.is_empty(), "differences without a reason: {unexplained:#?}");
        let idle: Vec<&Reason> =
            reasons.iter().filter(|(pattern, _)| !differences.keys().any(|path| is(path, pattern))).collect();
        assert!(idle.is_empty(), "reasons without a difference: {idle:#?}");
    }

    /// A file of an image.
    fn cat(&self, image: &str, path: &str) -> String {
        run(self.ours("cat").arg(format!("{image}:{path}")))
    }

    /// A file of an image as debugfs reads it.
    fn debugfs(&self, image: &str, request: &str) -> String {
        let raw = self.path(&format!("{image}.raw"));
        let part = self.path(&format!("{image}.part"));
        if !part.exists() {
            run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(self.path(image)).arg(&raw));
            hardtack_tests::image::extract(&raw, 1, &part);
        }
        run(Command::new("debugfs").args(["-R", request]).arg(part))
    }
}

fn text(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
}

/// Its standard error, for messages of asserts.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
