//! Ending an instance and removing it.
//!
//! The supervisor is asked to end; whoever then gets the lock removes the directory. A second one that waits for the same
//! lock finds a lock on nothing, and an instance that is gone.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use hardtack_cloud::Environment;

use super::files::{Lock, Process, Short, read_small, read_value};
use super::store::is_id;
use super::{Instances, Spec};
use crate::{Error, network};

/// A supervisor that has not ended then is killed.
const PATIENCE: Duration = Duration::from_secs(15);
/// And then it has this long.
const KILLED: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// QEMU's processes are called so; the kernel keeps 15 letters of a name.
const NAME: &[u8] = b"qemu-system";

pub(super) fn terminate(instances: &Instances, id: &str, environment: &Environment) -> Result<bool, Error> {
    if !is_id(id) {
        return Err(Error::Usage(format!("{id:?} is no id of an instance, as i-0123456789abcdef0")));
    }
    let (path, half) = (instances.path(id), instances.half(id));
    let there = path.symlink_metadata().is_ok();
    if there && let Some(lock) = acquire(&path, environment)? {
        let network =
            read_value::<Spec>(&path.join("instance.json")).ok().flatten().and_then(|spec| spec.network);
        orphans(&path)?;
        let left = leave(instances, id, network.as_deref());
        if half.symlink_metadata().is_ok() {
            remove(&half)?;
        }
        std::fs::rename(&path, &half).map_err(|error| Error::file(&path, "remove the instance", error))?;
        remove(&half)?;
        if !left {
            // On a full disk there is room now.
            leave(instances, id, network.as_deref());
        }
        drop(lock);
        return Ok(true);
    }
    // What a killed run left half made, or half removed.
    if half.symlink_metadata().is_ok()
        && let Some(_lock) = acquire(&half, environment)?
    {
        orphans(&half)?;
        leave(instances, id, None);
        remove(&half)?;
        return Ok(true);
    }
    Ok(false)
}

/// Gives back places in private networks: in all of them where it is not known which. A list that is damaged, or a disk
/// that is full, keeps nothing from being removed: places of instances that are gone are given to others. False
/// where the place of the one network is kept.
fn leave(instances: &Instances, id: &str, network: Option<&str>) -> bool {
    if let Some(network) = network {
        return network::leave(instances.catalog(), network, id).is_ok();
    }
    let Ok(listed) = std::fs::read_dir(instances.catalog().join("networks")) else { return true };
    for found in listed.flatten() {
        if let Some(name) = found.file_name().to_str() {
            // Not every directory there is a network.
            let _ = network::leave(instances.catalog(), name, id);
        }
    }
    true
}

/// Ends a QEMU that outlived its supervisor: one that was killed before QEMU was bound to its life, or where there is no
/// setpriv. It works in the instance's directory, whose lock is free.
fn orphans(directory: &Path) -> Result<(), Error> {
    let Ok(path) = std::fs::canonicalize(directory) else { return Ok(()) };
    let Ok(listed) = std::fs::read_dir("/proc") else { return Ok(()) };
    for found in listed.flatten() {
        let Some(number) = found.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let there = || {
            let works = std::fs::read_link(found.path().join("cwd")).is_ok_and(|place| place == path);
            works && read_small(&found.path().join("comm")).is_ok_and(|name| name.starts_with(NAME))
        };
        if !there() {
            continue;
        }
        // Once more, since now it cannot be another one.
        let Some(process) = Process::open(number).filter(|_| there()) else { continue };
        process.kill();
        if !process.ends(PATIENCE) {
            return Err(Error::Refused(format!(
                "{}: QEMU (process {number}) does not end; end it, and try again",
                directory.display()
            )));
        }
    }
    Ok(())
}

/// The lock, once the supervisor has ended; `None` where the directory is gone.
fn acquire(directory: &Path, environment: &Environment) -> Result<Option<Lock>, Error> {
    let began = (environment.now)();
    let mut killed = false;
    loop {
        if let Some(lock) = Lock::take(directory)? {
            return Ok(Some(lock));
        }
        if directory.symlink_metadata().is_err() {
            return Ok(None);
        }
        let waited = (environment.now)().duration_since(began).unwrap_or_default();
        if waited >= PATIENCE && !killed {
            killed = true;
            if let Some(process) = Lock::holder(directory) {
                process.kill();
            }
        }
        if waited >= PATIENCE + KILLED {
            return Err(Error::Refused(format!(
                "{}: another process has this instance and does not end; end that, and try again",
                directory.display()
            )));
        }
        ask(directory);
        (environment.sleep)(PAUSE);
    }
}

/// Asks the supervisor to end; one that does not listen yet is asked again.
fn ask(directory: &Path) {
    let Ok(short) = Short::open(directory) else { return };
    if let Ok(mut stream) = short.connect("control") {
        let _ = stream.set_write_timeout(Some(PAUSE));
        let _ = stream.write_all(b"terminate\n");
    }
}

fn remove(directory: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::file(directory, "remove the instance", error))
        }
        _ => Ok(()),
    }
}
