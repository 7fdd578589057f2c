//! Verdicts by the published schemas of their formats.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_report::{Control, Outcome, Place, Verdict};
use hardtack_tests::python::environment;

/// Validators; the schemas come out of other packages' sources.
const PACKAGES: [&str; 2] = ["jsonschema[format-nongpl]==4.23.0", "lxml==5.3.0"];
/// OASIS' schema of SARIF 2.1.0, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>, lies in the source of this package.
const SARIF: (&str, &str) = ("sarif-pydantic==0.6.2", "sarif-schema-2.1.0.json");
/// The schema of Jenkins' xUnit plug-in (MIT), as pytest tests itself by it.
const JUNIT: (&str, &str) = ("pytest==8.3.4", "junit-10.xsd");

/// The file of a package's source, kept in `place`.
fn schema(place: &Path, (package, file): (&str, &str)) -> Result<PathBuf, String> {
    let kept = place.join(file);
    if kept.exists() {
        return Ok(kept);
    }
    let folder = tempfile::tempdir_in(place).map_err(|error| error.to_string())?;
    let ran = Command::new(place.join("bin/python"))
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"])
        .args(["--timeout", "20", "--no-deps", "--no-binary", ":all:", "--dest"])
        .arg(folder.path())
        .arg(package)
        .output()
        .map_err(|error| error.to_string())?;
    if !ran.status.success() {
        return Err(format!("{package}: {}", String::from_utf8_lossy(&ran.stderr)));
    }
    let script = "import sys, glob, tarfile\n\
                  source = tarfile.open(glob.glob(sys.argv[1] + '/*.tar.gz')[0])\n\
                  name = [one for one in source.getnames() if one.endswith('/' + sys.argv[2])][0]\n\
                  open(sys.argv[1] + '/schema', 'wb').write(source.extractfile(name).read())\n";
    python(place, script, &[folder.path(), Path::new(file)])?;
    fs::rename(folder.path().join("schema"), &kept).map_err(|error| error.to_string())?;
    Ok(kept)
}

fn python(place: &Path, script: &str, arguments: &[&Path]) -> Result<String, String> {
    let ran = Command::new(place.join("bin/python")).args(["-c", script]).args(arguments).output().unwrap();
    match ran.status.success() {
        true => Ok(String::from_utf8(ran.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
    }
}

/// The validators and both schemas; said aloud where they cannot be had.
fn validators() -> Option<(PathBuf, PathBuf, PathBuf)> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let found = environment("verdicts", &PACKAGES, scratch).and_then(|place: PathBuf| {
        let sarif = schema(&place, SARIF)?;
        let junit = schema(&place, JUNIT)?;
        Ok((place, sarif, junit))
    });
    found.map_err(|why| eprintln!("SKIPPED: no validators of SARIF and JUnit: {why}")).ok()
}

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
    let Some((place, sarif, junit)) = validators() else { return };
    let folder = tempfile::tempdir().unwrap();
    let is_sarif = |text: &str| {
        fs::write(folder.path().join("sarif"), text).unwrap();
        python(&place, IS_SARIF, &[&sarif, &folder.path().join("sarif")])
    };
    let is_junit = |text: &str| {
        fs::write(folder.path().join("junit"), text).unwrap();
        python(&place, IS_JUNIT, &[&junit, &folder.path().join("junit")])
    };
    for verdict in verdicts() {
        assert_eq!(is_sarif(&verdict.to_sarif()), Ok("valid\n".to_owned()), "{}", verdict.image);
        assert_eq!(is_junit(&verdict.to_junit()), Ok("valid\n".to_owned()), "{}", verdict.image);
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

const IS_JUNIT: &str = "\
import sys
from lxml import etree
etree.XMLSchema(etree.parse(sys.argv[1])).assertValid(etree.parse(sys.argv[2], etree.XMLParser(huge_tree=True)))
print('valid')
";
