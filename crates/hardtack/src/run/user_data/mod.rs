//! `hardtack user-data`: what people hand to a new instance, checked, shown, tried out and packed.

mod check;
mod image_config;
pub(super) mod input;
pub(super) mod machine;
mod pack;
mod plan;
mod show;
mod totp;
mod ways_in;
mod yaml;

use crate::args::{UserDataArgs, UserDataVerb};
use crate::error::CliError;

pub(super) use check::against;
pub(super) use input::read_all;

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
