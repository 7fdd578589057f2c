//! Attribute entries: the table of names and values that an inode's tail and an attribute block share.
//!
//! Linux, fs/ext4/xattr.h `struct ext4_xattr_entry`; fs/ext4/xattr.c `check_xattrs` (the rules that a
//! table must keep), `ext4_xattr_hash_entry`, `ext4_xattr_rehash`. Entries grow upwards and end with four
//! zero bytes, values grow downwards from the end; both are padded to four bytes. A table is always written
//! anew as a whole: nothing of a removed or replaced value stays between names and values.

use std::cmp::Ordering;

use crate::bytes::{low_u16, low_u32, put, put_u16, put_u32, u16_at, u32_at};

/// Bytes of an entry before its name.
const ENTRY: usize = 16;
/// Four zero bytes behind the last entry.
const TERMINATOR: usize = 4;

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// In the table.
    Here(Vec<u8>),
    /// In an inode of its own (ea_inode).
    Inode {
        /// The inode.
        number: u32,
        /// Length of the value in bytes.
        size: u32,
        /// `e_hash`: of the name and of the value's checksum.
        hash: u32,
    },
}

/// One attribute of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// `e_name_index`.
    pub(super) index: u8,
    /// The name behind the prefix, at most 255 bytes, none of them zero.
    pub(super) name: Vec<u8>,
    /// The value.
    pub(super) value: Value,
}

/// A length in whole words. Lengths come from 32-bit fields and cannot overflow.
fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

impl Entry {
    /// True when it is the attribute of that name.
    pub(super) fn is(&self, index: u8, name: &[u8]) -> bool {
        self.index == index && self.name == name
    }

    /// The order that the kernel searches attribute blocks by.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.index
            .cmp(&other.index)
            .then(self.name.len().cmp(&other.name.len()))
            .then_with(|| self.name.cmp(&other.name))
    }

    /// Bytes that it takes in a table, its value included.
    pub(super) fn room(&self) -> usize {
        ENTRY + padded(self.name.len()) + self.value_room()
    }

    /// Bytes that its value takes there.
    pub(super) fn value_room(&self) -> usize {
        match &self.value {
            Value::Here(value) => padded(value.len()),
            Value::Inode { .. } => 0,
        }
    }

    /// `e_hash`: of name and value. Zero is not right for entries of a block, where the kernel takes it as
    /// "not to be shared".
    fn hash(&self) -> u32 {
        match &self.value {
            Value::Here(value) => words(value).fold(name_hash(&self.name), value_step),
            Value::Inode { hash, .. } => *hash,
        }
    }
}

/// The value as little-endian words, the last one padded with zeros.
fn words(value: &[u8]) -> impl Iterator<Item = u32> + '_ {
    value.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        put(&mut word, 0, chunk);
        u32::from_le_bytes(word)
    })
}

fn value_step(hash: u32, word: u32) -> u32 {
    hash.rotate_left(16) ^ word
}

/// The hash of a name. Its bytes count as unsigned, as on the kernel since 6.2 and in e2fsprogs 1.47 on all
/// machines; before that their sign depended on the machine, and both are accepted when read.
fn name_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| hash.rotate_left(5) ^ u32::from(*byte))
}

fn signed_name_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| hash.rotate_left(5) ^ i32::from(byte.cast_signed()).cast_unsigned())
}

/// `e_hash` of an attribute whose value lies in an inode with the given checksum.
pub(super) fn inode_hash(name: &[u8], checksum: u32) -> u32 {
    value_step(name_hash(name), checksum)
}

/// True when `hash` fits the name and the value's checksum, in one of the two ways.
pub(super) fn inode_hash_is_right(hash: u32, name: &[u8], checksum: u32) -> bool {
    hash == inode_hash(name, checksum) || hash == value_step(signed_name_hash(name), checksum)
}

/// `h_hash` of an attribute block: 0 when one of its entries has none.
pub(super) fn block_hash(entries: &[Entry]) -> u32 {
    let mut hash = 0_u32;
    for entry in entries {
        match entry.hash() {
            0 => return 0,
            own => hash = value_step(hash, own),
        }
    }
    hash
}

/// Bytes that a table takes.
pub(super) fn table_room(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::room).sum::<usize>() + TERMINATOR
}

/// Reads the table whose first entry stands at `first`; offsets of values count from the start of `bytes`.
/// `Err` is what is wrong with it.
pub(super) fn parse(bytes: &[u8], first: usize) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut places = Vec::new();
    let mut at = first;
    loop {
        if at + TERMINATOR > bytes.len() {
            return Err(format!("its list of names has no end before byte {}", bytes.len()));
        }
        if u32_at(bytes, at) == 0 {
            break;
        }
        let head = bytes.get(at..at + ENTRY).ok_or_else(|| format!("the entry at byte {at} is cut off"))?;
        let (length, index) = (usize::from(head[0]), head[1]);
        // Without kind and name it would read as the end once its value has moved.
        let name = bytes
            .get(at + ENTRY..at + ENTRY + length)
            .filter(|name| !name.contains(&0) && (index != 0 || length != 0))
            .ok_or_else(|| format!("the name of {length} bytes at byte {} is no name", at + ENTRY))?;
        let offset = usize::from(u16_at(head, 2));
        let (number, size, hash) = (u32_at(head, 4), u32_at(head, 8), u32_at(head, 12));
        let value = if number != 0 {
            Value::Inode { number, size, hash }
        } else if size == 0 {
            Value::Here(Vec::new())
        } else {
            let value = usize::try_from(size)
                .ok()
                .filter(|size| offset.saturating_add(padded(*size)) <= bytes.len())
                .and_then(|size| bytes.get(offset..offset + size));
            let Some(value) = value else {
                return Err(format!(
                    "the value of the entry at byte {at} is said to be the {size} bytes from byte {offset} of {}",
                    bytes.len()
                ));
            };
            places.push((offset, offset + padded(value.len())));
            Value::Here(value.to_vec())
        };
        entries.push(Entry { index, name: name.to_vec(), value });
        at += ENTRY + padded(length);
    }
    places.push((0, at + TERMINATOR));
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        None => Ok(entries),
        Some(pair) => {
            Err(format!("what ends at byte {} overlaps the value at byte {}", pair[0].1, pair[1].0))
        }
    }
}

/// Writes a table into `bytes` from `first` on, everything between names and values zeroed. `hashed`: with
/// the hashes that a block has and an inode does not need. False, and nothing is changed, when there is no
/// room for it.
pub(super) fn store(entries: &[Entry], bytes: &mut [u8], first: usize, hashed: bool) -> bool {
    if table_room(entries) > bytes.len().saturating_sub(first) {
        return false;
    }
    let mut end = bytes.len();
    if let Some(table) = bytes.get_mut(first..) {
        table.fill(0);
    }
    let mut at = first;
    for entry in entries {
        let mut head = [0; ENTRY];
        head[0] = low_u16(entry.name.len() as u64).to_le_bytes()[0];
        head[1] = entry.index;
        match &entry.value {
            Value::Inode { number, size, hash } => {
                put_u32(&mut head, 4, *number);
                put_u32(&mut head, 8, *size);
                put_u32(&mut head, 12, *hash);
            }
            Value::Here(value) => {
                if !value.is_empty() {
                    end -= padded(value.len());
                    put_u16(&mut head, 2, low_u16(end as u64));
                    put(bytes, end, value);
                }
                put_u32(&mut head, 8, low_u32(value.len() as u64));
                if hashed {
                    put_u32(&mut head, 12, entry.hash());
                }
            }
        }
        put(bytes, at, &head);
        put(bytes, at + ENTRY, &entry.name);
        at += ENTRY + padded(entry.name.len());
    }
    true
}
