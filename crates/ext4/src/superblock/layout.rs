//! `struct ext4_super_block` (Linux, fs/ext4/ext4.h): offsets of the fields that are read here,
//! and the feature bits with their mke2fs names. No logic.

/// Byte offset of the primary superblock on the disk.
pub(crate) const OFFSET: u64 = 1024;
/// Its length in bytes.
pub(crate) const SIZE: usize = 1024;

pub(crate) const S_INODES_COUNT: usize = 0x00;
pub(crate) const S_BLOCKS_COUNT_LO: usize = 0x04;
pub(crate) const S_FREE_BLOCKS_COUNT_LO: usize = 0x0c;
pub(crate) const S_FREE_INODES_COUNT: usize = 0x10;
pub(crate) const S_FIRST_DATA_BLOCK: usize = 0x14;
pub(crate) const S_LOG_BLOCK_SIZE: usize = 0x18;
pub(crate) const S_LOG_CLUSTER_SIZE: usize = 0x1c;
pub(crate) const S_BLOCKS_PER_GROUP: usize = 0x20;
pub(crate) const S_CLUSTERS_PER_GROUP: usize = 0x24;
pub(crate) const S_INODES_PER_GROUP: usize = 0x28;
pub(crate) const S_WTIME: usize = 0x30;
pub(crate) const S_MAGIC: usize = 0x38;
pub(crate) const S_STATE: usize = 0x3a;
pub(crate) const S_BLOCK_GROUP_NR: usize = 0x5a;
pub(crate) const S_R_BLOCKS_COUNT_LO: usize = 0x08;
pub(crate) const S_R_BLOCKS_COUNT_HI: usize = 0x154;
pub(crate) const S_OVERHEAD_CLUSTERS: usize = 0x248;
pub(crate) const S_FIRST_INO: usize = 0x54;
pub(crate) const S_RESERVED_GDT_BLOCKS: usize = 0xce;
pub(crate) const S_HASH_SEED: usize = 0xec;
pub(crate) const S_DEF_HASH_VERSION: usize = 0xfc;
pub(crate) const S_FIRST_META_BG: usize = 0x104;
pub(crate) const S_WANT_EXTRA_ISIZE: usize = 0x15e;
pub(crate) const S_FLAGS: usize = 0x160;
pub(crate) const S_MMP_BLOCK: usize = 0x168;
pub(crate) const S_BACKUP_BGS: usize = 0x24c;
pub(crate) const S_CHECKSUM_SEED: usize = 0x270;
pub(crate) const S_WTIME_HI: usize = 0x274;
pub(crate) const S_ORPHAN_FILE_INUM: usize = 0x280;
pub(crate) const S_CHECKSUM: usize = 0x3fc;
pub(crate) const S_REV_LEVEL: usize = 0x4c;
pub(crate) const S_INODE_SIZE: usize = 0x58;
pub(crate) const S_FEATURE_COMPAT: usize = 0x5c;
pub(crate) const S_FEATURE_INCOMPAT: usize = 0x60;
pub(crate) const S_FEATURE_RO_COMPAT: usize = 0x64;
pub(crate) const S_UUID: usize = 0x68;
pub(crate) const S_VOLUME_NAME: usize = 0x78;
pub(crate) const S_JOURNAL_INUM: usize = 0xe0;
pub(crate) const S_LAST_ORPHAN: usize = 0xe8;
pub(crate) const S_DESC_SIZE: usize = 0xfe;
pub(crate) const S_BLOCKS_COUNT_HI: usize = 0x150;
pub(crate) const S_FREE_BLOCKS_COUNT_HI: usize = 0x158;
pub(crate) const S_LOG_GROUPS_PER_FLEX: usize = 0x174;
pub(crate) const S_CHECKSUM_TYPE: usize = 0x175;

/// `EF53`.
pub(crate) const MAGIC: u16 = 0xef53;
/// `EXT4_VALID_FS`: unmounted cleanly.
pub(crate) const VALID_FS: u16 = 0x0001;
/// `EXT4_ERROR_FS`: the kernel found an error.
pub(crate) const ERROR_FS: u16 = 0x0002;
/// `EXT4_CRC32C_CHKSUM`, the only checksum type there is.
pub(crate) const CRC32C: u8 = 1;

/// `EXT2_FLAGS_UNSIGNED_HASH`: directory hashes take characters as unsigned.
pub(crate) const FLAGS_UNSIGNED_HASH: u32 = 0x0002;

pub(crate) const COMPAT_HAS_JOURNAL: u32 = 0x0004;
pub(crate) const COMPAT_EXT_ATTR: u32 = 0x0008;
pub(crate) const COMPAT_RESIZE_INODE: u32 = 0x0010;
pub(crate) const COMPAT_DIR_INDEX: u32 = 0x0020;
pub(crate) const COMPAT_SPARSE_SUPER2: u32 = 0x0200;
pub(crate) const COMPAT_ORPHAN_FILE: u32 = 0x1000;

pub(crate) const INCOMPAT_RECOVER: u32 = 0x0004;
pub(crate) const INCOMPAT_JOURNAL_DEV: u32 = 0x0008;
pub(crate) const INCOMPAT_FILETYPE: u32 = 0x0002;
pub(crate) const INCOMPAT_META_BG: u32 = 0x0010;
pub(crate) const INCOMPAT_EXTENTS: u32 = 0x0040;
pub(crate) const INCOMPAT_64BIT: u32 = 0x0080;
pub(crate) const INCOMPAT_MMP: u32 = 0x0100;
pub(crate) const INCOMPAT_EA_INODE: u32 = 0x0400;
pub(crate) const INCOMPAT_CSUM_SEED: u32 = 0x2000;
pub(crate) const INCOMPAT_LARGE_DIR: u32 = 0x4000;
pub(crate) const INCOMPAT_INLINE_DATA: u32 = 0x8000;

pub(crate) const RO_COMPAT_SPARSE_SUPER: u32 = 0x0001;
pub(crate) const RO_COMPAT_LARGE_FILE: u32 = 0x0002;
pub(crate) const RO_COMPAT_HUGE_FILE: u32 = 0x0008;
pub(crate) const RO_COMPAT_UNINIT_BG: u32 = 0x0010;
pub(crate) const RO_COMPAT_DIR_NLINK: u32 = 0x0020;
pub(crate) const RO_COMPAT_ORPHAN_PRESENT: u32 = 0x1_0000;
pub(crate) const RO_COMPAT_BIGALLOC: u32 = 0x0200;
pub(crate) const RO_COMPAT_METADATA_CSUM: u32 = 0x0400;

/// A feature bit, its name as mke2fs and tune2fs write it, and what is done about it.
pub(crate) struct Feature {
    pub(crate) bit: u32,
    pub(crate) name: &'static str,
    pub(crate) handling: Handling,
}

/// What a feature means for us.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    /// Kept correct while writing. What is impossible for single inodes only (encrypt, casefold, verity)
    /// is refused for these.
    Written,
    /// Can be read; an edit would leave it wrong, for the reason given.
    Read(&'static str),
    /// Not even readable.
    Refused(&'static str),
}

use Handling::{Read, Refused, Written};

const fn feature(bit: u32, name: &'static str, handling: Handling) -> Feature {
    Feature { bit, name, handling }
}

/// `s_feature_incompat`. A bit that is not listed cannot be read.
pub(crate) const INCOMPAT: &[Feature] = &[
    feature(0x0_0001, "compression", Refused("compressed files cannot be read")),
    feature(0x0_0002, "filetype", Written),
    feature(INCOMPAT_RECOVER, "needs_recovery", Written),
    feature(INCOMPAT_JOURNAL_DEV, "journal_dev", Refused("it is another file system's journal")),
    feature(0x0_0010, "meta_bg", Written),
    feature(0x0_0040, "extent", Written),
    feature(INCOMPAT_64BIT, "64bit", Written),
    feature(INCOMPAT_MMP, "mmp", Written),
    feature(0x0_0200, "flex_bg", Written),
    feature(0x0_0400, "ea_inode", Written),
    feature(0x0_1000, "dirdata", Refused("data in directory entries cannot be read")),
    feature(0x0_2000, "metadata_csum_seed", Written),
    feature(0x0_4000, "large_dir", Written),
    feature(0x0_8000, "inline_data", Written),
    feature(0x1_0000, "encrypt", Written),
    feature(0x2_0000, "casefold", Written),
];

/// `s_feature_ro_compat`. A bit that is not listed can be read and not written.
pub(crate) const RO_COMPAT: &[Feature] = &[
    feature(0x0_0001, "sparse_super", Written),
    feature(0x0_0002, "large_file", Written),
    feature(0x0_0008, "huge_file", Written),
    feature(0x0_0010, "uninit_bg", Written),
    feature(0x0_0020, "dir_nlink", Written),
    feature(0x0_0040, "extra_isize", Written),
    feature(
        0x0_0100,
        "quota",
        Read("the quota files would become wrong; remove them with tune2fs -O ^quota"),
    ),
    feature(RO_COMPAT_BIGALLOC, "bigalloc", Read("block bitmaps that count clusters are not kept")),
    feature(RO_COMPAT_METADATA_CSUM, "metadata_csum", Written),
    feature(0x0_0800, "replica", Read("it is a copy that another file system keeps")),
    feature(0x0_1000, "read-only", Read("it is marked read-only (tune2fs -O ^read-only undoes that)")),
    feature(
        0x0_2000,
        "project",
        Read("project quotas would become wrong; remove them with tune2fs -O ^project"),
    ),
    feature(0x0_4000, "shared_blocks", Read("files share blocks")),
    feature(0x0_8000, "verity", Written),
    feature(RO_COMPAT_ORPHAN_PRESENT, "orphan_present", Written),
];
