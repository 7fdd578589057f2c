//! Offsets, magic numbers and feature bits of JBD2. No logic but big-endian numbers: the journal is the
//! only big-endian structure of ext4.
//!
//! Linux, include/linux/jbd2.h; fs/ext4/fast_commit.h for the tags of fast commits.

use crate::bytes::{put_u32, u16_at, u32_at};

/// `JBD2_MAGIC_NUMBER`: the first bytes of every block of the log that is not a copy of another block.
pub(super) const MAGIC: u32 = 0xc03b_3998;

/// `h_blocktype`.
pub(super) const DESCRIPTOR: u32 = 1;
pub(super) const COMMIT: u32 = 2;
pub(super) const SUPERBLOCK_V1: u32 = 3;
pub(super) const SUPERBLOCK_V2: u32 = 4;
pub(super) const REVOKE: u32 = 5;

/// `journal_header_t`: magic number, type, sequence.
pub(super) const H_BLOCKTYPE: usize = 0x04;
pub(super) const H_SEQUENCE: usize = 0x08;
pub(super) const HEADER: usize = 12;

/// `journal_superblock_t`.
pub(super) const S_BLOCKSIZE: usize = 0x0c;
pub(super) const S_MAXLEN: usize = 0x10;
pub(super) const S_FIRST: usize = 0x14;
pub(super) const S_SEQUENCE: usize = 0x18;
pub(super) const S_START: usize = 0x1c;
pub(super) const S_ERRNO: usize = 0x20;
pub(super) const S_FEATURE_COMPAT: usize = 0x24;
pub(super) const S_FEATURE_INCOMPAT: usize = 0x28;
pub(super) const S_FEATURE_RO_COMPAT: usize = 0x2c;
pub(super) const S_UUID: usize = 0x30;
pub(super) const S_NR_USERS: usize = 0x40;
pub(super) const S_CHECKSUM_TYPE: usize = 0x50;
pub(super) const S_NUM_FC_BLKS: usize = 0x54;
pub(super) const S_CHECKSUM: usize = 0xfc;
pub(super) const SUPERBLOCK_SIZE: usize = 1024;

/// `JBD2_CRC32_CHKSUM`, of transactions, and `JBD2_CRC32C_CHKSUM`, of everything.
pub(super) const CRC32: u8 = 1;
pub(super) const CRC32C: u8 = 4;

pub(super) const COMPAT_CHECKSUM: u32 = 0x01;
pub(super) const INCOMPAT_REVOKE: u32 = 0x01;
pub(super) const INCOMPAT_64BIT: u32 = 0x02;
pub(super) const INCOMPAT_ASYNC_COMMIT: u32 = 0x04;
pub(super) const INCOMPAT_CSUM_V2: u32 = 0x08;
pub(super) const INCOMPAT_CSUM_V3: u32 = 0x10;
pub(super) const INCOMPAT_FAST_COMMIT: u32 = 0x20;
pub(super) const INCOMPAT_KNOWN: u32 = INCOMPAT_REVOKE
    | INCOMPAT_64BIT
    | INCOMPAT_ASYNC_COMMIT
    | INCOMPAT_CSUM_V2
    | INCOMPAT_CSUM_V3
    | INCOMPAT_FAST_COMMIT;

/// `struct commit_header`.
pub(super) const C_CHECKSUM_TYPE: usize = 0x0c;
pub(super) const C_CHECKSUM_SIZE: usize = 0x0d;
pub(super) const C_CHECKSUM: usize = 0x10;
pub(super) const C_SECONDS: usize = 0x30;
/// Its length, padding included.
pub(super) const COMMIT_HEADER: usize = 64;

/// Flags of a tag.
pub(super) const FLAG_ESCAPE: u16 = 1;
pub(super) const FLAG_SAME_UUID: u16 = 2;
pub(super) const FLAG_LAST_TAG: u16 = 8;

/// `r_count` of a revoke block: bytes used, its own 16 included.
pub(super) const R_COUNT: usize = 0x0c;
pub(super) const REVOKE_HEADER: usize = 16;

/// `JBD2_MIN_JOURNAL_BLOCKS`: what fast commits must leave to the log.
pub(super) const LEAST_BLOCKS: u32 = 1024;
/// `JBD2_DEFAULT_FAST_COMMIT_BLOCKS`.
pub(super) const FAST_COMMIT_BLOCKS: u32 = 256;
/// `EXT4_FC_TAG_HEAD`: begins the first block of fast commits. Little-endian, as all of them.
pub(super) const FAST_COMMIT_HEAD: u16 = 9;

/// The 16-bit number at `at`, big-endian; 0 beyond the end.
pub(super) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16_at(bytes, at).swap_bytes()
}

/// The 32-bit number at `at`.
pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32_at(bytes, at).swap_bytes()
}

/// The 64-bit number at `at`.
pub(super) fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from(be32(bytes, at)) << 32 | u64::from(be32(bytes, at + 4))
}

/// Replaces the 32-bit number at `at`.
pub(super) fn put_be32(bytes: &mut [u8], at: usize, value: u32) {
    put_u32(bytes, at, value.swap_bytes());
}
