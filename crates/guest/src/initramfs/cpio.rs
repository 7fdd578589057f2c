//! The newc archive: headers as they are read, and a writer whose output is the same for the same
//! entries (inode numbers counted up, all times the same).
//!
//! Facts: `cpio(5)`, section "New ASCII Format"; `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::io::{self, Read};

/// Size of a header in bytes: the magic and 13 fields of eight hexadecimal digits.
const HEADER: usize = 110;
/// The kernel's `PATH_MAX`: longer names are not unpacked.
const NAME_LIMIT: u32 = 4096;
const TRAILER: &[u8] = b"TRAILER!!!";

/// What stands in the header of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) ino: u32,
    pub(crate) mode: u32,
    pub(crate) nlink: u32,
    pub(crate) size: u32,
    pub(crate) device: (u32, u32),
    pub(crate) name_size: u32,
}

impl Header {
    pub(crate) fn is_symlink(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }

    fn parse(bytes: &[u8; HEADER]) -> Result<Self, String> {
        let magic = bytes.first_chunk::<6>().copied().unwrap_or_default();
        if &magic != b"070701" && &magic != b"070702" {
            return Err(format!(
                "not a newc archive: a member starts with {:?}",
                String::from_utf8_lossy(&magic)
            ));
        }
        let mut fields = [0_u32; 13];
        for (field, digits) in fields.iter_mut().zip(bytes.get(6..).unwrap_or_default().chunks(8)) {
            *field = std::str::from_utf8(digits)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .and_then(|text| u32::from_str_radix(text, 16).ok())
                .ok_or_else(|| {
                    format!("a member's header holds {:?}, not digits", String::from_utf8_lossy(digits))
                })?;
        }
        let [ino, mode, _uid, _gid, nlink, _mtime, size, major, minor, _, _, name_size, _check] = fields;
        Ok(Self { ino, mode, nlink, size, device: (major, minor), name_size })
    }
}

/// Reads members one after the other from a stream.
pub(crate) struct Members<'a> {
    input: &'a mut dyn Read,
    /// Bytes taken from the stream; alignment counts from its start.
    position: u64,
}

/// What comes next in a stream of members.
pub(crate) enum Next {
    /// A member: its header and name; its data must be read or skipped before the next.
    Member(Header, Vec<u8>),
    /// The trailer of an archive; another may follow.
    Trailer,
    /// The end of the stream.
    End,
}

impl<'a> Members<'a> {
    pub(crate) fn new(input: &'a mut dyn Read) -> Self {
        Self { input, position: 0 }
    }

    fn fill(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(buf)?;
        self.position = self.position.saturating_add(buf.len() as u64);
        Ok(())
    }

    fn align(&mut self) -> io::Result<()> {
        while !self.position.is_multiple_of(4) {
            self.fill(&mut [0])?;
        }
        Ok(())
    }

    /// The next member. Zero bytes in front of a member are skipped, as the kernel does after a
    /// trailer.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        let mut header = [0; HEADER];
        loop {
            let count = self.input.read(&mut header[..1])?;
            if count == 0 {
                return Ok(Next::End);
            }
            self.position = self.position.saturating_add(1);
            if header[0] != 0 {
                break;
            }
        }
        if self.position % 4 != 1 {
            return Err(io::Error::other("a member does not start at a multiple of four bytes"));
        }
        self.fill(&mut header[1..])?;
        let header = Header::parse(&header).map_err(io::Error::other)?;
        if header.name_size == 0 || header.name_size > NAME_LIMIT {
            return Err(io::Error::other(format!(
                "a member's name claims {} bytes; at most {NAME_LIMIT} are valid",
                header.name_size
            )));
        }
        let mut name = vec![0; usize::try_from(header.name_size).unwrap_or(0)];
        self.fill(&mut name)?;
        if let Some(end) = name.iter().position(|byte| *byte == 0) {
            name.truncate(end);
        }
        if name == TRAILER {
            self.skip(u64::from(header.size))?;
            return Ok(Next::Trailer);
        }
        self.align()?;
        Ok(Next::Member(header, name))
    }

    /// Reads a member's data, all of it when it is no longer than `keep` bytes; `None` for longer
    /// data, which `digest` sees all the same.
    pub(crate) fn data(
        &mut self,
        size: u32,
        keep: u64,
        digest: &mut dyn FnMut(&[u8]),
    ) -> io::Result<Option<Vec<u8>>> {
        let mut content = Some(Vec::new());
        let mut left = u64::from(size);
        let mut chunk = vec![0; 64 << 10];
        while left > 0 {
            let want = usize::try_from(left.min(chunk.len() as u64)).unwrap_or(0);
            self.fill(&mut chunk[..want])?;
            digest(&chunk[..want]);
            left -= want as u64;
            if u64::from(size) <= keep {
                if let Some(content) = &mut content {
                    content.extend_from_slice(&chunk[..want]);
                }
            } else {
                content = None;
            }
        }
        // The last member of a truncated archive may lack its padding; the next read will tell.
        match self.align() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            other => other?,
        }
        Ok(content)
    }

    fn skip(&mut self, size: u64) -> io::Result<()> {
        let copied = io::copy(&mut (&mut *self.input).take(size), &mut io::sink())?;
        self.position = self.position.saturating_add(copied);
        Ok(())
    }
}

/// Something to put into an [`Archive`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory, mode 0755.
    Directory,
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// The content.
        content: Vec<u8>,
    },
    /// A symbolic link.
    Symlink(String),
}

/// A newc archive in the making; all members belong to root.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    count: u32,
}

impl Archive {
    /// Adds a member. `path` is relative to the root, without `./`; parents must come first.
    pub fn add(&mut self, path: &str, entry: &Entry) {
        let (mode, content): (u32, &[u8]) = match entry {
            Entry::Directory => (0o040_755, &[]),
            Entry::File { mode, content } => (0o100_000 | (mode & 0o7777), content),
            Entry::Symlink(target) => (0o120_777, target.as_bytes()),
        };
        let links = if matches!(entry, Entry::Directory) { 2 } else { 1 };
        self.count = self.count.saturating_add(1);
        self.member(self.count, mode, links, path.as_bytes(), content);
    }

    /// True when nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The archive with its trailer; its length is a multiple of four.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.member(0, 0, 1, TRAILER, &[]);
        self.bytes
    }

    fn member(&mut self, ino: u32, mode: u32, links: u32, name: &[u8], content: &[u8]) {
        // Files of the guest are read with limits far below 4 GiB.
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name_size = u32::try_from(name.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.bytes.extend_from_slice(b"070701");
        for field in [ino, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0] {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}
