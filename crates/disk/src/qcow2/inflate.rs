//! Compressed clusters: raw deflate or zstd, decompressed into memory of one cluster's length.

use std::cell::RefCell;

use zstd::bulk::Decompressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::header::Compression;

/// The largest window that a zstd frame may ask memory for, as a power of two: 8 MiB, what the
/// zstd format recommends every decoder to support. QEMU's frames ask for one cluster at most.
pub(crate) const WINDOW_LOG_MAX: u32 = 23;

thread_local! {
    static DEFLATE: RefCell<libdeflater::Decompressor> = RefCell::new(libdeflater::Decompressor::new());
    static ZSTD: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static ZSTD_STREAM: RefCell<Option<Decoder<'static>>> = const { RefCell::new(None) };
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` on this thread's input buffer of `length` bytes, of which there is one so that
/// no allocation is made per cluster.
pub(super) fn with_input<T>(length: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    INPUT.with_borrow_mut(|buffer| {
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        work(&mut buffer[..length])
    })
}

/// Fills `cluster` from `input`, whose end may be followed by bytes of the next cluster: the
/// format knows the length in sectors only. The error is a reason in words.
pub(super) fn inflate(kind: Compression, input: &[u8], cluster: &mut [u8]) -> Result<(), String> {
    let filled = match kind {
        Compression::Zlib => DEFLATE
            .with_borrow_mut(|deflate| deflate.deflate_decompress(input, cluster))
            .map_err(|error| format!("deflate: {error}"))?,
        Compression::Zstd => match zstd_frame(input, cluster) {
            Some(filled) => filled,
            None => zstd_stream(input, cluster).map_err(|error| format!("zstd: {error}"))?,
        },
    };
    if filled != cluster.len() {
        return Err(format!("it holds {filled} bytes instead of {}", cluster.len()));
    }
    Ok(())
}

/// One frame that holds the cluster, as everybody writes it: decompressed into place, without
/// memory for a window. None when the input is something else.
fn zstd_frame(input: &[u8], cluster: &mut [u8]) -> Option<usize> {
    let length = zstd::zstd_safe::find_frame_compressed_size(input).ok()?;
    let frame = input.get(..length)?;
    ZSTD.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(Decompressor::new().ok()?),
        };
        let filled = decompressor.decompress_to_buffer(frame, cluster).ok()?;
        (filled == cluster.len()).then_some(filled)
    })
}

/// Any frames that hold the cluster one after another, as QEMU reads them.
fn zstd_stream(input: &[u8], cluster: &mut [u8]) -> std::io::Result<usize> {
    ZSTD_STREAM.with_borrow_mut(|slot| {
        let decoder = match slot {
            Some(decoder) => {
                decoder.reinit()?;
                decoder
            }
            None => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
                slot.insert(decoder)
            }
        };
        let mut input = InBuffer::around(input);
        let mut output = OutBuffer::around(cluster);
        let mut rest = 1;
        while output.pos() < output.capacity() {
            let before = (input.pos(), output.pos());
            rest = decoder.run(&mut input, &mut output)?;
            if before == (input.pos(), output.pos()) {
                break;
            }
        }
        // A frame that goes on is longer than the cluster.
        let filled = output.pos();
        Ok(if rest == 0 { filled } else { filled + 1 })
    })
}
