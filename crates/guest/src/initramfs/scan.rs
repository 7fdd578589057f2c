//! Walks through all archives of an initrd, as `unpack_to_rootfs` of `init/initramfs.c` does.

use std::io::{self, Read};

use super::InitramfsError;
use super::compression::Compression;
use super::cpio::{Members, Next};
use super::view::{Member, View};

/// What is read at most. The defaults are far above real initramfs: the largest ones (all
/// firmware, no compression) have about 700 MiB and 10 000 members.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes, unpacked, of all archives together.
    pub unpacked: u64,
    /// Members of all archives together.
    pub members: usize,
    /// Bytes of all names and targets of links together.
    pub names: usize,
    /// Archives.
    pub segments: usize,
    /// Size up to which a file's content is looked into (every file is hashed).
    pub content: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked: 2 << 30, members: 100_000, names: 32 << 20, segments: 64, content: 64 << 20 }
    }
}

/// One archive of an initrd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it starts in the initrd.
    pub offset: u64,
    /// How it is packed.
    pub compression: Compression,
    /// How many members it has.
    pub members: usize,
}

/// Reads an initrd (several files of one boot entry: concatenated, each filled up to four bytes,
/// as boot loaders do). `keep` names the files whose content is wanted, by path without a leading
/// slash.
///
/// # Errors
/// The offset of the archive at fault, and what is wrong with it.
pub fn scan(initrd: &[u8], limits: Limits, keep: &dyn Fn(&str) -> bool) -> Result<View, InitramfsError> {
    let mut view = View::default();
    let mut rest = initrd;
    let mut budget = limits.unpacked;
    let mut members = 0;
    let mut names = limits.names;
    loop {
        while let Some((0, after)) = rest.split_first() {
            rest = after;
        }
        let offset = (initrd.len() - rest.len()) as u64;
        if rest.is_empty() {
            break;
        }
        if view.segments().len() >= limits.segments {
            return Err(InitramfsError::new(offset, format!("more than {} archives", limits.segments)));
        }
        let Some(compression) = Compression::detect(rest) else {
            let found: Vec<String> = rest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            return Err(InitramfsError::new(
                offset,
                format!("neither a cpio archive nor a known compression: {}", found.join(" ")),
            ));
        };
        if compression == Compression::None && !offset.is_multiple_of(4) {
            return Err(InitramfsError::new(
                offset,
                "a plain archive does not start at a multiple of four bytes",
            ));
        }
        let count =
            segment(&mut rest, compression, &mut view, (&mut budget, &mut names), limits, members, keep)
                .map_err(|error| {
                    InitramfsError::new(offset, format!("{} archive: {error}", compression.name()))
                })?;
        members += count;
        view.add_segment(Segment { offset, compression, members: count });
    }
    if view.segments().is_empty() {
        return Err(InitramfsError::new(0, "empty: no archive in it"));
    }
    Ok(view)
}

/// Reads one segment: of a plain archive up to its trailer, of a compressed stream all of it.
fn segment(
    rest: &mut &[u8],
    compression: Compression,
    view: &mut View,
    (budget, names): (&mut u64, &mut usize),
    limits: Limits,
    before: usize,
    keep: &dyn Fn(&str) -> bool,
) -> io::Result<usize> {
    let plain = compression == Compression::None;
    let mut stream = Budget { inner: compression.reader(rest)?, left: budget };
    let mut members = Members::new(&mut stream);
    let mut count = 0;
    loop {
        match members.next()? {
            Next::End if plain => return Err(io::ErrorKind::UnexpectedEof.into()),
            Next::End => return Ok(count),
            Next::Trailer => {
                view.end_archive();
                if plain {
                    return Ok(count);
                }
            }
            Next::Member(header, name) => {
                count += 1;
                if before + count > limits.members {
                    return Err(io::Error::other(format!("more than {} members", limits.members)));
                }
                let target = if header.is_symlink() { content_len(header.size) } else { 0 };
                *names = names
                    .checked_sub(name.len().saturating_add(target))
                    .ok_or_else(|| io::Error::other(format!("more than {} bytes of names", limits.names)))?;
                // Names that are not UTF-8 are none that anybody looks for.
                let path = String::from_utf8_lossy(&name).into_owned();
                let mut hasher = super::view::Digest::default();
                let content = members.data(header.size, limits.content, &mut |bytes| hasher.update(bytes))?;
                view.insert(&path, Member { header, content, digest: hasher.finish() }, keep);
            }
        }
    }
}

fn content_len(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Counts unpacked bytes down and fails at zero: a small file can unpack to a very large one.
struct Budget<'a> {
    inner: Box<dyn Read + 'a>,
    left: &'a mut u64,
}

impl Read for Budget<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if *self.left == 0 {
            return Err(io::Error::other("unpacks to more than is read"));
        }
        let room = usize::try_from((*self.left).min(buf.len() as u64)).unwrap_or(buf.len());
        let count = self.inner.read(&mut buf[..room])?;
        *self.left -= count as u64;
        Ok(count)
    }
}
