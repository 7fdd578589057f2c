//! The journal's file: which blocks of the disk it is.

use std::ops::Range;

use hardtack_disk::{BlockSource, BlockWrite};

use super::log::LogBlocks;
use super::superblock::JournalSuperblock;
use crate::Error;
use crate::inode::{Inode, flag};
use crate::volume::Volume;

/// Bytes that are read at once when the log is emptied.
const CHUNK: u64 = 1 << 20;

/// The journal of a file system, in a file of it.
pub(super) struct JournalFile {
    disk: std::sync::Arc<dyn BlockWrite>,
    block_size: u64,
    /// First block in the file and blocks on the disk, in the file's order, without holes.
    runs: Vec<(u64, Range<u64>)>,
    pub(super) superblock: JournalSuperblock,
}

impl JournalFile {
    /// Maps the journal and reads its superblock.
    pub(super) fn open(volume: &Volume, inode: &Inode) -> Result<Self, Error> {
        let damaged = |what: String| Err(Error::Damaged(format!("journal, inode {}: {what}", inode.number)));
        if inode.links() == 0 || !inode.is_regular() || inode.has(flag::INLINE_DATA) {
            return damaged(format!("mode {:o} and {} links; it is no file", inode.mode(), inode.links()));
        }
        let block_size = u64::from(volume.superblock.block_size);
        let blocks = inode.size() / block_size;
        if blocks == 0 || blocks > volume.superblock.blocks {
            return damaged(format!("{blocks} blocks of {}", volume.superblock.blocks));
        }
        let mut runs = Vec::new();
        let mut logical = 0;
        while logical < blocks {
            let run = volume.map_block(inode, logical)?;
            let Some(first) = run.physical.filter(|_| !run.unwritten) else {
                return damaged(format!("its block {logical} is a hole"));
            };
            let length = run.length.clamp(1, blocks - logical);
            let range = first..first.saturating_add(length);
            volume.check_blocks(|| "the journal".to_owned(), &range)?;
            runs.push((logical, range));
            logical += length;
        }
        check_places(volume, &runs)?;
        let mut first = vec![0; volume.block_size()];
        let disk = volume.disk().clone();
        disk.read_at(runs[0].1.start * block_size, &mut first)?;
        let superblock = JournalSuperblock::parse(&first, blocks)?;
        Ok(Self { disk, block_size, runs, superblock })
    }

    /// True when the journal itself lies in `block` of the disk.
    pub(super) fn holds(&self, block: u64) -> bool {
        self.runs.iter().any(|(_, range)| range.contains(&block))
    }

    /// Replaces the journal's superblock.
    pub(super) fn store_superblock(&self, bytes: &[u8]) -> Result<(), Error> {
        self.disk.write_at(self.runs[0].1.start * self.block_size, bytes)?;
        Ok(())
    }

    /// The blocks behind the journal's superblock.
    pub(super) fn log(&self) -> Vec<Range<u64>> {
        let behind = |(logical, range): &(u64, Range<u64>)| range.start + u64::from(*logical == 0)..range.end;
        self.runs.iter().map(behind).filter(|range| !range.is_empty()).collect()
    }

    /// Makes everything behind the journal's superblock zeros. What is zeros already is not written.
    pub(super) fn clear_log(&self) -> Result<(), Error> {
        let mut buf = Vec::new();
        for (logical, range) in &self.runs {
            let first = if *logical == 0 { range.start + 1 } else { range.start };
            for data in self.disk.data_ranges(first * self.block_size..range.end * self.block_size)? {
                let mut at = data.start;
                while at < data.end {
                    let length = (data.end - at).min(CHUNK);
                    buf.resize(usize::try_from(length).unwrap_or(0), 0);
                    self.disk.read_at(at, &mut buf)?;
                    self.clear_pages(at, &buf)?;
                    at += length;
                }
            }
        }
        Ok(())
    }

    /// Writes zeros over the pieces of `bytes`, read at `at`, that hold anything else.
    fn clear_pages(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        const PAGE: usize = 4096;
        for (index, page) in bytes.chunks(PAGE).enumerate() {
            if page.iter().any(|byte| *byte != 0) {
                self.disk.write_at(at + (index * PAGE) as u64, &[0; PAGE][..page.len()])?;
            }
        }
        Ok(())
    }
}

/// A journal that lies on top of itself or of other metadata is none.
fn check_places(volume: &Volume, runs: &[(u64, Range<u64>)]) -> Result<(), Error> {
    let mut places: Vec<(Range<u64>, bool)> = runs.iter().map(|(_, range)| (range.clone(), true)).collect();
    let table = volume.superblock.inode_table_blocks();
    for group in volume.groups() {
        for (first, count) in [(group.block_bitmap, 1), (group.inode_bitmap, 1), (group.inode_table, table)] {
            places.push((first..first.saturating_add(count), false));
        }
    }
    places.sort_unstable_by_key(|(range, _)| range.start);
    match places.windows(2).find(|pair| pair[0].0.end > pair[1].0.start && (pair[0].1 || pair[1].1)) {
        None => Ok(()),
        Some(pair) => Err(Error::Damaged(format!(
            "the journal lies on top of other metadata or of itself at block {}",
            pair[1].0.start
        ))),
    }
}

impl LogBlocks for JournalFile {
    fn read_log(&self, block: u32, buf: &mut [u8]) -> Result<(), Error> {
        let block = u64::from(block);
        let index = self.runs.partition_point(|(logical, _)| *logical <= block).saturating_sub(1);
        let place = self.runs.get(index).map(|(logical, range)| range.start + (block - logical));
        let Some(place) = place.filter(|place| self.runs[index].1.contains(place)) else {
            return Err(Error::Damaged(format!("journal: its block {block} is asked for")));
        };
        self.disk.read_at(place * self.block_size, buf)?;
        Ok(())
    }
}
