//! What a partition holds, by magic bytes (as libblkid's probes know them).
//!
//! Only ext2, 3 and 4 and FAT can be used here; the others are known so that a refusal can
//! name them ("XFS file system on partition 3").

use hardtack_disk::BlockSource;

use crate::Error;

/// The kind of a file system or container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsKind {
    /// ext2: no journal.
    Ext2,
    /// ext3: a journal, and nothing that came with ext4.
    Ext3,
    /// ext4.
    Ext4,
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// exFAT.
    ExFat,
    /// NTFS.
    Ntfs,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
    /// F2FS.
    F2fs,
    /// EROFS.
    Erofs,
    /// SquashFS.
    Squashfs,
    /// ISO 9660.
    Iso,
    /// LVM physical volume.
    LvmPv,
    /// LUKS 1 or 2.
    Luks,
    /// Member of a Linux software RAID.
    Raid,
    /// Linux swap space.
    Swap,
    /// bcachefs.
    Bcachefs,
    /// bcache: a backing or caching device.
    Bcache,
    /// Member of a ZFS pool.
    ZfsMember,
    /// BitLocker.
    BitLocker,
    /// Nothing known.
    Unknown,
}

impl FsKind {
    /// The usual name, fit for a sentence such as "XFS is not supported".
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Fat => "FAT",
            Self::ExFat => "exFAT",
            Self::Ntfs => "NTFS",
            Self::Xfs => "XFS",
            Self::Btrfs => "btrfs",
            Self::F2fs => "F2FS",
            Self::Erofs => "EROFS",
            Self::Squashfs => "SquashFS",
            Self::Iso => "ISO 9660",
            Self::LvmPv => "LVM physical volume",
            Self::Luks => "LUKS",
            Self::Raid => "Linux RAID member",
            Self::Swap => "swap",
            Self::Bcachefs => "bcachefs",
            Self::Bcache => "bcache",
            Self::ZfsMember => "ZFS pool member",
            Self::BitLocker => "BitLocker",
            Self::Unknown => "unknown",
        }
    }

    /// True for ext2, ext3 and ext4.
    pub fn is_ext(self) -> bool {
        matches!(self, Self::Ext2 | Self::Ext3 | Self::Ext4)
    }

    /// Looks at a partition (or a bare disk).
    pub fn detect(disk: &dyn BlockSource) -> Result<Content, Error> {
        detect(disk)
    }
}

/// What a partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The kind.
    pub kind: FsKind,
    /// What `LABEL=` of fstab names; none when it is empty or not looked for.
    pub label: Option<String>,
    /// What `UUID=` names, in blkid's form: lower case, FAT "1A2B-3C4D".
    pub uuid: Option<String>,
}

/// The bytes of a disk where the magics are; reads beyond its end find nothing.
struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// Bytes read from the front: up to behind btrfs' superblock at 64 KiB.
    const LENGTH: u64 = 68 << 10;

    fn read(disk: &dyn BlockSource) -> Result<Self, Error> {
        let mut bytes = vec![0; disk.len().min(Self::LENGTH) as usize];
        disk.read_at(0, &mut bytes)?;
        Ok(Self { bytes })
    }

    fn get(&self, at: usize, length: usize) -> &[u8] {
        self.bytes.get(at..at + length).unwrap_or_default()
    }

    fn has(&self, at: usize, magic: &[u8]) -> bool {
        self.get(at, magic.len()) == magic
    }

    fn le32(&self, at: usize) -> u32 {
        self.get(at, 4).try_into().map_or(0, u32::from_le_bytes)
    }

    fn label(&self, at: usize, length: usize) -> Option<String> {
        let bytes = self.get(at, length);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let label = String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned();
        (!label.is_empty()).then_some(label)
    }

    /// Up to 512 units of UTF-16, little endian.
    fn utf16_label(&self, at: usize) -> Option<String> {
        let units = self.get(at, 1024).chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let label = String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>());
        (!label.is_empty()).then_some(label)
    }

    fn uuid(&self, at: usize) -> Option<String> {
        let bytes = self.get(at, 16);
        if bytes.iter().all(|byte| *byte == 0) {
            return None;
        }
        let mut text = String::new();
        for (index, byte) in bytes.iter().enumerate() {
            if [4, 6, 8, 10].contains(&index) {
                text.push('-');
            }
            text.push_str(&format!("{byte:02x}"));
        }
        Some(text)
    }
}

fn detect(disk: &dyn BlockSource) -> Result<Content, Error> {
    let head = Head::read(disk)?;
    let found = |kind, label, uuid| Ok(Content { kind, label, uuid });

    // Containers first: what lies inside them may show through.
    if head.has(0, b"LUKS\xba\xbe") {
        let label = if head.has(6, &[0, 2]) { head.label(24, 48) } else { None };
        return found(FsKind::Luks, label, head.label(168, 40));
    }
    if (0..4).any(|sector| head.has(sector * 512, b"LABELONE") && head.has(sector * 512 + 24, b"LVM2 001")) {
        return found(FsKind::LvmPv, None, None);
    }
    if head.le32(4096) == RAID || head.le32(0) == RAID || raid_at_end(disk)? {
        return found(FsKind::Raid, None, None);
    }
    if head.has(4096 + 24, &BCACHEFS) {
        return found(FsKind::Bcachefs, head.label(4096 + 72, 32), head.uuid(4096 + 56));
    }
    if head.has(4096 + 24, &BCACHE) {
        return found(FsKind::Bcache, head.label(4096 + 72, 32), None);
    }
    if head.has(1080, &[0x53, 0xef]) {
        return found(ext_kind(&head), head.label(1024 + 120, 16), head.uuid(1024 + 104));
    }
    if head.has(0, b"XFSB") {
        return found(FsKind::Xfs, head.label(108, 12), head.uuid(32));
    }
    if head.has(0x10040, b"_BHRfS_M") {
        return found(FsKind::Btrfs, head.label(0x1012b, 256), head.uuid(0x10020));
    }
    if [4096_usize, 8192, 16384, 65536].iter().any(|page| head.has(page - 10, b"SWAPSPACE2")) {
        return found(FsKind::Swap, head.label(1052, 16), head.uuid(1036));
    }
    for (at, magic, kind) in [
        (0, &b"hsqs"[..], FsKind::Squashfs),
        (1024, &[0xe2, 0xe1, 0xf5, 0xe0], FsKind::Erofs),
        (1024, &[0x10, 0x20, 0xf5, 0xf2], FsKind::F2fs),
        (3, b"-FVE-FS-", FsKind::BitLocker),
        (3, b"NTFS    ", FsKind::Ntfs),
        (3, b"EXFAT   ", FsKind::ExFat),
        (32769, b"CD001", FsKind::Iso),
    ] {
        if head.has(at, magic) {
            let (label, uuid) = match kind {
                FsKind::Iso => (head.label(32808, 32), None),
                FsKind::Erofs => (head.label(1024 + 64, 16), head.uuid(1024 + 48)),
                FsKind::F2fs => (head.utf16_label(1024 + 0x7c), head.uuid(1024 + 0x6c)),
                _ => (None, None),
            };
            return found(kind, label, uuid);
        }
    }
    if let Some((label, serial)) = fat(&head) {
        return found(FsKind::Fat, label, serial);
    }
    if is_zfs(disk)? {
        return found(FsKind::ZfsMember, None, None);
    }
    found(FsKind::Unknown, None, None)
}

/// Magic of a Linux RAID superblock (`md_p.h`).
const RAID: u32 = 0xa92b_4efc;
/// Magics of `struct bch_sb` and `struct cache_sb`, as bytes.
const BCACHEFS: [u8; 16] =
    [0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef];
const BCACHE: [u8; 16] =
    [0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81];

/// RAID superblocks of versions 1.0 and 0.90 lie at the end, and a mirror's file system shows at the
/// front as if it were whole: changing one half would split the pair.
fn raid_at_end(disk: &dyn BlockSource) -> Result<bool, Error> {
    let mut words = [0; 264];
    let le32 = |words: &[u8], at: usize| {
        words.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
    };
    // 1.0: at least 8 and less than 12 KiB from the end, on a multiple of 4 KiB; it names its place.
    if let Some(sector) =
        (disk.len() / 512).checked_sub(16).map(|sector| sector & !7).filter(|sector| *sector > 0)
    {
        disk.read_at(sector * 512, &mut words)?;
        let place = u64::from(le32(&words, 144)) | u64::from(le32(&words, 148)) << 32;
        if le32(&words, 0) == RAID && le32(&words, 4) == 1 && place == sector {
            return Ok(true);
        }
    }
    // 0.90: the last whole 64 KiB but one; its size in KiB tells a partition from the disk around it.
    if let Some(at) = (disk.len() & !0xffff).checked_sub(0x10000).filter(|at| *at > 0) {
        disk.read_at(at, &mut words)?;
        let size = u64::from(le32(&words, 32)) * 1024;
        if le32(&words, 0) == RAID && le32(&words, 4) == 0 && size <= at && at - size < 0x80_0000 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Four uberblocks or more in the ring of the first label (128 to 256 KiB), of either byte order, are
/// a member of a ZFS pool.
fn is_zfs(disk: &dyn BlockSource) -> Result<bool, Error> {
    const UBERBLOCK: u64 = 0x00ba_b10c;
    if disk.len() < 256 << 10 {
        return Ok(false);
    }
    let mut ring = vec![0; 128 << 10];
    disk.read_at(128 << 10, &mut ring)?;
    let is_one = |block: &[u8]| {
        block.first_chunk().is_some_and(|word: &[u8; 8]| {
            u64::from_le_bytes(*word) == UBERBLOCK || u64::from_be_bytes(*word) == UBERBLOCK
        })
    };
    Ok(ring.chunks(1024).filter(|block| is_one(block)).count() >= 4)
}

/// As libblkid tells them apart: ext4 has a feature that ext3 does not know, ext3 a journal.
fn ext_kind(head: &Head) -> FsKind {
    /// has_journal.
    const JOURNAL: u32 = 0x4;
    /// filetype, recover, journal_dev, meta_bg.
    const EXT3_INCOMPAT: u32 = 0x2 | 0x4 | 0x8 | 0x10;
    /// sparse_super, large_file, btree_dir.
    const EXT3_RO_COMPAT: u32 = 0x1 | 0x2 | 0x4;
    let (compat, incompat, ro_compat) = (head.le32(1024 + 92), head.le32(1024 + 96), head.le32(1024 + 100));
    if incompat & !EXT3_INCOMPAT != 0 || ro_compat & !EXT3_RO_COMPAT != 0 {
        FsKind::Ext4
    } else if compat & JOURNAL != 0 {
        FsKind::Ext3
    } else {
        FsKind::Ext2
    }
}

/// Label and serial number of a FAT boot sector, when this is one.
fn fat(head: &Head) -> Option<(Option<String>, Option<String>)> {
    if !head.has(510, &[0x55, 0xaa]) {
        return None;
    }
    let extended = if head.has(82, b"FAT32   ") {
        64
    } else if head.has(54, b"FAT12   ") || head.has(54, b"FAT16   ") || head.has(54, b"FAT     ") {
        36
    } else {
        return None;
    };
    let sector = u16::from_le_bytes(head.get(11, 2).try_into().ok()?);
    if !matches!(sector, 512 | 1024 | 2048 | 4096) {
        return None;
    }
    // The extended boot record: drive, reserved, signature, serial number, label, type.
    let serial = head.le32(extended + 3);
    let label = head.label(extended + 7, 11).filter(|label| label != "NO NAME");
    Some((label, (serial != 0).then(|| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff))))
}
