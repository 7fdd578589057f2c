//! Who changed what: every state that a path was given while the steps ran, and by which part of
//! which step. The plan needs only the last one; to judge the steps one by one all of them count.

use std::collections::BTreeMap;

use super::{Content, Kind, Label, Node, Stage};
use crate::{Error, GuestPath};

pub(super) type Journal = BTreeMap<GuestPath, Vec<Node>>;

/// A part of a step that changed a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Maker {
    /// The step.
    pub step: String,
    /// The part of it that was named with [`Stage::set_part`]; empty when none was.
    pub part: String,
    /// The name of the group that the change is shown under; empty when there is none.
    pub group: String,
}

impl Stage<'_> {
    /// Names the part of the step that the changes from here on belong to: one operation, one user.
    pub fn set_part(&mut self, part: Option<&str>) {
        self.label.part = part.map(Into::into);
    }

    /// From here on every state of a path is kept, or none any more, for [`makers`](Self::makers).
    pub fn record(&mut self, on: bool) {
        self.recording = on;
    }

    /// Those who gave `path` another state than it had before them, in the order in which they did.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn makers(&self, path: &GuestPath) -> Result<Vec<Maker>, Error> {
        let mut makers = Vec::new();
        let mut previous: Option<&Node> = None;
        for node in self.journal.get(path).into_iter().flatten() {
            if !self.is_same(path, previous, node)? {
                let Label { step, part, group } = &node.label;
                let maker = Maker {
                    step: step.to_string(),
                    part: part.as_deref().unwrap_or_default().to_owned(),
                    group: group.as_ref().map_or_else(String::new, |(_, name)| name.to_string()),
                };
                if !makers.contains(&maker) {
                    makers.push(maker);
                }
            }
            previous = Some(node);
        }
        Ok(makers)
    }

    pub(super) fn note(&mut self, path: &GuestPath) {
        if self.recording
            && let Some(node) = self.nodes.get(path)
        {
            self.journal.entry(path.clone()).or_default().push(node.clone());
        }
    }

    fn is_same(&self, path: &GuestPath, old: Option<&Node>, new: &Node) -> Result<bool, Error> {
        let differs = |node: &Node| Ok::<_, Error>(self.edit(path, node)?.is_some());
        let Some(old) = old else { return Ok(!differs(new)?) };
        if old.attributes != new.attributes || old.xattrs != new.xattrs {
            return Ok(matches!((&old.kind, &new.kind), (Kind::Removed, Kind::Removed)));
        }
        match (&old.kind, &new.kind) {
            (Kind::Removed, Kind::Removed)
            | (Kind::Directory, Kind::Directory)
            | (Kind::Special, Kind::Special) => Ok(true),
            (Kind::Link(old), Kind::Link(new)) => Ok(old == new),
            (Kind::File(Content::Bytes(old)), Kind::File(Content::Bytes(new)))
            | (Kind::File(Content::Appended(old)), Kind::File(Content::Appended(new))) => Ok(old == new),
            (Kind::File(Content::Kept), Kind::File(Content::Kept)) => Ok(true),
            // One is told by what is below and the other is not.
            (Kind::File(_), Kind::File(_)) => Ok(!differs(old)? && !differs(new)?),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::stage::Set;
    use crate::tree::MemoryTree;

    fn parts(stage: &Stage<'_>, path: &str) -> Vec<String> {
        stage.makers(&GuestPath::new(path)).unwrap().into_iter().map(|maker| maker.part).collect()
    }

    #[test]
    fn only_who_changed_something_is_a_maker() {
        let tree = MemoryTree::new().file("/a", "one\n").file("/b", "one\n");
        let mut stage = Stage::new(&tree);
        stage.set_step("files");
        stage.record(true);
        stage.set_part(Some("1"));
        stage.write("/a", "one\n", Set::default()).unwrap();
        stage.write("/b", "two\n", Set::default()).unwrap();
        stage.set_part(Some("2"));
        stage.append_bytes("/a", b"two\n".to_vec()).unwrap();
        stage.write("/b", "two\n", Set::default()).unwrap();
        stage.set_part(Some("3"));
        stage.set_mode("/b", 0o600).unwrap();
        stage.record(false);
        stage.set_part(Some("4"));
        stage.write("/a", "else", Set::default()).unwrap();
        assert_eq!(parts(&stage, "/a"), ["2"]);
        assert_eq!(parts(&stage, "/b"), ["1", "3"]);
        assert!(parts(&stage, "/c").is_empty());
    }
}
