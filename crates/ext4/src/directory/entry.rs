//! One block's directory entries: reading, adding, taking away, and the checksum at the end.
//!
//! Linux, fs/ext4/ext4.h `struct ext4_dir_entry_2`, `struct ext4_dir_entry_tail`,
//! `ext4_rec_len_from_disk`; fs/ext4/dir.c `__ext4_check_dir_entry`; fs/ext4/namei.c
//! `ext4_insert_dentry`, `ext4_generic_delete_entry`, `ext4_dirblock_csum`.
//!
//! The entries of a region (a block without its tail, or a part of an inode) follow each other
//! without a gap to the region's end. A region is at least one entry long.

use crate::bytes::{low_u16, put, put_u16, put_u32, u16_at, u32_at};
use crate::checksum::crc32c;

/// Bytes of an entry before its name.
pub(super) const HEADER: usize = 8;
/// Bytes of the tail that holds a block's checksum.
pub(super) const TAIL: usize = 12;
/// The file type that marks a tail (`EXT4_FT_DIR_CSUM`).
const TAIL_TYPE: u8 = 0xde;
/// The shortest entry there is: a name of one byte.
pub(super) const SHORTEST: usize = 12;

/// Bytes that an entry with a name of `length` bytes takes at least.
pub(super) const fn needed(length: usize) -> usize {
    (HEADER + length).next_multiple_of(4)
}

/// Decodes a stored length. Lengths have 16 bits and are multiples of 4: with blocks of 64 KiB, 0 and
/// 65535 mean the whole block, and the lowest two bits stand for bits 16 and 17.
fn decode_length(stored: u16, block_size: usize) -> usize {
    if block_size < 1 << 16 {
        return stored.into();
    }
    match stored {
        0 | 0xffff => block_size,
        stored => usize::from(stored & !3) | usize::from(stored & 3) << 16,
    }
}

/// Stores a length, at most the block's.
fn encode_length(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(0xffff)
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Where it starts in its region.
    pub(super) at: usize,
    /// Bytes to the next one.
    pub(super) length: usize,
    /// The inode; 0: unused.
    pub(super) inode: u32,
    /// `EXT4_FT_*`.
    pub(super) tag: u8,
    /// The name; of an unused entry, nothing.
    pub(super) name: &'a [u8],
}

impl Entry<'_> {
    /// Bytes that must stay with this entry when another one is put behind it.
    pub(super) fn used(&self) -> usize {
        if self.inode == 0 { 0 } else { needed(self.name.len()) }
    }
}

/// The entries of a region, each checked. Ends after the first error.
pub(super) struct Entries<'a> {
    region: &'a [u8],
    /// Of the file system: it decides how lengths are stored.
    block_size: usize,
    inodes: u32,
    at: usize,
}

/// Walks through the entries of `region`; `inodes` is the highest inode number.
pub(super) fn entries(region: &[u8], block_size: usize, inodes: u32) -> Entries<'_> {
    Entries { region, block_size, inodes, at: 0 }
}

impl<'a> Iterator for Entries<'a> {
    /// The text of an error names the entry, not the block.
    type Item = Result<Entry<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.region.len() {
            return None;
        }
        let entry = self.parse();
        // An entry is at least 12 bytes long: this ends.
        self.at = entry.as_ref().map_or(self.region.len(), |entry| entry.at + entry.length);
        Some(entry)
    }
}

impl<'a> Entries<'a> {
    fn parse(&self) -> Result<Entry<'a>, String> {
        let at = self.at;
        let stored = u16_at(self.region, at + 4);
        let length = decode_length(stored, self.block_size);
        let rest = self.region.len() - at;
        if length < SHORTEST
            || !length.is_multiple_of(4)
            || length > rest
            || (length < rest && rest - length < SHORTEST)
        {
            return Err(format!(
                "the entry at byte {at} is said to be {length} bytes long, of {rest} that are left"
            ));
        }
        let inode = u32_at(self.region, at);
        if inode == 0 {
            return Ok(Entry { at, length, inode, tag: 0, name: &[] });
        }
        if inode > self.inodes {
            return Err(format!("the entry at byte {at} leads to inode {inode} of {}", self.inodes));
        }
        let [size, tag] = u16_at(self.region, at + 6).to_le_bytes();
        let name = self.region.get(at + HEADER..at + HEADER + usize::from(size)).unwrap_or_default();
        if name.is_empty() || needed(name.len()) > length {
            return Err(format!(
                "the entry at byte {at} is {length} bytes long, its name is said to have {size}"
            ));
        }
        Ok(Entry { at, length, inode, tag, name })
    }
}

/// What an entry holds, for writing one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The name, 1 to 255 bytes.
    pub(super) name: &'a [u8],
    /// The inode.
    pub(super) inode: u32,
    /// `EXT4_FT_*`, 0 where the file system does not keep it.
    pub(super) tag: u8,
}

/// Writes an entry over `length` bytes: what stood there is gone.
pub(super) fn store(region: &mut [u8], at: usize, length: usize, target: Target<'_>) {
    if let Some(place) = region.get_mut(at..).and_then(|rest| rest.get_mut(..length)) {
        place.fill(0);
        put_u32(place, 0, target.inode);
        put_u16(place, 4, encode_length(length));
        // `name_len` has one byte; the other is the type.
        put(place, 6, &[low_u16(target.name.len() as u64).to_le_bytes()[0], target.tag]);
        put(place, HEADER, target.name);
    }
}

/// Lets the entry at `at` mean another inode.
pub(super) fn retarget(region: &mut [u8], at: usize, inode: u32, tag: u8) {
    put_u32(region, at, inode);
    put(region, at + 7, &[tag]);
}

/// Makes a region one unused entry of zeros.
pub(super) fn clear(region: &mut [u8]) {
    let length = region.len();
    store(region, 0, length, Target { name: &[], inode: 0, tag: 0 });
}

/// Adds an entry behind the first one that leaves room for it; false when there is no room.
pub(super) fn insert(
    region: &mut [u8],
    block_size: usize,
    inodes: u32,
    target: Target<'_>,
) -> Result<bool, String> {
    let wanted = needed(target.name.len());
    let mut found = None;
    for entry in entries(region, block_size, inodes) {
        let entry = entry?;
        if entry.length - entry.used() >= wanted {
            found = Some((entry.at, entry.used(), entry.length));
            break;
        }
    }
    let Some((at, used, length)) = found else {
        return Ok(false);
    };
    if used > 0 {
        put_u16(region, at + 4, encode_length(used));
    }
    store(region, at + used, length - used, target);
    Ok(true)
}

/// Takes the entry at `at` away: the one before it becomes longer by it. Its bytes become zeros.
pub(super) fn remove(region: &mut [u8], block_size: usize, inodes: u32, at: usize) -> Result<(), String> {
    let mut before = None;
    for entry in entries(region, block_size, inodes) {
        let entry = entry?;
        if entry.at == at {
            let end = at + entry.length;
            match before {
                None => clear(region.get_mut(at..end).unwrap_or_default()),
                Some(start) => {
                    if let Some(place) = region.get_mut(at..end) {
                        place.fill(0);
                    }
                    put_u16(region, start + 4, encode_length(end - start));
                    // Unused entries in front of it hold no names, but may hold the rest of one.
                    wipe_slack(region, start, end);
                }
            }
            return Ok(());
        }
        before = Some(entry.at);
    }
    Err(format!("there is no entry at byte {at}"))
}

/// Fills with zeros what lies behind the name of the entry at `start`, up to `end`.
fn wipe_slack(region: &mut [u8], start: usize, end: usize) {
    let inode = u32_at(region, start);
    let used = if inode == 0 { HEADER } else { HEADER + usize::from(u16_at(region, start + 6) & 0xff) };
    if let Some(slack) = region.get_mut((start + used).min(end)..end) {
        slack.fill(0);
    }
}

/// Writes entries one behind the other; the last one takes the rest. False when they do not fit.
pub(super) fn pack<'a>(region: &mut [u8], targets: impl IntoIterator<Item = Target<'a>>) -> bool {
    clear(region);
    let mut end = 0;
    let mut last = None;
    for target in targets {
        let length = needed(target.name.len());
        if end + length > region.len() {
            return false;
        }
        store(region, end, length, target);
        last = Some(end);
        end += length;
    }
    if let Some(last) = last {
        put_u16(region, last + 4, encode_length(region.len() - last));
    }
    true
}

/// The checksum of a block of entries: of all but its tail. `seed` is the directory's.
fn checksum(block: &[u8], seed: u32) -> u32 {
    crc32c(seed, block.get(..block.len().saturating_sub(TAIL)).unwrap_or_default())
}

/// Says what is wrong with the tail of a block of entries.
pub(super) fn verify(block: &[u8], seed: u32) -> Result<(), String> {
    let at = block.len().saturating_sub(TAIL);
    let [_, kind] = u16_at(block, at + 6).to_le_bytes();
    if u32_at(block, at) != 0 || usize::from(u16_at(block, at + 4)) != TAIL || kind != TAIL_TYPE {
        return Err("it has no room for a checksum; run e2fsck -fyD on a copy".to_owned());
    }
    let (found, wanted) = (u32_at(block, at + 8), checksum(block, seed));
    if found != wanted {
        return Err(format!("its checksum is {found:#010x}, not {wanted:#010x}"));
    }
    Ok(())
}

/// Writes the tail of a block of entries.
pub(super) fn seal(block: &mut [u8], seed: u32) {
    let sum = checksum(block, seed);
    let at = block.len().saturating_sub(TAIL);
    put_u32(block, at, 0);
    put_u16(block, at + 4, low_u16(TAIL as u64));
    put(block, at + 6, &[0, TAIL_TYPE]);
    put_u32(block, at + 8, sum);
}
