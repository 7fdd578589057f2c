//! `hardtack demo`: the main job on the sample image inside this program.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::build;
use crate::args::{BuildArgs, CacheWhere, DemoArgs, SourceArgs, SupplyArgs, TargetArgs};
use crate::error::{CliError, LOCAL_IO};

/// The sample cloud image; `tests/images/make-sample.sh` makes it.
const SAMPLE: &[u8] = include_bytes!("../../demo/sample.qcow2");
const RECIPE: &[u8] = include_bytes!("../../demo/demo.yaml");
/// A public key whose private half was thrown away: nobody can log in with it.
const KEY: &[u8] = include_bytes!("../../demo/id_ed25519.pub");
const PASSWORD: &[u8] = b"demo, not for a real image\n";

const RESULT: &str = "hardened.qcow2";

/// Writes sample and recipe, shows the plan, builds, and says what to do next.
pub(crate) fn run(arguments: &DemoArgs) -> Result<u8, CliError> {
    let directory = &arguments.directory;
    let inputs: [(&str, &[u8]); 4] =
        [("sample.qcow2", SAMPLE), ("demo.yaml", RECIPE), ("id_ed25519.pub", KEY), ("password", PASSWORD)];
    look(directory, &inputs)?;
    std::fs::create_dir_all(directory)
        .map_err(|error| CliError::io(directory, "create the directory", error))?;
    for (name, content) in inputs {
        write(&directory.join(name), content)?;
    }
    let recipe = directory.join("demo.yaml");
    let mut build = BuildArgs {
        cache: CacheWhere::default(),
        no_cache: true,
        recipe: Some(recipe.clone()),
        matrix: None,
        jobs: None,
        only: Vec::new(),
        junit: None,
        row: None,
        parent: None,
        source: Some(directory.join("sample.qcow2")),
        set: Vec::new(),
        supply: SupplyArgs::default(),
        output: Some(directory.join(RESULT)),
        open: SourceArgs::default(),
        target: TargetArgs { force: true, ..TargetArgs::default() },
        grow: None,
        plan: true,
        json: false,
        settle: false,
        settle_timeout: 0,
        accel: None,
        no_deferred: false,
        no_provenance: false,
        agent: arguments.agent.clone(),
    };
    say(&format!("The recipe, {}:\n\n{}\n", recipe.display(), String::from_utf8_lossy(RECIPE)))?;
    say("The plan (hardtack build … --plan):\n\n")?;
    build::run(&build)?;
    build.plan = false;
    say("\nThe build (hardtack build …):\n\n")?;
    let code = build::run(&build)?;
    say(&format!(
        "\nThe hardened image is {output}.\n\
         What to do next:\n\
         \x20 - build the same again: the bytes are the same\n\
         \x20 - `hardtack build {recipe} --source {output} --plan` says that nothing is left to do\n\
         \x20 - harden an image of your own: image-recipes/README.md\n",
        output = directory.join(RESULT).display(),
        recipe = recipe.display(),
    ))?;
    Ok(code)
}

/// Nothing of somebody else's is overwritten: what is there is an earlier demo's, or nothing is done.
fn look(directory: &Path, inputs: &[(&str, &[u8])]) -> Result<(), CliError> {
    let foreign = |path: &Path| {
        CliError::new(LOCAL_IO, format!("{}: exists already and is not this demo's", path.display()))
            .hint("name another --directory, or remove the one of an older demo")
    };
    let mut ours = true;
    for (name, content) in inputs {
        let path = directory.join(name);
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => ours = false,
            Ok(found) if found.is_file() && found.len() == content.len() as u64 => {
                let present = std::fs::read(&path).map_err(|error| CliError::io(&path, "read it", error))?;
                if present != *content {
                    return Err(foreign(&path));
                }
            }
            Ok(_) => return Err(foreign(&path)),
            // What cannot be looked at cannot be written either, and the next step says why.
            Err(_) => return Ok(()),
        }
    }
    let result = directory.join(RESULT);
    if !ours && result.symlink_metadata().is_ok() { Err(foreign(&result)) } else { Ok(()) }
}

fn write(path: &Path, content: &[u8]) -> Result<(), CliError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .map_err(|error| CliError::io(path, "write the file", error))
}

fn say(text: &str) -> Result<(), CliError> {
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::stream)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_an_earlier_demo_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let inputs: [(&str, &[u8]); 2] = [("demo.yaml", b"recipe"), ("password", b"secret")];
        assert!(look(&at("not there"), &inputs).is_ok());
        assert!(look(directory.path(), &inputs).is_ok());
        std::fs::write(at("password"), "mine").unwrap();
        let error = look(directory.path(), &inputs).unwrap_err();
        assert_eq!(error.exit_code(), LOCAL_IO);
        assert!(error.report().contains("password: exists already"), "{}", error.report());
        std::fs::write(at("password"), "secret").unwrap();
        std::fs::write(at(RESULT), "an image of mine").unwrap();
        assert!(look(directory.path(), &inputs).is_err());
        std::fs::write(at("demo.yaml"), "recipe").unwrap();
        assert!(look(directory.path(), &inputs).is_ok());
        std::fs::remove_file(at("password")).unwrap();
        std::os::unix::fs::symlink("demo.yaml", at("password")).unwrap();
        assert!(look(directory.path(), &inputs).is_err(), "a link is not followed");
    }
}
