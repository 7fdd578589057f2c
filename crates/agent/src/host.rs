//! The machine as the agent sees it: a root directory, `/` except in tests.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::AgentError;

/// Files that the agent reads whole are small; whatever is larger is not what it should be.
const READ_LIMIT: u64 = 4 << 20;

/// The machine that the agent runs in.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    root: PathBuf,
}

impl Host {
    /// The machine whose root directory is `root`.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Whether this is the running machine itself, whose programs may be called.
    pub(crate) fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The path below the root; `path` is absolute.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The bytes of a file, or `None` when it is missing. Files of /proc and /sys tell no size, so
    /// the limit is put on what comes, not on what is promised.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, AgentError> {
        let full = self.path(path);
        let file = match fs::File::open(&full) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AgentError::io("read", &full, error)),
        };
        let mut bytes = Vec::new();
        file.take(READ_LIMIT + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| AgentError::io("read", &full, error))?;
        if bytes.len() as u64 > READ_LIMIT {
            return Err(AgentError::text(format!("{}: larger than {READ_LIMIT} bytes", full.display())));
        }
        Ok(Some(bytes))
    }

    /// As [`read`](Self::read), as text; bytes that are not UTF-8 become U+FFFD, since a comment in
    /// Latin-1 must not keep anybody out.
    pub(crate) fn read_text(&self, path: &str) -> Result<Option<String>, AgentError> {
        Ok(self.read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The first line of a file without blanks around it; `None` when missing, unreadable or empty.
    pub(crate) fn first_line(&self, path: &str) -> Option<String> {
        let text = self.read_text(path).ok()??;
        let line = text.lines().next()?.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }

    /// The names in a directory, sorted; a missing one is empty.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else {
            return Vec::new();
        };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    /// Whether something is at the path, links followed.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}
