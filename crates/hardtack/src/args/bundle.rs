//! `hardtack bundle`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hardtack_bundle::PART_SIZE;

use super::SourceArgs;
use super::harden::HardenArgs;
use super::size::{part_size, size};

const EXAMPLE: &str = "\
Examples:
  hardtack bundle disk.raw -o bundles                          # account and keys of the environment
  hardtack bundle disk.qcow2 -o bundles -r x86_64 -u 123456789012 -k user.pem -c user-cert.pem \\
      --ec2cert cloud-cert.pem
  hardtack bundle base.qcow2 --recipe debian-3fa.yaml -o bundles      # hardened and bundled in one pass
  zcat disk.raw.gz | hardtack bundle -i - -p disk --image-size 10G -o bundles
  hardtack bundle vmlinuz-3.2 --kernel true -o bundles                # the image is a kernel
  hardtack bundle disk.raw -o bundles -B ami=sda1,root=/dev/sda1 --kernel eki-12345678

Account and keys come from the options, else from EC2_USER_ID, EC2_CERT (or EUCA_CERT), EC2_PRIVATE_KEY
(or EUCA_PRIVATE_KEY) and EUCALYPTUS_CERT, else from euca2ools' files: ~/.euca/*.ini (EUCA_CONFIG_PATH names
others), then the file of --eucarc, or ~/.euca/eucarc or ~/.eucarc. Without a private key the manifest is
UNSIGNED, without a certificate the cloud alone opens the bundle. Without the cloud's certificate there is none;
with --bootstrap-url (or EUCA_BOOTSTRAP_URL, or bootstrap-url of ~/.euca/*.ini) and access keys it is fetched.

DIR gets NAME.part.00, NAME.part.01 … and, when all of them are there, NAME.manifest.xml. After an error
none of them is left. The same image, options, key and vector give the same bytes.

Exit codes: 0 done, 2 wrong usage, recipe or key, 3 image refused, 4 local input or output, 5 a remote service.";

/// Make a bundle of an image, for the instance store of Eucalyptus or EC2.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct BundleArgs {
    /// The images to read: qcow2, raw, VMDK or VHD, also compressed or in an archive; - is standard input.
    #[arg(required_unless_present = "image", conflicts_with = "image")]
    pub(crate) images: Vec<PathBuf>,

    /// The image, as euca-bundle-image wants it named.
    #[arg(long, short, value_name = "IMAGE")]
    pub(crate) image: Option<PathBuf>,

    /// How many bytes the image has, as it is given: needed for standard input, and compared.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) image_size: Option<u64>,

    /// The directory to write to; it is made if it is missing.
    #[arg(long, short, short_alias = 'd', alias = "destination", value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// The name of the bundle and the prefix of its files; else the image's own.
    #[arg(long, short, value_name = "NAME")]
    pub(crate) prefix: Option<String>,

    /// What is done to it on its way.
    #[command(flatten)]
    pub(crate) harden: HardenArgs,

    /// What the image runs on.
    #[arg(long, short = 'r', value_enum, default_value_t = Architecture::X86_64)]
    pub(crate) arch: Architecture,

    /// How the bundle is made.
    #[command(flatten)]
    pub(crate) packing: PackingArgs,

    /// The kernel's id (eki-…), or `true`: the image is a kernel. Eucalyptus knows `windows`, too.
    #[arg(long, value_name = "ID", value_parser = kernel_id)]
    pub(crate) kernel: Option<String>,

    /// The RAM disk's id (eri-…), or `true`: the image is a RAM disk.
    #[arg(long, value_name = "ID", value_parser = ramdisk_id)]
    pub(crate) ramdisk: Option<String>,

    /// What the image is, as --kernel true and --ramdisk true say it.
    #[arg(long, hide = true, value_enum)]
    pub(crate) image_type: Option<ImageTypeName>,

    /// Do not wait until the output is on the disk: faster, and a power failure may take parts of it.
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Replace an existing bundle.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print JSON for programs, a line for each image.
    #[arg(long)]
    pub(crate) json: bool,

    // Last: their headings would go on over the options behind them.
    /// Account and keys.
    #[command(flatten)]
    pub(crate) account: AccountArgs,

    /// How the source is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}

impl BundleArgs {
    /// The kernel's id, or `true`.
    pub(crate) fn kernel(&self) -> Option<&str> {
        let is_one = self.image_type == Some(ImageTypeName::Kernel);
        is_one.then_some("true").or(self.kernel.as_deref())
    }

    /// The RAM disk's id, or `true`.
    pub(crate) fn ramdisk(&self) -> Option<&str> {
        let is_one = self.image_type == Some(ImageTypeName::Ramdisk);
        is_one.then_some("true").or(self.ramdisk.as_deref())
    }
}

/// A kernel's id.
pub(super) fn kernel_id(text: &str) -> Result<String, String> {
    match text {
        "windows" => Ok(text.to_owned()),
        _ => id(text, ["eki-", "aki-"]).ok_or_else(|| {
            "a kernel is eki-… or aki-…; `true` says that the image is one, `windows` that it holds Windows".to_owned()
        }),
    }
}

/// A RAM disk's id.
pub(super) fn ramdisk_id(text: &str) -> Result<String, String> {
    id(text, ["eri-", "ari-"])
        .ok_or_else(|| "a RAM disk is eri-… or ari-…; `true` says that the image is one".to_owned())
}

/// An id with one of the prefixes, or `true`, for which Eucalyptus takes `yes` too.
fn id(text: &str, prefixes: [&str; 2]) -> Option<String> {
    let is_id = |prefix| {
        let rest = text.strip_prefix(prefix)?;
        (!rest.is_empty() && rest.chars().all(|char| char.is_ascii_alphanumeric())).then(|| text.to_owned())
    };
    match text {
        "true" | "yes" => Some("true".to_owned()),
        _ => prefixes.into_iter().find_map(is_id),
    }
}

/// What euca-bundle-image calls images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageTypeName {
    /// A disk.
    Machine,
    /// A kernel.
    Kernel,
    /// A RAM disk.
    Ramdisk,
}

/// How a bundle is made.
#[derive(Args, Clone, Debug)]
pub(crate) struct PackingArgs {
    /// Devices by their names in the guest (ami=sda1,root=/dev/sda1,ephemeral0=sdb).
    #[arg(
        long,
        short = 'B',
        alias = "block-device-mappings",
        value_name = "NAME=DEVICE",
        value_delimiter = ','
    )]
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

    /// Bytes of each part but the last, a multiple of 16 (10M).
    #[arg(long, value_name = "SIZE", default_value_t = PART_SIZE, value_parser = part_size)]
    pub(crate) part_size: u64,

    /// Options of euca2ools that are not taken, or mean nothing here.
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
}

/// Options of euca-bundle-image that are known for what they are.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ForeignArgs {
    /// Refused: everybody on the machine can read arguments.
    #[arg(long, hide = true, value_name = "KEY", value_parser = forget)]
    pub(crate) enc_key: Option<Forgotten>,

    /// Refused: everybody on the machine can read arguments.
    #[arg(long, hide = true, value_name = "IV", value_parser = forget)]
    pub(crate) enc_iv: Option<Forgotten>,

    /// Nothing is ever asked but a passphrase.
    #[arg(long, hide = true)]
    pub(crate) batch: bool,

    /// Progress is shown anyway.
    #[arg(long, hide = true)]
    pub(crate) progress: bool,
}

/// A secret that is not taken, and not kept either.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgotten;

fn forget(_: &str) -> Result<Forgotten, std::convert::Infallible> {
    Ok(Forgotten)
}

/// Whose bundle it is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Account and keys")]
pub(crate) struct AccountArgs {
    /// Account and keys.
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// Without the cloud's certificate, fetch it from this bootstrap service of Eucalyptus, by your access keys;
    /// else EUCA_BOOTSTRAP_URL.
    #[arg(long, value_name = "URL")]
    pub(crate) bootstrap_url: Option<String>,

    /// How the files of euca2ools are read.
    #[command(flatten)]
    pub(crate) files: FilesArgs,
}

/// Account and keys that are given.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Account and keys")]
pub(crate) struct KeysArgs {
    /// The account's number.
    #[arg(long, short, value_name = "ACCOUNT")]
    pub(crate) user: Option<String>,

    /// Your certificate: its key's owner can unbundle.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// Your private key: it signs.
    #[arg(long, short = 'k', value_name = "FILE")]
    pub(crate) privatekey: Option<PathBuf>,

    /// The passphrase of your private key is the first line of this file, instead of asking on the terminal.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// The cloud's certificate: it can unbundle.
    #[arg(long, value_name = "FILE")]
    pub(crate) ec2cert: Option<PathBuf>,
}

/// Where account and keys stand.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FilesArgs {
    /// The region of euca2ools' files, with or without a user; else EUCA_DEFAULT_REGION.
    #[arg(long, value_name = "[USER@]REGION")]
    pub(crate) region: Option<String>,

    /// An eucarc file. It is read, not run.
    #[arg(long, alias = "config", value_name = "FILE")]
    pub(crate) eucarc: Option<PathBuf>,
}

/// Architectures that bundling programs know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Architecture {
    /// 32-bit PC.
    I386,
    /// 64-bit PC.
    #[value(name = "x86_64", alias = "amd64")]
    X86_64,
    /// 32-bit ARM.
    Armhf,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit PowerPC.
    Ppc,
    /// 64-bit PowerPC.
    Ppc64,
    /// 64-bit PowerPC, little-endian.
    Ppc64le,
}

impl Architecture {
    /// As manifests and EC2 write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::I386 => "i386",
            Self::X86_64 => "x86_64",
            Self::Armhf => "armhf",
            Self::Arm64 => "arm64",
            Self::Ppc => "ppc",
            Self::Ppc64 => "ppc64",
            Self::Ppc64le => "ppc64le",
        }
    }
}

/// How the archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GzipName {
    /// A gzip member for each MiB: smaller and faster.
    Members,
    /// One member, as gzip and pigz make it.
    Single,
}
