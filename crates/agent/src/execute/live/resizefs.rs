//! File systems that grow (`config/cc_resizefs.py`).
//!
//! One of ext2, ext3 or ext4 that fills its device already is seen in its superblock, and no program is started.

use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::{Details, block, program};
use crate::error::AgentError;
use crate::execute::Execution;
use crate::host::Host;

/// `resizefs`.
pub(super) fn resizefs(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    if let Err(error) = program::only_live(cx.host, "resizefs") {
        cx.log.info(&error.to_string());
        return Ok(());
    }
    let path = details.need("path")?;
    let Some(mount) = block::mount_of(cx.host, path) else {
        cx.log.warn(&format!("the file system of {path} is not grown: what is mounted there is not known"));
        return Ok(());
    };
    let Some(device) = device(cx, &mount) else { return Ok(()) };
    let kind = mount.kind.to_lowercase();
    let argv: Vec<&str> = if kind.starts_with("btrfs") {
        btrfs(cx.host, &mount, path)?
    } else if kind.starts_with("ext") {
        if fills(cx.host, &device) == Some(true) {
            cx.log.info(&format!("the file system of {path} fills {device} already"));
            return Ok(());
        }
        vec!["resize2fs", &device]
    } else if kind.starts_with("xfs") {
        vec!["xfs_growfs", path]
    } else if kind.starts_with("bcachefs") {
        vec!["bcachefs", "device", "resize", &device]
    } else {
        cx.log.warn(&format!("the file system of {path} is not grown: nothing here grows {kind}"));
        return Ok(());
    };
    cx.log.info(&format!("growing the file system of {path} ({kind}): {}", argv.join(" ")));
    if details.get("in-background").is_some() {
        return in_background(&argv);
    }
    program::must(&argv, None, program::LONG_PATIENCE).map(|_| ())
}

/// The device of a mount, if it is one that can be written; otherwise why not is told.
fn device(cx: &Execution<'_>, mount: &block::Mount) -> Option<String> {
    let host = cx.host;
    let container = block::is_container(host);
    let mut device = mount.device.clone();
    if device == "/dev/root" && !host.exists(&device) && !container {
        let Some(found) = block::root_of_command_line(host) else {
            cx.log.warn("the root's file system is not grown: which device is /dev/root is not known");
            return None;
        };
        device = found;
    }
    // A root in layers has no size of its own.
    if device == "overlayroot" || mount.kind == "overlay" {
        cx.log.info(&format!("{} lies on an overlay, which does not grow", mount.point));
        return None;
    }
    if !device.starts_with("/dev/") && !host.exists(&device) {
        device = format!("/dev/{}", device.trim_start_matches('/'));
    }
    if block::is_block(host, &device) {
        return Some(device);
    }
    let what = if host.exists(&device) { "is no block device" } else { "does not exist" };
    let text = format!("the file system of {} is not grown: {device} {what}", mount.point);
    if container {
        cx.log.info(&text)
    } else {
        cx.log.warn(&text)
    }
    None
}

fn btrfs<'a>(host: &Host, mount: &block::Mount, path: &'a str) -> Result<Vec<&'a str>, AgentError> {
    // Read-only at its root, it can still be grown through a subvolume that is not.
    let read_only = mount.options.split(',').any(|option| option == "ro");
    let snapshots = host.exists(&format!("{path}/.snapshots"));
    let target = if read_only && snapshots && path == "/" { "//.snapshots" } else { path };
    let said = program::must(&["btrfs", "--version"], None, program::PATIENCE)?.out;
    let mut argv = vec!["btrfs", "filesystem", "resize", "max", target];
    if queues(&said) {
        argv.insert(3, "--enqueue");
    }
    Ok(argv)
}

/// Whether this btrfs waits for what else is under way: from 5.10 on.
fn queues(version: &str) -> bool {
    let first = version.lines().next().unwrap_or_default();
    let number = first.rsplit('v').next().unwrap_or_default().trim();
    let mut parts = number.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (5, 10)
}

/// Whether a file system of the ext family has as many blocks as its device; `None` when that cannot be seen
/// (`fs/ext4/ext4.h`: the superblock is at byte 1024).
fn fills(host: &Host, device: &str) -> Option<bool> {
    let mut superblock = [0; 1024];
    fs::File::open(host.path(device)).ok()?.read_exact_at(&mut superblock, 1024).ok()?;
    blocks(&superblock).and_then(|(count, size)| Some(block::bytes(host, device)? / size == count))
}

/// Blocks and their size.
fn blocks(superblock: &[u8]) -> Option<(u64, u64)> {
    let short = |at: usize| superblock.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    if superblock.get(56..58)? != [0x53, 0xef] {
        return None;
    }
    let size = 1024_u64.checked_shl(short(24)?).filter(|size| (1024..=65_536).contains(size))?;
    // INCOMPAT_64BIT: the count has a second half.
    let high = if short(96)? & 0x80 != 0 { u64::from(short(0x150)?) << 32 } else { 0 };
    Some((high | u64::from(short(4)?), size))
}

/// Starts a program that outlives this one.
fn in_background(argv: &[&str]) -> Result<(), AgentError> {
    let Some((program, arguments)) = argv.split_first() else { return Ok(()) };
    Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map(|_| ())
        .map_err(|error| AgentError::text(format!("cannot run {program}: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::has;

    #[test]
    fn the_queue_of_btrfs() {
        for (version, expected) in [
            ("btrfs-progs v6.2\n", true),
            ("btrfs-progs v5.10\n-EXPERIMENTAL", true),
            ("btrfs-progs v5.9.1", false),
            ("btrfs-progs v4.20-rc1", false),
            ("", false),
        ] {
            assert_eq!(queues(version), expected, "{version}");
        }
    }

    #[test]
    fn a_superblock_says_whether_there_is_room() {
        if !has("mkfs.ext4") {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        for (features, size) in [("^64bit", 16_u64 << 20), ("64bit", 32 << 20)] {
            let file = fs::File::create(&path).unwrap();
            file.set_len(size).unwrap();
            let status =
                Command::new("mkfs.ext4").args(["-q", "-F", "-O", features]).arg(&path).status().unwrap();
            assert!(status.success());
            let host = Host::new(directory.path());
            assert_eq!(fills(&host, "/disk"), Some(true));
            file.set_len(size * 2).unwrap();
            assert_eq!(fills(&host, "/disk"), Some(false));
        }
        fs::write(&path, vec![0; 4096]).unwrap();
        assert_eq!(fills(&Host::new(directory.path()), "/disk"), None);
    }
}
