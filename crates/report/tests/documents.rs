//! Verdicts by the published schemas of their formats.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::Path;

use hardtack_report::{Control, Outcome, Place, Verdict};
use hardtack_tests::schemas::{check_junit, python, verdicts as schemas};

fn verdicts() -> Vec<Verdict> {
    let awkward = "/a]]><x y=\"'&amp;\u{1b}[31m\u{202e}txt.\u{0}\u{ffff}\u{2028}{0} [x](y) \\ %2F?#é\n<b>";
    let control = |id: &str, outcome, text: &str, line| Control {
        id: id.to_owned(),
        title: text.to_owned(),
        outcome,
        why: if outcome == Outcome::Pass { String::new() } else { text.to_owned() },
        places: vec![Place { path: format!("/etc/{text}"), line }],
        help: text.to_owned(),
    };
    let verdict = |name: &str, controls: Vec<Control>| Verdict {
        version: "0.1.0".to_owned(),
        image: name.to_owned(),
        against: name.to_owned(),
        notes: controls.iter().map(|control| control.title.clone()).collect(),
        controls,
    };
    let many =
        (0..150).map(|number| control(&format!("files/{number} x"), Outcome::Fail, "x", Some(number + 1)));
    vec![
        verdict("none", Vec::new()),
        verdict(
            awkward,
            vec![
                control("files", Outcome::Fail, "", None),
                control(awkward, Outcome::Fail, awkward, Some(7)),
                control("b", Outcome::Pass, awkward, None),
                control("c", Outcome::NotApplicable, awkward, None),
            ],
        ),
        verdict("many", many.collect()),
    ]
}

#[test]
fn sarif_and_junit_are_valid_by_their_published_schemas() {
    let Some((place, sarif, junit)) = schemas(Path::new(env!("CARGO_TARGET_TMPDIR"))) else { return };
    let folder = tempfile::tempdir().unwrap();
    let is_sarif = |text: &str| {
        fs::write(folder.path().join("sarif"), text).unwrap();
        python(&place, IS_SARIF, &[&sarif, &folder.path().join("sarif")])
    };
    let is_junit = |text: &str| {
        fs::write(folder.path().join("junit"), text).unwrap();
        check_junit(&place, &junit, &folder.path().join("junit"))
    };
    for verdict in verdicts() {
        assert_eq!(is_sarif(&verdict.to_sarif()), Ok("valid\n".to_owned()), "{}", verdict.image);
        assert_eq!(is_junit(&verdict.to_junit()), Ok(()), "{}", verdict.image);
    }
    // The validators do look.
    let verdict = &verdicts()[1];
    assert!(is_sarif(&verdict.to_sarif().replace("\"driver\"", "\"drivers\"")).is_err());
    assert!(is_sarif(&verdict.to_sarif().replace("a%5D", "a b^")).is_err());
    assert!(is_junit(&verdict.to_junit().replace("<failure ", "<failures ")).is_err());
}

const IS_SARIF: &str = "\
import sys, json
from jsonschema import Draft7Validator, FormatChecker
schema = json.load(open(sys.argv[1]))
Draft7Validator.check_schema(schema)
Draft7Validator(schema, format_checker=FormatChecker()).validate(json.load(open(sys.argv[2])))
print('valid')
";
