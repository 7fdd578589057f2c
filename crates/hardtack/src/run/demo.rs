//! `hardtack demo`: the main job on the sample image inside this program.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::build;
use crate::args::{BuildArgs, DemoArgs};
use crate::error::CliError;

/// The sample cloud image; `tests/images/make-sample.sh` makes it.
const SAMPLE: &[u8] = include_bytes!("../../demo/sample.qcow2");
const RECIPE: &[u8] = include_bytes!("../../demo/demo.yaml");
/// A public key whose private half was thrown away: nobody can log in with it.
const KEY: &[u8] = include_bytes!("../../demo/id_ed25519.pub");
const PASSWORD: &[u8] = b"demo, not for a real image\n";

/// Writes sample and recipe, shows the plan, builds, and says what to do next.
pub(crate) fn run(arguments: &DemoArgs) -> Result<u8, CliError> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory)
        .map_err(|error| CliError::io(directory, "create the directory", error))?;
    for (name, content) in
        [("sample.qcow2", SAMPLE), ("demo.yaml", RECIPE), ("id_ed25519.pub", KEY), ("password", PASSWORD)]
    {
        write(&directory.join(name), content)?;
    }
    let mut build = BuildArgs {
        recipe: directory.join("demo.yaml"),
        source: directory.join("sample.qcow2"),
        output: Some(directory.join("hardened.qcow2")),
        format: None,
        force: true,
        plan: true,
        json: false,
        no_deferred: false,
        agent: arguments.agent.clone(),
    };
    say(&format!("The recipe, {}:\n\n{}\n", build.recipe.display(), String::from_utf8_lossy(RECIPE)))?;
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
        output = directory.join("hardened.qcow2").display(),
        recipe = build.recipe.display(),
    ))?;
    Ok(code)
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
