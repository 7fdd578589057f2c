//! Attribute blocks: one block of attributes, shared by inodes whose attributes are the same.
//!
//! Linux, fs/ext4/xattr.h `struct ext4_xattr_header`; fs/ext4/xattr.c `ext4_xattr_block_csum`,
//! `ext4_xattr_block_set`, `ext4_xattr_release_block`. A block that others refer to is never changed but
//! for its count; the changed attributes go to a block of their own.

use super::entry::{self, Entry};
use crate::Error;
use crate::bytes::{put_u32, u32_at};
use crate::checksum::crc32c;
use crate::inode::Inode;
use crate::volume::Volume;

/// First word of an attribute block, and of the attributes in an inode.
pub(super) const MAGIC: u32 = 0xea02_0000;
/// `struct ext4_xattr_header`: magic, reference count, blocks (1), hash, checksum, 12 bytes reserved.
pub(super) const HEADER: usize = 32;
const REFERENCES: usize = 4;
const BLOCKS: usize = 8;
const HASH: usize = 12;
const CHECKSUM: usize = 16;

/// An attribute block as it is on the disk.
pub(super) struct AttributeBlock {
    number: u64,
    bytes: Vec<u8>,
    references: u32,
    pub(super) entries: Vec<Entry>,
}

impl AttributeBlock {
    /// True when other inodes have it too.
    pub(super) fn is_shared(&self) -> bool {
        self.references > 1
    }
}

impl Volume {
    /// The inode's attribute block, checked.
    pub(super) fn attribute_block(&self, inode: &Inode) -> Result<Option<AttributeBlock>, Error> {
        let number = inode.xattr_block();
        if number == 0 {
            return Ok(None);
        }
        let damaged = |what: String| {
            Error::Damaged(format!("inode {}: attribute block {number}: {what}", inode.number))
        };
        self.check_blocks(
            || format!("inode {}: its attribute block", inode.number),
            &(number..number.saturating_add(1)),
        )?;
        let bytes = self.read_block(number)?;
        let (magic, blocks) = (u32_at(&bytes, 0), u32_at(&bytes, BLOCKS));
        if magic != MAGIC || blocks != 1 {
            return Err(damaged(format!(
                "its header says magic {magic:#010x} and {blocks} blocks, not {MAGIC:#010x} and 1"
            )));
        }
        if self.superblock.has_metadata_csum() {
            let (found, wanted) = (u32_at(&bytes, CHECKSUM), self.block_checksum(number, &bytes));
            if found != wanted {
                return Err(damaged(format!("its checksum is {found:#010x}, not {wanted:#010x}")));
            }
        }
        let references = u32_at(&bytes, REFERENCES);
        if references == 0 {
            return Err(damaged("no inode is said to refer to it".to_owned()));
        }
        let entries = entry::parse(&bytes, HEADER).map_err(damaged)?;
        Ok(Some(AttributeBlock { number, bytes, references, entries }))
    }

    fn block_checksum(&self, number: u64, bytes: &[u8]) -> u32 {
        let seed = crc32c(self.superblock.checksum_seed, &number.to_le_bytes());
        let seed = crc32c(seed, bytes.get(..CHECKSUM).unwrap_or_default());
        let seed = crc32c(seed, &[0; 4]);
        crc32c(seed, bytes.get(CHECKSUM + 4..).unwrap_or_default())
    }

    /// Stores an attribute block with its checksum.
    pub(super) fn write_attribute_block(&mut self, number: u64, mut bytes: Vec<u8>) -> Result<(), Error> {
        if self.superblock.has_metadata_csum() {
            let sum = self.block_checksum(number, &bytes);
            put_u32(&mut bytes, CHECKSUM, sum);
        }
        self.write_block(number, bytes)
    }

    /// Lets the inode have `entries` in its attribute block (no block at all when there are none) instead of
    /// `old`, what it has now. They must fit. `i_blocks` is kept; references to value inodes are the caller's.
    pub(super) fn replace_attribute_block(
        &mut self,
        inode: &mut Inode,
        old: Option<AttributeBlock>,
        mut entries: Vec<Entry>,
    ) -> Result<(), Error> {
        if entries.is_empty() {
            return match old {
                None => Ok(()),
                Some(old) => self.drop_attribute_block(inode, old),
            };
        }
        entries.sort_by(Entry::order);
        let mut bytes = vec![0; self.block_size()];
        put_u32(&mut bytes, 0, MAGIC);
        put_u32(&mut bytes, REFERENCES, 1);
        put_u32(&mut bytes, BLOCKS, 1);
        put_u32(&mut bytes, HASH, entry::block_hash(&entries));
        if !entry::store(&entries, &mut bytes, HEADER, true) {
            return Err(Error::Damaged(format!("inode {}: attributes that fit do not fit", inode.number)));
        }
        let number = match old {
            Some(old) if !old.is_shared() => old.number,
            old => {
                let group = (inode.number.saturating_sub(1)) / self.superblock.inodes_per_group;
                let goal = self.superblock.group_start(group);
                let given = self.allocate_blocks(1, goal)?;
                let number = given.first().map_or(0, |range| range.start);
                if let Some(old) = old {
                    self.drop_attribute_block(inode, old)?;
                }
                inode.set_xattr_block(number);
                inode.add_blocks(&self.superblock.clone(), 1);
                number
            }
        };
        self.write_attribute_block(number, bytes)
    }

    /// Takes the inode's attribute block away from it, and frees it when nobody else has it. The value
    /// inodes that it refers to are the caller's.
    pub(super) fn drop_attribute_block(
        &mut self,
        inode: &mut Inode,
        block: AttributeBlock,
    ) -> Result<(), Error> {
        if block.is_shared() {
            self.count_references(block, -1)?;
        } else {
            self.free_blocks(block.number..block.number + 1)?;
        }
        inode.set_xattr_block(0);
        inode.add_blocks(&self.superblock.clone(), -1);
        Ok(())
    }

    /// Lets `change` more inodes refer to a block.
    pub(super) fn count_references(&mut self, block: AttributeBlock, change: i32) -> Result<(), Error> {
        let mut bytes = block.bytes;
        put_u32(&mut bytes, REFERENCES, block.references.saturating_add_signed(change));
        self.write_attribute_block(block.number, bytes)
    }
}
