//! Values in inodes of their own (ea_inode): long values, that several attributes may share.
//!
//! Linux, fs/ext4/xattr.c `ext4_xattr_inode_create`, `ext4_xattr_inode_get_ref` and neighbours. Such an
//! inode has no name. Its times mean something else: the access time is the value's checksum, the change
//! time and the version are the number of attributes that refer to it. Those that Lustre made before hold
//! the number and generation of the one file that they belong to, and no count.

use super::entry::{self, Entry, Value};
use crate::Error;
use crate::bytes::{low_u32, put_u32, u32_at};
use crate::checksum::crc32c;
use crate::inode::{Inode, S_IFREG, Time, flag};
use crate::volume::Volume;

const ATIME: usize = 0x08;
const CTIME: usize = 0x0c;
const MTIME: usize = 0x10;
/// `i_version`, low half (`osd1.linux1.l_i_version`).
const VERSION: usize = 0x24;

/// What the system calls can carry (`XATTR_SIZE_MAX`); the kernel reads no longer value out either.
pub(super) const LONGEST_VALUE: usize = 65536;

fn references(value: &Inode) -> u64 {
    u64::from(u32_at(&value.raw, CTIME)) << 32 | u64::from(u32_at(&value.raw, VERSION))
}

fn set_references(value: &mut Inode, count: u64) {
    put_u32(&mut value.raw, CTIME, low_u32(count >> 32));
    put_u32(&mut value.raw, VERSION, low_u32(count));
}

/// True for a value that Lustre made: the entry's hash says nothing, the inode names its one file.
fn is_private(value: &Inode, owner: &Inode, name: &[u8], hash: u32) -> bool {
    !entry::inode_hash_is_right(hash, name, u32_at(&value.raw, ATIME))
        && u32_at(&value.raw, MTIME) == owner.number
        && value.generation() == owner.generation()
}

impl Volume {
    fn value_inode(&self, number: u32) -> Result<Inode, Error> {
        if number < self.superblock.first_inode {
            return Err(Error::Damaged(format!("inode {number} is said to hold an attribute's value")));
        }
        let value = self.inode(number)?;
        if !value.has(flag::EA_INODE) || !value.is_regular() || value.has(flag::INLINE_DATA) {
            return Err(Error::Damaged(format!(
                "inode {number} is said to hold an attribute's value, but has mode {:o} and flags {:#x}",
                value.mode(),
                value.flags()
            )));
        }
        // The kernel refuses it too. Here it also means that removing a value never removes another.
        if value.xattr_block() != 0 || !self.attributes_inside(&value)?.is_empty() {
            return Err(Error::Damaged(format!(
                "inode {number} holds an attribute's value and has attributes itself"
            )));
        }
        Ok(value)
    }

    /// The value of `owner`'s attribute `name` that lies in inode `number`.
    pub(super) fn read_value(
        &self,
        owner: &Inode,
        name: &[u8],
        (number, size, hash): (u32, u32, u32),
    ) -> Result<Vec<u8>, Error> {
        let damaged = |what: String| {
            Error::Damaged(format!("inode {}: attribute value in inode {number}: {what}", owner.number))
        };
        let inode = self.value_inode(number)?;
        if inode.size() != u64::from(size) || size as usize > LONGEST_VALUE {
            return Err(damaged(format!(
                "it has {} bytes, the attribute {size}, and {LONGEST_VALUE} are the most",
                inode.size()
            )));
        }
        let mut value = Vec::new();
        let mut logical = 0;
        while value.len() < size as usize {
            let run = self.map_block(&inode, logical)?;
            let Some(physical) = run.physical.filter(|_| !run.unwritten) else {
                return Err(damaged(format!("its block {logical} is a hole")));
            };
            for block in physical..physical.saturating_add(run.length) {
                if value.len() >= size as usize {
                    break;
                }
                value.extend(self.read_block(block)?);
                logical += 1;
            }
        }
        value.truncate(size as usize);
        let sum = crc32c(self.superblock.checksum_seed, &value);
        let stored = u32_at(&inode.raw, ATIME);
        if !is_private(&inode, owner, name, hash)
            && (sum != stored || !entry::inode_hash_is_right(hash, name, sum))
        {
            return Err(damaged(format!(
                "its checksum is {sum:#010x}; {stored:#010x} is stored, and the entry's hash is {hash:#010x}"
            )));
        }
        Ok(value)
    }

    /// Makes an inode for a value of `owner`'s attribute `name`, referred to once.
    pub(super) fn create_value(&mut self, owner: &Inode, name: &[u8], value: &[u8]) -> Result<Value, Error> {
        let sum = crc32c(self.superblock.checksum_seed, value);
        let mut inode = self.allocate_inode(owner.number, false)?;
        inode.set_mode(S_IFREG | 0o600);
        inode.set_owner(owner.uid(), owner.gid());
        inode.set_links(1);
        inode.set_flags(flag::EA_INODE);
        self.init_map(&mut inode);
        inode.set_size(value.len() as u64);
        // Where the inode has room for it, this gives the seconds their 33rd bit; the word itself is the sum.
        let _ = inode.set_time(Time::Access, sum.into(), 0);
        let _ = inode.set_time(Time::Change, 0, 0);
        put_u32(&mut inode.raw, ATIME, sum);
        set_references(&mut inode, 1);
        let size = self.block_size();
        let given = self.extend_map(&mut inode, 0, value.len().div_ceil(size) as u64)?;
        // Metadata, as for the kernel: later steps of the same operation may read it back.
        for (block, bytes) in given.into_iter().flatten().zip(value.chunks(size)) {
            let mut bytes = bytes.to_vec();
            bytes.resize(size, 0);
            self.write_block(block, bytes)?;
        }
        self.write_inode(&mut inode)?;
        Ok(Value::Inode {
            number: inode.number,
            size: low_u32(value.len() as u64),
            hash: entry::inode_hash(name, sum),
        })
    }

    /// Counts one more attribute that refers to a value.
    pub(super) fn retain_value(&mut self, number: u32) -> Result<(), Error> {
        let mut value = self.value_inode(number)?;
        let count = references(&value).saturating_add(1);
        set_references(&mut value, count);
        self.write_inode(&mut value)
    }

    /// Blocks of values that `i_blocks` of their owner counts, as if each attribute had the value to itself.
    pub(super) fn charged_blocks(&self, owner: &Inode, entries: &[Entry]) -> Result<i64, Error> {
        let mut blocks = 0;
        for entry in entries {
            if let Value::Inode { number, size, hash } = entry.value
                && !is_private(&self.value_inode(number)?, owner, &entry.name, hash)
            {
                blocks += i64::from(size.div_ceil(self.superblock.block_size));
            }
        }
        Ok(blocks)
    }

    /// Counts one attribute of `owner` less, and removes the value with the last one.
    pub(super) fn release_value(&mut self, owner: &Inode, number: u32) -> Result<(), Error> {
        let mut value = self.value_inode(number)?;
        if value.number == owner.number || value.links() == 0 {
            return Err(Error::Damaged(format!(
                "inode {}: the inode {number} is said to hold a value of it",
                owner.number
            )));
        }
        // Lustre's have no count; what stands there is no more than the time of creation.
        let private = u32_at(&value.raw, MTIME) == owner.number
            && value.generation() == owner.generation()
            && u32_at(&value.raw, CTIME) == u32_at(&value.raw, ATIME);
        let count = if private { 1 } else { references(&value) };
        if count > 1 {
            set_references(&mut value, count - 1);
            return self.write_inode(&mut value);
        }
        self.remove_inode(value)
    }
}
