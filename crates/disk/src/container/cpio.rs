//! cpio archives, as packages and initramfs images hold them: "newc" with and without checksums,
//! and the older portable "odc".
//!
//! The formats: Linux' `Documentation/driver-api/early-userspace/buffer-format.rst`; for odc the
//! manual page cpio(5) of libarchive.

use std::path::Path;

use super::choice::{Archive, Entry};
use super::input::{Input, Walk, uncarry};
use crate::Error;

/// The name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";
/// No path is longer on Linux.
const LONGEST_NAME: u64 = 4096;
/// The type bits of a mode, and those of a regular file.
const TYPE: u64 = 0o170_000;
const REGULAR: u64 = 0o100_000;

/// A cpio archive, read from its first member to its last.
pub(super) struct Cpio<'a> {
    walk: Walk<'a>,
    path: &'a Path,
    /// Where the next header is.
    next: u64,
    size: u64,
    ended: bool,
    /// "cpio", or "rpm" for the payload of a package.
    format: &'static str,
}

struct Header {
    mode: u64,
    size: u64,
    name_length: u64,
    /// Header and name together, and the content, are filled up to a multiple of this.
    align: u64,
}

impl<'a> Cpio<'a> {
    pub(super) fn new(input: Input<'a>, path: &'a Path, format: &'static str) -> Self {
        Self { walk: Walk::new(input), path, next: 0, size: 0, ended: false, format }
    }

    fn corrupt(&self, what: impl Into<String>) -> Error {
        Error::Corrupt { path: self.path.to_owned(), format: self.format, what: what.into() }
    }

    fn fill(&mut self, length: u64) -> Result<Vec<u8>, Error> {
        let at = self.walk.at();
        // Never more than a name is long.
        let mut bytes = vec![0; length as usize];
        let got = self.walk.fill(&mut bytes).map_err(|error| uncarry(self.path, error))?;
        if got < bytes.len() {
            return Err(self.corrupt(format!("it ends after {at:#x}, in a header: it is truncated")));
        }
        Ok(bytes)
    }

    fn advance(&mut self, to: u64) -> Result<(), Error> {
        match self.walk.advance(to).map_err(|error| uncarry(self.path, error))? {
            true => Ok(()),
            false => Err(self.corrupt(format!("it ends before {to:#x}, in a member: it is truncated"))),
        }
    }

    fn header(&mut self) -> Result<Header, Error> {
        let at = self.walk.at();
        let magic = self.fill(6)?;
        let number = |fields: &[u8], start: usize, length: usize, radix: u32| {
            fields
                .get(start..start + length)
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|digits| u64::from_str_radix(digits, radix).ok())
        };
        let header = match &*magic {
            b"070701" | b"070702" => {
                let fields = self.fill(104)?;
                let hex = |index: usize| number(&fields, index * 8, 8, 16);
                (hex(1), hex(6), hex(11), 4)
            }
            b"070707" => {
                let fields = self.fill(70)?;
                let octal = |start, length| number(&fields, start, length, 8);
                (octal(12, 6), octal(59, 11), octal(53, 6), 1)
            }
            b"07070X" => {
                let what =
                    "it holds a file of more than 4 GiB: `rpm2cpio FILE | cpio -id` unpacks it".to_owned();
                return Err(Error::Unsupported { path: self.path.to_owned(), format: self.format, what });
            }
            other => {
                let magic = String::from_utf8_lossy(other).into_owned();
                return Err(self.corrupt(format!("the header at {at:#x} begins with {magic:?}")));
            }
        };
        match header {
            (Some(mode), Some(size), Some(name_length), align) if name_length <= LONGEST_NAME => {
                Ok(Header { mode, size, name_length, align })
            }
            _ => {
                Err(self
                    .corrupt(format!("the header at {at:#x} holds a field that is no number, or too large")))
            }
        }
    }

    fn find(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            self.advance(self.next)?;
            let Header { mode, size, name_length, align } = self.header()?;
            let name = self.fill(name_length)?;
            let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            let name = String::from_utf8_lossy(&name[..length]).into_owned();
            if name == TRAILER {
                return Ok(None);
            }
            let start = self.walk.at().next_multiple_of(align);
            self.advance(start)?;
            self.next = (start + size).next_multiple_of(align);
            // Of the names of a hard link, in newc the last one has the content.
            if mode & TYPE == REGULAR {
                self.size = size;
                return Ok(Some(Entry { name, size, stored: size }));
            }
        }
    }
}

impl Archive for Cpio<'_> {
    fn format(&self) -> &'static str {
        self.format
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
        self.walk.content(self.size)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.walk.drain().map_err(|error| uncarry(self.path, error))
    }
}
