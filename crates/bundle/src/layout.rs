//! Numbers and words of the format: no logic.
//!
//! Sources: euca2ools 3.4.1 (`bundle/manifest.py`, `bundle/pipes/core.py`), ec2-ami-tools 1.5.3, GNU tar's
//! `tar.h`, RFC 1952.

/// The version that all manifests of this kind carry.
pub(crate) const VERSION: &str = "2007-10-10";

/// Bytes of each part but the last.
pub const PART_SIZE: u64 = 10 << 20;

/// Bytes of the tar stream in each gzip member, and in each piece that a thread packs.
pub(crate) const PIECE: usize = 1 << 20;

/// What stands in place of a signature that nobody made. Without the element EC2 answers 400, with an
/// empty one 500.
pub(crate) const UNSIGNED: &str = "UNSIGNED";

/// Archives are made of blocks of this many bytes.
pub(crate) const BLOCK: usize = 512;

/// GNU tar and Python's tarfile write whole records of 20 blocks.
pub(crate) const RECORD: u64 = 20 * BLOCK as u64;

/// Length of a hole: a block of nearly every file system.
pub(crate) const HOLE: u64 = 4096;

/// Ranges of data in one image. Beyond it, the shortest holes are stored as zeros: the map of so many
/// takes 12 MiB of memory.
pub(crate) const MOST_RANGES: usize = 1 << 18;

/// Ranges in the map of a member that is read; other programs may write more than we do.
pub(crate) const MOST_RANGES_READ: usize = 1 << 20;

/// Bytes of a manifest: what Eucalyptus accepts (`images.max_manifest_size`), enough for 300 GB.
pub const LARGEST_MANIFEST: u64 = 5 << 20;

/// Bytes of a manifest that its parts may take; the rest holds keys, devices and product codes.
pub(crate) const LARGEST_PART_LIST: u64 = LARGEST_MANIFEST - (64 << 10);

/// Bytes that may follow the image in the tar stream: its end is padded to records, and other programs
/// may have put something behind it that nobody reads.
pub(crate) const LARGEST_TAIL: u64 = 64 << 20;

/// A prefix longer than this does not fit into a tar header.
pub(crate) const LONGEST_PREFIX: usize = 100;

/// Bits of an RSA modulus. Real certificates have 1024 to 4096; larger numbers take minutes.
pub(crate) const LARGEST_RSA: usize = 16384;

/// Length of an AES-128 block, key and initialisation vector.
pub(crate) const AES_BLOCK: usize = 16;
