//! Going through everything: nothing of it is kept, so that images with millions of files can be looked at.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::Stage;
use crate::tree::{FileType, Metadata};
use crate::{Error, GuestPath};

/// Directories in directories: damaged file systems can have them without end.
const DEPTH_LIMIT: usize = 256;

/// What becomes of a directory that a walk has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descend {
    /// What is in it comes next.
    Into,
    /// It is passed by.
    Past,
}

impl Stage<'_> {
    /// Calls `visit` for everything below the root directory, each directory before what is in it. Symbolic links are not
    /// followed. Directories more than 256 deep are passed by.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn visit_all(
        &self,
        visit: &mut dyn FnMut(&GuestPath, &Metadata) -> ControlFlow<(), Descend>,
    ) -> Result<(), Error> {
        let mut pending = vec![(GuestPath::root(), 0)];
        while let Some((directory, depth)) = pending.pop() {
            for (name, found) in self.met_in(&directory)? {
                let path = directory.join(&name);
                match visit(&path, &found) {
                    ControlFlow::Break(()) => return Ok(()),
                    ControlFlow::Continue(Descend::Into)
                        if found.kind == FileType::Directory && depth < DEPTH_LIMIT =>
                    {
                        pending.push((path, depth + 1));
                    }
                    ControlFlow::Continue(_) => {}
                }
            }
        }
        Ok(())
    }

    /// What is in a directory, with what it is: nothing is looked up from the root, and nothing remembered.
    fn met_in(&self, directory: &GuestPath) -> Result<BTreeMap<String, Metadata>, Error> {
        let mut found = BTreeMap::new();
        if matches!(self.lower.lstat(directory)?, Some(below) if below.kind == FileType::Directory) {
            found.extend(self.lower.read_dir_stat(directory)?);
        }
        for (name, _) in self.staged_in(directory) {
            match self.look(&directory.join(name))? {
                Some(metadata) => found.insert(name.to_owned(), metadata),
                None => found.remove(name),
            };
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{MemoryTree, Set};

    #[test]
    fn staged_files_are_met_and_removed_ones_are_not() {
        let tree =
            MemoryTree::new().file("/a/gone", "").file("/a/kept", "").file("/skip/x", "").link("/l", "a");
        let mut stage = Stage::new(&tree);
        stage.remove("/a/gone").unwrap();
        stage.write("/a/new", "x", Set::mode(0o600)).unwrap();
        let mut met = Vec::new();
        let mut visit = |path: &GuestPath, found: &Metadata| {
            met.push(format!("{path} {:o}", found.mode));
            ControlFlow::Continue(if path.as_str() == "/skip" { Descend::Past } else { Descend::Into })
        };
        stage.visit_all(&mut visit).unwrap();
        let paths: Vec<_> = met.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(paths, ["/a", "/l", "/skip", "/a/kept", "/a/new"]);
        assert!(met.contains(&"/a/new 600".to_owned()));
        let mut count = 0;
        stage
            .visit_all(&mut |_, _| {
                count += 1;
                ControlFlow::Break(())
            })
            .unwrap();
        assert_eq!(count, 1);
    }
}
