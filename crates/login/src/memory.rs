//! Files for the tests: made up, or those below a directory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use crate::files::{Fault, Files, Kind};

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>),
    Link(String),
}

/// Files in memory; their directories are there by themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryFiles {
    nodes: BTreeMap<String, Node>,
}

impl MemoryFiles {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.nodes.insert(path.to_owned(), Node::File(content.as_ref().to_vec()));
        self
    }

    pub(crate) fn link(mut self, path: &str, target: &str) -> Self {
        self.nodes.insert(path.to_owned(), Node::Link(target.to_owned()));
        self
    }

    fn resolve(&self, path: &str) -> Option<String> {
        let mut at = path.to_owned();
        for _ in 0..9 {
            match self.nodes.get(&at) {
                Some(Node::Link(target)) if target.starts_with('/') => at = target.clone(),
                Some(Node::Link(target)) => {
                    let folder = at.rsplit_once('/').unwrap().0;
                    at = format!("{folder}/{target}");
                }
                _ => return Some(at),
            }
        }
        None
    }
}

impl Files for MemoryFiles {
    type Error = Fault;

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        match self.resolve(path).and_then(|path| self.nodes.get(&path)) {
            Some(Node::File(content)) => {
                assert!(content.len() as u64 <= limit);
                Ok(Some(content.clone()))
            }
            _ => Ok(None),
        }
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, Fault> {
        let Some(path) = self.resolve(path) else { return Ok(None) };
        if self.nodes.contains_key(&path) {
            return Ok(Some(Kind::Regular));
        }
        let below = format!("{}/", path.trim_end_matches('/'));
        let directory = self.nodes.keys().any(|known| known.starts_with(&below));
        Ok(directory.then_some(Kind::Directory))
    }

    fn link(&self, path: &str) -> Result<Option<String>, Fault> {
        Ok(match self.nodes.get(path) {
            Some(Node::Link(target)) => Some(target.clone()),
            _ => None,
        })
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Fault> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let mut names: Vec<String> = self
            .nodes
            .keys()
            .filter_map(|known| known.strip_prefix(&below))
            .map(|rest| rest.split('/').next().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

/// The files of this machine.
pub(crate) struct HostFiles;

impl Files for HostFiles {
    type Error = Fault;

    fn read(&self, path: &str, _limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(std::fs::read(path).ok())
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, Fault> {
        Ok(std::fs::metadata(path).ok().map(|found| match found.is_dir() {
            true => Kind::Directory,
            false => Kind::Regular,
        }))
    }

    fn link(&self, path: &str) -> Result<Option<String>, Fault> {
        Ok(std::fs::read_link(path).ok().map(|target| target.display().to_string()))
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Fault> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }
}
