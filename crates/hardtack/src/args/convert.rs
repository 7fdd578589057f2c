//! `hardtack convert`.

use std::path::PathBuf;

use clap::Args;

use super::{SourceArgs, TargetArgs};

const EXAMPLE: &str = "\
Examples:
  hardtack convert debian-12-genericcloud-amd64.qcow2 disk.raw
  hardtack convert disk.raw disk.qcow2 --compression zstd
  hardtack convert debian-12.tar.xz debian.qcow2               # the disk in an archive
  hardtack convert appliance.ova disk.raw                      # or in an appliance
  hardtack convert load-balancer-1.1.rpm lb.img --member eucalyptus-load-balancer-image.img
  hardtack convert used.qcow2 clean.qcow2 --sparsify           # without what was deleted in it
  hardtack convert base.qcow2 vm1.qcow2 --overlay              # an empty file above base.qcow2
  hardtack convert vm1.qcow2 whole.qcow2 --backing-dir .       # both in one file

Sources are raw, qcow2, VMDK (in one file) and VHD, as they are or inside gzip, xz, zstd, bzip2, tar,
cpio and rpm, four levels deep; what they are is told by their content, not by their name. What
has to be unpacked is unpacked once, into a temporary file without a name beside the output.

From qcow2 to qcow2, clusters are taken over as they are stored, unless --compression is given.
Internal snapshots are dropped, which is said. --sparsify leaves out the blocks of ext4 and FAT that no
file owns, and the copies in ext4's journal. The source is never changed. The output appears
whole or not at all, readable by its owner only.

Exit codes: 0 done, 2 wrong usage, 3 source refused, 4 local input or output.";

/// Write a disk in another format, out of whatever it is packed in.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ConvertArgs {
    /// The image or archive to read.
    pub(crate) source: PathBuf,

    /// The image to make.
    pub(crate) output: PathBuf,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    // Last: their headings would go on over the options behind them.
    /// How the source is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,

    /// How the output is written.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}
