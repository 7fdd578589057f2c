//! Which format an image file has, by its magic bytes; the file's name is not looked at.
//!
//! Raw images have no magic, so everything unknown is raw. What is plainly something else is
//! refused by name: edits of a VMDK read as raw would look fine and boot nowhere.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::lock::refuse_locked;
use crate::raw::open_file;
use crate::{BlockSource, Error, Qcow2Source, RawSource, qcow2};

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFormat {
    /// The file's bytes are the disk's bytes.
    Raw,
    /// qcow2, version 2 or 3.
    Qcow2,
}

impl SourceFormat {
    /// The name that `qemu-img` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// Opens an image read-only, whatever its format is.
///
/// Refused ([`Error::is_refusal`]): a format that is not read, with the command that converts it;
/// a damaged image; an image that a running QEMU has open for writing.
pub fn open_source(path: &Path) -> Result<Box<dyn BlockSource>, Error> {
    let (file, length) = open_file(path)?;
    let format = format_of(&file, path, length)?;
    refuse_locked(&file, path)?;
    Ok(match format {
        SourceFormat::Raw => Box::new(RawSource::new(file, path, length)?),
        SourceFormat::Qcow2 => Box::new(Qcow2Source::new(file, path, length)?),
    })
}

/// Tells the format of an image file; refuses those that are not read.
pub fn detect_format(path: &Path) -> Result<SourceFormat, Error> {
    let (file, length) = open_file(path)?;
    format_of(&file, path, length)
}

/// Bytes looked at from the front: behind the ISO 9660 volume descriptor's magic at 32769.
const HEAD: u64 = 33 << 10;
/// Length of the trailers of VHD and DMG in bytes.
const TAIL: u64 = 512;

struct Foreign {
    at: usize,
    magic: &'static [u8],
    name: &'static str,
    advice: &'static str,
}

const fn foreign(at: usize, magic: &'static [u8], name: &'static str, advice: &'static str) -> Foreign {
    Foreign { at, magic, name, advice }
}

const CONVERT: &str = "`qemu-img convert -O qcow2 FILE NEW` converts it";
const UNPACK: &str = "unpack it and give the disk image that is inside";

/// Magic bytes at the front of files that are no raw image.
const FOREIGN: &[Foreign] = &[
    foreign(0, b"KDMV", "VMDK", CONVERT),
    foreign(0, b"COWD", "VMDK", CONVERT),
    foreign(0, b"# Disk DescriptorFile", "VMDK", CONVERT),
    foreign(0, b"conectix", "VHD", "`qemu-img convert -f vpc -O qcow2 FILE NEW` converts it"),
    foreign(0, b"vhdxfile", "VHDX", CONVERT),
    foreign(0x40, b"\x7f\x10\xda\xbe", "VDI", CONVERT),
    foreign(0, b"QED\0", "QED", CONVERT),
    foreign(0, b"WithoutFreeSpace", "Parallels", CONVERT),
    foreign(0, b"WithouFreSpacExt", "Parallels", CONVERT),
    foreign(0, b"OOOM\0", "cow", CONVERT),
    foreign(0, b"\x3a\xff\x26\xed", "Android sparse", "`simg2img FILE NEW` converts it"),
    foreign(
        0,
        b"LUKS\xba\xbe",
        "LUKS",
        "it is an encrypted disk: decrypt it with cryptsetup and give the disk inside",
    ),
    foreign(0, b"\x1f\x8b\x08", "gzip", "`gzip -dc FILE > NEW` unpacks it"),
    foreign(0, b"BZh", "bzip2", "`bzip2 -dc FILE > NEW` unpacks it"),
    foreign(0, b"\xfd7zXZ\0", "xz", "`xz -dc FILE > NEW` unpacks it"),
    foreign(0, b"\x28\xb5\x2f\xfd", "zstd", "`zstd -dc FILE > NEW` unpacks it"),
    foreign(0, b"\x04\x22\x4d\x18", "lz4", "`lz4 -dc FILE > NEW` unpacks it"),
    foreign(0, b"LZIP", "lzip", "`lzip -dc FILE > NEW` unpacks it"),
    foreign(0, b"\x1f\x9d", "compress (.Z)", "`gzip -dc FILE > NEW` unpacks it"),
    foreign(0, b"7z\xbc\xaf\x27\x1c", "7z", UNPACK),
    foreign(0, b"PK\x03\x04", "zip", UNPACK),
    foreign(0, b"Rar!\x1a\x07", "rar", UNPACK),
    foreign(0, b"!<arch>\n", "ar", UNPACK),
    foreign(257, b"ustar", "tar", "`tar -xf FILE` unpacks it; give the disk image that is inside"),
    foreign(0, b"\x7fELF", "ELF program", "it is no disk"),
    foreign(0, b"<!DOCTYPE", "web page", "the download went wrong"),
    foreign(0, b"<!doctype", "web page", "the download went wrong"),
    foreign(0, b"<html", "web page", "the download went wrong"),
];

/// Magic bytes of trailers, 512 bytes before the end of the file.
const FOREIGN_TAIL: &[Foreign] = &[
    foreign(0, b"conectix", "VHD", "`qemu-img convert -f vpc -O qcow2 FILE NEW` converts it"),
    foreign(0, b"koly", "DMG", CONVERT),
];

impl Foreign {
    fn is(&self, bytes: &[u8]) -> bool {
        bytes.get(self.at..).is_some_and(|bytes| bytes.starts_with(self.magic))
    }

    fn error(&self, path: &Path) -> Error {
        Error::Unsupported { path: path.to_owned(), format: self.name, what: self.advice.to_owned() }
    }
}

fn format_of(file: &File, path: &Path, length: u64) -> Result<SourceFormat, Error> {
    let read = |offset: u64, length: u64| {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, offset)
            .map(|()| bytes)
            .map_err(|source| Error::io(path, format!("read {length} bytes at {offset:#x}"), source))
    };
    let head = read(0, length.min(HEAD))?;
    if head.starts_with(&qcow2::MAGIC) {
        return Ok(SourceFormat::Qcow2);
    }
    if let Some(foreign) = FOREIGN.iter().find(|foreign| foreign.is(&head)) {
        return Err(foreign.error(path));
    }
    let tail = read(length.saturating_sub(TAIL), length.min(TAIL))?;
    // Virtual PC before 2004 wrote a trailer of 511 bytes.
    if let Some(foreign) = FOREIGN_TAIL
        .iter()
        .find(|foreign| foreign.is(&tail) || tail.get(1..).is_some_and(|tail| foreign.is(tail)))
    {
        return Err(foreign.error(path));
    }
    // A disk that once held an ISO keeps its magic between the partition table and the first partition.
    let is_iso = head.get(32769..).is_some_and(|bytes| bytes.starts_with(b"CD001"));
    let is_gpt = head.get(512..).is_some_and(|bytes| bytes.starts_with(b"EFI PART"));
    if is_iso && !is_gpt {
        let what = "it is an installation or live medium: give the image of an installed disk".to_owned();
        return Err(Error::Unsupported { path: path.to_owned(), format: "ISO 9660", what });
    }
    Ok(SourceFormat::Raw)
}
