//! Lines of a console for people: without what a terminal would obey, and without secrets.

use hardtack_credentials::console::plain_text;
use hardtack_credentials::{BEGIN, END, JSON_START};

use super::merge::MARK;

/// Bytes at the end of a console that are looked at.
const TAIL: usize = 1 << 20;
/// Columns of a line that are shown.
const WIDTH: usize = 200;
/// What a kernel says first: a block that was not finished before is at its end here.
const KERNEL: [&str; 2] = ["Linux version ", "[    0.000000]"];
/// Parts of lines that hold a secret wherever they stand.
const SECRET: [&str; 6] =
    ["otpauth://", "Your new secret key is", "\"secret\"", "AGE-SECRET-KEY", "PRIVATE KEY-----", JSON_START];
/// cloud-init's line before the passwords that it made: an empty line, then one on each.
const PASSWORDS: &str = "Set the following 'random' passwords";

/// The last `most` lines that are not empty. Credentials blocks are one line each, which says so.
pub fn last_lines(console: &[u8], most: usize) -> Vec<String> {
    let mut lines = shown(console);
    lines.drain(..lines.len().saturating_sub(most));
    lines
}

/// All lines of the console's end.
pub(super) fn shown(console: &[u8]) -> Vec<String> {
    let tail = console.get(console.len().saturating_sub(TAIL)..).unwrap_or_default();
    let text = plain_text(tail);
    let mark = String::from_utf8_lossy(MARK);
    let mut shown: Vec<String> = Vec::new();
    // Where the window begins inside of a block its end comes first: nothing before it is shown.
    let mut since_gap = 0;
    let mut hidden: Option<Hidden> = None;
    for line in text.lines() {
        let line = line.trim_end();
        let json = line.contains(JSON_START);
        if line == mark.trim_end() {
            hidden = None;
            shown.push(line.to_owned());
            since_gap = shown.len();
        } else if !json && line.contains(BEGIN) {
            hidden = Some(Hidden::Block);
            shown.push("[a credentials block: not shown here]".to_owned());
        } else if !json && line.contains(END) {
            if hidden.take().is_none() {
                shown.truncate(since_gap);
                shown.push("[the end of a credentials block: not shown here]".to_owned());
            }
        } else if hidden.is_some_and(|hidden| hidden.has(line)) {
            continue;
        } else if line.contains(PASSWORDS) {
            hidden = Some(Hidden::Passwords);
            shown.push("[passwords: not shown here]".to_owned());
        } else {
            hidden = None;
            if SECRET.iter().any(|part| line.contains(part)) || is_code(line) {
                shown.push("[a secret: not shown here]".to_owned());
            } else if !line.is_empty() {
                shown.push(line.chars().take(WIDTH).collect());
            }
        }
    }
    shown
}

/// What is not shown at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Block,
    Passwords,
}

impl Hidden {
    /// Whether a line goes on with it.
    fn has(self, line: &str) -> bool {
        match self {
            Self::Block => !KERNEL.iter().any(|text| line.contains(text)),
            // NAME:PASSWORD.
            Self::Passwords => {
                line.is_empty()
                    || line.split_once(':').is_some_and(|(_, rest)| !rest.is_empty() && !line.contains(' '))
            }
        }
    }
}

/// A line with a scratch code alone, as a block has them.
fn is_code(line: &str) -> bool {
    let line = line.trim();
    line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_and_secrets_are_left_out() {
        let console = format!(
            "one\r\n\x1b[1;31mtwo\x1b[0m\x07\r\n\r\n{BEGIN}\r\nYour new secret key is: ABC\r\n{END}\r\nthree\r\n"
        );
        let lines = last_lines(console.as_bytes(), 40);
        assert_eq!(lines, ["one", "two", "[a credentials block: not shown here]", "three"]);
        assert_eq!(last_lines(console.as_bytes(), 1), ["three"]);
        assert!(last_lines(b"", 40).is_empty());
    }

    #[test]
    fn halves_of_blocks_are_left_out_too() {
        let cut = format!("  secret lines\nURL\n{END}\nlogin:\n");
        assert_eq!(
            last_lines(cut.as_bytes(), 9),
            ["[the end of a credentials block: not shown here]", "login:"]
        );
        let open = format!("boot\n{BEGIN}\nsecret\nmore\n[    0.000000] Linux version 6\nnext\n");
        let lines = last_lines(open.as_bytes(), 9);
        assert!(!lines.iter().any(|line| line == "secret" || line == "more"), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "next");
        let gap = format!("{BEGIN}\nsecret\n{}secret 2\n{END}\nlast\n", String::from_utf8_lossy(MARK));
        let lines = last_lines(gap.as_bytes(), 9);
        assert!(!lines.iter().any(|line| line.starts_with("secret")), "{lines:?}");
        for line in ["x otpauth://totp/a?secret=B", "{\"hardtack\":1,\"users\":[]}", "  30116782"] {
            assert_eq!(last_lines(line.as_bytes(), 9), ["[a secret: not shown here]"]);
        }
        let passwords = "ci-info: x\nSet the following 'random' passwords\n\nann:geheim\nbob:x:y\nlogin:\n";
        assert_eq!(
            last_lines(passwords.as_bytes(), 9),
            ["ci-info: x", "[passwords: not shown here]", "login:"]
        );
    }
}
