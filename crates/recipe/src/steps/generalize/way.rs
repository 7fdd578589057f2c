//! Which links on the way to what the table names are followed.
//!
//! The table means places of the system. A link that brings such a place elsewhere (`/var/run` to
//! `/run`, logs to another directory of `/var`) is followed; one that leads to what is something else,
//! `/var/log` to `/etc`, is not, and is told.

use std::collections::VecDeque;

use hardtack_guest::{Error, FileType, GuestPath, Stage};

use super::STEP;
use crate::Context;

/// The kernel's limit (`MAXSYMLINKS`, include/linux/namei.h).
const MOST_LINKS: usize = 40;
/// What is in these is of the kind that the table takes, whichever way leads here.
const KNOWN: [&str; 9] = [
    "/run",
    "/tmp",
    "/var/tmp",
    "/var/log",
    "/var/mail",
    "/var/spool/mail",
    "/sysroot/tmp",
    "/usr/lib/sysimage/rpm",
    "/var/crash",
];
/// Where systems of ostree have a directory.
const MOVED: [(&str, &str); 4] =
    [("/root", "/var/roothome"), ("/srv", "/var/srv"), ("/opt", "/var/opt"), ("/usr/local", "/var/usrlocal")];
/// In each of these are many programs' files: none is another name for one of them.
const OF_MANY: [&str; 10] = [
    "/var/lib",
    "/var/cache",
    "/var/spool",
    "/var/opt",
    "/var/local",
    "/var/www",
    "/var/db",
    "/var/home",
    "/var/roothome",
    "/var/backups",
];
/// Nothing that the table means is in these, but for what it names there.
const NOBODYS: [&str; 6] =
    ["/var/lib/dpkg", "/var/lib/rpm", "/var/lib/pacman", "/var/lib/apk", "/var/home", "/var/www"];

/// Where a path really is.
pub(super) struct Way {
    /// Without links on the way.
    pub(super) to: GuestPath,
    /// Every link on the way is root's.
    roots: bool,
}

/// Follows the links of `path`, the last component's only if `last`; `None` when they are a loop.
pub(super) fn way(stage: &Stage<'_>, path: &str, last: bool) -> Result<Option<Way>, Error> {
    let parts = |path: &str| -> VecDeque<String> {
        path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
    };
    let mut pending = parts(path);
    let mut way = Way { to: GuestPath::root(), roots: true };
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            way.to = way.to.parent().unwrap_or_else(GuestPath::root);
            continue;
        }
        let next = way.to.join(&name);
        let found = stage.lstat(next.as_str())?;
        let link = found.filter(|found| found.kind == FileType::Symlink && (last || !pending.is_empty()));
        let Some(link) = link else {
            way.to = next;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return Ok(None);
        }
        way.roots &= link.uid == 0;
        let target = stage.read_link(next.as_str())?.unwrap_or_default();
        if target.starts_with('/') {
            way.to = GuestPath::root();
        }
        for part in parts(&target).into_iter().rev() {
            pending.push_front(part);
        }
    }
    Ok(Some(way))
}

/// Where the place `path` of the system really is; `None`, with a warning, where a link leads to what
/// is something else. The last component is followed only if `last`.
pub(super) fn meant(cx: &mut Context<'_, '_>, path: &str, last: bool) -> Result<Option<GuestPath>, Error> {
    let Some(way) = way(cx.stage, path, last)? else { return Ok(None) };
    let named = GuestPath::new(path);
    if way.to == named {
        return Ok(Some(way.to));
    }
    let directory = |path: &GuestPath| match last {
        true => path.clone(),
        false => path.parent().unwrap_or_else(GuestPath::root),
    };
    if way.roots && is_meant(&directory(&named), &directory(&way.to)) {
        return Ok(Some(way.to));
    }
    cx.warn(STEP, leads_out(directory(&named).as_str(), &directory(&way.to)));
    Ok(None)
}

/// For people: what was not followed.
pub(super) fn leads_out(path: &str, to: &GuestPath) -> String {
    format!("{path} leads to {to}, which is something else: what is there stays")
}

fn is_meant(named: &GuestPath, to: &GuestPath) -> bool {
    let below = |path: &GuestPath, top: &str| path.starts_with(&GuestPath::new(top));
    if named == to || KNOWN.iter().any(|known| below(to, known)) {
        return true;
    }
    if MOVED.iter().any(|(from, now)| below(named, from) && below(to, now)) {
        return true;
    }
    let top = |path: &GuestPath| path.components().next().map(str::to_owned);
    top(named) == top(to)
        && to.components().count() > 1
        && !OF_MANY.contains(&to.as_str())
        && !NOBODYS.iter().any(|no| below(to, no))
}
