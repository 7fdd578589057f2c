//! `hardtack undo`.

use std::path::PathBuf;

use clap::Args;

use super::place::AccessArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack undo web-1.journal
  hardtack undo web-1.journal --profile build

Place, region and addresses stand in the journal; credentials come from the environment and the files, as for
install. When everything is gone the journal is removed, and so is the private key that launch --new-key wrote, unless
other instances were started with it. What could not be removed still stands in the journal: run it again.

Exit codes: 0 done, 2 wrong usage or credentials, 3 not a journal, 4 local input or output, 5 a remote service.";

/// Take away what install, upload, register, launch, stack create or service-image install made.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct UndoArgs {
    /// The journal.
    pub(crate) journal: PathBuf,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Who asks, and how.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}
