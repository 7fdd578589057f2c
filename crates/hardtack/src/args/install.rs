//! `hardtack install`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::SourceArgs;
use super::bundle::{Architecture, GzipName, KeysArgs};
use super::image::ImageArgs;
use super::place::{BucketArgs, PlaceArgs};
use super::size::disk_size;

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

    /// Apply this recipe to the image, as `hardtack build` does.
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<PathBuf>,

    /// Make the disk this large (10G), and let the root partition and its file system fill it.
    #[arg(long, value_name = "SIZE", value_parser = disk_size, requires = "recipe")]
    pub(crate) grow: Option<u64>,

    /// The first-boot program; else hardtack-agent beside this program or in ../lib/hardtack/.
    #[arg(long, value_name = "PATH", requires = "recipe")]
    pub(crate) agent: Option<PathBuf>,

    /// What the image runs on; else what the disk says, else x86_64.
    #[arg(long, short = 'r', alias = "architecture", value_enum)]
    pub(crate) arch: Option<Architecture>,

    /// Leave out what no file owns: deleted files, and the copies in the journal.
    #[arg(long)]
    pub(crate) sparsify: bool,

    /// Take over what no file owns.
    #[arg(long, conflicts_with = "sparsify")]
    pub(crate) no_sparsify: bool,

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

    /// Bundles.
    #[command(flatten)]
    pub(crate) options: BundleOptionArgs,

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

/// How a bundle is made.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Bundle")]
pub(crate) struct BundleOptionArgs {
    /// The prefix of the bundle's files; else the image's name.
    #[arg(long, short, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,

    /// Devices by their names in the guest (ami=sda1,root=/dev/sda1,ephemeral0=sdb).
    #[arg(long, short = 'B', value_name = "NAME=DEVICE", value_delimiter = ',')]
    pub(crate) block_device_mapping: Vec<String>,

    /// Product codes.
    #[arg(long, alias = "product-codes", value_name = "CODE", value_delimiter = ',')]
    pub(crate) productcodes: Vec<String>,

    /// Store zeros too, for readers that know no sparse archives.
    #[arg(long)]
    pub(crate) dense: bool,

    /// How the archive is packed.
    #[arg(long, value_enum, default_value_t = GzipName::Members)]
    pub(crate) gzip: GzipName,

    /// How hard to pack: 1 is fast, 12 small (9 with --gzip single).
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=12))]
    pub(crate) level: u8,

    /// A file with the AES key and the vector, 32 hexadecimal digits each; else both are random.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_and_iv: Option<PathBuf>,
}
