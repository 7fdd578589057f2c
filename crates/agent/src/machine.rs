//! A directory as modules and data sources see a machine: the running system (`/`), the root of a test, or
//! the file system of a seed.
//!
//! Symbolic links are resolved inside the directory: what a seed's link points at is never a file of ours.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use hardtack_modules::Machine;

/// Larger files are as good as missing ([`Machine::read`]).
const LIMIT: u64 = 16 << 20;
/// As many links as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;

/// A directory and what is below it.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// What is below `root`.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where `path` really is, or would be; `None` for a loop.
    pub(crate) fn resolve(&self, path: &str) -> Option<PathBuf> {
        if self.root == Path::new("/") {
            return Some(PathBuf::from(path));
        }
        let mut rest: Vec<String> = names(Path::new(path));
        rest.reverse();
        let mut done: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == ".." {
                done.pop();
                continue;
            }
            let mut full = self.root.clone();
            full.extend(&done);
            full.push(&name);
            let Ok(target) = fs::read_link(&full) else {
                done.push(name);
                continue;
            };
            links += 1;
            if links > LINKS {
                return None;
            }
            if target.is_absolute() {
                done.clear();
            }
            rest.extend(names(&target).into_iter().rev());
        }
        let mut full = self.root.clone();
        full.extend(&done);
        Some(full)
    }
}

/// The names of a path, `..` among them.
fn names(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::ParentDir => Some("..".to_owned()),
            _ => None,
        })
        .collect()
}

impl Machine for Tree {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let full = self.resolve(path)?;
        // A pipe or a device would be waited for.
        if !fs::metadata(&full).ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        fs::File::open(full).ok()?.take(LIMIT + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= LIMIT).then_some(bytes)
    }

    fn exists(&self, path: &str) -> bool {
        self.resolve(path).is_some_and(|full| full.exists())
    }

    fn list(&self, path: &str) -> Vec<String> {
        let Some(entries) = self.resolve(path).and_then(|full| fs::read_dir(full).ok()) else {
            return Vec::new();
        };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_inside() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc/real"), "inside").unwrap();
        symlink("/etc/real", root.join("etc/absolute")).unwrap();
        symlink("../../../../etc/real", root.join("etc/up")).unwrap();
        symlink("/etc/passwd", root.join("etc/host")).unwrap();
        symlink("loop", root.join("etc/loop")).unwrap();
        let tree = Tree::new(root);
        assert_eq!(tree.read("/etc/absolute").unwrap(), b"inside");
        assert_eq!(tree.read("etc/up").unwrap(), b"inside");
        assert_eq!(tree.read("/etc/host"), None);
        assert_eq!(tree.read("/etc/loop"), None);
        assert_eq!(tree.read("/etc"), None);
        assert_eq!(tree.list("/etc"), ["absolute", "host", "loop", "real", "up"]);
        assert!(tree.exists("/../etc/real") && !tree.exists("/etc/host"));
    }
}
