//! The table of a disk, numbered and named as the Linux kernel does it.

use std::ops::Range;

use hardtack_disk::BlockSource;

use crate::{Error, FsKind, gpt_table, mbr};

/// GPT partition types that matter here (UAPI group, "Discoverable Partitions Specification"),
/// in the text form of [`Partition::type_guid`].
pub mod type_guid {
    /// Root of an x86-64 system.
    pub const LINUX_ROOT_X86_64: &str = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
    /// Root of a 64-bit ARM system.
    pub const LINUX_ROOT_ARM64: &str = "b921b045-1df0-41c3-af44-4c6f280d3fae";
    /// Any Linux file system.
    pub const LINUX_DATA: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
    /// EFI system partition.
    pub const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
    /// GRUB's second stage on a BIOS system.
    pub const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";
    /// Extended boot loader partition (/boot).
    pub const XBOOTLDR: &str = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
    /// Swap.
    pub const LINUX_SWAP: &str = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f";
    /// LVM physical volume.
    pub const LINUX_LVM: &str = "e6d6d379-f507-44c2-a23c-238f2a3df928";
}

/// The kind of a partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GUID partition table.
    Gpt,
    /// MBR ("dos") table.
    Mbr,
    /// None: the disk is one file system, or empty.
    Bare,
}

/// A partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// The kernel's number: 15 of `/dev/vda15`. The whole of a bare disk is number 0.
    pub number: u32,
    /// Its bytes on the disk; they lie inside the disk.
    pub range: Range<u64>,
    /// GPT: the type's GUID in lower case.
    pub type_guid: Option<String>,
    /// MBR: the type's byte.
    pub mbr_type: Option<u8>,
    /// What `PARTUUID=` of fstab and the kernel's command line names; for MBR "3eb5f2d1-01".
    pub partition_guid: Option<String>,
    /// GPT: what `PARTLABEL=` names; may be empty.
    pub name: String,
    /// MBR: active. GPT: the attribute "legacy BIOS bootable".
    pub bootable: bool,
}

/// What a disk is divided into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The kind of the table.
    pub kind: Kind,
    /// Size of the sectors that the table counts in, in bytes.
    pub sector_size: u64,
    /// Ascending by number. A bare disk has one, number 0, which is all of it.
    pub partitions: Vec<Partition>,
    /// What was ignored or taken from a backup, in sentences for people.
    pub warnings: Vec<String>,
}

/// Reads the partition table of `disk`.
///
/// A GPT counts, as for the kernel, when the MBR announces it (type 0xEE, also in a hybrid MBR).
/// Entries outside the disk are ignored with a warning; overlapping ones are an error.
pub fn read_table(disk: &dyn BlockSource) -> Result<Table, Error> {
    let mut first = [0; 512];
    if disk.len() >= 512 {
        disk.read_at(0, &mut first)?;
    }
    let mut table = match mbr::classify(&first, disk.len()) {
        mbr::Class::Protective => gpt_table::read(disk)?,
        mbr::Class::Table => mbr::read(disk, &first)?,
        mbr::Class::None => bare(disk, mbr::signed_but_empty(&first))?,
    };
    table.partitions.sort_by_key(|partition| partition.number);
    refuse_overlaps(&table)?;
    Ok(table)
}

fn bare(disk: &dyn BlockSource, empty_table: bool) -> Result<Table, Error> {
    let whole = Partition { range: 0..disk.len(), ..Partition::default() };
    // The boot sector of a file system may be signed and end with zeros.
    let is_unknown = FsKind::detect(disk)?.kind == FsKind::Unknown;
    if is_unknown && gpt_table::is_there(disk)? {
        return Err(Error::gpt(
            "there is one, but no protective MBR (type 0xee) in sector 0 announces it, so the guest's kernel does not \
             use it; `sgdisk -e` or gdisk writes one",
        ));
    }
    let is_empty = empty_table && is_unknown;
    let warnings =
        if is_empty { vec!["the MBR partition table has no entries".to_owned()] } else { Vec::new() };
    Ok(Table { kind: Kind::Bare, sector_size: 512, partitions: vec![whole], warnings })
}

fn refuse_overlaps(table: &Table) -> Result<(), Error> {
    let mut order: Vec<&Partition> = table.partitions.iter().collect();
    order.sort_by_key(|partition| partition.range.start);
    match order.windows(2).find(|pair| pair[0].range.end > pair[1].range.start) {
        None => Ok(()),
        Some(pair) => Err(Error::Damaged {
            format: if table.kind == Kind::Gpt { "GPT" } else { "MBR" },
            what: format!(
                "partition {} (bytes {:#x} to {:#x}) overlaps partition {} (bytes {:#x} to {:#x})",
                pair[0].number,
                pair[0].range.start,
                pair[0].range.end,
                pair[1].number,
                pair[1].range.start,
                pair[1].range.end
            ),
        }),
    }
}

/// The bytes of `count` sectors from `first`, or why they cannot be a partition of this disk.
pub(crate) fn byte_range(disk: u64, sector: u64, first: u64, count: u64) -> Result<Range<u64>, String> {
    let start = first.checked_mul(sector);
    let end = first.checked_add(count).and_then(|end| end.checked_mul(sector));
    match (start, end) {
        _ if count == 0 => Err("is empty".to_owned()),
        (Some(start), Some(end)) if end <= disk => Ok(start..end),
        _ => Err(format!(
            "(sectors {first} to {}) reaches beyond the disk's end at sector {}: is the image truncated?",
            first.saturating_add(count - 1),
            disk / sector
        )),
    }
}
