//! Extents as they are stored: the header and the entries of a node, its checksum.
//!
//! Linux, fs/ext4/ext4_extents.h `struct ext4_extent_header`, `ext4_extent`, `ext4_extent_idx`,
//! `EXT4_EXTENT_TAIL_OFFSET`; fs/ext4/extents.c `__ext4_ext_check`.

use std::ops::Range;

use crate::Error;
use crate::bytes::{low_u16, low_u32, put_u16, put_u32, u16_at, u32_at};
use crate::checksum::crc32c;
use crate::inode::Inode;
use crate::volume::Volume;

/// `EXT4_EXT_MAGIC`.
const MAGIC: u16 = 0xf30a;
/// Length of the header and of an entry.
pub(super) const ENTRY: usize = 12;
/// `EXT4_MAX_EXTENT_DEPTH`.
pub(super) const MOST_LEVELS: u16 = 5;
/// `EXT_INIT_MAX_LEN`: longer lengths mean an unwritten extent.
pub(super) const MOST_BLOCKS: u32 = 1 << 15;
/// Extents that the inode has room for.
pub(super) const ROOT_ENTRIES: u16 = 4;
/// No file has more blocks: they are numbered with 32 bits, and the last number is not used.
pub(super) const END: u64 = u32::MAX as u64;

/// A run of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// First block in the file.
    pub(super) logical: u32,
    /// Blocks, 1 to 32768.
    pub(super) length: u32,
    /// First block on the disk.
    pub(super) physical: u64,
    /// Allocated, but reads as zeros.
    pub(super) unwritten: bool,
}

impl Extent {
    /// The first block of the file behind it.
    pub(super) fn end(&self) -> u64 {
        u64::from(self.logical) + u64::from(self.length)
    }

    /// The blocks on the disk.
    pub(super) fn blocks(&self) -> Range<u64> {
        self.physical..self.physical + u64::from(self.length)
    }

    /// The part of it in `logical`, if any.
    pub(super) fn part(&self, logical: &Range<u64>) -> Option<Self> {
        let start = logical.start.max(self.logical.into());
        let end = logical.end.min(self.end());
        (start < end).then(|| Self {
            logical: low_u32(start),
            length: low_u32(end - start),
            physical: self.physical + (start - u64::from(self.logical)),
            unwritten: self.unwritten,
        })
    }

    fn parse(bytes: &[u8]) -> Self {
        let length = u32::from(u16_at(bytes, 4));
        let unwritten = length > MOST_BLOCKS;
        Self {
            logical: u32_at(bytes, 0),
            length: if unwritten { length - MOST_BLOCKS } else { length },
            physical: u64::from(u32_at(bytes, 8)) | u64::from(u16_at(bytes, 6)) << 32,
            unwritten,
        }
    }

    fn store(&self, bytes: &mut [u8]) {
        let length = self.length + if self.unwritten { MOST_BLOCKS } else { 0 };
        put_u32(bytes, 0, self.logical);
        put_u16(bytes, 4, low_u16(length.into()));
        put_u16(bytes, 6, low_u16(self.physical >> 32));
        put_u32(bytes, 8, low_u32(self.physical));
    }
}

/// A node of the level below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// First block of the file that it may map.
    pub(super) logical: u32,
    /// Where it lies.
    pub(super) block: u64,
}

/// A node, checked.
#[derive(Debug)]
pub(super) enum Node {
    /// Extents in order, without overlap.
    Leaf(Vec<Extent>),
    /// Nodes of the level below in order.
    Index(Vec<Child>),
}

/// Most entries of a node in a block of `block_size` bytes; the checksum fits behind them.
pub(super) fn capacity(block_size: usize) -> u16 {
    low_u16(((block_size - ENTRY) / ENTRY) as u64)
}

/// Stores a node in `bytes`, which are zeroed. The entries must fit.
pub(super) fn store(node: &Node, level: u16, most: u16, bytes: &mut [u8]) {
    bytes.fill(0);
    let (count, places) = match node {
        Node::Leaf(extents) => (extents.len(), bytes.chunks_exact_mut(ENTRY).skip(1)),
        Node::Index(children) => (children.len(), bytes.chunks_exact_mut(ENTRY).skip(1)),
    };
    match node {
        Node::Leaf(extents) => extents.iter().zip(places).for_each(|(extent, place)| extent.store(place)),
        Node::Index(children) => children.iter().zip(places).for_each(|(child, place)| {
            put_u32(place, 0, child.logical);
            put_u32(place, 4, low_u32(child.block));
            put_u16(place, 8, low_u16(child.block >> 32));
        }),
    }
    put_u16(bytes, 0, MAGIC);
    put_u16(bytes, 2, low_u16(count as u64));
    put_u16(bytes, 4, most);
    put_u16(bytes, 6, level);
}

impl Volume {
    /// The root: its node and its level.
    pub(super) fn extent_root(&self, inode: &Inode) -> Result<(Node, u16), Error> {
        let bytes = inode.block_area();
        let level = u16_at(bytes, 6);
        let place = || format!("inode {}: extent root", inode.number);
        if level > MOST_LEVELS {
            return Err(Error::Damaged(format!(
                "{}: {level} levels; there are at most {MOST_LEVELS}",
                place()
            )));
        }
        Ok((self.parse_node(bytes, level, ROOT_ENTRIES, 0..END, &place)?, level))
    }

    /// The node in `block`, which should stand `level` levels above the extents and map nothing
    /// outside `logical`.
    pub(super) fn extent_node(
        &self,
        inode: &Inode,
        block: u64,
        level: u16,
        logical: Range<u64>,
    ) -> Result<Node, Error> {
        let place = || format!("inode {}: extent block {block}", inode.number);
        self.check_blocks(place, &(block..block.saturating_add(1)))?;
        let bytes = self.read_block(block)?;
        let node = self.parse_node(&bytes, level, capacity(bytes.len()), logical, &place)?;
        if self.superblock.has_metadata_csum() {
            let tail = tail_offset(u16_at(&bytes, 4));
            let found = u32_at(&bytes, tail);
            let wanted = crc32c(self.inode_seed(inode), bytes.get(..tail).unwrap_or_default());
            if found != wanted {
                let place = place();
                return Err(Error::Damaged(format!(
                    "{place}: its checksum is {found:#010x}, not {wanted:#010x}"
                )));
            }
        }
        Ok(node)
    }

    /// The bytes of a node for a block of its own.
    pub(super) fn extent_block(&self, inode: &Inode, node: &Node, level: u16) -> Vec<u8> {
        let mut bytes = vec![0; self.block_size()];
        let most = capacity(bytes.len());
        store(node, level, most, &mut bytes);
        if self.superblock.has_metadata_csum() {
            let tail = tail_offset(most);
            let sum = crc32c(self.inode_seed(inode), bytes.get(..tail).unwrap_or_default());
            put_u32(&mut bytes, tail, sum);
        }
        bytes
    }

    fn parse_node(
        &self,
        bytes: &[u8],
        level: u16,
        room: u16,
        within: Range<u64>,
        place: &dyn Fn() -> String,
    ) -> Result<Node, Error> {
        let damaged = |what: String| Error::Damaged(format!("{}: {what}", place()));
        let [magic, count, most, found] = [0, 2, 4, 6].map(|at| u16_at(bytes, at));
        if magic != MAGIC {
            return Err(damaged(format!("its magic number is {magic:#06x}, not {MAGIC:#06x}")));
        }
        if found != level {
            return Err(damaged(format!("it is on level {found}, not {level}")));
        }
        if most == 0 || most > room || count > most {
            return Err(damaged(format!("{count} of {most} entries; there is room for {room}")));
        }
        if count == 0 && level > 0 {
            return Err(damaged("an index without entries".to_owned()));
        }
        let entries = bytes.chunks_exact(ENTRY).skip(1).take(count.into());
        let mut next = within.start;
        if level > 0 {
            let mut children = Vec::with_capacity(count.into());
            for (index, entry) in entries.enumerate() {
                let block = u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32;
                let child = Child { logical: u32_at(entry, 0), block };
                let logical = u64::from(child.logical);
                if logical < next || logical >= within.end {
                    return Err(damaged(format!(
                        "entry {index} starts at block {logical} of the file, outside {next}..{}",
                        within.end
                    )));
                }
                next = logical + 1;
                children.push(child);
            }
            return Ok(Node::Index(children));
        }
        let mut extents = Vec::with_capacity(count.into());
        for (index, entry) in entries.enumerate() {
            let extent = Extent::parse(entry);
            if extent.length == 0 || u64::from(extent.logical) < next || extent.end() > within.end {
                return Err(damaged(format!(
                    "extent {index} maps {} blocks at block {} of the file, outside {next}..{}",
                    extent.length, extent.logical, within.end
                )));
            }
            self.check_blocks(|| format!("{}: extent {index}", place()), &extent.blocks())?;
            next = extent.end();
            extents.push(extent);
        }
        Ok(Node::Leaf(extents))
    }
}

/// Where the checksum stands: behind all entries that there is room for.
fn tail_offset(most: u16) -> usize {
    ENTRY + ENTRY * usize::from(most)
}
