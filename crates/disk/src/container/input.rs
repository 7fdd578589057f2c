//! Bytes to look into: a part of a file, or a stream that comes once.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::tar::Expanded;
use crate::error::check_range;
use crate::{BlockSource, Error};

/// Called with (bytes done, all bytes).
pub(super) type Report<'a> = Option<&'a (dyn Fn(u64, u64) + Sync)>;

/// Bytes that are read at once.
const CHUNK: usize = 128 << 10;

/// A part of a file that can be read at any offset.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) file: Arc<File>,
    /// The source that the user named, for messages.
    pub(super) path: Arc<Path>,
    pub(super) range: Range<u64>,
}

impl Region {
    pub(super) fn whole(file: File, path: &Path, length: u64) -> Self {
        Self { file: Arc::new(file), path: path.into(), range: 0..length }
    }

    /// The part from `offset` on, at most `length` bytes long.
    pub(super) fn part(&self, offset: u64, length: u64) -> Self {
        let start = self.range.start.saturating_add(offset).min(self.range.end);
        let end = start.saturating_add(length).min(self.range.end);
        Self { range: start..end, ..self.clone() }
    }

    /// Up to `length` bytes from `offset` on, fewer at the end.
    pub(super) fn read_some(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let length = length.min(self.len().saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(CHUNK)];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }
}

impl BlockSource for Region {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.len())?;
        let (at, length) = (self.range.start + offset, buf.len());
        self.file
            .read_exact_at(buf, at)
            .map_err(|source| Error::io(&self.path, format!("read {length} bytes at {at:#x}"), source))
    }
}

/// Reads a region from its start to its end.
pub(super) struct RegionReader<'a> {
    region: Region,
    at: u64,
    report: Report<'a>,
}

impl Read for RegionReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.region.range.end - self.at;
        let length = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(0);
        }
        let got = self.region.file.read_at(&mut buf[..length], self.at)?;
        if got == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"));
        }
        self.at += got as u64;
        if let Some(report) = self.report {
            report(self.at, self.region.range.end);
        }
        Ok(got)
    }
}

/// Where bytes come from.
pub(super) enum Input<'a> {
    /// A file, which can be read at any offset.
    File(Region, Report<'a>),
    /// A stream.
    Stream(Box<dyn Read + 'a>),
    /// A stream that knows its holes.
    Sparse(Expanded<'a>),
}

impl<'a> Input<'a> {
    /// The first `length` bytes, or all, and the input as if nothing had been read.
    pub(super) fn peek(self, length: u64) -> io::Result<(Vec<u8>, Self)> {
        match self {
            Self::File(region, report) => {
                let head = region.read_some(0, length).map_err(carry)?;
                Ok((head, Self::File(region, report)))
            }
            Self::Stream(mut stream) => {
                let mut head = Vec::new();
                (&mut stream).take(length).read_to_end(&mut head)?;
                let again = Cursor::new(head.clone()).chain(stream);
                Ok((head, Self::Stream(Box::new(again))))
            }
            Self::Sparse(mut stream) => Ok((stream.peek(length)?, Self::Sparse(stream))),
        }
    }

    /// The bytes from first to last.
    pub(super) fn into_reader(self) -> Box<dyn Read + 'a> {
        match self {
            Self::File(region, report) => {
                let at = region.range.start;
                Box::new(RegionReader { region, at, report })
            }
            Self::Stream(stream) => stream,
            Self::Sparse(stream) => Box::new(stream),
        }
    }
}

/// A place in an archive that moves forward only.
pub(super) enum Walk<'a> {
    File { region: Region, at: u64, report: Report<'a> },
    Stream { stream: Box<dyn Read + 'a>, at: u64 },
}

impl<'a> Walk<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        match input {
            Input::File(region, report) => Self::File { region, at: 0, report },
            Input::Stream(stream) => Self::Stream { stream, at: 0 },
            Input::Sparse(stream) => Self::Stream { stream: Box::new(stream), at: 0 },
        }
    }

    /// The offset of the next byte in the archive.
    pub(super) fn at(&self) -> u64 {
        match self {
            Self::File { at, .. } | Self::Stream { at, .. } => *at,
        }
    }

    /// Fills `buf` as far as there are bytes, and tells how far.
    pub(super) fn fill(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File { region, at, .. } => {
                let length = usize::try_from(region.len().saturating_sub(*at)).unwrap_or(usize::MAX);
                let length = length.min(buf.len());
                region.read_at(*at, &mut buf[..length]).map_err(carry)?;
                *at += length as u64;
                Ok(length)
            }
            Self::Stream { .. } => {
                let mut done = 0;
                while done < buf.len() {
                    match self.read(&mut buf[done..])? {
                        0 => break,
                        got => done += got,
                    }
                }
                Ok(done)
            }
        }
    }

    /// Moves on to the offset `to`; false when the archive ends before it.
    pub(super) fn advance(&mut self, to: u64) -> io::Result<bool> {
        match self {
            Self::File { region, at, .. } => {
                *at = to;
                Ok(to <= region.len())
            }
            Self::Stream { .. } => {
                let mut waste = vec![0; CHUNK];
                while self.at() < to {
                    let length = usize::try_from(to - self.at()).unwrap_or(CHUNK).min(CHUNK);
                    if self.read(&mut waste[..length])? == 0 {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// The next `length` bytes. What is left of them is passed with [`advance`](Self::advance).
    pub(super) fn content(&mut self, length: u64) -> Input<'_> {
        match self {
            Self::File { region, at, report } => Input::File(region.part(*at, length), *report),
            Self::Stream { .. } => Input::Stream(Box::new(self.take(length))),
        }
    }

    /// Reads a stream to its end, where its checksum is.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        if let Self::Stream { stream, .. } = self {
            io::copy(stream, &mut io::sink())?;
        }
        Ok(())
    }

    /// All that is left.
    pub(super) fn rest(self) -> Input<'a> {
        match self {
            Self::File { region, at, report } => Input::File(region.part(at, u64::MAX), report),
            Self::Stream { stream, .. } => Input::Stream(stream),
        }
    }
}

/// Reads from the stream; nothing of a file, which has no need of it.
impl Read for Walk<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File { .. } => Ok(0),
            Self::Stream { stream, at } => loop {
                match stream.read(buf) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                    Ok(got) => {
                        *at += got as u64;
                        return Ok(got);
                    }
                }
            },
        }
    }
}

/// An error of ours on its way through [`Read`].
pub(super) fn carry(error: Error) -> io::Error {
    io::Error::other(error)
}

/// The error of ours that came through [`Read`], or one of the system about `path`.
pub(super) fn uncarry(path: &Path, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io(path, "read the image", error),
    }
}
