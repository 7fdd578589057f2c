//! `hardtack tar`: POSIX.1-2001 (pax) archives, with the attributes that GNU tar and bsdtar know.

use std::collections::BTreeMap;
use std::io::{BufWriter, IsTerminal, Write};
use std::ops::Range;

use hardtack_disk::AtomicFile;
use hardtack_guest::{FileType, GuestPath, Special, Stage};
use tar::{EntryType, Header};

use super::place::{Images, Looked};
use super::{DEEPEST, data, pieces};
use crate::args::TarArgs;
use crate::error::CliError;
use crate::talk;
use crate::terminal::safe;

/// Numbers above this have no room in the classic header (seven octal digits).
const CLASSIC_ID: u32 = 0o7_777_777;
/// Files from here are looked through for holes before they are written.
const LARGE: u64 = 64 << 20;
/// Fewer zeros are written: a map takes a second reading of the file by everybody.
const WORTH: u64 = 16 << 20;
/// Shorter holes are data of the archive, in bytes.
const SHORTEST: u64 = 64 << 10;
/// A map of more is none; it would take more memory than holes are worth.
const RANGES: usize = 1 << 18;
/// And sizes and times above this (eleven).
const CLASSIC_SIZE: u64 = 0o77_777_777_777;

pub(super) fn run(arguments: &TarArgs) -> Result<u8, CliError> {
    let Some(output) = &arguments.output else {
        if std::io::stdout().is_terminal() {
            return Err(CliError::usage("an archive is nothing for a terminal")
                .hint("--output FILE writes it to a file; `hardtack ls -lR` lists"));
        }
        let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        pack(arguments, &mut out)?;
        return Ok(0);
    };
    if output.exists() && !arguments.force {
        return Err(hardtack_disk::Error::Exists { path: output.clone() }.into());
    }
    let file = AtomicFile::create(output)?;
    pack(arguments, &mut BufWriter::with_capacity(1 << 16, file.file()))?;
    file.commit(arguments.force)?;
    Ok(0)
}

fn pack(arguments: &TarArgs, out: &mut impl Write) -> Result<(), CliError> {
    let mut images = Images::new(&arguments.place);
    let mut left_out = 0_usize;
    for given in &arguments.at {
        let (looked, path) = images.open(given)?;
        let stage = Stage::new(&*looked.tree);
        for path in looked.resolve(&stage, &path, false)? {
            let mut packer = Packer { looked: &looked, out, linked: BTreeMap::new(), left_out: 0 };
            packer.walk(&path)?;
            left_out += packer.left_out;
        }
    }
    // Two blocks of zeros end an archive; GNU tar fills up to 20.
    out.write_all(&[0; 1024]).and_then(|()| out.flush()).map_err(CliError::stream)?;
    if left_out > 0 {
        talk::note(&format!("{left_out} sockets are left out: an archive has none"));
    }
    Ok(())
}

struct Packer<'a, W> {
    looked: &'a Looked,
    out: &'a mut W,
    /// Names of files with several, until the last of them has come by.
    linked: BTreeMap<(usize, u64), (GuestPath, u32)>,
    left_out: usize,
}

impl<W: Write> Packer<'_, W> {
    fn walk(&mut self, top: &GuestPath) -> Result<(), CliError> {
        let mut pending = vec![top.clone()];
        while let Some(path) = pending.pop() {
            if path.components().count() > DEEPEST {
                let text = format!("{}: directories are deeper than {DEEPEST} levels", safe(path.as_str()));
                return Err(CliError::refused(text));
            }
            let Some(metadata) = self.looked.tree.lstat(&path)? else { continue };
            self.entry(&path)?;
            if metadata.kind == FileType::Directory {
                let entries = self.looked.tree.read_dir(&path)?;
                pending.extend(entries.into_iter().rev().map(|entry| path.join(&entry.name)));
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &GuestPath) -> Result<(), CliError> {
        let tree = &*self.looked.tree;
        let Some(metadata) = tree.lstat(path)? else { return Ok(()) };
        let identity = tree.identity(path)?;
        let special = identity.and_then(|identity| identity.special);
        let mut header = Header::new_ustar();
        let mut records = Vec::new();
        let mut target = None;
        let mut size = 0;
        let kind = match (metadata.kind, special) {
            (FileType::Directory, _) => EntryType::Directory,
            (FileType::Symlink, _) => {
                target = Some(tree.read_link(path)?);
                EntryType::Symlink
            }
            (FileType::Regular, _) => {
                let key = identity.filter(|identity| identity.links > 1);
                let key = key.map(|identity| ((identity.file_system, identity.inode), identity.links));
                match key.and_then(|(key, _)| self.linked.get_mut(&key)) {
                    Some((first, left)) => {
                        target = Some(name_of(first, false));
                        *left = left.saturating_sub(1);
                        let is_last = *left == 0;
                        if let (true, Some((key, _))) = (is_last, key) {
                            self.linked.remove(&key);
                        }
                        EntryType::Link
                    }
                    None => {
                        if let Some((key, links)) = key {
                            self.linked.insert(key, (path.clone(), links - 1));
                        }
                        size = metadata.size;
                        EntryType::Regular
                    }
                }
            }
            (FileType::Special, Some(Special::Character(major, minor))) => {
                device(&mut header, major, minor)?;
                EntryType::Char
            }
            (FileType::Special, Some(Special::Block(major, minor))) => {
                device(&mut header, major, minor)?;
                EntryType::Block
            }
            (FileType::Special, Some(Special::Fifo)) => EntryType::Fifo,
            (FileType::Special, _) => {
                self.left_out += 1;
                return Ok(());
            }
        };
        header.set_entry_type(kind);
        header.set_mode(metadata.mode);
        for (id, key) in [(metadata.uid, "uid"), (metadata.gid, "gid")] {
            if id > CLASSIC_ID {
                record(&mut records, key, id.to_string().as_bytes());
            }
        }
        header.set_uid(u64::from(metadata.uid.min(CLASSIC_ID)));
        header.set_gid(u64::from(metadata.gid.min(CLASSIC_ID)));
        let time = u64::try_from(metadata.mtime).ok().filter(|time| *time <= CLASSIC_SIZE);
        if time.is_none() {
            record(&mut records, "mtime", metadata.mtime.to_string().as_bytes());
        }
        header.set_mtime(time.unwrap_or(0));
        let map = if size >= LARGE { self.map(path, size)? } else { None };
        let (text, real) = match &map {
            Some(map) => (map_text(map), size),
            None => (Vec::new(), 0),
        };
        if let Some(map) = &map {
            size = text.len() as u64 + map.iter().map(|range| range.end - range.start).sum::<u64>();
        }
        if size > CLASSIC_SIZE {
            record(&mut records, "size", size.to_string().as_bytes());
        }
        header.set_size(size.min(CLASSIC_SIZE));
        let name = name_of(path, metadata.kind == FileType::Directory);
        if map.is_some() {
            // Format 1.0 of GNU tar: the map stands before the data, the real name and size here.
            let facts =
                [("major", "1".to_owned()), ("minor", "0".to_owned()), ("realsize", real.to_string())];
            for (key, value) in facts {
                record(&mut records, &format!("GNU.sparse.{key}"), value.as_bytes());
            }
            record(&mut records, "GNU.sparse.name", name.as_bytes());
            put(&mut header.as_old_mut().name, "./GNUSparseFile.0");
        } else {
            if name.len() > 100 || !name.is_ascii() {
                record(&mut records, "path", name.as_bytes());
            }
            put(&mut header.as_old_mut().name, &name);
        }
        if let Some(target) = &target {
            if target.len() > 100 || !target.is_ascii() {
                record(&mut records, "linkpath", target.as_bytes());
            }
            put(&mut header.as_old_mut().linkname, target);
        }
        if kind != EntryType::Link {
            for (key, value) in tree.xattrs(path)? {
                record(&mut records, &format!("SCHILY.xattr.{key}"), &value);
            }
        }
        self.pax(&records)?;
        header.set_cksum();
        self.out.write_all(header.as_bytes()).map_err(CliError::stream)?;
        match map {
            Some(map) => {
                self.out.write_all(&text).map_err(CliError::stream)?;
                self.ranges(path, &map)
            }
            None if size > 0 => self.content(path, size),
            None => Ok(()),
        }
    }

    /// Where a large file has data, when leaving out the rest is worth it. The last range ends the file.
    fn map(&self, path: &GuestPath, size: u64) -> Result<Option<Vec<Range<u64>>>, CliError> {
        let mut map: Vec<Range<u64>> = Vec::new();
        let (mut at, mut holes) = (0, 0);
        pieces(&*self.looked.tree, path, &mut |piece| {
            for range in data(piece) {
                let (start, end) = (at + range.start as u64, at + range.end as u64);
                let full = map.len() >= RANGES;
                match map.last_mut() {
                    Some(last) if full || start - last.end < SHORTEST => last.end = end,
                    last => {
                        holes += start - last.map_or(0, |last| last.end);
                        map.push(start..end);
                    }
                }
            }
            at += piece.len() as u64;
            Ok(())
        })?;
        if at < size {
            return Err(shorter(path, size - at));
        }
        let end = map.last().map_or(0, |last| last.end).min(size);
        holes += size - end;
        if let Some(last) = map.last_mut() {
            last.end = end;
        }
        map.push(size..size);
        Ok((holes >= WORTH).then_some(map))
    }

    /// The data of a file with holes.
    fn ranges(&mut self, path: &GuestPath, map: &[Range<u64>]) -> Result<(), CliError> {
        let mut piece = vec![0; super::PIECE];
        let mut written = 0;
        for range in map {
            let mut at = range.start;
            while at < range.end {
                let most = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(piece.len());
                let count = self.looked.tree.read_at(path, at, &mut piece[..most])?;
                if count == 0 {
                    return Err(shorter(path, range.end - at));
                }
                self.out.write_all(&piece[..count]).map_err(CliError::stream)?;
                at += count as u64;
            }
            written += range.end - range.start;
        }
        self.pad(written)
    }

    /// Exactly as many bytes as the header says.
    fn content(&mut self, path: &GuestPath, size: u64) -> Result<(), CliError> {
        let mut left = size;
        let out = &mut *self.out;
        pieces(&*self.looked.tree, path, &mut |piece| {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            left -= count as u64;
            out.write_all(&piece[..count]).map_err(CliError::stream)
        })?;
        if left > 0 {
            return Err(shorter(path, left));
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), CliError> {
        let rest = usize::try_from(size % 512).unwrap_or(0);
        let zeros = [0; 512];
        self.out.write_all(&zeros[..(512 - rest) % 512]).map_err(CliError::stream)
    }

    fn pax(&mut self, records: &[u8]) -> Result<(), CliError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0o644);
        header.set_size(records.len() as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        put(&mut header.as_old_mut().name, "././@PaxHeader");
        header.set_cksum();
        self.out
            .write_all(header.as_bytes())
            .and_then(|()| self.out.write_all(records))
            .map_err(CliError::stream)?;
        self.pad(records.len() as u64)
    }
}

fn shorter(path: &GuestPath, left: u64) -> CliError {
    CliError::refused(format!("{}: has {left} bytes less than its size says", safe(path.as_str())))
}

/// The map of a file with holes: how many ranges, then start and length of each, a line each; whole blocks.
fn map_text(map: &[Range<u64>]) -> Vec<u8> {
    let mut text = format!("{}\n", map.len());
    for range in map {
        text.push_str(&format!("{}\n{}\n", range.start, range.end - range.start));
    }
    let mut text = text.into_bytes();
    text.resize(text.len().next_multiple_of(512), 0);
    text
}

/// `etc/passwd`, `etc/` of a directory, `./` of the root.
fn name_of(path: &GuestPath, is_directory: bool) -> String {
    let slash = if is_directory { "/" } else { "" };
    match path.as_str().trim_start_matches('/') {
        "" => "./".to_owned(),
        name => format!("{name}{slash}"),
    }
}

fn device(header: &mut Header, major: u32, minor: u32) -> Result<(), CliError> {
    let done = header.set_device_major(major).and_then(|()| header.set_device_minor(minor));
    done.map_err(CliError::stream)
}

/// As much as there is room for; a pax record has all of what is longer.
fn put(field: &mut [u8; 100], text: &str) {
    for (slot, byte) in field.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
}

/// `LENGTH KEY=VALUE\n`, the length counting itself.
fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_records_count_themselves() {
        for length in [1, 90, 91, 92, 93, 989, 990, 991, 992, 993] {
            let mut records = Vec::new();
            record(&mut records, "path", &vec![b'x'; length]);
            let text = String::from_utf8_lossy(&records).into_owned();
            assert_eq!(text.split(' ').next().and_then(|n| n.parse().ok()), Some(records.len()), "{length}");
        }
    }
}
