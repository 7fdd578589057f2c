//! The action for GitHub and the template for GitLab: by their published schemas, and their scripts as they run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hardtack_tests::schemas::{self, Engine};
use hardtack_tests::tools::top;
use serde_json::Value;

use crate::Bench;

const TEMPLATE: &str = "packaging/gitlab/hardtack.gitlab-ci.yml";

/// A file of YAML as JSON, by PyYAML.
fn parsed(path: &Path) -> Value {
    let script = "import sys, json, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let ran = Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// A release as the archive of one is laid out, whose program leads to the one that is tested; where releases lie.
fn release(bench: &Bench, version: &str) -> String {
    let name = format!("hardtack-{version}-{}-linux", std::env::consts::ARCH);
    let (work, folder) = (bench.path("release"), bench.path(&format!("releases/v{version}")));
    fs::create_dir_all(work.join(&name).join("bin")).unwrap();
    fs::create_dir_all(&folder).unwrap();
    let program = work.join(&name).join("bin/hardtack");
    fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_hardtack"))).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let script =
        format!("tar -czf {name}.tar.gz -C ../../release {name}\nsha256sum {name}.tar.gz > SHA256SUMS\n");
    let ran = Command::new("sh").args(["-ec", &script]).current_dir(&folder).status().unwrap();
    assert!(ran.success());
    format!("file://{}", bench.path("releases").display())
}

/// What one run of the action did.
struct Ran {
    code: i32,
    said: String,
    temp: PathBuf,
}

/// Runs the action with these inputs as GitHub's runner does, except for other people's actions.
fn action(bench: &Bench, inputs: &[(&str, &str)]) -> Ran {
    let action = parsed(&top().join("action.yml"));
    let mut given: BTreeMap<String, String> = action["inputs"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, input)| (name.clone(), input["default"].as_str().unwrap().to_owned()))
        .collect();
    for (name, value) in inputs {
        assert!(given.insert((*name).to_owned(), (*value).to_owned()).is_some(), "no input {name}");
    }
    let temp = bench.path("temp");
    let _ = fs::remove_dir_all(&temp);
    fs::create_dir_all(&temp).unwrap();
    for file in ["output", "path", "summary"] {
        fs::write(temp.join(file), "").unwrap();
    }
    let (mut code, mut said) = (0, String::new());
    for step in action["runs"]["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else { continue };
        assert_eq!(step["shell"], "bash");
        assert!(!script.contains("${{"), "what users give is no part of a script: {script}");
        let condition = step["if"].as_str().unwrap_or("success()");
        let wanted = !condition.contains("verify == 'true'") || given["verify"] == "true";
        // `!cancelled()` runs after a failure, too.
        if !wanted || (code != 0 && !condition.contains("!cancelled()")) {
            continue;
        }
        let outputs = fs::read_to_string(temp.join("output")).unwrap();
        let path = fs::read_to_string(temp.join("path")).unwrap();
        let path: Vec<&str> = path.lines().rev().chain(["/usr/bin", "/bin"]).collect();
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]);
        command
            .current_dir(bench.path(""))
            .env_clear()
            .env("PATH", path.join(":"))
            .env("TOKEN", crate::SECRET);
        command.env("RUNNER_TEMP", &temp).env("GITHUB_ACTION_PATH", top());
        for (name, file) in
            [("GITHUB_OUTPUT", "output"), ("GITHUB_PATH", "path"), ("GITHUB_STEP_SUMMARY", "summary")]
        {
            command.env(name, temp.join(file));
        }
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            let expression = value.as_str().unwrap().trim_start_matches("${{ ").trim_end_matches(" }}");
            let value = match expression.split(" ||").next().unwrap().split_once('.').unwrap() {
                ("inputs", name) => given[name].clone(),
                ("steps", of) => {
                    let name = of.rsplit('.').next().unwrap();
                    let found = outputs.lines().rev().find_map(|line| line.strip_prefix(&format!("{name}=")));
                    found.unwrap_or_default().to_owned()
                }
                other => panic!("{other:?}"),
            };
            command.env(name, value);
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        said += &format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        if code == 0 {
            code = status.code().unwrap();
        }
    }
    assert!(!said.contains(crate::SECRET), "{said}");
    assert_eq!(commands(&said), Vec::<&str>::new(), "{said}");
    Ran { code, said, temp }
}

/// The workflow commands that GitHub's runner would carry out, but for those that end and begin that.
fn commands(said: &str) -> Vec<&str> {
    let (mut found, mut stopped) = (Vec::new(), None);
    for line in said.lines().filter(|line| line.trim_start().starts_with("::")) {
        match (stopped, line.strip_prefix("::stop-commands::")) {
            (None, Some(token)) => stopped = Some(token),
            (Some(token), _) if line == format!("::{token}::") => stopped = None,
            (Some(_), _) => {}
            (None, None) => found.push(line),
        }
    }
    assert_eq!(stopped, None, "commands are taken again: {said}");
    found
}

fn have(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|name| !Path::new("/usr/bin").join(name).exists()).collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED: {missing:?} are not installed");
    }
    missing.is_empty()
}

#[test]
fn action_and_template_are_valid_by_their_published_schemas() {
    let Some(place) = schemas::engines(Path::new(env!("CARGO_TARGET_TMPDIR"))) else { return };
    let folder = tempfile::tempdir().unwrap();
    for (of, path, key) in
        [(Engine::GithubAction, "action.yml", "using:"), (Engine::GitlabCi, TEMPLATE, "artifacts:")]
    {
        // A job whose name starts with a dot is taken for anything.
        let text = fs::read_to_string(top().join(path)).unwrap().replace("\n.hardtack:\n", "\nhardtack:\n");
        let file = folder.path().join("x.yml");
        fs::write(&file, &text).unwrap();
        schemas::check(&place, of, &file).unwrap();
        fs::write(&file, text.replacen(key, "nonsense:", 1)).unwrap();
        schemas::check(&place, of, &file).unwrap_err();
    }
}

#[test]
fn the_action_builds_and_judges_a_matrix() {
    if !have(&["curl", "jq", "bash"]) {
        return;
    }
    let Some(bench) = Bench::new() else { return };
    let releases = release(&bench, env!("CARGO_PKG_VERSION"));
    let ran = action(
        &bench,
        &[
            ("releases", &releases),
            ("matrix", "m.yaml"),
            ("only", "0 web-two 9 secret-two 5"),
            ("args", "--no-sync\n--grow\n32M\n"),
            ("verify", "true"),
        ],
    );
    // One of five fails: the others are built and judged, and the step tells it.
    assert_eq!(ran.code, 3, "{}", ran.said);
    assert!(ran.said.contains("4 of 5 built"), "{}", ran.said);
    let summary = fs::read_to_string(ran.temp.join("summary")).unwrap();
    assert!(summary.contains("    4 of 5 built"), "{summary}");
    let junit = fs::read_to_string(ran.temp.join("hardtack/junit.xml")).unwrap();
    assert!(junit.contains("tests=\"5\" failures=\"1\""), "{junit}");
    let mut seen = Vec::new();
    for entry in fs::read_dir(ran.temp.join("hardtack/sarif")).unwrap() {
        let sarif: Value = serde_json::from_str(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        assert_eq!(sarif["runs"][0]["results"], Value::Array(Vec::new()), "{sarif}");
        seen.push(sarif["runs"][0]["automationDetails"]["id"].as_str().unwrap().to_owned());
    }
    seen.sort();
    let odd = "hardtack/web-odd $(name)/";
    assert_eq!(seen, ["hardtack/base-one/", "hardtack/secret-two/", odd, "hardtack/web-two/"]);

    // One recipe, a pinned archive, and an archive that is another.
    let one = [
        ("releases", releases.as_str()),
        ("recipe", "base.yaml"),
        ("source", "odd $(name).raw"),
        ("output", "one $(x).qcow2"),
        ("verify", "true"),
    ];
    let ran = action(&bench, &one);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let ran = action(&bench, &[&one[..], &[("args", "--force"), ("sha256", &"0".repeat(64))]].concat());
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(!ran.temp.join("hardtack/table").exists(), "{}", ran.said);
    // Judged by a recipe that the image is not.
    fs::copy(bench.path("two.raw"), bench.path("other.raw")).unwrap();
    let ran = action(&bench, &[&one[..], &[("output", "other.raw")]].concat());
    assert_eq!(ran.code, 4, "an output that is there stops the build: {}", ran.said);
    let sarif = fs::read_to_string(ran.temp.join("hardtack/sarif/0.sarif")).unwrap();
    assert!(sarif.contains("/etc/base"), "{sarif}");
}

/// A matrix whose names would be commands, and whose variable has more than one line.
const ODD_VALUES: &str = r#"matrix: 1
include:
- {recipe: wide.yaml, source: one.raw, name: "::error::x", output: o/a.raw, set: {text: "one\n::set-output name=code::0\ttwo "}}
- {recipe: wide.yaml, source: two.raw, name: "::set-output name=code::0", output: o/b.raw, set: {text: plain}}
"#;

fn odd_values(bench: &Bench) {
    let recipe = "recipe: 1\nvars: {text: ~, port: ~}\nsteps:\n\
                  - write: {path: /etc/text, content: {format: \"${text}${port}\\n\"}}\n";
    fs::write(bench.path("wide.yaml"), recipe).unwrap();
    fs::write(bench.path("odd.yaml"), ODD_VALUES).unwrap();
}

#[test]
fn the_action_judges_by_what_was_built_and_takes_no_commands_from_names() {
    if !have(&["curl", "jq", "bash"]) {
        return;
    }
    let Some(bench) = Bench::new() else { return };
    let releases = release(&bench, env!("CARGO_PKG_VERSION"));
    odd_values(&bench);
    let given = [("releases", releases.as_str()), ("matrix", "odd.yaml"), ("verify", "true")];
    // Lines of Windows, and the value on a line of its own.
    let ran = action(&bench, &[&given[..], &[("args", "--set=port=80\r\n\r\n")]].concat());
    assert_eq!(ran.code, 0, "{}", ran.said);
    let sarif =
        |index: u32| fs::read_to_string(ran.temp.join(format!("hardtack/sarif/{index}.sarif"))).unwrap();
    for index in [0, 1] {
        let sarif: Value = serde_json::from_str(&sarif(index)).unwrap();
        assert_eq!(sarif["runs"][0]["results"], Value::Array(Vec::new()), "{sarif}");
    }
    assert!(ran.said.lines().any(|line| line.starts_with("::error::x ")), "the table is shown: {}", ran.said);
    let one = [
        ("releases", releases.as_str()),
        ("recipe", "wide.yaml"),
        ("source", "one.raw"),
        ("output", "set.raw"),
        ("verify", "true"),
    ];
    let ran = action(&bench, &[&one[..], &[("args", "--set\ntext=a b\n--no-sync\n--set\nport=1")]].concat());
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(ran.temp.join("hardtack/sarif/0.sarif").exists(), "{}", ran.said);
}

/// Runs the template's script with these variables as GitLab's runner does.
fn gitlab(bench: &Bench, variables: &[(&str, &str)]) -> (i32, String) {
    let template = parsed(&top().join(TEMPLATE));
    let job = &template[".hardtack"];
    let mut lines = String::new();
    for part in ["before_script", "script"] {
        for line in job[part].as_array().unwrap() {
            lines += line.as_str().unwrap();
            lines.push('\n');
        }
    }
    let mut command = Command::new("sh");
    command.args(["-ec", &lines]).current_dir(bench.path("")).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("TOKEN", crate::SECRET).env("CI", "true");
    for (name, value) in job["variables"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    for (name, value) in variables {
        assert!(job["variables"].get(*name).is_some(), "{name}");
        command.env(name, value);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(!said.contains(crate::SECRET), "{said}");
    (status.code().unwrap(), said)
}

#[test]
fn the_template_builds_and_judges_a_matrix() {
    if !have(&["curl"]) {
        return;
    }
    let Some(bench) = Bench::new() else { return };
    let releases = release(&bench, env!("CARGO_PKG_VERSION"));
    let template = parsed(&top().join(TEMPLATE));
    assert_eq!(template[".hardtack"]["variables"]["HARDTACK_VERSION"], env!("CARGO_PKG_VERSION"));
    let report = |name: &str| fs::read_to_string(bench.path("hardtack-report").join(name)).unwrap();
    let (code, said) = gitlab(
        &bench,
        &[("HARDTACK_RELEASES", &releases), ("HARDTACK_MATRIX", "m.yaml"), ("HARDTACK_ONLY", "0 4 5 9")],
    );
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("3 of 4 built"), "{said}");
    assert!(report("build.xml").contains("tests=\"4\" failures=\"1\""));
    assert_eq!(report("codequality.json"), "[\n]\n");
    for index in [0, 4, 5] {
        assert!(report(&format!("{index}.junit")).contains("failures=\"0\""));
        assert!(report(&format!("{index}.sarif")).contains("\"2.1.0\""));
    }
    // Images that are not what their recipes say: one list of all.
    for name in ["base-one", "web-odd $(name)"] {
        fs::copy(bench.path("two.raw"), bench.path(&format!("out/{name}.qcow2"))).unwrap();
    }
    let (code, said) = gitlab(
        &bench,
        &[("HARDTACK_RELEASES", &releases), ("HARDTACK_MATRIX", "m.yaml"), ("HARDTACK_ONLY", "0 5")],
    );
    assert_eq!(code, 4, "{said}");
    let list: Value = serde_json::from_str(&report("codequality.json")).unwrap();
    let list = list.as_array().unwrap();
    assert!(list.len() >= 2, "{list:?}");
    for entry in list {
        assert!(entry["description"].is_string() && entry["fingerprint"].as_str().unwrap().len() == 64);
        assert_eq!((&entry["severity"], &entry["location"]["lines"]["begin"]), (&"major".into(), &1.into()));
    }
    assert!(list.iter().any(|entry| entry["location"]["path"] == "etc/base"), "{list:?}");
    // A variable that the list for shells cannot have: told before a build, unless nothing is judged.
    odd_values(&bench);
    let recipe = fs::read_to_string(bench.path("wide.yaml")).unwrap().replace("port: ~", "port: 1");
    fs::write(bench.path("wide.yaml"), recipe).unwrap();
    let given = [("HARDTACK_RELEASES", releases.as_str()), ("HARDTACK_MATRIX", "odd.yaml")];
    let (code, said) = gitlab(&bench, &given);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("a tab or a line break") && !bench.path("o/a.raw").exists(), "{said}");
    let (code, said) = gitlab(&bench, &[&given[..], &[("HARDTACK_VERIFY", "false")]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(bench.path("o/a.raw").exists(), "{said}");
    // A tab in the name of a recipe is one.
    fs::copy(bench.path("base.yaml"), bench.path("ta\tb.yaml")).unwrap();
    fs::remove_file(bench.path("hardtack-report/0.sarif")).unwrap();
    let tab = [
        ("HARDTACK_RELEASES", releases.as_str()),
        ("HARDTACK_RECIPE", "ta\tb.yaml"),
        ("HARDTACK_SOURCE", "one.raw"),
        ("HARDTACK_OUTPUT", "ta\tb.raw"),
    ];
    let (code, said) = gitlab(&bench, &tab);
    assert_eq!(code, 0, "{said}");
    assert!(report("0.sarif").contains("\"2.1.0\""));
    // One recipe, and an archive that is another.
    let one = [
        ("HARDTACK_RELEASES", releases.as_str()),
        ("HARDTACK_RECIPE", "base.yaml"),
        ("HARDTACK_SOURCE", "one.raw"),
        ("HARDTACK_OUTPUT", "single $(x).qcow2"),
    ];
    let (code, said) = gitlab(&bench, &one);
    assert_eq!(code, 0, "{said}");
    let (code, said) = gitlab(&bench, &[&one[..], &[("HARDTACK_SHA256", &*"0".repeat(64))]].concat());
    assert_eq!(code, 1, "{said}");
}
