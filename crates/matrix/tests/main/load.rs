//! From text to jobs.

use std::path::Path;
use std::process::Command;

use hardtack_matrix::{load_matrix, matrix_schema};
use hardtack_tests::schemas;

use crate::{matrix, scratch};

const WHOLE: &str = r#"
matrix: 1
recipes: [base.yaml, {recipe: ../web.yaml, name: web, set: {port: "80", debug: no}}]
sources:
  - debian-12.qcow2
  - {source: /img/debian-13.qcow2, name: d13, digest: "sha256:ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789"}
output: out/${recipe}-${source}-$${x}.qcow2
exclude: [{recipe: web, source: d13}]
include:
  - {recipe: x.yaml, source: y.raw, output: "out/special-${name}.raw"}
  - {recipe: web, source: d13, name: special, set: {port: 8080}}
  - {recipe: web, source: "sha256:12", output: cached.raw, name: cached}
"#;

/// The picture of what is wrong.
fn wrong(text: &str) -> String {
    load_matrix(Path::new("m.yaml"), text).unwrap_err().render()
}

#[test]
fn recipes_times_sources() {
    let matrix = matrix("ci/m.yaml", WHOLE);
    let shown: Vec<String> = matrix
        .jobs
        .iter()
        .map(|job| {
            format!("{} {} {} {}", job.name, job.recipe.display(), job.source.display(), job.output.display())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "base-debian-12 ci/base.yaml ci/debian-12.qcow2 ci/out/base-debian-12-${x}.qcow2",
            "base-d13 ci/base.yaml /img/debian-13.qcow2 ci/out/base-d13-${x}.qcow2",
            "web-debian-12 ci/../web.yaml ci/debian-12.qcow2 ci/out/web-debian-12-${x}.qcow2",
            "x-y ci/x.yaml ci/y.raw ci/out/special-x-y.raw",
            "special ci/../web.yaml /img/debian-13.qcow2 ci/out/web-d13-${x}.qcow2",
            "cached ci/../web.yaml sha256:12 ci/cached.raw",
        ]
    );
    let set = |index: usize| {
        matrix.jobs[index].set.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(set(2), ["port=80", "debug=no"]);
    assert_eq!(set(4), ["debug=no", "port=8080"]);
    let digest = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789";
    assert_eq!(matrix.jobs[1].digest.as_deref(), Some(digest));
    assert_eq!(matrix.jobs[4].digest.as_deref(), Some(digest));
    assert_eq!(matrix.chosen(&["special".into(), "0".into(), "0".into()]).unwrap(), [0, 4]);
    assert_eq!(matrix.chosen(&[]).unwrap().len(), 6);
    assert!(matrix.chosen(&["web-d12".into()]).unwrap_err().to_string().contains(", numbered from 0 to 5"));
    assert!(matrix.chosen(&["6".into()]).is_err());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let pair = "matrix: 1\nrecipes: [a.yaml, b/a.yaml]\nsources: [s.raw]\noutput: out.raw\n";
    for (text, wanted) in [
        (pair.to_owned(), "m.yaml:2:19\n"),
        (pair.to_owned(), "both named `a`"),
        (pair.replace("b/a.yaml", "b.yaml"), "have one output: out.raw"),
        (pair.replace("b/a.yaml", "b.yaml").replace("out.raw", "s.raw"), "is a source"),
        (pair.replace("b/a.yaml", "b.yaml").replace("out.raw", "x/../${recipe}.yaml"), "is a recipe"),
        (
            pair.replace("b/a.yaml", "{recipe: b.yaml, name: a.provenance.json}")
                .replace("out.raw", "x/../${recipe}"),
            "has the name of the record of",
        ),
        (pair.replace("out.raw", "${recpie}.raw"), "did you mean `${recipe}`?"),
        (pair.replace("recipes:", "recipies:"), "did you mean `recipes`?"),
        (pair.replace("matrix: 1", "matrix: 2"), "matrix format 2 is not known"),
        (pair.replace("matrix: 1\n", ""), "needs the key `matrix`"),
        (pair.replace("output: out.raw\n", ""), "needs the key `output`"),
        (pair.replace("sources: [s.raw]\n", ""), "`recipes` without `sources`"),
        (pair.replace("[s.raw]", "[{source: s.raw, digest: \"sha256:12\"}]"), "no SHA-256 digest"),
        (pair.replace("[s.raw]", "[{source: s.raw, name: a/b}]"), "it has a `/`"),
        (pair.replace("[s.raw]", "[\"s\\nb.raw\"]"), "holds a line break"),
        (pair.replace("[s.raw]", "[{source: s.raw, nam: b}]"), "did you mean `name`?"),
        (pair.to_owned() + "exclude: [{source: r}]\n", "did you mean `s`?"),
        (pair.to_owned() + "exclude: [{}]\n", "names a `recipe`, a `source`, or both"),
        (
            pair.to_owned() + "include: [{recipe: a, source: s, name: \"12\", output: x}]\n",
            "could be a job's number",
        ),
        (pair.to_owned() + "include: [{recipe: a, source: s, output: x}]\n", "two jobs are named `a-s`"),
        ("recipe: 1\nsteps: [agent]\n".to_owned(), "this is a recipe"),
        (String::new(), "the matrix is empty"),
        ("matrix: 1\ninclude: []\n".to_owned(), "the matrix has no job"),
    ] {
        let said = wrong(&text);
        assert!(said.contains(wanted), "{text}\nwanted {wanted}\n{said}");
    }
}

#[test]
fn hostile_sizes_are_bounded() {
    let list =
        |what: &str, count: usize| (0..count).map(|index| format!("{what}{index}.x, ")).collect::<String>();
    let text = |recipes, sources| {
        format!(
            "matrix: 1\nrecipes: [{}]\nsources: [{}]\noutput: ${{name}}\n",
            list("r", recipes),
            list("s", sources)
        )
    };
    assert!(wrong(&text(1000, 1000)).contains("1000000 jobs; a matrix has at most 1000"));
    assert!(wrong(&text(40, 26)).contains("1040 jobs"));
    assert!(wrong(&text(1001, 1)).contains("has 1001 entries"));
    assert_eq!(matrix("m", &text(40, 25)).jobs.len(), 1000);
    let deep = format!("matrix: 1\nrecipes: {}", "[".repeat(100_000));
    assert!(wrong(&deep).contains("levels deep"));
    let long = format!("matrix: 1\nrecipes: [{}]\nsources: [s]\noutput: x\n", "r".repeat(10_000));
    assert!(wrong(&long).contains("longer than 64 characters"));
}

#[test]
fn the_schema_takes_what_the_loader_takes() {
    let Some((place, ..)) = schemas::verdicts(scratch()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let judge = |text: &str| {
        let node: serde_json::Value = yaml(text);
        std::fs::write(folder.path().join("m"), node.to_string()).unwrap();
        std::fs::write(folder.path().join("s"), matrix_schema().to_string()).unwrap();
        let script = "import sys, json, jsonschema\n\
                      schema = json.load(open(sys.argv[1] + '/s'))\n\
                      jsonschema.Draft202012Validator.check_schema(schema)\n\
                      jsonschema.Draft202012Validator(schema).validate(json.load(open(sys.argv[1] + '/m')))\n";
        schemas::python(&place, script, &[folder.path()]).is_ok()
    };
    assert!(judge(WHOLE));
    assert!(judge("{matrix: 1, include: [{recipe: a, source: b, output: c}]}"));
    for bad in [
        "{matrix: 1, recipes: [a], sources: [b]}",
        "{matrix: 1, include: [{recipe: a}]}",
        "{matrix: 2, include: []}",
        "{matrix: 1, include: [{recipe: a, source: b, output: c, digest: \"sha256:12\"}]}",
        "{matrix: 1, recipes: [a], sources: [{source: b, digest: 12}], output: c}",
    ] {
        assert!(!judge(bad), "{bad}");
    }
    assert!(!judge(&WHOLE.replace("exclude:", "exlude:")));
}

/// YAML as JSON, by PyYAML.
fn yaml(text: &str) -> serde_json::Value {
    let script = "import sys, json, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))";
    let ran = Command::new("python3").args(["-c", script, text]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}
