//! Compressed archives: which method (by magic, as the kernel tells them), and unpacking one
//! stream without reading a byte behind it.
//!
//! Facts: `lib/decompress.c` (magics), `lib/decompress_unlz4.c` (the legacy frame: magic, then
//! chunks of a 32-bit length and one LZ4 block of at most 8 MiB unpacked).

use std::io::{self, BufRead, Cursor, Read};

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// The older LZMA format ("lzma alone").
    Lzma,
    /// LZ4 in its legacy frame.
    Lz4,
    /// Zstandard.
    Zstd,
    /// bzip2; recognised, not read.
    Bzip2,
    /// LZO; recognised, not read.
    Lzo,
}

/// One unpacked LZ4 chunk; the kernel refuses larger ones.
const LZ4_CHUNK: usize = 8 << 20;
const LZ4_MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

impl Compression {
    /// The method that `bytes` start with; `None` when they start like nothing known. A plain
    /// archive starts with the digit zero, as the kernel looks for it.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let magics: [(&[u8], Self); 9] = [
            (b"0", Self::None),
            (&[0x1f, 0x8b], Self::Gzip),
            (&[0x1f, 0x9e], Self::Gzip),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Self::Xz),
            (&[0x5d, 0, 0], Self::Lzma),
            (&LZ4_MAGIC, Self::Lz4),
            (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd),
            (b"BZh", Self::Bzip2),
            (&[0x89, b'L', b'Z', b'O'], Self::Lzo),
        ];
        magics.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, method)| *method)
    }

    /// The name that mkinitramfs has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Lzo => "lzop",
        }
    }

    /// Unpacks the one stream that `input` starts with; what lies behind it stays in `input`.
    /// (LZ4 has no end mark: it goes on to the end, or to a zero word, as the kernel does.)
    ///
    /// # Errors
    /// A damaged header, or a method that is not read here.
    pub fn reader<'a>(self, input: &'a mut &'_ [u8]) -> io::Result<Box<dyn Read + 'a>> {
        // Memory that one stream may ask for: zstd --ultra --long=27 is the most that the
        // kernel unpacks (`ZSTD_WINDOWSIZE_MAX`), xz -9 needs 65 MiB.
        const XZ_MEMORY: u64 = 256 << 20;
        const ZSTD_WINDOW_LOG: u32 = 27;
        Ok(match self {
            Self::None => Box::new(input),
            Self::Gzip => Box::new(flate2::bufread::GzDecoder::new(input)),
            Self::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(io::Error::other)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            Self::Lzma => {
                let stream =
                    liblzma::stream::Stream::new_lzma_decoder(XZ_MEMORY).map_err(io::Error::other)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Lz4 => Box::new(Lz4Legacy { input, chunk: Cursor::new(Vec::new()), ended: false }),
            Self::Bzip2 | Self::Lzo => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("compressed with {}, which is not read", self.name()),
                ));
            }
        })
    }
}

/// Kernel modules: a file with one of these suffixes.
pub(crate) struct Module;

impl Module {
    /// A module grows to at most this; the largest of Debian's (amdgpu) has 30 MiB.
    pub(crate) const LIMIT: u64 = 128 << 20;
}

/// Unpacks a whole file (a kernel module) by its magic; a file of no known method is returned as
/// it is.
pub(crate) fn expand(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let Some(method) = Compression::detect(bytes).filter(|method| *method != Compression::None) else {
        return Ok(bytes.to_vec());
    };
    let mut rest = bytes;
    let mut unpacked = Vec::new();
    method.reader(&mut rest)?.take(limit.saturating_add(1)).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > limit {
        return Err(io::Error::other(format!("unpacks to more than {limit} bytes")));
    }
    Ok(unpacked)
}

struct Lz4Legacy<'a, 'b> {
    input: &'a mut &'b [u8],
    chunk: Cursor<Vec<u8>>,
    ended: bool,
}

impl Lz4Legacy<'_, '_> {
    fn next_chunk(&mut self) -> io::Result<bool> {
        loop {
            let Some(word) = self.input.first_chunk::<4>().copied() else {
                // Fewer than four bytes can only be padding.
                *self.input = &[];
                return Ok(false);
            };
            if word == [0; 4] {
                return Ok(false);
            }
            self.input.consume(4);
            if word == LZ4_MAGIC {
                continue;
            }
            let length = usize::try_from(u32::from_le_bytes(word)).unwrap_or(usize::MAX);
            let Some(block) = self.input.get(..length) else {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("an LZ4 chunk claims {length} bytes; {} are left", self.input.len()),
                ));
            };
            // A block cannot grow more than 255-fold.
            let room = LZ4_CHUNK.min(length.saturating_mul(255).saturating_add(64));
            let unpacked = lz4_flex::block::decompress(block, room).map_err(io::Error::other)?;
            self.input.consume(length);
            self.chunk = Cursor::new(unpacked);
            return Ok(true);
        }
    }
}

impl Read for Lz4Legacy<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.chunk.read(buf)?;
            if count > 0 || buf.is_empty() || self.ended {
                return Ok(count);
            }
            self.ended = !self.next_chunk()?;
        }
    }
}

/// `bytes` as one legacy LZ4 frame.
pub(crate) fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut out = LZ4_MAGIC.to_vec();
    for chunk in bytes.chunks(LZ4_CHUNK) {
        let block = lz4_flex::block::compress(chunk);
        // A chunk of 8 MiB grows by less than one per cent.
        out.extend_from_slice(&u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&block);
    }
    out
}
