//! The nodes of a hash tree: where they keep their entries, and their checksum.
//!
//! Linux, fs/ext4/namei.c `struct dx_root`, `struct dx_node`, `struct dx_tail`, `dx_root_limit`,
//! `ext4_dx_csum`, `EXT4_HTREE_LEVEL`.
//!
//! A node looks like a block with one unused entry, the root like one with `.` and a `..` that takes
//! the rest, so whoever knows nothing of the index reads it as an empty block. The entries (hash,
//! block; 8 bytes each) come behind; the first one's hash is not needed, and its place holds the
//! number of entries that fit and that are there.

use crate::bytes::{low_u16, put_u16, put_u32, u16_at, u32_at};
use crate::checksum::crc32c;

/// Where the entries of the root start: behind `.`, `..` and `struct dx_root_info`.
const ROOT_ENTRIES: usize = 32;
/// Where those of another node start: behind the unused entry.
const NODE_ENTRIES: usize = 8;
/// Bytes of an entry.
const ENTRY: usize = 8;
/// `struct dx_tail`: a reserved word and the checksum.
const TAIL: usize = 8;
/// Bytes of `.`, and where `..` stands.
const DOT: usize = 12;
/// `struct dx_root_info`.
const INFO: usize = 24;
const INFO_LENGTH: u8 = 8;
/// A directory's highest block that an index can tell: 28 bits (`dx_get_block`).
pub(super) const LAST_BLOCK: u32 = 0x0fff_ffff;

/// The stored length of an entry that takes a whole block, or of `..` in a root.
fn stored_length(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(0xffff)
}

fn is_stored_length(stored: u16, length: usize) -> bool {
    stored == stored_length(length) || (stored == 0 && length == 1 << 16)
}

/// True for a block that is one unused entry. A block of names with a checksum has a tail, so its
/// entries end earlier; without checksums the answer does not matter.
pub(super) fn looks_like_node(bytes: &[u8]) -> bool {
    is_stored_length(u16_at(bytes, 4), bytes.len())
}

fn start(root: bool) -> usize {
    if root { ROOT_ENTRIES } else { NODE_ENTRIES }
}

/// Entries that fit.
fn limit(block_size: usize, root: bool, checksums: bool) -> usize {
    let tail = if checksums { TAIL } else { 0 };
    block_size.saturating_sub(start(root) + tail) / ENTRY
}

fn checksum(bytes: &[u8], root: bool, seed: u32) -> u32 {
    let (start, tail) = (start(root), tail_at(bytes, root));
    let count = usize::from(u16_at(bytes, start + 2));
    let sum = crc32c(seed, bytes.get(..start + count * ENTRY).unwrap_or_default());
    let reserved = u32_at(bytes, tail).to_le_bytes();
    crc32c(crc32c(sum, &reserved), &[0; 4])
}

fn tail_at(bytes: &[u8], root: bool) -> usize {
    start(root) + limit(bytes.len(), root, true) * ENTRY
}

/// Says what is wrong with a node of a file system with checksums.
pub(super) fn verify(bytes: &[u8], root: bool, seed: u32) -> Result<(), String> {
    check(bytes, root, true)?;
    let (found, wanted) = (u32_at(bytes, tail_at(bytes, root) + 4), checksum(bytes, root, seed));
    if found != wanted {
        return Err(format!("the checksum of its index is {found:#010x}, not {wanted:#010x}"));
    }
    Ok(())
}

/// Stores the checksum.
pub(super) fn seal(bytes: &mut [u8], root: bool, seed: u32) {
    let at = tail_at(bytes, root);
    let sum = checksum(bytes, root, seed);
    put_u32(bytes, at + 4, sum);
}

/// Says what is wrong with a node's structure.
pub(super) fn check(bytes: &[u8], root: bool, checksums: bool) -> Result<(), String> {
    if root {
        let dots = (u16_at(bytes, 4), u16_at(bytes, DOT + 4));
        let wanted = (stored_length(DOT), stored_length(bytes.len() - DOT));
        if dots != wanted {
            return Err(format!(
                "its first entries are {dots:?} bytes long; in front of an index {wanted:?}"
            ));
        }
        let info = (u32_at(bytes, INFO), Root::read(bytes));
        if info.0 != 0 || info.1.length != INFO_LENGTH || info.1.flags & 1 != 0 {
            return Err(format!(
                "its index has the reserved word {:#x}, an info of {} bytes and the flags {:#x}",
                info.0, info.1.length, info.1.flags
            ));
        }
    } else if !looks_like_node(bytes) {
        return Err("it belongs to the index, but holds names".to_owned());
    }
    let at = start(root);
    let (found, wanted) = (usize::from(u16_at(bytes, at)), limit(bytes.len(), root, checksums));
    if found != wanted {
        return Err(format!("its index says that it has room for {found} entries, not {wanted}"));
    }
    let count = usize::from(u16_at(bytes, at + 2));
    if count == 0 || count > wanted {
        return Err(format!("its index says that it has {count} entries of {wanted}"));
    }
    Ok(())
}

/// `struct dx_root_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// The hash.
    pub(super) hash_version: u8,
    length: u8,
    /// Levels of nodes between the root and the names.
    pub(super) levels: u8,
    flags: u8,
}

impl Root {
    /// As the root block has it.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let [hash_version, length, levels, flags] = u32_at(bytes, INFO + 4).to_le_bytes();
        Self { hash_version, length, levels, flags }
    }
}

/// Changes the number of levels.
pub(super) fn set_levels(bytes: &mut [u8], levels: u8) {
    let root = Root::read(bytes);
    put_u32(bytes, INFO + 4, u32::from_le_bytes([root.hash_version, root.length, levels, root.flags]));
}

/// Where the entries of a node stand in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index {
    start: usize,
    limit: usize,
}

impl Index {
    /// Of a block of a file system with or without checksums.
    pub(super) fn new(block_size: usize, root: bool, checksums: bool) -> Self {
        Self { start: start(root), limit: limit(block_size, root, checksums) }
    }

    fn at(self, position: usize) -> usize {
        self.start + position * ENTRY
    }

    /// Entries that are there, as far as they fit.
    pub(super) fn count(self, bytes: &[u8]) -> usize {
        usize::from(u16_at(bytes, self.start + 2)).min(self.limit)
    }

    /// True when no further entry fits.
    pub(super) fn is_full(self, bytes: &[u8]) -> bool {
        self.count(bytes) >= self.limit
    }

    /// The lowest hash of what an entry leads to; its lowest bit says that the names of that hash
    /// start in the block before.
    pub(super) fn hash(self, bytes: &[u8], position: usize) -> u32 {
        if position == 0 { 0 } else { u32_at(bytes, self.at(position)) }
    }

    /// The directory's block that an entry leads to.
    pub(super) fn block(self, bytes: &[u8], position: usize) -> u32 {
        u32_at(bytes, self.at(position) + 4) & LAST_BLOCK
    }

    /// The last entry whose hash is not above `hash`.
    pub(super) fn position(self, bytes: &[u8], hash: u32) -> usize {
        let (mut low, mut high) = (1, self.count(bytes));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.hash(bytes, middle) > hash {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low - 1
    }

    /// All entries; the first one's hash is 0.
    pub(super) fn entries(self, bytes: &[u8]) -> Vec<(u32, u32)> {
        (0..self.count(bytes)).map(|at| (self.hash(bytes, at), self.block(bytes, at))).collect()
    }

    /// Replaces all entries; those that were there and are not any more become zeros.
    pub(super) fn replace(self, bytes: &mut [u8], entries: &[(u32, u32)]) {
        if let Some(area) = bytes.get_mut(self.start..self.at(self.limit)) {
            area.fill(0);
        }
        for (position, (hash, block)) in entries.iter().take(self.limit).enumerate() {
            put_u32(bytes, self.at(position), *hash);
            put_u32(bytes, self.at(position) + 4, *block);
        }
        put_u16(bytes, self.start, low_u16(self.limit as u64));
        put_u16(bytes, self.start + 2, low_u16(entries.len() as u64));
    }
}

/// Makes a block a node without entries.
pub(super) fn init_node(bytes: &mut [u8]) {
    let length = stored_length(bytes.len());
    bytes.fill(0);
    put_u16(bytes, 4, length);
}

/// Makes a directory's first block a root: `.` and `..` stay, all else goes. Its only entry leads to
/// the directory's block 1.
pub(super) fn init_root(bytes: &mut [u8], hash_version: u8, checksums: bool) {
    let rest = stored_length(bytes.len() - DOT);
    put_u16(bytes, DOT + 4, rest);
    if let Some(area) = bytes.get_mut(INFO..) {
        area.fill(0);
    }
    put_u32(bytes, INFO + 4, u32::from_le_bytes([hash_version, INFO_LENGTH, 0, 0]));
    Index::new(bytes.len(), true, checksums).replace(bytes, &[(0, 1)]);
}
