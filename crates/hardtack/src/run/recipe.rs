//! `hardtack recipe import`: what another tool's command line is as a recipe.

use std::io::Read as _;

use hardtack_recipe::import::{self, Imported, Tool};

use super::peers::{around, texts, told};
use crate::args::{ImportArgs, RecipeArgs, RecipeVerb};
use crate::document;
use crate::error::CliError;
use crate::talk;

/// A file of commands is text that people write.
const LARGEST: u64 = 4 << 20;

/// Runs a verb about recipes.
pub(crate) fn run(arguments: &RecipeArgs) -> Result<u8, CliError> {
    match &arguments.verb {
        RecipeVerb::Import(arguments) => import(arguments),
    }
}

fn import(arguments: &ImportArgs) -> Result<u8, CliError> {
    let tool = if arguments.sysprep { Tool::Sysprep } else { Tool::Customize };
    let imported = around(&[], |around| match &arguments.file {
        None => Ok(import::command_line(tool, &texts(&arguments.rest)?, around)?),
        Some(path) if arguments.rest.is_empty() => {
            let fail = |error| CliError::io(path, "read the commands", error);
            let mut text = String::new();
            if path.as_os_str() == "-" {
                std::io::stdin().lock().take(LARGEST).read_to_string(&mut text).map_err(fail)?;
            } else {
                let file = std::fs::File::open(path).map_err(fail)?;
                file.take(LARGEST).read_to_string(&mut text).map_err(fail)?;
            }
            Ok(import::commands(tool, &path.display().to_string(), &text, around)?)
        }
        Some(_) => Err(CliError::usage("a file of commands or a command line, not both")),
    })?;
    told(&imported);
    let Imported { recipe, passwords, images, .. } = imported;
    for password in passwords {
        let what = if password.value.is_some() { "is not taken over" } else { "is to be made by you" };
        talk::note(&format!(
            "the password of {} {what}: set {} for the build",
            password.user, password.variable
        ));
    }
    if !images.is_empty() {
        talk::note("-a: a recipe names no image; it is --source of `hardtack build`");
    }
    document::write(&recipe, None, false, &[])?;
    Ok(0)
}
