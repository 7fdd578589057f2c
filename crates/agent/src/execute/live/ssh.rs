//! Login keys (`cloudinit/ssh_util.py`: `extract_authorized_keys`, `setup_user_keys`).
//!
//! Where they go is for [`hardtack_modules::ssh::authorized_keys`] to say. What lies in a home belongs to its user,
//! who may have laid a link there; so the way is walked as for other files ([`place`](crate::execute::place)), the last
//! directory is opened without following a link, and everything after goes through that handle.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hardtack_modules::ssh::authorized_keys::{
    Entry, EntryKind, KeyLine, Login, Missing, choose, parse_file, update,
};
use hardtack_modules::ssh::console;
use hardtack_modules::ssh::sshd_config::{self, SSHD_CONFIG};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::Details;
use crate::accounts;
use crate::error::AgentError;
use crate::execute::place::{Place, Way};
use crate::execute::{Execution, labels};
use crate::host::Host;

/// A larger file of keys is none.
const LARGEST: u64 = 4 << 20;
/// Mode of a file of keys that is new.
const MODE: u32 = 0o600;

/// `authorized-keys`.
pub(super) fn authorized_keys(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let done = install(cx, details);
    // The module `ssh` of cloud-init writes such a failure into its log and goes on.
    match done {
        Err(error) if cx.module == "ssh" => {
            cx.log.warn(&error.to_string());
            Ok(())
        }
        done => done,
    }
}

fn install(cx: &Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let user = details.need("user")?;
    let options = details.get("options");
    let keys: Vec<KeyLine> = details.all("key").into_iter().map(|key| KeyLine::parse(key, options)).collect();
    let login = login(cx.host, user)?;
    let mut file = KeysFile::open(cx.host, &login)?;
    let (text, owner, mode) = file.read()?;
    file.write(update(parse_file(&text), &keys).as_bytes(), owner, mode)?;
    let above = file.path.rsplit_once('/').map_or("/", |(above, _)| above).to_owned();
    labels::restore(cx, &[above]);
    Ok(())
}

/// `authorized-keys-table`.
pub(super) fn authorized_keys_table(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let user = details.need("user")?;
    let hash = details.get("hash").unwrap_or("sha256");
    let login = login(cx.host, user)?;
    let mut file = KeysFile::open(cx.host, &login)?;
    let (text, ..) = file.read()?;
    let keys: Vec<KeyLine> = parse_file(&text).into_iter().filter(KeyLine::is_valid).collect();
    cx.log.console_or_output(console::table(user, &file.path, &keys, hash).as_bytes());
    Ok(())
}

/// The user as sshd will see it.
fn login(host: &Host, user: &str) -> Result<Login, AgentError> {
    let account = accounts::find(host, user)?.ok_or_else(|| {
        AgentError::text(format!("the machine has no user {user}: nobody gets the keys meant for that name"))
    })?;
    let text = host.read_text("/etc/group")?.unwrap_or_default();
    let mut groups = vec![account.gid];
    for line in text.lines() {
        let mut fields = line.split(':').skip(2);
        let (Some(number), Some(members)) = (fields.next(), fields.next()) else { continue };
        if members.split(',').any(|member| member.trim() == user) {
            groups.extend(number.parse::<u32>());
        }
    }
    Ok(Login { name: account.name, uid: account.uid, gid: account.gid, groups, home: account.home })
}

/// What is at a path, links not followed.
fn look(host: &Host, path: &str) -> Option<Entry> {
    let found = host.path(path).symlink_metadata().ok()?;
    let kind = if found.is_symlink() {
        EntryKind::Link
    } else if found.is_dir() {
        EntryKind::Directory
    } else if found.is_file() {
        EntryKind::File
    } else {
        EntryKind::Other
    };
    Some(Entry { kind, uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o7777 })
}

/// A file of login keys, in a directory that is open.
struct KeysFile {
    path: String,
    name: String,
    directory: OwnedFd,
    owner: (u32, u32),
}

impl KeysFile {
    /// Finds the file of a user, and makes what is missing on the way.
    fn open(host: &Host, login: &Login) -> Result<Self, AgentError> {
        if !login.home.starts_with('/') {
            return Err(AgentError::text(format!(
                "the home of {} is {:?}, which is no absolute path: no keys are written",
                login.name, login.home
            )));
        }
        let config = host.read_text(SSHD_CONFIG)?.unwrap_or_default();
        let (path, missing) = choose(&sshd_config::parse(&config), login, &|path| look(host, path));
        for entry in &missing {
            make(host, entry)?;
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let above = if above.is_empty() { "/" } else { above };
        let full = host.path(above);
        if !full.is_dir() {
            // No way was right, so nothing was said to be missing: the usual directory, for the user alone.
            let directory = Missing {
                path: above.to_owned(),
                directory: true,
                mode: 0o700,
                uid: login.uid,
                gid: login.gid,
            };
            make(host, &directory)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = place(host, above)?;
        let directory = rustix::fs::openat(&place.directory, &place.name, flags, Mode::empty())
            .map_err(|error| AgentError::io("open", &full, error))?;
        Ok(Self { name: name.to_owned(), directory, owner: (login.uid, login.gid), path: path.clone() })
    }

    fn error(&self, what: &'static str, error: Errno) -> AgentError {
        AgentError::io(what, Path::new(&self.path), error)
    }

    /// Its text, owner and mode; those of a new one, if it is not there.
    fn read(&mut self) -> Result<(String, (u32, u32), u32), AgentError> {
        // NONBLOCK: a named pipe laid there must not hold the boot.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, self.name.as_str(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok((String::new(), self.owner, MODE)),
            Err(error) => return Err(self.error("open", error)),
        };
        let stat = rustix::fs::fstat(&file).map_err(|error| self.error("read", error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink > 1 {
            return Err(AgentError::text(format!(
                "{} is not a file of one name: no keys are written there",
                self.path
            )));
        }
        let mut bytes = Vec::new();
        File::from(file)
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| AgentError::io("read", Path::new(&self.path), error))?;
        if bytes.len() as u64 > LARGEST {
            return Err(AgentError::text(format!(
                "{} is larger than {LARGEST} bytes: no key joins it",
                self.path
            )));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok((text, (stat.st_uid, stat.st_gid), stat.st_mode & 0o7777))
    }

    /// Replaces it whole.
    fn write(&self, content: &[u8], owner: (u32, u32), mode: u32) -> Result<(), AgentError> {
        let temporary = format!("{}.hardtack-new", self.name);
        let _ = rustix::fs::unlinkat(&self.directory, temporary.as_str(), AtFlags::empty());
        let done = fill(self.directory.as_fd(), &temporary, content, owner, mode).and_then(|()| {
            rustix::fs::renameat(&self.directory, temporary.as_str(), &self.directory, self.name.as_str())
                .map_err(std::io::Error::from)
        });
        done.map_err(|error| {
            let _ = rustix::fs::unlinkat(&self.directory, temporary.as_str(), AtFlags::empty());
            AgentError::io("write", Path::new(&self.path), error)
        })
    }
}

/// Makes a file that is not there yet.
fn fill(
    directory: impl AsFd,
    name: impl rustix::path::Arg,
    content: &[u8],
    (uid, gid): (u32, u32),
    mode: u32,
) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(file);
    file.write_all(content)?;
    give(&file, uid, gid, mode)
}

/// Gives what was made to its owner.
fn give(file: impl AsFd, uid: u32, gid: u32, mode: u32) -> std::io::Result<()> {
    let stat = rustix::fs::fstat(&file)?;
    if (stat.st_uid, stat.st_gid) != (uid, gid) {
        rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?)
}

fn make(host: &Host, entry: &Missing) -> Result<(), AgentError> {
    let place = place(host, &entry.path)?;
    let work = || -> std::io::Result<()> {
        if !entry.directory {
            return fill(&place.directory, &place.name, b"", (entry.uid, entry.gid), entry.mode);
        }
        rustix::fs::mkdirat(&place.directory, &place.name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&place.directory, &place.name, flags, Mode::empty())?;
        give(&opened, entry.uid, entry.gid, entry.mode)
    };
    work().map_err(|error| AgentError::io("create", &host.path(&entry.path), error))
}

/// A name in its directory, whatever links the user has laid on the way there.
fn place(host: &Host, path: &str) -> Result<Place, AgentError> {
    Place::find(host, path, Way::To)?
        .ok_or_else(|| AgentError::text(format!("{path} went away: no keys are written there")))
}

#[cfg(test)]
mod tests;
