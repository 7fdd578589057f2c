//! `hardtack build`: a recipe applied to a copy of an image.

use std::io::{Read, Write};
use std::path::Path;

use hardtack_guest::{Edit, Stage};
use hardtack_recipe::{Facts, HostFiles, Note, Options, Plan, RealFiles, Recipe, Surroundings, Weight};
use hardtack_recipe::{load_recipe, redact, stage_recipe};
use serde_json::json;

use super::plan;
use crate::agent_file;
use crate::args::{BuildArgs, HardenArgs};
use crate::error::CliError;
use crate::image::{Finished, Image};
use crate::source::Input;
use crate::{supply, talk, target};

/// A recipe is text that people write; this is a thousand times the largest one seen.
const LARGEST_RECIPE: u64 = 4 << 20;

/// Builds, or with `--plan` tells what a build would change.
pub(crate) fn run(arguments: &BuildArgs) -> Result<u8, CliError> {
    if let Some(output) = &arguments.output {
        check_output(output, arguments)?;
    }
    let recipe = read_recipe(&arguments.recipe)?;
    let input = Input::open(&arguments.source, &arguments.open, arguments.output.as_deref())?;
    let image = open_image(input, arguments.grow)?;
    let supply = supply::open(&arguments.supply)?;
    let mut surroundings =
        surroundings(&image, &arguments.recipe, arguments.agent.as_deref(), arguments.no_deferred)?;
    surroundings.supply = Some(supply.clone());
    let mut stage = Stage::new(&image.guest);
    let notes = stage_recipe(&recipe, &mut stage, &surroundings)
        .map_err(|error| CliError::from(error).redacted(stage.secrets()))?;
    let plan = Plan::new(&stage)?.with_notes(&notes).with_disk(image.grown.clone());
    let mut said = notes_text(&notes, stage.secrets());
    let mut shown = String::new();
    if arguments.plan {
        shown = plan::shown(&plan, arguments.json, &mut said)?;
    }
    // Elsewhere they are talk beside everything else.
    eprint_text(&said);
    let changes = plan.changes().len();
    let edits = stage.edits()?;
    // The stage reads the image that is about to change.
    drop(stage);
    if arguments.plan {
        // What the file systems would refuse is refused now.
        image.rehearse(&edits)?;
        return show(&shown);
    }
    let Some(output) = &arguments.output else {
        return Err(CliError::usage("--output is needed, or --plan"));
    };
    let code = build(image, &edits, output, changes, arguments)?;
    supply::finish(&supply)?;
    Ok(code)
}

/// Opens the guest, and says what is to be known of it.
pub(super) fn open_image(input: Input, grow: Option<u64>) -> Result<Image, CliError> {
    let path = input.path.clone();
    let image = Image::open(input, epoch_from_environment()?, grow)?;
    for note in image.guest.notes() {
        talk::note(&format!("{}: {note}", path.display()));
    }
    Ok(image)
}

pub(super) fn surroundings(
    image: &Image,
    recipe: &Path,
    agent: Option<&Path>,
    no_deferred: bool,
) -> Result<Surroundings, CliError> {
    Ok(Surroundings {
        facts: Facts {
            root_uuid: image.guest.root_uuid().map(str::to_owned),
            recipe_name: recipe.display().to_string(),
        },
        epoch: image.epoch,
        agent_binary: agent_file::find(agent)?,
        options: Options { no_deferred },
        supply: None,
    })
}

/// The image of `input` and what the recipe changes in it, for a verb that writes it in its own way.
pub(super) fn prepare(
    recipe: &Path,
    input: Input,
    harden: &HardenArgs,
) -> Result<(Image, Vec<Edit>, usize), CliError> {
    let loaded = read_recipe(recipe)?;
    prepare_loaded(&loaded, recipe, input, harden)
}

/// The same with a recipe that was read before.
pub(super) fn prepare_loaded(
    loaded: &Recipe,
    recipe: &Path,
    input: Input,
    harden: &HardenArgs,
) -> Result<(Image, Vec<Edit>, usize), CliError> {
    let image = open_image(input, harden.grow)?;
    let supply = supply::open(&harden.supply)?;
    let mut surroundings = surroundings(&image, recipe, harden.agent.as_deref(), false)?;
    surroundings.supply = Some(supply.clone());
    let mut stage = Stage::new(&image.guest);
    let notes = stage_recipe(loaded, &mut stage, &surroundings)
        .map_err(|error| CliError::from(error).redacted(stage.secrets()))?;
    let changes = Plan::new(&stage)?.changes().len();
    eprint_text(&notes_text(&notes, stage.secrets()));
    let edits = stage.edits()?;
    // The stage reads the image that is about to change.
    drop(stage);
    supply::finish(&supply)?;
    Ok((image, edits, changes))
}

fn build(
    image: Image,
    edits: &[Edit],
    output: &Path,
    changes: usize,
    arguments: &BuildArgs,
) -> Result<u8, CliError> {
    let finished = image.write(edits, output, &arguments.target)?;
    let Finished { written, format, confirmation, left_out } = finished;
    for unread in &confirmation.unread {
        talk::note(&format!("not read back by a second implementation: {unread}"));
    }
    let mut out = std::io::stdout().lock();
    let told = if arguments.json {
        let result = json!({
            "output": output.display().to_string(),
            "format": format.name(),
            "virtual_size": written.virtual_size,
            "file_size": written.file_size,
            "data": written.data,
            "left_out": left_out,
            "changes": changes,
            "confirmed": confirmation.confirmed,
            "unconfirmed": confirmation.unread,
        });
        writeln!(out, "{result}")
    } else {
        writeln!(
            out,
            "{}: {}, {} read back and as planned, {}",
            output.display(),
            count(changes, "change"),
            count(confirmation.confirmed, "path"),
            format.name()
        )
    };
    told.map_err(CliError::stream)?;
    Ok(0)
}

/// Everything that is wrong with the output's name is told before any work is done.
fn check_output(output: &Path, arguments: &BuildArgs) -> Result<(), CliError> {
    let mut inputs = vec![(&*arguments.source, "source"), (&*arguments.recipe, "recipe")];
    inputs.extend(arguments.agent.as_deref().map(|agent| (agent, "agent")));
    target::format(output, &arguments.target)?;
    target::check_output(output, arguments.plan || arguments.target.force, &inputs)
}

pub(super) fn show(text: &str) -> Result<u8, CliError> {
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::stream)?;
    Ok(0)
}

pub(super) fn read_recipe(path: &Path) -> Result<Recipe, CliError> {
    let environment = |name: &str| std::env::var(name).ok();
    read_recipe_with(path, &environment, &RealFiles)
}

/// Reads a recipe; `environment` and `files` are asked for what it refers to.
pub(super) fn read_recipe_with(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    files: &dyn HostFiles,
) -> Result<Recipe, CliError> {
    let fail = |error| CliError::io(path, "read the recipe", error);
    let mut bytes = Vec::new();
    // The size that a pipe or a device names is not what comes out of it.
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(LARGEST_RECIPE + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST_RECIPE {
        let message = format!("{}: more than {LARGEST_RECIPE} bytes are no recipe", path.display());
        return Err(CliError::usage(message));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        CliError::usage(format!("{}:{}: the recipe is not UTF-8 text", path.display(), line + 1))
    })?;
    let recipe = load_recipe(path, &text, environment, files)?;
    if !recipe.warnings.is_empty() {
        talk::line(hardtack_yaml::render(&text, &recipe.warnings).trim_end());
    }
    Ok(recipe)
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org), if it is set.
pub(super) fn epoch_from_environment() -> Result<Option<i64>, CliError> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(seconds) => Ok(Some(i64::from(seconds))),
        Err(_) => Err(CliError::usage(format!(
            "SOURCE_DATE_EPOCH={text}: not a number of seconds since 1970, up to {}",
            u32::MAX
        ))),
    }
}

pub(super) fn notes_text(notes: &[Note], secrets: &[String]) -> String {
    let line = |note: &Note| {
        let word = match note.weight {
            Weight::Info => "note",
            Weight::Warning | Weight::Capital => "warning",
        };
        redact(&format!("{word}: {}: {}\n", note.step, note.text), secrets)
    };
    notes.iter().map(line).collect()
}

pub(super) fn eprint_text(text: &str) {
    // What is said on standard error is talk; the work goes on without a listener.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
