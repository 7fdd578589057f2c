//! Following links as the guest's kernel does, without ever leaving the guest.

use std::collections::VecDeque;

use super::Stage;
use crate::tree::FileType;
use crate::{Error, GuestPath};

/// The kernel's limit (`MAXSYMLINKS`, include/linux/namei.h).
const MAX_LINKS: usize = 40;

impl Stage<'_> {
    /// Where `path` really is, all links followed. What does not exist is taken literally, so this
    /// is also where a write to `path` would land, through a dangling link too.
    pub fn resolve(&self, path: &str) -> Result<GuestPath, Error> {
        self.walk(path, true)
    }

    /// As [`resolve`](Self::resolve), but the last component is not followed.
    pub fn resolve_parent(&self, path: &str) -> Result<GuestPath, Error> {
        self.walk(path, false)
    }

    fn walk(&self, path: &str, follow_last: bool) -> Result<GuestPath, Error> {
        let mut pending: VecDeque<String> = split(path);
        let mut at = GuestPath::root();
        let mut links = 0;
        while let Some(name) = pending.pop_front() {
            if name == ".." {
                at = at.parent().unwrap_or_else(GuestPath::root);
                continue;
            }
            let next = at.join(&name);
            let is_link = matches!(self.look(&next)?, Some(found) if found.kind == FileType::Symlink);
            if !is_link || (pending.is_empty() && !follow_last) {
                at = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Error::LinkLoop { path: GuestPath::new(path) });
            }
            let target = self.link_exact(&next)?.unwrap_or_default();
            if target.starts_with('/') {
                at = GuestPath::root();
            }
            for part in split(&target).into_iter().rev() {
                pending.push_front(part);
            }
        }
        Ok(at)
    }
}

/// The components of a path, `..` kept: after a link it means the target's parent.
fn split(path: &str) -> VecDeque<String> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
}
