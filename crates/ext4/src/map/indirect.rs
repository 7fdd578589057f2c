//! The classic block map: twelve direct blocks, then blocks of block numbers, one to three levels.
//!
//! Linux, fs/ext4/indirect.c `ext4_block_to_path`. A zero is a hole. Map blocks have no checksum, so a
//! block that stands in two places of a map is refused: the time is bounded by the map's blocks.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Run;
use crate::Error;
use crate::bytes::{low_u32, put_u32, u32_at};
use crate::inode::Inode;
use crate::volume::Volume;

/// `EXT4_NDIR_BLOCKS`.
const DIRECT: u64 = 12;
/// Levels of map blocks.
const LEVELS: u32 = 3;
/// Ranges that are gathered before they are freed.
const AT_ONCE: usize = 1 << 16;

/// Which of the four parts of the map a block of the file belongs to: the slot in `i_block`, the levels
/// of map blocks below it, the first block of the file there and their number.
struct Part {
    slot: usize,
    levels: u32,
    first: u64,
    count: u64,
}

fn parts(per_block: u64) -> Vec<Part> {
    let mut parts: Vec<Part> =
        (0..DIRECT).map(|block| Part { slot: block as usize, levels: 0, first: block, count: 1 }).collect();
    let mut first = DIRECT;
    for levels in 1..=LEVELS {
        let count = per_block.pow(levels);
        parts.push(Part { slot: DIRECT as usize - 1 + levels as usize, levels, first, count });
        first += count;
    }
    parts
}

/// What a truncation gathers.
#[derive(Default)]
struct Gone {
    ranges: Vec<Range<u64>>,
    count: u64,
    maps: BTreeSet<u64>,
}

impl Volume {
    fn pointers(&self) -> u64 {
        u64::from(self.superblock.block_size) / 4
    }

    /// Blocks of the file from 0 on that a block map can hold.
    fn most_mapped(&self) -> u64 {
        let per_block = self.pointers();
        (1..=LEVELS).map(|levels| per_block.pow(levels)).sum::<u64>() + DIRECT
    }

    /// A block number out of a map; `None`: a hole.
    fn pointer(&self, inode: &Inode, bytes: &[u8], index: u64) -> Result<Option<u64>, Error> {
        let block = u64::from(u32_at(bytes, usize::try_from(index * 4).unwrap_or(usize::MAX)));
        if block == 0 {
            return Ok(None);
        }
        if block <= self.superblock.first_data_block.into() || block >= self.superblock.blocks {
            return Err(Error::Damaged(format!(
                "inode {}: its map names block {block} of {}",
                inode.number, self.superblock.blocks
            )));
        }
        Ok(Some(block))
    }

    /// Looks up one block of a file: reads one map block per level.
    pub(super) fn map_indirect(&self, inode: &Inode, logical: u64) -> Result<Run, Error> {
        let per_block = self.pointers();
        let hole = |length: u64| Run { physical: None, length: length.max(1), unwritten: false };
        let parts = parts(per_block);
        let Some(part) = parts.iter().find(|part| logical < part.first + part.count) else {
            return Ok(hole(u64::MAX - logical));
        };
        if part.levels == 0 {
            let last = DIRECT;
            return self.run_in(inode, inode.block_area(), logical, last);
        }
        let mut within = logical - part.first;
        let mut span = part.count;
        let mut next = self.pointer(inode, inode.block_area(), part.slot as u64)?;
        for level in (0..part.levels).rev() {
            let Some(block) = next else { return Ok(hole(span - within)) };
            let bytes = self.read_block(block)?;
            if level == 0 {
                return self.run_in(inode, &bytes, within, per_block);
            }
            span /= per_block;
            next = self.pointer(inode, &bytes, within / span)?;
            within %= span;
        }
        Ok(hole(1))
    }

    /// The run of entries from `index` on that name successive blocks, or none.
    fn run_in(&self, inode: &Inode, bytes: &[u8], index: u64, end: u64) -> Result<Run, Error> {
        let first = self.pointer(inode, bytes, index)?;
        let mut length = 1;
        while index + length < end
            && self.pointer(inode, bytes, index + length)? == first.map(|block| block + length)
        {
            length += 1;
        }
        Ok(Run { physical: first, length, unwritten: false })
    }

    /// The same as `fill_extents` for a block map.
    pub(super) fn fill_indirect(
        &mut self,
        inode: &mut Inode,
        logical: Range<u64>,
    ) -> Result<(Vec<Range<u64>>, u64), Error> {
        if logical.end > self.most_mapped() {
            return Err(Error::Operation {
                path: String::new(),
                action: "write its content",
                what: format!("a block map holds at most {} blocks, not {}", self.most_mapped(), logical.end),
            });
        }
        let mut holes: Vec<Range<u64>> = Vec::new();
        let mut next = logical.start;
        let mut goal = None;
        while next < logical.end {
            let run = self.map_indirect(inode, next)?;
            let end = next.saturating_add(run.length).min(logical.end);
            match run.physical {
                None => match holes.last_mut() {
                    Some(last) if last.end == next => last.end = end,
                    _ => holes.push(next..end),
                },
                Some(block) if holes.is_empty() => goal = Some(block + (end - next)),
                Some(_) => {}
            }
            next = end;
        }
        let count: u64 = holes.iter().map(|hole| hole.end - hole.start).sum();
        if count > 0 {
            let goal = match (goal, logical.start.checked_sub(1)) {
                (Some(goal), _) => goal,
                (None, Some(before)) => match self.map_indirect(inode, before)?.physical {
                    Some(block) => block + 1,
                    None => self.inode_goal(inode.number),
                },
                (None, None) => self.inode_goal(inode.number),
            };
            let new = self.allocate_blocks(count, goal)?;
            if new.last().is_some_and(|run| run.end > u64::from(u32::MAX)) {
                return Err(Error::Operation {
                    path: String::new(),
                    action: "write its content",
                    what: "a block map names blocks below 4294967296 alone".to_owned(),
                });
            }
            inode.add_blocks(&self.superblock, i64::try_from(count).unwrap_or(i64::MAX));
            let mut blocks = new.into_iter().flatten();
            for hole in holes {
                self.point(inode, hole, &mut blocks)?;
            }
        }
        let mut runs: Vec<Range<u64>> = Vec::new();
        let mut next = logical.start;
        while next < logical.end {
            let run = self.map_indirect(inode, next)?;
            let length = run.length.min(logical.end - next);
            let Some(start) = run.physical else {
                return Err(Error::Damaged(format!(
                    "inode {}: block {next} of its map is lost",
                    inode.number
                )));
            };
            match runs.last_mut() {
                Some(last) if last.end == start => last.end = start + length,
                _ => runs.push(start..start + length),
            }
            next += length;
        }
        Ok((runs, count))
    }

    /// Lets the map name `blocks` for the file's blocks `logical`, with new map blocks where needed.
    fn point(
        &mut self,
        inode: &mut Inode,
        logical: Range<u64>,
        blocks: &mut impl Iterator<Item = u64>,
    ) -> Result<(), Error> {
        for part in parts(self.pointers()) {
            let start = logical.start.max(part.first);
            let end = logical.end.min(part.first + part.count);
            if start >= end {
                continue;
            }
            if part.levels == 0 {
                let block = blocks.next().unwrap_or(0);
                put_u32(inode.block_area_mut(), part.slot * 4, low_u32(block));
                continue;
            }
            let found = self.pointer(inode, inode.block_area(), part.slot as u64)?;
            let within = start - part.first..end - part.first;
            let top = self.point_below(inode, found, part.levels, within, blocks)?;
            put_u32(inode.block_area_mut(), part.slot * 4, low_u32(top));
        }
        Ok(())
    }

    /// The same below one map block (`None`: to be made), `level` levels above the content; answers
    /// its number.
    fn point_below(
        &mut self,
        inode: &mut Inode,
        map: Option<u64>,
        level: u32,
        within: Range<u64>,
        blocks: &mut impl Iterator<Item = u64>,
    ) -> Result<u64, Error> {
        let span = self.pointers().pow(level - 1);
        let (map, mut bytes) = match map {
            Some(map) => (map, self.read_block(map)?),
            None => (self.new_map_block(inode)?, vec![0; self.block_size()]),
        };
        let mut next = within.start;
        while next < within.end {
            let index = next / span;
            let end = within.end.min((index + 1) * span);
            let block = if level == 1 {
                blocks.next().unwrap_or(0)
            } else {
                let below = self.pointer(inode, &bytes, index)?;
                self.point_below(inode, below, level - 1, next - index * span..end - index * span, blocks)?
            };
            put_u32(&mut bytes, usize::try_from(index * 4).unwrap_or(usize::MAX), low_u32(block));
            next = end;
        }
        self.write_block(map, bytes)?;
        Ok(map)
    }

    fn new_map_block(&mut self, inode: &mut Inode) -> Result<u64, Error> {
        let goal = self.inode_goal(inode.number);
        let new = self.allocate_blocks(1, goal)?;
        let block = new.first().map_or(0, |run| run.start);
        if block == 0 || block > u64::from(u32::MAX) {
            return Err(self.no_space(1));
        }
        inode.add_blocks(&self.superblock, 1);
        Ok(block)
    }

    /// Unmaps and frees everything from block `logical` of the file on.
    pub(super) fn truncate_indirect(&mut self, inode: &mut Inode, logical: u64) -> Result<(), Error> {
        let mut gone = Gone::default();
        for part in parts(self.pointers()) {
            if part.first + part.count <= logical {
                continue;
            }
            let Some(block) = self.pointer(inode, inode.block_area(), part.slot as u64)? else { continue };
            let keep = logical.saturating_sub(part.first);
            if self.prune(inode, block, part.levels, keep, &mut gone)? {
                put_u32(inode.block_area_mut(), part.slot * 4, 0);
            }
        }
        self.flush_gone(&mut gone)?;
        inode.add_blocks(&self.superblock, -i64::try_from(gone.count).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Frees what lies below `block` behind the first `keep` blocks of the file there; true when
    /// `block` itself went.
    fn prune(
        &mut self,
        inode: &Inode,
        block: u64,
        level: u32,
        keep: u64,
        gone: &mut Gone,
    ) -> Result<bool, Error> {
        if level > 0 {
            if !gone.maps.insert(block) {
                return Err(Error::Damaged(format!(
                    "inode {}: map block {block} is used twice",
                    inode.number
                )));
            }
            let span = self.pointers().pow(level - 1);
            let mut bytes = self.read_block(block)?;
            let mut changed = false;
            for index in keep / span..self.pointers() {
                let Some(below) = self.pointer(inode, &bytes, index)? else { continue };
                let keep = keep.saturating_sub(index * span);
                if self.prune(inode, below, level - 1, keep, gone)? {
                    put_u32(&mut bytes, usize::try_from(index * 4).unwrap_or(usize::MAX), 0);
                    changed = true;
                }
            }
            if bytes.iter().any(|byte| *byte != 0) {
                if changed {
                    self.write_block(block, bytes)?;
                }
                return Ok(false);
            }
        } else if keep > 0 {
            return Ok(false);
        }
        gone.count += 1;
        match gone.ranges.last_mut() {
            Some(last) if last.end == block => last.end = block + 1,
            _ => gone.ranges.push(block..block + 1),
        }
        if gone.ranges.len() >= AT_ONCE {
            self.flush_gone(gone)?;
        }
        Ok(true)
    }

    fn flush_gone(&mut self, gone: &mut Gone) -> Result<(), Error> {
        self.free_ranges_of(std::mem::take(&mut gone.ranges))
    }
}
