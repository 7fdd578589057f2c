//! Cutting cleaned text into blocks by their marker lines.

use super::verify::{verify, without_prefix};
use super::{Damaged, Found};
use crate::block::{BEGIN, Block, END, JSON_START};

/// No block is longer: the agent keeps below a cloud's 64 KiB, and a driver that floods the console
/// may put thousands of lines between any two of them.
const BLOCK_LIMIT: usize = 32 * 1024 * 1024;

/// What one form of a log holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// In the order of the log.
    pub(super) intact: Vec<Found>,
    /// In the order of the log.
    pub(super) damaged: Vec<Damaged>,
    /// Lines of the log.
    pub(super) lines: usize,
}

/// A block whose last line has not come yet.
struct Open<'a> {
    line: usize,
    /// What stands before its first line's marker.
    prefix: &'a str,
    size: usize,
    lines: Vec<&'a str>,
}

/// Finds all blocks. A marker counts wherever it stands in its line, since prefixes and prompts
/// stand before it; only the JSON may quote one.
pub(super) fn scan(text: &str) -> Scan {
    let mut scan = Scan::default();
    let mut open: Option<Open<'_>> = None;
    let mut stray = None;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        scan.lines = number;
        let is_json = line.contains(JSON_START) || line.contains("{&quot;hardtack&quot;");
        if let Some((prefix, _)) = line.split_once(BEGIN).filter(|_| !is_json) {
            if let Some(open) = open.take() {
                scan.damage(open.line, "its last line is missing");
            }
            open = Some(Open { line: number, prefix, size: 0, lines: Vec::new() });
        } else if !is_json && line.contains(END) {
            match open.take() {
                None => scan.damage(number, "its first line is missing: the beginning of the log is lost"),
                Some(open) if open.size > BLOCK_LIMIT => {
                    scan.damage(open.line, "it is longer than any block that the agent prints");
                }
                Some(open) => match verify_with_prefix(&open) {
                    Ok((block, json)) => scan.intact.push(Found {
                        block,
                        json,
                        line: open.line,
                        synchronised: synchronised(&open.lines),
                    }),
                    Err(why) => scan.damage(open.line, &why),
                },
            }
        } else if let Some(open) = &mut open {
            open.size += line.len() + 1;
            if open.size <= BLOCK_LIMIT {
                open.lines.push(line);
            }
        } else if is_json {
            stray.get_or_insert(number);
        }
    }
    if let Some(open) = open {
        scan.damage(
            open.line,
            "its last line is missing: the log ends before, or the machine was still printing",
        );
    }
    if let Some(line) = stray
        && scan.intact.is_empty()
        && scan.damaged.is_empty()
    {
        scan.damage(line, "its first and last lines are missing");
    }
    scan
}

/// A prefix that ends with a blank may stand before any line. One that touches the text (`12:`,
/// `>`, `{"log":"`) could be a damaged beginning; it is taken off where all lines have it.
fn verify_with_prefix(open: &Open<'_>) -> Result<(Block, String), String> {
    let plain = verify(&open.lines);
    if plain.is_ok() || open.prefix.is_empty() || open.prefix.ends_with(' ') {
        return plain;
    }
    let lines: Vec<&str> = open.lines.iter().map(|line| without_prefix(line, open.prefix)).collect();
    verify(&lines).or(plain)
}

/// Reads the human part's line "Time: … UTC, synchronised".
fn synchronised(lines: &[&str]) -> Option<bool> {
    let said = lines.iter().find_map(|line| Some(line.split_once("Time: ")?.1.split_once(" UTC, ")?.1))?;
    if said.starts_with("synchronised") { Some(true) } else { said.starts_with("NOT SYNC").then_some(false) }
}

impl Scan {
    fn damage(&mut self, line: usize, why: &str) {
        self.damaged.push(Damaged { line, why: why.to_owned() });
    }
}
