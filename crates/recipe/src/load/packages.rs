//! The `packages` step's settings.

use std::io;
use std::path::{Path, PathBuf};

use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape};
use super::reader::Reader;
use crate::model::{DebFile, PackagesStep};

/// The keys of the step.
pub(super) const KEYS: &[Key] = &[Key::must(
    "debs",
    Shape::Several(&Shape::Text),
    ".deb files of this machine, or directories with such files.",
)];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<PackagesStep> {
    let fields = reader.keyed(node, "step `packages`", KEYS)?;
    let debs = reader.required(&fields, "debs", at)?;
    let mut step = PackagesStep::default();
    let items = reader.items(debs, "debs");
    if items.is_empty() && debs.as_sequence().is_some() {
        reader.error(debs.span, "`debs` is empty; it lists files or directories");
    }
    for item in items {
        let Some(text) = reader.line(item, "debs") else { continue };
        let path = reader.host_path(text);
        match reader.files.is_directory(&path) {
            Err(error) => reader.local(item.span, &path, &error),
            Ok(false) => add(&mut step, path),
            Ok(true) => directory(reader, &mut step, &path, item.span),
        }
    }
    Some(step)
}

fn directory(reader: &mut Reader<'_>, step: &mut PackagesStep, path: &Path, span: Span) {
    let listed = match reader.files.list(path) {
        Ok(listed) => listed,
        Err(error) => return reader.local(span, path, &error),
    };
    let debs: Vec<PathBuf> =
        listed.into_iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "deb")).collect();
    if debs.is_empty() {
        let error = io::Error::other("holds no .deb file");
        return reader.local(span, path, &error);
    }
    for path in debs {
        add(step, path);
    }
}

fn add(step: &mut PackagesStep, path: PathBuf) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !step.debs.iter().any(|deb| deb.path == path) {
        step.debs.push(DebFile { name, path });
    }
}
