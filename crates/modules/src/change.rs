//! What writing a file changes in it, for a plan that is read by people.

use crate::action::Action;
use crate::machine::Machine;

/// Lines of a file that is written over another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Lines that come.
    pub added: Vec<String>,
    /// How many lines go. What they say is not kept: it may be a secret of the image.
    pub removed: usize,
    /// How many stay.
    pub kept: usize,
}

/// Larger files are not compared.
const LARGEST: usize = 1 << 20;

impl Change {
    /// What `action` changes on `machine`, if it writes a text that anybody may see over another text.
    #[must_use]
    pub fn of(action: &Action, machine: &dyn Machine) -> Option<Self> {
        let Action::Write { path, content, .. } = action else { return None };
        if content.secret || content.bytes.len() > LARGEST {
            return None;
        }
        let old = machine.read(path).filter(|old| old.len() <= LARGEST)?;
        Some(Self::between(std::str::from_utf8(&old).ok()?, std::str::from_utf8(&content.bytes).ok()?))
    }

    /// Compares two texts: lines that are the same at the begin and at the end stay.
    #[must_use]
    pub fn between(old: &str, new: &str) -> Self {
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        let head = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
        let (old, new) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(one, other)| one == other).count();
        let added = new.get(..new.len() - tail).unwrap_or_default();
        Self {
            added: added.iter().map(|line| (*line).to_owned()).collect(),
            removed: old.len() - tail,
            kept: head + tail,
        }
    }

    /// True when the file is as it will be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_at_both_ends_stay() {
        for (old, new, added, removed, kept) in [
            ("", "a\n", vec!["a"], 0, 0),
            ("a\nb\n", "a\nb\n", vec![], 0, 2),
            ("a\nb\nc\n", "a\nx\nc\n", vec!["x"], 1, 2),
            ("a\n", "a\na\n", vec!["a"], 0, 1),
            ("a\nb\n", "b\n", vec![], 1, 1),
        ] {
            let change = Change::between(old, new);
            assert_eq!(
                (change.added, change.removed, change.kept),
                (added.iter().map(|l: &&str| (*l).to_owned()).collect(), removed, kept)
            );
        }
    }
}
