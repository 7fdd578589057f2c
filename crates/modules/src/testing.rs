//! A machine that is a list of files in memory: for tests, here and in the crates above.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::Machine;

/// A file tree in memory. Directories are there because files are in them.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    directories: BTreeSet<String>,
}

impl Tree {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Debian 12 with little more than its os-release.
    #[must_use]
    pub fn debian() -> Self {
        Self::new()
            .with(
                "/etc/os-release",
                "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian 12\"\n",
            )
            .with("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
            .with("/etc/group", "root:x:0:\n")
            .with("/usr/bin/systemctl", "")
            .with("/usr/bin/apt-get", "")
    }

    /// With one more file.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    /// With one more directory.
    #[must_use]
    pub fn with_directory(mut self, path: &str) -> Self {
        self.directories.insert(path.trim_end_matches('/').to_owned());
        self
    }
}

impl Machine for Tree {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.get(path).cloned()
    }

    fn exists(&self, path: &str) -> bool {
        self.files.contains_key(path)
            || self.directories.contains(path.trim_end_matches('/'))
            || !self.list(path).is_empty()
    }

    fn list(&self, path: &str) -> Vec<String> {
        let above = format!("{}/", path.trim_end_matches('/'));
        let names: BTreeSet<String> = self
            .files
            .keys()
            .chain(&self.directories)
            .filter_map(|path| path.strip_prefix(&above)?.split('/').next().map(str::to_owned))
            .collect();
        names.into_iter().collect()
    }
}
