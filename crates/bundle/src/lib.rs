//! Bundles, the form in which EC2's and Eucalyptus' instance stores take images: written, read, checked.
//!
//! A bundle is a disk as a tar stream, packed, encrypted and cut into parts, with a [`Manifest`] that
//! lists them, holds the [`Session`]'s key for its readers, and is signed.
//!
//! - [`write_parts`] makes parts of a disk, [`pack_parts`] hands them to somebody;
//!   [`Manifest::to_xml`] and [`write_manifest`] what belongs to them.
//! - [`write_archive`] makes one packed archive of a disk, without a key: what `tar -czSf` makes.
//! - [`unbundle`] makes the disk again, and [`check()`] only says whether that would go well.
//! - [`PublicKey`] and [`PrivateKey`] seal, open, sign and verify.
//!
//! Errors name the file and what is wrong with it; keys and initialisation vectors are in none of them.
//! Nothing here prints, asks the environment, or takes random numbers from anywhere but its caller.

#![forbid(unsafe_code)]

mod error;
pub mod hex;
mod keys;
mod layout;
mod manifest;
mod read;
mod session;
mod tar;
mod write;

pub use error::Error;
pub use keys::{PrivateKey, PublicKey, Sealed};
pub use layout::{LARGEST_MANIFEST, PART_SIZE};
pub use manifest::{Digest, ImageType, Manifest, Part, Signature, signed_text};
pub use read::{Bundle, Check, Unbundled, Verdict, check, unbundle};
pub use session::Session;
pub use write::{
    BundleOptions, Gzip, PackedPart, PackedParts, Progress, Stage, WrittenArchive, WrittenParts, pack_parts,
    part_name, unfinished_files, write_archive, write_parts,
};

use std::io::Write as _;
use std::path::{Path, PathBuf};

use hardtack_disk::AtomicFile;

/// Where the manifest of the bundle `name` in `directory` is.
pub fn manifest_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.manifest.xml"))
}

/// Writes a manifest's text to `path`. It appears whole.
pub fn write_manifest(path: &Path, xml: &str, replace: bool, durable: bool) -> Result<(), Error> {
    let mut file = AtomicFile::create(path)?;
    file.set_durable(durable);
    file.file().write_all(xml.as_bytes()).map_err(|error| Error::io(path, "write it", error))?;
    Ok(file.commit(replace)?)
}

/// Refuses a name that is no file's name, or that does not fit into a tar header.
pub fn check_prefix(name: &str) -> Result<(), Error> {
    let bad = name.is_empty()
        || name.len() > layout::LONGEST_PREFIX
        || name.contains('/')
        || name.chars().any(char::is_control)
        || matches!(name, "." | "..");
    if bad {
        return Err(Error::Usage(format!(
            "{name:?} is no name of a bundle: 1 to {} bytes, no `/`; give another prefix",
            layout::LONGEST_PREFIX
        )));
    }
    Ok(())
}
