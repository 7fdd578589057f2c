//! A second opinion: the same file system through `ext4-view` 1.0, an implementation that shares
//! no code with the driver that wrote it.
//!
//! It opens most file systems and not all: inline_data, meta_bg, large_dir, mmp, ea_inode,
//! casefold, and 128-byte inodes with checksums are beyond it, as are times before 1970. What it
//! cannot open is [`ViewError::Unsupported`]: no opinion, not a bad one.

use std::collections::{BTreeMap, BTreeSet};

use ext4_view::{Ext4 as View, Ext4Error, Ext4Read, FileType, Metadata};
use hardtack_disk::BlockSource;

use crate::{Kind, Stat};

/// Why the second reader has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The reader does not know something that this file system uses: it has no opinion.
    #[error("the second reader does not know this file system: {0}")]
    Unsupported(String),
    /// The reader contradicts: it finds the file system damaged.
    #[error("the second reader finds it damaged: {0}")]
    Damaged(String),
    /// The path does not exist.
    #[error("{0}: no such file or directory")]
    Missing(String),
    /// The disk below failed, or the path is of the wrong type.
    #[error("{path}: {what}")]
    Failed {
        /// The path.
        path: String,
        /// The reason.
        what: String,
    },
}

/// One file system through the second reader. Paths are absolute; like the kernel, and unlike
/// [`Ext4`](crate::Ext4), it follows links in every component but the last.
pub struct ViewTree {
    view: View,
}

struct Reader<S>(S);

impl<S: BlockSource> Ext4Read for Reader<S> {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.0.read_at(start_byte, dst)?)
    }
}

impl ViewTree {
    /// Opens the file system that fills `disk`.
    ///
    /// # Errors
    /// [`ViewError::Unsupported`] with the reason when the reader cannot open such a file system.
    pub fn open(disk: impl BlockSource + 'static) -> Result<Self, ViewError> {
        let view = View::load(Box::new(Reader(disk))).map_err(|error| answer("/", &error))?;
        // 128-byte inodes with checksums open and then fail on every inode, as "corrupt".
        match view.symlink_metadata("/") {
            Ok(_) => Ok(Self { view }),
            Err(error) => Err(ViewError::Unsupported(error.to_string())),
        }
    }

    /// What `path` is; `None` when it does not exist. The reader tells neither the number of
    /// links nor the inode: both are 0.
    ///
    /// # Errors
    /// [`ViewError::Damaged`] or [`ViewError::Failed`].
    pub fn lstat(&self, path: &str) -> Result<Option<Stat>, ViewError> {
        match self.view.symlink_metadata(path) {
            Ok(metadata) => Ok(Some(stat(&metadata))),
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => Ok(None),
            Err(error) => Err(answer(path, &error)),
        }
    }

    /// What those of `names` are that exist in `directory`: as [`lstat`](Self::lstat) of each, with one
    /// look through the directory, which that reader checks again for every path.
    ///
    /// # Errors
    /// As [`lstat`](Self::lstat).
    pub fn lstat_many(
        &self,
        directory: &str,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Stat>, ViewError> {
        let mut found = BTreeMap::new();
        let entries = match self.view.read_dir(directory) {
            Ok(entries) => entries,
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => return Ok(found),
            Err(error) => return Err(answer(directory, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| answer(directory, &error))?;
            let Ok(name) = entry.file_name().as_str().map(str::to_owned) else { continue };
            if names.contains(name.as_str()) {
                let metadata = entry.metadata().map_err(|error| answer(directory, &error))?;
                found.insert(name, stat(&metadata));
            }
        }
        Ok(found)
    }

    /// Calls `piece` with the file's content from its start, in pieces; ends early when `piece`
    /// answers false.
    ///
    /// # Errors
    /// [`ViewError::Missing`], [`ViewError::Damaged`] or [`ViewError::Failed`].
    pub fn read(&self, path: &str, mut piece: impl FnMut(&[u8]) -> bool) -> Result<(), ViewError> {
        let mut file = self.view.open(path).map_err(|error| answer(path, &error))?;
        let mut buf = vec![0; 64 * 1024];
        loop {
            let count = file.read_bytes(&mut buf).map_err(|error| answer(path, &error))?;
            if count == 0 || !piece(&buf[..count]) {
                return Ok(());
            }
        }
    }

    /// The content from byte `offset` on, at most `limit` bytes: an appended tail, without what
    /// stands before it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_tail(&self, path: &str, offset: u64, limit: usize) -> Result<Vec<u8>, ViewError> {
        // Read from the start: the reader's own seek passes over errors and panics at the read after.
        let mut tail = Vec::new();
        let mut at = 0_u64;
        self.read(path, |piece| {
            let skip = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
            let wanted = (piece.len() - skip).min(limit - tail.len());
            tail.extend_from_slice(&piece[skip..skip + wanted]);
            at += piece.len() as u64;
            tail.len() < limit
        })?;
        Ok(tail)
    }

    /// The target of the symbolic link `path`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_link(&self, path: &str) -> Result<String, ViewError> {
        let target = self.view.read_link(path).map_err(|error| answer(path, &error))?;
        target.to_str().map(str::to_owned).map_err(|_| ViewError::Failed {
            path: path.to_owned(),
            what: "the link's target is not UTF-8".to_owned(),
        })
    }
}

fn stat(metadata: &Metadata) -> Stat {
    let kind = match metadata.file_type() {
        FileType::Regular => Kind::Regular,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Special,
    };
    Stat {
        kind,
        mode: u32::from(metadata.mode() & 0o7777),
        uid: metadata.uid(),
        gid: metadata.gid(),
        size: metadata.len(),
        mtime: metadata.modified().seconds(),
        links: 0,
        inode: 0,
    }
}

fn answer(path: &str, error: &Ext4Error) -> ViewError {
    match error {
        Ext4Error::NotFound => ViewError::Missing(path.to_owned()),
        Ext4Error::Incompatible(what) => ViewError::Unsupported(what.to_string()),
        Ext4Error::Encrypted => ViewError::Unsupported("the file is encrypted".to_owned()),
        // Times before 1970, and some after 2038, are sound and beyond that reader.
        // So are targets of links that are no paths: a part longer than a name, which the kernel lets be.
        Ext4Error::Corrupt(what) if is_beyond(&what.to_string()) => ViewError::Unsupported(what.to_string()),
        Ext4Error::Corrupt(what) => ViewError::Damaged(format!("{path}: {what}")),
        other => ViewError::Failed { path: path.to_owned(), what: other.to_string() },
    }
}

fn is_beyond(what: &str) -> bool {
    ["timestamp", "symlink path"].iter().any(|word| what.contains(word))
}
