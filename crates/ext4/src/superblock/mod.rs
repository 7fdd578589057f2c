//! The superblock: geometry, features, and what they forbid.
//!
//! Field names are those of `struct ext4_super_block` (Linux, fs/ext4/ext4.h) in `layout`. Three
//! answers come from here: this is no ext4; it cannot be read; it can be read and must not be
//! written, with the reason (`gate`). Invariant of a [`Superblock`] (`geometry`): block and group
//! counts are not zero and the file system fits its disk, so nothing later divides by zero or
//! allocates by a lie.
//!
//! A journal to be replayed and orphans are no reason against writing: `Volume::recover` sees to them.

mod gate;
mod geometry;
pub(crate) mod layout;
mod state;
#[cfg(test)]
mod tests;

use hardtack_disk::BlockSource;

use crate::Error;
use crate::checksum::crc32c;
use geometry::Geometry;

/// What the superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Bytes per block, 1024 to 65536.
    pub block_size: u32,
    /// Blocks of the file system.
    pub blocks: u64,
    /// Blocks that are free, those reserved for root included.
    pub free_blocks: u64,
    /// Number of inodes.
    pub inodes: u32,
    /// Inodes that are free.
    pub free_inodes: u32,
    /// Bytes per inode, 128 or more.
    pub inode_size: u16,
    /// The UUID in its usual text form, lower case.
    pub uuid: String,
    /// The label; empty when there is none.
    pub label: String,
    /// Why the file system must not be written, if so.
    pub read_only_reason: Option<String>,
    /// First four bytes of the UUID: where inode generations start.
    pub(crate) uuid_word: u32,
    /// The UUID as it is stored.
    pub(crate) uuid_bytes: [u8; 16],
    /// `s_feature_compat`, `s_feature_incompat`, `s_feature_ro_compat`.
    pub(crate) features: [u32; 3],
    /// The block of the superblock: 1 with blocks of 1 KiB, else 0.
    pub(crate) first_data_block: u32,
    /// Blocks of a group, at most the bits of one block.
    pub(crate) blocks_per_group: u32,
    /// Inodes of a group.
    pub(crate) inodes_per_group: u32,
    /// The first inode that may hold a file of a user.
    pub(crate) first_inode: u32,
    /// Bytes of a group descriptor.
    pub(crate) descriptor_size: usize,
    /// `s_reserved_gdt_blocks`: kept behind the descriptors to grow into.
    pub(crate) reserved_gdt_blocks: u16,
    /// `s_first_meta_bg`: from this meta group on, descriptors lie in it (meta_bg).
    pub(crate) first_meta_bg: u32,
    /// `s_backup_bgs`: the two groups with backups (sparse_super2).
    pub(crate) backup_groups: [u32; 2],
    /// `s_log_groups_per_flex`.
    pub(crate) log_groups_per_flex: u8,
    /// Where crc32c starts for all metadata of this file system.
    pub(crate) checksum_seed: u32,
    /// `s_hash_seed`.
    pub(crate) hash_seed: [u32; 4],
    /// `s_def_hash_version`.
    pub(crate) hash_version: u8,
    /// `s_flags` says that directory hashes take characters as unsigned.
    pub(crate) hash_unsigned: bool,
    /// `s_want_extra_isize`.
    pub(crate) want_extra_isize: u16,
    /// `s_journal_inum`; 0: none.
    pub(crate) journal_inode: u32,
    /// `s_last_orphan`: the head of the orphan list; 0: empty.
    pub(crate) last_orphan: u32,
    /// `s_orphan_file_inum`; 0: none.
    pub(crate) orphan_file_inode: u32,
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        // The buffer has the superblock's fixed length and every offset is a constant inside it.
        self.0.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }
}

impl Superblock {
    /// Reads the primary superblock of `disk` and checks its geometry.
    ///
    /// # Errors
    /// [`Error::NotExt4`] without the magic number, [`Error::Damaged`] for numbers that contradict
    /// each other or the disk's size, [`Error::Unsupported`] for features that cannot be read.
    pub fn read(disk: &(impl BlockSource + ?Sized)) -> Result<Self, Error> {
        let end = layout::OFFSET + layout::SIZE as u64;
        if disk.len() < end {
            return Err(Error::Damaged(format!(
                "{} bytes are too small for a file system: its superblock ends at byte {end}",
                disk.len()
            )));
        }
        let mut bytes = [0; layout::SIZE];
        disk.read_at(layout::OFFSET, &mut bytes)?;
        let mut superblock = Self::parse(&bytes, disk.len())?;
        if superblock.read_only_reason.is_none() && superblock.has_incompat(layout::INCOMPAT_MMP) {
            superblock.read_only_reason =
                gate::in_use(disk, &superblock, Fields(&bytes).u64(layout::S_MMP_BLOCK))?;
        }
        Ok(superblock)
    }

    /// Reads a superblock out of its 1024 bytes, for a disk of `disk_size` bytes. What only the disk
    /// tells (mmp: whether somebody has it mounted) is not known here.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(bytes: &[u8], disk_size: u64) -> Result<Self, Error> {
        let fields = Fields(bytes);
        let magic = fields.u16(layout::S_MAGIC);
        if magic != layout::MAGIC {
            return Err(Error::NotExt4 { found: magic });
        }
        // Revision 0 has no feature words; reading them is right, writing them would not be.
        let dynamic = fields.u32(layout::S_REV_LEVEL) >= 1;
        let word = |at| if dynamic { fields.u32(at) } else { 0 };
        let compat = word(layout::S_FEATURE_COMPAT);
        let incompat = word(layout::S_FEATURE_INCOMPAT);
        let ro_compat = word(layout::S_FEATURE_RO_COMPAT);
        gate::refuse_unreadable(incompat)?;

        let wide = incompat & layout::INCOMPAT_64BIT != 0;
        let split =
            |lo, hi| u64::from(fields.u32(lo)) | if wide { u64::from(fields.u32(hi)) << 32 } else { 0 };
        let blocks = split(layout::S_BLOCKS_COUNT_LO, layout::S_BLOCKS_COUNT_HI);
        let log_block_size = fields.u32(layout::S_LOG_BLOCK_SIZE);
        if log_block_size > 6 {
            return Err(Error::Damaged(format!(
                "superblock: s_log_block_size is {log_block_size}; blocks are at most 64 KiB (6)"
            )));
        }
        let block_size = 1024_u32 << log_block_size;
        let inodes = fields.u32(layout::S_INODES_COUNT);
        let inode_size = if dynamic { fields.u16(layout::S_INODE_SIZE) } else { 128 };
        geometry::check_clusters(&fields, log_block_size, ro_compat & layout::RO_COMPAT_BIGALLOC != 0)?;
        let found = Geometry { blocks, block_size, inodes, inode_size, wide, disk_size };
        found.check(&fields)?;
        found.check_features(&fields, dynamic, [compat, incompat, ro_compat])?;

        let uuid: [u8; 16] = fields.array(layout::S_UUID);
        let label: [u8; 16] = fields.array(layout::S_VOLUME_NAME);
        let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Self {
            block_size,
            blocks,
            free_blocks: split(layout::S_FREE_BLOCKS_COUNT_LO, layout::S_FREE_BLOCKS_COUNT_HI),
            inodes,
            free_inodes: fields.u32(layout::S_FREE_INODES_COUNT),
            inode_size,
            uuid: uuid_text(uuid),
            label: String::from_utf8_lossy(label).into_owned(),
            read_only_reason: gate::read_only_reason(&fields, dynamic, [compat, incompat, ro_compat]),
            uuid_word: u32::from_be_bytes([uuid[0], uuid[1], uuid[2], uuid[3]]),
            uuid_bytes: uuid,
            features: [compat, incompat, ro_compat],
            first_data_block: fields.u32(layout::S_FIRST_DATA_BLOCK),
            blocks_per_group: fields.u32(layout::S_BLOCKS_PER_GROUP),
            inodes_per_group: fields.u32(layout::S_INODES_PER_GROUP),
            first_inode: if dynamic { fields.u32(layout::S_FIRST_INO) } else { 11 },
            descriptor_size: if wide { fields.u16(layout::S_DESC_SIZE).into() } else { 32 },
            reserved_gdt_blocks: fields.u16(layout::S_RESERVED_GDT_BLOCKS),
            first_meta_bg: fields.u32(layout::S_FIRST_META_BG),
            backup_groups: [fields.u32(layout::S_BACKUP_BGS), fields.u32(layout::S_BACKUP_BGS + 4)],
            log_groups_per_flex: fields.array::<1>(layout::S_LOG_GROUPS_PER_FLEX)[0],
            checksum_seed: if incompat & layout::INCOMPAT_CSUM_SEED != 0 {
                fields.u32(layout::S_CHECKSUM_SEED)
            } else {
                crc32c(!0, &uuid)
            },
            hash_seed: [0, 4, 8, 12].map(|at| fields.u32(layout::S_HASH_SEED + at)),
            hash_version: fields.array::<1>(layout::S_DEF_HASH_VERSION)[0],
            hash_unsigned: fields.u32(layout::S_FLAGS) & layout::FLAGS_UNSIGNED_HASH != 0,
            want_extra_isize: fields.u16(layout::S_WANT_EXTRA_ISIZE),
            journal_inode: fields.u32(layout::S_JOURNAL_INUM),
            last_orphan: fields.u32(layout::S_LAST_ORPHAN),
            orphan_file_inode: fields.u32(layout::S_ORPHAN_FILE_INUM),
        })
    }

    pub(crate) fn has_compat(&self, bits: u32) -> bool {
        self.features[0] & bits != 0
    }

    pub(crate) fn has_incompat(&self, bits: u32) -> bool {
        self.features[1] & bits != 0
    }

    pub(crate) fn has_ro_compat(&self, bits: u32) -> bool {
        self.features[2] & bits != 0
    }

    pub(crate) fn has_metadata_csum(&self) -> bool {
        self.has_ro_compat(layout::RO_COMPAT_METADATA_CSUM)
    }

    /// Descriptors have checksums and groups may be uninitialised.
    pub(crate) fn has_group_checksums(&self) -> bool {
        self.has_ro_compat(layout::RO_COMPAT_METADATA_CSUM | layout::RO_COMPAT_UNINIT_BG)
    }

    pub(crate) fn has_huge_file(&self) -> bool {
        self.has_ro_compat(layout::RO_COMPAT_HUGE_FILE)
    }

    pub(crate) fn has_meta_bg(&self) -> bool {
        self.has_incompat(layout::INCOMPAT_META_BG)
    }

    pub(crate) fn has_64bit(&self) -> bool {
        self.has_incompat(layout::INCOMPAT_64BIT)
    }

    pub(crate) fn has_extents(&self) -> bool {
        self.has_incompat(layout::INCOMPAT_EXTENTS)
    }

    pub(crate) fn has_file_type(&self) -> bool {
        self.has_incompat(layout::INCOMPAT_FILETYPE)
    }

    pub(crate) fn has_inline_data(&self) -> bool {
        self.has_incompat(layout::INCOMPAT_INLINE_DATA)
    }

    pub(crate) fn has_ea_inode(&self) -> bool {
        self.has_incompat(layout::INCOMPAT_EA_INODE)
    }

    pub(crate) fn has_large_dir(&self) -> bool {
        self.has_incompat(layout::INCOMPAT_LARGE_DIR)
    }

    pub(crate) fn has_dir_index(&self) -> bool {
        self.has_compat(layout::COMPAT_DIR_INDEX)
    }

    /// Number of groups.
    pub(crate) fn group_count(&self) -> u32 {
        let blocks = self.blocks.saturating_sub(self.first_data_block.into());
        u32::try_from(blocks.div_ceil(self.blocks_per_group.into())).unwrap_or(u32::MAX)
    }

    /// First block of a group.
    pub(crate) fn group_start(&self, group: u32) -> u64 {
        u64::from(self.first_data_block) + u64::from(group) * u64::from(self.blocks_per_group)
    }

    /// Blocks of a group; the last one may be short.
    pub(crate) fn group_blocks(&self, group: u32) -> u32 {
        let left = self.blocks.saturating_sub(self.group_start(group));
        u32::try_from(left).unwrap_or(u32::MAX).min(self.blocks_per_group)
    }

    /// Blocks of the inode table of each group.
    pub(crate) fn inode_table_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * u64::from(self.inode_size)).div_ceil(self.block_size.into())
    }

    /// True when the group has a copy of the superblock and, without meta_bg, of the descriptors.
    pub(crate) fn has_backup(&self, group: u32) -> bool {
        let power = |base: u32| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        if group == 0 {
            true
        } else if self.has_compat(layout::COMPAT_SPARSE_SUPER2) {
            self.backup_groups.contains(&group)
        } else if self.has_ro_compat(layout::RO_COMPAT_SPARSE_SUPER) {
            group == 1 || power(3) || power(5) || power(7)
        } else {
            true
        }
    }

    /// Size of the file system in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(u64::from(self.block_size))
    }

    /// Bytes free, in whole blocks, those reserved for root included.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.free_blocks.min(self.blocks).saturating_mul(u64::from(self.block_size))
    }
}

fn uuid_text(uuid: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}
