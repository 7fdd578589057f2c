//! Published schemas, and validators that go by them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python::environment;

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

/// Runs a script in the environment: what it prints, or what it says of an error.
pub fn python(place: &Path, script: &str, arguments: &[&Path]) -> Result<String, String> {
    let ran = Command::new(place.join("bin/python")).args(["-c", script]).args(arguments).output().unwrap();
    match ran.status.success() {
        true => Ok(String::from_utf8(ran.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
    }
}

/// An environment with validators, and the schemas of SARIF and JUnit; said aloud where they cannot be had.
pub fn verdicts(scratch: &Path) -> Option<(PathBuf, PathBuf, PathBuf)> {
    let found = environment("verdicts", &PACKAGES, scratch).and_then(|place: PathBuf| {
        let sarif = schema(&place, SARIF)?;
        let junit = schema(&place, JUNIT)?;
        Ok((place, sarif, junit))
    });
    found.map_err(|why| eprintln!("SKIPPED: no validators of SARIF and JUnit: {why}")).ok()
}

/// Whether a file is what the schema of JUnit's XML says; else what is wrong.
pub fn check_junit(place: &Path, schema: &Path, file: &Path) -> Result<(), String> {
    python(place, IS_JUNIT, &[schema, file]).map(|_| ())
}

const IS_JUNIT: &str = "\
import sys
from lxml import etree
etree.XMLSchema(etree.parse(sys.argv[1])).assertValid(etree.parse(sys.argv[2], etree.XMLParser(huge_tree=True)))
print('valid')
";

/// Schemas of CI engines, each as it is published: check-jsonschema carries those of GitHub and GitLab, kubernetes-validate
/// those of Kubernetes.
const ENGINES: [&str; 2] = ["check-jsonschema==0.39.0", "kubernetes-validate==1.37.0"];

/// What there is a schema of.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    /// A workflow of GitHub Actions.
    GithubWorkflow,
    /// An action of GitHub.
    GithubAction,
    /// A pipeline of GitLab.
    GitlabCi,
    /// Objects of Kubernetes.
    Kubernetes,
}

/// An environment with the schemas of CI engines; said aloud where it cannot be had.
pub fn engines(scratch: &Path) -> Option<PathBuf> {
    let found = environment("engines", &ENGINES, scratch);
    found.map_err(|why| eprintln!("SKIPPED: no schemas of CI engines: {why}")).ok()
}

/// Whether a file is what its schema says; else what is wrong.
pub fn check(place: &Path, of: Engine, file: &Path) -> Result<(), String> {
    let mut command = match of {
        Engine::Kubernetes => {
            let mut command = Command::new(place.join("bin/kubernetes-validate"));
            command.arg("--strict");
            command
        }
        other => {
            let schema = match other {
                Engine::GithubWorkflow => "vendor.github-workflows",
                Engine::GithubAction => "vendor.github-actions",
                _ => "vendor.gitlab-ci",
            };
            let mut command = Command::new(place.join("bin/check-jsonschema"));
            command.args(["--builtin-schema", schema]);
            if matches!(other, Engine::GitlabCi) {
                command.args(["--data-transform", "gitlab-ci"]);
            }
            command
        }
    };
    let ran = command.arg(file).output().map_err(|error| error.to_string())?;
    match ran.status.success() {
        true => Ok(()),
        false => {
            Err(format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)))
        }
    }
}
