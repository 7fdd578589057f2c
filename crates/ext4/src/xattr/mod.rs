//! Extended attributes: in the inode, in a block that inodes share, or in inodes of their own.
//!
//! Linux, fs/ext4/xattr.c. An attribute goes into the inode when there is room behind its fields, else
//! into the inode's attribute block, else (ea_inode) its value gets an inode of its own.
//! * `entry`: the table of names and values, the same in both places;
//! * `block`: the attribute block, its count and checksum;
//! * `ea_inode`: value inodes;
//! * [`names`]: full names as programs know them, and the two forms of access control lists.

mod acl;
mod block;
mod ea_inode;
mod entry;
pub(crate) mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::Error;
use crate::bytes::{low_u16, put, put_u16, put_u32, u32_at};
use crate::inode::{Inode, flag};
use crate::superblock::layout;
use crate::volume::Volume;
use block::AttributeBlock;
use entry::{Entry, Value};

/// `EXT4_XATTR_INDEX_SYSTEM`: the kind of `system.data`, where inline data goes on behind `i_block`.
pub(crate) const INDEX_SYSTEM: u8 = 7;
/// Its name. It stays in the inode whatever happens.
const DATA: &[u8] = b"data";

/// Bytes of an inode before `i_extra_isize`, and where that stands.
const CLASSIC: usize = 128;

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// Kind of the name (`EXT4_XATTR_INDEX_*`): 1 user, 2 and 3 POSIX ACLs, 4 trusted, 6 security, 7 system, 8 richacl.
    pub(crate) index: u8,
    /// The name without the prefix that the kind stands for.
    pub(crate) name: Vec<u8>,
    /// The value as it is stored.
    pub(crate) value: Vec<u8>,
}

/// An attribute that cannot be set as wanted. The caller fills the path in.
fn refused(what: String) -> Error {
    Error::Operation { path: String::new(), action: "set an attribute", what }
}

/// The attributes of one inode, as they lie or shall lie.
struct Placement {
    inside: Vec<Entry>,
    outside: Vec<Entry>,
}

fn is_inline_link(inode: &Inode) -> bool {
    inode.is_symlink() && inode.has(flag::INLINE_DATA)
}

/// What fits where: bytes of the tables, names and terminator included.
struct Room {
    inside: usize,
    outside: usize,
    /// Entries in the inode may have value inodes. Not those of links: they make `i_blocks` of a link that
    /// has no block at all more than zero, and e2fsck 1.47 takes its target for a block number then.
    values_inside: bool,
}

impl Room {
    fn holds(&self, placement: &Placement) -> bool {
        let values = || placement.inside.iter().any(|entry| matches!(entry.value, Value::Inode { .. }));
        (self.values_inside || !values())
            && (placement.inside.is_empty() || entry::table_room(&placement.inside) <= self.inside)
            && (placement.outside.is_empty() || entry::table_room(&placement.outside) <= self.outside)
    }
}

impl Placement {
    /// With one more entry, where it fits: in the inode, in the block, or after moving others between them.
    fn with(&self, new: &Entry, room: &Room) -> Option<Self> {
        let mut inside = Self { inside: self.inside.clone(), outside: self.outside.clone() };
        inside.inside.push(new.clone());
        if room.holds(&inside) {
            return Some(inside);
        }
        let mut outside = Self { inside: self.inside.clone(), outside: self.outside.clone() };
        outside.outside.push(new.clone());
        if room.holds(&outside) && !new.is(INDEX_SYSTEM, DATA) {
            return Some(outside);
        }
        [false, true].into_iter().find_map(|inside_first| self.repacked(new, room, inside_first))
    }

    /// All entries placed anew, the long ones first. Inline data stays where it is.
    fn repacked(&self, new: &Entry, room: &Room, inside_first: bool) -> Option<Self> {
        let all = self.inside.iter().chain(&self.outside).chain([new]).cloned();
        let (fixed, mut rest): (Vec<_>, Vec<_>) = all.partition(|entry| entry.is(INDEX_SYSTEM, DATA));
        rest.sort_by(|one, other| other.room().cmp(&one.room()).then_with(|| one.order(other)));
        let mut packed = Self { inside: fixed, outside: Vec::new() };
        for entry in rest {
            for into_inode in [inside_first, !inside_first] {
                let list = if into_inode { &mut packed.inside } else { &mut packed.outside };
                list.push(entry.clone());
                if room.holds(&packed) {
                    break;
                }
                let list = if into_inode { &mut packed.inside } else { &mut packed.outside };
                list.pop();
                if into_inode != inside_first {
                    return None;
                }
            }
        }
        room.holds(&packed).then_some(packed)
    }
}

/// Replaces the attributes in the inode itself; false when they do not fit, and nothing is changed then.
fn store_inside(inode: &mut Inode, entries: &[Entry]) -> bool {
    let area = inode.xattr_area();
    let Some(bytes) = inode.raw.get_mut(area) else { return entries.is_empty() };
    if entries.is_empty() {
        bytes.fill(0);
        return true;
    }
    let Some((magic, table)) = bytes.split_at_mut_checked(4) else { return false };
    if !entry::store(entries, table, 0, false) {
        return false;
    }
    put_u32(magic, 0, block::MAGIC);
    true
}

impl Volume {
    /// The attributes in the inode itself, checked.
    fn attributes_inside(&self, inode: &Inode) -> Result<Vec<Entry>, Error> {
        let bytes = inode.raw.get(inode.xattr_area()).unwrap_or_default();
        match bytes.split_at_checked(4) {
            Some((magic, table)) if table.len() >= 4 && u32_at(magic, 0) == block::MAGIC => {
                entry::parse(table, 0).map_err(|what| {
                    Error::Damaged(format!("inode {}: its own attributes: {what}", inode.number))
                })
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Lets an old inode that never used its tail (`i_extra_isize` 0) have the fields that the kernel would
    /// give it when it changes it, so that attributes can follow them.
    fn use_inode_tail(&self, inode: &mut Inode) {
        if inode.extra_isize() == 0
            && let Some(tail) = inode.raw.get_mut(CLASSIC..)
            && tail.len() >= 32
        {
            tail.fill(0);
            let wanted = usize::from(self.superblock.want_extra_isize).clamp(32, tail.len()) & !3;
            put_u16(tail, 0, low_u16(wanted as u64));
        }
    }

    fn attribute_room(&self, inode: &Inode) -> Room {
        // e2fsck 1.47 overlooks the attribute block of a link whose target is inline data: to it the block
        // is free.
        let outside = if is_inline_link(inode) { 0 } else { self.block_size().saturating_sub(block::HEADER) };
        Room {
            inside: inode.xattr_area().len().saturating_sub(4),
            outside,
            values_inside: !inode.is_symlink(),
        }
    }

    fn entry_value(&self, inode: &Inode, entry: &Entry) -> Result<Vec<u8>, Error> {
        match &entry.value {
            Value::Here(value) => Ok(value.clone()),
            Value::Inode { number, size, hash } => {
                self.read_value(inode, &entry.name, (*number, *size, *hash))
            }
        }
    }

    /// All attributes, `system.data` included.
    pub(crate) fn attributes(&self, inode: &Inode) -> Result<Vec<Attribute>, Error> {
        let inside = self.attributes_inside(inode)?;
        let outside = self.attribute_block(inode)?.map_or_else(Vec::new, |block| block.entries);
        let mut attributes: Vec<Attribute> = Vec::new();
        for entry in inside.iter().chain(&outside) {
            // Of two of the same name the kernel sees the one in the inode.
            if !attributes.iter().any(|seen| entry.is(seen.index, &seen.name)) {
                attributes.push(Attribute {
                    index: entry.index,
                    name: entry.name.clone(),
                    value: self.entry_value(inode, entry)?,
                });
            }
        }
        Ok(attributes)
    }

    /// Sets or (with `None`) removes an attribute. The inode is changed and not written.
    ///
    /// # Errors
    /// [`Error::NoSpace`] without a free block, [`Error::Operation`] when the attributes of one inode do not
    /// fit its room; the operation must be rolled back then.
    pub(crate) fn set_attribute(
        &mut self,
        inode: &mut Inode,
        index: u8,
        name: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        if index == 0 || name.len() > 255 || name.contains(&0) {
            return Err(refused(format!("{} is no name", String::from_utf8_lossy(name).escape_debug())));
        }
        let mut changed = inode.clone();
        let before = self.attributes_inside(&changed)?;
        let block = self.attribute_block(&changed)?;
        let outside = block.as_ref().map_or_else(Vec::new, |block| block.entries.clone());
        let mut found = before.iter().chain(&outside).filter(|entry| entry.is(index, name));
        match (found.next(), value) {
            (None, None) => return Ok(()),
            (Some(Entry { value: Value::Here(old), .. }), Some(new))
                if old == new && found.next().is_none() =>
            {
                return Ok(());
            }
            _ => {}
        }
        let mut after = Placement { inside: before.clone(), outside };
        after.inside.retain(|entry| !entry.is(index, name));
        after.outside.retain(|entry| !entry.is(index, name));
        let mut created = None;
        if let Some(value) = value {
            self.use_inode_tail(&mut changed);
            match self.place(&changed, &after, index, name, value) {
                Ok(placed) => (after, created) = placed,
                Err(Error::Operation { .. }) if is_inline_link(&changed) => {
                    self.move_target_out(inode)?;
                    return self.set_attribute(inode, index, name, Some(value));
                }
                Err(error) => return Err(error),
            }
        }
        self.store_placement(&mut changed, before, block, after, created)?;
        self.superblock.features[0] |= layout::COMPAT_EXT_ATTR;
        *inode = changed;
        Ok(())
    }

    /// Gives a link whose target is inline data a block for it.
    fn move_target_out(&mut self, link: &mut Inode) -> Result<(), Error> {
        let target = self.inline_content(link)?;
        self.clear_inline_content(link)?;
        let area = link.block_area_mut();
        if target.len() < area.len() {
            area.fill(0);
            put(area, 0, &target);
            link.set_flags(link.flags() & !flag::EXTENTS);
            return Ok(());
        }
        self.set_content(link, &target)
    }

    /// Finds room for a new attribute; the number of the inode that was made for its value, if so.
    fn place(
        &mut self,
        inode: &Inode,
        others: &Placement,
        index: u8,
        name: &[u8],
        value: &[u8],
    ) -> Result<(Placement, Option<u32>), Error> {
        if value.len() > ea_inode::LONGEST_VALUE {
            return Err(refused(format!(
                "a value has at most {} bytes, not {}",
                ea_inode::LONGEST_VALUE,
                value.len()
            )));
        }
        let room = self.attribute_room(inode);
        let mut new = Entry { index, name: name.to_vec(), value: Value::Here(value.to_vec()) };
        if let Some(placement) = others.with(&new, &room)
            && !(self.superblock.has_ea_inode() && self.crowds_block(&placement, &new))
        {
            return Ok((placement, None));
        }
        let full = |kind: &str| {
            refused(format!(
                "{} bytes of attributes do not fit: those of one file share {} bytes of its inode and one block of \
                 {} bytes{kind}",
                entry::table_room(&others.inside) + entry::table_room(&others.outside) + new.room(),
                room.inside,
                room.outside,
            ))
        };
        if !self.superblock.has_ea_inode() || value.is_empty() || new.is(INDEX_SYSTEM, DATA) {
            return Err(full(" (the feature ea_inode, which would lift that, is not set)"));
        }
        let too_many = full("");
        new.value = Value::Inode { number: 0, size: 0, hash: 0 };
        let Some(mut placement) = others.with(&new, &room) else { return Err(too_many) };
        let made = self.create_value(inode, name, value)?;
        let number = if let Value::Inode { number, .. } = made { number } else { 0 };
        for entry in placement.inside.iter_mut().chain(&mut placement.outside) {
            if entry.is(index, name) {
                entry.value = made.clone();
            }
        }
        Ok((placement, Some(number)))
    }

    /// True when a value in the block leaves no room for the names of others, which ea_inode would let grow
    /// without end (Linux, `EXT4_XATTR_BLOCK_RESERVE`).
    fn crowds_block(&self, placement: &Placement, new: &Entry) -> bool {
        let values: usize = placement.outside.iter().map(Entry::value_room).sum();
        let kept = (self.block_size() / 8).min(1024);
        new.value_room() > 0 && placement.outside.contains(new) && values + kept > self.block_size()
    }

    /// Writes attributes as they shall lie, and counts the references to value inodes: `created` has one
    /// already.
    fn store_placement(
        &mut self,
        inode: &mut Inode,
        before: Vec<Entry>,
        block: Option<AttributeBlock>,
        after: Placement,
        created: Option<u32>,
    ) -> Result<(), Error> {
        let mut counts: BTreeMap<u32, i64> = BTreeMap::new();
        let mut count = |entries: &[Entry], change: i64| {
            for entry in entries {
                if let Value::Inode { number, .. } = entry.value {
                    *counts.entry(number).or_default() += change;
                }
            }
        };
        count(&before, -1);
        count(&after.inside, 1);
        let held = block.as_ref().map_or(&[][..], |block| &block.entries[..]);
        if held != after.outside {
            // What a shared block refers to, it goes on to refer to for the others.
            if !block.as_ref().is_some_and(AttributeBlock::is_shared) {
                count(held, -1);
            }
            count(&after.outside, 1);
        }
        if let Some(number) = created {
            *counts.entry(number).or_default() -= 1;
        }
        let charged = self.charged_blocks(inode, &before)? + self.charged_blocks(inode, held)?;
        let charge = self.charged_blocks(inode, &after.inside)?
            + self.charged_blocks(inode, &after.outside)?
            - charged;
        inode.add_blocks(&self.superblock.clone(), charge);
        self.replace_attribute_block(inode, block, after.outside)?;
        if before != after.inside && !store_inside(inode, &after.inside) {
            return Err(Error::Damaged(format!("inode {}: attributes that fit do not fit", inode.number)));
        }
        for (number, change) in &counts {
            for _ in 0..*change {
                self.retain_value(*number)?;
            }
        }
        for (number, change) in &counts {
            for _ in *change..0 {
                self.release_value(inode, *number)?;
            }
        }
        Ok(())
    }

    /// Gives back everything that the inode's attributes hold outside it, and wipes those inside, when it is
    /// removed.
    pub(crate) fn release_attributes(&mut self, inode: &mut Inode) -> Result<(), Error> {
        let before = self.attributes_inside(inode)?;
        let block = self.attribute_block(inode)?;
        if before.is_empty() && block.is_none() {
            return Ok(());
        }
        self.store_placement(
            inode,
            before,
            block,
            Placement { inside: Vec::new(), outside: Vec::new() },
            None,
        )
    }

    /// The inode's `system.data`, if it has one.
    pub(crate) fn inline_tail(&self, inode: &Inode) -> Result<Option<Vec<u8>>, Error> {
        let inside = self.attributes_inside(inode)?;
        let found = inside.into_iter().find(|entry| entry.is(INDEX_SYSTEM, DATA));
        found.map(|entry| self.entry_value(inode, &entry)).transpose()
    }

    /// Sets or removes the inode's `system.data`, in the inode alone; false when there is no room for it,
    /// and nothing is changed then.
    pub(crate) fn set_inline_tail(&self, inode: &mut Inode, tail: Option<&[u8]>) -> Result<bool, Error> {
        let mut changed = inode.clone();
        let mut entries = self.attributes_inside(&changed)?;
        entries.retain(|entry| !entry.is(INDEX_SYSTEM, DATA));
        if let Some(tail) = tail {
            self.use_inode_tail(&mut changed);
            entries.push(Entry {
                index: INDEX_SYSTEM,
                name: DATA.to_vec(),
                value: Value::Here(tail.to_vec()),
            });
        }
        let fits = store_inside(&mut changed, &entries);
        if fits {
            *inode = changed;
        }
        Ok(fits)
    }
}
