//! tar archives: v7, ustar, GNU and pax, with sparse members of GNU tar in all their forms.
//!
//! The formats: POSIX `pax`, "ustar Interchange Format" and "pax Interchange Format"; GNU tar's
//! manual, "Basic Tar Format" and "Storing Sparse Files". Why not the crate `tar`: it keeps pax
//! headers of any length in memory, and knows only the oldest sparse form.

mod header;
mod sparse;

use std::path::Path;

use super::choice::{Archive, Entry};
use super::input::{Input, Walk, uncarry};
use crate::Error;

use self::header::{BLOCK, Header, Pax};
use self::sparse::Map;

pub(crate) use self::header::is_tar_header;
pub(super) use self::sparse::Expanded;

/// Bytes of a pax header that are read: most are less than a block, but the older pax forms have
/// their sparse map in it.
const LONGEST_EXTENSION: u64 = 4 << 20;

/// A tar archive, read from its first member to its last.
pub(super) struct Tar<'a> {
    walk: Walk<'a>,
    path: &'a Path,
    /// Where the next header is.
    next: u64,
    map: Option<Map>,
    size: u64,
    ended: bool,
}

impl<'a> Tar<'a> {
    pub(super) fn new(input: Input<'a>, path: &'a Path) -> Self {
        Self { walk: Walk::new(input), path, next: 0, map: None, size: 0, ended: false }
    }

    fn corrupt(&self, what: impl Into<String>) -> Error {
        Error::Corrupt { path: self.path.to_owned(), format: "tar", what: what.into() }
    }

    /// Reads a block; none at the archive's end.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        let mut block = [0; BLOCK];
        match self.walk.fill(&mut block).map_err(|error| uncarry(self.path, error))? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            got => Err(self.corrupt(format!("it ends with a block of {got} bytes: it is truncated"))),
        }
    }

    fn more(&mut self, what: &str) -> Result<[u8; BLOCK], Error> {
        let at = self.walk.at();
        self.block()?.ok_or_else(|| self.corrupt(format!("it ends at {at:#x}, in {what}: it is truncated")))
    }

    fn advance(&mut self) -> Result<(), Error> {
        let to = self.next;
        match self.walk.advance(to).map_err(|error| uncarry(self.path, error))? {
            true => Ok(()),
            false => Err(self.corrupt(format!("it ends before {to:#x}, in a member: it is truncated"))),
        }
    }

    /// The content of the extension header that was just read.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > LONGEST_EXTENSION {
            let at = self.walk.at();
            return Err(self.corrupt(format!(
                "the extension header at {at:#x} has {size} bytes, more than {LONGEST_EXTENSION}"
            )));
        }
        let mut content = Vec::new();
        while (content.len() as u64) < size {
            content.extend(self.more("an extension header")?);
        }
        content.truncate(size as usize);
        Ok(content)
    }

    /// Reads headers up to the next regular file's, whose content follows.
    fn find(&mut self) -> Result<Option<Entry>, Error> {
        let mut name = None;
        let mut pax = Pax::default();
        loop {
            self.advance()?;
            let at = self.walk.at();
            // Two blocks of zeros end an archive; some writers leave them out, or write one.
            let Some(block) = self.block()? else { return Ok(None) };
            if block == [0; BLOCK] {
                return Ok(None);
            }
            let header =
                Header::parse(&block).map_err(|what| self.corrupt(format!("header at {at:#x}: {what}")))?;
            let damaged = |this: &Self, what: String| this.corrupt(format!("header at {at:#x}: {what}"));
            match header.kind {
                b'L' if header.size > header::LONGEST_NAME as u64 + 1 => {
                    return Err(damaged(self, format!("the name that follows has {} bytes", header.size)));
                }
                b'L' => name = Some(header::text(&self.extension(header.size)?)),
                b'x' | b'X' => {
                    let content = self.extension(header.size)?;
                    pax.read(&content).map_err(|what| damaged(self, what))?;
                }
                b'K' | b'g' => self.next = self.end_of(header.size, at)?,
                b'M' => return Err(damaged(self, "it is a part of a multi-volume archive".to_owned())),
                b'0' | b'7' | 0 | b'S' if !header.is_directory() => {
                    let stored = pax.size.unwrap_or(header.size);
                    let mut map = match header.kind {
                        b'S' => Some(self.old_map(&block)?),
                        _ => pax.map(stored).map_err(|what| damaged(self, what))?,
                    };
                    let start = self.walk.at();
                    self.next = self.end_of(stored, at)?;
                    if pax.has_map_in_content() {
                        map = Some(self.content_map(&pax, stored)?);
                    }
                    let left = stored.checked_sub(self.walk.at() - start);
                    let Some(left) = left else {
                        return Err(damaged(self, "its sparse map is longer than its content".to_owned()));
                    };
                    if let Some(map) = &map
                        && let Err(what) = map.check(left)
                    {
                        return Err(damaged(self, what));
                    }
                    let size = map.as_ref().map_or(left, |map| map.size);
                    (self.map, self.size) = (map, left);
                    let name = pax.name.take().or(name).unwrap_or(header.name);
                    return Ok(Some(Entry { name, size, stored: left }));
                }
                _ => {
                    // The size of a hard link tells of the file, and nothing is stored.
                    let stored = if header.kind == b'1' { 0 } else { pax.size.unwrap_or(header.size) };
                    self.next = self.end_of(stored, at)?;
                    (name, pax) = (None, Pax::default());
                }
            }
            self.next = self.next.max(self.walk.at());
        }
    }

    /// Where the header after a content of `size` bytes is.
    fn end_of(&self, size: u64, header: u64) -> Result<u64, Error> {
        size.checked_next_multiple_of(BLOCK as u64)
            .and_then(|size| size.checked_add(self.walk.at()))
            .ok_or_else(|| {
                self.corrupt(format!("header at {header:#x}: its size of {size} bytes is too large"))
            })
    }

    /// The sparse map of a GNU header, which goes on in blocks of its own.
    fn old_map(&mut self, header: &[u8; BLOCK]) -> Result<Map, Error> {
        let mut map = Map::of_gnu(header).map_err(|what| self.corrupt(what))?;
        while map.goes_on {
            let block = self.more("a sparse map")?;
            map.extend_gnu(&block).map_err(|what| self.corrupt(what))?;
        }
        Ok(map)
    }

    /// The sparse map of pax form 1.0, which is the first part of the content.
    fn content_map(&mut self, pax: &Pax, stored: u64) -> Result<Map, Error> {
        let start = self.walk.at();
        let mut map = Map::of_content(pax.sparse_size.unwrap_or(0));
        while map.goes_on {
            if self.walk.at() - start >= stored {
                return Err(self.corrupt("a sparse map is longer than its member"));
            }
            let block = self.more("a sparse map")?;
            map.extend_content(&block).map_err(|what| self.corrupt(what))?;
        }
        Ok(map)
    }
}

impl Archive for Tar<'_> {
    fn format(&self) -> &'static str {
        "tar"
    }

    fn next(&mut self) -> Result<Option<Entry>, Error> {
        if self.ended {
            return Ok(None);
        }
        let entry = self.find()?;
        self.ended = entry.is_none();
        Ok(entry)
    }

    fn content(&mut self) -> Input<'_> {
        let content = self.walk.content(self.size);
        match self.map.take() {
            Some(map) => Input::Sparse(Expanded::new(content.into_reader(), map)),
            None => content,
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.walk.drain().map_err(|error| uncarry(self.path, error))
    }
}
