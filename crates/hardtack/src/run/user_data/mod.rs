//! `hardtack user-data`: what people hand to a new instance, checked, shown, tried out and packed.

mod check;
mod image_config;
mod input;
mod machine;
mod pack;
mod plan;
mod secrecy;
mod show;
mod totp;
mod ways_in;
mod yaml;

use crate::args::{UserDataArgs, UserDataVerb};
use crate::error::CliError;

/// Runs `hardtack user-data`.
pub(crate) fn run(arguments: &UserDataArgs) -> Result<u8, CliError> {
    match &arguments.verb {
        UserDataVerb::Check(arguments) => check::run(arguments),
        UserDataVerb::Show(arguments) => show::run(arguments),
        UserDataVerb::Plan(arguments) => plan::run(arguments),
        UserDataVerb::Pack(arguments) => pack::run(arguments),
        UserDataVerb::Totp(arguments) => totp::run(arguments),
    }
}
