//! `hardtack completions` and its kin.

use std::path::PathBuf;

use clap::Args;

const COMPLETIONS: &str = "\
Examples:
  hardtack completions bash > /etc/bash_completion.d/hardtack";

/// Print completions for a shell.
#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// What it is about.
    pub(crate) shell: PathBuf,
}

const MAN: &str = "\
Examples:
  hardtack man /usr/share/man/man1";

/// Write man pages of all verbs.
#[derive(Args, Debug)]
#[command(after_help = MAN)]
pub(crate) struct ManArgs {
    /// What it is about.
    pub(crate) to: PathBuf,
}
