//! The header of a new qcow2 image: version 3 with its extensions and the backing file's name.
//!
//! QEMU's `docs/interop/qcow2.rst`, "Header" and "Header extensions".

use std::path::Path;

use super::Method;
use crate::Error;
use crate::sink::ImageFormat;

/// Length of the header up to and including `refcount_order`'s successor, in bytes.
const LENGTH: u32 = 104;
/// With the compression type, which images that are compressed with zlib leave out.
const LENGTH_WITH_METHOD: u32 = 112;
/// Refcounts are 2^4 bits wide, as in every image of QEMU's.
const REFCOUNT_ORDER: u32 = 4;
pub(super) const REFCOUNT_BITS: u64 = 1 << REFCOUNT_ORDER;
/// Incompatible feature bit 3: the header has a compression type.
const COMPRESSION_TYPE: u64 = 1 << 3;
/// The header extension that names the backing file's format.
const BACKING_FORMAT: u32 = 0xe279_2aca;
/// Longest name of a backing file that the format allows, in bytes.
const NAME_LIMIT: usize = 1023;

/// The file that lies below an overlay file, as the overlay's header names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayBase {
    /// Its name as bytes: absolute, or relative to the overlay file's directory.
    pub name: Vec<u8>,
    /// Its format, which is stated so that nobody has to guess.
    pub format: ImageFormat,
}

/// What a header says.
pub(super) struct Header<'a> {
    pub(super) bits: u32,
    pub(super) size: u64,
    pub(super) l1_entries: u64,
    pub(super) l1_offset: u64,
    pub(super) table_offset: u64,
    pub(super) table_clusters: u64,
    pub(super) method: Method,
    pub(super) backing: Option<&'a OverlayBase>,
}

impl Header<'_> {
    /// The header's bytes for the file `path`; all of them must fit into the first cluster.
    pub(super) fn bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let (features, length) = match self.method {
            Method::Zlib => (0, LENGTH),
            Method::Zstd => (COMPRESSION_TYPE, LENGTH_WITH_METHOD),
        };
        let extensions = extensions(self.backing);
        let name = self.backing.map_or(&[][..], |backing| &backing.name);
        let name_offset = u64::from(length) + extensions.len() as u64;
        let fits = name_offset + name.len() as u64 <= 1 << self.bits;
        if name.len() > NAME_LIMIT || !fits {
            return Err(Error::Unsupported {
                path: path.to_owned(),
                format: "qcow2",
                what: format!(
                    "the backing file's name has {} bytes, which is more than fits into a header (1023, and the header into one cluster): use a shorter path",
                    name.len()
                ),
            });
        }
        let mut bytes = Vec::new();
        let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend_from_slice(&value.to_be_bytes());
        let long = |bytes: &mut Vec<u8>, value: u64| bytes.extend_from_slice(&value.to_be_bytes());
        bytes.extend_from_slice(&crate::qcow2::MAGIC);
        word(&mut bytes, 3);
        long(&mut bytes, if name.is_empty() { 0 } else { name_offset });
        word(&mut bytes, name.len() as u32);
        word(&mut bytes, self.bits);
        long(&mut bytes, self.size);
        // Not encrypted.
        word(&mut bytes, 0);
        // Both fit: an L1 table has at most 32 MiB.
        word(&mut bytes, self.l1_entries as u32);
        long(&mut bytes, self.l1_offset);
        long(&mut bytes, self.table_offset);
        word(&mut bytes, self.table_clusters as u32);
        // No snapshots: their number, the offset of their table.
        word(&mut bytes, 0);
        long(&mut bytes, 0);
        // Incompatible, compatible and autoclear features.
        long(&mut bytes, features);
        long(&mut bytes, 0);
        long(&mut bytes, 0);
        word(&mut bytes, REFCOUNT_ORDER);
        word(&mut bytes, length);
        if self.method == Method::Zstd {
            bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
        }
        bytes.extend(extensions);
        bytes.extend_from_slice(name);
        Ok(bytes)
    }
}

fn extensions(backing: Option<&OverlayBase>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(backing) = backing {
        let format = backing.format.name().as_bytes();
        bytes.extend_from_slice(&BACKING_FORMAT.to_be_bytes());
        bytes.extend_from_slice(&(format.len() as u32).to_be_bytes());
        bytes.extend_from_slice(format);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    // Type 0 and length 0: the end.
    bytes.extend_from_slice(&[0; 8]);
    bytes
}
