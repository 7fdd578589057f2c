//! Backing files: what an image does not hold itself is read from the file that it names.
//!
//! An image can name any file, so nothing is opened unless the caller allows a directory, and
//! then only files that lie in it after links and `..` are resolved. Names are understood as
//! QEMU does (`block.c`, `path_has_protocol` and `bdrv_make_absolute_filename`): relative to the
//! directory of the image as it was named, and a colon before the first slash is a protocol.
//!
//! The format of a backing file is what the image states. When it states none, a file with
//! qcow2's magic is qcow2 and any other raw: a file stated to be raw is never looked into, as its
//! guest could have written a header there.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::MAGIC;
use super::header::{BackingName, L1_LIMIT, printable};
use super::layer::Layer;
use crate::lock::refuse_locked;
use crate::raw::open_file;
use crate::{Error, RawSource, SourceFormat, detect_format};

/// Files of one chain. QEMU has no limit; chains of snapshots seldom have ten.
const CHAIN: usize = 32;

/// Whether an image may be read through to its backing file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Backing {
    /// An image that needs a backing file is refused.
    #[default]
    Refuse,
    /// Backing files are read when they lie in this directory, links and `..` resolved.
    Within(PathBuf),
}

/// The files of an image, from the image itself down.
pub(super) struct Chain {
    pub(super) layers: Vec<Layer>,
    pub(super) raw: Option<RawSource>,
}

fn unsupported(path: &Path, what: String) -> Error {
    Error::Unsupported { path: path.to_owned(), format: "qcow2", what }
}

fn corrupt(path: &Path, what: String) -> Error {
    Error::Corrupt { path: path.to_owned(), format: "qcow2", what }
}

fn identity(file: &File, path: &Path) -> Result<(u64, u64), Error> {
    let found = file.metadata().map_err(|source| Error::io(path, "look at the image", source))?;
    Ok((found.dev(), found.ino()))
}

/// Opens `file` and all backing files below it.
pub(super) fn open_chain(file: File, path: &Path, length: u64, backing: &Backing) -> Result<Chain, Error> {
    let mut seen = vec![identity(&file, path)?];
    let mut layers = vec![Layer::open(file, path, length, 0)?];
    let mut tables = layers[0].header().l1_entries * 8;
    while let Some((named_by, name)) =
        layers.last().and_then(|layer| Some((layer.path().to_owned(), layer.header().backing.clone()?)))
    {
        let path = locate(&named_by, &name, backing)?;
        let (file, length) = open_file(&path)?;
        let own = identity(&file, &path)?;
        if seen.contains(&own) {
            let what = format!(
                "its backing file \"{}\" is an image that is itself backed by it: the chain has no end",
                name.printable()
            );
            return Err(corrupt(&named_by, what));
        }
        if seen.len() == CHAIN {
            let what = format!(
                "more than {CHAIN} files in a chain of backing files: `qemu-img rebase` or `qemu-img convert` shortens it"
            );
            return Err(unsupported(&named_by, what));
        }
        refuse_locked(&file, &path)?;
        if format(&file, &path, length, &named_by, &name)? == SourceFormat::Raw {
            return Ok(Chain { layers, raw: Some(RawSource::backing(file, &path, length)) });
        }
        let layer = Layer::open(file, &path, length, layers.len())?;
        seen.push(own);
        tables += layer.header().l1_entries * 8;
        if tables > L1_LIMIT {
            let what = format!("the L1 tables of its chain of backing files have more than {L1_LIMIT} bytes");
            return Err(unsupported(&path, what));
        }
        layers.push(layer);
    }
    Ok(Chain { layers, raw: None })
}

/// The path of the file that the image `named_by` calls `name`, if it may be opened.
fn locate(named_by: &Path, name: &BackingName, backing: &Backing) -> Result<PathBuf, Error> {
    let shown = name.printable();
    let Backing::Within(directory) = backing else {
        return Err(unsupported(
            named_by,
            format!(
                "it needs its backing file \"{shown}\": name the directory where that lies (--backing-dir DIR), or let `qemu-img convert -O qcow2 FILE NEW` make one image of both"
            ),
        ));
    };
    if name.name.iter().find(|byte| matches!(byte, b':' | b'/')) == Some(&b':') {
        let what = format!("its backing file \"{shown}\" is a protocol's name and no path: none is followed");
        return Err(unsupported(named_by, what));
    }
    if name.name.contains(&0) {
        return Err(corrupt(named_by, format!("the name of its backing file, \"{shown}\", holds a NUL")));
    }
    let path = named_by.parent().unwrap_or(Path::new("")).join(OsStr::from_bytes(&name.name));
    let real = std::fs::canonicalize(&path).map_err(|source| {
        Error::io(&path, format!("find it, the backing file of {}", named_by.display()), source)
    })?;
    let allowed = std::fs::canonicalize(directory)
        .map_err(|source| Error::io(directory, "find the directory of the backing files", source))?;
    if !real.starts_with(&allowed) {
        return Err(unsupported(
            named_by,
            format!(
                "its backing file \"{shown}\" lies outside of {}, the directory that was named for it",
                printable(directory.as_os_str().as_bytes())
            ),
        ));
    }
    Ok(path)
}

/// The format of the backing file at `path`, which has `length` bytes.
fn format(
    file: &File,
    path: &Path,
    length: u64,
    named_by: &Path,
    name: &BackingName,
) -> Result<SourceFormat, Error> {
    let other = |format: &str| {
        let what = format!(
            "its backing file \"{}\" has the format \"{format}\", where raw and qcow2 are read",
            name.printable()
        );
        unsupported(named_by, what)
    };
    match name.format.as_deref() {
        Some(b"raw") => return Ok(SourceFormat::Raw),
        // What is stated is not doubted: reading the header says what is wrong with it.
        Some(b"qcow2") => return Ok(SourceFormat::Qcow2),
        Some(stated) => return Err(other(&printable(stated))),
        None => {}
    }
    let mut magic = [0; MAGIC.len()];
    let known = &mut magic[..length.min(MAGIC.len() as u64) as usize];
    file.read_exact_at(known, 0).map_err(|source| Error::io(path, "read its first bytes", source))?;
    if magic == MAGIC {
        return Ok(SourceFormat::Qcow2);
    }
    match detect_format(path)? {
        SourceFormat::Raw => Ok(SourceFormat::Raw),
        found => Err(other(found.name())),
    }
}
