//! `hardtack plan` and `hardtack verify` as people and programs run them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod images;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// What no output may hold.
const SECRET: &str = "canary-Secret-77";

const RECIPE: &str = r#"recipe: 1
name: small
vars: {line: one}
steps:
  - generalize: {only: [logfiles, bash-history]}
  - hostname: web-1
  - write: {path: /etc/token, content: {env: TOKEN}, mode: "0600"}
  - chmod: {path: /nothing, mode: "0600", optional: true}
  - delete: "/var/cache/*"
  - files:
      - {append: /etc/motd, line: {var: line}}
      - {link: /etc/l, target: target}
  - touch: /etc/ubuntu
    when: {os: ubuntu}
"#;

/// A folder with `a.img`, a small root, and `r.yaml`, a recipe for it.
struct Bench(tempfile::TempDir);

impl Bench {
    /// None, said aloud, without mke2fs.
    fn new() -> Option<Self> {
        if Command::new("mke2fs").arg("-V").output().is_err() {
            eprintln!("SKIPPED: mke2fs is not installed");
            return None;
        }
        let bench = Self(tempfile::tempdir().unwrap());
        let root = bench.path("root");
        for directory in ["etc/ssh", "var/cache/x", "var/log", "root", "bin"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        let put = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        put("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        put("etc/group", "root:x:0:\n");
        put("etc/hostname", "localhost\n");
        put("etc/motd", "hello\n");
        put(&format!("var/cache/{}", "long-name-".repeat(20)), "x");
        put("var/cache/evil\x1b[2J<b>\u{202e}name", "x");
        put("var/log/syslog", "x\n");
        fs::write(bench.path("r.yaml"), RECIPE).unwrap();
        bench.filesystem("root", "a.img");
        Some(bench)
    }

    fn filesystem(&self, root: &str, image: &str) {
        let made = Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-d", root, image, "24M"])
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn hardtack(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("TOKEN", SECRET)
            .env("DEBIAN_PASSWORD", SECRET)
            .output()
            .unwrap()
    }

    /// Standard output; `code` is how it must end.
    fn text(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.hardtack(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(!said.contains(SECRET), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let text = self.text(code, &[arguments, &["--format", "json"]].concat());
        assert!(!text.contains(SECRET), "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

fn control<'j>(verdict: &'j Value, id: &str) -> &'j Value {
    let found = verdict["controls"].as_array().unwrap().iter().find(|control| control["id"] == id);
    found.unwrap_or_else(|| panic!("{id}: {verdict}"))
}

fn ids(verdict: &Value) -> Vec<&str> {
    verdict["controls"].as_array().unwrap().iter().map(|control| control["id"].as_str().unwrap()).collect()
}

/// As much of a program as a build looks at: a static ELF of this machine.
fn agent(folder: &Path) {
    let mut elf = vec![0_u8; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16] = 2;
    elf[18] = 62;
    elf[20] = 1;
    elf[52] = 64;
    fs::write(folder.join("agent"), elf).unwrap();
}

#[test]
fn what_was_built_passes_and_what_was_not_fails_with_its_place() {
    let Some(bench) = Bench::new() else { return };
    bench.text(0, &["build", "r.yaml", "--source", "a.img", "--output", "b.qcow2"]);
    let built = bench.json(0, &["verify", "r.yaml", "b.qcow2"]);
    assert_eq!(built["passed"], true, "{built}");
    assert_eq!(built["counts"]["fail"], 0);
    assert_eq!(control(&built, "operations/3 chmod /nothing")["outcome"], "not-applicable");
    let when = control(&built, "when/1 touch");
    assert_eq!(when["why"], "r.yaml:13: its `when` does not hold for this image");
    let plan = bench.text(0, &["plan", "r.yaml", "b.qcow2", "--detailed-exitcode"]);
    assert!(plan.contains("Nothing to change"), "{plan}");

    let plain = bench.json(1, &["verify", "r.yaml", "a.img"]);
    assert_eq!(ids(&plain), ids(&built));
    for (id, path, line, why) in [
        (
            "operations/1 hostname web-1",
            "/etc/hostname",
            1,
            "/etc/hostname: line 1 is \"localhost\" and should be \"web-1\"",
        ),
        ("files/1 append /etc/motd", "/etc/motd", 2, "/etc/motd: line 2 is missing: \"one\""),
    ] {
        let found = control(&plain, id);
        assert_eq!(found["outcome"], "fail", "{id}");
        assert_eq!(found["why"], why);
        assert_eq!(found["where"][0], serde_json::json!({"path": path, "line": line}));
    }
    let logs = control(&plain, "generalize/logfiles");
    assert!(logs["why"].as_str().unwrap().contains("/var/log/syslog: is there and should not be"), "{logs}");
    assert_eq!(control(&plain, "generalize/bash-history")["outcome"], "pass");
    bench.text(1, &["plan", "r.yaml", "a.img", "--detailed-exitcode"]);
    bench.text(0, &["plan", "r.yaml", "a.img"]);
    // Another value is another recipe.
    let other = bench.json(1, &["verify", "r.yaml", "b.qcow2", "--set", "line=two"]);
    assert_eq!(control(&other, "files/1 append /etc/motd")["outcome"], "fail");
}

#[test]
fn every_format_says_the_same_and_no_secret() {
    let Some(bench) = Bench::new() else { return };
    for format in ["text", "json", "junit", "sarif", "html"] {
        let text = bench.text(1, &["verify", "r.yaml", "a.img", "--format", format]);
        assert!(!text.contains(SECRET), "{format}");
        assert!(text.contains("operations/2 write /etc/token"), "{format}: {text}");
        if format != "json" {
            assert!(!text.contains(['\x1b', '\u{202e}']) && text.contains("202e}"), "{format}: {text}");
        }
        bench.text(1, &["verify", "r.yaml", "a.img", "--format", format, "--output", format]);
        assert_eq!(fs::read_to_string(bench.path(format)).unwrap(), text);
    }
    bench.text(4, &["verify", "r.yaml", "a.img", "--output", "text"]);
    bench.text(1, &["verify", "r.yaml", "a.img", "--output", "text", "--force"]);
    for more in [&["--json"][..], &["--html", "plan.html"], &[]] {
        let text = bench.text(0, &[&["plan", "r.yaml", "a.img"], more].concat());
        assert!(!text.contains(SECRET) && text.contains("/etc/token"), "{more:?}: {text}");
    }
    let page = fs::read_to_string(bench.path("plan.html")).unwrap();
    assert!(!page.contains(SECRET) && page.contains("/etc/token"), "{page}");
}

#[test]
fn what_cannot_be_judged_gives_no_verdict() {
    let Some(bench) = Bench::new() else { return };
    fs::create_dir(bench.path("nothing")).unwrap();
    bench.filesystem("nothing", "other.img");
    fs::write(bench.path("zero.img"), vec![0; 4 << 20]).unwrap();
    bench.text(0, &["convert", "a.img", "cut.qcow2"]);
    let whole = fs::read(bench.path("cut.qcow2")).unwrap();
    fs::write(bench.path("cut.qcow2"), &whole[..whole.len() / 2]).unwrap();
    for verb in ["verify", "plan"] {
        for (image, code, said) in [
            ("other.img", 3, "no root file system"),
            ("zero.img", 3, "no root file system"),
            ("cut.qcow2", 3, "damaged qcow2 image"),
            ("missing.img", 4, "cannot open the image"),
            ("-", 4, "cannot open the image"),
            (".", 4, "it is a directory"),
            ("/dev/null", 4, "neither a file nor a block device"),
        ] {
            let output = bench.hardtack(&[verb, "r.yaml", image]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{verb} {image}: {text}");
            assert!(text.contains(said), "{verb} {image}: {text}");
            assert!(output.stdout.is_empty(), "{verb} {image}");
        }
    }
    bench.text(2, &["verify", "cis", "a.img"]);
    bench.text(2, &["verify", "r.yaml", "a.img", "--output", "r.yaml", "--force"]);
    bench.text(2, &["verify", "r.yaml", "a.img", "--set", "nobody=1"]);
    assert_eq!(fs::read_to_string(bench.path("r.yaml")).unwrap(), RECIPE);
}

#[test]
fn a_secret_from_a_pipe_is_there_after_the_conditions_were_looked_at() {
    let Some(bench) = Bench::new() else { return };
    // The recipe is read once more when the image is known: `RECIPE` has a condition.
    fs::write(bench.path("p.yaml"), RECIPE.replace("{env: TOKEN}", "{file: /dev/fd/3}")).unwrap();
    let piped = |arguments: &str| {
        let script = format!("exec \"$0\" {arguments} 3< <(printf %s {SECRET})");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script, env!("CARGO_BIN_EXE_hardtack")]).current_dir(bench.path(""));
        let output = bash.output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    piped("build p.yaml --source a.img --output b.qcow2");
    let token = bench.hardtack(&["cat", "b.qcow2:/etc/token"]).stdout;
    assert_eq!(String::from_utf8(token).unwrap(), SECRET);
    piped("verify p.yaml b.qcow2");
    piped("plan p.yaml b.qcow2 --detailed-exitcode");
}
