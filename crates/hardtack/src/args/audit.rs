//! `hardtack audit`.

use clap::{Args, ValueEnum};

use super::place::PlaceArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack audit --on aws --region eu-west-1
  hardtack audit --on aws --json --fail-on public
  hardtack audit groups --on euca --format dot | dot -Tpng > groups.png
  hardtack audit groups --on aws --format svg > groups.svg

Buckets and objects are asked for without credentials, as the world would: 403 is what one wants to see. Nothing is
changed, and no object is read to its end.

Exit codes: 0 done, 1 with --fail-on public when something is public, 2 wrong usage or credentials, 4 local input or
output, 5 a remote service.";

/// See what of an account the world can reach.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct AuditArgs {
    /// What is looked at: groups, buckets, images (with snapshots); all of it where nothing is named.
    #[arg(value_enum)]
    pub(crate) what: Vec<AuditPart>,

    /// How: a table; groups also as Graphviz's dot, or as a picture.
    #[arg(long, value_enum, default_value_t = AuditFormat::Table)]
    pub(crate) format: AuditFormat,

    /// Objects that are tried in each bucket, at most.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) objects: u64,

    /// End with 1 when something is: public.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) fail_on: Option<FailOn>,

    /// Print JSON for programs.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditPart {
    /// Security groups.
    Groups,
    /// Buckets and objects.
    Buckets,
    /// Images and snapshots.
    Images,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// Tables.
    Table,
    /// Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Something that the world can reach.
    Public,
}
