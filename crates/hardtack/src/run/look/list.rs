//! `hardtack ls`.

use std::collections::BTreeMap;
use std::io::Write;

use hardtack_credentials::time::format_utc;
use hardtack_guest::{FileType, GuestPath, Metadata, Special, Stage};
use serde_json::json;

use super::DEEPEST;
use super::place::{Images, Looked};
use crate::args::LsArgs;
use crate::error::CliError;
use crate::terminal::safe;

pub(super) fn run(arguments: &LsArgs) -> Result<u8, CliError> {
    let mut images = Images::new(&arguments.place);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut printer = Printer { arguments, first: true, several: arguments.at.len() > 1 };
    if arguments.json {
        out.write_all(b"[").map_err(CliError::stream)?;
    }
    for given in &arguments.at {
        let (looked, path) = images.open(given)?;
        let stage = Stage::new(&*looked.tree);
        let names = Names::read(&stage, arguments.numeric);
        let follow = !arguments.directory && !arguments.long;
        let found = looked.resolve(&stage, &path, follow)?;
        printer.several |= found.len() > 1;
        for path in found {
            let metadata = looked.existing(&path)?;
            if metadata.kind != FileType::Directory || arguments.directory {
                printer.entry(&mut out, &looked, &names, &path, &metadata, path.as_str())?;
                continue;
            }
            printer.directory(&mut out, &looked, &names, &path)?;
        }
    }
    if arguments.json {
        out.write_all(b"\n]\n").map_err(CliError::stream)?;
    }
    out.flush().map_err(CliError::stream)?;
    Ok(0)
}

struct Printer<'a> {
    arguments: &'a LsArgs,
    /// Nothing was printed yet.
    first: bool,
    several: bool,
}

impl Printer<'_> {
    fn directory(
        &mut self,
        out: &mut impl Write,
        looked: &Looked,
        names: &Names,
        top: &GuestPath,
    ) -> Result<(), CliError> {
        let mut pending = vec![top.clone()];
        while let Some(path) = pending.pop() {
            if path.components().count() > DEEPEST {
                let text = format!(
                    "{}:{}: directories are deeper than {DEEPEST} levels",
                    looked.name,
                    safe(path.as_str())
                );
                return Err(CliError::refused(text));
            }
            if !self.arguments.json && (self.several || self.arguments.recursive) {
                let gap = if self.first { "" } else { "\n" };
                writeln!(out, "{gap}{}:", safe(path.as_str())).map_err(CliError::stream)?;
                self.first = false;
            }
            let mut below = Vec::new();
            for entry in looked.tree.read_dir(&path)? {
                let child = path.join(&entry.name);
                // A damaged entry may name what is not there.
                let Some(metadata) = looked.tree.lstat(&child)? else { continue };
                self.entry(out, looked, names, &child, &metadata, &entry.name)?;
                if self.arguments.recursive && metadata.kind == FileType::Directory {
                    below.push(child);
                }
            }
            pending.extend(below.into_iter().rev());
        }
        Ok(())
    }

    fn entry(
        &mut self,
        out: &mut impl Write,
        looked: &Looked,
        names: &Names,
        path: &GuestPath,
        metadata: &Metadata,
        shown: &str,
    ) -> Result<(), CliError> {
        let is_link = metadata.kind == FileType::Symlink;
        let wants_more = self.arguments.long || self.arguments.json;
        let target = if is_link && wants_more { Some(looked.tree.read_link(path)?) } else { None };
        let identity = if wants_more { looked.tree.identity(path)? } else { None };
        let special = identity.and_then(|identity| identity.special);
        if self.arguments.json {
            let mut entry = json!({
                "path": path.as_str(),
                "type": word(metadata.kind, special),
                "mode": format!("{:04o}", metadata.mode),
                "uid": metadata.uid,
                "gid": metadata.gid,
                "user": names.user(metadata.uid),
                "group": names.group(metadata.gid),
                "mtime": metadata.mtime,
            });
            if metadata.kind == FileType::Regular {
                entry["size"] = metadata.size.into();
            }
            if let Some(target) = target {
                entry["target"] = target.into();
            }
            if let Some(identity) = identity {
                entry["links"] = identity.links.into();
            }
            if let Some(Special::Character(major, minor) | Special::Block(major, minor)) = special {
                entry["device"] = json!([major, minor]);
            }
            let comma = if self.first { "\n " } else { ",\n " };
            self.first = false;
            return write!(out, "{comma}{entry}").map_err(CliError::stream);
        }
        self.first = false;
        if !self.arguments.long {
            return writeln!(out, "{}", safe(shown)).map_err(CliError::stream);
        }
        let size = match special {
            Some(Special::Character(major, minor) | Special::Block(major, minor)) => {
                format!("{major}, {minor}")
            }
            _ => metadata.size.to_string(),
        };
        let links = identity.map_or(1, |identity| identity.links);
        let arrow = target.map(|target| format!(" -> {}", safe(&target))).unwrap_or_default();
        writeln!(
            out,
            "{}{} {links:>3} {:<8} {:<8} {size:>10} {} {}{arrow}",
            letter(metadata.kind, special),
            permissions(metadata.mode),
            safe(&names.user(metadata.uid)),
            safe(&names.group(metadata.gid)),
            minutes(metadata.mtime),
            safe(shown),
        )
        .map_err(CliError::stream)
    }
}

/// `2026-11-22 10:00`.
fn minutes(time: i64) -> String {
    match u64::try_from(time) {
        // Seconds are in the JSON.
        Ok(time) => format_utc(time).get(..16).unwrap_or_default().replace('T', " "),
        Err(_) => "before 1970".to_owned(),
    }
}

fn word(kind: FileType, special: Option<Special>) -> &'static str {
    match (kind, special) {
        (FileType::Regular, _) => "file",
        (FileType::Directory, _) => "directory",
        (FileType::Symlink, _) => "link",
        (_, Some(Special::Character(..))) => "character device",
        (_, Some(Special::Block(..))) => "block device",
        (_, Some(Special::Fifo)) => "pipe",
        (_, Some(Special::Socket)) => "socket",
        _ => "special",
    }
}

fn letter(kind: FileType, special: Option<Special>) -> char {
    match (kind, special) {
        (FileType::Regular, _) => '-',
        (FileType::Directory, _) => 'd',
        (FileType::Symlink, _) => 'l',
        (_, Some(Special::Character(..))) => 'c',
        (_, Some(Special::Block(..))) => 'b',
        (_, Some(Special::Fifo)) => 'p',
        (_, Some(Special::Socket)) => 's',
        _ => '?',
    }
}

/// `rwxr-xr-x`, as ls has it.
pub(in crate::run) fn permissions(mode: u32) -> String {
    let mut text = String::with_capacity(9);
    for (shift, set, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & set != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// Names of owners, by the image's own files.
struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    /// A data disk has none, and a damaged file is no reason to list nothing.
    fn read(stage: &Stage<'_>, numeric: bool) -> Self {
        let table = |path: &str| -> BTreeMap<u32, String> {
            let text = if numeric { None } else { stage.read_limited(path, 1 << 20).ok().flatten() };
            let text = text.unwrap_or_default();
            let mut table = BTreeMap::new();
            for line in String::from_utf8_lossy(&text).lines() {
                let mut fields = line.split(':');
                if let (Some(name), Some(Ok(id))) = (fields.next(), fields.nth(1).map(str::parse)) {
                    table.entry(id).or_insert_with(|| name.to_owned());
                }
            }
            table
        };
        Self { users: table("/etc/passwd"), groups: table("/etc/group") }
    }

    fn user(&self, id: u32) -> String {
        self.users.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn group(&self, id: u32) -> String {
        self.groups.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_written_as_by_ls() {
        for (mode, text) in [
            (0o755, "rwxr-xr-x"),
            (0o4755, "rwsr-xr-x"),
            (0o2640, "rw-r-S---"),
            (0o1777, "rwxrwxrwt"),
            (0o1000, "--------T"),
        ] {
            assert_eq!(permissions(mode), text);
        }
        assert_eq!(minutes(0), "1970-01-01 00:00");
    }
}
