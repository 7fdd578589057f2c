//! The tree that the kernel ends up with after unpacking all archives, as far as questions about
//! it need: names, types, links, hashes, and the content of the files that were asked for.
//!
//! Facts: `do_name`, `maybe_link` and `clean_path` of `init/initramfs.c`.

use std::collections::BTreeMap;

use sha2::Digest as _;

use super::compression::Compression;
use super::cpio::{Entry, Header};
use super::scan::Segment;
use crate::elf::Elf;

const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
/// The kernel follows at most 40 links on the way to a file.
const LINKS: usize = 40;

/// Content kept altogether, in bytes: scripts, index files of modules, busybox. Debian's have 3 MiB.
const KEPT: usize = 256 << 20;
/// Programs and libraries looked into; a full initramfs has some hundreds.
const PROGRAMS: usize = 20_000;

/// A member on its way into the tree.
pub(crate) struct Member {
    pub(crate) header: Header,
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) digest: [u8; 32],
}

/// SHA-256 in the making.
#[derive(Default)]
pub(crate) struct Digest(sha2::Sha256);

impl Digest {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The SHA-256 of `bytes`, to compare with [`Blob::digest`].
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut digest = Digest::default();
    digest.update(bytes);
    digest.finish()
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file; the number names its content ([`View::blob`]), which hard links share.
    File(usize),
    /// A symbolic link ([`View::target`]).
    Symlink,
    /// A device or pipe.
    Special,
}

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    target: Option<String>,
}

/// The content of a regular file.
#[derive(Clone, Debug, Default)]
pub struct Blob {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256.
    pub digest: [u8; 32],
    /// What the ELF headers say, if it is a program or library.
    pub elf: Option<Elf>,
    /// The bytes of a file that was asked for, and of busybox.
    pub content: Option<Vec<u8>>,
    /// How many names it has.
    pub names: usize,
}

/// An unpacked initramfs.
#[derive(Clone, Debug, Default)]
pub struct View {
    nodes: BTreeMap<String, Node>,
    blobs: Vec<Blob>,
    segments: Vec<Segment>,
    // Hard links are found by device, inode number and type within one archive only.
    links: BTreeMap<(u32, u32, u32, u32), usize>,
    kept: usize,
    programs: usize,
}

impl View {
    /// The archives, in their order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// How the last archive is packed; what is appended depends on it.
    #[must_use]
    pub fn last_compression(&self) -> Compression {
        self.segments.last().map_or(Compression::None, |segment| segment.compression)
    }

    /// All names, sorted, without a leading slash.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// The names below `directory` (which is followed), each with its path from there.
    pub fn below<'a>(&'a self, directory: &str) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        let prefix = self.resolve(directory).map(|path| format!("{path}/"));
        let range = prefix.clone().map(|prefix| self.nodes.range(prefix..));
        range.into_iter().flatten().map_while(move |(path, node)| {
            let inner = path.strip_prefix(prefix.as_deref()?)?;
            Some((inner, node))
        })
    }

    /// What `path` is, its last component not followed.
    #[must_use]
    pub fn lstat(&self, path: &str) -> Option<&Node> {
        self.nodes.get(&self.place(path)?)
    }

    /// The path that `path` leads to, all links followed; `None` when nothing is there.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<String> {
        let mut found: Vec<String> = Vec::new();
        let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    found.pop();
                    continue;
                }
                _ => {}
            }
            found.push(part);
            let node = self.nodes.get(&found.join("/"))?;
            match (&node.kind, &node.target) {
                (Kind::Symlink, Some(target)) => {
                    links += 1;
                    if links > LINKS {
                        return None;
                    }
                    found.pop();
                    if target.starts_with('/') {
                        found.clear();
                    }
                    pending.extend(target.split('/').rev().map(str::to_owned));
                }
                (Kind::Directory, _) => {}
                _ if pending.iter().any(|part| !part.is_empty()) => return None,
                _ => {}
            }
        }
        Some(found.join("/"))
    }

    /// Where a member named `path` lands: the links above it are followed, it is not.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<String> {
        let path = path.trim_end_matches('/');
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return None;
        }
        let parent = self.resolve(parent)?;
        Some(if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") })
    }

    /// The regular file that `path` leads to.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&Blob> {
        match self.nodes.get(&self.resolve(path)?)?.kind {
            Kind::File(blob) => self.blobs.get(blob),
            _ => None,
        }
    }

    /// The content of the regular file that `path` leads to, if it was kept, as text.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.file(path)?.content.as_deref()?).ok()
    }

    /// The content behind [`Kind::File`].
    #[must_use]
    pub fn blob(&self, index: usize) -> Option<&Blob> {
        self.blobs.get(index)
    }

    /// The stored target of the symbolic link `path`.
    #[must_use]
    pub fn target(&self, path: &str) -> Option<&str> {
        self.lstat(path)?.target.as_deref()
    }

    /// True when `path` leads to a directory.
    #[must_use]
    pub fn is_directory(&self, path: &str) -> bool {
        match self.resolve(path) {
            Some(path) if path.is_empty() => true,
            Some(path) => self.nodes.get(&path).is_some_and(|node| node.kind == Kind::Directory),
            None => false,
        }
    }

    /// Puts `entry` into the tree as the kernel does when it stands in an archive behind all others.
    pub fn apply(&mut self, path: &str, entry: &Entry) {
        let (mode, content): (u32, &[u8]) = match entry {
            Entry::Directory => (DIRECTORY | 0o755, &[]),
            Entry::File { mode, content } => (REGULAR | (mode & 0o7777), content),
            Entry::Symlink(target) => (SYMLINK | 0o777, target.as_bytes()),
        };
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let header = Header { mode, size, nlink: 1, ..Header::default() };
        let member = Member { header, content: Some(content.to_vec()), digest: digest(content) };
        self.insert(path, member, &|_| true);
    }

    pub(crate) fn add_segment(&mut self, segment: Segment) {
        self.end_archive();
        self.segments.push(segment);
    }

    pub(crate) fn end_archive(&mut self) {
        self.links.clear();
    }

    /// Puts a member into the tree as the kernel does; one that the kernel cannot create (its
    /// directory is missing) is left out.
    pub(crate) fn insert(&mut self, path: &str, member: Member, keep: &dyn Fn(&str) -> bool) {
        if path.split('/').any(|part| part == "..") {
            return;
        }
        let Some(place) = self.place(path.trim_start_matches("./")) else { return };
        let header = member.header;
        let mode = header.mode & 0o7777;
        let kind = header.mode & TYPE;
        let existing = self.nodes.get(&place).map(|node| node.kind);
        if existing == Some(Kind::Directory) && kind != DIRECTORY {
            // rmdir of a directory that is not empty fails, and so does what follows.
            if self.below(&place).next().is_some() {
                return;
            }
        }
        let node = match kind {
            DIRECTORY => Node { kind: Kind::Directory, mode, target: None },
            SYMLINK => {
                let target = String::from_utf8_lossy(&member.content.unwrap_or_default()).into_owned();
                Node { kind: Kind::Symlink, mode, target: Some(target) }
            }
            REGULAR => {
                let blob = self.blob_for(&place, existing, &header);
                self.fill(blob, &place, member, keep);
                Node { kind: Kind::File(blob), mode, target: None }
            }
            _ => Node { kind: Kind::Special, mode, target: None },
        };
        let fresh = matches!(node.kind, Kind::File(_)) && node.kind != existing.unwrap_or(Kind::Special);
        if let (true, Kind::File(blob)) = (fresh, node.kind)
            && let Some(blob) = self.blobs.get_mut(blob)
        {
            blob.names += 1;
        }
        if let Some(Kind::File(old)) = existing
            && Kind::File(old) != node.kind
            && let Some(old) = self.blobs.get_mut(old)
        {
            old.names = old.names.saturating_sub(1);
        }
        self.nodes.insert(place, node);
    }

    /// The content that a regular member goes into: a hard link's, that of the file it overwrites,
    /// or a new one.
    fn blob_for(&mut self, place: &str, existing: Option<Kind>, header: &Header) -> usize {
        let key = (header.device.0, header.device.1, header.ino, header.mode & TYPE);
        if header.nlink >= 2
            && let Some(blob) = self.links.get(&key)
        {
            return *blob;
        }
        let blob = match existing {
            Some(Kind::File(blob)) => blob,
            _ => {
                self.blobs.push(Blob::default());
                self.blobs.len() - 1
            }
        };
        debug_assert!(!place.is_empty(), "a file has a name");
        if header.nlink >= 2 {
            self.links.insert(key, blob);
        }
        blob
    }

    fn fill(&mut self, index: usize, place: &str, member: Member, keep: &dyn Fn(&str) -> bool) {
        let Some(blob) = self.blobs.get_mut(index) else { return };
        if member.header.nlink >= 2 && member.header.size == 0 {
            // A hard link without data: the data comes, or came, with another name.
            return;
        }
        blob.size = u64::from(member.header.size);
        blob.digest = member.digest;
        let content = member.content.unwrap_or_default();
        blob.elf = if self.programs < PROGRAMS { Elf::parse(&content) } else { None };
        self.programs += usize::from(blob.elf.is_some());
        let wanted = keep(place) || (blob.elf.is_some() && is_busybox(&content));
        let wanted = wanted && content.len() <= KEPT - self.kept;
        if wanted {
            self.kept += content.len();
        }
        blob.content = wanted.then_some(content);
    }
}

/// True for the bytes of a busybox program: its banner stands in them.
#[must_use]
pub fn is_busybox(program: &[u8]) -> bool {
    const BANNER: &[u8] = b"BusyBox v";
    program.windows(BANNER.len()).any(|window| window == BANNER)
}
