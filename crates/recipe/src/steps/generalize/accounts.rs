//! `user-account`: people's accounts.

use std::collections::BTreeSet;

use hardtack_guest::accounts::{User, users};
use hardtack_guest::{Error, FileType, GuestPath, Set, Stage};

use super::STEP;
use super::homes::is_directory;
use super::way::meant;
use crate::model::generalize::GeneralizeStep;
use crate::steps::operation::record::{Records, digest_of};
use crate::{Context, StepError};

/// Ids of people where `/etc/login.defs` says nothing (login.defs(5)).
const PEOPLE: (u32, u32) = (1000, 60_000);
const NAME: &str = "user-account";
/// A home that is one of these or lies in one is not removed.
const SYSTEM: [&str; 22] = [
    "/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/media", "/mnt", "/opt",
    "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/sysroot", "/tmp", "/usr", "/var",
];
/// Homes of people are in these: `/var/home` where the root file system is not written.
const HOMES: [&str; 2] = ["/home", "/var/home"];
/// Of a program that runs as a user of its own, where it is called as the user.
const STATE: &str = "/var/lib";

/// Removes accounts in passwd, shadow, group, gshadow, subuid and subgid, with homes and mail.
pub(super) fn remove(
    step: &GeneralizeStep,
    made: &BTreeSet<&str>,
    optional: bool,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let all = users(cx.stage)?;
    let (first, last) = people(cx.stage)?;
    let is_gone = |user: &User| {
        let meant = match step.remove_users.is_empty() {
            true => (first..=last).contains(&user.uid),
            false => step.remove_users.contains(&user.name),
        };
        meant && !step.keep_users.contains(&user.name) && !made.contains(user.name.as_str())
    };
    let (gone, stays): (Vec<&User>, Vec<&User>) = all.iter().partition(|user| is_gone(user));
    if let Some(root) = gone.iter().find(|user| user.uid == 0) {
        let what = format!("the user {} has the id 0, and no image works without it", root.name);
        return Err(StepError::usage(STEP, what));
    }
    named(step, made, &all, optional, cx)?;
    forget(cx.stage, &gone, &stays)?;
    let kept = Kept::of(cx.stage, &stays)?;
    for user in gone {
        home(user, &kept, cx)?;
        // A name that is a path of its own is no file of the spool.
        if user.name.contains('/') || matches!(user.name.as_str(), "" | "." | "..") {
            continue;
        }
        for spool in ["/var/mail", "/var/spool/mail", "/var/spool/cron/crontabs", "/var/spool/cron"] {
            if is_directory(cx.stage, spool)?
                && let Some(spool) = meant(cx, spool, true)?
            {
                cx.stage.remove(&format!("{spool}/{}", user.name))?;
            }
        }
    }
    Ok(())
}

/// Every user that the recipe names to go is there, or was until an earlier build: that is recorded.
fn named(
    step: &GeneralizeStep,
    made: &BTreeSet<&str>,
    all: &[User],
    optional: bool,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let there: BTreeSet<&str> = all.iter().map(|user| user.name.as_str()).collect();
    let mut records = Records::load(cx)?;
    let mut done = false;
    for name in &step.remove_users {
        if step.keep_users.contains(name) || made.contains(name.as_str()) {
            continue;
        }
        let digest = digest_of(&[NAME, name]);
        if there.contains(name.as_str()) {
            records.add(NAME, &digest, Vec::new());
            done = true;
        } else if records.led(&digest).is_none() {
            let what = format!("the user {name} is not in this image");
            if !optional {
                return Err(StepError::refused(STEP, what).hint("`optional: true` passes it over"));
            }
            cx.info(STEP, what);
        }
    }
    if done { records.store(cx) } else { Ok(()) }
}

/// The homes of those who stay.
struct Kept {
    homes: BTreeSet<GuestPath>,
    /// These homes, and what is above them.
    above: BTreeSet<GuestPath>,
}

impl Kept {
    fn of(stage: &Stage<'_>, stays: &[&User]) -> Result<Self, StepError> {
        let mut kept = Self { homes: BTreeSet::new(), above: BTreeSet::new() };
        for user in stays.iter().filter(|user| user.home.starts_with('/')) {
            let home = match stage.resolve(&user.home) {
                Err(Error::LinkLoop { .. }) => continue,
                home => home?,
            };
            // Nobody lives in all homes.
            if home == GuestPath::root() || HOMES.contains(&home.as_str()) {
                continue;
            }
            let mut above = Some(home.clone());
            while let Some(path) = above.filter(|path| !kept.above.contains(path)) {
                above = path.parent();
                kept.above.insert(path);
            }
            kept.homes.insert(home);
        }
        Ok(kept)
    }

    /// Somebody who stays has this home, or one in it, or one that it is in.
    fn meets(&self, home: &GuestPath) -> bool {
        let mut path = Some(home.clone());
        while let Some(at) = path {
            if self.homes.contains(&at) {
                return true;
            }
            path = at.parent();
        }
        self.above.contains(home)
    }
}

/// Takes a home away that is nobody else's, or tells why it stays.
fn home(user: &User, kept: &Kept, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let name = &user.name;
    if !user.home.starts_with('/') {
        return Ok(());
    }
    let home = match cx.stage.resolve(&user.home) {
        Err(Error::LinkLoop { .. }) => return Ok(()),
        home => home?,
    };
    let Some(found) = cx.stage.lstat(home.as_str())?.filter(|found| found.kind == FileType::Directory) else {
        return Ok(());
    };
    if kept.meets(&home) {
        cx.info(STEP, format!("{home}, the home of {name}, stays: another user has it"));
    } else if is_of_the_system(&home, name) {
        cx.warn(STEP, format!("{home}, the home of {name}, stays: it is a directory of the system"));
    } else if found.uid != user.uid {
        let whose = found.uid;
        cx.warn(STEP, format!("{home}, the home of {name}, stays: it belongs to the user id {whose}"));
    } else {
        cx.stage.remove(home.as_str())?;
    }
    Ok(())
}

fn is_of_the_system(home: &GuestPath, name: &str) -> bool {
    let below = |top: &str| home.starts_with(&GuestPath::new(top));
    if home == &GuestPath::root() || HOMES.contains(&home.as_str()) {
        return true;
    }
    let own = home.parent().is_some_and(|parent| parent.as_str() == STATE) && home.name() == Some(name);
    !own && !HOMES.iter().any(|homes| below(homes)) && SYSTEM.iter().any(|top| below(top))
}

/// `UID_MIN` and `UID_MAX`.
fn people(stage: &Stage<'_>) -> Result<(u32, u32), StepError> {
    let text = stage.read("/etc/login.defs")?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| {
        let line = text.lines().map(str::split_whitespace).find_map(|mut words| {
            (words.next() == Some(key)).then(|| words.next().map(str::to_owned)).flatten()
        });
        line.and_then(|value| value.parse().ok())
    };
    Ok((value("UID_MIN").unwrap_or(PEOPLE.0), value("UID_MAX").unwrap_or(PEOPLE.1)))
}

/// Takes the lines of those who go, those of their own groups, and their memberships: each file once.
fn forget(stage: &mut Stage<'_>, gone: &[&User], stays: &[&User]) -> Result<(), StepError> {
    let names: BTreeSet<&str> = gone.iter().map(|user| user.name.as_str()).collect();
    let groups: BTreeSet<u32> = stays.iter().map(|user| user.gid).collect();
    let first = |line: &str| line.split(':').next().is_some_and(|name| names.contains(name));
    for file in ["/etc/passwd", "/etc/shadow", "/etc/subuid", "/etc/subgid"] {
        rewrite(stage, file, |line| (!first(line)).then(|| line.to_owned()))?;
    }
    let mut kept = BTreeSet::new();
    for file in ["/etc/group", "/etc/gshadow"] {
        rewrite(stage, file, |line| {
            let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            if fields.len() != 4 {
                return Some(line.to_owned());
            }
            let theirs = file == "/etc/group" && fields[2].parse().is_ok_and(|id| groups.contains(&id));
            // gshadow lists administrators before the members.
            let lists = if file == "/etc/gshadow" { 2 } else { 3 };
            for list in &mut fields[lists..] {
                let left: Vec<&str> = list.split(',').filter(|member| !names.contains(member)).collect();
                *list = left.join(",");
            }
            // A group that others are in is theirs, too.
            let stays = !names.contains(fields[0].as_str())
                || !fields[3].is_empty()
                || theirs
                || kept.contains(&fields[0]);
            if stays {
                kept.insert(fields[0].clone());
            }
            stays.then(|| fields.join(":"))
        })?;
    }
    Ok(())
}

fn rewrite(
    stage: &mut Stage<'_>,
    file: &str,
    change: impl FnMut(&str) -> Option<String>,
) -> Result<(), StepError> {
    let Some(text) = stage.read_text(file)? else { return Ok(()) };
    let mut after: String = text.lines().filter_map(change).map(|line| line + "\n").collect();
    if !text.ends_with('\n') {
        after.pop();
    }
    if after != text {
        stage.write(file, after, Set::default())?;
    }
    Ok(())
}
