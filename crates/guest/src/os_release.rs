//! `/etc/os-release`: which system this is (os-release(5)).
//!
//! The file is a list of shell assignments without expansion: a value is plain, or quoted with
//! `'` or `"`, and a backslash takes the next character literally. Lines that are not assignments
//! are ignored, as systemd does.

use crate::{Error, Tree};
use crate::{GuestPath, Stage};

/// No os-release is longer; a longer file is not read.
const LIMIT: u64 = 64 * 1024;

/// Which system a guest is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease {
    fields: Vec<(String, String)>,
}

impl OsRelease {
    /// Parses the text of an os-release file. Never fails: what is not understood is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            let Some((name, value)) = line.split_once('=') else { continue };
            let named = !name.is_empty()
                && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
                && !name.starts_with(|first: char| first.is_ascii_digit());
            if !named {
                continue;
            }
            // The last assignment counts, as in a shell.
            fields.retain(|(known, _)| known != name);
            fields.push((name.to_owned(), unquote(value)));
        }
        Self { fields }
    }

    /// Reads it from a guest, links followed; `/usr/lib/os-release` when `/etc` has none. `None`
    /// when there is neither.
    ///
    /// # Errors
    /// When the file system is damaged.
    pub fn read(tree: &dyn Tree) -> Result<Option<Self>, Error> {
        let stage = Stage::new(tree);
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            match stage.read_limited(path, LIMIT) {
                Ok(Some(bytes)) => return Ok(Some(Self::parse(&String::from_utf8_lossy(&bytes)))),
                Ok(None) | Err(Error::LinkLoop { .. } | Error::WrongType { .. } | Error::TooLarge { .. }) => {
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// True when `tree` has the file or a link of its name, whatever it points to: on a root whose
    /// `/usr` is another partition the link dangles.
    pub(crate) fn is_named_in(tree: &dyn Tree) -> Result<bool, Error> {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            if tree.lstat(&GuestPath::new(path))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The value of a field, if the file has it and it is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// `ID`, "linux" when it is missing: "debian", "ubuntu".
    #[must_use]
    pub fn id(&self) -> &str {
        self.get("ID").unwrap_or("linux")
    }

    /// `ID_LIKE`: related systems, the closest first.
    pub fn id_like(&self) -> impl Iterator<Item = &str> {
        self.get("ID_LIKE").unwrap_or_default().split_ascii_whitespace()
    }

    /// `VERSION_ID`: "12", "24.04"; rolling systems have none.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.get("VERSION_ID")
    }

    /// `PRETTY_NAME`, or the id and version, for people.
    #[must_use]
    pub fn pretty_name(&self) -> String {
        match (self.get("PRETTY_NAME"), self.version_id()) {
            (Some(name), _) => name.to_owned(),
            (None, Some(version)) => format!("{} {version}", self.id()),
            (None, None) => self.id().to_owned(),
        }
    }
}

/// The value of a shell assignment: quoted parts joined, backslashes taken, up to the first blank
/// outside quotes.
fn unquote(value: &str) -> String {
    let mut text = String::new();
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None | Some('"'), '\\') => text.extend(characters.next()),
            (None, ' ' | '\t') => break,
            (_, other) => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::MemoryTree;

    #[test]
    fn values_are_shell_words_without_expansion() {
        for (line, wanted) in [
            ("ID=debian", "debian"),
            ("ID=\"debian\"", "debian"),
            ("ID='de bian'", "de bian"),
            ("ID=\"a\\\"b\\$c\\`d\\\\e\"", "a\"b$c`d\\e"),
            ("ID='a\\b'", "a\\b"),
            ("ID=a\"b c\"'d'", "ab cd"),
            ("ID=debian # comment", "debian"),
            ("  ID=debian  ", "debian"),
            ("ID=ubuntu\nID=debian", "debian"),
            ("ID=\"open", "open"),
            ("ID=\\", "linux"),
            ("ID=", "linux"),
            ("#ID=x", "linux"),
            ("not an assignment\n=x\n9ID=x", "linux"),
        ] {
            assert_eq!(OsRelease::parse(line).id(), wanted, "{line:?}");
        }
    }

    #[test]
    fn reads_through_links_and_from_usr() {
        let text =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\nID_LIKE=\"a b\"\n";
        let linked = MemoryTree::new()
            .file("/usr/lib/os-release", text)
            .link("/etc/os-release", "../usr/lib/os-release");
        let bare = MemoryTree::new().file("/usr/lib/os-release", text);
        for tree in [linked, bare] {
            let found = OsRelease::read(&tree).unwrap().unwrap();
            assert_eq!((found.id(), found.version_id()), ("debian", Some("12")));
            assert_eq!(found.pretty_name(), "Debian GNU/Linux 12 (bookworm)");
            assert_eq!(found.id_like().collect::<Vec<_>>(), ["a", "b"]);
            assert!(OsRelease::is_named_in(&tree).unwrap());
        }
        let dangling = MemoryTree::new().link("/etc/os-release", "/usr/lib/os-release");
        assert_eq!(OsRelease::read(&dangling).unwrap(), None);
        assert!(OsRelease::is_named_in(&dangling).unwrap());
        assert_eq!(OsRelease::read(&MemoryTree::new().link("/etc/os-release", "os-release")).unwrap(), None);
        assert_eq!(OsRelease::parse("ID=arch").pretty_name(), "arch");
    }
}
