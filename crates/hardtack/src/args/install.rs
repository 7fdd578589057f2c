//! `hardtack install`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::SourceArgs;
use super::bundle::{Architecture, KeysArgs, PackingArgs};
use super::harden::HardenArgs;
use super::image::ImageArgs;
use super::place::{BucketArgs, PlaceArgs};

const EXAMPLE: &str = "\
Examples:
  hardtack install base.qcow2 --recipe debian-3fa.yaml -n web-1              # into the local catalog
  hardtack install base.qcow2 --recipe debian-3fa.yaml -n web-1 --on aws --region eu-central-1 \\
      --copy-to us-east-1 --share 123456789012 --ssm /images/web
  hardtack install --source ssm:/aws/service/debian/release/12/latest/amd64 --recipe web.yaml -n web-1 \\
      --on aws --lock web.lock --if-changed --test web-test.yaml
  hardtack install base.qcow2 -n web-1 --on euca -b images/web -k user.pem -c user-cert.pem
  hardtack install base.qcow2 -n web-1 --on aws --dry-run                    # everything that is checked first

The last line of standard output is IMAGE, a tab and the image's id; with --json it is one JSON document. All
else is said on standard error.

NAME.journal holds everything that was made, before it is made. After a failure or a kill the same command goes
on where it was, and `hardtack undo NAME.journal` takes all of it away. With --test, an image that fails is
undone at once.

Exit codes: 0 done, 1 the test failed (or, with --dry-run, a check is bad), 2 wrong usage, recipe or
credentials, 3 image refused, 4 local input or output, 5 a remote service.";

/// Make a registered image of a disk, in one pass.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE, group = ArgGroup::new("from").required(true).args(["disk", "image", "source"]))]
#[command(group = ArgGroup::new("form").args(["ebs", "bundle"]))]
pub(crate) struct InstallArgs {
    /// The image: qcow2, raw, VMDK or VHD, also compressed or in an archive.
    #[arg(value_name = "IMAGE")]
    pub(crate) disk: Option<PathBuf>,

    /// The image, as euca-install-image wants it named.
    #[arg(long, short, value_name = "IMAGE")]
    pub(crate) image: Option<PathBuf>,

    /// The image, or one of the cloud: ami-…, snap-…, ssm:PARAMETER, or owner=OWNER,name=PATTERN (the newest).
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,

    /// What is done to it on its way.
    #[command(flatten)]
    pub(crate) harden: HardenArgs,

    /// What the image runs on; else what the disk says, else x86_64.
    #[arg(long, short = 'r', alias = "architecture", value_enum)]
    pub(crate) arch: Option<Architecture>,

    /// By a snapshot, through EBS direct: AWS unless told otherwise.
    #[arg(long)]
    pub(crate) ebs: bool,

    /// By a bundle in a bucket: Eucalyptus unless told otherwise.
    #[arg(long)]
    pub(crate) bundle: bool,

    /// Only say whether all is well: nothing is made, no byte of the image is sent.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print the registered image of the same inputs, and build nothing.
    #[arg(long)]
    pub(crate) if_changed: bool,

    /// Start one instance and run the checks of this file before the image is copied, shared and announced.
    #[arg(long, value_name = "FILE")]
    pub(crate) test: Option<PathBuf>,

    /// The accelerator of the test's machine on this host: tcg, kvm.
    #[arg(long, value_name = "NAME", default_value = "tcg")]
    pub(crate) accel: String,

    /// What was made so far; else NAME.journal here.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Write down which image a name of --source meant, and take the same the next time.
    #[arg(long, value_name = "FILE", requires = "source")]
    pub(crate) lock: Option<PathBuf>,

    /// What a name means must stand in the lock file.
    #[arg(long, requires = "lock")]
    pub(crate) locked: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    // Last: their headings would go on over the options behind them.
    /// What it is registered as.
    #[command(flatten)]
    pub(crate) register: ImageArgs,

    /// Snapshots.
    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    /// The prefix of the bundle's files; else the image's name.
    #[arg(long, short, value_name = "PREFIX", help_heading = "Bundle")]
    pub(crate) prefix: Option<String>,

    /// Bundles.
    #[command(flatten, next_help_heading = "Bundle")]
    pub(crate) packing: PackingArgs,

    /// Buckets.
    #[command(flatten)]
    pub(crate) bucket: BucketArgs,

    /// Account and keys.
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// Where it goes.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// How the source is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}

/// Encryption, copies, and who gets to know.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Snapshot, copies and sharing")]
pub(crate) struct SnapshotArgs {
    /// Encrypt snapshots, whatever the account's default.
    #[arg(long)]
    pub(crate) encrypted: bool,

    /// The key that encrypts, here or in REGION; several are several options.
    #[arg(long = "kms-key", alias = "kms-key-id", value_name = "[REGION=]KEY")]
    pub(crate) kms_keys: Vec<String>,

    /// Regions that get a copy.
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    pub(crate) copy_to: Vec<String>,

    /// Who may start the image: accounts, ARNs of organisations and their units, or all.
    #[arg(long, value_name = "ACCOUNT|ARN|all", value_delimiter = ',')]
    pub(crate) share: Vec<String>,

    /// Everybody may start the image, as --share all.
    #[arg(long)]
    pub(crate) public: bool,

    /// The parameter of Systems Manager that gets the image's id, in each region.
    #[arg(long, value_name = "PARAMETER")]
    pub(crate) ssm: Option<String>,
}
