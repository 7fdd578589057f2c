//! Pieces of the tar stream as gzip, made by many threads.
//!
//! - Members (the default): each piece of 1 MiB is a gzip member of its own, made by libdeflate. Readers
//!   know files of several members (RFC 1952, section 2.2; measured with euca-unbundle-stream).
//! - Single: one member, whose pieces end in a sync flush, as pigz makes it; for readers that take the
//!   first member for the whole, which old Java ones may.

use flate2::{Compress, Compression, FlushCompress, Status};
use libdeflater::{CompressionLvl, Compressor};

use super::Gzip;
use crate::Error;

/// Header of a member without a name and a time, made on an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block, empty: what a stream of flushed pieces ends with.
const END: [u8; 2] = [3, 0];

/// A thread's own packer.
pub(super) enum Packer {
    Members(Compressor),
    Single(Compress),
}

/// A packed piece.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// Of the piece, where one checksum is over all of them.
    crc: crc32fast::Hasher,
}

impl Packer {
    pub(super) fn new(gzip: Gzip, level: u8) -> Result<Self, Error> {
        let most = match gzip {
            Gzip::Members => 12,
            Gzip::Single => 9,
        };
        if !(1..=most).contains(&level) {
            return Err(Error::Usage(format!("the level is 1 to {most}, and {level} is none")));
        }
        Ok(match gzip {
            Gzip::Members => {
                let level = CompressionLvl::new(level.into())
                    .map_err(|_| Error::Usage(format!("level {level} is not known")))?;
                Self::Members(Compressor::new(level))
            }
            Gzip::Single => Self::Single(Compress::new(Compression::new(level.into()), false)),
        })
    }

    /// Packs `piece` into `packed`, in place of what was there.
    pub(super) fn pack(&mut self, piece: &[u8], packed: &mut Packed) -> Result<(), Error> {
        let failed = || Error::Usage("the compressor failed; this is a mistake of the program".to_owned());
        match self {
            Self::Members(compressor) => {
                packed.bytes.resize(compressor.gzip_compress_bound(piece.len()), 0);
                let length = compressor.gzip_compress(piece, &mut packed.bytes).map_err(|_| failed())?;
                packed.bytes.truncate(length);
            }
            Self::Single(compressor) => {
                packed.crc = crc32fast::Hasher::new();
                packed.crc.update(piece);
                compressor.reset();
                packed.bytes.clear();
                // Stored blocks need five bytes for each 16 KiB at most; the flush takes less than 16.
                packed.bytes.reserve(piece.len() + piece.len() / 1024 + 64);
                let status = compressor
                    .compress_vec(piece, &mut packed.bytes, FlushCompress::Sync)
                    .map_err(|_| failed())?;
                if status != Status::Ok || compressor.total_in() != piece.len() as u64 {
                    return Err(failed());
                }
            }
        }
        Ok(())
    }
}

/// What stands around the pieces of a single member.
pub(super) struct Frame {
    gzip: Gzip,
    crc: crc32fast::Hasher,
    /// Bytes of the stream, modulo 2^32.
    length: u32,
}

impl Frame {
    pub(super) fn new(gzip: Gzip) -> Self {
        Self { gzip, crc: crc32fast::Hasher::new(), length: 0 }
    }

    /// What comes before the first piece.
    pub(super) fn head(&self) -> &'static [u8] {
        match self.gzip {
            Gzip::Members => &[],
            Gzip::Single => &HEADER,
        }
    }

    /// Counts the next piece, which had `length` bytes.
    pub(super) fn add(&mut self, packed: &Packed, length: usize) {
        if self.gzip == Gzip::Single {
            self.crc.combine(&packed.crc);
            self.length = self.length.wrapping_add(length as u32);
        }
    }

    /// What comes after the last piece.
    pub(super) fn tail(self) -> Vec<u8> {
        match self.gzip {
            Gzip::Members => Vec::new(),
            Gzip::Single => {
                [&END[..], &self.crc.finalize().to_le_bytes(), &self.length.to_le_bytes()].concat()
            }
        }
    }
}
