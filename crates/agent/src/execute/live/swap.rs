//! Swap files (`config/cc_mounts.py`: `create_swapfile`).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use hardtack_modules::sizes;
use rustix::fs::FallocateFlags;

use super::{Details, block, program};
use crate::error::AgentError;
use crate::execute::Execution;

/// `swap-file`.
pub(super) fn swap_file(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let file = details.need("file")?;
    let above = file.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
    let full = cx.host.path(file);
    let directory = cx.host.path(above);
    let made = fs::create_dir_all(&directory)
        .map_err(|error| AgentError::io("create", &directory, error))
        .and_then(|()| mib(cx, details, &directory))
        .and_then(|mib| match mib {
            0 => Ok(0),
            mib => make(cx, &full, above, mib).map(|()| mib),
        });
    match made {
        Ok(0) => cx.log.info(&format!("no swap file {file} is made: there is no room for one")),
        Ok(mib) => cx.log.info(&format!("{file} has {mib} MiB for swap")),
        Err(error) => {
            // Its line of /etc/fstab goes with it: see `fstab`.
            let _ = fs::remove_file(&full);
            cx.log.warn(&format!("no swap file {file} is made: {error}"));
        }
    }
    Ok(())
}

/// An `/etc/fstab` without the lines of swap files that are not there, because they could not be made.
pub(in crate::execute) fn fstab(cx: &Execution<'_>, text: &[u8]) -> Vec<u8> {
    let is_missing = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let words: Vec<&str> = line.split('\t').map(str::trim_end).collect();
        matches!(words.as_slice(), [file, "none", "swap", "sw", "0", "0"]
            if file.starts_with('/') && !file.starts_with("/dev/") && !cx.host.exists(&plain(file)))
    };
    text.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_missing(line)).flatten().copied().collect()
}

/// A field of fstab(5) without its escapes.
fn plain(field: &str) -> String {
    field.replace("\\012", "\n").replace("\\011", "\t").replace("\\040", " ").replace("\\134", "\\")
}

fn mib(cx: &Execution<'_>, details: &Details<'_>, directory: &Path) -> Result<u64, AgentError> {
    let number = |name: &str| details.get(name).and_then(|text| text.parse::<u64>().ok());
    if details.need("mib")? != "auto" {
        return number("mib").ok_or_else(|| AgentError::text("its size is no number of MiB"));
    }
    let memory = cx.facts.memory.or_else(|| crate::running::memory(cx.host));
    let memory = memory.ok_or_else(|| AgentError::text("how much memory there is, is not known"))?;
    let room = rustix::fs::statvfs(directory).map_err(|error| AgentError::io("look at", directory, error))?;
    let free = room.f_frsize.saturating_mul(room.f_bfree);
    Ok(sizes::swap(memory, free, number("most").map(|mib| mib.saturating_mul(1 << 20))) >> 20)
}

fn make(cx: &Execution<'_>, full: &Path, above: &str, mib: u64) -> Result<(), AgentError> {
    let kind = block::mount_of(cx.host, above).map(|mount| mount.kind).unwrap_or_default();
    let failed = |error: io::Error| AgentError::io("fill", full, error);
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(full).map_err(failed)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    let path = full.display().to_string();
    if kind == "btrfs" {
        // Swap needs blocks that stay where they are.
        program::must(&["chattr", "+C", &path], None, program::PATIENCE)?;
    }
    fill(&mut file, mib, kind == "xfs" && is_before_4_18()).map_err(failed)?;
    drop(file);
    program::must(&["mkswap", &path], None, program::PATIENCE).map(|_| ())
}

/// Gives the file its blocks: at once where the file system can, otherwise by writing zeros.
fn fill(file: &mut File, mib: u64, zeros: bool) -> io::Result<()> {
    let length = mib.checked_mul(1 << 20).ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
    if !zeros && rustix::fs::fallocate(&*file, FallocateFlags::empty(), 0, length).is_ok() {
        return Ok(());
    }
    let block = vec![0; 1 << 20];
    for _ in 0..mib {
        file.write_all(&block)?;
    }
    file.sync_all()
}

/// xfs could not swap to blocks that were never written.
fn is_before_4_18() -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (4, 18)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::has;

    #[test]
    fn a_file_is_filled_either_way() {
        let directory = tempfile::tempdir().unwrap();
        for zeros in [false, true] {
            let path = directory.path().join("swap");
            let mut file = File::create(&path).unwrap();
            fill(&mut file, 2, zeros).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), 2 << 20);
            if has("mkswap") && has("blkid") {
                let path = path.display().to_string();
                program::must(&["mkswap", &path], None, program::PATIENCE).unwrap();
                let seen = program::must(&["blkid", "-p", &path], None, program::PATIENCE).unwrap().out;
                assert!(seen.contains("TYPE=\"swap\""), "{seen}");
            }
        }
        assert!(fill(&mut File::create(directory.path().join("huge")).unwrap(), u64::MAX, false).is_err());
    }

    #[test]
    fn fields_of_fstab_lose_their_escapes() {
        assert_eq!(plain("/swap\\040file"), "/swap file");
    }
}
