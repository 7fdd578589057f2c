//! `user-account`: people's accounts.

use std::collections::BTreeSet;

use hardtack_guest::accounts::{User, users};
use hardtack_guest::{Set, Stage};

use super::STEP;
use super::homes::is_directory;
use crate::model::generalize::GeneralizeStep;
use crate::{Context, StepError};

/// Ids of people where `/etc/login.defs` says nothing (login.defs(5)).
const PEOPLE: (u32, u32) = (1000, 60_000);
/// A home in one of these, or one of these itself, is not removed.
const NOT_A_HOME: [&str; 18] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run",
    "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var",
];

/// Removes accounts in passwd, shadow, group, gshadow, subuid and subgid, with homes and mail.
pub(super) fn remove(
    step: &GeneralizeStep,
    made: &BTreeSet<&str>,
    optional: bool,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let all = users(cx.stage)?;
    let (first, last) = people(cx.stage)?;
    let unknown = step.remove_users.iter().find(|name| !all.iter().any(|user| user.name == **name));
    if let Some(name) = unknown
        && !optional
        // An earlier build has done it.
        && !step.keep_users.contains(name)
    {
        cx.info(STEP, format!("the user {name} is not in this image"));
    }
    let gone: Vec<&User> = all
        .iter()
        .filter(|user| match step.remove_users.is_empty() {
            true => (first..=last).contains(&user.uid),
            false => step.remove_users.contains(&user.name),
        })
        .filter(|user| !step.keep_users.contains(&user.name) && !made.contains(user.name.as_str()))
        .collect();
    if let Some(root) = gone.iter().find(|user| user.uid == 0) {
        let what = format!("the user {} has the id 0, and no image works without it", root.name);
        return Err(StepError::usage(STEP, what));
    }
    for user in &gone {
        let stays: Vec<&User> = all.iter().filter(|other| !gone.contains(other)).collect();
        forget(cx.stage, &user.name)?;
        let home = cx.stage.resolve(&user.home)?;
        let shared = stays.iter().any(|other| {
            other.home.starts_with('/') && {
                cx.stage.resolve(&other.home).is_ok_and(|other| other.starts_with(&home))
            }
        });
        if shared {
            cx.info(STEP, format!("{home}, the home of {}, stays: another user has it", user.name));
        } else if !NOT_A_HOME.contains(&home.as_str())
            && !home.as_str().starts_with("/usr/")
            && is_directory(cx.stage, home.as_str())?
        {
            cx.stage.remove(home.as_str())?;
        }
        for spool in ["/var/mail", "/var/spool/mail", "/var/spool/cron/crontabs", "/var/spool/cron"] {
            if is_directory(cx.stage, spool)? {
                cx.stage.remove(&format!("{spool}/{}", user.name))?;
            }
        }
    }
    Ok(())
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

/// Takes the lines of `name`, those of its own group, and its memberships.
fn forget(stage: &mut Stage<'_>, name: &str) -> Result<(), StepError> {
    for file in ["/etc/passwd", "/etc/shadow", "/etc/subuid", "/etc/subgid"] {
        rewrite(stage, file, |line| (line.split(':').next() != Some(name)).then(|| line.to_owned()))?;
    }
    for file in ["/etc/group", "/etc/gshadow"] {
        rewrite(stage, file, |line| {
            let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            if fields.len() != 4 {
                return Some(line.to_owned());
            }
            // gshadow lists administrators before the members.
            let lists = if file == "/etc/gshadow" { 2 } else { 3 };
            for list in &mut fields[lists..] {
                *list = list.split(',').filter(|member| *member != name).collect::<Vec<_>>().join(",");
            }
            // A group that others are in is theirs, too.
            let own = fields[0] == name && fields[3].is_empty();
            (!own).then(|| fields.join(":"))
        })?;
    }
    Ok(())
}

fn rewrite(
    stage: &mut Stage<'_>,
    file: &str,
    change: impl Fn(&str) -> Option<String>,
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
