//! `hardtack cache`, and the option of every verb that has one.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::size::size;

const CACHE: &str = "\
Examples:
  hardtack cache list --cache ~/.cache/hardtack/builds
  hardtack cache verify --cache s3://ci-images/cache
  hardtack cache prune --cache ~/.cache/hardtack/builds --max-size 20G
  hardtack cache add base.qcow2 --cache s3://ci-images/cache

WHERE is a directory, or s3://BUCKET/PREFIX; behind a question mark may stand region, endpoint, profile and on (aws,
euca), joined by `&`: s3://images/cache?region=eu-west-1&endpoint=https://minio.example. What is left out comes from
the variables and files that other tools have, too (AWS_REGION, AWS_ENDPOINT_URL_S3, ~/.aws/config …).
HARDTACK_BUILD_CACHE stands for --cache.

Exit codes: 0 done, 1 an entry is damaged (verify), 2 wrong usage or credentials, 4 local input or output, 5 a
remote service.";

const LIST: &str = "\
Examples:
  hardtack cache list --cache ~/.cache/hardtack/builds
  hardtack cache list --cache s3://ci-images/cache --json";

const VERIFY: &str = "\
Examples:
  hardtack cache verify --cache ~/.cache/hardtack/builds || hardtack cache prune --cache ~/.cache/hardtack/builds
  hardtack cache verify --cache s3://ci-images/cache --json

Every part is read to its end. A build does the same with what it takes: a damaged entry is built again and replaced.

Exit codes: 0 nothing is damaged, 1 an entry is, 2 wrong usage or credentials, 4 local input or output, 5 a remote
service.";

const PRUNE: &str = "\
Examples:
  hardtack cache prune --cache ~/.cache/hardtack/builds --older-than 30d
  hardtack cache prune --cache ~/.cache/hardtack/builds --max-size 20G
  hardtack cache prune --cache s3://ci-images/cache --older-than 2w --dry-run

What was not used for the longest time goes first; of a bucket, what was stored first. Entries whose manifest is
missing or damaged always go, with what is left of builds that were ended while they stored one.";

const ADD: &str = "\
Examples:
  hardtack cache add debian-12-genericcloud-amd64.qcow2 --cache s3://ci-images/cache
  hardtack build recipe.yaml --source sha256:6855… --output hard.qcow2 --cache s3://ci-images/cache

Prints each digest. A build takes the source by it on every machine that shares the cache.";

/// Look after a cache of sources and finished builds.
#[derive(Args, Debug)]
#[command(after_help = CACHE, arg_required_else_help = true)]
pub(crate) struct CacheArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: CacheVerb,
}

/// What is done with a cache.
#[derive(Subcommand, Debug)]
pub(crate) enum CacheVerb {
    /// List what is in it.
    List(CacheListArgs),
    /// Compare all that is in it with what was stored.
    Verify(CacheVerifyArgs),
    /// Remove what is old or too much.
    Prune(CachePruneArgs),
    /// Put sources into it, for builds that have their digest only.
    Add(CacheAddArgs),
}

/// Where a cache is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cache")]
pub(crate) struct CacheWhere {
    /// The cache: a directory, or s3://BUCKET/PREFIX; else HARDTACK_BUILD_CACHE.
    #[arg(long, value_name = "WHERE")]
    pub(crate) cache: Option<String>,
}

/// List what is in a cache.
#[derive(Args, Debug)]
#[command(after_help = LIST)]
pub(crate) struct CacheListArgs {
    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Which cache.
    #[command(flatten)]
    pub(crate) place: CacheWhere,
}

/// Compare all that is in a cache with what was stored.
#[derive(Args, Debug)]
#[command(after_help = VERIFY)]
pub(crate) struct CacheVerifyArgs {
    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Which cache.
    #[command(flatten)]
    pub(crate) place: CacheWhere,
}

/// Remove what is old or too much in a cache.
#[derive(Args, Debug)]
#[command(after_help = PRUNE)]
pub(crate) struct CachePruneArgs {
    /// What was not used for so long: 90m, 12h, 30d, 2w.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<u64>,

    /// As much as it takes until the rest is no larger (20G, 500M).
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,

    /// Only tell what would go.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Which cache.
    #[command(flatten)]
    pub(crate) place: CacheWhere,
}

/// Put sources into a cache.
#[derive(Args, Debug)]
#[command(after_help = ADD)]
pub(crate) struct CacheAddArgs {
    /// The images, as they are: nothing is unpacked.
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Which cache.
    #[command(flatten)]
    pub(crate) place: CacheWhere,
}

/// A number of seconds: `90m`, `12h`, `30d`, `2w`.
fn age(text: &str) -> Result<u64, String> {
    let bad = || "an age is a number with m, h, d or w behind it, as 30d".to_owned();
    let (at, unit) = text.char_indices().next_back().ok_or_else(bad)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(bad()),
    };
    let number: u64 = text.get(..at).and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
    number.checked_mul(seconds).ok_or_else(|| "nothing is so old".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_units() {
        for (text, expected) in
            [("90m", Some(5400)), ("12h", Some(43_200)), ("30d", Some(2_592_000)), ("2w", Some(1_209_600))]
        {
            assert_eq!(age(text).ok(), expected, "{text}");
        }
        for text in ["", "d", "30", "-1d", "1.5d", "30 d", "30s", "99999999999999999999d", "3é"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
