//! The same jobs for engines: by their published schemas, and as their shells take them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use hardtack_matrix::Matrix;
use hardtack_matrix::engine::{Wanted, to_github, to_gitlab, to_json, to_kubernetes, to_text, to_tsv};
use hardtack_tests::schemas::{self, Engine};
use serde_json::{Value, json};

use crate::{many, matrix, scratch};

/// A file whose names mean something to YAML, shells and templates.
const ODD: &str = "ci/odd '\"$(touch BAD)` ${{ github.token }} #: é.yaml";
const ODD_MATRIX: &str = r#"
matrix: 1
recipes:
  - {recipe: a.yaml, name: "- [x]: ${{ secrets.X }} $HOME 'q' \"d\" #"}
  - {recipe: "b $(touch BAD).yaml", name: yes}
sources: [{source: s.raw, name: "日本, {a}: *b"}, "it's `id`.raw"]
output: out/$${x}.${{ job }}-OUT
"#;

fn odd() -> Matrix {
    // Names of outputs are plain here: what engines take for patterns is refused.
    let text = ODD_MATRIX.replace("name: yes", "name: \"yes\"");
    let text = text.replace("output: out/$${x}.${{ job }}-OUT\n", "");
    let mut matrix_text = text;
    matrix_text += "output: \"odd dir é/'q' ${name}.raw\"\n";
    let matrix = matrix(ODD, &matrix_text);
    assert_eq!(matrix.jobs.len(), 4);
    matrix
}

fn wanted() -> Wanted<'static> {
    Wanted {
        action: "example/hardtack@v1",
        variables: &[],
        image: "registry.example/hardtack:1",
        cache: Some("s3://bucket/it's $(touch BAD)"),
        before: Some("echo \"it's ready\" # ok: $HOME"),
        volume: "images",
        memory: 1 << 30,
        parallelism: 4,
    }
}

/// YAML as JSON, by PyYAML.
fn parsed(text: &str) -> Value {
    let script = "import sys, json, yaml; print(json.dumps(yaml.safe_load(sys.stdin.buffer.read())))";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    fs::write(&file, text).unwrap();
    let ran =
        Command::new("python3").args(["-c", script]).stdin(fs::File::open(file).unwrap()).output().unwrap();
    assert!(ran.status.success(), "{text}\n{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn check(of: Engine, text: &str) -> Result<(), String> {
    let Some(place) = schemas::engines(scratch()) else { return Ok(()) };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.yml");
    fs::write(&file, text).unwrap();
    schemas::check(&place, of, &file)
}

/// A matrix whose directories engines take.
fn plain() -> Matrix {
    let text = "matrix: 1\nrecipes: [a.yaml, b.yaml]\nsources: [s.raw, t.raw]\noutput: out/${name}.qcow2\n";
    matrix("images.yaml", text)
}

#[test]
fn what_is_written_is_valid_by_the_published_schemas() {
    for (matrix, wanted) in [
        (plain(), wanted()),
        (plain(), Wanted { cache: Some(".hardtack"), before: None, ..wanted() }),
        (plain(), Wanted { variables: &["DEBIAN_PASSWORD".to_owned(), "NO".to_owned()], ..wanted() }),
        (many(1000), Wanted { cache: None, ..wanted() }),
    ] {
        check(Engine::GithubWorkflow, &to_github(&matrix, &wanted).unwrap()).unwrap();
        check(Engine::GitlabCi, &to_gitlab(&matrix, &wanted).unwrap()).unwrap();
        check(Engine::Kubernetes, &to_kubernetes(&matrix, &wanted).unwrap()).unwrap();
    }
    let odd = odd();
    check(Engine::Kubernetes, &to_kubernetes(&odd, &wanted()).unwrap()).unwrap();
    // The schemas do find mistakes.
    if schemas::engines(scratch()).is_some() {
        let broken = |text: String, from: &str| text.replace(from, "nonsense");
        let (matrix, wanted) = (plain(), wanted());
        check(Engine::GithubWorkflow, &broken(to_github(&matrix, &wanted).unwrap(), "fail-fast"))
            .unwrap_err();
        check(Engine::GitlabCi, &broken(to_gitlab(&matrix, &wanted).unwrap(), "artifacts")).unwrap_err();
        check(Engine::Kubernetes, &broken(to_kubernetes(&matrix, &wanted).unwrap(), "completionMode"))
            .unwrap_err();
    }
}

#[test]
fn what_recipes_ask_for_is_a_secret_of_that_name() {
    // A name that is a truth value to YAML 1.1.
    let variables = ["DEBIAN_PASSWORD".to_owned(), "NO".to_owned()];
    let build = |text: &str| {
        let workflow = parsed(text);
        let steps = workflow["jobs"]["build"]["steps"].as_array().unwrap().clone();
        steps.into_iter().find(|step| step["name"] == "Build").unwrap()
    };
    let step = build(&to_github(&plain(), &Wanted { variables: &variables, ..wanted() }).unwrap());
    let secrets = json!({"DEBIAN_PASSWORD": "${{ secrets.DEBIAN_PASSWORD }}", "NO": "${{ secrets.NO }}"});
    assert_eq!(step["env"], secrets);
    assert_eq!(step["with"]["matrix"], "images.yaml");
    assert!(build(&to_github(&plain(), &wanted()).unwrap()).get("env").is_none());
}

#[test]
fn limits_of_engines_are_kept_and_no_job_is_lost() {
    for jobs in [1, 199, 200, 201, 256, 257, 1000] {
        let matrix = many(jobs);
        let github = parsed(&to_github(&matrix, &wanted()).unwrap());
        let include = github["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
        assert_eq!(include.len(), jobs.min(256));
        numbers(include.iter().map(|entry| &entry["only"]), jobs);
        let gitlab = parsed(&to_gitlab(&matrix, &wanted()).unwrap());
        let include = gitlab["hardtack"]["parallel"]["matrix"].as_array().unwrap();
        assert_eq!(include.len(), jobs.min(200));
        numbers(include.iter().map(|entry| &entry["HARDTACK_ONLY"]), jobs);
        let job = parsed(&to_kubernetes(&matrix, &wanted()).unwrap());
        assert_eq!(job["spec"]["completions"], jobs);
    }
}

/// Every number stands there once, in order.
fn numbers<'v>(texts: impl Iterator<Item = &'v Value>, jobs: usize) {
    let all: Vec<usize> = texts
        .flat_map(|text| {
            text.as_str().unwrap().split(' ').map(|word| word.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(all, (0..jobs).collect::<Vec<_>>());
}

/// What GitHub makes of a text: `${{ '…' }}` is the text in it; another expression would be carried out.
fn evaluated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${{ ") {
        let (expression, after) = behind.split_once(" }}").unwrap();
        let literal = expression.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')).unwrap();
        out += before;
        out += literal;
        rest = after;
    }
    out + rest
}

#[test]
fn odd_names_mean_nothing_to_github() {
    let matrix = odd();
    let error = to_github(&matrix, &wanted()).unwrap_err().to_string();
    assert!(error.contains("takes the name of this output for a pattern"), "{error}");
    let mut matrix = matrix;
    for (index, job) in matrix.jobs.iter_mut().enumerate() {
        job.output = format!("odd dir é/'q' ${{{{ x }}}} {index}.raw").into();
    }
    let text = to_github(&matrix, &wanted()).unwrap();
    check(Engine::GithubWorkflow, &text).unwrap();
    let workflow = parsed(&text);
    let build = &workflow["jobs"]["build"];
    for (index, entry) in build["strategy"]["matrix"]["include"].as_array().unwrap().iter().enumerate() {
        assert_eq!(evaluated(entry["name"].as_str().unwrap()), matrix.jobs[index].name);
        let output = format!("odd dir é/'q' ${{{{ x }}}} {index}.raw");
        assert_eq!(
            evaluated(entry["outputs"].as_str().unwrap()),
            format!("{output}.provenance.json\n{output}")
        );
    }
    let step = build["steps"].as_array().unwrap().iter().find(|step| step["name"] == "Build").unwrap();
    assert_eq!(evaluated(step["with"]["matrix"].as_str().unwrap()), ODD);
    assert_eq!(step["with"]["cache"], wanted().cache.unwrap());
    assert_eq!(step["with"]["verify"], "true");
}

#[test]
fn the_shell_of_gitlab_gets_the_words_that_are_meant() {
    let mut matrix = odd();
    assert!(to_gitlab(&matrix, &wanted()).is_ok(), "outputs lie in a directory, and that is plain");
    matrix.jobs.push(matrix.jobs[0].clone());
    let text = to_gitlab(&matrix, &wanted()).unwrap();
    check(Engine::GitlabCi, &text).unwrap();
    let pipeline = parsed(&text);
    let job = &pipeline["hardtack"];
    assert!(job["parallel"]["matrix"][0]["HARDTACK_NAME"].as_str().is_some_and(|name| !name.contains('$')));
    assert_eq!(job["artifacts"]["paths"][0], "ci/odd dir é/");
    let script: Vec<&str> =
        job["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let words = run_in_shell(&script.join("\n"), &[("HARDTACK_ONLY", "3 4")]);
    let cache = wanted().cache.unwrap().to_owned();
    let expected = [
        "build",
        "--matrix",
        ODD,
        "--cache",
        &cache,
        "--junit",
        "hardtack.xml",
        "--only",
        "3",
        "--only",
        "4",
    ];
    assert_eq!(words, expected);

    for name in ["a*b", "a$b", "[x]"] {
        let text = format!("matrix: 1\ninclude: [{{recipe: r, source: s, output: \"{name}/x.raw\"}}]\n");
        let error = to_gitlab(&crate::matrix("m.yaml", &text), &wanted()).unwrap_err().to_string();
        assert!(error.starts_with("GitLab: "), "{error}");
    }
}

/// Runs a script with a `hardtack` that tells its arguments, in POSIX's shell: those of the build.
fn run_in_shell(script: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hardtack");
    fs::write(&program, "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done > said\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let ran = Command::new("sh")
        .args(["-euc", script])
        .current_dir(&folder)
        .env("PATH", path)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{script}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!folder.path().join("BAD").exists(), "{script}");
    fs::read_to_string(folder.path().join("said")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn an_index_of_kubernetes_is_a_job_and_nobody_is_root() {
    let text = to_kubernetes(&odd(), &wanted()).unwrap();
    let job = parsed(&text);
    let spec = &job["spec"]["template"]["spec"];
    assert_eq!(job["spec"]["completionMode"], "Indexed");
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
    let container = &spec["containers"][0];
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["resources"]["limits"]["memory"], "1024Mi");
    let words: Vec<String> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        // `$$` is `$`, and `$(JOB_COMPLETION_INDEX)` what the Job sets.
        .map(|word| word.as_str().unwrap().replace("$(JOB_COMPLETION_INDEX)", "2").replace("$$", "$"))
        .collect();
    assert_eq!(words[..7], ["build", "--matrix", ODD, "--only", "2", "--jobs", "1"]);
    assert_eq!(words[8..], ["--cache", wanted().cache.unwrap()]);
    let name = job["metadata"]["name"].as_str().unwrap();
    assert!(is_label(name), "{name}");
    for path in ["/abs/m.yaml", "../m.yaml", "a\nkind: Pod.yaml"] {
        let text = "matrix: 1\ninclude: [{recipe: r, source: s, output: o}]\n";
        assert!(to_kubernetes(&matrix(path, text), &wanted()).is_err(), "{path}");
    }
}

/// A label of RFC 1123 that leaves room for what pods have behind it.
fn is_label(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= 50 && name.bytes().all(fine) && name.starts_with("hardtack-") && !name.ends_with('-')
}

const ONE_JOB: &str = "matrix: 1\ninclude: [{recipe: r, source: s, output: o}]\n";

#[test]
fn each_matrix_of_a_project_keeps_its_own_things() {
    let wanted = Wanted { cache: Some(".hardtack"), ..wanted() };
    let long = format!("{}.yaml", "x".repeat(60));
    let paths = [
        "images.yaml",
        "images.yml",
        "A/images.yaml",
        "B/images.yaml",
        "日本.yaml",
        "中国.yaml",
        "a b.yaml",
        "a_b.yaml",
        "a-b.yaml",
        "Images.yaml",
        "-.yaml",
        "x-.yaml",
        &long,
        &format!("y/{long}"),
    ];
    let (mut names, mut keys) = (Vec::new(), Vec::new());
    for path in paths {
        let matrix = matrix(path, ONE_JOB);
        let name = parsed(&to_kubernetes(&matrix, &wanted).unwrap())["metadata"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(is_label(&name), "{name}");
        let workflow = parsed(&to_github(&matrix, &wanted).unwrap());
        let steps = workflow["jobs"]["build"]["steps"].as_array().unwrap();
        let with = |key: &str| {
            let text = steps.iter().find_map(|step| step["with"][key].as_str()).unwrap();
            assert!(text.starts_with(&format!("{name}-${{{{ matrix.first }}}}")), "{key}: {text}");
        };
        ["category", "key", "restore-keys", "name"].into_iter().for_each(with);
        keys.push(parsed(&to_gitlab(&matrix, &wanted).unwrap())["hardtack"]["cache"]["key"].clone());
        names.push(name);
    }
    assert_eq!(names[0], "hardtack-images");
    names.sort();
    names.dedup();
    keys.sort_by_key(Value::to_string);
    keys.dedup();
    assert_eq!((names.len(), keys.len()), (paths.len(), paths.len()), "{names:?}");
}

#[test]
fn a_name_ends_no_comment() {
    for end in ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'] {
        let matrix = matrix(&format!("x{end}evil: injected.yaml"), ONE_JOB);
        let (github, gitlab) = (to_github(&matrix, &wanted()), to_gitlab(&matrix, &wanted()));
        for refused in [github, gitlab, to_kubernetes(&matrix, &wanted())] {
            assert!(refused.unwrap_err().to_string().contains("line break"), "{end:?}");
        }
        let claim = format!("x{end}evil: injected");
        let job = to_kubernetes(&plain(), &Wanted { volume: &claim, ..wanted() }).unwrap();
        assert!(job.lines().all(|line| !line.starts_with("evil")), "{job}");
        assert_eq!(parsed(&job).as_object().unwrap().len(), 4, "{job}");
    }
}

#[test]
fn a_pod_has_some_memory() {
    for (bytes, expected) in [(0, "1Mi"), (1024, "1Mi"), (1 << 20, "1Mi"), ((1 << 20) + 1, "2Mi")] {
        let job = parsed(&to_kubernetes(&plain(), &Wanted { memory: bytes, ..wanted() }).unwrap());
        let resources = &job["spec"]["template"]["spec"]["containers"][0]["resources"];
        assert_eq!(resources["limits"]["memory"], expected);
        assert_eq!(resources["requests"]["memory"], expected);
    }
}

#[test]
fn lists_are_for_people_programs_and_shells() {
    let matrix = odd();
    let all: Vec<usize> = (0..matrix.jobs.len()).collect();
    let text = to_text(&matrix, &all);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_eq!(to_json(&matrix, &[2])["jobs"][0]["index"], 2);
    let tsv = to_tsv(&matrix, &all).unwrap();
    for (line, job) in tsv.lines().zip(&matrix.jobs) {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!((fields[1], Path::new(fields[4])), (job.name.as_str(), &*job.output));
    }
    let tab =
        crate::matrix("m", "matrix: 1\ninclude: [{recipe: r, source: s, output: o, set: {a: \"x\\ty\"}}]\n");
    assert_eq!(to_tsv(&tab, &[0]), Err("r-s".to_owned()));
}
