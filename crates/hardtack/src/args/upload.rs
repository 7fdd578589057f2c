//! `hardtack upload`.

use std::path::PathBuf;

use clap::Args;

use super::place::{BucketArgs, PlaceArgs};

const EXAMPLE: &str = "\
Examples:
  hardtack upload bundles/web.manifest.xml -b images/2026 --on euca
  hardtack upload -m web.manifest.xml -d parts -b images --on aws --region eu-central-1
  hardtack upload bundles/web.manifest.xml -b images                 # into the local catalog

Parts that are in the bucket with the right digest are not sent again. The last line of standard output is
`Uploaded BUCKET/PATH/NAME.manifest.xml`, which `hardtack register` takes. BUCKET-PATH-NAME.upload.journal holds what was
made; `hardtack undo` takes it away.

Exit codes: 0 done, 2 wrong usage or credentials, 3 bundle refused, 4 local input or output, 5 a remote service.";

/// Send the files of a bundle into a bucket.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct UploadArgs {
    /// The bundle's manifest.
    #[arg(value_name = "MANIFEST", required_unless_present = "manifest_option")]
    pub(crate) manifest: Option<PathBuf>,

    /// The manifest, as euca-upload-bundle wants it named.
    #[arg(id = "manifest_option", long = "manifest", short = 'm', value_name = "MANIFEST")]
    #[arg(conflicts_with = "manifest")]
    pub(crate) manifest_option: Option<PathBuf>,

    /// The directory with the parts; else that of the manifest.
    #[arg(long, short, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,

    /// Do not send the manifest.
    #[arg(long, visible_alias = "skip-manifest")]
    pub(crate) skipmanifest: bool,

    /// Begin with this part.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) part: usize,

    /// What was made so far; else BUCKET-PATH-NAME.upload.journal here.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    // Last: their headings would go on over the options behind them.
    /// Buckets.
    #[command(flatten)]
    pub(crate) bucket: BucketArgs,

    /// Where it goes.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}
