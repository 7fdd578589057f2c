//! Hash trees: finding a name by its hash, and adding one where blocks have to be split.
//!
//! Linux, fs/ext4/namei.c `dx_probe`, `ext4_htree_next_block`, `ext4_dx_add_entry`, `do_split`,
//! `make_indexed_dir`; `ext4_dir_htree_level`: two levels of nodes, three with large_dir.
//!
//! Invariant: the names below an entry of a node have hashes from that entry's to the next one's.
//! Where names of one hash do not fit into one block, the next block's entry has that hash with the
//! lowest bit set.

use std::collections::BTreeSet;

use super::block::{Block, Content, Place, full};
use super::entry::{self, Target};
use super::hash::Hasher;
use super::index::{self, Index, Root};
use super::{Name, damaged};
use crate::Error;
use crate::inode::{Inode, flag};
use crate::volume::Volume;

/// Splits that one name can need: of each level, of the root and of the leaf, with some to spare.
const MOST_SPLITS: usize = 16;

/// A node on the way to a name.
struct Frame {
    block: Block,
    index: Index,
    /// The entry that the way takes.
    position: usize,
}

impl Frame {
    fn is_full(&self) -> bool {
        self.index.is_full(&self.block.bytes)
    }

    fn next_block(&self) -> u32 {
        self.index.block(&self.block.bytes, self.position)
    }
}

impl Volume {
    /// The most levels of nodes below the root.
    fn most_levels(&self) -> u8 {
        if self.superblock.has_large_dir() { 2 } else { 1 }
    }

    fn frame(&self, directory: &Inode, logical: u32) -> Result<Frame, Error> {
        let physical = self.directory_block_place(directory, logical)?;
        let mut block = self.directory_block(directory, logical, physical)?;
        let checksums = self.superblock.has_metadata_csum();
        let root = logical == 0;
        index::check(&block.bytes, root, checksums).map_err(|what| block.damaged(directory, what))?;
        block.content = if root { Content::Root } else { Content::Node };
        Ok(Frame { index: Index::new(block.bytes.len(), root, checksums), block, position: 0 })
    }

    fn hasher(&self, directory: &Inode, root: &Block) -> Result<Hasher, Error> {
        let version = Root::read(&root.bytes).hash_version;
        Hasher::new(version, self.superblock.hash_unsigned, self.superblock.hash_seed).ok_or_else(|| {
            Error::Unsupported(format!(
                "directory inode {}: names hashed by the unknown version {version}",
                directory.number
            ))
        })
    }

    /// The nodes on the way to the first block that may hold `hash`, from the root on.
    fn probe(&self, directory: &Inode, name: &[u8]) -> Result<(u32, Vec<Frame>), Error> {
        let root = self.frame(directory, 0)?;
        let hash = self.hasher(directory, &root.block)?.hash(name);
        let levels = Root::read(&root.block.bytes).levels;
        if levels > self.most_levels() {
            return Err(root.block.damaged(
                directory,
                format!("its index has {levels} levels below it, of {}", self.most_levels()),
            ));
        }
        let mut frames = vec![root];
        for _ in 0..=levels {
            let Some(frame) = frames.last_mut() else { break };
            frame.position = frame.index.position(&frame.block.bytes, hash);
            if frames.len() <= usize::from(levels) {
                let next = frames.last().map_or(0, Frame::next_block);
                frames.push(self.inner_frame(directory, next)?);
            }
        }
        Ok((hash, frames))
    }

    fn inner_frame(&self, directory: &Inode, logical: u32) -> Result<Frame, Error> {
        if logical == 0 {
            return Err(damaged(directory, "its index leads back to block 0"));
        }
        self.frame(directory, logical)
    }

    /// The block of names at the end of a way.
    fn leaf(&self, directory: &Inode, frames: &[Frame]) -> Result<Block, Error> {
        let logical = frames.last().map_or(0, Frame::next_block);
        if logical == 0 {
            return Err(damaged(directory, "its index leads back to block 0"));
        }
        let physical = self.directory_block_place(directory, logical)?;
        let mut block = self.directory_block(directory, logical, physical)?;
        if block.content != Content::Names && self.superblock.has_metadata_csum() {
            return Err(
                block.damaged(directory, "the index leads to it as to a block of names, but it is a node")
            );
        }
        block.content = Content::Names;
        Ok(block)
    }

    /// Goes on to the next block of names when it goes on with the same hash.
    fn advance(&self, directory: &Inode, frames: &mut [Frame], hash: u32) -> Result<bool, Error> {
        let mut depth = frames.len();
        // The deepest node that has a further entry.
        let next = loop {
            let Some(above) = depth.checked_sub(1) else { return Ok(false) };
            depth = above;
            let Some(frame) = frames.get_mut(depth) else { return Ok(false) };
            if frame.position + 1 < frame.index.count(&frame.block.bytes) {
                frame.position += 1;
                break frame.index.hash(&frame.block.bytes, frame.position);
            }
        };
        if next & !1 != hash {
            return Ok(false);
        }
        for depth in depth + 1..frames.len() {
            let logical = frames.get(depth - 1).map_or(0, Frame::next_block);
            let below = self.inner_frame(directory, logical)?;
            if let Some(frame) = frames.get_mut(depth) {
                *frame = below;
            }
        }
        Ok(true)
    }

    /// A name, by its hash.
    pub(super) fn find_indexed(
        &self,
        directory: &Inode,
        name: &[u8],
    ) -> Result<Option<(Place, Name)>, Error> {
        let (hash, mut frames) = self.probe(directory, name)?;
        let mut seen = BTreeSet::new();
        loop {
            let block = self.leaf(directory, &frames)?;
            if !seen.insert(block.physical) {
                return Err(block.damaged(directory, "the index leads to it twice"));
            }
            if let Some(found) = self.find_in_block(directory, &block, name)? {
                return Ok(Some(found));
            }
            if !self.advance(directory, &mut frames, hash)? {
                return Ok(None);
            }
        }
    }

    /// Adds a name to a directory with an index.
    pub(super) fn insert_indexed(&mut self, directory: &mut Inode, target: Target<'_>) -> Result<(), Error> {
        for _ in 0..MOST_SPLITS {
            let (_, frames) = self.probe(directory, target.name)?;
            let mut leaf = self.leaf(directory, &frames)?;
            if self.insert_into_block(directory, &mut leaf, target)? {
                return self.write_directory_block(directory, leaf);
            }
            self.make_room(directory, frames, leaf)?;
        }
        Err(damaged(directory, "splitting its blocks makes no room for a name"))
    }

    /// One step towards room for a further block of names: splits the leaf if the node above it has
    /// room, else the uppermost node that stands in the way, else adds a level.
    fn make_room(&mut self, directory: &mut Inode, mut frames: Vec<Frame>, leaf: Block) -> Result<(), Error> {
        let Some(lowest) = frames.pop() else { return Ok(()) };
        if !lowest.is_full() {
            return self.split_leaf(directory, lowest, leaf);
        }
        let mut node = lowest;
        while let Some(parent) = frames.pop() {
            if !parent.is_full() {
                return self.split_node(directory, parent, node);
            }
            node = parent;
        }
        self.add_level(directory, node)
    }

    /// Moves the upper half of a leaf's names to a new block.
    fn split_leaf(&mut self, directory: &mut Inode, parent: Frame, mut leaf: Block) -> Result<(), Error> {
        let root = self.frame(directory, 0)?;
        let hasher = self.hasher(directory, &root.block)?;
        let old = leaf.clone();
        let mut targets = Vec::new();
        for entry in self.block_entries(directory, &old) {
            let entry = entry?;
            if entry.inode != 0 {
                let target = Target { name: entry.name, inode: entry.inode, tag: entry.tag };
                targets.push((hasher.hash(entry.name), target));
            }
        }
        targets.sort_by_key(|(hash, _)| *hash);
        let Some((middle, split_hash)) = split_point(&targets, self.block_size()) else {
            return Err(leaf.damaged(directory, format!("{} names cannot be split", targets.len())));
        };
        let mut new = self.append_directory_block(directory)?;
        let (low, high) = targets.split_at(middle);
        for (block, part) in [(&mut leaf, low), (&mut new, high)] {
            if !entry::pack(block.entries_mut(), part.iter().map(|(_, target)| *target)) {
                return Err(block.damaged(directory, "half of a block's names do not fit into a block"));
            }
        }
        self.add_entry(directory, parent, split_hash, new.logical)?;
        self.write_directory_block(directory, leaf)?;
        self.write_directory_block(directory, new)
    }

    /// Adds an entry behind the one that the way takes.
    fn add_entry(
        &mut self,
        directory: &Inode,
        mut frame: Frame,
        hash: u32,
        logical: u32,
    ) -> Result<(), Error> {
        let mut entries = frame.index.entries(&frame.block.bytes);
        entries.insert((frame.position + 1).min(entries.len()), (hash, logical));
        frame.index.replace(&mut frame.block.bytes, &entries);
        self.write_directory_block(directory, frame.block)
    }

    /// Makes a new block a node with `entries`.
    fn new_node(&mut self, directory: &mut Inode, entries: &[(u32, u32)]) -> Result<u32, Error> {
        let mut block = self.append_directory_block(directory)?;
        block.content = Content::Node;
        index::init_node(&mut block.bytes);
        Index::new(block.bytes.len(), false, self.superblock.has_metadata_csum())
            .replace(&mut block.bytes, entries);
        let logical = block.logical;
        self.write_directory_block(directory, block)?;
        Ok(logical)
    }

    /// Moves the upper half of a node's entries to a new node.
    fn split_node(&mut self, directory: &mut Inode, parent: Frame, mut node: Frame) -> Result<(), Error> {
        let entries = node.index.entries(&node.block.bytes);
        let (low, high) = entries.split_at(entries.len() / 2);
        let Some((hash, _)) = high.first().filter(|_| !low.is_empty()) else {
            return Err(node.block.damaged(directory, "its index cannot be split"));
        };
        let logical = self.new_node(directory, high)?;
        node.index.replace(&mut node.block.bytes, low);
        self.write_directory_block(directory, node.block)?;
        self.add_entry(directory, parent, *hash, logical)
    }

    /// Moves all entries of the root to a new node below it.
    fn add_level(&mut self, directory: &mut Inode, mut root: Frame) -> Result<(), Error> {
        let levels = Root::read(&root.block.bytes).levels;
        if levels >= self.most_levels() {
            let hint = if self.superblock.has_large_dir() { "" } else { " (three with large_dir)" };
            return Err(full(format!("its index has {} levels and all are full{hint}", levels + 1)));
        }
        let entries = root.index.entries(&root.block.bytes);
        let logical = self.new_node(directory, &entries)?;
        root.index.replace(&mut root.block.bytes, &[(0, logical)]);
        index::set_levels(&mut root.block.bytes, levels + 1);
        self.write_directory_block(directory, root.block)
    }

    /// Gives a directory of one block an index: its names move to block 1. False when it stays
    /// linear: its block starts otherwise than it should, or the file system's hash is not known.
    pub(super) fn make_indexed(&mut self, directory: &mut Inode) -> Result<bool, Error> {
        let version = self.superblock.hash_version;
        if Hasher::new(version, false, [0; 4]).is_none() {
            return Ok(false);
        }
        let physical = self.directory_block_place(directory, 0)?;
        let mut root = self.directory_block(directory, 0, physical)?;
        let old = root.clone();
        let mut targets = Vec::new();
        for (position, entry) in self.block_entries(directory, &old).enumerate() {
            let entry = entry?;
            let dots: Option<(&[u8], usize)> = match position {
                0 => Some((b".", 0)),
                1 => Some((b"..", entry::SHORTEST)),
                _ => None,
            };
            match dots {
                Some(dots) if dots != (entry.name, entry.at) => return Ok(false),
                None if entry.inode != 0 => {
                    targets.push(Target { name: entry.name, inode: entry.inode, tag: entry.tag });
                }
                _ => {}
            }
        }
        let mut leaf = self.append_directory_block(directory)?;
        if !entry::pack(leaf.entries_mut(), targets) {
            return Err(root.damaged(directory, "its names do not fit into another block"));
        }
        root.content = Content::Root;
        index::init_root(&mut root.bytes, version, self.superblock.has_metadata_csum());
        directory.set_flags(directory.flags() | flag::INDEX);
        self.write_directory_block(directory, leaf)?;
        self.write_directory_block(directory, root)?;
        Ok(true)
    }
}

/// Where to split names sorted by hash, so that neither half takes more than half a block, and the
/// hash of the entry for the upper half.
fn split_point(targets: &[(u32, Target<'_>)], block_size: usize) -> Option<(usize, u32)> {
    let mut size = 0;
    let mut moved = 0;
    for (_, target) in targets.iter().rev() {
        let length = entry::needed(target.name.len());
        if size + length / 2 > block_size / 2 {
            break;
        }
        size += length;
        moved += 1;
    }
    let middle = if moved == targets.len() { targets.len() / 2 } else { targets.len() - moved };
    let below = targets.get(middle.checked_sub(1)?)?.0;
    let hash = targets.get(middle)?.0;
    Some((middle, hash | u32::from(hash == below)))
}
