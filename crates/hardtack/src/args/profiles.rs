//! `hardtack profiles`.

use clap::Args;

const PROFILES: &str = "\
Examples:
  hardtack profiles
  hardtack profiles cis-1
  hardtack profiles all
  hardtack profiles cis-2 --json

A recipe takes a profile by the key `profile`, and `hardtack verify cis-1 hard.qcow2` judges any image by it.";

/// List hardening profiles and their controls.
#[derive(Args, Debug)]
#[command(after_help = PROFILES)]
pub(crate) struct ProfilesArgs {
    /// One profile: its controls; `all`: those, too, that are in none. Without it, the profiles and the tailorings.
    #[arg(value_parser = ["baseline", "cis-1", "cis-2", "all"])]
    pub(crate) name: Option<String>,

    /// For programs.
    #[arg(long)]
    pub(crate) json: bool,
}
