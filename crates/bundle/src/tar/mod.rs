//! The tar stream around an image: one member, all its bytes (`0`) or GNU's old sparse form (`S`).
//!
//! Sources: GNU tar's `tar.h` (`struct oldgnu_header`, `struct sparse`), Python's `tarfile`.
//! euca-unbundle-stream and `tar xfO` read both; the sparse forms of pax they do not.

mod read;
mod write;

pub(crate) use read::Member;
pub(crate) use write::Stream;

/// Fields of a header: where they are, and how long.
pub(crate) mod field {
    use std::ops::Range;

    pub(crate) const NAME: Range<usize> = 0..100;
    pub(crate) const MODE: Range<usize> = 100..108;
    pub(crate) const UID: Range<usize> = 108..116;
    pub(crate) const GID: Range<usize> = 116..124;
    pub(crate) const SIZE: Range<usize> = 124..136;
    pub(crate) const MTIME: Range<usize> = 136..148;
    pub(crate) const CHECKSUM: Range<usize> = 148..156;
    pub(crate) const KIND: usize = 156;
    pub(crate) const MAGIC: Range<usize> = 257..265;
    pub(crate) const MAJOR: Range<usize> = 329..337;
    pub(crate) const MINOR: Range<usize> = 337..345;
    /// Four ranges, each two numbers of 12 bytes.
    pub(crate) const MAP: Range<usize> = 386..482;
    /// Blocks with more of the map follow.
    pub(crate) const GOES_ON: usize = 482;
    pub(crate) const REAL_SIZE: Range<usize> = 483..495;
    /// In a block that goes on: 21 ranges, and whether another block follows.
    pub(crate) const MORE: Range<usize> = 0..504;
    pub(crate) const MORE_GOES_ON: usize = 504;
    /// Bytes of a range in the map.
    pub(crate) const PAIR: usize = 24;
}
