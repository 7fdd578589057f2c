//! The rpm databases of an image, read without rpm: which packages are installed.
//!
//! * `sqlite`: `rpmdb.sqlite` of Fedora, EL 9 and openSUSE of today, with what its write-ahead log holds.
//! * `bdb`: `Packages`, a hash of Berkeley DB, of everything up to EL 8.
//! * `ndb`: `Packages.db`, of SUSE.
//! * `header`: what all three hold for each package, rpm's own header.
//!
//! Own readers: SQLite itself, as C code over bytes that an attacker may have written, is no match for one table of
//! two columns, and Berkeley DB and ndb have no library in Rust. None of them writes, recurses, or takes more memory
//! than one package's header and what is given back.
//!
//! Sources: sqlite.org/fileformat2.html; rpm 4.18 lib/backend/{sqlite.c,ndb/rpmpkg.c,bdb_ro.c}, lib/header.c,
//! include/rpm/rpmtag.h.

mod bdb;
mod header;
mod ndb;
mod sqlite;
#[cfg(test)]
mod tests;

use crate::{Error, FileType, GuestPath, Stage, Tree};

/// Where rpm keeps its database: the distribution's macros say which.
const DIRECTORIES: [&str; 2] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];

/// A header is no longer than this; the largest of kernels have some 3 MiB (rpm's own limit is 256 MiB).
const HEADER_LIMIT: usize = 64 << 20;

/// Packages of one image; the largest installations have some 10 000.
const PACKAGE_LIMIT: usize = 200_000;

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// `NAME`.
    pub name: String,
    /// `EPOCH`, where it has one.
    pub epoch: Option<u32>,
    /// `VERSION`.
    pub version: String,
    /// `RELEASE`.
    pub release: String,
    /// `ARCH`; empty for `gpg-pubkey`.
    pub arch: String,
    /// `LICENSE`.
    pub license: String,
    /// `VENDOR`.
    pub vendor: String,
    /// `SUMMARY`, in the first language.
    pub summary: String,
    /// `SOURCERPM`.
    pub source_rpm: String,
    /// `URL`.
    pub url: String,
    /// `PACKAGER`.
    pub packager: String,
    /// `MODULARITYLABEL`.
    pub modularity: String,
    /// `INSTALLTIME`, seconds since 1970.
    pub install_time: Option<u32>,
    /// `SIZE` or `LONGSIZE`, in bytes.
    pub size: u64,
    /// What is known of the package's file.
    pub digests: Digests,
}

/// Digests of a package's file and its parts, as lower-case hexadecimal; empty where rpm kept none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// `SIGMD5`: MD5 of header and payload.
    pub md5: String,
    /// `SHA1HEADER`.
    pub header_sha1: String,
    /// `SHA256HEADER`.
    pub header_sha256: String,
    /// `PAYLOADDIGEST` (or `PAYLOADSHA256`): SHA-256 of the packed payload.
    pub payload_sha256: String,
}

impl Package {
    /// `1:2.3-4.el9`, as dnf writes it.
    #[must_use]
    pub fn evr(&self) -> String {
        let epoch =
            self.epoch.filter(|epoch| *epoch > 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
        format!("{epoch}{}-{}", self.version, self.release)
    }
}

/// A database and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its file.
    pub path: String,
    /// "sqlite", "Berkeley DB" or "ndb".
    pub kind: &'static str,
    /// The packages, by name, version and architecture.
    pub packages: Vec<Package>,
}

/// The packages that the image's rpm database names, sorted; none where there is no database.
///
/// # Errors
/// A database that is there and cannot be read.
pub fn packages(tree: &dyn Tree) -> Result<Vec<Package>, Error> {
    Ok(read(tree)?.map(|found| found.packages).unwrap_or_default())
}

/// The image's rpm database; `None` where there is none.
///
/// # Errors
/// A database that is there and cannot be read: damaged, or of an unknown kind.
pub fn read(tree: &dyn Tree) -> Result<Option<Found>, Error> {
    let stage = Stage::new(tree);
    for directory in DIRECTORIES {
        // An empty one may lie beside that of another kind, from a conversion.
        for name in ["rpmdb.sqlite", "Packages.db", "Packages"] {
            let path = match stage.resolve(&format!("{directory}/{name}")) {
                Ok(path) => path,
                Err(Error::LinkLoop { .. }) => continue,
                Err(error) => return Err(error),
            };
            let Some(found) = tree.lstat(&path)? else { continue };
            if found.kind == FileType::Regular && found.size > 0 {
                return one(tree, path, found.size).map(Some);
            }
        }
    }
    Ok(None)
}

fn one(tree: &dyn Tree, path: GuestPath, size: u64) -> Result<Found, Error> {
    let file = File { tree, path, size };
    let magic = file.bytes(0, size.min(64) as usize)?;
    let mut packages = Vec::new();
    let mut take = |blob: &[u8]| {
        if packages.len() >= PACKAGE_LIMIT {
            return Err(file.wrong(format!("more than {PACKAGE_LIMIT} packages")));
        }
        packages.push(header::package(blob).map_err(|what| file.wrong(what))?);
        Ok(())
    };
    let kind = if magic.starts_with(b"SQLite format 3\0") {
        sqlite::read(&file, &mut take)?;
        "sqlite"
    } else if magic.starts_with(b"RpmP") {
        ndb::read(&file, &mut take)?;
        "ndb"
    } else if bdb::is_hash(&magic) {
        bdb::read(&file, &mut take)?;
        "Berkeley DB"
    } else {
        return Err(file.wrong("no database of rpm that is known (SQLite, ndb, a hash of Berkeley DB)"));
    };
    packages.sort_by(|a, b| {
        (&a.name, &a.version, &a.release, &a.arch).cmp(&(&b.name, &b.version, &b.release, &b.arch))
    });
    Ok(Found { path: file.path.as_str().to_owned(), kind, packages })
}

/// A file of the image, read in pieces.
struct File<'t> {
    tree: &'t dyn Tree,
    path: GuestPath,
    size: u64,
}

impl File<'_> {
    /// Exactly `length` bytes from `offset`.
    fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        if offset.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(self.wrong(format!("{length} bytes at byte {offset:#x} lie beyond its end")));
        }
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            let count = self.tree.read_at(&self.path, offset + done as u64, &mut bytes[done..])?;
            if count == 0 {
                return Err(self.wrong(format!("ends at byte {:#x}", offset + done as u64)));
            }
            done += count;
        }
        Ok(bytes)
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        Error::Content { path: self.path.clone(), line: None, what: what.into() }
    }
}

/// What takes the headers.
type Take<'a> = dyn FnMut(&[u8]) -> Result<(), Error> + 'a;

fn u16_at(bytes: &[u8], at: usize, big: bool) -> usize {
    let two = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()).copied().unwrap_or_default();
    usize::from(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
}

fn u32_at(bytes: &[u8], at: usize, big: bool) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
    if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
}
