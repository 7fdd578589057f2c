//! Reading `.deb` files: the ar container, the compressed tars inside it, their entries.
//!
//! Format: `deb(5)`. First the member `debian-binary` ("2.x"), then `control.tar*`, then
//! `data.tar*`; members whose names start with `_` are passed over. All of it is hostile input:
//! sizes are believed only as far as bytes really come, and what is unpacked is limited.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::control::Stanza;
use super::package::Package;
use crate::Error;

/// The most that `control.tar` may unpack to; the largest in Debian have a few MiB.
const CONTROL_LIMIT: u64 = 64 << 20;
/// The most that `data.tar` may unpack to. The content is held in memory until it is written.
pub const DATA_LIMIT: u64 = 2 << 30;
/// The most entries in one tar.
const ENTRY_LIMIT: usize = 1 << 20;
/// The largest `.deb` that is read whole into memory, for the spool.
const SPOOL_LIMIT: u64 = 1 << 30;
/// Decompression memory for xz: `xz -9` needs 65 MiB; dpkg itself sets no limit.
const XZ_MEMORY: u64 = 256 << 20;

/// A member of the control archive other than `control`: a script, `md5sums`, `triggers`…
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFile {
    /// The content.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

/// An opened `.deb`: its control information is read, its files are not.
#[derive(Clone, Debug)]
pub struct Deb {
    /// The file name, for messages.
    pub file_name: String,
    /// Where it is on the host.
    pub path: PathBuf,
    /// The control stanza.
    pub control: Stanza,
    /// The same as a package.
    pub package: Package,
    /// The other members of the control archive.
    pub members: BTreeMap<String, ControlFile>,
    data: Member,
}

/// What an entry of `data.tar` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file with its content.
    File(Vec<u8>),
    /// A symbolic link with its target.
    Symlink(String),
    /// A hard link to an earlier entry, by its path.
    HardLink(String),
}

/// One entry of `data.tar`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TarEntry {
    /// The path in the guest: `/` for the root, else `/usr/bin/x`.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits (0o7777).
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u32, u32),
    /// Names of owner and group; they count where the image knows them.
    pub owner_names: (String, String),
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    offset: u64,
    length: u64,
}

impl Deb {
    /// Opens the file and reads its control archive.
    pub fn open(file_name: &str, path: &Path) -> Result<Self, Error> {
        let mut file =
            hardtack_disk::open_regular(path).map_err(|source| host_error("open", path, source))?;
        let mut members = ArReader::new(file_name, path, &mut file)?;
        let wrong = |what: String| Error::Refused(format!("{file_name}: {what}"));

        let first = members.next_member()?;
        let Some(first) = first.filter(|member| member.name == "debian-binary") else {
            return Err(wrong("is no Debian package: its first member is not debian-binary".to_owned()));
        };
        let version = members.read(&first, 4096)?;
        let version = String::from_utf8_lossy(&version);
        if !version.starts_with("2.") || !version.contains('\n') {
            return Err(wrong(format!(
                "debian-binary has the format version {:?}; 2.x is what is known",
                version.trim_end()
            )));
        }
        let mut next = |prefix: &str| loop {
            let Some(member) = members.next_member()? else {
                return Err(wrong(format!("ends before the member {prefix}")));
            };
            if member.name.starts_with('_') {
                continue;
            }
            if !member.name.starts_with(prefix) {
                return Err(wrong(format!("has the member {} where {prefix} belongs", member.name)));
            }
            return Ok(member);
        };
        let control = next("control.tar")?;
        let data = next("data.tar")?;

        let mut stanza = None;
        let mut members = BTreeMap::new();
        let reader = open_member(file_name, path, &control, CONTROL_LIMIT)?;
        for_each_entry(file_name, &control.name, reader, |entry| {
            let name = entry.path.trim_start_matches('/');
            match entry.kind {
                EntryKind::Directory if name.is_empty() => {}
                EntryKind::File(content) if name == "control" => {
                    let text = String::from_utf8(content)
                        .map_err(|_| wrong("its control file is not UTF-8".to_owned()))?;
                    // Blank lines around the one stanza are allowed.
                    stanza =
                        Some(Stanza::parse(text.trim_matches('\n'), &format!("{file_name}: control"), 1)?);
                }
                // dpkg ignores names with a dot and warns about a file list in the package.
                EntryKind::File(_) if name.contains('.') || name == "list" => {}
                EntryKind::File(content) if !name.contains('/') && name.len() <= 50 => {
                    members.insert(name.to_owned(), ControlFile { content, mode: entry.mode });
                }
                _ => return Err(wrong(format!("{}: {name:?} does not belong there", control.name))),
            }
            Ok(())
        })?;
        let control = stanza.ok_or_else(|| wrong(format!("{}: has no control file", control.name)))?;
        let package = Package::from_stanza(&control, file_name)?;
        if package.architecture.is_empty() {
            return Err(wrong("its control file has no Architecture".to_owned()));
        }
        Ok(Self { file_name: file_name.to_owned(), path: path.to_owned(), control, package, members, data })
    }

    /// All entries of `data.tar`, in its order; at most `limit` bytes unpacked.
    pub fn entries(&self, limit: u64) -> Result<Vec<TarEntry>, Error> {
        let mut entries = Vec::new();
        let reader = open_member(&self.file_name, &self.path, &self.data, limit.min(DATA_LIMIT))?;
        for_each_entry(&self.file_name, &self.data.name, reader, |entry| {
            entries.push(entry);
            Ok(())
        })?;
        Ok(entries)
    }

    /// The whole file, for the spool.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let file = hardtack_disk::open_regular(&self.path)
            .map_err(|source| host_error("open", &self.path, source))?;
        let mut bytes = Vec::new();
        file.take(SPOOL_LIMIT + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| host_error("read", &self.path, source))?;
        if bytes.len() as u64 > SPOOL_LIMIT {
            return Err(Error::Refused(format!(
                "{}: is larger than {} MiB",
                self.file_name,
                SPOOL_LIMIT >> 20
            )));
        }
        Ok(bytes)
    }

    /// A maintainer script or other control member as text, if the package has it.
    #[must_use]
    pub fn member_text(&self, name: &str) -> Option<String> {
        self.members.get(name).map(|member| String::from_utf8_lossy(&member.content).into_owned())
    }
}

fn host_error(action: &str, path: &Path, source: io::Error) -> Error {
    Error::Disk(hardtack_disk::Error::Io { action: action.to_owned(), path: path.to_owned(), source })
}

struct ArReader<'a> {
    file_name: &'a str,
    path: &'a Path,
    file: &'a mut File,
    at: u64,
}

impl<'a> ArReader<'a> {
    fn new(file_name: &'a str, path: &'a Path, file: &'a mut File) -> Result<Self, Error> {
        let mut magic = Vec::new();
        file.by_ref().take(8).read_to_end(&mut magic).map_err(|source| host_error("read", path, source))?;
        if magic != b"!<arch>\n" {
            return Err(Error::Refused(format!("{file_name}: is no Debian package (no ar archive)")));
        }
        Ok(Self { file_name, path, file, at: 8 })
    }

    fn next_member(&mut self) -> Result<Option<Member>, Error> {
        let at = self.at;
        let wrong =
            |what: &str| Error::Refused(format!("{}: ar member at byte {at:#x}: {what}", self.file_name));
        self.file.seek(SeekFrom::Start(at)).map_err(|source| host_error("read", self.path, source))?;
        let mut header = Vec::new();
        self.file
            .by_ref()
            .take(60)
            .read_to_end(&mut header)
            .map_err(|source| host_error("read", self.path, source))?;
        if header.is_empty() {
            return Ok(None);
        }
        let header: [u8; 60] = header.try_into().map_err(|_| wrong("its header is cut off"))?;
        if header[58..] != *b"`\n" {
            return Err(wrong("its header does not end as it should"));
        }
        let text = |range: std::ops::Range<usize>| {
            std::str::from_utf8(&header[range]).map_err(|_| wrong("its header is no text"))
        };
        let name = text(0..16)?.trim_end().trim_end_matches('/').to_owned();
        let length = text(48..58)?.trim_end();
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("its length is no number"));
        }
        // Ten digits always fit.
        let length: u64 = length.parse().map_err(|_| wrong("its length is no number"))?;
        let offset = at + 60;
        self.at = offset + length + length % 2;
        Ok(Some(Member { name, offset, length }))
    }

    fn read(&mut self, member: &Member, limit: u64) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        self.file
            .by_ref()
            .take(member.length.min(limit))
            .read_to_end(&mut content)
            .map_err(|source| host_error("read", self.path, source))?;
        Ok(content)
    }
}

fn open_member(file_name: &str, path: &Path, member: &Member, limit: u64) -> Result<Limited<'static>, Error> {
    let mut file = hardtack_disk::open_regular(path).map_err(|source| host_error("open", path, source))?;
    file.seek(SeekFrom::Start(member.offset)).map_err(|source| host_error("read", path, source))?;
    let raw = io::BufReader::with_capacity(128 << 10, file.take(member.length));
    let wrong = |what: String| Error::Refused(format!("{file_name}: {}: {what}", member.name));
    let suffix = member.name.rsplit_once(".tar").map_or("", |(_, suffix)| suffix);
    let reader: Box<dyn Read> = match suffix {
        "" => Box::new(raw),
        ".gz" => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
        ".xz" => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                    .map_err(|error| wrong(error.to_string()))?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(raw, stream))
        }
        ".zst" => {
            Box::new(zstd::stream::read::Decoder::with_buffer(raw).map_err(|error| wrong(error.to_string()))?)
        }
        other => return Err(wrong(format!("compression {other:?}; gz, xz, zst and none are what is known"))),
    };
    Ok(Limited::new(reader, limit))
}

/// Fails, rather than ends, when more than the limit comes out.
pub(crate) struct Limited<'r> {
    reader: Box<dyn Read + 'r>,
    left: u64,
    limit: u64,
}

impl<'r> Limited<'r> {
    pub(crate) fn new(reader: Box<dyn Read + 'r>, limit: u64) -> Self {
        Self { reader, left: limit, limit }
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buf)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(format!("unpacks to more than {} MiB", self.limit >> 20))),
        }
        Ok(count)
    }
}

/// Hands every entry of a tar to `each`; `member` names it within `file_name`, for messages.
pub(crate) fn for_each_entry(
    file_name: &str,
    member: &str,
    reader: Limited<'_>,
    mut each: impl FnMut(TarEntry) -> Result<(), Error>,
) -> Result<(), Error> {
    let wrong = |what: String| Error::Refused(format!("{file_name}: {member}: {what}"));
    let mut archive = tar::Archive::new(reader);
    let entries = archive.entries().map_err(|error| wrong(error.to_string()))?;
    for (index, entry) in entries.enumerate() {
        if index >= ENTRY_LIMIT {
            return Err(wrong(format!("more than {ENTRY_LIMIT} entries")));
        }
        let mut entry = entry.map_err(|error| wrong(error.to_string()))?;
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = guest_path(&entry.path_bytes()).map_err(|what| wrong(format!("{shown:?}: {what}")))?;
        let wrong = |what: String| wrong(format!("{path}: {what}"));
        let header = entry.header();
        let number = |value: io::Result<u64>| {
            value
                .ok()
                .and_then(|value| u32::try_from(value).ok())
                .ok_or_else(|| wrong("its owner is no number".to_owned()))
        };
        let owner = (number(header.uid())?, number(header.gid())?);
        let text = |bytes: Option<&[u8]>| {
            bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
        };
        let owner_names = (text(header.username_bytes()), text(header.groupname_bytes()));
        let mode = header.mode().map_err(|error| wrong(error.to_string()))? & 0o7777;
        let kind = header.entry_type();
        let link = entry.link_name_bytes().map(|bytes| bytes.into_owned());
        let kind = if kind.is_file() || kind.is_contiguous() {
            let size = entry.size();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(|error| wrong(error.to_string()))?;
            if content.len() as u64 != size {
                return Err(wrong(format!("is cut off after {} of {size} bytes", content.len())));
            }
            EntryKind::File(content)
        } else if kind.is_dir() {
            EntryKind::Directory
        } else if kind.is_symlink() {
            let target = String::from_utf8(link.unwrap_or_default())
                .map_err(|_| wrong("the target of the link is not UTF-8".to_owned()))?;
            if target.is_empty() || target.contains('\0') {
                return Err(wrong("the link has no usable target".to_owned()));
            }
            EntryKind::Symlink(target)
        } else if kind.is_hard_link() {
            EntryKind::HardLink(
                guest_path(&link.unwrap_or_default()).map_err(|what| wrong(format!("hard link: {what}")))?,
            )
        } else if kind.is_character_special() || kind.is_block_special() {
            return Err(wrong("a device node, which is refused".to_owned()));
        } else if kind.is_pax_global_extensions() {
            continue;
        } else {
            return Err(wrong(format!(
                "a tar entry of type {:?}, which is refused",
                char::from(kind.as_byte())
            )));
        };
        each(TarEntry { path, kind, mode, owner, owner_names })?;
    }
    // A stream that is damaged behind the tar's end marker shall not pass.
    let mut reader = archive.into_inner();
    io::copy(&mut reader, &mut io::sink()).map_err(|error| wrong(error.to_string()))?;
    Ok(())
}

/// `./usr/bin/x` as `/usr/bin/x`; everything that could name something else is refused.
fn guest_path(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the name is not UTF-8".to_owned())?;
    if text.starts_with('/') {
        return Err("an absolute path".to_owned());
    }
    if text.chars().any(|letter| letter.is_control()) {
        return Err("the name has control characters".to_owned());
    }
    let inner = text.strip_prefix("./").unwrap_or(text);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() || inner == "." {
        return if text.is_empty() { Err("an empty name".to_owned()) } else { Ok("/".to_owned()) };
    }
    for part in inner.split('/') {
        match part {
            ".." => return Err("the name leaves its directory with ..".to_owned()),
            "" | "." => return Err("the name has an empty component".to_owned()),
            part if part.len() > 255 => return Err("a component is longer than 255 bytes".to_owned()),
            _ => {}
        }
    }
    if inner.len() > 4094 {
        return Err("the name is longer than 4095 bytes".to_owned());
    }
    Ok(format!("/{inner}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dpkg::fixture::{Built, dpkg_deb};

    #[test]
    fn names_of_entries() {
        for (given, wanted) in
            [("./", "/"), (".", "/"), ("./usr/", "/usr"), ("usr/bin/x", "/usr/bin/x"), ("./...", "/...")]
        {
            assert_eq!(guest_path(given.as_bytes()).as_deref(), Ok(wanted), "{given}");
        }
        for given in ["", "/etc/passwd", "../x", "./a/../../b", "a//b", "./a/./b", "a\nb", "./.."] {
            assert!(guest_path(given.as_bytes()).is_err(), "{given:?}");
        }
        assert!(guest_path(b"\xff").is_err());
    }

    #[test]
    fn reads_what_dpkg_deb_writes_with_every_compression() {
        for compression in ["gzip", "xz", "zstd", "none"] {
            let Some(built) = dpkg_deb(
                Built::new("thing", "1.0-1")
                    .file("/usr/bin/thing", "#!/bin/sh\n", 0o755)
                    .link("/usr/bin/other", "thing")
                    .hard_link("/usr/bin/same", "/usr/bin/thing")
                    .script("postinst", "#!/bin/sh\nexit 0\n"),
                compression,
            ) else {
                return;
            };
            let deb = Deb::open("thing.deb", &built.path).unwrap();
            assert_eq!(
                (deb.package.name.as_str(), deb.package.version.to_string().as_str()),
                ("thing", "1.0-1")
            );
            assert_eq!(deb.members["postinst"].mode, 0o755);
            let entries = deb.entries(DATA_LIMIT).unwrap();
            let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
            assert_eq!(paths[..3], ["/", "/usr", "/usr/bin"], "{compression}");
            let find = |path: &str| entries.iter().find(|entry| entry.path == path).unwrap();
            assert_eq!(find("/usr/bin/other").kind, EntryKind::Symlink("thing".to_owned()));
            let kinds = [&find("/usr/bin/same").kind, &find("/usr/bin/thing").kind];
            assert!(kinds.iter().any(|kind| matches!(kind, EntryKind::HardLink(_))), "{kinds:?}");
            assert!(kinds.contains(&&EntryKind::File(b"#!/bin/sh\n".to_vec())), "{kinds:?}");
            let error = deb.entries(100).unwrap_err().to_string();
            assert!(error.contains("thing.deb: data.tar") && error.contains("more than 0 MiB"), "{error}");
        }
    }

    #[test]
    fn every_cut_and_many_flips_are_errors_or_the_same() {
        let Some(built) =
            dpkg_deb(Built::new("thing", "1.0-1").file("/usr/bin/thing", "hello\n", 0o755), "gzip")
        else {
            return;
        };
        let whole = std::fs::read(&built.path).unwrap();
        let other = built.path.with_extension("cut");
        let read = |bytes: &[u8]| {
            std::fs::write(&other, bytes).unwrap();
            Deb::open("cut.deb", &other).and_then(|deb| deb.entries(DATA_LIMIT))
        };
        let good = read(&whole).unwrap();
        for length in 0..whole.len() - 1 {
            assert!(read(&whole[..length]).is_err(), "cut after {length} of {}", whole.len());
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            // Some bytes (times in headers) mean nothing to us: then nothing may differ.
            if let Ok(entries) = read(&bytes) {
                assert_eq!(entries.len(), good.len(), "byte {at:#x}");
            }
        }
    }

    #[test]
    fn refuses_what_is_no_package() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.deb");
        let member = |name: &str, content: &[u8]| {
            let mut bytes =
                format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len())
                    .into_bytes();
            bytes.extend_from_slice(content);
            if content.len() % 2 == 1 {
                bytes.push(b'\n');
            }
            bytes
        };
        let archive = |members: &[Vec<u8>]| [b"!<arch>\n".to_vec(), members.concat()].concat();
        for (bytes, wanted) in [
            (b"hello".to_vec(), "no ar archive"),
            (archive(&[]), "its first member is not debian-binary"),
            (archive(&[member("debian-binary", b"3.0\n")]), "format version \"3.0\""),
            (archive(&[member("debian-binary", b"2.0\n")]), "ends before the member control.tar"),
            (
                archive(&[member("debian-binary", b"2.0\n"), member("data.tar", b"")]),
                "has the member data.tar where control.tar",
            ),
            (
                archive(&[
                    member("debian-binary", b"2.0\n"),
                    member("_x", b"1"),
                    member("control.tar.lzo", b""),
                    member("data.tar", b""),
                ]),
                "control.tar.lzo: compression \".lzo\"",
            ),
            (
                archive(&[
                    member("debian-binary/", b"2.0\n"),
                    member("control.tar", b""),
                    member("data.tar", b""),
                ]),
                "control.tar: has no control file",
            ),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = Deb::open("x.deb", &path).unwrap_err().to_string();
            assert!(error.starts_with("x.deb: ") && error.contains(wanted), "{error}");
        }
        assert!(Deb::open("none.deb", &folder.path().join("none.deb")).is_err());
    }
}
