//! The command line: one file for each verb.

mod build;
mod bundle;
mod console;
mod convert;
mod demo;
mod enroll;
mod size;
mod source;
mod target;
mod unbundle;
mod user_data;

pub(crate) use build::BuildArgs;
pub(crate) use bundle::{BundleArgs, FilesArgs, GzipName};
pub(crate) use console::ConsoleArgs;
pub(crate) use convert::ConvertArgs;
pub(crate) use demo::DemoArgs;
pub(crate) use enroll::EnrollArgs;
pub(crate) use source::SourceArgs;
pub(crate) use target::{CompressionName, Format, TargetArgs};
pub(crate) use unbundle::UnbundleArgs;
pub(crate) use user_data::{
    CheckArgs, CloudName, GzipWhen, PackArgs, PlanArgs, ReadArgs, ShowArgs, TotpArgs, UserDataArgs,
    UserDataVerb,
};

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the answer is no (no credentials block was found, user-data has errors, a
     bundle is damaged)
  2  wrong usage, or a recipe that does not check
  3  the input is refused: damaged, unsupported, or a step that cannot be done on it
  4  local input or output: a missing file, a full disk, an existing output
  5  a remote service";

/// Hard-baked cloud images: hardened offline, as an ordinary user, in one command.
#[derive(Parser, Debug)]
#[command(name = "hardtack", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Harden an image: apply a recipe to a copy of it.
    Build(BuildArgs),
    /// Write a disk in another format, out of whatever it is packed in.
    Convert(ConvertArgs),
    /// Make a bundle of an image, for the instance store of Eucalyptus or EC2.
    Bundle(Box<BundleArgs>),
    /// Make an image of a bundle again, or check the bundle.
    Unbundle(UnbundleArgs),
    /// Read the credentials block that a machine printed on its console.
    Console(ConsoleArgs),
    /// Give a user of an image a new second factor, offline, or none.
    Enroll(EnrollArgs),
    /// Check, show, try out and pack the user-data of instances.
    UserData(UserDataArgs),
    /// Show the main job on a small sample image.
    Demo(DemoArgs),
}
