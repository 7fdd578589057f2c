//! What a file system should hold: operations are made on it and on an [`Ext4`], then both are compared.

use std::collections::BTreeMap;

use hardtack_ext4::view::ViewError;
use hardtack_ext4::{Ext4, Kind, ViewTree};

use crate::operation::Operation;
pub use crate::operation::Random;

/// The time every edit writes.
pub const EPOCH: i64 = 1_700_000_000;

/// The attribute that changes with the permission bits.
pub const ACCESS_LIST: &str = "system.posix_acl_access";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    File(Vec<u8>),
    Directory,
    Link(String),
    /// A device, FIFO or socket.
    Special,
}

/// A file with all its names.
#[derive(Clone, Debug)]
pub struct Node {
    pub content: Content,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub xattrs: BTreeMap<String, Vec<u8>>,
    pub mtime: i64,
    /// The time was set, and nothing has changed it since: the kernel must have it too.
    pub time_is_set: bool,
}

/// Why an operation must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotEmpty,
    WrongType,
    IntoItself,
}

/// Paths to files; names with the same number are hard links.
#[derive(Clone, Default)]
pub struct Model {
    pub names: BTreeMap<String, usize>,
    pub nodes: BTreeMap<usize, Node>,
    next: usize,
}

impl Model {
    /// What the file system holds now.
    pub fn read(fs: &Ext4) -> Self {
        let mut model = Self::default();
        model.walk(fs, "/", &mut BTreeMap::new());
        model
    }

    fn walk(&mut self, fs: &Ext4, path: &str, inodes: &mut BTreeMap<u32, usize>) {
        let stat = fs.lstat(path).unwrap().unwrap();
        if let Some(known) = inodes.get(&stat.inode) {
            self.names.insert(path.to_owned(), *known);
            return;
        }
        let content = match stat.kind {
            Kind::Directory => Content::Directory,
            Kind::Symlink => Content::Link(fs.read_link(path).unwrap()),
            Kind::Regular => Content::File(content(fs, path)),
            Kind::Special => Content::Special,
        };
        let node = Node {
            content,
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            xattrs: fs.xattrs(path).unwrap().into_iter().collect(),
            mtime: stat.mtime,
            time_is_set: false,
        };
        inodes.insert(stat.inode, self.insert(path, node));
        if stat.kind == Kind::Directory {
            for entry in fs.read_dir(path).unwrap() {
                let child = join(path, &entry.name);
                assert_eq!(fs.lstat(&child).unwrap().unwrap().kind, entry.kind, "{child}");
                self.walk(fs, &child, inodes);
            }
        }
    }

    fn insert(&mut self, path: &str, node: Node) -> usize {
        self.next += 1;
        self.names.insert(path.to_owned(), self.next);
        self.nodes.insert(self.next, node);
        self.next
    }

    pub fn node(&self, path: &str) -> &Node {
        &self.nodes[&self.names[path]]
    }

    fn node_mut(&mut self, path: &str) -> &mut Node {
        self.nodes.get_mut(&self.names[path]).unwrap()
    }

    pub fn is_directory(&self, path: &str) -> bool {
        self.names.contains_key(path) && self.node(path).content == Content::Directory
    }

    fn is_empty(&self, directory: &str) -> bool {
        let prefix = join(directory, "");
        self.names
            .range(prefix.clone()..)
            .find(|(path, _)| **path != prefix)
            .is_none_or(|(path, _)| !path.starts_with(&prefix))
    }

    /// Why the operation must fail, whatever room there is.
    pub fn refusal(&self, operation: &Operation) -> Option<Refusal> {
        match operation {
            Operation::Remove { path } if self.is_directory(path) && !self.is_empty(path) => {
                Some(Refusal::NotEmpty)
            }
            Operation::Rename { from, to } if from != to => {
                if to.starts_with(&join(from, "")) {
                    return Some(Refusal::IntoItself);
                }
                let replaced = self.names.get(to)?;
                if replaced == &self.names[from] {
                    return None;
                }
                if self.is_directory(from) != self.is_directory(to) {
                    return Some(Refusal::WrongType);
                }
                (self.is_directory(to) && !self.is_empty(to)).then_some(Refusal::NotEmpty)
            }
            _ => None,
        }
    }

    /// Makes an operation that succeeded on the file system.
    pub fn apply(&mut self, operation: &Operation) {
        let fresh = |content, mode, uid, gid| Node {
            content,
            mode,
            uid,
            gid,
            xattrs: BTreeMap::new(),
            mtime: EPOCH,
            time_is_set: false,
        };
        match operation {
            Operation::Create { path, mode, uid, gid } => {
                self.insert(path, fresh(Content::File(Vec::new()), *mode, *uid, *gid));
                self.touch_parent(path);
            }
            Operation::Mkdir { path, mode, uid, gid } => {
                self.insert(path, fresh(Content::Directory, *mode, *uid, *gid));
                self.touch_parent(path);
            }
            Operation::Symlink { path, target, uid, gid } => {
                self.insert(path, fresh(Content::Link(target.clone()), 0o777, *uid, *gid));
                self.touch_parent(path);
            }
            Operation::SetContent { path, bytes } => {
                self.node_mut(path).content = Content::File(bytes.clone());
                self.touch(path);
            }
            Operation::Append { path, bytes } => {
                if let Content::File(content) = &mut self.node_mut(path).content {
                    content.extend_from_slice(bytes);
                }
                self.touch(path);
            }
            Operation::Remove { path } => {
                self.drop_name(path);
                self.touch_parent(path);
            }
            Operation::HardLink { original, path } => {
                self.names.insert(path.clone(), self.names[original]);
                self.touch_parent(path);
            }
            Operation::Rename { from, to } => self.rename(from, to),
            Operation::SetMode { path, mode } => {
                let node = self.node_mut(path);
                node.mode = *mode;
                if let Some(list) = node.xattrs.get_mut(ACCESS_LIST) {
                    set_permissions(list, *mode);
                }
            }
            Operation::SetOwner { path, uid, gid } => {
                let node = self.node_mut(path);
                (node.uid, node.gid) = (*uid, *gid);
            }
            Operation::SetMtime { path, seconds } => {
                let node = self.node_mut(path);
                (node.mtime, node.time_is_set) = (*seconds, true);
            }
            Operation::SetXattr { path, name, value } => {
                let node = self.node_mut(path);
                if name == ACCESS_LIST {
                    node.mode = node.mode & !0o777 | permissions(value);
                }
                node.xattrs.insert(name.clone(), value.clone());
            }
            Operation::RemoveXattr { path, name } => {
                self.node_mut(path).xattrs.remove(name);
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        if from == to {
            return;
        }
        let moved = self.names[from];
        if self.names.get(to) == Some(&moved) {
            self.names.remove(from);
            return self.touch_parent(from);
        }
        if self.names.contains_key(to) {
            self.drop_name(to);
        }
        let below = join(from, "");
        let old: Vec<_> =
            self.names.keys().filter(|path| *path == from || path.starts_with(&below)).cloned().collect();
        for path in old {
            let node = self.names.remove(&path).unwrap();
            self.names.insert(format!("{to}{}", &path[from.len()..]), node);
        }
        self.touch_parent(from);
        self.touch_parent(to);
    }

    fn drop_name(&mut self, path: &str) {
        let number = self.names.remove(path).unwrap();
        if !self.names.values().any(|other| *other == number) {
            self.nodes.remove(&number);
        }
    }

    fn touch(&mut self, path: &str) {
        let node = self.node_mut(path);
        (node.mtime, node.time_is_set) = (EPOCH, false);
    }

    fn touch_parent(&mut self, path: &str) {
        let above = path.rsplit_once('/').unwrap().0;
        self.touch(if above.is_empty() { "/" } else { above });
    }

    /// What `links` should be, by path.
    fn links(&self) -> BTreeMap<&str, u16> {
        let mut by_node: BTreeMap<usize, u16> = BTreeMap::new();
        for number in self.names.values() {
            *by_node.entry(*number).or_default() += 1;
        }
        let mut subdirectories: BTreeMap<&str, u16> = BTreeMap::new();
        for path in self.names.keys().filter(|path| *path != "/" && self.is_directory(path)) {
            let above = path.rsplit_once('/').unwrap().0;
            *subdirectories.entry(if above.is_empty() { "/" } else { above }).or_default() += 1;
        }
        let count = |path: &str, number| match self.is_directory(path) {
            true => 2 + subdirectories.get(path).copied().unwrap_or(0),
            false => by_node[number],
        };
        self.names.iter().map(|(path, number)| (path.as_str(), count(path, number))).collect()
    }

    /// The file system holds exactly this.
    pub fn assert_same(&self, fs: &Ext4, what: &str) {
        let found = Self::read(fs);
        let missing: Vec<_> = self.names.keys().filter(|path| !found.names.contains_key(*path)).collect();
        let strange: Vec<_> = found.names.keys().filter(|path| !self.names.contains_key(*path)).collect();
        assert!(missing.is_empty() && strange.is_empty(), "{what}: missing {missing:?}, strange {strange:?}");
        for (path, links) in self.links() {
            let (node, other) = (self.node(path), found.node(path));
            assert_eq!(
                (node.mode, node.uid, node.gid, node.mtime),
                (other.mode, other.uid, other.gid, other.mtime),
                "{what}: {path}: mode, owner, group, time"
            );
            assert!(node.content == other.content, "{what}: {path}: content");
            assert_eq!(node.xattrs, other.xattrs, "{what}: {path}: attributes");
            assert_eq!(links, fs.lstat(path).unwrap().unwrap().links, "{what}: {path}: links");
        }
    }

    /// The second reader finds exactly this.
    pub fn assert_view(&self, view: &ViewTree, what: &str) {
        for path in self.names.keys() {
            let node = self.node(path);
            let stat = match view.lstat(path) {
                // Some times, and the oldest hash of names, are beyond that reader.
                Err(ViewError::Unsupported(_)) => continue,
                found => found.unwrap_or_else(|error| panic!("{what}: {path}: {error}")),
            };
            let stat = stat.unwrap_or_else(|| panic!("{what}: {path}: the second reader finds nothing"));
            assert_eq!(
                (stat.mode, stat.uid, stat.gid, stat.mtime),
                (node.mode, node.uid, node.gid, node.mtime),
                "{what}: {path}"
            );
            match &node.content {
                Content::Directory => assert_eq!(stat.kind, Kind::Directory, "{what}: {path}"),
                Content::Special => assert_eq!(stat.kind, Kind::Special, "{what}: {path}"),
                Content::Link(target) => assert_eq!(view.read_link(path).unwrap(), *target, "{what}: {path}"),
                Content::File(content) => {
                    let mut found = Vec::new();
                    view.read(path, |piece| {
                        found.extend_from_slice(piece);
                        true
                    })
                    .unwrap_or_else(|error: ViewError| panic!("{what}: {path}: {error}"));
                    assert!(found == *content, "{what}: {path}: content");
                }
            }
        }
    }
}

/// A list of access rights as setxattr(2) takes it: a user beside the owner, and a mask.
pub fn access_list(mode: u32, user: u32, rights: u16) -> Vec<u8> {
    let [owner, group, other] = [mode >> 6 & 7, mode >> 3 & 7, mode & 7].map(|bits| bits as u16);
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, bits, number) in [
        (0x01, owner, u32::MAX),
        (0x02, rights, user),
        (0x04, rights & 5, u32::MAX),
        (0x10, group, u32::MAX),
        (0x20, other, u32::MAX),
    ] {
        list.extend(u16::to_le_bytes(tag));
        list.extend(bits.to_le_bytes());
        list.extend(number.to_le_bytes());
    }
    list
}

/// The permission bits that a list with a mask means.
fn permissions(list: &[u8]) -> u32 {
    list[4..].chunks(8).fold(0, |mode, entry| {
        let bits = u32::from(entry[2]);
        match entry[0] {
            0x01 => mode | bits << 6,
            0x10 => mode | bits << 3,
            0x20 => mode | bits,
            _ => mode,
        }
    })
}

/// chmod(2) on a file with such a list.
fn set_permissions(list: &mut [u8], mode: u32) {
    for entry in list[4..].chunks_mut(8) {
        match entry[0] {
            0x01 => entry[2] = (mode >> 6 & 7) as u8,
            0x10 => entry[2] = (mode >> 3 & 7) as u8,
            0x20 => entry[2] = (mode & 7) as u8,
            _ => {}
        }
    }
}

pub fn content(fs: &Ext4, path: &str) -> Vec<u8> {
    let mut whole = vec![0; fs.lstat(path).unwrap().unwrap().size as usize];
    let mut done = 0;
    while done < whole.len() {
        let count = fs.read_at(path, done as u64, &mut whole[done..]).unwrap();
        assert!(count > 0, "{path} ends at {done} of {}", whole.len());
        done += count;
    }
    whole
}

pub fn join(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}
