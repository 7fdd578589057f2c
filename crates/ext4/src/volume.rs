//! One file system open for editing: its blocks, descriptors and inodes, and the operation under way.
//!
//! Every operation collects what it changes ([`Volume::write_block`], [`Volume::write_run`]) and
//! ends with [`Volume::commit`], which writes it to the disk with all counters and checksums, or
//! with [`Volume::rollback`], after which nothing has happened: a full file system leaves no traces.
//! The disk itself is a private overlay, so no journal is needed.
//!
//! Invariant between operations: what the disk holds is a consistent file system.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite};

use crate::Error;
use crate::allocate::Space;
use crate::bytes::{low_u16, put, put_split_u32, put_u16, put_u32, u16_at};
use crate::checksum::crc32c;
use crate::group::{self, Group};
use crate::inode::Inode;
use crate::superblock::{Superblock, layout};

/// A file system and the changes of the operation under way.
pub(crate) struct Volume {
    disk: Arc<dyn BlockWrite>,
    /// What the superblock says, counters kept up to date.
    pub(crate) superblock: Superblock,
    groups: Vec<Group>,
    /// The clock: seconds since 1970.
    pub(crate) epoch: i64,
    next_generation: u32,
    /// Metadata blocks changed by the operation under way.
    pending: BTreeMap<u64, Vec<u8>>,
    /// Contents of files that it writes: first block, bytes (whole blocks).
    runs: Vec<(u64, Vec<u8>)>,
    /// Blocks that it has freed: not to be given out again before the commit.
    freed: Vec<Range<u64>>,
    /// Blocks that committed operations have freed; some may be in use again.
    given_up: Vec<Range<u64>>,
    dirty_groups: BTreeSet<u32>,
    /// What the allocator remembers.
    pub(crate) space: Space,
}

impl Volume {
    /// Reads superblock and descriptors of the file system that fills `disk`.
    pub(crate) fn open(disk: Arc<dyn BlockWrite>, epoch: i64) -> Result<Self, Error> {
        let superblock = Superblock::read(&disk)?;
        let next_generation = superblock.uuid_word;
        let mut volume = Self {
            disk,
            superblock,
            groups: Vec::new(),
            epoch,
            next_generation,
            pending: BTreeMap::new(),
            runs: Vec::new(),
            freed: Vec::new(),
            given_up: Vec::new(),
            dirty_groups: BTreeSet::new(),
            space: Space::default(),
        };
        volume.check_superblock()?;
        volume.reload_groups()?;
        Ok(volume)
    }

    /// The disk below. Reading it shows committed operations only.
    pub(crate) fn disk(&self) -> &Arc<dyn BlockWrite> {
        &self.disk
    }

    /// Bytes of a block.
    pub(crate) fn block_size(&self) -> usize {
        self.superblock.block_size as usize
    }

    fn superblock_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; layout::SIZE];
        self.disk.read_at(layout::OFFSET, &mut bytes)?;
        Ok(bytes)
    }

    fn check_superblock(&self) -> Result<(), Error> {
        if self.superblock.has_metadata_csum() {
            let bytes = self.superblock_bytes()?;
            let found = crate::bytes::u32_at(&bytes, layout::S_CHECKSUM);
            let wanted = crc32c(!0, &bytes[..layout::S_CHECKSUM]);
            if found != wanted {
                return Err(Error::Damaged(format!(
                    "the superblock's checksum is {found:#010x}, not {wanted:#010x}"
                )));
            }
        }
        Ok(())
    }

    /// Reads superblock and descriptors again, after something else (a journal) changed them.
    pub(crate) fn reload(&mut self) -> Result<(), Error> {
        self.superblock = Superblock::read(&self.disk)?;
        self.check_superblock()?;
        self.reload_groups()
    }

    fn reload_groups(&mut self) -> Result<(), Error> {
        self.space = Space::default();
        let count = self.superblock.group_count();
        let mut groups = Vec::new();
        let mut held: Option<(u64, Vec<u8>)> = None;
        for number in 0..count {
            let (block, at) = group::location(&self.superblock, number);
            let bytes = match held.take() {
                Some((of, bytes)) if of == block => bytes,
                _ => self.read_block(block)?,
            };
            groups.push(self.parse_group(number, bytes.get(at..).unwrap_or_default())?);
            held = Some((block, bytes));
        }
        self.groups = groups;
        self.space = Space::default();
        self.check_places()
    }

    fn parse_group(&self, number: u32, bytes: &[u8]) -> Result<Group, Error> {
        let Some(bytes) = bytes.get(..self.superblock.descriptor_size) else {
            return Err(Error::Damaged(format!(
                "group {number}: its descriptor lies behind the end of a block"
            )));
        };
        if let Some(wanted) = group::checksum(&self.superblock, number, bytes) {
            let found = u16_at(bytes, 0x1e);
            if found != wanted {
                return Err(Error::Damaged(format!(
                    "group {number}: its descriptor's checksum is {found:#06x}, not {wanted:#06x}"
                )));
            }
        }
        Ok(Group::parse(bytes))
    }

    /// Bitmaps and inode tables that lie on top of each other or outside: without metadata_csum
    /// nothing else tells, and an edit would write one over the other.
    fn check_places(&self) -> Result<(), Error> {
        let blocks = self.superblock.blocks;
        let table = self.superblock.inode_table_blocks();
        let mut places: Vec<(u64, u64, usize, &str)> = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            for (first, count, what) in [
                (group.block_bitmap, 1, "block bitmap"),
                (group.inode_bitmap, 1, "inode bitmap"),
                (group.inode_table, table, "inode table"),
            ] {
                let end = first.checked_add(count).filter(|end| *end <= blocks);
                let Some(end) = end.filter(|_| first > u64::from(self.superblock.first_data_block)) else {
                    return Err(Error::Damaged(format!(
                        "group {number}: its {what} is said to be at block {first} of {blocks}"
                    )));
                };
                places.push((first, end, number, what));
            }
        }
        places.sort_unstable();
        match places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            None => Ok(()),
            Some(pair) => Err(Error::Damaged(format!(
                "the {} of group {} lies on top of the {} of group {} at block {}",
                pair[1].3, pair[1].2, pair[0].3, pair[0].2, pair[1].0
            ))),
        }
    }

    /// The descriptors, in order.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// A descriptor.
    pub(crate) fn group(&self, number: u32) -> Result<&Group, Error> {
        self.groups
            .get(number as usize)
            .ok_or_else(|| Error::Damaged(format!("group {number} of {} is asked for", self.groups.len())))
    }

    /// A descriptor to be changed; it is written by the commit.
    pub(crate) fn group_mut(&mut self, number: u32) -> Result<&mut Group, Error> {
        let count = self.groups.len();
        self.dirty_groups.insert(number);
        self.groups
            .get_mut(number as usize)
            .ok_or_else(|| Error::Damaged(format!("group {number} of {count} is asked for")))
    }

    /// Adds the descriptor of a new last group; it is written by the commit.
    pub(crate) fn push_group(&mut self, number: u32, group: Group) -> Result<(), Error> {
        if self.groups.len() != number as usize {
            return Err(Error::Damaged(format!("group {number} is added to {}", self.groups.len())));
        }
        self.groups.push(group);
        self.dirty_groups.insert(number);
        Ok(())
    }

    /// Refuses a block that does not exist, or is the superblock's own.
    pub(crate) fn check_blocks(
        &self,
        what: impl FnOnce() -> String,
        blocks: &Range<u64>,
    ) -> Result<(), Error> {
        if blocks.start <= u64::from(self.superblock.first_data_block) && blocks.start < blocks.end
            || blocks.end > self.superblock.blocks
        {
            return Err(Error::Damaged(format!(
                "{} is said to be at blocks {}..{} of {}",
                what(),
                blocks.start,
                blocks.end,
                self.superblock.blocks
            )));
        }
        Ok(())
    }

    /// The bytes of a metadata block, as the operation under way sees it.
    pub(crate) fn read_block(&self, block: u64) -> Result<Vec<u8>, Error> {
        if let Some(bytes) = self.pending.get(&block) {
            return Ok(bytes.clone());
        }
        let mut bytes = vec![0; self.block_size()];
        self.read_raw(block, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Bytes of the disk from byte `inside` of `block` on, pending changes *not* seen: for the
    /// contents of files.
    pub(crate) fn read_raw(&self, block: u64, inside: u64, buf: &mut [u8]) -> Result<(), Error> {
        let length = buf.len() as u64;
        let end = block
            .checked_mul(self.superblock.block_size.into())
            .and_then(|start| start.checked_add(inside))
            .filter(|start| {
                start.checked_add(length).is_some_and(|end| {
                    end <= self.superblock.blocks.saturating_mul(self.superblock.block_size.into())
                })
            });
        let Some(start) = end else {
            return Err(Error::Damaged(format!("block {block} of {} is asked for", self.superblock.blocks)));
        };
        self.disk.read_at(start, buf)?;
        Ok(())
    }

    /// Replaces a metadata block (a whole one).
    pub(crate) fn write_block(&mut self, block: u64, bytes: Vec<u8>) -> Result<(), Error> {
        if block >= self.superblock.blocks || bytes.len() != self.block_size() {
            return Err(Error::Damaged(format!(
                "{} bytes for block {block} of {}",
                bytes.len(),
                self.superblock.blocks
            )));
        }
        self.pending.insert(block, bytes);
        Ok(())
    }

    /// Writes a file's content: whole blocks from `first` on. Not read back before the commit.
    pub(crate) fn write_run(&mut self, first: u64, bytes: Vec<u8>) -> Result<(), Error> {
        let size = self.block_size();
        let count = (bytes.len() / size) as u64;
        if !bytes.len().is_multiple_of(size) {
            return Err(Error::Damaged(format!("{} bytes are no whole blocks", bytes.len())));
        }
        self.check_blocks(|| "content".to_owned(), &(first..first.saturating_add(count)))?;
        // A freed metadata block that is content now must not be written over the content.
        let stale: Vec<u64> = self.pending.range(first..first + count).map(|(block, _)| *block).collect();
        for block in stale {
            self.pending.remove(&block);
        }
        self.runs.push((first, bytes));
        Ok(())
    }

    /// Remembers blocks as freed by the operation under way.
    pub(crate) fn note_freed(&mut self, blocks: Range<u64>) {
        let stale: Vec<u64> = self.pending.range(blocks.clone()).map(|(block, _)| *block).collect();
        for block in stale {
            self.pending.remove(&block);
        }
        match self.freed.last_mut() {
            Some(last) if last.end == blocks.start => last.end = blocks.end,
            _ => self.freed.push(blocks),
        }
    }

    /// The blocks freed by the operation under way.
    pub(crate) fn freed(&self) -> &[Range<u64>] {
        &self.freed
    }

    /// Blocks that committed operations have freed, in their order; some may be in use again.
    pub(crate) fn given_up(&self) -> &[Range<u64>] {
        &self.given_up
    }

    /// The generation number for a new inode. Nothing is random: the same edits give the same bytes.
    pub(crate) fn new_generation(&mut self) -> u32 {
        self.next_generation = self.next_generation.wrapping_add(1);
        self.next_generation
    }

    /// Where an inode lies: block and byte in it.
    pub(crate) fn inode_location(&self, number: u32) -> Result<(u64, usize), Error> {
        if number == 0 || number > self.superblock.inodes {
            return Err(Error::Damaged(format!("inode {number} of {} is asked for", self.superblock.inodes)));
        }
        let group = (number - 1) / self.superblock.inodes_per_group;
        let index = (number - 1) % self.superblock.inodes_per_group;
        let at = u64::from(index) * u64::from(self.superblock.inode_size);
        let size = u64::from(self.superblock.block_size);
        let block = self.group(group)?.inode_table.saturating_add(at / size);
        Ok((block, usize::try_from(at % size).unwrap_or(0)))
    }

    /// An inode, its checksum verified.
    pub(crate) fn inode(&self, number: u32) -> Result<Inode, Error> {
        let (block, at) = self.inode_location(number)?;
        let size = usize::from(self.superblock.inode_size);
        let raw = match self.pending.get(&block) {
            Some(bytes) => bytes.get(at..at + size).unwrap_or_default().to_vec(),
            None => {
                let mut raw = vec![0; size];
                self.read_raw(block, at as u64, &mut raw)?;
                raw
            }
        };
        let inode = Inode { number, raw };
        if !inode.checksum_is_right(&self.superblock) {
            return Err(Error::Damaged(format!("inode {number}: its checksum is wrong")));
        }
        Ok(inode)
    }

    /// Stores an inode with its checksum.
    pub(crate) fn write_inode(&mut self, inode: &mut Inode) -> Result<(), Error> {
        inode.seal(&self.superblock);
        let (block, at) = self.inode_location(inode.number)?;
        let mut bytes = self.read_block(block)?;
        put(&mut bytes, at, &inode.raw);
        self.write_block(block, bytes)
    }

    /// The seed of the checksums of what belongs to an inode: directories, extents.
    pub(crate) fn inode_seed(&self, inode: &Inode) -> u32 {
        let seed = crc32c(self.superblock.checksum_seed, &inode.number.to_le_bytes());
        crc32c(seed, &inode.generation().to_le_bytes())
    }

    /// Writes what the operation changed. Descriptors, counters and the superblock come last.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        for number in std::mem::take(&mut self.dirty_groups) {
            let (block, at) = group::location(&self.superblock, number);
            let mut bytes = self.read_block(block)?;
            let descriptor = self.group(number)?.clone();
            if let Some(place) = bytes.get_mut(at..at + self.superblock.descriptor_size) {
                descriptor.store(&self.superblock, number, place);
            }
            self.write_block(block, bytes)?;
        }
        let size = u64::from(self.superblock.block_size);
        for (first, bytes) in std::mem::take(&mut self.runs) {
            self.disk.write_at(first * size, &bytes)?;
        }
        for (block, bytes) in std::mem::take(&mut self.pending) {
            self.disk.write_at(block * size, &bytes)?;
        }
        if !self.freed.is_empty() {
            self.given_up.append(&mut self.freed);
            self.space.forget();
        }
        self.write_superblock()
    }

    /// Forgets what the operation changed.
    pub(crate) fn rollback(&mut self) -> Result<(), Error> {
        self.pending.clear();
        self.runs.clear();
        self.freed.clear();
        self.space.forget();
        self.superblock = Superblock::read(&self.disk)?;
        for number in std::mem::take(&mut self.dirty_groups) {
            let (block, at) = group::location(&self.superblock, number);
            let bytes = self.read_block(block)?;
            let group = self.parse_group(number, bytes.get(at..).unwrap_or_default())?;
            if let Some(place) = self.groups.get_mut(number as usize) {
                *place = group;
            }
        }
        Ok(())
    }

    /// Writes the superblock's counters, features and orphan head; everything else stays.
    fn write_superblock(&mut self) -> Result<(), Error> {
        let mut bytes = self.superblock_bytes()?;
        let before = bytes.clone();
        let superblock = &self.superblock;
        let high = |at| superblock.has_64bit().then_some(at);
        put_split_u32(
            &mut bytes,
            layout::S_FREE_BLOCKS_COUNT_LO,
            high(layout::S_FREE_BLOCKS_COUNT_HI),
            superblock.free_blocks,
        );
        put_u32(&mut bytes, layout::S_FREE_INODES_COUNT, superblock.free_inodes);
        put_u32(&mut bytes, layout::S_LAST_ORPHAN, superblock.last_orphan);
        for (at, word) in [layout::S_FEATURE_COMPAT, layout::S_FEATURE_INCOMPAT, layout::S_FEATURE_RO_COMPAT]
            .into_iter()
            .zip(superblock.features)
        {
            put_u32(&mut bytes, at, word);
        }
        if bytes != before {
            self.store_superblock(bytes)?;
        }
        Ok(())
    }

    /// Stores the primary superblock, checksum included. Its backups stay as they are: the kernel
    /// and e2fsck do not compare counters with them.
    pub(crate) fn store_superblock(&self, mut bytes: Vec<u8>) -> Result<(), Error> {
        self.seal_superblock(&mut bytes);
        self.disk.write_at(layout::OFFSET, &bytes)?;
        Ok(())
    }

    /// The superblock as its backup in `group` should be.
    pub(crate) fn superblock_copy(&self, group: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = self.superblock_bytes()?;
        put_u16(&mut bytes, layout::S_BLOCK_GROUP_NR, low_u16(group.into()));
        self.seal_superblock(&mut bytes);
        Ok(bytes)
    }

    fn seal_superblock(&self, bytes: &mut [u8]) {
        if self.superblock.has_metadata_csum() {
            let sum = crc32c(!0, &bytes[..layout::S_CHECKSUM]);
            put_u32(bytes, layout::S_CHECKSUM, sum);
        }
    }

    /// Changes the superblock's bytes on the disk at once, outside any operation (grow, recovery).
    pub(crate) fn edit_superblock(&mut self, edit: impl FnOnce(&mut [u8])) -> Result<(), Error> {
        let mut bytes = self.superblock_bytes()?;
        edit(&mut bytes);
        self.store_superblock(bytes)?;
        self.superblock = Superblock::read(&self.disk)?;
        Ok(())
    }
}
