//! The qcow2 header and its extensions (QEMU's `docs/interop/qcow2.rst`), checked before use.
//!
//! Everything that would make the guest's bytes differ from what the tables here say is refused:
//! encryption, an external data file, and every incompatible feature bit that this reader does
//! not know. So are images that are marked dirty or corrupt. QEMU reads both, and of a dirty one
//! only the refcounts are stale; but nobody closed it, so what its guest wrote last is missing,
//! and a copy would not say so any more.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// The first four bytes of every qcow and qcow2 image.
pub(crate) const MAGIC: [u8; 4] = *b"QFI\xfb";

const DIRTY: u64 = 1 << 0;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

const BACKING_FORMAT: u32 = 0xe279_2aca;
const FEATURE_NAMES: u32 = 0x6803_f857;
/// QEMU's own limit (`QCOW_MAX_L1_SIZE`), in bytes.
pub(super) const L1_LIMIT: u64 = 32 << 20;
/// Longest name of a backing file that the format allows, in bytes.
const BACKING_NAME_LIMIT: u64 = 1023;

/// How compressed clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Raw deflate.
    Zlib,
    /// A zstd frame.
    Zstd,
}

/// The backing file as the header names it.
#[derive(Clone, Debug)]
pub(crate) struct BackingName {
    pub(crate) name: Vec<u8>,
    /// The format's name, when the header states one.
    pub(crate) format: Option<Vec<u8>>,
}

impl BackingName {
    pub(super) fn printable(&self) -> String {
        printable(&self.name)
    }
}

/// What reading needs of a header.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// Size of the virtual disk in bytes.
    pub(crate) size: u64,
    pub(crate) version: u32,
    pub(crate) cluster_bits: u32,
    /// L2 entries are 16 bytes long and describe 32 subclusters.
    pub(crate) extended_l2: bool,
    pub(crate) compression: Compression,
    /// Offset of the active L1 table in the file.
    pub(crate) l1_offset: u64,
    /// Number of L1 entries that the virtual size needs; the table has at least as many.
    pub(crate) l1_entries: u64,
    pub(crate) backing: Option<BackingName>,
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn be64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// Text of an image for a message: no control characters, no line breaks, nothing endless.
pub(super) fn printable(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).chars().take(200).flat_map(char::escape_debug).collect()
}

/// Reads headers of one file and words what is wrong with them.
struct Reader<'a> {
    file: &'a File,
    path: PathBuf,
    length: u64,
}

impl Reader<'_> {
    fn corrupt(&self, what: impl Into<String>) -> Error {
        Error::Corrupt { path: self.path.clone(), format: "qcow2", what: what.into() }
    }

    fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::Unsupported { path: self.path.clone(), format: "qcow2", what: what.into() }
    }

    /// Up to `limit` bytes from `offset`, fewer at the end of the file.
    fn bytes(&self, offset: u64, limit: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.length.saturating_sub(offset).min(limit) as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(|source| {
            Error::io(&self.path, format!("read the qcow2 header at {offset:#x}"), source)
        })?;
        Ok(bytes)
    }

    /// The header extensions that are looked at between the header and `end`, as (type, data).
    fn extensions(&self, header_length: u64, end: u64) -> Result<Vec<(u32, Vec<u8>)>, Error> {
        let bytes = self.bytes(0, end)?;
        let mut found = Vec::new();
        let mut at = usize::try_from(header_length).unwrap_or(usize::MAX);
        while at.saturating_add(8) <= bytes.len() {
            let (kind, length) = (be32(&bytes, at), be32(&bytes, at + 4) as usize);
            at += 8;
            if kind == 0 {
                break;
            }
            let Some(data) = at.checked_add(length).and_then(|end| bytes.get(at..end)) else {
                return Err(self.corrupt(format!(
                    "header extension {kind:#010x} of {length} bytes does not fit into its cluster"
                )));
            };
            if matches!(kind, BACKING_FORMAT | FEATURE_NAMES) {
                found.push((kind, data.to_vec()));
            }
            at = at.saturating_add(length.next_multiple_of(8));
        }
        Ok(found)
    }

    /// The feature name table, as (type, bit, name).
    fn feature_names(&self, header_length: u64, end: u64) -> Result<Vec<(u8, u8, String)>, Error> {
        let extensions = self.extensions(header_length, end)?;
        let tables = extensions.iter().filter(|(kind, _)| *kind == FEATURE_NAMES);
        Ok(tables
            .flat_map(|(_, data)| data.chunks_exact(48))
            .map(|entry| (entry[0], entry[1], printable(&entry[2..])))
            .collect())
    }

    /// The backing file, whose name has `length` bytes at `offset`.
    fn backing(
        &self,
        offset: u64,
        length: u64,
        header_length: u64,
        cluster: u64,
    ) -> Result<Option<BackingName>, Error> {
        if offset == 0 || length == 0 {
            return Ok(None);
        }
        let limit = BACKING_NAME_LIMIT.min(cluster.saturating_sub(offset));
        if length > limit {
            return Err(self.corrupt(format!(
                "the name of its backing file has {length} bytes at {offset:#x}, where {limit} fit"
            )));
        }
        let name = self.bytes(offset, length)?;
        if name.len() as u64 != length {
            return Err(self.corrupt(format!(
                "the name of its backing file at {offset:#x} lies behind the file's end: it is truncated"
            )));
        }
        let extensions = self.extensions(header_length, offset)?;
        let format = extensions.into_iter().find(|(kind, _)| *kind == BACKING_FORMAT);
        Ok(Some(BackingName { name, format: format.map(|(_, data)| data) }))
    }

    fn check_features(&self, features: u64, header_length: u64, cluster: u64) -> Result<(), Error> {
        if features & CORRUPT != 0 {
            return Err(self.corrupt("it is marked corrupt: `qemu-img check -r all FILE` may repair it"));
        }
        if features & DIRTY != 0 {
            return Err(self.corrupt(
                "it is marked dirty, which means that it was not closed cleanly: `qemu-img check -r all FILE` repairs it",
            ));
        }
        if features & EXTERNAL_DATA != 0 {
            return Err(self.unsupported(
                "its data lies in another file: `qemu-img convert -O qcow2 FILE NEW` joins them",
            ));
        }
        let unknown = features & !(COMPRESSION_TYPE | EXTENDED_L2);
        if unknown == 0 {
            return Ok(());
        }
        let names = self.feature_names(header_length, cluster)?;
        let list: Vec<String> = (0..64_u8)
            .filter(|bit| unknown >> bit & 1 != 0)
            .map(|bit| match names.iter().find(|(kind, of, _)| *kind == 0 && *of == bit) {
                Some((_, _, name)) => format!("\"{name}\" (bit {bit})"),
                None => format!("bit {bit}"),
            })
            .collect();
        Err(self.unsupported(format!(
            "it uses unknown incompatible features: {}; `qemu-img convert -O qcow2 FILE NEW` with the program that made it may help",
            list.join(", ")
        )))
    }
}

/// Reads and checks the header of `file`, which has `length` bytes.
pub(crate) fn read(file: &File, path: &Path, length: u64) -> Result<Header, Error> {
    let reader = Reader { file, path: path.to_owned(), length };
    let bytes = reader.bytes(0, 112)?;
    if bytes.len() < 72 || bytes[..4] != MAGIC {
        return Err(reader.corrupt(format!("{length} bytes hold no qcow2 header")));
    }
    let version = be32(&bytes, 4);
    if version == 1 {
        return Err(reader.unsupported(
            "it is a qcow image of version 1: `qemu-img convert -O qcow2 FILE NEW` converts it",
        ));
    }
    if !(2..=3).contains(&version) {
        return Err(reader.unsupported(format!("version {version}, where 2 and 3 are known")));
    }
    let cluster_bits = be32(&bytes, 20);
    if !(9..=21).contains(&cluster_bits) {
        return Err(reader.corrupt(format!("cluster_bits is {cluster_bits}, where 9 to 21 are allowed")));
    }
    let cluster = 1_u64 << cluster_bits;

    let (features, header_length) = match version {
        2 => (0, 72),
        _ if bytes.len() < 104 => {
            return Err(reader.corrupt(format!("{length} bytes hold no version 3 header")));
        }
        _ => (be64(&bytes, 72), u64::from(be32(&bytes, 100))),
    };
    if version == 3 && (header_length < 104 || header_length > cluster) {
        return Err(
            reader.corrupt(format!("header_length is {header_length}, where 104 to {cluster} are allowed"))
        );
    }
    reader.check_features(features, header_length, cluster)?;

    let backing = reader.backing(be64(&bytes, 8), u64::from(be32(&bytes, 16)), header_length, cluster)?;
    match be32(&bytes, 32) {
        0 => {}
        1 => {
            return Err(
                reader.unsupported("it is encrypted (AES): `qemu-img convert` with the key decrypts it")
            );
        }
        2 => {
            return Err(
                reader.unsupported("it is encrypted (LUKS): `qemu-img convert` with the key decrypts it")
            );
        }
        other => return Err(reader.unsupported(format!("it is encrypted by method {other}"))),
    }

    // The byte exists from header_length 105 on.
    let kind = if header_length > 104 { bytes.get(104).copied().unwrap_or(0) } else { 0 };
    let compression = match (kind, features & COMPRESSION_TYPE != 0) {
        (0, false) => Compression::Zlib,
        (1, true) => Compression::Zstd,
        (0 | 1, _) => {
            return Err(
                reader.corrupt(format!("compression type {kind} contradicts the incompatible feature bit 3"))
            );
        }
        (other, _) => {
            return Err(reader
                .unsupported(format!("compression type {other}, where 0 (zlib) and 1 (zstd) are known")));
        }
    };
    let extended_l2 = features & EXTENDED_L2 != 0;
    if extended_l2 && cluster_bits < 14 {
        return Err(reader.corrupt(format!(
            "extended L2 entries with clusters of {cluster} bytes, where 16384 is the least"
        )));
    }

    // To QEMU a disk is whole sectors, and what is left of the last one is not there.
    let size = be64(&bytes, 24) & !511;
    let entries_per_l2 = cluster / if extended_l2 { 16 } else { 8 };
    // At least 2^9 * 2^6 bytes for each L1 entry, so this does not overflow.
    let l1_entries = size.div_ceil(cluster * entries_per_l2);
    let (l1_size, l1_offset) = (u64::from(be32(&bytes, 36)), be64(&bytes, 40));
    if l1_entries * 8 > L1_LIMIT {
        return Err(reader.corrupt(format!(
            "a virtual size of {size} bytes needs an L1 table of more than {L1_LIMIT} bytes"
        )));
    }
    if l1_size < l1_entries {
        return Err(
            reader.corrupt(format!("the L1 table has {l1_size} entries, but {size} bytes need {l1_entries}"))
        );
    }
    let l1_end = l1_offset.checked_add(l1_entries * 8);
    if l1_entries > 0
        && (!l1_offset.is_multiple_of(cluster) || l1_offset == 0 || l1_end.is_none_or(|end| end > length))
    {
        return Err(reader.corrupt(format!(
            "the L1 table of {l1_entries} entries at {l1_offset:#x} does not lie on a cluster inside the file of {length} bytes"
        )));
    }
    Ok(Header { size, version, cluster_bits, extended_l2, compression, l1_offset, l1_entries, backing })
}
