//! `hardtack register`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::bundle::Architecture;
use super::image::ImageArgs;
use super::place::PlaceArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack register images/2026/web.manifest.xml -n web-1 --on euca
  hardtack register -s snap-0123456789abcdef0 -n web-1 --on aws --boot-mode uefi-preferred
  hardtack register -s snap-0123456789abcdef0 -n web-1 --on euca --root-device-name /dev/sda1
  hardtack register images/2026/web.manifest.xml -n web-1 -k user.pem       # out of the catalog's bucket
  hardtack register disk.qcow2 -n web-1                                     # a disk, into the local catalog

The last line of standard output is IMAGE, a tab and the image's id. NAME.register.journal holds what was made;
`hardtack undo` takes it away.

Exit codes: 0 done, 2 wrong usage or credentials, 3 image refused, 4 local input or output, 5 a remote service.";

/// Register a bundle in a bucket, or a snapshot, as an image.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE, group = ArgGroup::new("from").required(true).args(["location", "snapshot"]))]
pub(crate) struct RegisterArgs {
    /// The bundle's manifest in its bucket (BUCKET/PATH/NAME.manifest.xml); locally an image too.
    #[arg(value_name = "MANIFEST")]
    pub(crate) location: Option<String>,

    /// The snapshot of the root.
    #[arg(long, short, value_name = "SNAPSHOT")]
    pub(crate) snapshot: Option<String>,

    /// What the image runs on; else x86_64.
    #[arg(long = "architecture", alias = "arch", short = 'a', short_alias = 'r', value_enum)]
    pub(crate) arch: Option<Architecture>,

    /// Further devices: DEVICE=SNAPSHOT:GIB:true|false:TYPE:IOPS (any of them empty), DEVICE=ephemeralN or
    /// DEVICE=none.
    #[arg(long, short = 'b', value_name = "DEVICE=MAPPED")]
    pub(crate) block_device_mapping: Vec<String>,

    /// Your private key, which opens a bundle of the local catalog; else EC2_PRIVATE_KEY, or euca2ools' files.
    #[arg(long, short = 'k', value_name = "FILE")]
    pub(crate) privatekey: Option<PathBuf>,

    /// The passphrase of your private key is the first line of this file, instead of asking on the terminal.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// What was made so far; else NAME.register.journal here.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    // Last: their headings would go on over the options behind them.
    /// What it is registered as.
    #[command(flatten)]
    pub(crate) register: ImageArgs,

    /// Where it goes.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}
