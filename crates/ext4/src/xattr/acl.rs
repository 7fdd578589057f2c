//! Lists of access rights (POSIX ACLs): the form on the disk, and the one of the system calls.
//!
//! Linux, fs/ext4/acl.h `ext4_acl_header` (version 1, numbers only where there is one);
//! include/uapi/linux/posix_acl_xattr.h (version 2, all entries of eight bytes); fs/posix_acl.c
//! `posix_acl_valid`, `posix_acl_equiv_mode`, `posix_acl_chmod`.

use crate::bytes::{low_u16, put_u16, u16_at, u32_at};

const DISK_VERSION: u32 = 1;
const CALL_VERSION: u32 = 2;

const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// A list that has been checked.
pub(super) struct List {
    /// As it is stored.
    pub(super) stored: Vec<u8>,
    /// The permission bits that it means.
    pub(super) mode: u16,
    /// True when the permission bits say all of it.
    pub(super) is_mode: bool,
}

fn has_number(tag: u16) -> bool {
    matches!(tag, USER | GROUP)
}

/// From the form of the system calls; `None` for a list without entries, which means none.
pub(super) fn to_disk(value: &[u8]) -> Result<Option<List>, String> {
    let (version, entries) = (u32_at(value, 0), value.get(4..).unwrap_or_default());
    if version != CALL_VERSION || entries.len() % 8 != 0 {
        return Err(format!(
            "{} bytes of version {version}; a list of access rights has 4 bytes for the version {CALL_VERSION} and 8 \
             for each entry",
            value.len()
        ));
    }
    let mut stored = DISK_VERSION.to_le_bytes().to_vec();
    let mut permissions = [None; 4];
    let mut stage = 0;
    let mut seen = Vec::new();
    for entry in entries.chunks(8) {
        let (tag, bits, number) = (u16_at(entry, 0), u16_at(entry, 2), u32_at(entry, 4));
        let (order, slot) = match tag {
            USER_OBJ => (1, Some(0)),
            USER => (2, None),
            GROUP_OBJ => (3, Some(1)),
            GROUP => (4, None),
            MASK => (5, Some(2)),
            OTHER => (6, Some(3)),
            _ => return Err(format!("an entry of the unknown kind {tag:#x}")),
        };
        let twice = slot.is_some() && order == stage || has_number(tag) && seen.contains(&(tag, number));
        if order < stage || twice || bits > 7 {
            return Err(format!(
                "an entry of kind {tag:#x} with rights {bits:#o}: entries stand in the order of getfacl, once each, with \
                 rights up to 7"
            ));
        }
        stage = order;
        seen.push((tag, number));
        if let Some(place) = slot.and_then(|slot: usize| permissions.get_mut(slot)) {
            *place = Some(bits);
        }
        stored.extend(tag.to_le_bytes());
        stored.extend(bits.to_le_bytes());
        if has_number(tag) {
            stored.extend(number.to_le_bytes());
        }
    }
    let named = seen.iter().any(|(tag, _)| has_number(*tag));
    match permissions {
        [None, None, None, None] if !named => Ok(None),
        [Some(user), Some(group), mask, Some(other)] if mask.is_some() || !named => {
            let mode = user << 6 | mask.unwrap_or(group) << 3 | other;
            Ok(Some(List { stored, mode: low_u16(mode.into()), is_mode: mask.is_none() }))
        }
        _ => {
            Err("entries for owner, group and others must be there, and a mask beside named ones".to_owned())
        }
    }
}

/// To the form of the system calls.
pub(super) fn from_disk(stored: &[u8]) -> Result<Vec<u8>, String> {
    let version = u32_at(stored, 0);
    if version != DISK_VERSION {
        return Err(format!("{} bytes of version {version}, not {DISK_VERSION}", stored.len()));
    }
    let mut value = CALL_VERSION.to_le_bytes().to_vec();
    let mut rest = stored.get(4..).unwrap_or_default();
    while !rest.is_empty() {
        let tag = u16_at(rest, 0);
        let length = if has_number(tag) { 8 } else { 4 };
        let Some((entry, after)) = rest.split_at_checked(length) else {
            return Err(format!("its last entry has {} bytes, not {length}", rest.len()));
        };
        value.extend(entry.get(..4).unwrap_or_default());
        // Entries without a number say "undefined".
        value.extend(if has_number(tag) { u32_at(entry, 4) } else { u32::MAX }.to_le_bytes());
        rest = after;
    }
    Ok(value)
}

/// A stored list after its file got the permission bits `mode`: owner, others, and the mask (without one the
/// group) follow them.
pub(super) fn with_mode(stored: &[u8], mode: u16) -> Result<Vec<u8>, String> {
    let mut changed = from_disk(stored)?;
    let entries = changed.get_mut(4..).unwrap_or_default();
    let masked = entries.chunks(8).any(|entry| u16_at(entry, 0) == MASK);
    for entry in entries.chunks_mut(8) {
        let bits = match u16_at(entry, 0) {
            USER_OBJ => mode >> 6,
            GROUP_OBJ if !masked => mode >> 3,
            MASK => mode >> 3,
            OTHER => mode,
            _ => continue,
        };
        put_u16(entry, 2, bits & 7);
    }
    Ok(to_disk(&changed)?.map_or_else(Vec::new, |list| list.stored))
}
