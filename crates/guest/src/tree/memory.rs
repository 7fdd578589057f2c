//! A small tree in memory, for tests of everything that works on a guest.

use std::collections::BTreeMap;

use super::{DirEntry, FileType, Metadata, Tree};
use crate::{Error, GuestPath};

#[derive(Clone, Debug)]
enum Node {
    Directory,
    File(Vec<u8>),
    Link(String),
}

/// A read-only tree built from a list of files.
#[derive(Clone, Debug)]
pub struct MemoryTree {
    nodes: BTreeMap<GuestPath, (Node, u32, u32, u32)>,
    xattrs: BTreeMap<GuestPath, BTreeMap<String, Vec<u8>>>,
}

impl Default for MemoryTree {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryTree {
    /// A tree with nothing but `/`.
    #[must_use]
    pub fn new() -> Self {
        let nodes = BTreeMap::from([(GuestPath::root(), (Node::Directory, 0o755, 0, 0))]);
        Self { nodes, xattrs: BTreeMap::new() }
    }

    fn put(mut self, path: &str, node: Node, mode: u32, uid: u32, gid: u32) -> Self {
        let path = GuestPath::new(path);
        let mut above = path.parent();
        while let Some(directory) = above {
            above = directory.parent();
            self.nodes.entry(directory).or_insert((Node::Directory, 0o755, 0, 0));
        }
        self.nodes.insert(path, (node, mode, uid, gid));
        self
    }

    /// With a file, 0644 root:root.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_as(path, content, 0o644, 0, 0)
    }

    /// With a file of the given mode and owner.
    #[must_use]
    pub fn file_as(self, path: &str, content: impl AsRef<[u8]>, mode: u32, uid: u32, gid: u32) -> Self {
        self.put(path, Node::File(content.as_ref().to_vec()), mode, uid, gid)
    }

    /// With a directory, 0755 root:root.
    #[must_use]
    pub fn dir(self, path: &str) -> Self {
        self.dir_as(path, 0o755, 0, 0)
    }

    /// With a directory of the given mode and owner.
    #[must_use]
    pub fn dir_as(self, path: &str, mode: u32, uid: u32, gid: u32) -> Self {
        self.put(path, Node::Directory, mode, uid, gid)
    }

    /// With an extended attribute of a path.
    #[must_use]
    pub fn xattr(mut self, path: &str, name: &str, value: &[u8]) -> Self {
        self.xattrs.entry(GuestPath::new(path)).or_default().insert(name.to_owned(), value.to_vec());
        self
    }

    /// With a symbolic link.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.link_as(path, target, 0, 0)
    }

    /// With a symbolic link of the given owner.
    #[must_use]
    pub fn link_as(self, path: &str, target: &str, uid: u32, gid: u32) -> Self {
        self.put(path, Node::Link(target.to_owned()), 0o777, uid, gid)
    }

    fn node(&self, path: &GuestPath) -> Result<&Node, Error> {
        self.nodes.get(path).map(|(node, ..)| node).ok_or_else(|| Error::Missing { path: path.clone() })
    }
}

fn kind(node: &Node) -> FileType {
    match node {
        Node::Directory => FileType::Directory,
        Node::File(_) => FileType::Regular,
        Node::Link(_) => FileType::Symlink,
    }
}

impl Tree for MemoryTree {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        Ok(self.nodes.get(path).map(|(node, mode, uid, gid)| Metadata {
            kind: kind(node),
            mode: *mode,
            uid: *uid,
            gid: *gid,
            size: match node {
                Node::Directory => 0,
                Node::File(content) => content.len() as u64,
                Node::Link(target) => target.len() as u64,
            },
            mtime: 0,
        }))
    }

    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let node = self.node(path)?;
        if !matches!(node, Node::Directory) {
            return Err(Error::WrongType {
                path: path.clone(),
                found: kind(node).describe(),
                wanted: "a directory",
            });
        }
        let below = self.nodes.iter().filter(|(candidate, _)| candidate.parent().as_ref() == Some(path));
        Ok(below
            .filter_map(|(child, (node, ..))| {
                Some(DirEntry { name: child.name()?.to_owned(), kind: kind(node) })
            })
            .collect())
    }

    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        match self.node(path)? {
            Node::File(content) => {
                let rest =
                    usize::try_from(offset).ok().and_then(|start| content.get(start..)).unwrap_or_default();
                let count = rest.len().min(buf.len());
                buf[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            other => {
                Err(Error::WrongType { path: path.clone(), found: kind(other).describe(), wanted: "a file" })
            }
        }
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        match self.node(path)? {
            Node::Link(target) => Ok(target.clone()),
            other => Err(Error::WrongType {
                path: path.clone(),
                found: kind(other).describe(),
                wanted: "a symbolic link",
            }),
        }
    }

    fn xattrs(&self, path: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        Ok(self
            .xattrs
            .get(path)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }
}
