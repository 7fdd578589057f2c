//! Compressed streams: gzip (RFC 1952), xz (`doc/xz-file-format.txt` of XZ Utils), zstd
//! (RFC 8878), bzip2 (`bzlib` manual), and the older lzma that packages know.
//!
//! All of them may be a sequence of whole streams (members, frames), and all may be followed by
//! zeros, with which tapes and sectors are filled. Anything else behind the last one is refused:
//! it is either damage or not meant to be a part of the disk.
//!
//! One thread unpacks. xz with several blocks could use more, but needs whole blocks in memory.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use super::input::carry;
use crate::Error;

/// Bytes of compressed input that are held.
const BUFFER: usize = 128 << 10;
/// What xz and zstd may remember: memory for xz (`xz -9` needs 65 MiB), and the window of zstd as a
/// power of two. In a nest of them the outermost may have more, so that they stay below 256 MiB
/// together.
const OUTER: Memory = Memory { mebibytes: 160, window_log: 27 };
const INNER: Memory = Memory { mebibytes: 20, window_log: 24 };
/// Times the limit that all streams of a source may unpack together: they are nested.
const TOGETHER: u64 = 8;

/// A way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Gzip,
    Xz,
    Zstd,
    Bzip2,
    /// LZMA without a container: it has no magic, so only the payload of a package is tried.
    Lzma,
}

impl Codec {
    /// The codec by the first bytes of a file.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            // A skippable frame is how files made by several threads begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    /// True when a further member may begin with `first`.
    fn begins_with(self, first: u8) -> bool {
        match self {
            Self::Gzip => first == 0x1f,
            Self::Xz => first == 0xfd,
            Self::Zstd => first == 0x28 || (0x50..=0x5f).contains(&first),
            Self::Bzip2 => first == b'B',
            Self::Lzma => false,
        }
    }

    /// The name of the program that unpacks it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
        }
    }
}

#[derive(Clone, Copy)]
struct Memory {
    mebibytes: u64,
    window_log: u32,
}

/// How much may be unpacked.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// Bytes that may come out of each stream.
    pub(super) limit: u64,
    /// The limit is what is free in the scratch directory, and not what the caller asked for.
    pub(super) is_space: bool,
    path: Arc<Path>,
    spent: Arc<AtomicU64>,
    /// Streams of xz and zstd that are open now.
    heavy: Arc<AtomicU64>,
}

impl Budget {
    pub(super) fn new(path: &Path, limit: u64, is_space: bool) -> Self {
        Self { limit, is_space, path: path.into(), spent: Arc::default(), heavy: Arc::default() }
    }

    /// Refuses what a stream claims to hold or has given, when it is more than the limit.
    pub(super) fn check(&self, format: &'static str, bytes: u64) -> Result<(), Error> {
        if bytes <= self.limit {
            return Ok(());
        }
        let limit = self.limit;
        if self.is_space {
            let what = format!(
                "the {format} holds more than the {limit} bytes that are free there, zeros included \
                 (--scratch names another directory, --unpack-limit allows more zeros)"
            );
            let full = io::Error::new(io::ErrorKind::StorageFull, what);
            return Err(Error::io(&self.path, "unpack it into the scratch directory", full));
        }
        let what = format!("it unpacks to more than {limit} bytes, the limit: raise it if that is right");
        Err(Error::Unsupported { path: self.path.to_path_buf(), format, what })
    }

    fn charge(&self, format: &'static str, bytes: u64, own: u64) -> Result<(), Error> {
        let spent = self.spent.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let all = if spent > self.limit.saturating_mul(TOGETHER) { u64::MAX } else { own };
        self.check(format, all)
    }
}

type Compressed<'a> = BufReader<Box<dyn Read + 'a>>;

/// One member, stream or frame.
enum Member<'a> {
    Gzip(GzDecoder<Compressed<'a>>),
    Xz(XzDecoder<Compressed<'a>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Compressed<'a>>>),
    Bzip2(bzip2::bufread::BzDecoder<Compressed<'a>>),
}

impl<'a> Member<'a> {
    fn start(codec: Codec, input: Compressed<'a>, memory: Memory) -> io::Result<Self> {
        let bytes = memory.mebibytes << 20;
        Ok(match codec {
            Codec::Gzip => Self::Gzip(GzDecoder::new(input)),
            Codec::Xz => Self::Xz(XzDecoder::new_stream(input, Stream::new_stream_decoder(bytes, 0)?)),
            Codec::Lzma => Self::Xz(XzDecoder::new_stream(input, Stream::new_lzma_decoder(bytes)?)),
            Codec::Zstd => {
                let mut member = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
                member.window_log_max(memory.window_log)?;
                Self::Zstd(Box::new(member))
            }
            Codec::Bzip2 => Self::Bzip2(bzip2::bufread::BzDecoder::new(input)),
        })
    }

    fn end(self) -> Compressed<'a> {
        match self {
            Self::Gzip(member) => member.into_inner(),
            Self::Xz(member) => member.into_inner(),
            Self::Zstd(member) => member.finish(),
            Self::Bzip2(member) => member.into_inner(),
        }
    }
}

impl Read for Member<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(member) => member.read(buf),
            Self::Xz(member) => member.read(buf),
            Self::Zstd(member) => member.read(buf),
            Self::Bzip2(member) => member.read(buf),
        }
    }
}

/// Unpacks a compressed stream, up to the budget. After an error there are only errors.
pub(super) struct Unpacked<'a> {
    codec: Codec,
    path: Arc<Path>,
    budget: Budget,
    /// None after the end, and after an error.
    member: Option<Member<'a>>,
    done: u64,
    /// Why there is no more.
    failed: Option<String>,
    memory: Memory,
}

impl<'a> Unpacked<'a> {
    pub(super) fn new(codec: Codec, input: Box<dyn Read + 'a>, budget: &Budget) -> Result<Self, Error> {
        let path = budget.path.clone();
        let input = BufReader::with_capacity(BUFFER, input);
        let memory = match is_heavy(codec) && budget.heavy.fetch_add(1, Ordering::Relaxed) > 0 {
            true => INNER,
            false => OUTER,
        };
        let member = Member::start(codec, input, memory)
            .map_err(|source| Error::io(&path, format!("start to unpack {}", codec.name()), source))?;
        Ok(Self { codec, path, budget: budget.clone(), member: Some(member), done: 0, failed: None, memory })
    }

    /// The decoder's error in our words, unless it is one of ours or of the system already.
    fn explain(&mut self, error: io::Error) -> io::Error {
        if error.raw_os_error().is_some() || error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            self.failed = Some("it could not be read to its end".to_owned());
            return error;
        }
        let is_memory = matches!(
            error.get_ref().and_then(|inner| inner.downcast_ref()),
            Some(liblzma::stream::Error::MemLimit)
        );
        if is_memory || error.to_string().contains("too much memory") {
            let mebibytes = match self.codec {
                Codec::Zstd => 1 << (self.memory.window_log - 20),
                _ => self.memory.mebibytes,
            };
            let what = format!(
                "more than {mebibytes} MiB of memory are needed to unpack it: compress it again with a \
                 smaller dictionary (xz) or window (zstd)"
            );
            self.failed = Some(what.clone());
            let (path, format) = (self.path.to_path_buf(), self.codec.name());
            return carry(Error::Unsupported { path, format, what });
        }
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the file ends in the middle of it: it is truncated".to_owned(),
            _ => error.to_string(),
        };
        let error = self.corrupt(&reason);
        self.failed = Some(reason);
        error
    }

    fn corrupt(&self, reason: &str) -> io::Error {
        let what = format!("after {} unpacked bytes: {reason}", self.done);
        carry(Error::Corrupt { path: self.path.to_path_buf(), format: self.codec.name(), what })
    }

    /// At the end of a member: starts the next one, or finds that there is none.
    fn next_member(&mut self) -> io::Result<()> {
        let Some(member) = self.member.take() else { return Ok(()) };
        let mut input = member.end();
        if self.codec == Codec::Lzma {
            return Ok(());
        }
        // The magic may be cut by the buffer's end, so one byte decides; zeros begin none.
        if input.fill_buf()?.first().is_some_and(|first| self.codec.begins_with(*first)) {
            self.member = Some(Member::start(self.codec, input, self.memory)?);
            return Ok(());
        }
        loop {
            let rest = input.fill_buf()?;
            if rest.is_empty() {
                return Ok(());
            }
            if rest.iter().any(|byte| *byte != 0) {
                let what = "something follows its end that does not belong to it";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            let length = rest.len();
            input.consume(length);
        }
    }

    fn step(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            match member.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => self.next_member()?,
                Ok(got) => {
                    self.done += got as u64;
                    self.budget.charge(self.codec.name(), got as u64, self.done).map_err(carry)?;
                    return Ok(got);
                }
            }
        }
        Ok(0)
    }
}

impl Drop for Unpacked<'_> {
    fn drop(&mut self) {
        if is_heavy(self.codec) {
            self.budget.heavy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// True for those that remember much.
fn is_heavy(codec: Codec) -> bool {
    matches!(codec, Codec::Xz | Codec::Zstd | Codec::Lzma)
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if let Some(reason) = &self.failed {
            self.budget.charge(self.codec.name(), 0, self.done).map_err(carry)?;
            return Err(self.corrupt(reason));
        }
        self.step(buf).map_err(|error| {
            self.member = None;
            self.explain(error)
        })
    }
}
