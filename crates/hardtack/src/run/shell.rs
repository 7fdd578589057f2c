//! `hardtack completions` and its kin.

use std::io::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::error::CliError;

/// Prints completions for a shell.
pub(crate) fn completions(arguments: &CompletionsArgs) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut shown(), "hardtack", &mut text);
    std::io::stdout().write_all(&text).map_err(CliError::stream)?;
    Ok(0)
}

/// The program with the verbs that people type: shells would offer those that it calls itself by, too.
fn shown() -> Command {
    let all = Cli::command();
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    let about = all.get_about().cloned().unwrap_or_default();
    Command::new("hardtack").version(env!("CARGO_PKG_VERSION")).about(about).subcommands(verbs)
}

/// Writes man pages of all verbs.
pub(crate) fn man(arguments: &ManArgs) -> Result<u8, CliError> {
    let directory = &arguments.to;
    std::fs::create_dir_all(directory).map_err(|error| CliError::io(directory, "make", error))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    // Verbs within verbs get their whole names.
    command.build();
    pages(&command, "hardtack", directory)?;
    Ok(0)
}

/// The page of `command`, whose whole name is `name`, and those of the verbs within it.
fn pages(command: &Command, name: &str, directory: &Path) -> Result<(), CliError> {
    let path = directory.join(format!("{name}.1"));
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.clone()).title(name);
    page.render(&mut text).map_err(|error| CliError::io(&path, "write", error))?;
    std::fs::write(&path, text).map_err(|error| CliError::io(&path, "write", error))?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        pages(verb, &format!("{name}-{}", verb.get_name()), directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
