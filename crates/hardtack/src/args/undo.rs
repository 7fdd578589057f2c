//! `hardtack undo`.

use std::path::PathBuf;

use clap::Args;

use super::place::Auth;

const EXAMPLE: &str = "\
Examples:
  hardtack undo web-1.journal
  hardtack undo web-1.journal --profile build

Place, region and addresses stand in the journal; credentials come from the environment and the files, as for
install. When everything is gone the journal is removed. What could not be removed still stands in it: run it
again.

Exit codes: 0 done, 2 wrong usage or credentials, 3 not a journal, 4 local input or output, 5 a remote service.";

/// Take away what install, upload or register made.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct UndoArgs {
    /// The journal.
    pub(crate) journal: PathBuf,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// The profile of ~/.aws/config and ~/.aws/credentials; else AWS_PROFILE.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// How requests are signed: v2 is for old Eucalyptus.
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) auth: Option<Auth>,

    /// An eucarc file. It is read, not run.
    #[arg(long, alias = "config", value_name = "FILE")]
    pub(crate) eucarc: Option<PathBuf>,

    /// Ask the machine that this runs on for its role's keys, too.
    #[arg(long)]
    pub(crate) instance_metadata: bool,

    /// Say each call to a cloud on standard error, without secrets.
    #[arg(long)]
    pub(crate) debug: bool,
}
