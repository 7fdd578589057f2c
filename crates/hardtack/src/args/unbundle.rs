//! `hardtack unbundle`.

use std::path::PathBuf;

use clap::Args;

use super::bundle::FilesArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack unbundle bundles/disk.raw.manifest.xml -o disk.raw        # EC2_PRIVATE_KEY, or -k
  hardtack unbundle -m disk.raw.manifest.xml -s parts -d . -k user.pem
  hardtack unbundle --check bundles/disk.raw.manifest.xml -c user-cert.pem

Bundles of euca2ools, ec2-ami-tools and hardtack are read. Every part is compared with its digest before
anything of it is used; a damaged bundle leaves no image behind.

--check writes nothing. It looks at the signature (with your certificate or private key), at all parts and
sizes, and with a private key that opens the bundle, or --key-and-iv, at the image inside.

Exit codes: 0 done, 1 --check has found something wrong, 2 wrong usage or key, 3 bundle refused, 4 local
input or output.";

/// Make an image of a bundle again, or check the bundle.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct UnbundleArgs {
    /// The bundle's manifest.
    #[arg(value_name = "MANIFEST", required_unless_present = "manifest_option")]
    pub(crate) manifest: Option<PathBuf>,

    /// The manifest, as euca-unbundle wants it named.
    #[arg(id = "manifest_option", long = "manifest", short = 'm', value_name = "MANIFEST")]
    #[arg(conflicts_with = "manifest")]
    pub(crate) manifest_option: Option<PathBuf>,

    /// The image to make: raw, sparse.
    #[arg(long, short, value_name = "FILE", required_unless_present_any = ["check", "destination"])]
    pub(crate) output: Option<PathBuf>,

    /// The directory to make the image in, by the name in the manifest.
    #[arg(long, short, value_name = "DIR", conflicts_with = "output")]
    pub(crate) destination: Option<PathBuf>,

    /// The directory with the parts; else that of the manifest.
    #[arg(long, short, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,

    /// Only say whether all is well.
    #[arg(long, conflicts_with_all = ["output", "destination"])]
    pub(crate) check: bool,

    /// Your private key; else EC2_PRIVATE_KEY, or euca2ools' files.
    #[arg(long, short = 'k', value_name = "FILE")]
    pub(crate) privatekey: Option<PathBuf>,

    /// The passphrase of your private key is the first line of this file, instead of asking on the terminal.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// Your certificate, for the signature; else EC2_CERT, or euca2ools' files.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// A file with the AES key and the vector, 32 hexadecimal digits each, instead of a private key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_and_iv: Option<PathBuf>,

    /// Do not wait until the output is on the disk: faster, and a power failure may take parts of it.
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Replace an existing output.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How the files of euca2ools are read.
    #[command(flatten)]
    pub(crate) files: FilesArgs,
}
