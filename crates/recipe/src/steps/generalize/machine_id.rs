//! `machine-id`: the image has none, so that every machine makes its own.

use hardtack_guest::glob::glob;
use hardtack_guest::{FileType, Set, Stage};

use super::STEP;
use crate::model::generalize::MachineId;
use crate::{Context, StepError};

const FILE: &str = "/etc/machine-id";
const DBUS: &str = "/var/lib/dbus/machine-id";
/// The first release of systemd that knows the word (its NEWS of version 247).
const KNOWS_THE_WORD: u32 = 247;

/// Empties the machine ID, or says that there is none yet, and makes D-Bus' copy a link to it.
pub(super) fn clear(wanted: Option<MachineId>, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(version) = systemd(cx.stage)? else {
        // D-Bus alone makes an ID where there is no file, and takes an empty one for damaged.
        for path in [FILE, DBUS] {
            cx.stage.remove(path)?;
        }
        return Ok(());
    };
    let knows = version >= KNOWS_THE_WORD;
    let wanted = match wanted {
        None if knows => MachineId::Uninitialized,
        None => MachineId::Empty,
        Some(MachineId::Uninitialized) if !knows => {
            let what = format!("systemd {version} does not know `uninitialized` in {FILE}");
            return Err(StepError::refused(STEP, what).hint("write `machine-id: empty`"));
        }
        Some(wanted) => wanted,
    };
    let text = match wanted {
        MachineId::Uninitialized => "uninitialized\n",
        MachineId::Empty => "",
    };
    // A link into a place that is not in the image would be written through.
    if cx.stage.lstat(FILE)?.is_some_and(|found| found.kind == FileType::Symlink) {
        cx.stage.remove(FILE)?;
    }
    let set = match cx.stage.lstat(FILE)? {
        Some(_) => Set::default(),
        None => Set::mode(0o444),
    };
    cx.stage.write(FILE, text, set)?;
    if cx.stage.lstat(DBUS)?.is_some_and(|found| found.kind == FileType::Regular) {
        cx.stage.symlink(DBUS, FILE)?;
    }
    warn_of_others(cx)
}

/// systemd's version, by the name of its library; `None` without systemd. A version that is not found is
/// an old one.
fn systemd(stage: &Stage<'_>) -> Result<Option<u32>, StepError> {
    let mut version = None;
    for path in glob(stage, "/{usr/,}lib{,64}/{,*/}systemd/libsystemd-shared-*.so")? {
        let (_, tail) = path.rsplit_once("shared-").unwrap_or_default();
        let digits: String = tail.chars().take_while(char::is_ascii_digit).collect();
        version = version.max(digits.parse().ok());
    }
    let there = !glob(stage, "/{usr/,}lib/systemd/systemd")?.is_empty();
    Ok(version.or(there.then_some(0)))
}

/// An ID that is given elsewhere makes all machines equal again (machine-id(5), systemd.system-credentials(7)).
fn warn_of_others(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    const COMMAND_LINES: [&str; 7] = [
        "/etc/default/grub",
        "/etc/default/grub.d/*.cfg",
        "/etc/kernel/cmdline",
        "/boot/grub{,2}/grub.cfg",
        "/boot/loader/entries/*.conf",
        "/boot/grub2/grubenv",
        "/boot/extlinux/extlinux.conf",
    ];
    const LIMIT: u64 = 4 << 20;
    let mut places = glob(cx.stage, "/{etc,usr/lib}/credstore{,.encrypted}/system.machine_id")?;
    for pattern in COMMAND_LINES {
        for path in glob(cx.stage, pattern)? {
            let readable = cx.stage.stat(&path)?;
            if !readable.is_some_and(|found| found.kind == FileType::Regular && found.size <= LIMIT) {
                continue;
            }
            let text = cx.stage.read_limited(&path, LIMIT)?.unwrap_or_default();
            let given = text.split(|byte| byte.is_ascii_whitespace() || *byte == b'"').any(|word| {
                word.strip_prefix(b"systemd.machine_id=").is_some_and(|value| value != b"firmware")
            });
            if given {
                places.push(path);
            }
        }
    }
    for place in places {
        cx.warn(STEP, format!("{place} gives a machine ID, and all machines of this image will have it"));
    }
    Ok(())
}
