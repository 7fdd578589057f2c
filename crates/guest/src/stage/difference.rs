//! What differs between the stage and the tree below: the plan, and the edits that carry it out.

use std::collections::BTreeMap;

use super::{Content, Kind, Label, Node, Stage, file_type};
use crate::tree::{Attributes, FileType, Metadata};
use crate::{Error, GuestPath};

/// The kinds of change that a plan lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A file is created or gets other content.
    Write,
    /// A file, link or directory goes away.
    Remove,
    /// A directory is created.
    Mkdir,
    /// A symbolic link is created or points elsewhere.
    Link,
    /// Only the permission bits change.
    Chmod,
    /// Only the owner changes.
    Chown,
    /// Only extended attributes change.
    Xattr,
    /// A package is installed, unpacked or laid ready.
    Package,
    /// An initramfs gets a second archive.
    Initramfs,
}

impl Op {
    /// The name in plans and in `--plan --json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Remove => "remove",
            Self::Mkdir => "mkdir",
            Self::Link => "link",
            Self::Chmod => "chmod",
            Self::Chown => "chown",
            Self::Xattr => "xattr",
            Self::Package => "package",
            Self::Initramfs => "initramfs",
        }
    }
}

/// One entry of a plan.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happens.
    pub op: Op,
    /// The path, or the package's name for [`Op::Package`].
    pub path: String,
    /// The step that asked for it.
    pub step: String,
    /// What was there before; `None` when nothing was, or for a group.
    pub before: Option<Metadata>,
    /// What will be there; `None` when nothing will, or for a group.
    pub after: Option<Metadata>,
    /// The single edits behind this entry: one, or those of the group.
    pub edits: Vec<GuestPath>,
}

/// What a path shall be in the end.
#[derive(Clone, Debug)]
pub enum State {
    /// Nothing.
    Absent,
    /// A directory.
    Directory(Attributes),
    /// A regular file.
    File(Content, Attributes),
    /// A symbolic link.
    Link(String, Attributes),
    /// A special file that stays, with other attributes.
    Special(Attributes),
}

/// One path whose state below differs from what is staged.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The path, taken literally.
    pub path: GuestPath,
    /// What is there now.
    pub before: Option<Metadata>,
    /// What shall be there.
    pub state: State,
    /// Extended attributes to set.
    pub xattrs: Vec<(String, Vec<u8>)>,
    op: Op,
    label_step: String,
    label_group: Option<(Op, String)>,
}

impl Edit {
    /// What kind of change this is.
    #[must_use]
    pub fn op(&self) -> Op {
        self.op
    }

    /// The step that asked for it.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.label_step
    }
}

impl Stage<'_> {
    /// Every path that has to change, in path order (parents before children).
    pub fn edits(&self) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        for (path, node) in &self.nodes {
            if let Some(edit) = self.edit(path, node)? {
                edits.push(edit);
            }
        }
        Ok(edits)
    }

    /// The plan: what will change, grouped, in the order of paths; groups stand where their
    /// first path would.
    pub fn changes(&self) -> Result<Vec<Change>, Error> {
        let mut changes: Vec<Change> = Vec::new();
        let mut groups: BTreeMap<(Op, String), usize> = BTreeMap::new();
        for edit in self.edits()? {
            if let Some(group) = &edit.label_group {
                if let Some(known) = groups.get(group) {
                    changes[*known].edits.push(edit.path.clone());
                    continue;
                }
                groups.insert(group.clone(), changes.len());
                changes.push(Change {
                    op: group.0,
                    path: group.1.clone(),
                    step: edit.label_step.clone(),
                    before: None,
                    after: None,
                    edits: vec![edit.path.clone()],
                });
                continue;
            }
            changes.push(Change {
                op: edit.op,
                path: edit.path.to_string(),
                step: edit.label_step.clone(),
                before: edit.before,
                after: self.look(&edit.path)?,
                edits: vec![edit.path.clone()],
            });
        }
        Ok(changes)
    }

    pub(super) fn edit(&self, path: &GuestPath, node: &Node) -> Result<Option<Edit>, Error> {
        let before = self.below(path)?;
        let same_type = before.map(|found| found.kind) == file_type(&node.kind);
        let old = before.map(|found| found.attributes());
        let new = node.attributes;
        let attribute_op = match old {
            Some(old) if old.mode != new.mode => Some(Op::Chmod),
            Some(old) if (old.uid, old.gid) != (new.uid, new.gid) => Some(Op::Chown),
            _ => None,
        };
        let xattrs = if same_type && before.is_some() {
            let present: BTreeMap<String, Vec<u8>> = match node.xattrs.is_empty() {
                true => BTreeMap::new(),
                false => self.lower.xattrs(path)?.into_iter().collect(),
            };
            node.xattrs.iter().filter(|(name, value)| present.get(*name) != Some(value)).collect()
        } else {
            node.xattrs.iter().collect::<Vec<_>>()
        };
        let xattr_op = (!xattrs.is_empty()).then_some(Op::Xattr);
        let (op, state) = match &node.kind {
            Kind::Removed => (before.is_some().then_some(Op::Remove), State::Absent),
            Kind::Directory => {
                let op = if same_type { attribute_op.or(xattr_op) } else { Some(Op::Mkdir) };
                (op, State::Directory(new))
            }
            Kind::File(content) => {
                let changed = !same_type || self.content_differs(path, content, before)?;
                let op = if changed { Some(Op::Write) } else { attribute_op.or(xattr_op) };
                let content = if changed { content.clone() } else { Content::Kept };
                (op, State::File(content, new))
            }
            Kind::Link(target) => {
                let changed = !same_type || self.lower.read_link(path)? != *target;
                let owner = attribute_op.filter(|op| *op == Op::Chown);
                (if changed { Some(Op::Link) } else { owner.or(xattr_op) }, State::Link(target.clone(), new))
            }
            Kind::Special => (attribute_op.or(xattr_op), State::Special(new)),
        };
        let Label { step, group, .. } = &node.label;
        Ok(op.map(|op| Edit {
            path: path.clone(),
            before,
            state,
            xattrs: xattrs.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            op,
            label_step: step.to_string(),
            label_group: group.as_ref().map(|(op, name)| (*op, name.to_string())),
        }))
    }

    fn content_differs(
        &self,
        path: &GuestPath,
        content: &Content,
        before: Option<Metadata>,
    ) -> Result<bool, Error> {
        match content {
            Content::Kept => Ok(false),
            Content::Appended(tail) => Ok(!tail.is_empty()),
            Content::Bytes(bytes) => match before {
                Some(found) if found.kind == FileType::Regular && found.size == bytes.len() as u64 => {
                    Ok(self.lower.read_file(path, found.size)? != **bytes)
                }
                _ => Ok(true),
            },
        }
    }

    /// What `path` was before any step, its last component not followed.
    pub fn original_stat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        self.below(path)
    }

    /// Where the link `path` led before any step; `None` when it was no link.
    pub fn original_link(&self, path: &GuestPath) -> Result<Option<String>, Error> {
        match self.below(path)? {
            Some(found) if found.kind == FileType::Symlink => Ok(Some(self.lower.read_link(path)?)),
            _ => Ok(None),
        }
    }

    /// How many names (hard links) the file `path` had before any step. What changes gets an inode of
    /// its own, and the other names keep the old one.
    pub fn original_names(&self, path: &GuestPath) -> Result<u32, Error> {
        match self.below(path)? {
            Some(found) if found.kind == FileType::Regular => {
                Ok(self.lower.identity(path)?.map_or(1, |identity| identity.links))
            }
            _ => Ok(1),
        }
    }

    /// What was in the file `path` before any step, for showing a difference.
    pub fn original(&self, path: &GuestPath, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        match self.below(path)? {
            Some(found) if found.kind == FileType::Regular => Ok(Some(self.lower.read_file(path, limit)?)),
            _ => Ok(None),
        }
    }
}
