//! The host's files that a recipe names.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// No file that a recipe names by its content (keys, passwords, files to copy) is larger.
pub(super) const FILE_LIMIT: u64 = 64 << 20;

/// What a path of the host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Link(String),
    /// A device, pipe or socket.
    Other,
}

/// What the loader asks of the host.
pub trait HostFiles {
    /// The whole file; an error of kind `FileTooLarge` beyond `limit` bytes.
    ///
    /// # Errors
    /// What the host says.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// The same of a file whose content is a secret.
    ///
    /// # Errors
    /// What the host says.
    fn read_secret(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.read(path, limit)
    }

    /// True for a directory.
    ///
    /// # Errors
    /// What the host says; a missing path is `NotFound`.
    fn is_directory(&self, path: &Path) -> io::Result<bool>;

    /// What `path` is, and its mode (0o7777); `follow`: what a link leads to, else the link itself.
    ///
    /// # Errors
    /// What the host says; a link whose target is not UTF-8.
    fn kind(&self, path: &Path, follow: bool) -> io::Result<(HostType, u32)> {
        use std::os::unix::fs::PermissionsExt as _;
        let found = if follow { std::fs::metadata(path)? } else { std::fs::symlink_metadata(path)? };
        let kind = match found.file_type() {
            kind if kind.is_dir() => HostType::Directory,
            kind if kind.is_file() => HostType::File,
            kind if kind.is_symlink() => {
                let target = std::fs::read_link(path)?;
                let target = target.to_str().ok_or_else(|| io::Error::other("its target is not UTF-8"))?;
                HostType::Link(target.to_owned())
            }
            _ => HostType::Other,
        };
        Ok((kind, found.permissions().mode() & 0o7777))
    }

    /// The paths in a directory, sorted.
    ///
    /// # Errors
    /// What the host says.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
}

/// What came out of pipes, by device and inode. A recipe is read again once its image is known, and a pipe gives what is in
/// it once: the second time a password would be empty.
static PIPES: Mutex<BTreeMap<(u64, u64), Vec<u8>>> = Mutex::new(BTreeMap::new());

/// The host's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

impl HostFiles for RealFiles {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        whole(hardtack_disk::open_regular(path)?, limit)
    }

    fn read_secret(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        // A password may come from a pipe, `<(pass show x)` of the shell.
        let found = std::fs::metadata(path)?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if found.is_file() {
            return self.read(path, limit);
        }
        let identity = (found.dev(), found.ino());
        let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(content) = pipes.get(&identity) {
            return Ok(content.clone());
        }
        let content = whole(std::fs::File::open(path)?, limit)?;
        pipes.insert(identity, content.clone());
        Ok(content)
    }

    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        Ok(std::fs::metadata(path)?.is_dir())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }
}

fn whole(file: std::fs::File, limit: u64) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut content = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_that_came_from_a_pipe_is_there_again() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, "canary\n").unwrap()
        });
        for _ in 0..2 {
            assert_eq!(RealFiles.read_secret(&pipe, 100).unwrap(), b"canary\n");
        }
        writer.join().unwrap();
        // A file is what it is now.
        let file = directory.path().join("file");
        for text in ["one", "two"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(RealFiles.read_secret(&file, 100).unwrap(), text.as_bytes());
        }
        assert_eq!(
            RealFiles.read_secret(Path::new("/dev/zero"), 100).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn a_pipe_that_is_included_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let recipe = directory.path().join("r.yaml");
        let text = "recipe: 1\ninclude: [pipe]\nsteps: []\n";
        let errors = crate::load_recipe(&recipe, text, &|_| None, &RealFiles).map(|_| ()).unwrap_err();
        assert!(errors.to_string().contains("no regular file"), "{errors}");
    }
}
