//! `hardtack completions` and its kin.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

const COMPLETIONS: &str = "\
Examples:
  hardtack completions bash > /usr/share/bash-completion/completions/hardtack
  hardtack completions zsh > /usr/share/zsh/vendor-completions/_hardtack
  hardtack completions fish > ~/.config/fish/completions/hardtack.fish";

/// Print completions for a shell.
#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

const MAN: &str = "\
Examples:
  hardtack man /usr/share/man/man1

One page for the program, and one for each verb and each verb within one. Pages that are there
already are written anew.";

/// Write man pages of all verbs.
#[derive(Args, Debug)]
#[command(after_help = MAN)]
pub(crate) struct ManArgs {
    /// The directory for the pages; it is made when it is not there.
    #[arg(value_name = "DIR")]
    pub(crate) to: PathBuf,
}
