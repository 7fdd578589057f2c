//! Partitions that grow (`config/cc_growpart.py`).
//!
//! A look at the table tells whether there is anything to win: mostly there is not, and no program is started.
//! Where there is, the image's `growpart` does it, tried with `--dry-run` first. Images without one are grown
//! here ([`table`]); the kernel then learns the new size from `partx`, or `resizepart`, of util-linux, because the
//! ioctl for that (BLKPG) cannot be had without unsafe code.
//!
//! What lies under device mapper is left alone, except for LUKS whose key the image's maker left in
//! `/cc_growpart_keydata`.

mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use hardtack_modules::Machine;
use rustix::fs::FlockOperation;

use super::{Details, block, program};
use crate::error::AgentError;
use crate::execute::Execution;
use crate::host::Host;
use table::Growth;

const KEY: &str = "/cc_growpart_keydata";
/// udev may be looking at the disk.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
/// A list of devices that goes in circles ends.
const ROUNDS: usize = 256;

/// Who grows a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resizer {
    /// The image's `growpart`.
    Program,
    /// This agent.
    Own,
}

/// What became of a device.
enum Fate {
    Changed(String),
    NoChange(String),
    Skipped(String),
    Failed(String),
}

/// `growpart`.
pub(super) fn growpart(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    if let Err(error) = program::only_live(cx.host, "growpart") {
        cx.log.info(&error.to_string());
        return Ok(());
    }
    let resizer = match details.need("mode")? {
        // Both are FreeBSD's.
        mode @ ("gpart" | "growfs") => {
            return Err(AgentError::text(format!(
                "growpart.mode is {mode}, which Linux does not have: no partition is grown; write auto"
            )));
        }
        _ if cx.machine.program("growpart").is_some() => Resizer::Program,
        _ => Resizer::Own,
    };
    let mut waiting: VecDeque<String> = details.all("device").into_iter().map(str::to_owned).collect();
    let mut done: Vec<String> = Vec::new();
    for _ in 0..ROUNDS {
        let Some(entry) = waiting.pop_front() else { break };
        let fate = match fate(cx, resizer, &entry, &done) {
            Ok(fate) => fate,
            // The partition below comes first.
            Err(partition) => {
                waiting.push_front(entry);
                waiting.push_front(partition);
                continue;
            }
        };
        match fate {
            Fate::Changed(what) => cx.log.info(&format!("{entry} was grown: {what}")),
            Fate::NoChange(what) => cx.log.info(&format!("{entry} stays as it is: {what}")),
            Fate::Skipped(what) => cx.log.info(&format!("{entry} is not grown: {what}")),
            Fate::Failed(what) => cx.log.warn(&format!("{entry} could not be grown: {what}")),
        }
        done.push(entry);
    }
    Ok(())
}

/// Grows what one entry names. `Err` is a partition that must be grown before it.
fn fate(cx: &Execution<'_>, resizer: Resizer, entry: &str, done: &[String]) -> Result<Fate, String> {
    let host = cx.host;
    let device = match device_of(host, entry) {
        Ok(device) => device,
        Err(why) => return Ok(Fate::Skipped(why)),
    };
    if !block::is_block(host, &device) {
        return Ok(Fate::Skipped(format!("{device} is no block device")));
    }
    if let Some(mapped) = block::mapped(host, &device) {
        let partition = match block::under(host, &mapped) {
            Ok(partition) => partition,
            Err(why) => return Ok(Fate::Failed(why)),
        };
        if !is_encrypted(cx, &mapped, &partition) {
            return Ok(Fate::Skipped(format!("{device} is mapped and not encrypted")));
        }
        if !done.contains(&partition) {
            return Err(partition);
        }
        return Ok(grow_encrypted(cx, &device, &partition));
    }
    let (disk, number) = match block::part_info(host, &device) {
        Ok(found) => found,
        Err(why) => return Ok(Fate::Skipped(why)),
    };
    let before = block::bytes(host, &device);
    Ok(match grow(cx, resizer, &disk, number) {
        Err(why) => Fate::Failed(format!("disk {disk}, partition {number}: {why}")),
        Ok(()) => {
            let after = block::bytes(host, &device);
            match (before, after) {
                (Some(before), Some(after)) if before != after => {
                    Fate::Changed(format!("{device} had {before} bytes and has {after}"))
                }
                (Some(_), Some(_)) => Fate::NoChange(format!("disk {disk}, partition {number}")),
                _ => Fate::Changed(format!("the new size of {device} is not known")),
            }
        }
    })
}

/// The device that an entry names: itself, or what is mounted there.
fn device_of(host: &Host, entry: &str) -> Result<String, String> {
    if entry.starts_with("/dev/") {
        return Ok(entry.to_owned());
    }
    let mount =
        block::mount_of(host, entry).ok_or_else(|| format!("nothing is known to be mounted at {entry}"))?;
    if mount.device == "/dev/root" && !block::is_container(host) {
        return block::root_of_command_line(host)
            .ok_or_else(|| "which device is /dev/root is not on the kernel's command line".to_owned());
    }
    Ok(mount.device)
}

fn grow(cx: &Execution<'_>, resizer: Resizer, disk: &str, number: u32) -> Result<(), String> {
    let plan = plan(cx.host, disk, number);
    match (resizer, plan) {
        (_, Ok(Growth::NoChange)) => Ok(()),
        (Resizer::Program, _) => with_growpart(cx, disk, number),
        (Resizer::Own, Ok(Growth::Change { writes, start: _, count })) => {
            write(cx.host, disk, &writes).map_err(|error| error.to_string())?;
            tell_kernel(cx.host, cx.machine, disk, number, count)
        }
        (Resizer::Own, Err(why)) => Err(why),
    }
}

/// What the disk's table says there is to do.
fn plan(host: &Host, disk: &str, number: u32) -> Result<Growth, String> {
    let file = fs::File::open(host.path(disk)).map_err(|error| format!("cannot read {disk}: {error}"))?;
    let length = block::bytes(host, disk).ok_or_else(|| format!("{disk} does not say how large it is"))?;
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
    };
    table::grow(&read, length, block::sector(host, disk), number)
}

/// Writes the table's new bytes while nobody else looks at the disk (<https://systemd.io/BLOCK_DEVICE_LOCKING/>).
fn write(host: &Host, disk: &str, writes: &[(u64, Vec<u8>)]) -> Result<(), AgentError> {
    let path = host.path(disk);
    let failed = |error: std::io::Error| AgentError::io("write the partition table of", &path, error);
    let mut file = fs::OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    while rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() >= deadline {
            return Err(AgentError::text(format!(
                "{disk} is locked by another program: its table stays as it is"
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for (at, bytes) in writes {
        file.seek(SeekFrom::Start(*at)).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
    }
    file.sync_all().map_err(failed)
}

fn tell_kernel(
    host: &Host,
    machine: &dyn Machine,
    disk: &str,
    number: u32,
    count: u64,
) -> Result<(), String> {
    let number = number.to_string();
    // resizepart counts in 512 bytes whatever the disk's sectors are.
    let sectors = (count * (block::sector(host, disk) / 512)).to_string();
    let told = if machine.program("partx").is_some() {
        program::must(&["partx", "--update", "--nr", &number, disk], None, program::PATIENCE)
    } else if machine.program("resizepart").is_some() {
        program::must(&["resizepart", disk, &number, &sectors], None, program::PATIENCE)
    } else {
        return Err(
            "its table is changed, and without partx and resizepart the kernel learns it at the next boot"
                .to_owned(),
        );
    };
    told.map(|_| ()).map_err(|error| format!("its table is changed, and the kernel does not know: {error}"))
}

/// `growpart`, with a directory of its own for what it keeps meanwhile.
fn with_growpart(cx: &Execution<'_>, disk: &str, number: u32) -> Result<(), String> {
    let directory = "/run/hardtack/growpart";
    crate::config::directory(cx.host, crate::config::RUNTIME).map_err(|error| error.to_string())?;
    let full = cx.host.path(directory);
    let _ = fs::remove_dir_all(&full);
    fs::create_dir(&full).map_err(|error| format!("cannot make {directory}: {error}"))?;
    let number = number.to_string();
    let environment = [("TMPDIR", directory)];
    let run = |argv: &[&str]| {
        program::ask(argv, &environment, None, program::PATIENCE).map_err(|error| error.to_string())
    };
    let done = match run(&["growpart", "--dry-run", disk, &number]) {
        Ok(tried) if tried.code == Some(0) => {
            run(&["growpart", disk, &number]).and_then(|done| match done.code {
                Some(0) => Ok(()),
                _ => Err(format!("growpart: {}", done.why())),
            })
        }
        // There is nothing to win.
        Ok(tried) if tried.code == Some(1) => Ok(()),
        Ok(tried) => Err(format!("growpart --dry-run: {}", tried.why())),
        Err(error) => Err(error),
    };
    let _ = fs::remove_dir_all(&full);
    done
}

fn is_encrypted(cx: &Execution<'_>, mapped: &str, partition: &str) -> bool {
    if cx.machine.program("cryptsetup").is_none() {
        return false;
    }
    let status =
        |argv: &[&str]| program::ask(argv, &[], None, program::PATIENCE).ok().and_then(|done| done.code);
    match status(&["cryptsetup", "status", mapped]) {
        Some(0) => status(&["cryptsetup", "isLuks", partition]) == Some(0),
        Some(4) => false,
        _ => {
            cx.log.warn(&format!("cryptsetup cannot say what {mapped} is: it is taken for not encrypted"));
            false
        }
    }
}

/// The key that is good for one growth.
struct Key {
    bytes: Vec<u8>,
    slot: String,
}

fn key(host: &Host) -> Option<Key> {
    let value: serde_json::Value = serde_json::from_slice(&host.read(KEY).ok()??).ok()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.get("key")?.as_str()?).ok()?;
    let slot = value.get("slot")?;
    let slot = slot.as_str().map_or_else(|| slot.to_string(), str::to_owned);
    Some(Key { bytes, slot })
}

fn grow_encrypted(cx: &Execution<'_>, device: &str, partition: &str) -> Fate {
    if !cx.host.exists(KEY) {
        return Fate::Skipped(format!("it is encrypted, and {KEY} with its key is not there"));
    }
    let Some(key) = key(cx.host) else {
        return Fate::Failed(format!("{KEY} holds no key; that is so once the volume was grown"));
    };
    let resized = program::must(
        &["cryptsetup", "--key-file", "-", "resize", device],
        Some(&key.bytes),
        program::PATIENCE,
    );
    // The key goes whatever happened.
    let kill = ["cryptsetup", "luksKillSlot", "--batch-mode", partition, &key.slot];
    if let Err(error) = program::must(&kill, None, program::PATIENCE) {
        cx.log.warn(&format!("the key slot that was for growing {device} stays: {error}"));
    }
    if let Err(error) = fs::remove_file(cx.host.path(KEY)) {
        cx.log.warn(&format!("cannot remove {KEY}: {error}; remove it, it holds a key"));
    }
    match resized {
        Ok(_) => Fate::Changed(format!("the encrypted {device} fills {partition}")),
        Err(error) => Fate::Failed(error.to_string()),
    }
}
