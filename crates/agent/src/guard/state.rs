//! What the guard has found: `/run/hardtack/guard.json`, 0600, written whole.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use hardtack_login::Weakness;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::accounts::replace_unsynced;
use crate::again::Printed;
use crate::config::{RUNTIME, directory};
use crate::host::Host;
use crate::journal;

/// Where it is kept.
pub(crate) const PATH: &str = "/run/hardtack/guard.json";
const LOCK: &str = "/run/hardtack/guard.lock";
/// A guard that holds the lock for longer is stuck; the next one goes on without.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// So often SSH is started again by the guard that stopped it; then it is the administrator's.
const RELEASES: u32 = 5;
/// More is told by nobody; the count is.
const MOST: usize = 32;
/// Of one sentence.
const LONGEST: usize = 600;

/// What the machine was found to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Nothing was promised, or by nothing that this agent knows.
    #[default]
    Unknown,
    /// Logins ask for what was promised.
    Holds,
    /// They ask for less, or nobody can tell.
    Weaker,
}

/// One weakness, as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    /// What is found, and what it does.
    pub(crate) what: String,
    /// What to do.
    pub(crate) hint: String,
}

impl From<Weakness> for Told {
    fn from(weakness: Weakness) -> Self {
        Self { what: plain(&weakness.what), hint: plain(&weakness.hint) }
    }
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Of the format, 1.
    pub(crate) version: u32,
    /// When it was judged, in UTC.
    pub(crate) time: String,
    pub(crate) verdict: Verdict,
    pub(crate) weaknesses: Vec<Told>,
    /// What is worth knowing and weakens nothing.
    pub(crate) notes: Vec<String>,
    /// `stop-ssh` or `warn`.
    pub(crate) on_drift: String,
    /// What is done about it: `none`, `warned`, `ssh stopped` (also: it does not start).
    pub(crate) action: String,
    /// SSH is stopped, and does not start.
    pub(crate) ssh_held: bool,
    /// The units that were stopped or refused.
    pub(crate) held: Vec<String>,
    /// How often SSH was started again after a repair.
    pub(crate) released: u32,
    /// What the consoles were told last, after the block; `null`: what it says.
    pub(crate) told: Option<Vec<String>>,
    /// Something has changed while it was judged: it says nothing.
    #[serde(skip)]
    pub(crate) is_stale: bool,
}

impl State {
    /// The weaknesses as sentences, each with what to do: for the block.
    pub(crate) fn drift(&self) -> Vec<String> {
        let sentence = |told: &Told| match told.hint.is_empty() {
            true => told.what.clone(),
            false => format!("{}; {}", told.what, told.hint),
        };
        self.weaknesses.iter().map(sentence).collect()
    }

    /// A weakness, unless it is known or there are too many.
    pub(super) fn add(&mut self, weakness: Weakness) {
        let told = Told::from(weakness);
        if self.weaknesses.len() < MOST && !self.weaknesses.contains(&told) {
            self.weaknesses.push(told);
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        let text = plain(text);
        if self.notes.len() < MOST && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// What an earlier guard of this boot has done counts.
    pub(super) fn take_over(&mut self, before: &Self) {
        self.held.clone_from(&before.held);
        self.released = before.released;
        self.told.clone_from(&before.told);
    }

    /// These units are stopped, or were refused.
    pub(super) fn hold(&mut self, units: &[String]) {
        for unit in units {
            if !self.held.contains(unit) {
                self.held.push(unit.clone());
            }
        }
    }

    /// The units to start again: those that the guard has stopped, once nothing is weaker any more.
    pub(super) fn release(&mut self) -> Vec<String> {
        if self.ssh_held || self.held.is_empty() {
            return Vec::new();
        }
        if self.released >= RELEASES {
            self.note(&format!(
                "SSH was stopped and started again {RELEASES} times: start it yourself (systemctl start {})",
                self.held.join(" ")
            ));
            return Vec::new();
        }
        self.released += 1;
        std::mem::take(&mut self.held)
    }

    /// The paragraph for the consoles, where the block that was printed no longer says how things are; once for
    /// each change.
    pub(super) fn news(&mut self, printed: Option<&Printed>) -> Option<String> {
        let drift = self.drift();
        let known = self.told.as_ref().unwrap_or(&printed?.drift);
        if drift == *known {
            return None;
        }
        self.told = Some(drift);
        Some(super::judge::paragraph(self))
    }

    /// Whether two results differ in nothing but the time.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        Self { time: other.time.clone(), ..self.clone() } == *other
    }

    /// Writes it. A full /run must not keep anybody out.
    pub(super) fn keep(&self, host: &Host) {
        let kept = directory(host, RUNTIME).and_then(|_| {
            let text = serde_json::to_string_pretty(self).unwrap_or_default();
            replace_unsynced(&host.path(PATH), format!("{text}\n").as_bytes(), 0o600)
        });
        if let Err(error) = kept {
            journal::say(&error.to_string());
        }
    }

    /// Words for the journal, about what is new.
    pub(super) fn say(&self, before: &Self) {
        for told in self.weaknesses.iter().filter(|told| !before.weaknesses.contains(told)) {
            super::gate::say(&format!("logins ask for less than promised: {}; {}", told.what, told.hint));
        }
        for note in self.notes.iter().filter(|note| !before.notes.contains(note)) {
            super::gate::say(note);
        }
        if before.verdict == Verdict::Weaker && self.verdict == Verdict::Holds {
            super::gate::say("logins ask for everything that was promised again");
        }
    }
}

/// What the last guard of this boot has found; `None`: none has ended yet.
pub(crate) fn current(host: &Host) -> Option<State> {
    serde_json::from_slice(&host.read(PATH).ok()??).ok()
}

/// One guard at a time changes the file.
pub(super) fn lock(host: &Host) -> Option<File> {
    directory(host, RUNTIME).ok()?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(host.path(LOCK));
    let file = file.ok()?;
    let started = Instant::now();
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if started.elapsed() >= LOCK_PATIENCE {
            return None;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Some(file)
}

/// One line of printable text: what is told may hold a file's words.
pub(super) fn plain(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.trim().chars().map(clean).take(LONGEST).collect();
    text
}
