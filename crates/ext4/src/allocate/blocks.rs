//! Giving out blocks, taking them back, and telling which are free.
//!
//! A run in one piece near the goal is looked for first; when there is none, the largest free runs
//! are taken. Deterministic: the same bitmaps and the same request give the same blocks.

use std::cmp::Reverse;
use std::ops::Range;

use hardtack_disk::ranges::merge;

use super::bits;
use crate::Error;
use crate::volume::Volume;

/// Bitmaps that are read in search of a run in one piece, or of larger pieces than those at hand.
const MOST_BITMAPS: u32 = 32;

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

impl Volume {
    /// The group of a block.
    pub(super) fn group_of(&self, block: u64) -> u32 {
        let within = block.saturating_sub(self.superblock.first_data_block.into());
        let group = within / u64::from(self.superblock.blocks_per_group);
        u32::try_from(group).unwrap_or(u32::MAX).min(self.superblock.group_count().saturating_sub(1))
    }

    /// Where blocks for an inode without any are looked for first.
    pub(crate) fn inode_goal(&self, number: u32) -> u64 {
        let group = number.saturating_sub(1) / self.superblock.inodes_per_group;
        self.superblock.group_start(group)
    }

    /// Blocks that can be given out by the operation under way.
    fn available(&self) -> u64 {
        let freed: u64 = self.freed().iter().map(length).sum();
        self.superblock.free_blocks.saturating_sub(freed)
    }

    /// The error for `count` blocks that there are not.
    pub(crate) fn no_space(&self, count: u64) -> Error {
        let size = u64::from(self.superblock.block_size);
        Error::NoSpace {
            path: String::new(),
            needed: count.saturating_mul(size),
            free: self.available().saturating_mul(size),
        }
    }

    /// Gives out `count` blocks in as few pieces as there are, near `goal`; in disk order.
    ///
    /// # Errors
    /// [`Error::NoSpace`]; nothing is given out then.
    pub(crate) fn allocate_blocks(&mut self, count: u64, goal: u64) -> Result<Vec<Range<u64>>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if count > self.available() {
            return Err(self.no_space(count));
        }
        let ranges = match self.find_run(count, goal)? {
            Some(run) => vec![run],
            None => self.find_pieces(count, goal)?,
        };
        self.take_blocks(&ranges)?;
        Ok(ranges)
    }

    /// Gives out these blocks, sorted and disjoint, which are free.
    pub(crate) fn take_blocks(&mut self, ranges: &[Range<u64>]) -> Result<(), Error> {
        self.mark_blocks(ranges, true)?;
        let count = ranges.iter().map(length).sum();
        self.superblock.free_blocks = self.superblock.free_blocks.saturating_sub(count);
        Ok(())
    }

    /// The groups from that of `goal` on, wrapping around; those known to be full are left out.
    fn groups_from(&mut self, first: u32) -> (u32, u32) {
        let count = self.superblock.group_count();
        let first = first.min(count.saturating_sub(1));
        let mut skip = 0;
        if let Some(full) = &self.space.full
            && full.contains(&first)
        {
            skip = full.end - first;
        }
        while first + skip < count
            && self.groups().get((first + skip) as usize).is_some_and(|group| group.free_blocks == 0)
        {
            skip += 1;
        }
        if skip > 0 {
            // Found anew only after something there was freed.
            let start = match &self.space.full {
                Some(full) if full.contains(&first) => full.start,
                _ => first,
            };
            self.space.full = Some(start..first + skip);
        }
        (first + skip, count)
    }

    /// A free run of `count` blocks at or soon behind `goal`.
    fn find_run(&mut self, count: u64, goal: u64) -> Result<Option<Range<u64>>, Error> {
        let Some(wanted) =
            u32::try_from(count).ok().filter(|count| *count <= self.superblock.blocks_per_group)
        else {
            return Ok(None);
        };
        let home = self.group_of(goal);
        let (first, groups) = self.groups_from(home);
        let mut read = 0;
        for number in (first..groups).chain(0..first.min(groups)) {
            let bound = self.space.longest.get(&number).copied().unwrap_or(u32::MAX);
            if self.group(number)?.free_blocks < wanted || bound < wanted {
                continue;
            }
            if read == MOST_BITMAPS {
                break;
            }
            read += 1;
            let bitmap = self.free_bitmap(number)?;
            let all = 0..self.superblock.group_blocks(number);
            let mut longest = 0;
            let behind = if number == home { self.bits_of(number, &(goal..goal)).start } else { 0 };
            let run = [behind..all.end, all].into_iter().find_map(|part| {
                bits::clear_runs(&bitmap, part).find(|run| {
                    longest = longest.max(run.end - run.start);
                    run.end - run.start >= wanted
                })
            });
            if let Some(run) = run {
                let start = self.superblock.group_start(number) + u64::from(run.start);
                return Ok(Some(start..start + count));
            }
            self.space.longest.insert(number, longest);
        }
        Ok(None)
    }

    /// The largest free runs not too far behind `goal`.
    fn find_pieces(&mut self, count: u64, goal: u64) -> Result<Vec<Range<u64>>, Error> {
        let (first, groups) = self.groups_from(self.group_of(goal));
        let mut runs = Vec::new();
        let mut found = 0;
        let mut read = 0;
        for number in (first..groups).chain(0..first.min(groups)) {
            if found >= count && read >= MOST_BITMAPS {
                break;
            }
            if self.group(number)?.free_blocks == 0 {
                continue;
            }
            read += 1;
            let bitmap = self.free_bitmap(number)?;
            let start = self.superblock.group_start(number);
            for run in bits::clear_runs(&bitmap, 0..self.superblock.group_blocks(number)) {
                found += u64::from(run.end - run.start);
                runs.push(start + u64::from(run.start)..start + u64::from(run.end));
            }
        }
        if found < count {
            return Err(self.no_space(count));
        }
        let mut runs = merge(runs);
        runs.sort_by_key(|run| (Reverse(length(run)), run.start < goal, run.start));
        let mut left = count;
        let mut taken = Vec::new();
        for run in runs {
            let part = length(&run).min(left);
            taken.push(run.start..run.start + part);
            left -= part;
            if left == 0 {
                break;
            }
        }
        Ok(merge(taken))
    }

    /// Marks blocks (sorted, disjoint) in the bitmaps and counts them in the descriptors.
    fn mark_blocks(&mut self, ranges: &[Range<u64>], used: bool) -> Result<(), Error> {
        let mut rest = ranges.iter().cloned().peekable();
        while let Some(next) = rest.peek() {
            let number = self.group_of(next.start);
            let end = self.group_range(number).end;
            let mut bitmap = self.block_bitmap(number)?;
            let mut count = 0;
            while let Some(range) = rest.peek_mut() {
                if range.start >= end {
                    break;
                }
                let part = self.bits_of(number, range);
                let stray = bits::find(&bitmap, part.clone(), used);
                if stray < part.end {
                    let block = self.superblock.group_start(number) + u64::from(stray);
                    let is = if used { "in use" } else { "free" };
                    return Err(Error::Damaged(format!("group {number}: block {block} is {is} already")));
                }
                bits::fill(&mut bitmap, part.clone(), used);
                count += part.end - part.start;
                if range.end > end {
                    range.start = end;
                    break;
                }
                rest.next();
            }
            self.store_block_bitmap(number, bitmap)?;
            let most = self.superblock.group_blocks(number);
            let group = self.group_mut(number)?;
            let free = if used {
                group.free_blocks.checked_sub(count)
            } else {
                group.free_blocks.checked_add(count).filter(|free| *free <= most)
            };
            let Some(free) = free else {
                return Err(Error::Damaged(format!(
                    "group {number}: {} blocks are said to be free of {most}; the bitmap says otherwise",
                    group.free_blocks
                )));
            };
            group.free_blocks = free;
            if !used {
                self.space.blocks_freed(number);
            }
        }
        Ok(())
    }

    /// Takes blocks back.
    ///
    /// # Errors
    /// [`Error::Damaged`] when one of them is free already, or metadata.
    pub(crate) fn free_blocks(&mut self, blocks: Range<u64>) -> Result<(), Error> {
        self.free_ranges_of(vec![blocks])
    }

    /// Takes blocks in any order back: each bitmap is changed once.
    ///
    /// # Errors
    /// As [`free_blocks`](Self::free_blocks), and when one is named twice.
    pub(crate) fn free_ranges_of(&mut self, mut ranges: Vec<Range<u64>>) -> Result<(), Error> {
        ranges.retain(|range| range.start < range.end);
        ranges.sort_unstable_by_key(|range| range.start);
        if let Some(pair) = ranges.windows(2).find(|pair| pair[0].end > pair[1].start) {
            return Err(Error::Damaged(format!("block {} is owned twice", pair[1].start)));
        }
        let ranges = merge(ranges);
        for range in &ranges {
            self.check_blocks(|| "what is to be freed".to_owned(), range)?;
            if let Some(block) = self.first_metadata(range) {
                return Err(Error::Damaged(format!("block {block} is to be freed, but it is metadata")));
            }
        }
        self.mark_blocks(&ranges, false)?;
        for range in ranges {
            self.superblock.free_blocks = self.superblock.free_blocks.saturating_add(length(&range));
            self.note_freed(range);
        }
        Ok(())
    }

    /// Refuses blocks that are free according to the bitmaps, metadata, or named twice: a map that names
    /// them is wrong, and writing there would damage something else. `ranges` in any order.
    pub(crate) fn check_owned(&self, ranges: Vec<Range<u64>>) -> Result<(), Error> {
        let named: u64 = ranges.iter().map(length).sum();
        let ranges = merge(ranges);
        if ranges.iter().map(length).sum::<u64>() != named {
            return Err(Error::Damaged("a file's map names a block twice".to_owned()));
        }
        let mut held: Option<(u32, Vec<u8>)> = None;
        for range in ranges {
            self.check_blocks(|| "content".to_owned(), &range)?;
            if let Some(block) = self.first_metadata(&range) {
                return Err(Error::Damaged(format!("block {block} belongs to a file, but it is metadata")));
            }
            for number in self.group_of(range.start)..=self.group_of(range.end - 1) {
                let bitmap = match held.take() {
                    Some((of, bitmap)) if of == number => bitmap,
                    _ => self.block_bitmap(number)?,
                };
                let part = self.bits_of(number, &range);
                let free = bits::find(&bitmap, part.clone(), false);
                if free < part.end {
                    let block = self.superblock.group_start(number) + u64::from(free);
                    return Err(Error::Damaged(format!(
                        "group {number}: block {block} belongs to a file, but the bitmap says that it is free"
                    )));
                }
                held = Some((number, bitmap));
            }
        }
        Ok(())
    }

    /// Refuses a bitmap that has other free blocks than its group's descriptor counts.
    pub(crate) fn check_free_counts(&self) -> Result<(), Error> {
        for number in 0..self.superblock.group_count() {
            let bitmap = self.block_bitmap(number)?;
            let runs = bits::clear_runs(&bitmap, 0..self.superblock.group_blocks(number));
            let free: u32 = runs.map(|run| run.end - run.start).sum();
            let said = self.group(number)?.free_blocks;
            if free != said {
                return Err(Error::Damaged(format!(
                    "group {number}: {said} blocks are said to be free; the bitmap has {free}"
                )));
            }
        }
        Ok(())
    }

    /// All free blocks of the volume as ranges, in order; blocks of groups whose bitmap was never
    /// written included, metadata never.
    pub(crate) fn free_ranges(&self) -> Result<Vec<Range<u64>>, Error> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for number in 0..self.superblock.group_count() {
            let bitmap = self.free_bitmap(number)?;
            let start = self.superblock.group_start(number);
            for run in bits::clear_runs(&bitmap, 0..self.superblock.group_blocks(number)) {
                let run = start + u64::from(run.start)..start + u64::from(run.end);
                match ranges.last_mut() {
                    Some(last) if last.end == run.start => last.end = run.end,
                    _ => ranges.push(run),
                }
            }
        }
        Ok(ranges)
    }
}
