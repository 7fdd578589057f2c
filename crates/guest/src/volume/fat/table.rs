//! The file allocation table: chains of clusters, followed, extended and given back.
//!
//! An entry names the cluster that follows, or the end of a chain. A crafted chain can be a circle
//! or lead anywhere: nobody follows one further than the file's or directory's length allows.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite};

use super::boot::{Geometry, Width};
use crate::Error;
use crate::volume::Place;

/// Bytes of the table that are held at a time; all of a FAT12 table.
const WINDOW: u64 = 64 * 1024;

/// The file system's disk, its geometry and its table.
pub(super) struct Table {
    pub(super) disk: Arc<dyn BlockWrite>,
    pub(super) geometry: Geometry,
    place: Place,
    window: RefCell<Option<(u64, Vec<u8>)>>,
    /// Free clusters, counted at the first allocation.
    free: Cell<Option<u32>>,
    /// No cluster below this one is free.
    lowest: Cell<u32>,
}

/// A chain as far as it was followed.
pub(super) struct Chain {
    pub(super) clusters: Vec<u32>,
    /// False when more would have followed.
    pub(super) ended: bool,
}

impl Table {
    pub(super) fn new(disk: Arc<dyn BlockWrite>, geometry: Geometry, place: Place) -> Self {
        Self {
            disk,
            geometry,
            place,
            window: RefCell::new(None),
            free: Cell::new(None),
            lowest: Cell::new(2),
        }
    }

    fn index(&self, cluster: u32) -> (u64, usize) {
        let cluster = u64::from(cluster);
        match self.geometry.width {
            Width::Fat12 => (cluster + cluster / 2, 2),
            Width::Fat16 => (cluster * 2, 2),
            Width::Fat32 => (cluster * 4, 4),
        }
    }

    /// The raw bytes of an entry, little endian.
    fn raw(&self, cluster: u32) -> Result<u32, Error> {
        let (at, length) = self.index(cluster);
        let base = at / WINDOW * WINDOW;
        let mut window = self.window.borrow_mut();
        if window.as_ref().is_none_or(|(start, _)| *start != base) {
            // The whole table is inside the disk: the boot sector was checked.
            let size = WINDOW.min(self.geometry.table_size.saturating_sub(base));
            let mut bytes = vec![0; size as usize];
            self.disk.read_at(self.geometry.table + base, &mut bytes)?;
            *window = Some((base, bytes));
        }
        let held = window.as_ref().and_then(|(_, bytes)| {
            let start = (at - base) as usize;
            bytes.get(start..start + length)
        });
        let held =
            held.ok_or_else(|| self.place.error(format!("cluster {cluster} lies beyond the table")))?;
        Ok(held.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn get(&self, cluster: u32) -> Result<u32, Error> {
        let raw = self.raw(cluster)?;
        Ok(match self.geometry.width {
            Width::Fat12 if cluster % 2 == 1 => raw >> 4,
            Width::Fat12 => raw & 0xfff,
            Width::Fat16 => raw,
            Width::Fat32 => raw & 0x0fff_ffff,
        })
    }

    fn put(&self, cluster: u32, value: u32) -> Result<(), Error> {
        let old = self.raw(cluster)?;
        let raw = match self.geometry.width {
            Width::Fat12 if cluster % 2 == 1 => old & 0xf | value << 4,
            Width::Fat12 => old & 0xf000 | value & 0xfff,
            Width::Fat16 => value,
            // The upper four bits are not ours.
            Width::Fat32 => old & 0xf000_0000 | value & 0x0fff_ffff,
        };
        let (at, length) = self.index(cluster);
        let bytes = &raw.to_le_bytes()[..length];
        for table in &self.geometry.tables {
            self.disk.write_at(table + at, bytes)?;
        }
        if let Some((base, held)) = self.window.borrow_mut().as_mut() {
            let start = (at - *base) as usize;
            if let Some(held) = held.get_mut(start..start + length) {
                held.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    /// The mark that ends a chain.
    fn end_mark(&self) -> u32 {
        match self.geometry.width {
            Width::Fat12 => 0xfff,
            Width::Fat16 => 0xffff,
            Width::Fat32 => 0x0fff_ffff,
        }
    }

    /// The cluster after `cluster`; `None` at a chain's end.
    fn next(&self, cluster: u32) -> Result<Option<u32>, Error> {
        let value = self.get(cluster)?;
        if value >= self.end_mark() - 7 {
            return Ok(None);
        }
        if !(2..self.geometry.end).contains(&value) {
            return Err(self.place.error(format!(
                "damaged: cluster {cluster} leads to {value}, where 2 to {} are the clusters",
                self.geometry.end - 1
            )));
        }
        Ok(Some(value))
    }

    /// Up to `limit` clusters of the chain from `first` (0: no cluster at all).
    pub(super) fn chain(&self, first: u32, limit: u64) -> Result<Chain, Error> {
        let mut clusters = Vec::new();
        let mut next = (first != 0).then_some(first);
        while let Some(cluster) = next {
            if clusters.len() as u64 >= limit {
                return Ok(Chain { clusters, ended: false });
            }
            if !(2..self.geometry.end).contains(&cluster) {
                return Err(self.place.error(format!("damaged: a chain begins at cluster {cluster}")));
            }
            clusters.push(cluster);
            next = self.next(cluster)?;
        }
        Ok(Chain { clusters, ended: true })
    }

    /// Number of free clusters.
    pub(super) fn free(&self) -> Result<u32, Error> {
        if let Some(free) = self.free.get() {
            return Ok(free);
        }
        let mut free = 0;
        for cluster in 2..self.geometry.end {
            free += u32::from(self.get(cluster)? == 0);
        }
        self.free.set(Some(free));
        Ok(free)
    }

    /// Refuses when fewer than `count` clusters are free.
    pub(super) fn want(&self, count: u64) -> Result<(), Error> {
        let free = u64::from(self.free()?);
        if count <= free {
            return Ok(());
        }
        let size = self.geometry.cluster;
        Err(self.place.error(format!(
            "no room: {} bytes are needed and {} are free, {} are missing",
            count * size,
            free * size,
            (count - free) * size
        )))
    }

    /// Appends `count` clusters to the chain `clusters`; their content is whatever was there.
    pub(super) fn extend(&self, clusters: &mut Vec<u32>, count: u64) -> Result<(), Error> {
        self.want(count)?;
        for _ in 0..count {
            let mut candidate = self.lowest.get();
            while candidate < self.geometry.end && self.get(candidate)? != 0 {
                candidate += 1;
            }
            self.lowest.set(candidate);
            if candidate >= self.geometry.end {
                return Err(self.place.error("no room: every cluster is in use"));
            }
            self.put(candidate, self.end_mark())?;
            if let Some(last) = clusters.last() {
                self.put(*last, candidate)?;
            }
            clusters.push(candidate);
            self.free.set(self.free.get().map(|free| free.saturating_sub(1)));
        }
        Ok(())
    }

    /// Cuts a chain to its first `keep` clusters. The others are free, and zeros: nothing of what
    /// they held is left behind.
    pub(super) fn cut(&self, clusters: &mut Vec<u32>, keep: usize) -> Result<(), Error> {
        self.free()?;
        for cluster in clusters.drain(keep.min(clusters.len())..) {
            self.put(cluster, 0)?;
            self.zero(cluster)?;
            self.lowest.set(self.lowest.get().min(cluster));
            self.free.set(self.free.get().map(|free| free + 1));
        }
        if let Some(last) = clusters.last() {
            self.put(*last, self.end_mark())?;
        }
        Ok(())
    }

    /// Fills a cluster with zeros.
    pub(super) fn zero(&self, cluster: u32) -> Result<(), Error> {
        let zeros = vec![0; self.geometry.cluster as usize];
        Ok(self.disk.write_at(self.geometry.place(cluster), &zeros)?)
    }

    /// Brings the count of free clusters on the disk up to date, where FAT32 has one.
    pub(super) fn write_info(&self) -> Result<(), Error> {
        let (Some(free), Some(at)) = (self.free.get(), self.geometry.info) else { return Ok(()) };
        let mut sector = [0; 512];
        self.disk.read_at(at, &mut sector)?;
        if sector[..4] != *b"RRaA" || sector[484..488] != *b"rrAa" {
            return Ok(());
        }
        sector[488..492].copy_from_slice(&free.to_le_bytes());
        sector[492..496].copy_from_slice(&self.lowest.get().min(self.geometry.end - 1).to_le_bytes());
        Ok(self.disk.write_at(at, &sector)?)
    }

    /// True when all copies of the table are the same: each of them is somebody's.
    pub(super) fn copies_agree(&self) -> Result<bool, Error> {
        let Geometry { table, tables, table_size, .. } = &self.geometry;
        let mut at = 0;
        while at < *table_size {
            let length = WINDOW.min(table_size - at) as usize;
            let (mut one, mut other) = (vec![0; length], vec![0; length]);
            self.disk.read_at(table + at, &mut one)?;
            for copy in tables.iter().filter(|copy| *copy != table) {
                self.disk.read_at(copy + at, &mut other)?;
                if one != other {
                    return Ok(false);
                }
            }
            at += length as u64;
        }
        Ok(true)
    }

    /// The byte ranges of the disk that no file owns, ascending: holes of the output.
    pub(super) fn free_ranges(&self) -> Result<Vec<Range<u64>>, Error> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for cluster in 2..self.geometry.end {
            if self.get(cluster)? != 0 {
                continue;
            }
            let start = self.geometry.place(cluster);
            let end = start + self.geometry.cluster;
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        Ok(ranges)
    }
}
