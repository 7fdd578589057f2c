//! One walk through the image for all rules that want to see every file. Only what breaks a rule is kept, and no more of
//! it than somebody reads.

use std::collections::HashSet;
use std::ops::ControlFlow;

use hardtack_guest::{Descend, FileType, GuestPath, Metadata, READ_LIMIT, Stage};
use hardtack_report::Place;

use crate::{Error, Finding, View};

/// Offenders of a kind that are told one by one.
const TOLD: usize = 50;
/// Programs with set-id bits that are looked up.
const PROGRAMS: usize = 2000;
/// Files that are looked at; an image with more of them is told to be one.
const FILES: u64 = 10_000_000;

/// What other file systems are mounted over.
const MOUNTS: [&str; 5] = ["/proc", "/sys", "/dev", "/run", "/snap"];
/// Where containers and pods keep whole trees with users of their own, which nobody runs from there.
const STORES: [&str; 9] = [
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/kubelet",
    "/var/lib/lxc",
    "/var/lib/lxd",
    "/var/lib/machines",
    "/var/lib/rancher",
    "/var/snap/lxd",
];
/// Owners that systemd makes while a service runs (`DynamicUser=`), in its private directories.
const DYNAMIC: std::ops::RangeInclusive<u32> = 61_184..=65_519;
const PRIVATE: [&str; 3] = ["/var/lib/private/", "/var/cache/private/", "/var/log/private/"];

/// Places with what is wrong there, the first ones, and how many they are.
#[derive(Debug, Default)]
pub(crate) struct Offenders {
    told: Vec<(String, String)>,
    count: u64,
}

impl Offenders {
    fn add(&mut self, path: &GuestPath, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push((path.as_str().to_owned(), what()));
        }
    }

    fn finding(&self) -> Finding {
        let mut faults: Vec<_> =
            self.told.iter().map(|(path, what)| (Place::file(path), format!("{path} {what}"))).collect();
        let more = self.count - self.told.len() as u64;
        if let Some((_, what)) = faults.last_mut().filter(|_| more > 0) {
            what.push_str(&format!("; and {more} more"));
        }
        Finding::of(faults)
    }
}

/// What a walk has found.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    writable: Offenders,
    unowned: Offenders,
    /// Files with set-id bits.
    pub(super) programs: Vec<String>,
    pub(super) too_many_programs: bool,
    files: u64,
}

/// What all files of the image come to; looked at once for a view.
pub(super) fn seen<'v>(view: &'v View<'_>) -> Result<&'v Seen, Error> {
    if let Some(seen) = view.seen.get() {
        return Ok(seen);
    }
    let seen = look(view.stage)?;
    Ok(view.seen.get_or_init(|| seen))
}

/// The files with set-id bits.
pub(crate) fn set_id_programs<'v>(view: &'v View<'_>) -> Result<&'v [String], Error> {
    Ok(&seen(view)?.programs)
}

/// Users and groups that the image knows, by their numbers.
struct Owners {
    users: HashSet<u32>,
    groups: HashSet<u32>,
    /// Numbers that are lent to users for their containers: first and last.
    lent: Vec<(u32, u32)>,
    lent_groups: Vec<(u32, u32)>,
}

impl Owners {
    fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let fields = |path: &str| -> Result<Vec<Vec<u32>>, Error> {
            let bytes = stage.read_limited(path, READ_LIMIT)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let numbers = |line: &str| {
                line.split(':').map(|field| field.parse().unwrap_or(u32::MAX)).collect::<Vec<u32>>()
            };
            Ok(text.lines().map(numbers).collect())
        };
        let third = |path| -> Result<HashSet<u32>, Error> {
            Ok(fields(path)?.iter().filter_map(|line| line.get(2).copied()).collect())
        };
        let lent = |path| -> Result<Vec<(u32, u32)>, Error> {
            let lines = fields(path)?;
            let range = |line: &Vec<u32>| match line.as_slice() {
                [_, first, count] if *count > 0 => Some((*first, first.saturating_add(count - 1))),
                _ => None,
            };
            Ok(lines.iter().filter_map(range).collect())
        };
        Ok(Self {
            users: third("/etc/passwd")?,
            groups: third("/etc/group")?,
            lent: lent("/etc/subuid")?,
            lent_groups: lent("/etc/subgid")?,
        })
    }

    fn knows(&self, path: &GuestPath, found: &Metadata) -> (bool, bool) {
        let private = PRIVATE.iter().any(|start| path.as_str().starts_with(start));
        let knows = |id: u32, known: &HashSet<u32>, lent: &[(u32, u32)]| {
            known.contains(&id)
                || lent.iter().any(|(first, last)| (*first..=*last).contains(&id))
                || private && DYNAMIC.contains(&id)
        };
        (knows(found.uid, &self.users, &self.lent), knows(found.gid, &self.groups, &self.lent_groups))
    }
}

fn look(stage: &Stage<'_>) -> Result<Seen, Error> {
    let owners = Owners::read(stage)?;
    let mut seen = Seen::default();
    let mut visit = |path: &GuestPath, found: &Metadata| {
        seen.files += 1;
        if seen.files > FILES {
            return ControlFlow::Break(());
        }
        let (user, group) = owners.knows(path, found);
        if !user || !group {
            seen.unowned.add(path, || {
                let uid = (!user).then(|| format!("user {}", found.uid));
                let gid = (!group).then(|| format!("group {}", found.gid));
                let ids: Vec<String> = uid.into_iter().chain(gid).collect();
                format!("belongs to {}, which the image does not have", ids.join(" and "))
            });
        }
        match found.kind {
            FileType::Regular => {
                if found.mode & 0o002 != 0 {
                    seen.writable.add(path, || format!("can be written by everybody ({:04o})", found.mode));
                }
                if found.mode & 0o6000 != 0 {
                    if seen.programs.len() < PROGRAMS {
                        seen.programs.push(path.as_str().to_owned());
                    } else {
                        seen.too_many_programs = true;
                    }
                }
            }
            FileType::Directory if found.mode & 0o1002 == 0o002 => {
                seen.writable.add(path, || {
                    format!(
                        "is a directory that everybody can write to, without sticky bit ({:04o})",
                        found.mode
                    )
                });
            }
            _ => {}
        }
        let past = MOUNTS.contains(&path.as_str()) || STORES.contains(&path.as_str());
        ControlFlow::Continue(if past { Descend::Past } else { Descend::Into })
    };
    stage.visit_all(&mut visit)?;
    Ok(seen)
}

impl Seen {
    fn judged(&self, offenders: &Offenders) -> Finding {
        match offenders.finding() {
            Finding::Pass if self.files > FILES => {
                Finding::fail(format!("the image has more than {FILES} files: not all were looked at"))
            }
            found => found,
        }
    }

    pub(super) fn writable(&self) -> Finding {
        self.judged(&self.writable)
    }

    pub(super) fn unowned(&self) -> Finding {
        self.judged(&self.unowned)
    }

    pub(super) fn programs(&self, offenders: &Offenders) -> Finding {
        self.judged(offenders)
    }
}

/// Files with capabilities, at most as many as are looked up.
pub(super) fn with_capabilities(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut error = None;
    let mut files = 0;
    stage.visit_all(&mut |path, metadata| {
        files += 1;
        if metadata.kind == FileType::Regular && metadata.mode & 0o111 != 0 {
            match stage.xattrs(path.as_str()) {
                Ok(xattrs) if xattrs.iter().any(|(name, _)| name == "security.capability") => {
                    found.push(path.as_str().to_owned());
                }
                Ok(_) => {}
                Err(wrong) => error = Some(wrong),
            }
        }
        if error.is_some() || found.len() > PROGRAMS || files > FILES {
            return ControlFlow::Break(());
        }
        let past = MOUNTS.contains(&path.as_str()) || STORES.contains(&path.as_str());
        ControlFlow::Continue(if past { Descend::Past } else { Descend::Into })
    })?;
    error.map_or(Ok(found), |error| Err(error.into()))
}

/// Those of `paths` that are strangers.
pub(super) fn strangers(paths: &[String], known: &dyn Fn(&str) -> bool, what: &str) -> Offenders {
    let mut offenders = Offenders::default();
    for path in paths.iter().filter(|path| !known(path)) {
        offenders.add(&GuestPath::new(path), || what.to_owned());
    }
    offenders
}
