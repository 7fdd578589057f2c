//! Trees within the guest: copied and moved as `cp -a` and `mv` do it.

use std::sync::Arc;

use super::{Content, Kind, Set, Stage};
use crate::tree::FileType;
use crate::{Error, GuestPath};

/// The most bytes that one copy holds in memory.
const MOST_BYTES: u64 = 2 << 30;
/// The most paths of one copy.
const MOST_PATHS: usize = 1 << 20;
/// A label belongs to a path: the policy gives a new one.
const LABEL: &str = "security.selinux";

impl Stage<'_> {
    /// Gives `to` what is at `from`, with everything below: content, modes, owners, extended
    /// attributes; links stay links. What `to` has besides stays. Names of one file (hard links)
    /// become files of their own. Neither path's last component is followed.
    ///
    /// # Errors
    /// When `to` lies in `from`, when a special file is in the way, or when it is too much.
    pub fn copy_tree(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let (from, to) = (self.resolve_parent(from)?, self.resolve_parent(to)?);
        if from == to {
            return Ok(());
        }
        if to.starts_with(&from) {
            return Err(Error::Refused(format!("{from} cannot be put into itself ({to})")));
        }
        let mut bytes = 0_u64;
        let mut paths = 0_usize;
        let mut pending = vec![(from, to)];
        while let Some((from, to)) = pending.pop() {
            paths += 1;
            let metadata = self.look(&from)?.ok_or_else(|| Error::Missing { path: from.clone() })?;
            let set = Set::all(metadata.mode, metadata.uid, metadata.gid);
            match metadata.kind {
                FileType::Regular => {
                    bytes = bytes.saturating_add(metadata.size);
                    if bytes > MOST_BYTES || paths > MOST_PATHS {
                        let what =
                            format!("{from}: a copy holds at most {MOST_BYTES} bytes and {MOST_PATHS} paths");
                        return Err(Error::Refused(what));
                    }
                    let content = self.shared(&from)?;
                    if self.look(&to)?.is_some_and(|found| found.kind == FileType::Symlink) {
                        self.remove(to.as_str())?;
                    }
                    self.write_shared(to.as_str(), content, set)?;
                }
                FileType::Directory => {
                    if self.look(&to)?.is_some_and(|found| found.kind != FileType::Directory) {
                        return Err(Error::WrongType {
                            path: to,
                            found: "no directory",
                            wanted: "a directory",
                        });
                    }
                    self.mkdir(to.as_str(), set)?;
                    for entry in self.list_exact(&from)? {
                        pending.push((from.join(&entry.name), to.join(&entry.name)));
                    }
                }
                FileType::Symlink => {
                    let target = self.link_exact(&from)?.unwrap_or_default();
                    self.symlink(to.as_str(), &target)?;
                    self.set_owner(to.as_str(), metadata.uid, metadata.gid)?;
                }
                FileType::Special => {
                    let what = format!("{from}: is a device, pipe or socket, which is not copied");
                    return Err(Error::Refused(what));
                }
            }
            for (name, value) in self.xattrs(from.as_str())? {
                if name != LABEL {
                    self.set_xattr(to.as_str(), &name, &value)?;
                }
            }
        }
        Ok(())
    }

    /// Has what is at `from` at `to` instead; what was at `to` is gone.
    ///
    /// # Errors
    /// As [`copy_tree`](Self::copy_tree).
    pub fn move_tree(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let (from, to) = (self.resolve_parent(from)?, self.resolve_parent(to)?);
        if from == to {
            return Ok(());
        }
        if from.starts_with(&to) {
            return Err(Error::Refused(format!("{from} cannot take the place of {to}, which it lies in")));
        }
        if to.starts_with(&from) {
            return Err(Error::Refused(format!("{from} cannot be put into itself ({to})")));
        }
        self.remove(to.as_str())?;
        self.copy_tree(from.as_str(), to.as_str())?;
        self.remove(from.as_str())
    }

    /// The bytes of a file, without a second copy of those that are staged.
    fn shared(&self, path: &GuestPath) -> Result<Arc<[u8]>, Error> {
        if let Some(Kind::File(Content::Bytes(bytes))) = self.nodes.get(path).map(|node| &node.kind) {
            return Ok(Arc::clone(bytes));
        }
        Ok(self.read_limited(path.as_str(), MOST_BYTES)?.unwrap_or_default().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tree::MemoryTree;

    fn tree() -> MemoryTree {
        MemoryTree::new()
            .file_as("/a/one", "1\n", 0o4750, 5, 6)
            .link("/a/link", "one")
            .dir("/a/empty")
            .file("/b/two", "2\n")
            .link("/short", "/a")
    }

    #[test]
    fn a_copy_is_as_cp_a_makes_it() {
        let tree = tree();
        let mut stage = Stage::new(&tree);
        stage.copy_tree("/a", "/b").unwrap();
        let one = stage.stat("/b/one").unwrap().unwrap();
        assert_eq!((one.mode, one.uid, one.gid), (0o4750, 5, 6));
        assert_eq!(stage.read_link("/b/link").unwrap().as_deref(), Some("one"));
        assert!(stage.stat("/b/empty").unwrap().is_some() && stage.stat("/b/two").unwrap().is_some());
        assert!(stage.copy_tree("/a", "/a/below").unwrap_err().to_string().contains("into itself"));
        assert!(stage.copy_tree("/a", "/short/below").unwrap_err().to_string().contains("into itself"));
        stage.copy_tree("/short", "/c").unwrap();
        assert_eq!(stage.read_link("/c").unwrap().as_deref(), Some("/a"), "links stay links");
    }

    #[test]
    fn a_move_leaves_nothing_behind() {
        let tree = tree();
        let mut stage = Stage::new(&tree);
        stage.move_tree("/a/one", "/b/two").unwrap();
        assert!(stage.lstat("/a/one").unwrap().is_none());
        assert_eq!(stage.read("/b/two").unwrap().unwrap(), b"1\n");
        assert!(stage.move_tree("/a/empty", "/a").unwrap_err().to_string().contains("lies in"));
        assert!(stage.move_tree("/missing", "/x").is_err());
        stage.move_tree("/a", "/z").unwrap();
        assert!(stage.list("/z").unwrap().len() == 2 && stage.lstat("/a").unwrap().is_none());
    }
}
