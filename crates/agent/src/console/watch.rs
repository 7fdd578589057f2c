//! Did somebody else use the port while we printed?
//!
//! A getty that starts on a port resets it, and bytes get lost or doubled. The units are ordered so
//! that none starts, but an administrator, or an init other than systemd, may start one. And the
//! kernel prints emergencies whatever we do. Both leave traces: a new process on the terminal
//! (field 7 of /proc/PID/stat), a new record in /dev/kmsg.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::OFlags;

use crate::host::Host;

/// The level of messages that reach the console in spite of [`Quiet`](super::quiet::Quiet).
const EMERGENCY: u64 = 0;
/// No kernel writes so many while we print; a bound against a flood.
const RECORDS: usize = 10_000;

/// What was going on at a port at one moment.
pub(crate) struct Watch {
    users: Vec<(u32, u64)>,
    kmsg: Option<std::fs::File>,
}

impl Watch {
    pub(crate) fn start(host: &Host, console: &str) -> Self {
        let kmsg = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(host.path("/dev/kmsg"))
            .ok()
            .and_then(|mut file| file.seek(SeekFrom::End(0)).is_ok().then_some(file));
        Self { users: users(host, console), kmsg }
    }

    /// What came in between, if anything did. The kernel writes messages below `level` to its consoles;
    /// `active` says whether this is one of them.
    pub(crate) fn disturbed(
        mut self,
        host: &Host,
        console: &str,
        level: u64,
        active: bool,
    ) -> Option<&'static str> {
        if users(host, console).iter().any(|user| !self.users.contains(user)) {
            return Some("a program started on the port");
        }
        if !active {
            return None;
        }
        let mut record = [0; 8192];
        for _ in 0..RECORDS {
            let count = match self.kmsg.as_mut()?.read(&mut record) {
                Ok(count) if count > 0 => count,
                // Records were overwritten before they could be read: a flood.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => continue,
                _ => break,
            };
            // "6,339,5140900,-;text": the first number is facility * 8 + level.
            let text = record.get(..count).unwrap_or_default();
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).fold(0u64, |number, digit| {
                number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
            });
            if digits & 7 == EMERGENCY {
                return Some("the kernel printed an emergency");
            }
            if digits & 7 < level {
                return Some("the kernel printed a message");
            }
        }
        None
    }
}

/// Processes whose terminal the port is: number and start time, so that a reused number shows.
fn users(host: &Host, console: &str) -> Vec<(u32, u64)> {
    let Ok(metadata) = host.path(&format!("/dev/{console}")).metadata() else {
        return Vec::new();
    };
    let device = metadata.rdev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    // proc(5): minor in bits 31 to 20 and 7 to 0, major in bits 15 to 8.
    let wanted = u64::from((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12));
    let numbers = host.names("/proc").into_iter().filter_map(|name| name.parse::<u32>().ok());
    numbers
        .filter_map(|number| {
            let stat = host.read_text(&format!("/proc/{number}/stat")).ok()??;
            // The second field is the program's name in parentheses and may hold anything.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let terminal: i64 = fields.nth(4)?.parse().ok()?;
            let started: u64 = fields.nth(14)?.parse().ok()?;
            (terminal != 0 && u64::from(terminal as u32) == wanted).then_some((number, started))
        })
        .collect()
}
