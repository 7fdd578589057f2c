//! Control files: stanzas of `Field: value` (deb822, `deb-control(5)`).

use crate::Error;

/// One stanza; the fields stand in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stanza {
    fields: Vec<(String, String)>,
}

impl Stanza {
    /// Reads one stanza. `origin` names the file in messages, `first_line` the number of the
    /// stanza's first line in it. A value keeps its continuation lines, with their leading
    /// blanks, and loses blanks at both ends, as in dpkg.
    pub fn parse(text: &str, origin: &str, first_line: usize) -> Result<Self, Error> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: &str| Error::Refused(format!("{origin}:{}: {what}", first_line + index));
            if line.starts_with('#') {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                let (_, value) =
                    fields.last_mut().ok_or_else(|| wrong("a continuation line without a field"))?;
                value.push('\n');
                value.push_str(line);
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| wrong("a line without a colon"))?;
            let name = name.trim_end();
            if name.is_empty()
                || name.bytes().any(|byte| byte <= b' ' || byte >= 127)
                || name.starts_with('-')
            {
                return Err(wrong("a field name that dpkg does not take"));
            }
            if fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                return Err(wrong(&format!("the field {name} for the second time")));
            }
            fields.push((name.to_owned(), value.trim_start().to_owned()));
        }
        for (_, value) in &mut fields {
            value.truncate(value.trim_end().len());
        }
        Ok(Self { fields })
    }

    /// The value of a field; names are compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The stanzas of a file as byte ranges, each with the number of its first line. Stanzas are
/// divided by lines that are empty or blank.
#[must_use]
pub fn split(content: &[u8]) -> Vec<(usize, &[u8])> {
    let mut stanzas = Vec::new();
    let (mut start, mut at, mut first_line) = (0, 0, 1);
    for (index, line) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let end = at + line.len();
        if line.iter().all(u8::is_ascii_whitespace) {
            if at > start {
                stanzas.push((first_line, &content[start..at]));
            }
            (start, first_line) = (end, index + 2);
        }
        at = end;
    }
    if at > start {
        stanzas.push((first_line, &content[start..at]));
    }
    stanzas
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_a_stanza() {
        let stanza =
            Stanza::parse("Package: a\nEmpty:\nDescription: short \n long\n .\n  more\n", "x", 1).unwrap();
        assert_eq!(stanza.get("package"), Some("a"));
        assert_eq!(stanza.get("Empty"), Some(""));
        assert_eq!(stanza.get("Description"), Some("short \n long\n .\n  more"));
        assert_eq!(stanza.get("Version"), None);
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        for (text, wanted) in [
            (" x\n", "status:7: a continuation line"),
            ("A: b\nfoo\n", "status:8: a line without a colon"),
            ("A: b\na: c\n", "status:8: the field a for the second time"),
            ("A b: c\n", "status:7: a field name"),
        ] {
            let error = Stanza::parse(text, "status", 7).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }

    #[test]
    fn splits_at_blank_lines() {
        let found = split(b"\nA: 1\nB: 2\n\n \nC: 3");
        assert_eq!(found, [(2, &b"A: 1\nB: 2\n"[..]), (6, &b"C: 3"[..])]);
        assert!(split(b"\n\n").is_empty());
    }
}
