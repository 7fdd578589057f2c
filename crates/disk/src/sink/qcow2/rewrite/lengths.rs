//! The true length of compressed clusters.
//!
//! An L2 entry gives the number of 512-byte sectors only (QEMU's `docs/interop/qcow2.rst`,
//! "Compressed Clusters Descriptor"). The data end somewhere in the last of them, and QEMU
//! (`qcow2_alloc_bytes`) puts the next cluster's behind that end without a gap. So where another
//! cluster begins in the last sector, the data end there. Everywhere else they are decompressed,
//! because what follows may be what somebody wanted to be rid of.

use std::ops::Range;
use std::os::unix::fs::FileExt;

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::plan::Kept;
use crate::qcow2::{Compression as Method, Stored, WINDOW_LOG_MAX};
use crate::ranges::touching;
use crate::sink::qcow2::fresh;
use crate::{BlockSource, Error, Qcow2Source};

const SECTOR: u64 = 512;

/// Where compressed clusters begin that could hide behind a kept one of the same window: those
/// that are not kept, and those that end in the sector in which they begin.
pub(super) struct Starts(Vec<u64>);

impl Starts {
    pub(super) fn of(source: &Qcow2Source, changed: &[Range<u64>]) -> Result<Self, Error> {
        let cluster = source.cluster_size();
        let mut starts = Vec::new();
        let mut at = 0;
        while at < source.len() {
            let span = at..at.saturating_add(fresh::span(cluster)).min(source.len());
            at = span.end;
            for index in fresh::clusters(source.data_ranges(span)?, cluster).into_iter().flatten() {
                if let Stored::Compressed { offset, length } = source.cluster_at(index)?
                    && (offset % SECTOR + length <= SECTOR
                        || !touching(changed, &(index * cluster..(index + 1) * cluster)).is_empty())
                {
                    starts.push(offset);
                }
            }
        }
        starts.sort_unstable();
        Ok(Self(starts))
    }

    /// Sets the lengths of those compressed clusters of which the length is sure. `kept` ascends
    /// in the file. Answers which others there are, and with `scrub` all of them with the length
    /// that they should have.
    pub(super) fn prove(&self, kept: &mut [Kept], scrub: bool) -> Vec<(usize, Option<u64>)> {
        let mut unknown = Vec::new();
        // The first cluster of those that begin behind the current one.
        let (mut next, mut last) = (u64::MAX, u64::MAX);
        for (number, kept) in kept.iter_mut().enumerate().rev() {
            if kept.offset != last {
                next = last;
                last = kept.offset;
            }
            if kept.plain {
                continue;
            }
            let hidden = self.0.get(self.0.partition_point(|start| *start <= kept.offset));
            let end = next.min(hidden.copied().unwrap_or(u64::MAX));
            let most = kept.offset + kept.length;
            let last_sector = (most - 1) / SECTOR * SECTOR;
            // A cluster that begins where the last sector ends proves nothing: it may be the first of
            // a host cluster, behind room that was too small for anything.
            let likely = (end > last_sector && end < most).then(|| end - kept.offset);
            match likely {
                Some(length) if !scrub => kept.length = length,
                _ => unknown.push((number, likely)),
            }
        }
        unknown.reverse();
        unknown
    }
}

enum Engine {
    /// Not libdeflate, which does not say how many bytes it took.
    Deflate(Box<Decompress>),
    Zstd(Option<Decoder<'static>>),
}

/// Decompresses clusters to see where they end.
pub(super) struct Measure {
    engine: Engine,
    quick: Decompressor,
    cluster: u64,
    out: Vec<u8>,
}

impl Measure {
    pub(super) fn new(method: Method, cluster: u64) -> Self {
        let engine = match method {
            Method::Zlib => Engine::Deflate(Box::new(Decompress::new(false))),
            Method::Zstd => Engine::Zstd(None),
        };
        Self { engine, quick: Decompressor::new(), cluster, out: Vec::new() }
    }

    /// The true length of a compressed cluster behind which another one begins after `likely` bytes.
    ///
    /// Clusters do not overlap, so it is not longer. If it cannot be decompressed without its last
    /// byte, it is not shorter: that libdeflate can say, and much faster.
    pub(super) fn likely(
        &mut self,
        source: &Qcow2Source,
        kept: &Kept,
        likely: Option<u64>,
        stored: &mut Vec<u8>,
    ) -> Result<u64, Error> {
        if let (Engine::Deflate(_), Some(likely)) = (&self.engine, likely) {
            read(source, kept.offset, likely - 1, stored)?;
            self.out.resize(self.cluster as usize + 1, 0);
            // Any error: without its end the data may also seem to go on.
            if self.quick.deflate_decompress(stored, &mut self.out).is_err() {
                return Ok(likely);
            }
        }
        self.stored(source, kept.index, kept.offset, kept.length, stored)
    }

    /// The true length of the compressed cluster `index` of `source`, of which `stored` gets all
    /// `length` bytes that it may have.
    pub(super) fn stored(
        &mut self,
        source: &Qcow2Source,
        index: u64,
        offset: u64,
        length: u64,
        stored: &mut Vec<u8>,
    ) -> Result<u64, Error> {
        read(source, offset, length, stored)?;
        self.length(stored).map_err(|reason| Error::Corrupt {
            path: source.path().to_owned(),
            format: "qcow2",
            what: format!("compressed cluster {index} at {offset:#x}: {reason}"),
        })
    }

    /// How many bytes of `input` one cluster takes, or why it is none.
    fn length(&mut self, input: &[u8]) -> Result<u64, String> {
        // One byte more, so that data that go on are found out.
        self.out.resize(self.cluster as usize + 1, 0);
        let (taken, filled) = match &mut self.engine {
            Engine::Deflate(deflate) => {
                deflate.reset(false);
                let status = deflate.decompress(input, &mut self.out, FlushDecompress::Finish);
                match status.map_err(|error| format!("deflate: {error}"))? {
                    Status::StreamEnd => (deflate.total_in(), deflate.total_out()),
                    Status::Ok | Status::BufError => return Err("deflate: the data do not end".to_owned()),
                }
            }
            Engine::Zstd(slot) => {
                frames(slot, input, &mut self.out, self.cluster).map_err(|error| format!("zstd: {error}"))?
            }
        };
        if filled != self.cluster {
            return Err(format!("it holds {filled} bytes instead of {}", self.cluster));
        }
        Ok(taken)
    }
}

/// Fills `stored` with `length` bytes of the file.
fn read(source: &Qcow2Source, offset: u64, length: u64, stored: &mut Vec<u8>) -> Result<(), Error> {
    stored.resize(length as usize, 0);
    source
        .file()
        .read_exact_at(stored, offset)
        .map_err(|error| Error::io(source.path(), format!("read {length} bytes at {offset:#x}"), error))
}

/// Decompresses frames until `cluster` bytes are there and the last frame ends.
fn frames(
    slot: &mut Option<Decoder<'static>>,
    input: &[u8],
    out: &mut [u8],
    cluster: u64,
) -> std::io::Result<(u64, u64)> {
    let decoder = match slot {
        Some(decoder) => decoder,
        None => {
            let mut decoder = Decoder::new()?;
            decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
            slot.insert(decoder)
        }
    };
    decoder.reinit()?;
    let (mut input, mut out) = (InBuffer::around(input), OutBuffer::around(out));
    loop {
        let before = (input.pos(), out.pos());
        let rest = decoder.run(&mut input, &mut out)?;
        let complete = rest == 0 && out.pos() as u64 >= cluster;
        if complete || before == (input.pos(), out.pos()) {
            // A frame that goes on counts as one byte too much.
            return Ok((input.pos() as u64, out.pos() as u64 + u64::from(rest != 0)));
        }
    }
}
