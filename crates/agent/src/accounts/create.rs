//! A new account where nothing else made it: numbers, database lines, a home from /etc/skel.
//!
//! The databases are locked as the shadow tools lock them (lckpwdf(3): a write lock on
//! /etc/.pwd.lock), and each is replaced whole: new file, fsync, rename.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown, symlink,
};
use std::path::Path;
use std::time::{Duration, Instant};

use hardtack_credentials::AccountConfig;
use rustix::fs::{FlockOperation, fcntl_lock};

use super::{Account, find, login_defs, uid_range};
use crate::error::AgentError;
use crate::host::Host;

/// lckpwdf(3) waits so long.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
/// Deeper than any sane skeleton.
const SKEL_DEPTH: usize = 16;
const DAY: u64 = 24 * 60 * 60;
/// A day in 2020. A clock before it has not been set, and "changed in 1970" would make an account's
/// password expired.
const PLAUSIBLE_DAY: u64 = 18_262;

/// Makes the account and its home, and returns it as it stands in /etc/passwd then. `now` is
/// seconds since 1970.
pub(crate) fn create(host: &Host, new: &AccountConfig, now: u64) -> Result<Account, AgentError> {
    if !is_name(&new.name) {
        return Err(AgentError::text(format!(
            "{:?} is not a name that a user can be created with",
            new.name
        )));
    }
    let _lock = lock(host)?;
    // Somebody may have made it while we waited for the lock.
    if let Some(account) = find(host, &new.name)? {
        return Ok(account);
    }
    let mut passwd = Database::read(host, "/etc/passwd", 0o644)?;
    let mut group = Database::read(host, "/etc/group", 0o644)?;
    let mut shadow = Database::read(host, "/etc/shadow", 0o640)?;
    let mut gshadow = Database::read(host, "/etc/gshadow", 0o640)?;

    let (uid, gid) = numbers(host, &passwd, &group, &new.name)?;
    let clean = |text: &str| text.replace([':', '\n', '\r'], " ");
    let shell = if new.shell.is_empty() { default_shell(host).to_owned() } else { clean(&new.shell) };
    let home = format!("/home/{}", new.name);
    let account = Account { name: new.name.clone(), uid, gid, home, shell };

    if !group.has(&new.name) {
        group.push(format!("{}:x:{gid}:", new.name));
        gshadow.push(format!("{}:!::", new.name));
    }
    for name in &new.groups {
        group.join(name, &new.name);
        gshadow.join(name, &new.name);
    }
    let hash = if new.password_hash.is_empty() { "!".to_owned() } else { clean(&new.password_hash) };
    let changed = day(now);
    shadow.forget(&new.name);
    shadow.push(format!("{}:{hash}:{changed}:0:99999:7:::", new.name));
    passwd.push(format!(
        "{}:x:{uid}:{gid}:{}:{}:{}",
        account.name,
        clean(&new.gecos),
        account.home,
        account.shell
    ));

    // passwd last: the account exists when all else about it does.
    for database in [&group, &gshadow, &shadow, &passwd] {
        database.write(host)?;
    }
    make_home(host, &account)?;
    if !new.authorized_keys.is_empty() {
        write_keys(host, &account, &new.authorized_keys)?;
    }
    if !new.sudo.is_empty() {
        write_sudo(host, &account.name, &new.sudo)?;
    }
    Ok(account)
}

/// The day of `now` for shadow(5); empty while the clock is not set.
pub(crate) fn day(now: u64) -> String {
    Some(now / DAY).filter(|day| *day > PLAUSIBLE_DAY).map_or(String::new(), |day| day.to_string())
}

/// Makes the home of `account` from /etc/skel; one that exists is left alone.
pub(crate) fn make_home(host: &Host, account: &Account) -> Result<(), AgentError> {
    let home = host.path(&account.home);
    if home.symlink_metadata().is_ok() {
        return Ok(());
    }
    if let Some(parent) = home.parent() {
        fs::create_dir_all(parent).map_err(|error| AgentError::io("create", parent, error))?;
    }
    let mode =
        login_defs(host, "HOME_MODE")?.and_then(|mode| u32::from_str_radix(&mode, 8).ok()).unwrap_or(0o750);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&home)
        .map_err(|error| AgentError::io("create", &home, error))?;
    copy_skeleton(&host.path("/etc/skel"), &home, account, 0)?;
    own(&home, account)?;
    fs::set_permissions(&home, fs::Permissions::from_mode(mode & 0o777))
        .map_err(|error| AgentError::io("change the mode of", &home, error))
}

fn copy_skeleton(from: &Path, to: &Path, account: &Account, depth: usize) -> Result<(), AgentError> {
    let Ok(entries) = fs::read_dir(from) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let source = entry.path();
        let target = to.join(entry.file_name());
        let metadata = source.symlink_metadata().map_err(|error| AgentError::io("read", &source, error))?;
        if metadata.is_dir() && depth < SKEL_DEPTH {
            fs::create_dir(&target).map_err(|error| AgentError::io("create", &target, error))?;
            copy_skeleton(&source, &target, account, depth + 1)?;
        } else if metadata.is_file() {
            fs::copy(&source, &target).map_err(|error| AgentError::io("create", &target, error))?;
        } else if metadata.is_symlink() {
            let link = fs::read_link(&source).map_err(|error| AgentError::io("read", &source, error))?;
            symlink(link, &target).map_err(|error| AgentError::io("create", &target, error))?;
        } else {
            continue;
        }
        if !metadata.is_symlink() {
            fs::set_permissions(&target, metadata.permissions())
                .map_err(|error| AgentError::io("change the mode of", &target, error))?;
        }
        own(&target, account)?;
    }
    Ok(())
}

fn own(path: &Path, account: &Account) -> Result<(), AgentError> {
    lchown(path, Some(account.uid), Some(account.gid))
        .map_err(|error| AgentError::io("change the owner of", path, error))
}

/// The home is new and nobody can log in yet: there is no link that somebody could have laid.
fn write_keys(host: &Host, account: &Account, keys: &[String]) -> Result<(), AgentError> {
    let directory = host.path(&format!("{}/.ssh", account.home));
    if directory.symlink_metadata().is_ok() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(|error| AgentError::io("create", &directory, error))?;
    own(&directory, account)?;
    let mut text = keys.iter().map(|key| key.trim()).collect::<Vec<_>>().join("\n");
    text.push('\n');
    let path = directory.join("authorized_keys");
    replace(&path, text.as_bytes(), 0o600, Some((account.uid, account.gid)))
}

fn write_sudo(host: &Host, name: &str, rules: &[String]) -> Result<(), AgentError> {
    if !host.exists("/etc/sudoers.d") {
        return Ok(());
    }
    let lines: String = rules.iter().map(|rule| format!("{name} {}\n", rule.replace('\n', " "))).collect();
    // sudo reads no file whose name holds a dot; user names of ours may hold one.
    let path = host.path(&format!("/etc/sudoers.d/90-hardtack-{}", name.replace('.', "_")));
    replace(&path, lines.as_bytes(), 0o440, None)
}

/// useradd's own rule for names, with upper case and dots as people have them in directories.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 32
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn default_shell(host: &Host) -> &'static str {
    if host.exists("/bin/bash") { "/bin/bash" } else { "/bin/sh" }
}

/// The lowest free number, the same for user and group where a group of that name is not there yet.
fn numbers(host: &Host, passwd: &Database, group: &Database, name: &str) -> Result<(u32, u32), AgentError> {
    let (low, high) = uid_range(host)?;
    let own_group = group.number(name);
    let free = |number: &u32| !passwd.uses(*number) && (own_group.is_some() || !group.uses(*number));
    let uid = (low..=high).find(free).ok_or_else(|| {
        AgentError::text(format!("no number from {low} to {high} is free for the user {name}"))
    })?;
    Ok((uid, own_group.unwrap_or(uid)))
}

/// Takes the lock that the shadow tools take.
pub(crate) fn lock(host: &Host) -> Result<File, AgentError> {
    let path = host.path("/etc/.pwd.lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| AgentError::io("open", &path, error))?;
    let started = Instant::now();
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(_) if started.elapsed() < LOCK_PATIENCE => std::thread::sleep(Duration::from_millis(100)),
            Err(error) => return Err(AgentError::io("lock", &path, error)),
        }
    }
}

/// One of the four files, as lines. A missing one stays missing.
pub(super) struct Database {
    path: &'static str,
    lines: Option<Vec<String>>,
    mode: u32,
}

impl Database {
    pub(super) fn read(host: &Host, path: &'static str, mode: u32) -> Result<Self, AgentError> {
        let lines = match host.read(path)? {
            None => None,
            Some(bytes) => {
                let text = String::from_utf8(bytes)
                    .map_err(|_| AgentError::text(format!("{path}: not UTF-8; it is left as it is")))?;
                Some(text.lines().map(str::to_owned).collect())
            }
        };
        Ok(Self { path, lines, mode })
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().flatten().map(String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.iter().any(|line| line.split(':').next() == Some(name))
    }

    /// The third field: a number in passwd and group alike.
    fn number(&self, name: &str) -> Option<u32> {
        self.iter().find(|line| line.split(':').next() == Some(name))?.split(':').nth(2)?.parse().ok()
    }

    fn uses(&self, number: u32) -> bool {
        self.iter().any(|line| line.split(':').nth(2).and_then(|field| field.parse().ok()) == Some(number))
    }

    /// The first line about `name`, as for getspnam(3).
    pub(super) fn line_of(&mut self, name: &str) -> Option<&mut String> {
        self.lines.iter_mut().flatten().find(|line| line.split(':').next() == Some(name))
    }

    pub(super) fn push(&mut self, line: String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    fn forget(&mut self, name: &str) {
        if let Some(lines) = &mut self.lines {
            lines.retain(|line| line.split(':').next() != Some(name));
        }
    }

    /// Adds `member` to the group `name`: the last field in group and gshadow alike.
    fn join(&mut self, name: &str, member: &str) {
        for line in self.lines.iter_mut().flatten() {
            if line.split(':').next() != Some(name) {
                continue;
            }
            let members = line.rsplit(':').next().unwrap_or_default();
            if members.split(',').any(|present| present == member) {
                continue;
            }
            if !members.is_empty() {
                line.push(',');
            }
            line.push_str(member);
        }
    }

    pub(super) fn write(&self, host: &Host) -> Result<(), AgentError> {
        let Some(lines) = &self.lines else {
            return Ok(());
        };
        let path = host.path(self.path);
        let before = path.metadata().ok();
        let mode = before.as_ref().map_or(self.mode, |metadata| metadata.mode() & 0o7777);
        let owner = before.map(|metadata| (metadata.uid(), metadata.gid()));
        let mut text = lines.join("\n");
        text.push('\n');
        replace(&path, text.as_bytes(), mode, owner)
    }
}

/// Replaces a file whole: a new one beside it, fsync, rename. The directory belongs to root.
pub(crate) fn replace(
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), AgentError> {
    replaced(path, content, mode, owner, true)
}

/// The same for what need not outlive a crash: the disk is not waited for.
pub(crate) fn replace_unsynced(path: &Path, content: &[u8], mode: u32) -> Result<(), AgentError> {
    replaced(path, content, mode, None, false)
}

fn replaced(
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
    sync: bool,
) -> Result<(), AgentError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".hardtack-new");
    let temporary = path.with_file_name(name);
    let _ = fs::remove_file(&temporary);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        if let Some((uid, gid)) = owner {
            fchown(&file, Some(uid), Some(gid))?;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        if let Some(parent) = path.parent().filter(|_| sync) {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        AgentError::io("write", path, error)
    })
}
