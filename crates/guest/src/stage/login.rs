//! A stage as the files that logins are judged by.

use hardtack_login::{Fault, Files, Kind};

use super::Stage;
use crate::{Error, FileType};

impl Files for Stage<'_> {
    type Error = Error;

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        self.read_limited(path, limit)
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, Error> {
        Ok(self.stat(path)?.map(|found| match found.kind {
            FileType::Regular => Kind::Regular,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            FileType::Special => Kind::Special,
        }))
    }

    fn link(&self, path: &str) -> Result<Option<String>, Error> {
        self.read_link(path)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Error> {
        Ok(self.list(path)?.into_iter().map(|entry| entry.name).collect())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Content { path: fault.path.as_str().into(), line: fault.line, what: fault.what }
    }
}
