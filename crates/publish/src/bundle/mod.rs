//! A bundle into a bucket: of a disk in one pass, or of files that `hardtack bundle` wrote.
//!
//! - [`upload_disk`] packs, encrypts and sends side by side; [`upload_files`] sends files.
//! - Every object has its SHA-1 in its metadata (`x-amz-meta-hardtack-sha1`): an object that has the right one, and
//!   the right length, is not sent again. Entity tags are no digests where a bucket encrypts with KMS.
//! - The manifest is sent last, so that whoever sees it sees all parts. One that is there and not ours is never
//!   replaced: Eucalyptus compares it with what was registered when an instance starts (`Emis.java`), and an image
//!   whose manifest is another one no longer starts.
//! - Every object is in the journal before it is sent.

mod destination;
mod disk;
mod files;
mod send;

pub use destination::{ACLS, Destination};
pub use disk::{Identity, check_part_size, upload_disk};
pub use files::{UploadOptions, upload_files};

/// Metadata with the SHA-1 of an object, hexadecimal.
pub const SHA1: &str = "hardtack-sha1";
/// Metadata with the id of the journal whose run sent an object.
pub const JOURNAL: &str = "hardtack-journal";

/// A bundle that is in its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// `BUCKET/PATH/NAME.manifest.xml`, as `RegisterImage` wants it.
    pub location: String,
    /// Parts.
    pub parts: usize,
    /// Parts that were there already.
    pub skipped: usize,
    /// Bytes of all parts.
    pub bundled_size: u64,
    /// Bytes of the disk.
    pub size: u64,
}
