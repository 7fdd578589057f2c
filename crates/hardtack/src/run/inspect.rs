//! `hardtack inspect`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use hardtack_disk::{BlockWrite, Overlay};
use hardtack_guest::{Error, Guest, Stage};
use hardtack_inspect::text::safe;
use hardtack_inspect::{Inspection, Options, inspect, text};
use hardtack_recipe::{Facts, Surroundings, redact, stage_recipe, verify};
use serde_json::{Value, json};

use super::written::Written;
use crate::agent_file;
use crate::args::{InspectArgs, SourceArgs};
use crate::error::{CliError, NO};
use crate::source::Input;

/// Tell what an image holds.
pub(crate) fn run(arguments: &InspectArgs) -> Result<u8, CliError> {
    let image = &arguments.image;
    let written = arguments.recipe.as_deref().map(|path| Written::new(path, &[]));
    let recipe = written.map(Written::read).transpose()?;
    let days = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|time| time.as_secs() / 86_400);
    let options =
        Options { packages: arguments.packages, today: days.ok().and_then(|days| i64::try_from(days).ok()) };
    let (inspection, guest) = look(image, &arguments.open, options)?;
    let steps = match (written, &recipe, &guest) {
        (Some(written), Some(recipe), Ok(guest)) => Some(steps(arguments, written, recipe, guest)?),
        (Some(_), _, Err(error)) => {
            return Err(CliError::refused(format!("no recipe can be applied: {error}")).within(image));
        }
        _ => None,
    };
    let possible = steps.as_ref().is_none_or(|steps| steps.iter().all(|step| step.why.is_empty()));
    let shown = if arguments.json {
        let mut value = serde_json::to_value(&inspection).map_err(|error| CliError::stream(error.into()))?;
        value["image"] = image.display().to_string().into();
        if let Some(steps) = &steps {
            let told =
                |step: &Step| json!({ "step": step.name, "possible": step.why.is_empty(), "why": step.why });
            value["recipe"] =
                json!({ "possible": possible, "steps": steps.iter().map(told).collect::<Value>() });
        }
        format!("{value:#}\n")
    } else {
        let mut shown = text::render(&inspection);
        if let Some(steps) = &steps {
            shown.push_str("\nRecipe\n");
            for step in steps {
                let word = if step.why.is_empty() { "can be applied" } else { "cannot be applied" };
                shown.push_str(&format!("  {:<16}{word}\n", step.name));
                for why in &step.why {
                    shown.push_str(&format!("{:18}{}\n", "", safe(why)));
                }
            }
        }
        shown
    };
    std::io::stdout().write_all(shown.as_bytes()).map_err(CliError::stream)?;
    Ok(if possible { 0 } else { NO })
}

/// Looks at an image; nothing is written to it.
pub(super) fn look(
    path: &Path,
    open: &SourceArgs,
    options: Options,
) -> Result<(Inspection, Result<Guest, Error>), CliError> {
    let input = Input::open(path, open, None)?;
    // What the disk says of itself is told as it is: opening the guest recovers its journal.
    let as_is: Arc<dyn BlockWrite> = Arc::new(Overlay::new(input.disk.clone()));
    let guest = Guest::open_to_read(Arc::new(Overlay::new(input.disk.clone())));
    let found = inspect(&as_is, guest.as_ref(), options);
    Ok((found.map_err(|error| CliError::from(error).within(path))?, guest))
}

/// What one step of a recipe needs and does not find.
struct Step {
    name: String,
    why: Vec<String>,
}

fn steps(
    arguments: &InspectArgs,
    written: Written<'_>,
    early: &hardtack_recipe::Recipe,
    guest: &Guest,
) -> Result<Vec<Step>, CliError> {
    let around = Surroundings {
        facts: Facts {
            root_uuid: guest.root_uuid().map(str::to_owned),
            recipe_name: written.path.display().to_string(),
        },
        agent_binary: agent_file::find(arguments.agent.as_deref())?,
        // Nobody on the network is asked.
        ..Surroundings::default()
    };
    let mut stage = Stage::new(guest);
    let settled = written.settle(early, &stage)?;
    let recipe = settled.as_ref().unwrap_or(early);
    let mut steps: Vec<Step> = Vec::new();
    for step in &recipe.steps {
        if !steps.iter().any(|known| known.name == step.name()) {
            steps.push(Step { name: step.name().to_owned(), why: Vec::new() });
        }
    }
    let Err(error) = stage_recipe(recipe, &mut stage, &around) else { return Ok(steps) };
    let error = redact(&error.to_string(), stage.secrets());
    // Each step by itself, whatever became of the others.
    let judged = verify(recipe, guest, &around);
    let controls = judged.as_ref().map(|judged| judged.controls.as_slice()).unwrap_or_default();
    for control in controls {
        // Of those that could not be carried out it says so; what only differs can be changed.
        for why in control.why.lines() {
            let Some((name, what)) = why.strip_prefix("step ").and_then(|rest| rest.split_once(": ")) else {
                continue;
            };
            put(&mut steps, name, what);
        }
    }
    if steps.iter().all(|step| step.why.is_empty()) {
        let (name, what) = match error.strip_prefix("step ").and_then(|rest| rest.split_once(": ")) {
            Some((name, what)) => (name, what),
            None => ("recipe", error.as_str()),
        };
        put(&mut steps, name, what);
    }
    Ok(steps)
}

fn put(steps: &mut Vec<Step>, name: &str, what: &str) {
    let index = steps.iter().position(|step| step.name == name).unwrap_or_else(|| {
        steps.push(Step { name: name.to_owned(), why: Vec::new() });
        steps.len() - 1
    });
    if !steps[index].why.iter().any(|known| known == what) {
        steps[index].why.push(what.to_owned());
    }
}
