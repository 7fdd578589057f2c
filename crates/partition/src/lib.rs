//! Partition tables: GPT, MBR, and disks without one; and which file system a partition holds.
//!
//! Nothing here writes: the tables of an image stay as they are (the `gpt` crate's writer
//! would renumber partitions 1, 14, 15 to 1, 2, 3).

#![forbid(unsafe_code)]

mod content;
mod device;
mod error;
mod gpt_table;
mod mbr;
mod table;

pub use content::{Content, FsKind};
pub use error::Error;
pub use table::{Kind, Partition, Table, read_table, type_guid};

#[cfg(test)]
mod tests;
