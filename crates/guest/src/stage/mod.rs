//! The stage: a copy-on-write tree above the image, where every edit is made first.
//!
//! Steps read and write the stage only. What differs in the end between the stage and the tree
//! below is the plan ([`Stage::changes`]); carrying that difference out is applying it
//! ([`Stage::edits`]). Writing what is there already is therefore no change at all.
//!
//! Links are followed as the guest's kernel would follow them, inside the guest only.

mod copy;
mod difference;
mod journal;
mod login;
mod resolve;
mod walk;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use difference::{Change, Edit, Op, State};
pub use journal::Maker;
pub use walk::Descend;

use crate::tree::{Attributes, DirEntry, FileType, Metadata, Tree};
use crate::{Error, GuestPath};

/// The most that [`Stage::read`] loads: configuration and databases are far below it.
pub const READ_LIMIT: u64 = 64 << 20;

/// What a write says about mode and owner. Unless it says otherwise, new files are 0644 and new
/// directories 0755, root:root or of the group of a set-group-ID directory, and existing ones keep
/// what they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Permission bits (0o7777).
    pub mode: Option<u32>,
    /// Numeric owner and group.
    pub owner: Option<(u32, u32)>,
}

impl Set {
    /// Only the permission bits.
    #[must_use]
    pub fn mode(mode: u32) -> Self {
        Self { mode: Some(mode), owner: None }
    }

    /// Permission bits and owner.
    #[must_use]
    pub fn all(mode: u32, uid: u32, gid: u32) -> Self {
        Self { mode: Some(mode), owner: Some((uid, gid)) }
    }

    fn over(self, base: Attributes) -> Attributes {
        let (uid, gid) = self.owner.unwrap_or((base.uid, base.gid));
        Attributes { mode: self.mode.unwrap_or(base.mode), uid, gid }
    }
}

/// What something new takes from its directory: root's, and of the directory's group where that has
/// the set-group-ID bit, which directories in it take over (`inode_init_owner` in Linux's fs/inode.c).
#[derive(Clone, Copy, Default)]
struct Heir {
    group: Option<u32>,
}

impl Heir {
    fn of(directory: Attributes) -> Self {
        Self { group: (directory.mode & 0o2000 != 0).then_some(directory.gid) }
    }

    fn file(self) -> Attributes {
        Attributes { mode: 0o644, uid: 0, gid: self.group.unwrap_or(0) }
    }

    fn link(self) -> Attributes {
        Attributes { mode: 0o777, ..self.file() }
    }

    fn directory(self) -> Attributes {
        Attributes { mode: if self.group.is_some() { 0o2755 } else { 0o755 }, ..self.file() }
    }
}

/// The bytes of a staged file.
#[derive(Clone, Debug)]
pub enum Content {
    /// As below; only attributes were changed.
    Kept,
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// What is below, followed by these bytes.
    Appended(Arc<[u8]>),
}

#[derive(Clone, Debug)]
enum Kind {
    Removed,
    Directory,
    File(Content),
    Link(String),
    Special,
}

#[derive(Clone, Debug)]
struct Label {
    step: Arc<str>,
    part: Option<Arc<str>>,
    group: Option<(Op, Arc<str>)>,
}

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    attributes: Attributes,
    xattrs: BTreeMap<String, Vec<u8>>,
    label: Label,
}

/// A copy-on-write tree above `lower`; see the module's text.
pub struct Stage<'t> {
    lower: &'t dyn Tree,
    nodes: BTreeMap<GuestPath, Node>,
    label: Label,
    secrets: Vec<String>,
    hidden: BTreeSet<GuestPath>,
    shown: BTreeSet<GuestPath>,
    recording: bool,
    journal: journal::Journal,
    // Steps look the same directories up again and again, and a look-up walks the image.
    looked_up: RefCell<BTreeMap<GuestPath, Option<Metadata>>>,
}

impl<'t> Stage<'t> {
    /// What the stage lies above, without its changes.
    #[must_use]
    pub fn lower(&self) -> &'t dyn Tree {
        self.lower
    }

    /// A stage without changes above `lower`.
    #[must_use]
    pub fn new(lower: &'t dyn Tree) -> Self {
        let label = Label { step: "".into(), part: None, group: None };
        Self {
            lower,
            nodes: BTreeMap::new(),
            label,
            secrets: Vec::new(),
            hidden: BTreeSet::new(),
            shown: BTreeSet::new(),
            recording: false,
            journal: journal::Journal::new(),
            looked_up: RefCell::default(),
        }
    }

    /// Names the step that the changes from here on belong to.
    pub fn set_step(&mut self, step: &str) {
        self.label = Label { step: step.into(), part: None, group: None };
    }

    /// Shows the changes from here on as one entry of the plan (a package, an initramfs).
    pub fn set_group(&mut self, group: Option<(Op, String)>) {
        self.label.group = group.map(|(op, name)| (op, name.into()));
    }

    /// Has `text` shown as `<redacted>` in plans and differences.
    pub fn add_secret(&mut self, text: &str) {
        if !text.is_empty() && !self.secrets.iter().any(|known| known == text) {
            self.secrets.push(text.to_owned());
        }
    }

    /// The texts that must not be shown.
    #[must_use]
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Has what changes in the file `path` shown as `<redacted>`, old and new: a secret that is
    /// replaced was one too.
    pub fn hide_content(&mut self, path: &str) -> Result<(), Error> {
        let path = self.resolve(path)?;
        self.hidden.insert(path);
        Ok(())
    }

    /// Whether the content of `path` must not be shown.
    #[must_use]
    pub fn is_hidden(&self, path: &GuestPath) -> bool {
        self.hidden.contains(path)
    }

    /// Says that the content of the file `path` may be shown although not everybody may read it in the guest: what is no
    /// secret stands in the recipe.
    pub fn show_content(&mut self, path: &str) -> Result<(), Error> {
        let path = self.resolve(path)?;
        self.shown.insert(path);
        Ok(())
    }

    /// Whether the content of `path` may be shown, whoever may read it.
    #[must_use]
    pub fn may_be_shown(&self, path: &GuestPath) -> bool {
        self.shown.contains(path)
    }

    /// What `path` is, links followed; `None` when it does not exist.
    pub fn stat(&self, path: &str) -> Result<Option<Metadata>, Error> {
        self.look(&self.resolve(path)?)
    }

    /// What `path` is, its last component not followed.
    pub fn lstat(&self, path: &str) -> Result<Option<Metadata>, Error> {
        self.look(&self.resolve_parent(path)?)
    }

    /// The content of the file `path`, at most [`READ_LIMIT`] bytes; `None` when it does not exist.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read_limited(path, READ_LIMIT)
    }

    /// The content of the file `path`, at most `limit` bytes; `None` when it does not exist.
    pub fn read_limited(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = self.resolve(path)?;
        let Some(metadata) = self.look(&path)? else {
            return Ok(None);
        };
        if metadata.kind != FileType::Regular {
            return Err(Error::WrongType { path, found: metadata.kind.describe(), wanted: "a file" });
        }
        let content = match self.nodes.get(&path).map(|node| &node.kind) {
            Some(Kind::File(Content::Bytes(bytes))) => bytes.to_vec(),
            Some(Kind::File(Content::Appended(tail))) => {
                let mut content = self.lower.read_file(&path, limit)?;
                content.extend_from_slice(tail);
                content
            }
            _ => self.lower.read_file(&path, limit)?,
        };
        if content.len() as u64 > limit {
            return Err(Error::TooLarge { path, size: content.len() as u64, limit });
        }
        Ok(Some(content))
    }

    /// The text of the file `path`; content that is not UTF-8 is an error with its line.
    pub fn read_text(&self, path: &str) -> Result<Option<String>, Error> {
        let Some(content) = self.read(path)? else {
            return Ok(None);
        };
        match String::from_utf8(content) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
                let what = "is not UTF-8 text".to_owned();
                Err(Error::Content { path: GuestPath::new(path), line: Some(line), what })
            }
        }
    }

    /// The names in the directory `path`, sorted; none when it does not exist.
    pub fn list(&self, path: &str) -> Result<Vec<DirEntry>, Error> {
        let path = self.resolve(path)?;
        let Some(metadata) = self.look(&path)? else {
            return Ok(Vec::new());
        };
        if metadata.kind != FileType::Directory {
            return Err(Error::WrongType { path, found: metadata.kind.describe(), wanted: "a directory" });
        }
        self.list_exact(&path)
    }

    fn list_exact(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let mut names: BTreeMap<String, FileType> = BTreeMap::new();
        if matches!(self.lower.lstat(path)?, Some(below) if below.kind == FileType::Directory) {
            names.extend(self.lower.read_dir(path)?.into_iter().map(|entry| (entry.name, entry.kind)));
        }
        for (name, node) in self.staged_in(path) {
            match file_type(&node.kind) {
                Some(kind) => names.insert(name.to_owned(), kind),
                None => names.remove(name),
            };
        }
        Ok(names.into_iter().map(|(name, kind)| DirEntry { name, kind }).collect())
    }

    /// What is staged in the directory `path` itself, removals, too.
    fn staged_in<'s>(&'s self, path: &'s GuestPath) -> impl Iterator<Item = (&'s str, &'s Node)> {
        self.nodes
            .range(path.clone()..)
            // Siblings such as "/etc-old" sort between "/etc" and "/etc/x".
            .take_while(move |(child, _)| child.as_str().starts_with(path.as_str()))
            .filter(move |(child, _)| child.parent().as_ref() == Some(path))
            .filter_map(|(child, node)| Some((child.name()?, node)))
    }

    /// The target of the link `path`; `None` when it is not a link.
    pub fn read_link(&self, path: &str) -> Result<Option<String>, Error> {
        self.link_exact(&self.resolve_parent(path)?)
    }

    fn link_exact(&self, path: &GuestPath) -> Result<Option<String>, Error> {
        match self.nodes.get(path).map(|node| &node.kind) {
            Some(Kind::Link(target)) => Ok(Some(target.clone())),
            Some(_) => Ok(None),
            None => match self.look(path)? {
                Some(metadata) if metadata.kind == FileType::Symlink => Ok(Some(self.lower.read_link(path)?)),
                _ => Ok(None),
            },
        }
    }

    /// The extended attributes of `path`, its last component not followed.
    pub fn xattrs(&self, path: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let path = self.resolve_parent(path)?;
        let mut found: BTreeMap<String, Vec<u8>> = match self.lower.lstat(&path)? {
            Some(_) => self.lower.xattrs(&path)?.into_iter().collect(),
            None => BTreeMap::new(),
        };
        if let Some(node) = self.nodes.get(&path) {
            found.extend(node.xattrs.clone());
        }
        Ok(found.into_iter().collect())
    }

    /// Gives the file `path` this content. Links are followed, missing directories are made.
    pub fn write(&mut self, path: &str, content: impl Into<Vec<u8>>, set: Set) -> Result<(), Error> {
        self.write_shared(path, content.into().into(), set)
    }

    /// As [`write`](Self::write), without a copy of what the caller keeps.
    pub fn write_shared(&mut self, path: &str, content: Arc<[u8]>, set: Set) -> Result<(), Error> {
        let path = self.resolve(path)?;
        let existing = self.look(&path)?;
        let base = match existing {
            None => self.make_parents(&path)?.file(),
            Some(metadata) if metadata.kind == FileType::Regular => metadata.attributes(),
            Some(metadata) => {
                return Err(Error::WrongType { path, found: metadata.kind.describe(), wanted: "a file" });
            }
        };
        self.put(path, Kind::File(Content::Bytes(content)), set.over(base));
        Ok(())
    }

    /// Adds bytes to the end of the existing file `path`, holding only the added bytes.
    pub fn append_bytes(&mut self, path: &str, tail: Vec<u8>) -> Result<(), Error> {
        let path = self.resolve(path)?;
        let metadata = self.expect(&path, FileType::Regular)?;
        let content = match self.nodes.get(&path).map(|node| &node.kind) {
            Some(Kind::File(Content::Bytes(bytes))) => {
                Content::Bytes([bytes, tail.as_slice()].concat().into())
            }
            Some(Kind::File(Content::Appended(bytes))) => {
                Content::Appended([bytes, tail.as_slice()].concat().into())
            }
            _ => Content::Appended(tail.into()),
        };
        self.put(path, Kind::File(content), metadata.attributes());
        Ok(())
    }

    /// Makes the directory `path` and those above it; an existing one only gets what `set` names.
    pub fn mkdir(&mut self, path: &str, set: Set) -> Result<(), Error> {
        let path = self.resolve(path)?;
        match self.look(&path)? {
            Some(metadata) if metadata.kind == FileType::Directory => {
                if set != Set::default() {
                    self.put(path, Kind::Directory, set.over(metadata.attributes()));
                }
                Ok(())
            }
            Some(metadata) => {
                Err(Error::WrongType { path, found: metadata.kind.describe(), wanted: "a directory" })
            }
            None => {
                let base = self.make_parents(&path)?.directory();
                self.put(path, Kind::Directory, set.over(base));
                Ok(())
            }
        }
    }

    /// Makes the symbolic link `path`, replacing a file or link, never a directory.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), Error> {
        let path = self.resolve_parent(path)?;
        let base = match self.look(&path)? {
            Some(metadata) if metadata.kind == FileType::Directory => {
                return Err(Error::WrongType { path, found: "a directory", wanted: "a symbolic link" });
            }
            _ => self.make_parents(&path)?.link(),
        };
        if self.link_exact(&path)?.as_deref() != Some(target) {
            self.put(path, Kind::Link(target.to_owned()), base);
        }
        Ok(())
    }

    /// Removes `path` and everything below it; a missing one is nothing to do.
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        let path = self.resolve_parent(path)?;
        if path == GuestPath::root() {
            return Err(Error::Refused("the root directory itself cannot be removed".to_owned()));
        }
        let mut pending = vec![path];
        while let Some(path) = pending.pop() {
            let Some(metadata) = self.look(&path)? else {
                continue;
            };
            if metadata.kind == FileType::Directory {
                for entry in self.list_exact(&path)? {
                    pending.push(path.join(&entry.name));
                }
            }
            self.put(path, Kind::Removed, metadata.attributes());
        }
        Ok(())
    }

    /// Sets the permission bits of `path`, links followed.
    pub fn set_mode(&mut self, path: &str, mode: u32) -> Result<(), Error> {
        self.adjust(self.resolve(path)?, |node| node.attributes.mode = mode)
    }

    /// Sets owner and group of `path`, its last component not followed.
    pub fn set_owner(&mut self, path: &str, uid: u32, gid: u32) -> Result<(), Error> {
        self.adjust(self.resolve_parent(path)?, |node| {
            (node.attributes.uid, node.attributes.gid) = (uid, gid)
        })
    }

    /// Sets an extended attribute of `path`, its last component not followed.
    pub fn set_xattr(&mut self, path: &str, name: &str, value: &[u8]) -> Result<(), Error> {
        self.adjust(self.resolve_parent(path)?, |node| {
            node.xattrs.insert(name.to_owned(), value.to_vec());
        })
    }

    fn adjust(&mut self, path: GuestPath, change: impl FnOnce(&mut Node)) -> Result<(), Error> {
        let metadata = self.look(&path)?.ok_or_else(|| Error::Missing { path: path.clone() })?;
        let mut node = match self.nodes.get(&path) {
            Some(node) => node.clone(),
            None => Node {
                kind: match metadata.kind {
                    FileType::Regular => Kind::File(Content::Kept),
                    FileType::Directory => Kind::Directory,
                    FileType::Symlink => Kind::Link(self.lower.read_link(&path)?),
                    FileType::Special => Kind::Special,
                },
                attributes: metadata.attributes(),
                xattrs: BTreeMap::new(),
                label: self.label.clone(),
            },
        };
        change(&mut node);
        node.label = self.label.clone();
        self.nodes.insert(path.clone(), node);
        self.note(&path);
        Ok(())
    }

    fn put(&mut self, path: GuestPath, kind: Kind, attributes: Attributes) {
        let xattrs = match self.nodes.remove(&path) {
            Some(node) if !matches!(node.kind, Kind::Removed) => node.xattrs,
            _ => BTreeMap::new(),
        };
        self.nodes.insert(path.clone(), Node { kind, attributes, xattrs, label: self.label.clone() });
        self.note(&path);
    }

    /// Makes the directories above `path` that are missing, and tells whose something new there is.
    fn make_parents(&mut self, path: &GuestPath) -> Result<Heir, Error> {
        let mut heir = Heir::default();
        let mut missing = Vec::new();
        let mut above = path.parent();
        while let Some(directory) = above {
            match self.look(&directory)? {
                Some(metadata) if metadata.kind == FileType::Directory => {
                    heir = Heir::of(metadata.attributes());
                    break;
                }
                Some(metadata) => {
                    let found = metadata.kind.describe();
                    return Err(Error::WrongType { path: directory, found, wanted: "a directory" });
                }
                None => {
                    above = directory.parent();
                    missing.push(directory);
                }
            }
        }
        for directory in missing {
            self.put(directory, Kind::Directory, heir.directory());
        }
        Ok(heir)
    }

    fn expect(&self, path: &GuestPath, wanted: FileType) -> Result<Metadata, Error> {
        match self.look(path)? {
            None => Err(Error::Missing { path: path.clone() }),
            Some(metadata) if metadata.kind == wanted => Ok(metadata),
            Some(metadata) => Err(Error::WrongType {
                path: path.clone(),
                found: metadata.kind.describe(),
                wanted: wanted.describe(),
            }),
        }
    }

    /// `path` taken literally: the staged node, else what is below.
    fn look(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        if let Some(node) = self.nodes.get(path) {
            let Some(kind) = file_type(&node.kind) else {
                return Ok(None);
            };
            let below = || Ok::<_, Error>(self.below(path)?.map_or(0, |metadata| metadata.size));
            let size = match &node.kind {
                Kind::File(Content::Bytes(bytes)) => bytes.len() as u64,
                Kind::File(Content::Appended(tail)) => below()? + tail.len() as u64,
                Kind::File(Content::Kept) => below()?,
                Kind::Link(target) => target.len() as u64,
                Kind::Directory | Kind::Special | Kind::Removed => 0,
            };
            let Attributes { mode, uid, gid } = node.attributes;
            return Ok(Some(Metadata { kind, mode, uid, gid, size, mtime: 0 }));
        }
        self.below(path)
    }

    fn below(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        if let Some(known) = self.looked_up.borrow().get(path) {
            return Ok(*known);
        }
        let found = self.lower.lstat(path)?;
        self.looked_up.borrow_mut().insert(path.clone(), found);
        Ok(found)
    }
}

fn file_type(kind: &Kind) -> Option<FileType> {
    match kind {
        Kind::Removed => None,
        Kind::Directory => Some(FileType::Directory),
        Kind::File(_) => Some(FileType::Regular),
        Kind::Link(_) => Some(FileType::Symlink),
        Kind::Special => Some(FileType::Special),
    }
}

#[cfg(test)]
mod tests;
