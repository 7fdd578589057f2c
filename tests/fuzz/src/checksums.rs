//! Checksums made right, so that damage is believed and reaches what is behind them.

use hardtack_disk::BlockWrite;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// CRC-32C as ext4 has it: `seed` in, and not inverted at the end.
fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// The checksums of superblock, group descriptors and the inodes of the first groups of an ext4 file
/// system with metadata_csum (Linux `fs/ext4/super.c`, `ext4_group_desc_csum`; `inode.c`,
/// `ext4_inode_csum`).
pub(crate) fn ext4(disk: &impl BlockWrite) {
    let mut head = vec![0; 1024];
    if disk.read_at(1024, &mut head).is_err() || u32_at(&head, 0x64) & 0x400 == 0 {
        return;
    }
    let sum = crc32c(!0, &head[..0x3fc]);
    let _ = disk.write_at(1024 + 0x3fc, &sum.to_le_bytes());

    let seed =
        if u32_at(&head, 0x60) & 0x2000 != 0 { u32_at(&head, 0x270) } else { crc32c(!0, &head[0x68..0x78]) };
    let block = 1024_u64 << u32_at(&head, 0x18).min(6);
    let wide = u32_at(&head, 0x60) & 0x80 != 0;
    let size = if wide { usize::from(u16_at(&head, 0xfe)).clamp(32, 1024) } else { 32 };
    let descriptors = (u64::from(u32_at(&head, 0x14)) + 1) * block;
    // Behind the last group are no descriptors, and no inodes where they would say.
    let groups = u32_at(&head, 4).saturating_sub(u32_at(&head, 0x14)).div_ceil(u32_at(&head, 0x20).max(1));
    for group in 0..groups.min(8) {
        let at = descriptors + u64::from(group) * size as u64;
        let mut descriptor = vec![0; size];
        if disk.read_at(at, &mut descriptor).is_err() {
            return;
        }
        descriptor[0x1e..0x20].fill(0);
        let sum = crc32c(crc32c(seed, &group.to_le_bytes()), &descriptor);
        let _ = disk.write_at(at + 0x1e, &sum.to_le_bytes()[..2]);
        inodes(disk, &head, seed, group, u64::from(u32_at(&descriptor, 8)) * block);
    }
}

/// The checksums of the inodes of a group that are in use.
fn inodes(disk: &impl BlockWrite, head: &[u8], seed: u32, group: u32, table: u64) {
    let size = usize::from(u16_at(head, 0x58));
    let count = u32_at(head, 0x28).min(128);
    if !(128..=1024).contains(&size) || table < 4096 {
        return;
    }
    for index in 0..count {
        let at = table.saturating_add(u64::from(index) * size as u64);
        let mut inode = vec![0; size];
        if disk.read_at(at, &mut inode).is_err() || u16_at(&inode, 0) == 0 {
            continue;
        }
        let number = group.wrapping_mul(u32_at(head, 0x28)).wrapping_add(index + 1);
        let generation = u32_at(&inode, 0x64);
        let is_wide = size > 128 && u16_at(&inode, 0x80) >= 4;
        inode[0x7c..0x7e].fill(0);
        if is_wide {
            inode[0x82..0x84].fill(0);
        }
        let own = crc32c(crc32c(seed, &number.to_le_bytes()), &generation.to_le_bytes());
        let sum = crc32c(own, &inode).to_le_bytes();
        let _ = disk.write_at(at + 0x7c, &sum[..2]);
        if is_wide {
            let _ = disk.write_at(at + 0x82, &sum[2..]);
        }
    }
}

/// The checksums of both halves of a GPT (UEFI specification 2.10, 5.3.2).
pub(crate) fn gpt(disk: &mut [u8]) {
    let end = disk.len();
    for sector in [512, 4096] {
        for at in [sector, end.saturating_sub(sector)] {
            if disk.get(at..at + 8) != Some(b"EFI PART") {
                continue;
            }
            let entries = u32_at(disk, at + 72) as usize * sector;
            let length = (u32_at(disk, at + 80) as usize).saturating_mul(u32_at(disk, at + 84) as usize);
            if let Some(bytes) = entries.checked_add(length).and_then(|end| disk.get(entries..end)) {
                let sum = crc32fast::hash(bytes);
                disk[at + 88..at + 92].copy_from_slice(&sum.to_le_bytes());
            }
            let header = (u32_at(disk, at + 12) as usize).min(sector);
            disk[at + 16..at + 20].fill(0);
            let sum = disk.get(at..at + header).map_or(0, crc32fast::hash);
            disk[at + 16..at + 20].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// The checksums of the headers of a tar archive (POSIX `ustar`): wherever one could be.
pub(crate) fn tar(bytes: &mut [u8]) {
    for header in bytes.chunks_exact_mut(512) {
        if header.get(257..262) == Some(b"ustar") {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            let text = format!("{sum:06o}\0 ");
            header[148..156].copy_from_slice(text.as_bytes());
        }
    }
}

/// The checksums of the footers and the dynamic header of a VHD (Microsoft, "Virtual Hard Disk Image
/// Format Specification").
pub(crate) fn vhd(bytes: &mut [u8]) {
    let end = bytes.len();
    let mut repair = |start: usize, length: usize, magic: &[u8], place: usize| {
        let Some(header) = bytes.get_mut(start..start.saturating_add(length)) else { return };
        if header.starts_with(magic) {
            header[place..place + 4].fill(0);
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[place..place + 4].copy_from_slice(&(!sum).to_be_bytes());
        }
    };
    repair(0, 512, b"conectix", 64);
    repair(end.saturating_sub(512), 512, b"conectix", 64);
    repair(512, 1024, b"cxsparse", 36);
}
