//! Who has which place in a network.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hardtack_cloud::Environment;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::plan::{NUMBERS, PREFIX, Plan, directory, text};
use super::{Member, start};
use crate::Error;
use crate::instance::{Program, is_private, make_directory, read_value, write_value};

/// `sockaddr_un` has room for so many bytes and a zero.
const LONGEST_SOCKET: usize = 107;
/// How often the lock is tried, and how long in all: others hold it for as long as a switch needs to start.
const TRY: Duration = Duration::from_millis(50);
const TRIES: u32 = 600;

/// One that is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    instance: String,
    number: u8,
    netboot: bool,
}

/// Takes the instance `instance` into the network `name`, and starts its switch where none runs. The place is the
/// instance's until [`leave`], and the same where it is asked for again; the instance's directory is there already,
/// since places of those that are gone are given to others.
///
/// # Errors
/// A name that is none (letters, digits, hyphens); the network is full; the switch does not start.
pub fn join(
    catalog: &Path,
    name: &str,
    instance: &str,
    netboot: bool,
    program: &Program,
    environment: &Environment,
) -> Result<Member, Error> {
    let plan = Plan::of(name)?;
    let directory = directory(catalog, name);
    make_directory(&directory)?;
    is_private(&directory)?;
    let directory =
        std::fs::canonicalize(&directory).map_err(|error| Error::file(&directory, "find it", error))?;
    let _lock = lock(&directory, environment.sleep)?;
    let number = take(catalog, &directory, name, instance, netboot)?;
    start::running(&directory, program, environment)?;
    let whole = directory.join(start::SOCKET);
    // QEMU's options are text.
    let fits = whole.to_str().is_some_and(|text| text.len() <= LONGEST_SOCKET && !text.contains(','));
    let socket = if fits { whole } else { PathBuf::from(format!("../../networks/{name}/{}", start::SOCKET)) };
    Ok(Member {
        socket,
        mac: text(plan.mac(number, netboot)),
        address: plan.address(number).to_string(),
        prefix: PREFIX,
    })
}

/// Gives the instance's place back.
///
/// # Errors
/// The file cannot be removed.
pub fn leave(catalog: &Path, name: &str, instance: &str) -> Result<(), Error> {
    // There is no network of such a name, and no place in it.
    if Plan::of(name).is_err() {
        return Ok(());
    }
    let directory = directory(catalog, name);
    if !directory.join(MEMBERS).exists() {
        return Ok(());
    }
    let _lock = lock(&directory, std::thread::sleep)?;
    let mut entries = entries(&directory)?;
    entries.retain(|entry| entry.instance != instance);
    write_value(&directory.join(MEMBERS), &entries)
}

const MEMBERS: &str = "members.json";

/// When somebody came or went last.
pub(super) fn changed(directory: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(directory.join(MEMBERS)).ok()?.modified().ok()
}

/// Under the lock: the instance's number.
fn take(catalog: &Path, directory: &Path, name: &str, instance: &str, netboot: bool) -> Result<u8, Error> {
    let mut entries = entries(directory)?;
    let instances = catalog.join("instances");
    let is_there = |entry: &Entry| entry.instance == instance || instances.join(&entry.instance).is_dir();
    entries.retain(is_there);
    let known = entries.iter().position(|entry| entry.instance == instance);
    let number = match known.and_then(|at| entries.get_mut(at)) {
        Some(entry) => {
            entry.netboot = netboot;
            entry.number
        }
        None => {
            let number = NUMBERS.clone().find(|number| entries.iter().all(|entry| entry.number != *number));
            let number = number.ok_or_else(|| {
                Error::Refused(format!(
                    "network {name}: all {} places are taken; use another network",
                    NUMBERS.count()
                ))
            })?;
            entries.push(Entry { instance: instance.to_owned(), number, netboot });
            number
        }
    };
    // Written even where nothing changes: the switch sees by it that somebody is about to come.
    write_value(&directory.join(MEMBERS), &entries)?;
    Ok(number)
}

fn entries(directory: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = read_value(&directory.join(MEMBERS))
        .map_err(|error| {
            let repair =
                "take another network, or remove this one's directory once its instances are terminated";
            Error::Refused(format!("{error}; {repair}"))
        })?
        .unwrap_or_default();
    // Somebody may have edited it.
    entries.retain(|entry| {
        NUMBERS.contains(&entry.number) && !entry.instance.is_empty() && !entry.instance.contains('/')
    });
    Ok(entries)
}

/// A file that is locked as long as it is open.
pub(super) fn open_lock(path: &Path) -> Result<File, Error> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path);
    opened.map_err(|error| Error::file(path, "open the lock", error))
}

/// The lock of a network's list, for changes.
pub(super) fn try_lock(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join("lock");
    let file = open_lock(&path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
        Err(error) => Err(Error::file(&path, "lock the network", error.into())),
    }
}

fn lock(directory: &Path, sleep: fn(Duration)) -> Result<File, Error> {
    for _ in 0..TRIES {
        if let Some(lock) = try_lock(directory)? {
            return Ok(lock);
        }
        sleep(TRY);
    }
    let path = directory.join("lock");
    let busy = "somebody else has held the network's lock for half a minute; look who has it open and end that process";
    Err(Error::Refused(format!("{}: {busy}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_and_those_of_the_gone_are_given_away() {
        let catalog = tempfile::tempdir().unwrap();
        let network = directory(catalog.path(), "n");
        std::fs::create_dir_all(&network).unwrap();
        for id in ["i-1", "i-2", "i-3"] {
            std::fs::create_dir_all(catalog.path().join("instances").join(id)).unwrap();
        }
        let number = |id: &str| take(catalog.path(), &network, "n", id, false).unwrap();
        assert_eq!([number("i-1"), number("i-2"), number("i-1"), number("i-3")], [10, 11, 10, 12]);
        leave(catalog.path(), "n", "i-1").unwrap();
        leave(catalog.path(), "n", "i-1").unwrap();
        for never in ["never", "lab_1", "../n", ""] {
            leave(catalog.path(), never, "i-1").unwrap();
        }
        std::fs::remove_dir(catalog.path().join("instances/i-2")).unwrap();
        std::fs::create_dir(catalog.path().join("instances/i-4")).unwrap();
        assert_eq!([number("i-4"), number("i-5"), number("i-3")], [10, 11, 12]);
    }

    #[test]
    fn a_network_can_be_full_and_its_list_damaged() {
        let catalog = tempfile::tempdir().unwrap();
        let network = directory(catalog.path(), "n");
        std::fs::create_dir_all(&network).unwrap();
        let entries: Vec<Entry> =
            NUMBERS.map(|number| Entry { instance: format!("i-{number}"), number, netboot: false }).collect();
        for entry in &entries {
            std::fs::create_dir_all(catalog.path().join("instances").join(&entry.instance)).unwrap();
        }
        write_value(&network.join(MEMBERS), &entries).unwrap();
        let full = take(catalog.path(), &network, "n", "i-more", false).unwrap_err();
        assert!(full.to_string().contains("241 places"), "{full}");
        std::fs::write(
            network.join(MEMBERS),
            "[{\"instance\": \"../x\", \"number\": 10, \"netboot\": false}]",
        )
        .unwrap();
        assert_eq!(take(catalog.path(), &network, "n", "i-more", false).unwrap(), 10);
        std::fs::write(network.join(MEMBERS), "[").unwrap();
        assert!(take(catalog.path(), &network, "n", "i-more", false).is_err());
    }
}
