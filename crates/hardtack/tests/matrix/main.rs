//! `hardtack build --matrix`, and rows of a recipe, as people run them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cached;
mod ci;
mod names;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What no output may hold, given by the environment.
const SECRET: &str = "canary-Secret-78";

const MATRIX: &str = r#"matrix: 1
recipes:
  - base.yaml
  - {recipe: web.yaml, name: web, set: {port: 80}}
  - secret.yaml
  - broken.yaml
sources: [one.raw, two.raw, {source: "odd $(name).raw", name: "odd $(name)"}]
output: out/${recipe}-${source}.qcow2
"#;

/// A folder with two small roots, four recipes (one of which fails on every image), and their matrix.
struct Bench(tempfile::TempDir);

impl Bench {
    /// None, said aloud, without mke2fs.
    fn new() -> Option<Self> {
        if Command::new("mke2fs").arg("-V").output().is_err() {
            eprintln!("SKIPPED: mke2fs is not installed");
            return None;
        }
        let bench = Self(tempfile::tempdir().unwrap());
        for (name, host) in [("one", "one"), ("two", "two"), ("odd $(name)", "odd")] {
            let root = bench.path("root");
            fs::create_dir_all(root.join("etc")).unwrap();
            fs::write(root.join("etc/os-release"), "ID=debian\nVERSION_ID=\"12\"\n").unwrap();
            fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
            fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
            fs::write(root.join("etc/hostname"), format!("{host}\n")).unwrap();
            let image = bench.path(&format!("{name}.raw"));
            let made = Command::new("mke2fs")
                .args(["-q", "-t", "ext4", "-d"])
                .arg(root)
                .arg(image)
                .arg("16M")
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        for (name, steps) in [
            ("base.yaml", "steps:\n- touch: /etc/base\n"),
            (
                "web.yaml",
                "vars: {port: 1}\nsteps:\n- write: {path: /etc/port, content: {format: \"${port}\\n\"}}\n",
            ),
            ("secret.yaml", "steps:\n- write: {path: /etc/token, content: {env: TOKEN}, mode: \"0600\"}\n"),
            ("broken.yaml", "steps:\n- chmod: {path: /nothing, mode: \"0600\"}\n"),
        ] {
            fs::write(bench.path(name), format!("recipe: 1\n{steps}")).unwrap();
        }
        fs::write(bench.path("m.yaml"), MATRIX).unwrap();
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
        command.args(arguments).current_dir(self.0.path()).env("TOKEN", SECRET).env_remove("CI");
        command
    }

    /// What it says, the exit code being `code`.
    fn run(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let (out, said) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(status.code(), Some(code), "{arguments:?}: {out}{said}");
        assert!(!out.contains(SECRET) && !said.contains(SECRET), "{out}{said}");
        (out, said)
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run(code, &[arguments, &["--json"]].concat()).0).unwrap()
    }

    /// Files of the folder, by their names.
    fn files(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn job<'j>(run: &'j Value, name: &str) -> &'j Value {
    let found = run["jobs"].as_array().unwrap().iter().find(|job| job["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {run}"))
}

#[test]
fn all_pairs_are_built_and_one_that_fails_stops_no_other() {
    let Some(bench) = Bench::new() else { return };
    let (table, said) = bench.run(3, &["build", "--matrix", "m.yaml", "--junit", "out.xml", "--jobs", "3"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.ends_with("9 of 12 built\n"), "{table}");
    let failed: Vec<&str> = table.lines().filter(|line| line.contains("FAILED 3")).collect();
    assert_eq!(failed.len(), 3, "{table}");
    assert!(table.contains("\n  step chmod: "), "{table}");
    // Without a terminal every line has the name of its job.
    assert!(said.lines().all(|line| line.starts_with('[')), "{said}");
    assert!(said.contains("[broken-two] hardtack: step chmod: "), "{said}");
    let images: Vec<String> =
        bench.files("out").into_iter().filter(|name| name.ends_with(".qcow2")).collect();
    assert_eq!(images.len(), 9, "{images:?}");
    assert_eq!(bench.run(0, &["cat", "out/web-two.qcow2:/etc/port"]).0, "80\n");
    assert_eq!(bench.run(0, &["cat", "out/web-odd $(name).qcow2:/etc/hostname"]).0, "odd\n");
    let xml = fs::read_to_string(bench.path("out.xml")).unwrap();
    assert!(xml.contains("tests=\"12\" failures=\"3\" errors=\"0\""), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 12);

    let workflow = bench.run(0, &["matrix", "m.yaml", "--format", "github", "--action", "o/h@v1"]).0;
    assert_eq!(workflow.matches("secrets.").count(), 1, "{workflow}");
    assert!(workflow.contains("          \"TOKEN\": ${{ secrets.TOKEN }}\n"), "{workflow}");
    let said = bench.run(2, &["build", "--matrix", "m.yaml", "--only", "nosuch"]).1;
    assert!(said.contains("there are base-one, base-two, ") && said.contains("from 0 to 11"), "{said}");

    // What is there is replaced only where that is asked for, and told for programs.
    let run = bench.json(4, &["build", "--matrix", "m.yaml", "--only", "base-one", "--only", "4"]);
    assert_eq!((&run["done"], &run["failed"]), (&0.into(), &2.into()), "{run}");
    assert_eq!(job(&run, "web-two")["exit_code"], 4);
    let run = bench.json(0, &["build", "--matrix", "m.yaml", "--only", "base-one", "--force"]);
    assert_eq!(job(&run, "base-one")["result"], "built", "{run}");
    assert_eq!(job(&run, "base-one")["build"]["format"], "qcow2", "{run}");
    let plan = bench.run(0, &["build", "--matrix", "m.yaml", "--only", "web-one", "--plan"]).0;
    assert!(plan.starts_with("== web-one\n") && plan.contains("+80\n"), "{plan}");
    let plan = bench.json(3, &["build", "--matrix", "m.yaml", "--plan"]);
    assert_eq!(job(&plan, "web-one")["result"], "planned");
    assert!(job(&plan, "web-one")["plan"]["changes"].is_array(), "{plan}");
    let (_, said) = bench.run(2, &["build", "--matrix", "m.yaml", "--only", "web-tow"]);
    assert!(said.contains("did you mean `web-two`?"), "{said}");
}

#[test]
fn a_source_is_what_its_digest_says() {
    let Some(bench) = Bench::new() else { return };
    let matrix = |digest: &str| {
        let text = format!(
            "matrix: 1\nrecipes: [base.yaml, web.yaml]\nsources:\n- {{source: one.raw, digest: \"sha256:{digest}\"}}\n\
             - two.raw\noutput: ${{name}}.raw\n"
        );
        fs::write(bench.path("d.yaml"), text).unwrap();
    };
    let sum = Command::new("sha256sum").arg(bench.path("one.raw")).output().unwrap();
    let right = String::from_utf8(sum.stdout).unwrap().split(' ').next().unwrap().to_owned();
    matrix(&right.to_uppercase());
    let run = bench.json(0, &["build", "--matrix", "d.yaml"]);
    assert_eq!(run["done"], 4, "{run}");
    matrix(&"0".repeat(64));
    let run = bench.json(3, &["build", "--matrix", "d.yaml", "--force"]);
    assert_eq!((&run["done"], &run["failed"]), (&2.into(), &2.into()), "{run}");
    assert!(job(&run, "base-one")["error"].as_str().unwrap().contains(&right), "{run}");
}

#[test]
fn rows_of_a_recipe_are_built_at_once() {
    let Some(bench) = Bench::new() else { return };
    let rows = "recipe: 1\nvars: {port: ~}\nmatrix:\n- {source: one.raw, output: rows/a.qcow2, vars: {port: 1}}\n\
                - {source: two.raw, output: rows/b.qcow2, vars: {port: 2}}\n\
                - {source: broken.yaml, output: rows/7.qcow2, vars: {port: 3}}\n\
                steps:\n- write: {path: /etc/port, content: {format: \"${port}\\n\"}}\n";
    fs::write(bench.path("rows.yaml"), rows).unwrap();
    let (table, _) = bench.run(3, &["build", "rows.yaml"]);
    assert!(table.contains("2 of 3 built") && table.contains("row"), "{table}");
    assert_eq!(bench.run(0, &["cat", "rows/b.qcow2:/etc/port"]).0, "2\n");
    let run = bench.json(0, &["build", "rows.yaml", "--only", "a", "--force", "--set", "port=9"]);
    assert_eq!(job(&run, "a")["row"], 0, "{run}");
    assert_eq!(bench.run(0, &["cat", "rows/a.qcow2:/etc/port"]).0, "9\n");
    // What is wrong with a row is told before any is built.
    fs::write(bench.path("rows.yaml"), rows.replace("{port: 2}", "{prot: 2}")).unwrap();
    let (_, said) = bench.run(2, &["build", "rows.yaml", "--force"]);
    assert!(said.contains("did you mean `port`?"), "{said}");
    // As before, a recipe without rows needs an image.
    let (_, said) = bench.run(2, &["build", "base.yaml"]);
    assert!(said.contains("has no matrix"), "{said}");
}

/// Processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let mut all: Vec<u32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    for entry in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path().join("children")).unwrap_or_default();
        all.extend(text.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// A matrix of which one job stands still, as its recipe is a pipe into which nobody writes; and its process.
// Whoever takes it waits for it; a test that panics ends the program.
#[allow(clippy::zombie_processes)]
fn standing(bench: &Bench) -> (std::process::Child, u32) {
    let pipe = bench.path("waits.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(
        bench.path("s.yaml"),
        "matrix: 1\nrecipes: [waits.yaml, base.yaml]\nsources: [one.raw]\noutput: s/${name}.qcow2\n",
    )
    .unwrap();
    let arguments = ["build", "--matrix", "s.yaml", "--jobs", "2"];
    let parent = bench.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = std::time::Instant::now();
    loop {
        let running = children(parent.id());
        let waits = |pid: &u32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"waits.yaml\0"))
        };
        if let ([only], true) = (&*running, bench.path("s/base-one.qcow2.provenance.json").exists())
            && waits(only)
        {
            return (parent, *only);
        }
        assert!(began.elapsed().as_secs() < 120, "{running:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn ends(pid: u32) {
    let began = std::time::Instant::now();
    let alive = || {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !text.is_empty() && !text.contains(") Z ")
    };
    while alive() {
        assert!(began.elapsed().as_secs() < 60, "{pid} goes on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_process_that_is_killed_stops_no_other_and_a_stop_is_for_all() {
    let Some(bench) = Bench::new() else { return };
    let (mut parent, job) = standing(&bench);
    kill("-KILL", job);
    let mut table = String::new();
    parent.stdout.take().unwrap().read_to_string(&mut table).unwrap();
    assert_eq!(parent.wait().unwrap().code(), Some(4), "{table}");
    assert!(
        table.contains("KILLED") && table.contains("memory") && table.contains("1 of 2 built"),
        "{table}"
    );

    for (signal, code) in [("-TERM", Some(128 + 15)), ("-INT", Some(128 + 2)), ("-KILL", None)] {
        let Some(bench) = Bench::new() else { return };
        let (mut parent, job) = standing(&bench);
        kill(signal, parent.id());
        assert_eq!(parent.wait().unwrap().code(), code, "{signal}");
        ends(job);
        assert_eq!(bench.files("s"), ["base-one.qcow2", "base-one.qcow2.provenance.json"], "{signal}");
    }
}

#[test]
fn secrets_are_no_arguments() {
    let Some(bench) = Bench::new() else { return };
    let text = "matrix: 1\nrecipes: [{recipe: web.yaml, set: {port: {env: TOKEN}}}]\nsources: [one.raw]\noutput: ${name}\n";
    fs::write(bench.path("e.yaml"), text).unwrap();
    let (_, said) = bench.run(2, &["build", "--matrix", "e.yaml"]);
    assert!(said.contains("no place for a secret"), "{said}");
    let (mut parent, job) = standing(&bench);
    let line = fs::read(Path::new("/proc").join(job.to_string()).join("cmdline")).unwrap();
    let line = String::from_utf8_lossy(&line).into_owned();
    kill("-TERM", parent.id());
    parent.wait().unwrap();
    assert!(line.contains("--json") && !line.contains(SECRET), "{line}");
}
