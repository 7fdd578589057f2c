//! One kernel command line: which of its words go, change or come.
//!
//! Facts: `lib/cmdline.c` and `kernel/params.c` of the kernel: words are separated by blanks outside
//! double quotes, `-` and `_` are the same in a name, what follows `--` is init's, and of a
//! parameter that stands twice the last one counts.

use std::ops::Range;

use crate::Error;

/// Parameters that may stand several times, each time meaning something more.
const REPEATED: [&str; 4] = ["console", "earlycon", "ip", "nameserver"];
/// Of these, the part before the first comma says what is meant, the rest how.
const DEVICES: [&str; 2] = ["console", "earlycon"];

/// A parameter of the kernel's command line, as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    key: String,
    values: Vec<Option<String>>,
    /// Other values of the key may stay.
    beside: bool,
}

impl From<&str> for Word {
    /// `key=value` or `key`. It takes the place of other values of the key, unless the key may stand
    /// several times, as `console=` may: then it stands beside them.
    fn from(text: &str) -> Self {
        let (key, value) = split(text);
        let beside = REPEATED.contains(&key);
        Self { key: key.to_owned(), values: vec![value.map(str::to_owned)], beside }
    }
}

impl Word {
    /// The key with these values only, in this order: of several `console=` the last one is
    /// /dev/console.
    #[must_use]
    pub fn only(key: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| Some((*value).to_owned())).collect();
        Self { key: key.to_owned(), values, beside: false }
    }

    /// The words as they stand on the command line.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |value: &Option<String>| match value {
            Some(value) => format!("{}={value}", self.key),
            None => self.key.clone(),
        };
        self.values.iter().map(text).collect()
    }

    /// Patterns of a shell's `case` for the words that this one takes the place of.
    pub(crate) fn patterns(&self) -> Vec<String> {
        let key = self.key.replace(['-', '_'], "[_-]");
        if self.beside {
            return self
                .texts()
                .iter()
                .flat_map(|text| {
                    let text = text.split(',').next().unwrap_or(text).replacen(&self.key, &key, 1);
                    [format!("{text},*"), text]
                })
                .collect();
        }
        vec![format!("{key}=*"), key]
    }

    /// Letters that mean nothing to any of the languages that command lines are written in.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let plain = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.,:/@%+~^-=".contains(&byte))
        };
        if !self.key.is_empty()
            && !self.key.contains('=')
            && plain(&self.key)
            && self.values.iter().flatten().all(|value| plain(value))
        {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "{:?} cannot be a word of the kernel's command line here: letters, digits and _.,:/@%+~^-= only",
            self.texts().join(" ")
        )))
    }

    fn has_key(&self, word: &str) -> bool {
        same_key(split(word).0, &self.key)
    }
}

/// What a command line shall have, and what it shall not.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) add: &'a [Word],
    pub(crate) remove: &'a [Word],
}

/// What happens to one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Remove(usize),
    Replace(usize, String),
    Append(String),
}

fn split(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (word, None),
    }
}

fn same_key(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).all(|(one, other)| {
            let plain = |byte| if byte == b'-' { b'_' } else { byte };
            plain(one) == plain(other)
        })
}

/// The same parameter with the same value: `a-b="c"` is `a_b=c`.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.replace('"', ""), other.replace('"', ""));
    let ((one, first), (other, second)) = (split(&one), split(&other));
    same_key(one, other) && first == second
}

impl Wanted<'_> {
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.add.iter().chain(self.remove).try_for_each(Word::check)
    }

    fn removes(&self, word: &str) -> bool {
        self.remove.iter().any(|gone| {
            gone.has_key(word)
                && (gone.values.is_empty()
                    || gone.values.iter().any(Option::is_none)
                    || gone.texts().iter().any(|text| same(text, word)))
        })
    }

    /// What has to be done to a line of these words. Without `grow`, words that are not there at all
    /// are not added.
    pub(crate) fn changes(&self, words: &[&str], grow: bool) -> Vec<Change> {
        let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
        let words = &words[..end];
        let mut changes = Vec::new();
        let mut touched = vec![false; words.len()];
        for wanted in self.add {
            let texts = wanted.texts();
            if wanted.beside {
                for text in texts {
                    if words.iter().any(|word| same(word, &text)) {
                        touched
                            .iter_mut()
                            .zip(words)
                            .for_each(|(touched, word)| *touched |= same(word, &text));
                        continue;
                    }
                    let slot = words
                        .iter()
                        .zip(&touched)
                        .position(|(word, touched)| !touched && same_device(word, &text));
                    match slot {
                        Some(index) => {
                            touched[index] = true;
                            changes.push(Change::Replace(index, text));
                        }
                        None if grow => changes.push(Change::Append(text)),
                        None => {}
                    }
                }
                continue;
            }
            let mine: Vec<usize> = (0..words.len()).filter(|index| wanted.has_key(words[*index])).collect();
            if !grow && mine.is_empty() {
                continue;
            }
            for index in &mine {
                touched[*index] = true;
            }
            for (nth, text) in texts.iter().enumerate() {
                match mine.get(nth) {
                    Some(index) if same(words[*index], text) => {}
                    Some(index) => changes.push(Change::Replace(*index, text.clone())),
                    None => changes.push(Change::Append(text.clone())),
                }
            }
            changes.extend(mine.iter().skip(texts.len()).map(|index| Change::Remove(*index)));
        }
        for (index, word) in words.iter().enumerate() {
            if !touched[index] && self.removes(word) {
                changes.push(Change::Remove(index));
            }
        }
        changes
    }

    /// The line `text` with its words as they shall be; the blanks between those that stay are kept.
    pub(crate) fn line(&self, text: &str, grow: bool) -> String {
        let spans = spans(text);
        let words: Vec<&str> = spans.iter().map(|span| &text[span.clone()]).collect();
        let changes = self.changes(&words, grow);
        let start = text.len() - text.trim_start().len();
        let new = patch(text, edits(text, start, &spans, &words, changes));
        if start == 0 { new.trim_start().to_owned() } else { new }
    }
}

fn same_device(one: &str, other: &str) -> bool {
    let ((key, first), (other, second)) = (split(one), split(other));
    let device = |value: Option<&str>| value.and_then(|value| value.split(',').next().map(str::to_owned));
    same_key(key, other) && DEVICES.contains(&key) && device(first) == device(second)
}

/// Where the words of a plain command line are.
pub(crate) fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = None;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        }
        if c.is_ascii_whitespace() && !quoted {
            spans.extend(start.take().map(|start| start..at));
        } else {
            start.get_or_insert(at);
        }
    }
    spans.extend(start.map(|start| start..text.len()));
    spans
}

/// A piece of text and what takes its place.
pub(crate) type Edit = (Range<usize>, String);

/// What `changes` of the words at `spans` means for the text; `start` is where the first word of an
/// empty line would stand.
pub(crate) fn edits(
    text: &str,
    start: usize,
    spans: &[Range<usize>],
    words: &[&str],
    changes: Vec<Change>,
) -> Vec<Edit> {
    let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
    let at = end.checked_sub(1).and_then(|last| spans.get(last)).map_or(start, |span| span.end);
    let mut edits = Vec::new();
    let mut tail = String::new();
    for change in changes {
        match change {
            Change::Remove(index) => {
                let span = spans[index].clone();
                let before = match index.checked_sub(1).and_then(|before| spans.get(before)) {
                    Some(before) => before.end,
                    None => start.min(span.start),
                };
                // An escaped blank is the end of the word before.
                let blanks = text[..span.start].trim_end_matches([' ', '\t']).len().max(before);
                if blanks == 0 {
                    // The first word of a text takes the blanks behind it along.
                    let rest = &text[span.end..];
                    let after = rest.len() - rest.trim_start_matches([' ', '\t']).len();
                    edits.push((span.start..span.end + after, String::new()));
                } else {
                    edits.push((blanks..span.end, String::new()));
                }
            }
            Change::Replace(index, word) => edits.push((spans[index].clone(), word)),
            Change::Append(word) => {
                if at > 0 && !text[..at].ends_with([' ', '\t']) || !tail.is_empty() {
                    tail.push(' ');
                }
                tail.push_str(&word);
            }
        }
    }
    if !tail.is_empty() {
        if text[at..].starts_with(|c: char| !c.is_whitespace() && c != ';') {
            tail.push(' ');
        }
        edits.push((at..at, tail));
    }
    edits
}

/// The text with its edits, which do not overlap.
pub(crate) fn patch(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::new();
    let mut at = 0;
    for (range, new) in edits {
        // A removed word may have taken blanks that another edit ends at.
        let start = range.start.max(at);
        out.push_str(&text[at..start]);
        out.push_str(&new);
        at = range.end.max(start);
    }
    out.push_str(&text[at..]);
    out
}
