//! `hardtack verify`: an image, judged by a recipe.

use std::path::Path;

use hardtack_guest::Stage;
use hardtack_recipe::{Verified, Weight, redact, verify};
use hardtack_report::{Look, Verdict};

use super::build;
use super::written::Written;
use crate::args::{VerdictFormat, VerifyArgs};
use crate::error::{CliError, NO};
use crate::source::Input;
use crate::terminal::Terminal;
use crate::{document, supply};

/// Judges, and ends with 1 when a control failed.
pub(crate) fn run(arguments: &VerifyArgs) -> Result<u8, CliError> {
    is_recipe(&arguments.recipe)?;
    let written = Written::new(&arguments.recipe, &arguments.set);
    let early = written.read()?;
    let input = Input::open(&arguments.image, &arguments.open, arguments.output.as_deref())?;
    let image = build::open_image(input, None)?;
    let supply = supply::open(&arguments.supply)?;
    let mut surroundings = build::surroundings(&image, &arguments.recipe, arguments.agent.as_deref(), false)?;
    surroundings.supply = Some(supply);
    let settled = written.settle(&early, &Stage::new(&image.guest))?;
    let verified = verify(settled.as_ref().unwrap_or(&early), &image.guest, &surroundings)?;
    let verdict = verdict(verified, arguments);
    let text = match arguments.format {
        VerdictFormat::Text => verdict.to_text(look(arguments.output.is_some())),
        VerdictFormat::Json => verdict.to_json(),
        VerdictFormat::Junit => verdict.to_junit(),
        VerdictFormat::Sarif => verdict.to_sarif(),
        VerdictFormat::Html => verdict.to_html(),
    };
    let mut inputs = vec![(&*arguments.image, "image"), (&*arguments.recipe, "recipe")];
    inputs.extend(arguments.agent.as_deref().map(|agent| (agent, "agent")));
    document::write(&text, arguments.output.as_deref(), arguments.force, &inputs)?;
    Ok(if verdict.passed() { 0 } else { NO })
}

fn verdict(verified: Verified, arguments: &VerifyArgs) -> Verdict {
    let note = |note: &hardtack_recipe::Note| {
        let word = if note.weight == Weight::Info { "" } else { "warning: " };
        redact(&format!("{word}{}: {}", note.step, note.text), &verified.secrets)
    };
    Verdict {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        image: arguments.image.display().to_string(),
        against: arguments.recipe.display().to_string(),
        notes: verified.notes.iter().map(note).collect(),
        controls: verified.controls,
    }
}

/// A name without a file is probably a profile; there are none yet.
fn is_recipe(path: &Path) -> Result<(), CliError> {
    if path.exists() || path.extension().is_some() || path.components().count() != 1 {
        return Ok(());
    }
    let message = format!("{}: no such file, and there are no profiles: a recipe is needed", path.display());
    Err(CliError::usage(message)
        .hint("recipes to start from are in image-recipes/ of the source, as debian-3fa.yaml"))
}

fn look(to_file: bool) -> Look {
    let terminal = Terminal::of_stdout();
    let plain = Look::default();
    if to_file {
        return plain;
    }
    Look { width: terminal.width.map_or(plain.width, usize::from).min(plain.width), color: terminal.color }
}
