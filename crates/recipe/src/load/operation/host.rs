//! Trees of the host that a recipe names.

use std::path::PathBuf;

use hardtack_yaml::Span;

use super::super::reader::Reader;
use crate::load::host::HostType;
use crate::model::operation::{HostEntry, HostKind};

/// What one `copy-in` may hold, in bytes: it lies in memory until it is written.
const MOST_BYTES: u64 = 1 << 30;
/// The most paths of one.
const MOST_PATHS: usize = 200_000;
/// The bits of a mode that come along: neither set-id nor sticky, unless they are asked for.
const MODE: u32 = 0o777;

/// The mode of a file of the host.
pub(super) fn mode(reader: &mut Reader<'_>, text: &str, span: Span) -> Option<u32> {
    let path = reader.host_path(text);
    match reader.files.kind(&path, true) {
        Ok((_, mode)) => Some(mode & MODE),
        Err(error) => {
            reader.local(span, &path, &error);
            None
        }
    }
}

/// `text` and all below, under its own name, in the order of paths. Links stay links.
pub(super) fn tree(reader: &mut Reader<'_>, text: &str, span: Span) -> Option<Vec<HostEntry>> {
    let top = reader.host_path(text);
    let Some(name) = top.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        reader.error_hint(
            span,
            "`from` has no name of its own",
            "write the directory's name, not `.` or `..`",
        );
        return None;
    };
    let mut left = MOST_BYTES;
    let mut found = Vec::new();
    // A name that was given is followed where it is a link; what is below is not.
    let mut pending: Vec<(PathBuf, String)> = vec![(top.clone(), name)];
    while let Some((path, inside)) = pending.pop() {
        if found.len() >= MOST_PATHS {
            reader.error(span, format!("`from` holds more than {MOST_PATHS} paths"));
            return None;
        }
        let entry = entry(reader, &path, path == top, left).and_then(|(kind, mode)| {
            if matches!(kind, HostKind::Directory) {
                for below in reader.files.list(&path)? {
                    let name = below.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
                        std::io::Error::other(format!("{}: its name is not UTF-8", below.display()))
                    })?;
                    pending.push((below.clone(), format!("{inside}/{name}")));
                }
            }
            Ok((kind, mode))
        });
        match entry {
            Ok((kind, mode)) => {
                if let HostKind::File(content) = &kind {
                    left = left.saturating_sub(content.len() as u64);
                }
                found.push(HostEntry { path: inside, kind, mode: mode & MODE });
            }
            Err(error) => {
                reader.local(span, &path, &error);
                return None;
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Some(found)
}

fn entry(
    reader: &Reader<'_>,
    path: &std::path::Path,
    is_top: bool,
    left: u64,
) -> std::io::Result<(HostKind, u32)> {
    let (kind, mode) = reader.files.kind(path, is_top)?;
    let kind = match kind {
        HostType::Directory => HostKind::Directory,
        HostType::File => HostKind::File(reader.files.read(path, left)?.into()),
        HostType::Link(target) => HostKind::Link(target),
        HostType::Other => return Err(std::io::Error::other("is a device, pipe or socket")),
    };
    Ok((kind, mode))
}
