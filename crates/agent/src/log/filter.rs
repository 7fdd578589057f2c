//! Marks of ours in what a script prints: found, and taken out.
//!
//! A mark is one line, `\x1e`, a random word and a few words more. The random word makes sure that it is ours.
//! The path of the copy that runs is replaced by the script's own, since shells put it before their messages.

use super::stream::Seen;

const FIRST: u8 = 0x1e;
/// No mark is longer; what is, is not one.
const LONGEST: usize = 128;

/// Looks for marks.
#[derive(Debug)]
pub(crate) struct Filter {
    /// The begin of every mark.
    mark: Vec<u8>,
    /// What is replaced, and by what.
    path: Option<(Vec<u8>, Vec<u8>)>,
    held: Vec<u8>,
}

/// What begins at a place.
enum Begin {
    /// A mark with so many bytes.
    Mark(usize),
    Path(usize),
    /// Perhaps one of them: more bytes tell.
    Open,
    Nothing,
}

impl Filter {
    /// Looks for marks with the word `nonce`.
    pub(crate) fn new(nonce: &str, path: Option<(String, String)>) -> Self {
        let mut mark = vec![FIRST];
        mark.extend_from_slice(nonce.as_bytes());
        mark.push(b' ');
        let path = path.map(|(from, to)| (from.into_bytes(), to.into_bytes()));
        Self { mark, path, held: Vec::new() }
    }

    /// Takes bytes apart.
    pub(super) fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Seen<'_>)) {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = &held[..];
        let mut plain = 0;
        while let Some(byte) = rest.get(plain) {
            let first_of_path = self.path.as_ref().and_then(|(from, _)| from.first());
            if *byte != FIRST && Some(byte) != first_of_path {
                plain += 1;
                continue;
            }
            let (before, from_here) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
            let begin = self.begin(from_here);
            if matches!(begin, Begin::Nothing) {
                plain += 1;
                continue;
            }
            if !before.is_empty() {
                give(Seen::Output(before));
            }
            plain = 0;
            rest = from_here;
            match begin {
                Begin::Mark(length) => {
                    let (mark, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                    let words = mark.get(self.mark.len()..).unwrap_or_default();
                    give(Seen::Mark(String::from_utf8_lossy(words).trim()));
                    rest = behind;
                }
                Begin::Path(length) => {
                    if let Some((_, to)) = &self.path {
                        give(Seen::Output(to));
                    }
                    rest = rest.get(length..).unwrap_or_default();
                }
                Begin::Open | Begin::Nothing => {
                    self.held = rest.to_vec();
                    return;
                }
            }
        }
        if !rest.is_empty() {
            give(Seen::Output(rest));
        }
    }

    fn begin(&self, bytes: &[u8]) -> Begin {
        if bytes.starts_with(&self.mark) {
            let length = bytes.iter().take(LONGEST).position(|byte| *byte == b'\n');
            return match length {
                Some(length) => Begin::Mark(length + 1),
                None if bytes.len() < LONGEST => Begin::Open,
                None => Begin::Nothing,
            };
        }
        if let Some((from, _)) = &self.path {
            if bytes.starts_with(from) {
                return Begin::Path(from.len());
            }
            if from.starts_with(bytes) {
                return Begin::Open;
            }
        }
        if self.mark.starts_with(bytes) { Begin::Open } else { Begin::Nothing }
    }

    /// What was held back, in case it would become a mark.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` in pieces of `size`; output, and marks in braces.
    fn feed(text: &str, size: usize) -> String {
        let path = Some(("/run/copy".to_owned(), "/the/script".to_owned()));
        let mut filter = Filter::new("n0", path);
        let mut all = String::new();
        for piece in text.as_bytes().chunks(size) {
            filter.feed(piece, &mut |seen| match seen {
                Seen::Output(bytes) => all.push_str(&String::from_utf8_lossy(bytes)),
                Seen::Mark(words) => all.push_str(&format!("{{{words}}}")),
            });
        }
        all + &String::from_utf8_lossy(&filter.rest())
    }

    #[test]
    fn marks_are_found_however_they_arrive() {
        let long = format!("\x1en0 {}", "x".repeat(200));
        for (text, expected) in [
            ("a\x1en0 1 0\nb\x1en0 2 127\n", "a{1 0}b{2 127}"),
            ("\x1e\x1en0 1 0\n\n", "\x1e{1 0}\n"),
            ("\x1en1 1 0\n", "\x1en1 1 0\n"),
            ("/run/copy: 2: x: not found\n/run/cop", "/the/script: 2: x: not found\n/run/cop"),
            ("//run/run/copy/run/", "//run/the/script/run/"),
            ("end\x1en0 1", "end\x1en0 1"),
            (&long, &long),
        ] {
            for size in 1..=text.len() {
                assert_eq!(feed(text, size), expected, "{size}");
            }
        }
    }
}
