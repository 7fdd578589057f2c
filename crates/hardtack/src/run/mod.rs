//! What the verbs do: one file for each.

mod audit;
mod build;
mod bundle;
mod cache;
mod cached;
mod console;
mod convert;
mod demo;
mod diff;
mod enroll;
mod euca_lines;
mod hidden;
mod images;
mod inspect;
mod install;
mod instances;
mod launch;
mod look;
mod machines;
mod matrix;
mod packages;
mod peers;
mod plan;
mod profiles;
mod publish;
mod recipe;
mod register;
mod sbom;
mod schema;
mod service_image;
mod settle;
mod shell;
mod stack;
mod terminate;
mod trial;
mod types;
mod unbundle;
mod undo;
mod upload;
mod user_data;
mod verify;
mod written;

use crate::args::{Cli, Verb};
use crate::error::CliError;

/// Runs the verb and returns the exit code.
pub(crate) fn run(arguments: &Cli) -> Result<u8, CliError> {
    match &arguments.verb {
        Verb::Build(arguments) => build::run(arguments),
        Verb::Cache(arguments) => cache::run(arguments),
        Verb::Matrix(arguments) => matrix::list(arguments),
        Verb::Convert(arguments) => convert::run(arguments),
        Verb::Bundle(arguments) => bundle::run(arguments),
        Verb::Unbundle(arguments) => unbundle::run(arguments),
        Verb::Install(arguments) => install::run(arguments),
        Verb::Upload(arguments) => upload::run(arguments),
        Verb::Register(arguments) => register::run(arguments),
        Verb::Undo(arguments) => undo::run(arguments),
        Verb::Console(arguments) => console::run(arguments),
        Verb::Launch(arguments) => launch::run(arguments),
        Verb::Images(arguments) => images::run(arguments),
        Verb::Instances(arguments) => instances::run(arguments),
        Verb::Types(arguments) => types::run(arguments),
        Verb::Terminate(arguments) => terminate::run(arguments),
        Verb::Stack(arguments) => stack::run(arguments),
        Verb::ServiceImage(arguments) => service_image::run(arguments),
        Verb::Audit(arguments) => audit::run(arguments),
        Verb::Supervise(arguments) => hidden::supervise(arguments),
        Verb::Switch(arguments) => hidden::switch(arguments),
        Verb::Relay(arguments) => hidden::relay(arguments),
        Verb::Enroll(arguments) => enroll::run(arguments),
        Verb::UserData(arguments) => user_data::run(arguments),
        Verb::Plan(arguments) => plan::run(arguments),
        Verb::Verify(arguments) => verify::run(arguments),
        Verb::Profiles(arguments) => profiles::run(arguments),
        Verb::Inspect(arguments) => inspect::run(arguments),
        Verb::Diff(arguments) => diff::run(arguments),
        Verb::Ls(arguments) => look::ls(arguments),
        Verb::Cat(arguments) => look::cat(arguments),
        Verb::Cp(arguments) => look::cp(arguments),
        Verb::Tar(arguments) => look::tar(arguments),
        Verb::Sbom(arguments) => sbom::run(arguments),
        Verb::Schema(arguments) => schema::run(arguments),
        Verb::Completions(arguments) => shell::completions(arguments),
        Verb::Man(arguments) => shell::man(arguments),
        Verb::Customize(arguments) => peers::customize(arguments),
        Verb::Sysprep(arguments) => peers::sysprep(arguments),
        Verb::Recipe(arguments) => recipe::run(arguments),
        Verb::Packages(arguments) => packages::run(arguments),
        Verb::Demo(arguments) => demo::run(arguments),
    }
}
