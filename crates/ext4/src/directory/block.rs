//! The blocks of a directory: which of them hold names and which the index, with their checksums.
//!
//! Linux, fs/ext4/namei.c `__ext4_read_dirblock`, `ext4_append`; fs/ext4/ext4.h `ext4_isize` (a
//! directory's size has 32 bits without large_dir).

use std::collections::BTreeMap;

use super::{damaged, entry, index};
use crate::Error;
use crate::bytes::low_u32;
use crate::inode::Inode;
use crate::volume::Volume;

/// Holes that a directory may have before it is taken for damaged: it has none by right.
const MOST_HOLES: usize = 1 << 16;

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The directory's block.
    pub(super) logical: u32,
    /// The same on the disk.
    pub(super) physical: u64,
    /// Byte in the block.
    pub(super) at: usize,
}

/// Blocks of a directory that follow each other on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) logical: u32,
    pub(super) physical: u64,
    pub(super) length: u32,
}

impl Extent {
    /// Its blocks: in the directory, on the disk.
    pub(super) fn blocks(self) -> impl Iterator<Item = (u32, u64)> {
        (0..self.length).map(move |index| (self.logical + index, self.physical + u64::from(index)))
    }
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Names. With a checksum, a tail.
    Names,
    /// The root of the hash tree behind `.` and `..`: block 0.
    Root,
    /// Another node of the hash tree. It reads as an unused entry.
    Node,
}

/// A block of a directory.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) logical: u32,
    pub(super) physical: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) content: Content,
    /// Where its entries end.
    end: usize,
}

impl Block {
    /// The part that holds entries.
    pub(super) fn entries(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    /// The same, to be changed.
    pub(super) fn entries_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.end).unwrap_or_default()
    }

    /// Damage in this block.
    pub(super) fn damaged(&self, directory: &Inode, what: impl std::fmt::Display) -> Error {
        damaged(directory, format!("block {} (on the disk {}): {what}", self.logical, self.physical))
    }
}

impl Volume {
    /// Blocks of a directory, by its size.
    pub(super) fn directory_length(&self, directory: &Inode) -> Result<u32, Error> {
        let size = directory.size();
        let block_size = u64::from(self.superblock.block_size);
        if !self.superblock.has_large_dir() && size > u32::MAX.into() {
            return Err(damaged(directory, format!("its size is {size}; without large_dir it has 32 bits")));
        }
        match u32::try_from(size / block_size) {
            Ok(blocks) if size.is_multiple_of(block_size) => Ok(blocks),
            _ => Err(damaged(directory, format!("its size is {size}, in blocks of {block_size}"))),
        }
    }

    /// The blocks that a directory really has, in order, each one once.
    pub(super) fn directory_extents(&self, directory: &Inode) -> Result<Vec<Extent>, Error> {
        let length = self.directory_length(directory)?;
        let mut extents = Vec::new();
        let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
        let mut holes = 0;
        self.for_each_run(directory, length.into(), |logical, run| {
            let (logical, count) = (low_u32(logical), low_u32(run.length));
            match run.physical {
                None => {
                    holes += 1;
                    if holes > MOST_HOLES {
                        return Err(damaged(directory, format!("it has more than {MOST_HOLES} holes")));
                    }
                }
                Some(_) if run.unwritten => {
                    return Err(damaged(directory, format!("its block {logical} was never written")));
                }
                Some(physical) => {
                    let end = physical.saturating_add(count.into());
                    self.check_blocks(
                        || format!("directory inode {}: block {logical}", directory.number),
                        &(physical..end),
                    )?;
                    if seen.range(..end).next_back().is_some_and(|(_, other)| *other > physical) {
                        return Err(damaged(
                            directory,
                            format!(
                                "block {physical} of the disk belongs to it twice, also as block {logical}"
                            ),
                        ));
                    }
                    seen.insert(physical, end);
                    extents.push(Extent { logical, physical, length: count });
                }
            }
            Ok(())
        })?;
        Ok(extents)
    }

    /// Where a directory's block lies on the disk.
    pub(super) fn directory_block_place(&self, directory: &Inode, logical: u32) -> Result<u64, Error> {
        let length = self.directory_length(directory)?;
        if logical >= length {
            return Err(damaged(directory, format!("its block {logical} of {length} is asked for")));
        }
        let run = self.map_block(directory, logical.into())?;
        let physical = run.physical.filter(|_| !run.unwritten);
        let physical =
            physical.ok_or_else(|| damaged(directory, format!("its block {logical} is a hole")))?;
        let what = || format!("directory inode {}: block {logical}", directory.number);
        self.check_blocks(what, &(physical..physical.saturating_add(1)))?;
        Ok(physical)
    }

    /// Reads a directory's block and verifies its checksum.
    pub(super) fn directory_block(
        &self,
        directory: &Inode,
        logical: u32,
        physical: u64,
    ) -> Result<Block, Error> {
        let bytes = self.read_block(physical)?;
        let content = if !self.is_indexed(directory) {
            Content::Names
        } else if logical == 0 {
            Content::Root
        } else if index::looks_like_node(&bytes) {
            Content::Node
        } else {
            Content::Names
        };
        let mut block = Block { logical, physical, end: bytes.len(), bytes, content };
        if self.superblock.has_metadata_csum() {
            let seed = self.inode_seed(directory);
            if content == Content::Names {
                block.end = block.end.saturating_sub(entry::TAIL);
                entry::verify(&block.bytes, seed)
            } else {
                index::verify(&block.bytes, content == Content::Root, seed)
            }
            .map_err(|what| block.damaged(directory, what))?;
        }
        Ok(block)
    }

    /// Adds a block to a directory's end: one unused entry. It is not written yet.
    pub(super) fn append_directory_block(&mut self, directory: &mut Inode) -> Result<Block, Error> {
        let logical = self.directory_length(directory)?;
        let size = directory.size() + u64::from(self.superblock.block_size);
        if logical > index::LAST_BLOCK || (!self.superblock.has_large_dir() && size > u32::MAX.into()) {
            return Err(full(format!("it has {logical} blocks")));
        }
        let place = self.extend_map(directory, logical.into(), 1)?;
        let physical = place
            .first()
            .map(|range| range.start)
            .ok_or_else(|| damaged(directory, format!("no block was given out for its block {logical}")))?;
        directory.set_size(size);
        let mut block = Block {
            logical,
            physical,
            bytes: vec![0; self.block_size()],
            content: Content::Names,
            end: self.block_size(),
        };
        if self.superblock.has_metadata_csum() {
            block.end = block.end.saturating_sub(entry::TAIL);
        }
        entry::clear(block.entries_mut());
        Ok(block)
    }

    /// Writes a directory's block with its checksum.
    pub(super) fn write_directory_block(&mut self, directory: &Inode, mut block: Block) -> Result<(), Error> {
        if self.superblock.has_metadata_csum() {
            let seed = self.inode_seed(directory);
            match block.content {
                Content::Names => entry::seal(&mut block.bytes, seed),
                Content::Root => index::seal(&mut block.bytes, true, seed),
                Content::Node => index::seal(&mut block.bytes, false, seed),
            }
        }
        self.write_block(block.physical, block.bytes)
    }
}

/// The error of a directory that cannot grow; the path is the caller's to tell.
pub(super) fn full(limit: String) -> Error {
    Error::Operation {
        path: String::new(),
        action: "add a name",
        what: format!("the directory is full: {limit}"),
    }
}
