//! The machine's files, wherever they are: on a running machine, or in an image that nobody has booted.

use std::fmt;

/// The type of what a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link: in listings only, and where one is looked at itself.
    Symlink,
    /// Anything else.
    Special,
}

/// Files that can be looked at. Paths are absolute.
pub trait Files {
    /// What goes wrong below: a disk, a damaged file system, a link that leads nowhere.
    type Error: From<Fault>;

    /// The content of a file, links followed; `None` when there is none.
    ///
    /// # Errors
    /// It is there and cannot be read, or is longer than `limit` bytes.
    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Self::Error>;

    /// What `path` leads to, links followed; `None` when there is nothing.
    ///
    /// # Errors
    /// It cannot be looked at.
    fn kind(&self, path: &str) -> Result<Option<Kind>, Self::Error>;

    /// The target of `path` where that is itself a symbolic link.
    ///
    /// # Errors
    /// It cannot be looked at.
    fn link(&self, path: &str) -> Result<Option<String>, Self::Error>;

    /// The names in a directory, sorted; none when it is missing.
    ///
    /// # Errors
    /// It is there and cannot be read.
    fn names(&self, path: &str) -> Result<Vec<String>, Self::Error>;
}

/// Whether there is anything at `path`, be it a link to nowhere.
///
/// # Errors
/// It cannot be looked at.
pub fn exists<F: Files>(files: &F, path: &str) -> Result<bool, F::Error> {
    Ok(files.kind(path)?.is_some() || files.link(path)?.is_some())
}

/// The content of a regular file; nothing where there is none, or something else.
///
/// # Errors
/// It is there and cannot be read, or is longer than `limit` bytes.
pub fn content<F: Files>(files: &F, path: &str, limit: u64) -> Result<Vec<u8>, F::Error> {
    match files.kind(path)? {
        Some(Kind::Regular) => Ok(files.read(path, limit)?.unwrap_or_default()),
        _ => Ok(Vec::new()),
    }
}

/// A file whose content cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its path.
    pub path: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

impl std::error::Error for Fault {}
