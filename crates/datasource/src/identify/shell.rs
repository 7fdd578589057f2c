//! What a POSIX shell does with text, where ds-identify's verdict depends on it.

use hardtack_modules::Machine;

/// `read variable < file`: the first line without blanks around it, backslashes undone. False where no line
/// break ends it, which ds-identify takes for a failure.
pub(super) fn read(bytes: &[u8]) -> (String, bool) {
    let (line, ended, _) = read_line(bytes);
    (line, ended)
}

/// All lines that `while read line` sees: one without a line break at the end is not among them.
pub(super) fn lines(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    loop {
        let (line, ended, used) = read_line(rest);
        if !ended {
            return lines;
        }
        lines.push(line);
        rest = rest.get(used..).unwrap_or_default();
    }
}

/// The line, whether a line break ended it, and how many bytes it took.
fn read_line(bytes: &[u8]) -> (String, bool, usize) {
    let mut line = Vec::new();
    // Blanks behind this byte are not part of the value; escaped ones are.
    let mut keep = 0;
    let mut escaped = false;
    let mut used = 0;
    let mut ended = false;
    for byte in bytes {
        used += 1;
        match (byte, escaped) {
            (0, _) => {}
            (b'\n', true) => escaped = false,
            (b'\n', false) => {
                ended = true;
                break;
            }
            (b'\\', false) => escaped = true,
            (b' ' | b'\t', false) => {
                if !line.is_empty() {
                    line.push(*byte);
                }
            }
            _ => {
                line.push(*byte);
                keep = line.len();
                escaped = false;
            }
        }
    }
    line.truncate(keep);
    (String::from_utf8_lossy(&line).into_owned(), ended, used)
}

/// `trim`: all white space off both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}'])
}

/// `unquote`: one pair of quotes off.
pub(super) fn unquote(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

/// The words of an unquoted variable.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\n']).filter(|word| !word.is_empty())
}

/// The fields of an unquoted variable under `IFS=,`: an empty one at the end is none.
pub(super) fn fields(text: &str) -> Vec<&str> {
    let mut fields: Vec<&str> = text.split(',').collect();
    if fields.last().is_some_and(|last| last.is_empty()) {
        fields.pop();
    }
    fields
}

/// `[ -f path ]`.
pub(super) fn is_file(machine: &dyn Machine, path: &str) -> bool {
    machine.exists(path) && machine.read(path).is_some()
}

/// `[ -d path ]`.
pub(super) fn is_directory(machine: &dyn Machine, path: &str) -> bool {
    machine.exists(path) && machine.read(path).is_none()
}

#[cfg(test)]
mod tests {
    use super::{fields, lines, read, trim, unquote};

    #[test]
    fn a_line_as_dash_reads_it() {
        for (text, wanted) in [
            ("  a b \t\nrest\n", ("a b", true)),
            ("a", ("a", false)),
            ("", ("", false)),
            ("\n", ("", true)),
            ("a\\ \\\\\\b\n", ("a \\b", true)),
            ("a\\\nb\nc", ("ab", true)),
            ("a\0b\n", ("ab", true)),
        ] {
            assert_eq!(read(text.as_bytes()), (wanted.0.to_owned(), wanted.1), "{text:?}");
        }
        assert_eq!(lines(b" a\n\nb \nlost"), ["a", "", "b"]);
    }

    #[test]
    fn words_without_their_wrapping() {
        assert_eq!(trim(" \ta b\r\n"), "a b");
        for (text, wanted) in [("'a'", "a"), ("\"a\"", "a"), ("'a\"", "'a\""), ("'", "'"), ("''", "")] {
            assert_eq!(unquote(text), wanted, "{text:?}");
        }
        assert_eq!(fields("a,,b,"), ["a", "", "b"]);
        assert!(fields("").is_empty());
    }
}
