//! `hardtack convert`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;

const EXAMPLE: &str = "\
Examples:
  hardtack convert debian-12-genericcloud-amd64.qcow2 disk.raw
  hardtack convert disk.raw disk.qcow2 --compression zstd
  hardtack convert debian-12.tar.xz debian.qcow2               # the disk in an archive
  hardtack convert appliance.ova disk.raw                      # or in an appliance
  hardtack convert load-balancer-1.1.rpm lb.img --member eucalyptus-load-balancer-image.img
  hardtack convert base.qcow2 vm1.qcow2 --overlay              # an empty file above base.qcow2
  hardtack convert vm1.qcow2 whole.qcow2 --backing-dir .       # both in one file

Sources are raw, qcow2, VMDK (in one file) and VHD, as they are or inside gzip, xz, zstd, bzip2, tar,
cpio and rpm, four levels deep; what they are is told by their content, not by their name. What
has to be unpacked is unpacked once, into a temporary file without a name beside the output.

From qcow2 to qcow2, clusters are taken over as they are stored, unless --compression is given.
Internal snapshots are dropped, which is said. The source is never changed. The output appears
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

    /// The output's format; else by its suffix (.qcow2, .raw, .img), else raw.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,

    /// How a qcow2 output is compressed; else zlib, and a qcow2 source's clusters stay as they are.
    #[arg(long, value_enum)]
    pub(crate) compression: Option<CompressionName>,

    /// Write a qcow2 file without data of its own above SOURCE, as its backing file.
    #[arg(long, conflicts_with_all = ["compression", "member", "unpack_limit"])]
    pub(crate) overlay: bool,

    /// Read backing files of the source that lie in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) backing_dir: Option<PathBuf>,

    /// The file in the archive that is the disk, by its path or its name alone.
    #[arg(long, value_name = "NAME")]
    pub(crate) member: Option<String>,

    /// Unpack at most this many bytes (10G, 500M); else what is free on the file system.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) unpack_limit: Option<u64>,

    /// Unpack in this directory; else beside the output.
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,

    /// Replace an existing output.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionName {
    /// Every program that knows qcow2 reads it.
    Zlib,
    /// Smaller and faster; QEMU 5.1 and later read it.
    Zstd,
    /// Not compressed.
    None,
}

/// A number of bytes with an optional K, M, G or T, powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let bad = || "a size is a number of bytes, or one with K, M, G or T, as 10G".to_owned();
    let (digits, shift) = match text.char_indices().next_back() {
        Some((at, unit)) if !unit.is_ascii_digit() => {
            let shift = "KMGT".find(unit.to_ascii_uppercase()).ok_or_else(bad)?;
            (&text[..at], 10 * (shift as u32 + 1))
        }
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(|| "no disk is so large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("3k", Some(3072)),
            ("10G", Some(10 << 30)),
            ("2T", Some(2 << 40)),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
        for text in ["", "G", "-1", "1.5G", "1GiB", "10 G", "99999999T", "1µ"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
