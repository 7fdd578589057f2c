//! Partition tables: GPT, MBR, and disks without one; and which file system a partition holds.
//!
//! A table is read through the `gpt` crate and changed by our own code, one field at a time
//! ([`grow_partition`]): that crate's writer would renumber partitions 1, 14, 15 to 1, 2, 3.

#![forbid(unsafe_code)]

mod content;
mod device;
mod error;
mod gaps;
mod gpt_table;
mod grow;
mod mbr;
mod table;

pub use content::{Content, FsKind};
pub use error::Error;
pub use gaps::free_gaps;
pub use grow::{Growth, Repair, grow_partition};
pub use table::{Kind, Partition, Table, read_table, type_guid};

#[cfg(test)]
mod tests;
