//! Consoles that stand where no boot goes on by itself.

use std::time::Duration;

use hardtack_credentials::console::plain_text;

/// So long nothing more comes of one that stands there for good. A kernel that reboots after its panic is sooner.
pub(crate) const STANDS: Duration = Duration::from_secs(60);
/// Bytes at the end of a console that are looked at.
const TAIL: usize = 8 << 10;
/// Lines after a panic: registers and calls.
const CALLS: usize = 60;
/// Lines after other signs.
const FEW: usize = 3;

/// Signs by which the last lines show it, and what it stands at.
const SIGNS: &[(&[&str], &str)] = &[
    (
        &[
            "You are in emergency mode",
            "Give root password for maintenance",
            "Press Enter for maintenance",
            "(or press Control-D to continue)",
            "Cannot open access to console",
        ],
        "emergency mode",
    ),
    (
        &[
            "No bootable device",
            "no bootable device",
            "not a bootable disk",
            "No bootable option",
            "Press any key to enter the Boot Manager Menu",
        ],
        "the firmware's \"No bootable device\"",
    ),
];

/// A console over time.
#[derive(Debug, Default)]
pub(crate) struct Stuck {
    last: (usize, Vec<u8>),
    since: Duration,
}

impl Stuck {
    /// Looks at all that it has said, `at` after the beginning: what it stands at, once nothing more came for a minute.
    pub(crate) fn look(&mut self, at: Duration, console: &[u8]) -> Option<&'static str> {
        let tail = console.get(console.len().saturating_sub(TAIL)..).unwrap_or_default();
        if (self.last.0, self.last.1.as_slice()) != (console.len(), tail) {
            self.last = (console.len(), tail.to_vec());
            self.since = at;
        }
        if at.saturating_sub(self.since) < STANDS { None } else { sign(tail) }
    }
}

/// What the last lines stand at.
fn sign(tail: &[u8]) -> Option<&'static str> {
    let text = plain_text(tail);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.last()?;
    let end = |most: usize| lines.get(lines.len().saturating_sub(most)..).unwrap_or_default();
    if last.ends_with("(initramfs)") || last.starts_with("dracut:/") {
        return Some("the initramfs' prompt");
    }
    if last.starts_with("grub>") || last.starts_with("grub rescue>") {
        return Some("GRUB's prompt");
    }
    if end(CALLS).iter().any(|line| line.contains("Kernel panic - not syncing")) {
        return Some("a kernel panic");
    }
    if last.contains("Retrying") {
        return None;
    }
    let has = |parts: &&[&str]| end(FEW).iter().any(|line| parts.iter().any(|part| line.contains(part)));
    SIGNS.iter().find(|(parts, _)| has(parts)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_go_on_is_stuck() {
        for (text, what) in [
            ("[  9.1] x\nALERT!  UUID=1 does not exist.\r\n(initramfs) ", Some("the initramfs' prompt")),
            ("(initramfs) exit\n[ 12.1] EXT4-fs mounted\n", None),
            ("error: no such partition.\r\nEntering rescue mode...\r\ngrub rescue> ", Some("GRUB's prompt")),
            (
                "[ 1.0] Kernel panic - not syncing: VFS\n[ 1.0] Call Trace:\n[ 1.0]  x+0x1\n",
                Some("a kernel panic"),
            ),
            (
                "Give root password for maintenance\n(or press Control-D to continue): ",
                Some("emergency mode"),
            ),
            (
                "Booting from Hard Disk...\nNo bootable device.\n",
                Some("the firmware's \"No bootable device\""),
            ),
            ("No bootable device.  Retrying in 5 seconds.\n", None),
            ("web login: ", None),
            ("[   12.3] Reached target Basic System.\n", None),
            ("", None),
        ] {
            let mut stuck = Stuck::default();
            assert_eq!(stuck.look(Duration::from_secs(5), text.as_bytes()), None, "{text:?}");
            assert_eq!(stuck.look(Duration::from_secs(64), text.as_bytes()), None, "{text:?}");
            let more = format!("{text}\n[ 99.9] more\n");
            assert_eq!(stuck.look(Duration::from_secs(65), text.as_bytes()), what, "{text:?}");
            assert_eq!(stuck.look(Duration::from_secs(66), more.as_bytes()), None, "{text:?}");
        }
    }
}
