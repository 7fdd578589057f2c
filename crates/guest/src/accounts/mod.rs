//! The guest's users and groups: `/etc/passwd`, `shadow`, `group` and `gshadow` (passwd(5),
//! shadow(5), group(5), gshadow(5)), read and changed line by line so that every line that is not
//! meant stays as it is.

mod password;

pub use password::{hash_password, is_crypt_hash, verifies};

use crate::Error;
use crate::stage::{Set, Stage};

/// What passwd(1) and its kin keep of the time before their last change.
const SHADOW_BACKUP: &str = "/etc/shadow-";
const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
const GROUP: &str = "/etc/group";
const GSHADOW: &str = "/etc/gshadow";

/// Ids that login.defs(5) gives to people by default.
const FIRST_ID: u32 = 1000;
const LAST_ID: u32 = 60_000;

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Numeric user id.
    pub uid: u32,
    /// Numeric id of the user's own group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell; empty means `/bin/sh`.
    pub shell: String,
}

/// What a new account looks like.
#[derive(Clone, Debug, Default)]
pub struct NewUser<'a> {
    /// Login name.
    pub name: &'a str,
    /// Full name.
    pub gecos: &'a str,
    /// Login shell.
    pub shell: &'a str,
}

/// The user `name`, if the guest has it. Lines that are not passwd(5) lines are passed over.
pub fn user(stage: &Stage<'_>, name: &str) -> Result<Option<User>, Error> {
    Ok(users(stage)?.into_iter().find(|user| user.name == name))
}

/// All users in the order of the file.
pub fn users(stage: &Stage<'_>) -> Result<Vec<User>, Error> {
    Ok(text(stage, PASSWD)?.lines().filter_map(parse_user).collect())
}

fn parse_user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
    Some(User {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

/// The numeric id of the group `name`.
pub fn group_id(stage: &Stage<'_>, name: &str) -> Result<Option<u32>, Error> {
    Ok(text(stage, GROUP)?.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    }))
}

/// The second field of the user's line in `/etc/shadow`.
pub fn password_field(stage: &Stage<'_>, name: &str) -> Result<Option<String>, Error> {
    Ok(text(stage, SHADOW)?.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.next().map(str::to_owned)).flatten()
    }))
}

/// Puts `hash` into the user's line of `/etc/shadow`; makes the line where there is none.
pub fn set_password_field(stage: &mut Stage<'_>, name: &str, hash: &str) -> Result<(), Error> {
    let old = text(stage, SHADOW)?;
    let mut found = false;
    let mut lines: Vec<String> = Vec::new();
    for line in old.lines() {
        match line.split_once(':') {
            Some((user, rest)) if user == name => {
                found = true;
                let (_, rest) = rest.split_once(':').unwrap_or((rest, ""));
                lines.push(format!("{name}:{hash}:{rest}"));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    if !found {
        lines.push(shadow_line(name, hash));
    }
    store(stage, SHADOW, &lines)
}

/// Gives the existing user `name` the password field `field`, changed on the day of `epoch` (seconds
/// since 1970). The backup of shadow loses the field that was there before: it is a password, too.
/// A field that is there already stays with its date, so a later build changes nothing.
///
/// # Errors
/// When the files cannot be read or written.
pub fn set_password(stage: &mut Stage<'_>, name: &str, field: &str, epoch: i64) -> Result<(), Error> {
    if password_field(stage, name)?.as_deref() != Some(field) {
        set_password_field(stage, name, field)?;
        // Day 0 means that the password must be changed at once; an empty field says nothing.
        let day = epoch.div_euclid(24 * 60 * 60);
        let day = if day > 0 { day.to_string() } else { String::new() };
        set_fields(stage, SHADOW, name, &[(2, &day)])?;
    }
    if stage.stat(SHADOW_BACKUP)?.is_some() {
        set_fields(stage, SHADOW_BACKUP, name, &[(1, field)])?;
    }
    Ok(())
}

/// Puts `value` into a field (counted from 0) of the line of `name` in `/etc/shadow`, where it has one.
///
/// # Errors
/// When the file cannot be read or written.
pub fn set_field(stage: &mut Stage<'_>, name: &str, field: usize, value: &str) -> Result<(), Error> {
    set_fields(stage, SHADOW, name, &[(field, value)])
}

/// Puts values into fields (counted from 0) of the line of `name`, where `path` has that line.
fn set_fields(stage: &mut Stage<'_>, path: &str, name: &str, values: &[(usize, &str)]) -> Result<(), Error> {
    let old = text(stage, path)?;
    let changed = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields.first() == Some(&name) {
            for (at, value) in values {
                if let Some(field) = fields.get_mut(*at) {
                    *field = value;
                }
            }
        }
        fields.join(":")
    };
    let lines: Vec<String> = old.lines().map(changed).collect();
    if old.lines().ne(lines.iter().map(String::as_str)) {
        store(stage, path, &lines)?;
    }
    Ok(())
}

/// No date of the last change: aging off, and the same bytes whenever the build runs.
fn shadow_line(name: &str, hash: &str) -> String {
    format!("{name}:{hash}::0:99999:7:::")
}

/// Makes an account with a group of its own and a home directory filled from `/etc/skel`; the
/// password is locked. Returns the user as it now is; an existing one is returned as found.
pub fn add_user(stage: &mut Stage<'_>, new: &NewUser<'_>) -> Result<User, Error> {
    if let Some(existing) = user(stage, new.name)? {
        return Ok(existing);
    }
    let gid = match group_id(stage, new.name)? {
        Some(gid) => gid,
        None => add_group(stage, new.name)?,
    };
    let taken: Vec<u32> = users(stage)?.into_iter().map(|user| user.uid).collect();
    let uid = free_id(gid, &taken)
        .ok_or_else(|| Error::Refused(format!("{PASSWD}: no free user id for {}", new.name)))?;
    let home = format!("/home/{}", new.name);
    let mut lines: Vec<String> = text(stage, PASSWD)?.lines().map(str::to_owned).collect();
    lines.push(format!("{}:x:{uid}:{gid}:{}:{home}:{}", new.name, new.gecos, new.shell));
    store(stage, PASSWD, &lines)?;
    set_password_field(stage, new.name, "!")?;
    if stage.stat(&home)?.is_none() {
        stage.mkdir(&home, Set::all(0o700, uid, gid))?;
        copy_skeleton(stage, "/etc/skel", &home, (uid, gid), 0)?;
    }
    user(stage, new.name)?
        .ok_or_else(|| Error::Refused(format!("{PASSWD}: {} is not a possible name", new.name)))
}

/// Gives the user `name` this full name and shell, where they are given.
pub fn set_details(
    stage: &mut Stage<'_>,
    name: &str,
    gecos: Option<&str>,
    shell: Option<&str>,
) -> Result<(), Error> {
    let changed = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields.len() == 7 && fields[0] == name {
            fields[4] = gecos.unwrap_or(fields[4]);
            fields[6] = shell.unwrap_or(fields[6]);
        }
        fields.join(":")
    };
    let old = text(stage, PASSWD)?;
    let lines: Vec<String> = old.lines().map(changed).collect();
    if old.lines().ne(lines.iter().map(String::as_str)) {
        store(stage, PASSWD, &lines)?;
    }
    Ok(())
}

/// Makes the group `name` in `/etc/group` and `/etc/gshadow` (grpck wants both) and returns its id.
pub fn add_group(stage: &mut Stage<'_>, name: &str) -> Result<u32, Error> {
    let old = text(stage, GROUP)?;
    let taken: Vec<u32> = old.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect();
    let gid = free_id(FIRST_ID, &taken)
        .ok_or_else(|| Error::Refused(format!("{GROUP}: no free group id for {name}")))?;
    store_group(stage, name, gid)?;
    Ok(gid)
}

/// The same, with an id of the system's (login.defs(5): 100 to 999, the highest free one, as `groupadd --system` takes).
pub fn add_system_group(stage: &mut Stage<'_>, name: &str) -> Result<u32, Error> {
    let old = text(stage, GROUP)?;
    let taken: Vec<u32> = old.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect();
    let gid = (100..FIRST_ID)
        .rev()
        .find(|id| !taken.contains(id))
        .ok_or_else(|| Error::Refused(format!("{GROUP}: no free group id of the system for {name}")))?;
    store_group(stage, name, gid)?;
    Ok(gid)
}

/// Its lines in both files: grpck complains of one without the other.
fn store_group(stage: &mut Stage<'_>, name: &str, gid: u32) -> Result<(), Error> {
    let mut lines: Vec<String> = text(stage, GROUP)?.lines().map(str::to_owned).collect();
    lines.push(format!("{name}:x:{gid}:"));
    store(stage, GROUP, &lines)?;
    if stage.stat(GSHADOW)?.is_some() {
        let mut lines: Vec<String> = text(stage, GSHADOW)?.lines().map(str::to_owned).collect();
        lines.push(format!("{name}:!::"));
        store(stage, GSHADOW, &lines)?;
    }
    Ok(())
}

/// Makes `member` a member of the existing group `name`.
pub fn add_member(stage: &mut Stage<'_>, name: &str, member: &str) -> Result<(), Error> {
    for (file, last) in [(GROUP, 3), (GSHADOW, 3)] {
        if stage.stat(file)?.is_none() {
            continue;
        }
        let lines: Vec<String> =
            text(stage, file)?.lines().map(|line| with_member(line, name, member, last)).collect();
        store(stage, file, &lines)?;
    }
    Ok(())
}

fn with_member(line: &str, name: &str, member: &str, last: usize) -> String {
    let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
    if fields.first().is_none_or(|group| group != name) || fields.len() <= last {
        return line.to_owned();
    }
    let members = &mut fields[last];
    if !members.split(',').any(|known| known == member) {
        if !members.is_empty() {
            members.push(',');
        }
        members.push_str(member);
    }
    fields.join(":")
}

fn free_id(preferred: u32, taken: &[u32]) -> Option<u32> {
    std::iter::once(preferred)
        .filter(|id| (FIRST_ID..=LAST_ID).contains(id))
        .chain(FIRST_ID..=LAST_ID)
        .find(|id| !taken.contains(id))
}

fn copy_skeleton(
    stage: &mut Stage<'_>,
    from: &str,
    to: &str,
    (uid, gid): (u32, u32),
    depth: u32,
) -> Result<(), Error> {
    use crate::FileType;
    const DEEPEST: u32 = 16;
    for entry in stage.list(from)? {
        let (source, target) = (format!("{from}/{}", entry.name), format!("{to}/{}", entry.name));
        let Some(metadata) = stage.lstat(&source)? else { continue };
        match entry.kind {
            FileType::Regular => {
                let content = stage.read(&source)?.unwrap_or_default();
                stage.write(&target, content, Set::all(metadata.mode, uid, gid))?;
            }
            FileType::Directory if depth < DEEPEST => {
                stage.mkdir(&target, Set::all(metadata.mode, uid, gid))?;
                copy_skeleton(stage, &source, &target, (uid, gid), depth + 1)?;
            }
            FileType::Symlink => {
                if let Some(link) = stage.read_link(&source)? {
                    stage.symlink(&target, &link)?;
                    stage.set_owner(&target, uid, gid)?;
                }
            }
            FileType::Directory | FileType::Special => {}
        }
    }
    Ok(())
}

fn text(stage: &Stage<'_>, path: &str) -> Result<String, Error> {
    Ok(stage.read_text(path)?.unwrap_or_default())
}

fn store(stage: &mut Stage<'_>, path: &str, lines: &[String]) -> Result<(), Error> {
    let mut content = lines.join("\n");
    content.push('\n');
    let shadowed = matches!(path, SHADOW | GSHADOW) && stage.stat(path)?.is_none();
    stage.write(path, content, Set { mode: shadowed.then_some(0o600), owner: None })
}

#[cfg(test)]
mod tests;
