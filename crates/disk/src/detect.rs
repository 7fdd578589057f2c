//! Which format an image file has, by its magic bytes; the file's name is not looked at.
//!
//! Raw images have no magic, so everything unknown is raw. What is plainly something else is
//! refused by name: edits of a VDI read as raw would look fine and boot nowhere.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::atomic::proc_path;
use crate::container::{Codec, is_tar_header};
use crate::lock::refuse_locked;
use crate::raw::open_file;
use crate::{AtomicFile, Backing, BlockSource, Error, Qcow2Source, RawSource, qcow2};

/// The formats that [`open_source`] reads.
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

/// Opens a raw or qcow2 image read-only.
///
/// Refused ([`Error::is_refusal`]): any other format, with the command that converts it; a damaged
/// image; an image that a running QEMU has open for writing. Containers and the formats of other
/// programs are read by [`open_source_with`](crate::open_source_with).
pub fn open_source(path: &Path) -> Result<Box<dyn BlockSource>, Error> {
    let (file, length) = open_file(path)?;
    let format = format_of(&file, path, length)?;
    refuse_locked(&file, path)?;
    Ok(match format {
        SourceFormat::Raw => Box::new(RawSource::new(file, path, length)?),
        SourceFormat::Qcow2 => Box::new(Qcow2Source::new(file, path, length)?),
    })
}

impl AtomicFile {
    /// What was written so far, read-only, while it has no name yet. Its backing file is found as if it
    /// had its name.
    ///
    /// # Errors
    /// As [`open_source`].
    pub fn read_back(&self, backing: &Backing) -> Result<Box<dyn BlockSource>, Error> {
        let (file, length) = open_file(&proc_path(self.file()))?;
        Ok(match format_of(&file, self.path(), length)? {
            SourceFormat::Raw => Box::new(RawSource::new(file, self.path(), length)?),
            SourceFormat::Qcow2 => Box::new(Qcow2Source::new_with(file, self.path(), length, backing)?),
        })
    }
}

/// Tells the format of an image file; refuses those that [`open_source`] does not read.
pub fn detect_format(path: &Path) -> Result<SourceFormat, Error> {
    let (file, length) = open_file(path)?;
    format_of(&file, path, length)
}

/// Bytes looked at from the front: behind the superblock of btrfs, at 64 KiB.
pub(crate) const HEAD: u64 = 68 << 10;
/// Length of the trailers of VHD and DMG in bytes.
pub(crate) const TAIL: u64 = 512;

/// What the first and last bytes of a file say that it is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Nothing that is known: the bytes of a disk, if they are one.
    Raw,
    Qcow2,
    /// VMDK with its grains in the same file.
    Vmdk,
    /// VHD with a footer at the front (dynamic) or only at the end (fixed).
    Vhd,
    Compressed(Codec),
    Tar,
    Cpio,
    Rpm,
    /// Known, and not read.
    Foreign(&'static Foreign),
}

/// A format that is known by its name only.
pub(crate) struct Foreign {
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
    foreign(0, b"COWD", "VMDK", CONVERT),
    foreign(0, b"# Disk DescriptorFile", "VMDK", CONVERT),
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
    foreign(0, b"\x04\x22\x4d\x18", "lz4", "`lz4 -dc FILE > NEW` unpacks it"),
    foreign(0, b"LZIP", "lzip", "`lzip -dc FILE > NEW` unpacks it"),
    foreign(0, b"\x1f\x9d", "compress (.Z)", "`gzip -dc FILE > NEW` unpacks it"),
    foreign(0, b"7z\xbc\xaf\x27\x1c", "7z", UNPACK),
    foreign(0, b"PK\x03\x04", "zip", UNPACK),
    foreign(0, b"Rar!\x1a\x07", "rar", UNPACK),
    foreign(0, b"!<arch>\n", "ar", UNPACK),
    foreign(0, b"\x7fELF", "ELF program", "it is no disk"),
    foreign(0, b"<!DOCTYPE", "web page", "the download went wrong"),
    foreign(0, b"<!doctype", "web page", "the download went wrong"),
    foreign(0, b"<html", "web page", "the download went wrong"),
];

/// The magic bytes of VHD, at the front of a dynamic one and 512 bytes before the end of any.
pub(crate) const VHD: &[u8] = b"conectix";
/// The trailer of Apple's disk images, 512 bytes before the end of the file.
const DMG: Foreign = foreign(0, b"koly", "DMG", CONVERT);
const ISO: Foreign = foreign(
    32769,
    b"CD001",
    "ISO 9660",
    "it is an installation or live medium: give the image of an installed disk",
);
/// Those of the names above that stand for disks.
const DISKS: &[&str] =
    &["VMDK", "VHDX", "VDI", "QED", "Parallels", "cow", "Android sparse", "LUKS", "DMG", "ISO 9660"];

impl Foreign {
    fn is(&self, bytes: &[u8]) -> bool {
        bytes.get(self.at..).is_some_and(|bytes| bytes.starts_with(self.magic))
    }

    /// True for formats of disks, which an archive may hold as its image.
    pub(crate) fn is_disk(&self) -> bool {
        DISKS.contains(&self.name)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn error(&self, path: &Path) -> Error {
        unsupported(path, self.name, self.advice)
    }
}

/// The kind by the first [`HEAD`] and the last [`TAIL`] bytes, or all of them if there are fewer.
/// Without a tail, kinds that only the end tells are not found.
pub(crate) fn kind_of(head: &[u8], tail: &[u8]) -> Kind {
    if head.starts_with(&qcow2::MAGIC) {
        return Kind::Qcow2;
    }
    if head.starts_with(b"KDMV") {
        return Kind::Vmdk;
    }
    if head.starts_with(VHD) {
        return Kind::Vhd;
    }
    if let Some(codec) = Codec::of(head) {
        return Kind::Compressed(codec);
    }
    if head.starts_with(b"\xed\xab\xee\xdb") {
        return Kind::Rpm;
    }
    if [&b"070701"[..], b"070702", b"070707"].iter().any(|magic| head.starts_with(magic)) {
        return Kind::Cpio;
    }
    if let Some(foreign) = FOREIGN.iter().find(|foreign| foreign.is(head)) {
        return Kind::Foreign(foreign);
    }
    if is_tar_header(head) {
        return Kind::Tar;
    }
    // Virtual PC before 2004 wrote a trailer of 511 bytes.
    let tails = [tail, tail.get(1..).unwrap_or_default()];
    if tails.iter().any(|tail| tail.starts_with(VHD)) {
        return Kind::Vhd;
    }
    if tails.iter().any(|tail| DMG.is(tail)) {
        return Kind::Foreign(&DMG);
    }
    // A disk that once held an ISO keeps its magic between the partition table and the first partition.
    let is_gpt = head.get(512..).is_some_and(|bytes| bytes.starts_with(b"EFI PART"));
    if ISO.is(head) && !is_gpt {
        return Kind::Foreign(&ISO);
    }
    Kind::Raw
}

fn unsupported(path: &Path, format: &'static str, what: &str) -> Error {
    Error::Unsupported { path: path.to_owned(), format, what: what.to_owned() }
}

fn format_of(file: &File, path: &Path, length: u64) -> Result<SourceFormat, Error> {
    let read = |offset: u64, length: u64| {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, offset)
            .map(|()| bytes)
            .map_err(|source| Error::io(path, format!("read {length} bytes at {offset:#x}"), source))
    };
    let head = read(0, length.min(HEAD))?;
    let tail = read(length.saturating_sub(TAIL), length.min(TAIL))?;
    match kind_of(&head, &tail) {
        Kind::Raw => Ok(SourceFormat::Raw),
        Kind::Qcow2 => Ok(SourceFormat::Qcow2),
        Kind::Foreign(foreign) => Err(foreign.error(path)),
        Kind::Vmdk => Err(unsupported(path, "VMDK", CONVERT)),
        Kind::Vhd => Err(unsupported(path, "VHD", "`qemu-img convert -f vpc -O qcow2 FILE NEW` converts it")),
        Kind::Compressed(codec) => {
            let name = codec.name();
            Err(unsupported(path, name, &format!("`{name} -dc FILE > NEW` unpacks it")))
        }
        Kind::Tar => {
            Err(unsupported(path, "tar", "`tar -xf FILE` unpacks it; give the disk image that is inside"))
        }
        Kind::Cpio => Err(unsupported(path, "cpio", UNPACK)),
        Kind::Rpm => Err(unsupported(path, "rpm", UNPACK)),
    }
}
