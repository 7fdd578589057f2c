//! Finding credentials blocks again in a console log.
//!
//! Between the guest and the reader lie a serial line, a hypervisor's buffer, a log daemon, a web
//! page or a terminal. Each adds or loses something: `clean` undoes what can be undone, `scan`
//! finds the blocks, `verify` decides with the checksum. Everything is linear in the length of
//! the log. Nothing in a log is trusted before its checksum was right, and nothing but printable
//! ASCII is ever handed on.

mod clean;
mod disguise;
mod scan;
mod verify;

use std::collections::HashSet;
use std::fmt;

use crate::block::{Block, SealedCredentials, UserPart};

/// Longest log that [`read`] takes, in bytes; clouds keep 64 KiB, a serial log of months is larger.
pub const LOG_LIMIT: usize = 64 * 1024 * 1024;

/// No more sealed parts are kept for comparison.
const RESEALED_LIMIT: usize = 64;

/// A block that arrived whole. `Debug` masks it.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub block: Block,
    /// The line of JSON as it was printed, printable ASCII.
    pub json: String,
    /// The line of the log on which it begins, counted from 1.
    pub line: usize,
    /// What the human part says about the guest's clock; the checksum does not cover it.
    pub synchronised: Option<bool>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("line", &self.line).field("block", &self.block).finish_non_exhaustive()
    }
}

/// A block that did not arrive whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The line of the log on which it begins, counted from 1.
    pub line: usize,
    /// What is wrong, in words.
    pub why: String,
}

/// Why a log gives no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No block, not even a damaged one.
    #[error("no credentials block was found in {lines} lines")]
    NoBlock {
        /// Lines of the log.
        lines: usize,
    },
    /// Only damaged ones.
    #[error("{count} damaged credentials block(s) and no intact one; the last, on line {}: {}", .last.line, .last.why)]
    Damaged {
        /// How many.
        count: usize,
        /// The last of them.
        last: Damaged,
    },
    /// Two that contradict each other.
    #[error(
        "two different credentials blocks, on lines {first} and {second}, claim the boot {boot_id}: \
         one of them was not printed by the machine's agent"
    )]
    Contradiction {
        /// The boot id that both name.
        boot_id: String,
        /// Line of the earlier.
        first: usize,
        /// Line of the later.
        second: usize,
    },
    /// Longer than [`LOG_LIMIT`].
    #[error("the log has {size} bytes; at most {LOG_LIMIT} are read")]
    TooLong {
        /// Its length.
        size: usize,
    },
}

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The last intact block.
    pub newest: Found,
    /// Intact blocks before it that say something else.
    pub older: usize,
    /// Blocks that did not arrive whole.
    pub damaged: Vec<Damaged>,
    /// Sealed parts of the newest block's users that earlier blocks of its boot have, and that are not
    /// the same text. Only who opens both can tell whether they say the same; if not, one of them
    /// was not printed by the machine's agent.
    pub resealed: Vec<SealedCredentials>,
}

impl Reading {
    /// True when a damaged block follows the newest intact one.
    #[must_use]
    pub fn damaged_after(&self) -> bool {
        self.damaged.iter().any(|damaged| damaged.line > self.newest.line)
    }
}

/// A log as lines of printable ASCII, without what a terminal would obey. Secrets in it stay.
#[must_use]
pub fn plain_text(log: &[u8]) -> String {
    clean::clean(log)
}

/// Finds the newest intact block.
///
/// # Errors
/// See [`ReadError`].
pub fn read(log: &[u8]) -> Result<Reading, ReadError> {
    if log.len() > LOG_LIMIT {
        return Err(ReadError::TooLong { size: log.len() });
    }
    let mut best: Option<scan::Scan> = None;
    for attempt in disguise::attempts(log) {
        let text = clean::clean(&attempt);
        drop(attempt);
        // The second reading is for pages whose marker lines hold entities too (`&nbsp;`).
        let decoded = || {
            (text.contains('&') && disguise::has_marker(text.as_bytes()))
                .then(|| verify::decode_entities(&text))
        };
        let mut found = scan::scan(&text);
        if found.intact.is_empty()
            && let Some(text) = decoded()
        {
            let second = scan::scan(&text);
            if !second.intact.is_empty() || second.damaged.len() > found.damaged.len() {
                found = second;
            }
        }
        if !found.intact.is_empty() {
            return choose(found);
        }
        if best.as_ref().is_none_or(|best| found.damaged.len() > best.damaged.len()) {
            best = Some(found);
        }
    }
    choose(best.unwrap_or_default())
}

fn choose(mut scan: scan::Scan) -> Result<Reading, ReadError> {
    let Some(newest) = scan.intact.pop() else {
        let count = scan.damaged.len();
        return Err(match scan.damaged.pop() {
            Some(last) => ReadError::Damaged { count, last },
            None => ReadError::NoBlock { lines: scan.lines },
        });
    };
    if let Some(other) = scan.intact.iter().find(|found| contradicts(&found.block, &newest.block)) {
        return Err(ReadError::Contradiction {
            boot_id: newest.block.boot_id.clone(),
            first: other.line,
            second: newest.line,
        });
    }
    let older: HashSet<&str> = scan
        .intact
        .iter()
        .filter(|found| found.block.boot_id != newest.block.boot_id)
        .map(|found| found.json.as_str())
        .collect();
    let mut resealed: Vec<SealedCredentials> = Vec::new();
    let same_boot = scan.intact.iter().filter(|found| found.block.boot_id == newest.block.boot_id);
    for part in same_boot.flat_map(|found| &found.block.users) {
        let other = |user: &UserPart| user.name() == part.name() && user != part;
        if let UserPart::Sealed(part) = part
            && newest.block.users.iter().any(other)
            && !resealed.contains(part)
            && resealed.len() < RESEALED_LIMIT
        {
            resealed.push(part.clone());
        }
    }
    Ok(Reading { older: older.len(), newest, damaged: scan.damaged, resealed })
}

/// Two prints of one boot may differ in their time and in what the guard says; a later one leaves
/// users out whose codes were accepted meanwhile. Sealed anew, a part is another text with the same
/// contents. Anything else is a contradiction.
fn contradicts(earlier: &Block, later: &Block) -> bool {
    let rest =
        |block: &Block| Block { time: String::new(), users: Vec::new(), drift: Vec::new(), ..block.clone() };
    let same = |one: &UserPart, other: &UserPart| match (one, other) {
        (UserPart::Sealed(one), UserPart::Sealed(other)) => one.name == other.name,
        (one, other) => one == other,
    };
    let known = |user: &UserPart| earlier.users.iter().any(|before| same(before, user));
    earlier.boot_id == later.boot_id && (rest(earlier) != rest(later) || !later.users.iter().all(known))
}

#[cfg(test)]
pub(crate) mod tests;
