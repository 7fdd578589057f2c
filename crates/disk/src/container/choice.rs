//! Which member of an archive is the disk.
//!
//! Archives of images hold other things too: kernels and initial RAM disks (the tar files of
//! Eucalyptus and of early EC2), checksums, OVF descriptors. So the content decides first, then
//! the name, and two that are equally likely are never guessed between.

use std::path::Path;

use super::Source;
use super::input::Input;
use crate::Error;
use crate::detect::{self, Kind};

/// Members that messages name.
const NAMED: usize = 12;

/// A member of an archive that is a regular file.
pub(super) struct Entry {
    pub(super) name: String,
    /// Bytes of its content, holes included.
    pub(super) size: u64,
    /// Bytes that the archive has of it.
    pub(super) stored: u64,
}

/// An archive, read once from front to back.
pub(super) trait Archive {
    /// The format's name.
    fn format(&self) -> &'static str;
    /// The next regular file; what is left of the one before is passed over.
    fn next(&mut self) -> Result<Option<Entry>, Error>;
    /// The content of the member that [`next`](Self::next) has given, once.
    fn content(&mut self) -> Input<'_>;
    /// Reads what follows the archive's end, to the end of the stream that it came in.
    fn finish(&mut self) -> Result<(), Error>;
}

/// How much a file looks like a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Nothing speaks against it.
    Possible,
    /// It begins as a disk does, or its name is that of a disk.
    Disk,
    /// The user has named it.
    Asked,
}

/// Where disks have their magic bytes: (offset, bytes, name). GPT with sectors of 512 and 4096
/// bytes; ext2/3/4 (`s_magic`), XFS, btrfs; a physical volume of LVM.
const DISK_MAGIC: &[(usize, &[u8])] = &[
    (512, b"EFI PART"),
    (4096, b"EFI PART"),
    (1024 + 56, &[0x53, 0xef]),
    (0, b"XFSB"),
    (0x1_0040, b"_BHRfS_M"),
    (512, b"LABELONE"),
];
/// What macOS adds to archives for each file, under a name like the file's (RFC 1740).
const APPLE_DOUBLE: &[u8] = &[0, 5, 0x16, 7];
/// Suffixes of the names of disks.
const SUFFIXES: &[&str] = &["img", "raw", "qcow2", "qcow", "disk", "dd", "vmdk", "vhd", "hdd"];

/// Rates a file by its first bytes, its name and its size (none: not known yet). None: it is no
/// disk.
pub(super) fn rate(head: &[u8], name: &str, size: Option<u64>) -> Option<Likeness> {
    if head.is_empty() || size == Some(0) {
        return None;
    }
    match detect::kind_of(head, &[]) {
        Kind::Qcow2 | Kind::Vmdk | Kind::Vhd => return Some(Likeness::Disk),
        Kind::Foreign(foreign) => return foreign.is_disk().then_some(Likeness::Disk),
        _ => {}
    }
    if is_text(head) || is_kernel(head) || head.starts_with(APPLE_DOUBLE) {
        return None;
    }
    let has_magic =
        DISK_MAGIC.iter().any(|(at, magic)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    if has_magic || has_mbr(head) {
        return Some(Likeness::Disk);
    }
    if size.is_some_and(|size| !size.is_multiple_of(512)) {
        return None;
    }
    let mut parts = name.rsplit('/').next().unwrap_or_default().rsplit('.');
    // A compressed member has the suffix of its compression behind that of the disk.
    let named =
        parts.by_ref().take(2).any(|part| SUFFIXES.iter().any(|suffix| part.eq_ignore_ascii_case(suffix)));
    Some(if named { Likeness::Disk } else { Likeness::Possible })
}

/// A boot sector with a partition.
fn has_mbr(head: &[u8]) -> bool {
    let Some(table) = head.get(446..512) else { return false };
    let (entries, signature) = table.split_at(64);
    signature == [0x55, 0xaa]
        && entries.chunks_exact(16).all(|entry| entry[0] & 0x7f == 0)
        && entries.chunks_exact(16).any(|entry| entry[4] != 0)
}

/// Linux' boot protocol on x86 has a boot sector's signature too.
fn is_kernel(head: &[u8]) -> bool {
    head.get(514..).is_some_and(|rest| rest.starts_with(b"HdrS"))
}

fn is_text(head: &[u8]) -> bool {
    let start = &head[..head.len().min(512)];
    start.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..))
        && start.iter().filter(|byte| **byte >= 0x80).count() * 4 <= start.len()
}

/// A disk, and the way to it.
pub(super) struct Found {
    pub(super) likeness: Likeness,
    /// The opened disk, or why it is refused.
    pub(super) image: Result<Source, Error>,
    /// Formats from the inside out.
    pub(super) formats: Vec<&'static str>,
    /// Names of members from the outside in.
    pub(super) members: Vec<String>,
}

/// What exploring has come to.
pub(super) enum Outcome {
    Found(Found),
    /// There is no disk, and this is why.
    Nothing(Error),
}

/// The search of one archive.
pub(super) struct Choice<'a> {
    path: &'a Path,
    wanted: Option<&'a str>,
    best: Option<Found>,
    /// The names of all that are as likely as the best.
    equals: Vec<String>,
    /// The first member that could not be read.
    failed: Option<Error>,
    seen: Vec<String>,
    count: usize,
}

impl<'a> Choice<'a> {
    pub(super) fn new(path: &'a Path, wanted: Option<&'a str>) -> Self {
        Self { path, wanted, best: None, equals: Vec::new(), failed: None, seen: Vec::new(), count: 0 }
    }

    /// Takes note of a member.
    pub(super) fn see(&mut self, name: &str) {
        self.count += 1;
        if self.seen.len() < NAMED {
            self.seen.push(name.to_owned());
        }
    }

    /// True when a member that is so likely has to be opened; one that is as likely as the best
    /// needs only its name.
    pub(super) fn wants(&mut self, likeness: Likeness, name: &str) -> bool {
        match self.best.as_ref().map(|best| best.likeness) {
            Some(best) if likeness < best => false,
            Some(best) if likeness == best => {
                self.tie(name);
                false
            }
            _ => true,
        }
    }

    fn tie(&mut self, name: &str) {
        if self.equals.len() < NAMED {
            self.equals.push(name.to_owned());
        }
    }

    /// Offers the disk that was found in the member `name`.
    pub(super) fn offer(&mut self, name: &str, mut found: Found) {
        if self.wants(found.likeness, name) {
            found.members.insert(0, name.to_owned());
            self.equals = vec![name.to_owned()];
            self.best = Some(found);
        }
    }

    /// Takes note of a member that is damaged.
    pub(super) fn fail(&mut self, error: Error) {
        self.failed.get_or_insert(error);
    }

    /// The result, when the archive has ended.
    pub(super) fn decide(self, format: &'static str) -> Result<Outcome, Error> {
        let refuse = |what: String| Error::Unsupported { path: self.path.to_owned(), format, what };
        let asked = self.best.as_ref().is_some_and(|best| best.likeness == Likeness::Asked);
        match self.best {
            Some(_) if self.equals.len() > 1 => {
                let names = list(&self.equals, self.equals.len());
                let what = match asked {
                    true => format!("several members have that name: {names}; give the path of one"),
                    false => {
                        format!("it holds several disks: {names}; name the one that is meant (--member)")
                    }
                };
                Err(refuse(what))
            }
            Some(found) => Ok(Outcome::Found(found)),
            None => Ok(Outcome::Nothing(match self.failed {
                Some(error) => error,
                None => {
                    let names = list(&self.seen, self.count);
                    match self.wanted {
                        Some(wanted) => {
                            refuse(format!("no member has the name {wanted:?}; it holds: {names}"))
                        }
                        None => refuse(format!("no disk is in it; it holds: {names}")),
                    }
                }
            })),
        }
    }
}

/// Names for a message, in which control characters must not reach a terminal.
fn list(names: &[String], count: usize) -> String {
    if names.is_empty() {
        return "no files".to_owned();
    }
    let mut text = names.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
    if count > names.len() {
        text.push_str(&format!(" and {} more", count - names.len()));
    }
    text
}

/// True when `wanted` is the path of a member, or its last component.
pub(super) fn is_named(name: &str, wanted: &str) -> bool {
    let plain = |name: &str| name.trim_start_matches("./").trim_start_matches('/').to_owned();
    let (name, wanted) = (plain(name), plain(wanted));
    name == wanted || (!wanted.contains('/') && name.rsplit('/').next() == Some(&wanted))
}
