//! `hardtack verify`: an image, judged by a recipe.

use std::path::Path;

use hardtack_guest::Stage;
use hardtack_profile::{Kind, Profile};
use hardtack_recipe::{Verified, Weight, redact, verify, verify_profile};
use hardtack_report::{Look, Verdict};

use super::written::Written;
use super::{build, profiles};
use crate::args::{VerdictFormat, VerifyArgs};
use crate::error::{CliError, NO};
use crate::source::Input;
use crate::terminal::Terminal;
use crate::{document, supply};

/// Judges, and ends with 1 when a control failed.
pub(crate) fn run(arguments: &VerifyArgs) -> Result<u8, CliError> {
    if let Some(kind) = profile(&arguments.recipe)? {
        return against(kind, arguments);
    }
    let written = Written::new(&arguments.recipe, &arguments.set);
    let early = written.read()?;
    let input = Input::open(&arguments.image, &arguments.open, arguments.output.as_deref())?;
    let image = build::open_image(input, None)?;
    let supply = supply::open(&arguments.supply)?;
    let mut surroundings = build::surroundings(&image, &arguments.recipe, arguments.agent.as_deref(), false)?;
    surroundings.supply = Some(supply);
    let settled = written.settle(&early, &Stage::new(&image.guest))?;
    let verified = verify(settled.as_ref().unwrap_or(&early), &image.guest, &surroundings)?;
    tell(&verdict(verified, arguments), arguments)
}

/// Judges by a profile as it comes.
fn against(kind: Kind, arguments: &VerifyArgs) -> Result<u8, CliError> {
    if let Some((name, _)) = arguments.set.first() {
        return Err(CliError::usage(format!("--set {name}: a profile has no variables"))
            .hint("what is different about a profile stands in a recipe: profile: {name: …}"));
    }
    let input = Input::open(&arguments.image, &arguments.open, arguments.output.as_deref())?;
    let image = build::open_image(input, None)?;
    let controls = verify_profile(&Profile::new(kind), &image.guest)?;
    let verified = Verified { controls, notes: Vec::new(), secrets: Vec::new() };
    tell(&verdict(verified, arguments), arguments)
}

fn tell(verdict: &Verdict, arguments: &VerifyArgs) -> Result<u8, CliError> {
    let text = match arguments.format {
        VerdictFormat::Text => verdict.to_text(look(arguments.output.is_some())),
        VerdictFormat::Json => verdict.to_json(),
        VerdictFormat::Junit => verdict.to_junit(),
        VerdictFormat::CodeQuality => verdict.to_code_quality(),
        VerdictFormat::Sarif => verdict.to_sarif(),
        VerdictFormat::Html => verdict.to_html(),
    };
    let mut inputs = vec![(&*arguments.image, "image")];
    if Kind::named(&verdict.against).is_none() {
        inputs.push((&*arguments.recipe, "recipe"));
    }
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

/// A bare word is a profile's name; one that is both is the file, told so by a path: `./cis-1`.
fn profile(path: &Path) -> Result<Option<Kind>, CliError> {
    let Some(word) = path.to_str().filter(|word| !word.contains(['/', '.'])) else { return Ok(None) };
    if let Some(kind) = Kind::named(word) {
        return Ok(Some(kind));
    }
    if path.exists() {
        return Ok(None);
    }
    let message = format!("{word}: no such file, and no profile of that name");
    Err(CliError::usage(message).hint(format!(
        "profiles are {}; recipes to start from are in image-recipes/ of the source, as debian-3fa.yaml",
        profiles::names()
    )))
}

fn look(to_file: bool) -> Look {
    let terminal = Terminal::of_stdout();
    let plain = Look::default();
    if to_file {
        return plain;
    }
    Look { width: terminal.width.map_or(plain.width, usize::from).min(plain.width), color: terminal.color }
}
