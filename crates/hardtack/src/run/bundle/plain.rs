//! Kernels and initial RAM disks: files of any length, taken as they are.
//!
//! They are no disks. Opened as one, a RAM disk would be unpacked, since it is an archive.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use hardtack_disk::{BlockSource, Error};

use crate::error::CliError;

/// A file's bytes.
pub(in crate::run) struct Plain {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Plain {
    pub(in crate::run) fn open(path: &Path) -> Result<Self, CliError> {
        let fail = |error| CliError::io(path, "open the image", error);
        let found = std::fs::metadata(path).map_err(fail)?;
        // Opening a FIFO would wait for its writer.
        if !found.is_file() || found.len() == 0 {
            return Err(CliError::refused(format!("{}: no file with anything in it", path.display())));
        }
        Ok(Self { file: File::open(path).map_err(fail)?, path: path.to_owned(), length: found.len() })
    }

    /// Of an open file; `name` is what messages call it.
    pub(in crate::run) fn of(file: File, length: u64, name: &Path) -> Result<Self, CliError> {
        if length == 0 {
            return Err(CliError::refused(format!("{}: there is nothing in it", name.display())));
        }
        Ok(Self { file, path: name.to_owned(), length })
    }
}

impl BlockSource for Plain {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.file.read_exact_at(buffer, offset).map_err(|source| Error::Io {
            action: format!("read {} bytes at {offset:#x}", buffer.len()),
            path: self.path.clone(),
            source,
        })
    }
}
