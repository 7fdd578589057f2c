//! What is said of a run.

use std::time::Duration;

use hardtack_matrix::{Outcome, Run, Verdict};
use hardtack_tests::schemas;
use serde_json::json;

use crate::{matrix, scratch};

const AWKWARD: &str = "]]><x y='&amp;' 日本 \u{202e} {0}";

#[test]
fn a_run_is_told_to_people_programs_and_ci() {
    let text = format!(
        "matrix: 1\nrecipes: [{{recipe: r.yaml, name: \"{AWKWARD}\"}}]\nsources: [a.raw, b.raw, c.raw, {}.raw]\n\
         output: ${{name}}.raw\n",
        "d".repeat(60)
    );
    let matrix = matrix("m <&\">.yaml", &text);
    let outcome = |index, verdict, log: &str, cache: serde_json::Value| Outcome {
        index,
        verdict,
        took: Duration::from_millis(1234 + 1_000_000 * index as u64),
        size: (verdict == Verdict::Done).then_some(400 << 20),
        report: json!({"cache": {"result": cache}}),
        log: log.to_owned(),
    };
    let long = format!("note: x\nhardtack: {}\u{1b}[31m\u{0} ]]> end\nhint: y\n", "word ".repeat(60));
    let run = Run {
        matrix: &matrix,
        outcomes: vec![
            outcome(0, Verdict::Done, "", json!("hit")),
            outcome(1, Verdict::Failed(3), &long, json!(null)),
            outcome(2, Verdict::Killed(9), "half a li", json!(null)),
            outcome(3, Verdict::Done, "", json!("damaged-rebuilt")),
        ],
        planned: false,
    };
    assert_eq!(run.exit_code(), 4);
    let table = run.to_table();
    for line in table.lines() {
        let wide: usize = line.chars().map(hardtack_yaml::diagnostic::width).sum();
        assert!(wide <= 80, "{wide}: {line}");
    }
    assert!(table.contains("FAILED 3") && table.contains("KILLED") && table.contains("16 min"), "{table}");
    assert!(table.contains("mended") && table.ends_with("2 of 4 built, 1 from the cache\n"), "{table}");
    assert!(table.contains("\n  word word"), "{table}");
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}'), "{table}");
    let value = run.to_json();
    assert_eq!(
        (&value["done"], &value["from_cache"], &value["exit_code"]),
        (&json!(2), &json!(1), &json!(4))
    );
    assert_eq!(value["jobs"][2]["result"], "killed");
    assert_eq!(value["jobs"][0]["cache"], "hit");
    assert!(value["jobs"][1]["error"].as_str().unwrap().starts_with("word word"), "{value}");

    let Some((place, _, junit)) = schemas::verdicts(scratch()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("junit.xml");
    std::fs::write(&file, run.to_junit()).unwrap();
    schemas::check_junit(&place, &junit, &file).unwrap();
    let seen = schemas::python(
        &place,
        "import sys\nfrom lxml import etree\nroot = etree.parse(sys.argv[1]).getroot()\n\
         print(len(root.findall('.//testcase')), len(root.findall('.//failure')), len(root.findall('.//error')),\n\
         root.find('testsuite').get('name'))",
        &[&file],
    )
    .unwrap();
    assert_eq!(seen, "4 1 1 m <&\">.yaml\n");
}
