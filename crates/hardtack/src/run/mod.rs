//! What the verbs do: one file for each.

mod build;
mod bundle;
mod console;
mod convert;
mod demo;
mod enroll;
mod install;
mod publish;
mod register;
mod trial;
mod unbundle;
mod undo;
mod upload;
mod user_data;

use crate::args::{Cli, Verb};
use crate::error::CliError;

/// Runs the verb and returns the exit code.
pub(crate) fn run(arguments: &Cli) -> Result<u8, CliError> {
    match &arguments.verb {
        Verb::Build(arguments) => build::run(arguments),
        Verb::Convert(arguments) => convert::run(arguments),
        Verb::Bundle(arguments) => bundle::run(arguments),
        Verb::Unbundle(arguments) => unbundle::run(arguments),
        Verb::Install(arguments) => install::run(arguments),
        Verb::Upload(arguments) => upload::run(arguments),
        Verb::Register(arguments) => register::run(arguments),
        Verb::Undo(arguments) => undo::run(arguments),
        Verb::Console(arguments) => console::run(arguments),
        Verb::Enroll(arguments) => enroll::run(arguments),
        Verb::UserData(arguments) => user_data::run(arguments),
        Verb::Demo(arguments) => demo::run(arguments),
    }
}
