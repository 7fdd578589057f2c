//! Inodes: typed access to their bytes, and their checksum.
//!
//! Linux, fs/ext4/ext4.h `struct ext4_inode`, `EXT4_EPOCH_BITS`; fs/ext4/inode.c `ext4_inode_csum`,
//! `ext4_inode_blocks`.

use std::ops::Range;

use crate::bytes::{low_u16, low_u32, put, put_u16, put_u32, u16_at, u32_at};
use crate::checksum::crc32c;
use crate::superblock::Superblock;

/// The root directory.
pub(crate) const ROOT: u32 = 2;

/// `S_IFMT` and the types that are told apart here.
pub(crate) const S_IFMT: u16 = 0o170_000;
pub(crate) const S_IFREG: u16 = 0o100_000;
pub(crate) const S_IFDIR: u16 = 0o040_000;
pub(crate) const S_IFLNK: u16 = 0o120_000;

/// `i_flags` (`EXT4_*_FL`).
pub(crate) mod flag {
    /// The content and the names in it are encrypted.
    pub(crate) const ENCRYPT: u32 = 0x0800;
    /// The directory has a hash tree.
    pub(crate) const INDEX: u32 = 0x1000;
    /// `i_blocks` counts file system blocks, not sectors.
    pub(crate) const HUGE_FILE: u32 = 0x4_0000;
    /// Blocks are mapped by extents.
    pub(crate) const EXTENTS: u32 = 0x8_0000;
    /// The content is sealed.
    pub(crate) const VERITY: u32 = 0x10_0000;
    /// It holds the value of an extended attribute.
    pub(crate) const EA_INODE: u32 = 0x20_0000;
    /// The content lies in the inode.
    pub(crate) const INLINE_DATA: u32 = 0x1000_0000;
    /// Names in the directory do not know case.
    pub(crate) const CASEFOLD: u32 = 0x4000_0000;
}

const MODE: usize = 0x00;
const UID_LOW: usize = 0x02;
const SIZE_LOW: usize = 0x04;
const DTIME: usize = 0x14;
const GID_LOW: usize = 0x18;
const LINKS: usize = 0x1a;
const BLOCKS_LOW: usize = 0x1c;
const FLAGS: usize = 0x20;
const BLOCK: Range<usize> = 0x28..0x64;
const GENERATION: usize = 0x64;
const FILE_ACL_LOW: usize = 0x68;
const SIZE_HIGH: usize = 0x6c;
const BLOCKS_HIGH: usize = 0x74;
const FILE_ACL_HIGH: usize = 0x76;
const UID_HIGH: usize = 0x78;
const GID_HIGH: usize = 0x7a;
const CHECKSUM_LOW: usize = 0x7c;
const EXTRA_ISIZE: usize = 0x80;
const CHECKSUM_HIGH: usize = 0x82;

/// Length of an inode without its extra part.
const CLASSIC: usize = 128;

/// The times of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Last access.
    Access,
    /// Last change of the inode.
    Change,
    /// Last change of the content.
    Modify,
    /// Creation; only in inodes of 256 bytes or more.
    Creation,
}

impl Time {
    /// Where the seconds and the extra bits stand.
    fn fields(self) -> (usize, usize) {
        match self {
            Self::Access => (0x08, 0x8c),
            Self::Change => (0x0c, 0x84),
            Self::Modify => (0x10, 0x88),
            Self::Creation => (0x90, 0x94),
        }
    }
}

/// An inode: a copy of its bytes. Changes are written by `Volume::write_inode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inode {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// `Superblock::inode_size` bytes, at least 128.
    pub(crate) raw: Vec<u8>,
}

impl Inode {
    /// An inode of zeros with room for all extra fields that the file system wants.
    pub(crate) fn blank(number: u32, superblock: &Superblock) -> Self {
        let size = usize::from(superblock.inode_size);
        let mut inode = Self { number, raw: vec![0; size.max(CLASSIC)] };
        if size > CLASSIC {
            let wanted = usize::from(superblock.want_extra_isize).clamp(32, size - CLASSIC);
            put_u16(&mut inode.raw, EXTRA_ISIZE, low_u16(wanted as u64));
        }
        inode
    }

    /// Type and permission bits.
    pub(crate) fn mode(&self) -> u16 {
        u16_at(&self.raw, MODE)
    }

    /// Sets type and permission bits.
    pub(crate) fn set_mode(&mut self, mode: u16) {
        put_u16(&mut self.raw, MODE, mode);
    }

    /// The type bits.
    pub(crate) fn file_type(&self) -> u16 {
        self.mode() & S_IFMT
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.file_type() == S_IFDIR
    }

    pub(crate) fn is_regular(&self) -> bool {
        self.file_type() == S_IFREG
    }

    pub(crate) fn is_symlink(&self) -> bool {
        self.file_type() == S_IFLNK
    }

    /// Owner.
    pub(crate) fn uid(&self) -> u32 {
        u32::from(u16_at(&self.raw, UID_LOW)) | u32::from(u16_at(&self.raw, UID_HIGH)) << 16
    }

    /// Group.
    pub(crate) fn gid(&self) -> u32 {
        u32::from(u16_at(&self.raw, GID_LOW)) | u32::from(u16_at(&self.raw, GID_HIGH)) << 16
    }

    /// Sets owner and group.
    pub(crate) fn set_owner(&mut self, uid: u32, gid: u32) {
        put_u16(&mut self.raw, UID_LOW, low_u16(uid.into()));
        put_u16(&mut self.raw, UID_HIGH, low_u16(u64::from(uid) >> 16));
        put_u16(&mut self.raw, GID_LOW, low_u16(gid.into()));
        put_u16(&mut self.raw, GID_HIGH, low_u16(u64::from(gid) >> 16));
    }

    /// Length of the content in bytes.
    pub(crate) fn size(&self) -> u64 {
        u64::from(u32_at(&self.raw, SIZE_LOW)) | u64::from(u32_at(&self.raw, SIZE_HIGH)) << 32
    }

    /// Sets the length of the content in bytes.
    pub(crate) fn set_size(&mut self, size: u64) {
        put_u32(&mut self.raw, SIZE_LOW, low_u32(size));
        put_u32(&mut self.raw, SIZE_HIGH, low_u32(size >> 32));
    }

    /// Number of names. Directories with more than 64,999 subdirectories have 1 (dir_nlink).
    pub(crate) fn links(&self) -> u16 {
        u16_at(&self.raw, LINKS)
    }

    /// Sets the number of names.
    pub(crate) fn set_links(&mut self, links: u16) {
        put_u16(&mut self.raw, LINKS, links);
    }

    /// `i_flags`.
    pub(crate) fn flags(&self) -> u32 {
        u32_at(&self.raw, FLAGS)
    }

    /// Sets `i_flags`.
    pub(crate) fn set_flags(&mut self, flags: u32) {
        put_u32(&mut self.raw, FLAGS, flags);
    }

    /// True when all bits of `flag` are set.
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags() & flag == flag
    }

    /// Time of deletion, or the next inode of the orphan list.
    pub(crate) fn dtime(&self) -> u32 {
        u32_at(&self.raw, DTIME)
    }

    /// Sets the time of deletion.
    pub(crate) fn set_dtime(&mut self, seconds: u32) {
        put_u32(&mut self.raw, DTIME, seconds);
    }

    /// `i_generation`.
    pub(crate) fn generation(&self) -> u32 {
        u32_at(&self.raw, GENERATION)
    }

    /// Sets `i_generation`.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        put_u32(&mut self.raw, GENERATION, generation);
    }

    /// `i_block`: 60 bytes of block map, extent root, link target or inline content.
    pub(crate) fn block_area(&self) -> &[u8] {
        self.raw.get(BLOCK).unwrap_or_default()
    }

    /// The same, to be changed.
    pub(crate) fn block_area_mut(&mut self) -> &mut [u8] {
        self.raw.get_mut(BLOCK).unwrap_or_default()
    }

    /// The block that holds extended attributes; 0: none.
    pub(crate) fn xattr_block(&self) -> u64 {
        u64::from(u32_at(&self.raw, FILE_ACL_LOW)) | u64::from(u16_at(&self.raw, FILE_ACL_HIGH)) << 32
    }

    /// Sets the block that holds extended attributes.
    pub(crate) fn set_xattr_block(&mut self, block: u64) {
        put_u32(&mut self.raw, FILE_ACL_LOW, low_u32(block));
        put_u16(&mut self.raw, FILE_ACL_HIGH, low_u16(block >> 32));
    }

    /// Length of the fields behind the first 128 bytes; 0 when there are none.
    pub(crate) fn extra_isize(&self) -> usize {
        if self.raw.len() <= CLASSIC { 0 } else { usize::from(u16_at(&self.raw, EXTRA_ISIZE)) }
    }

    /// Where extended attributes may lie in the inode: behind the extra fields. Empty when there
    /// is no such place or `i_extra_isize` is nonsense.
    pub(crate) fn xattr_area(&self) -> Range<usize> {
        let extra = self.extra_isize();
        let start = CLASSIC + extra;
        if extra < 4 || !extra.is_multiple_of(4) || start > self.raw.len() {
            0..0
        } else {
            start..self.raw.len()
        }
    }

    /// True when the four bytes at `at` lie in the extra fields.
    fn has_extra(&self, at: usize) -> bool {
        at + 4 <= CLASSIC + self.extra_isize() && at + 4 <= self.raw.len()
    }

    /// Bytes on the disk that the inode owns, maps and attribute block included.
    pub(crate) fn allocated_bytes(&self, superblock: &Superblock) -> u64 {
        let count = u64::from(u32_at(&self.raw, BLOCKS_LOW))
            | if superblock.has_huge_file() { u64::from(u16_at(&self.raw, BLOCKS_HIGH)) << 32 } else { 0 };
        let unit = if superblock.has_huge_file() && self.has(flag::HUGE_FILE) {
            u64::from(superblock.block_size)
        } else {
            512
        };
        count.saturating_mul(unit)
    }

    /// Sets what [`allocated_bytes`](Self::allocated_bytes) tells.
    pub(crate) fn set_allocated_bytes(&mut self, superblock: &Superblock, bytes: u64) {
        let mut flags = self.flags() & !flag::HUGE_FILE;
        let mut count = bytes / 512;
        if superblock.has_huge_file() {
            if count >> 48 != 0 {
                count = bytes / u64::from(superblock.block_size);
                flags |= flag::HUGE_FILE;
            }
            put_u16(&mut self.raw, BLOCKS_HIGH, low_u16(count >> 32));
        }
        put_u32(&mut self.raw, BLOCKS_LOW, low_u32(count));
        self.set_flags(flags);
    }

    /// Adds (or, negative, takes) whole blocks to what the inode owns.
    pub(crate) fn add_blocks(&mut self, superblock: &Superblock, blocks: i64) {
        let change = blocks.unsigned_abs().saturating_mul(superblock.block_size.into());
        let now = self.allocated_bytes(superblock);
        let bytes = if blocks < 0 { now.saturating_sub(change) } else { now.saturating_add(change) };
        self.set_allocated_bytes(superblock, bytes);
    }

    /// A time in seconds since 1970 and nanoseconds. The creation is 0 where it is not kept.
    pub(crate) fn time(&self, time: Time) -> (i64, u32) {
        let (at, extra_at) = time.fields();
        if time == Time::Creation && !self.has_extra(at) {
            return (0, 0);
        }
        let seconds = i64::from(u32_at(&self.raw, at).cast_signed());
        if !self.has_extra(extra_at) {
            return (seconds, 0);
        }
        let extra = u32_at(&self.raw, extra_at);
        // Two more bits of seconds: 34 bits from 1901 to 2446.
        (seconds + (i64::from(extra & 3) << 32), (extra >> 2).min(999_999_999))
    }

    /// Sets a time; false when the inode cannot hold it (nothing is changed then).
    #[must_use]
    pub(crate) fn set_time(&mut self, time: Time, seconds: i64, nanoseconds: u32) -> bool {
        let (at, extra_at) = time.fields();
        let first = i64::from(i32::MIN);
        let wide = self.has_extra(extra_at);
        let epochs: i64 = if wide { 4 } else { 1 };
        if !(first..first + (epochs << 32)).contains(&seconds) {
            return false;
        }
        if time == Time::Creation && !self.has_extra(at) {
            return true;
        }
        #[allow(clippy::cast_possible_truncation)]
        let low = seconds as i32;
        put_u32(&mut self.raw, at, low.cast_unsigned());
        if wide {
            let epoch = low_u32(((seconds - i64::from(low)) >> 32).cast_unsigned()) & 3;
            put_u32(&mut self.raw, extra_at, nanoseconds << 2 | epoch);
        }
        true
    }

    /// The checksum as it should be, for comparing and storing.
    fn checksum(&self, superblock: &Superblock) -> u32 {
        let seed = crc32c(superblock.checksum_seed, &self.number.to_le_bytes());
        let seed = crc32c(seed, &self.generation().to_le_bytes());
        let mut bytes = self.raw.clone();
        put(&mut bytes, CHECKSUM_LOW, &[0; 2]);
        if self.has_checksum_high() {
            put(&mut bytes, CHECKSUM_HIGH, &[0; 2]);
        }
        crc32c(seed, &bytes)
    }

    fn has_checksum_high(&self) -> bool {
        self.extra_isize() >= 4
    }

    /// True when the checksum is right or there is none. An inode of zeros has none either.
    pub(crate) fn checksum_is_right(&self, superblock: &Superblock) -> bool {
        if !superblock.has_metadata_csum() {
            return true;
        }
        let sum = self.checksum(superblock);
        let low = u16_at(&self.raw, CHECKSUM_LOW) == low_u16(sum.into());
        let high =
            !self.has_checksum_high() || u16_at(&self.raw, CHECKSUM_HIGH) == low_u16(u64::from(sum) >> 16);
        (low && high) || self.raw.iter().all(|byte| *byte == 0)
    }

    /// Stores the checksum where there is one.
    pub(crate) fn seal(&mut self, superblock: &Superblock) {
        if superblock.has_metadata_csum() {
            let sum = self.checksum(superblock);
            put_u16(&mut self.raw, CHECKSUM_LOW, low_u16(sum.into()));
            if self.has_checksum_high() {
                put_u16(&mut self.raw, CHECKSUM_HIGH, low_u16(u64::from(sum) >> 16));
            }
        }
    }
}
