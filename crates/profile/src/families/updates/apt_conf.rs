//! apt.conf(5): all files, as APT reads them.

use hardtack_guest::Stage;

use crate::Error;
use crate::merged::{Assignment, names, text};

const PARTS: &str = "/etc/apt/apt.conf.d";
const MAIN: &str = "/etc/apt/apt.conf";
/// Blocks in blocks.
const DEPTH: usize = 32;

/// What is set, in the order read; names with `::` between their parts, in lower case.
pub(super) struct AptConf(Vec<(String, Assignment)>);

impl AptConf {
    pub(super) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut conf = Self(Vec::new());
        for name in names(stage, PARTS)?.into_iter().filter(|name| is_read(name)) {
            let path = format!("{PARTS}/{name}");
            if let Some(text) = text(stage, &path) {
                conf.add(&path, &text);
            }
        }
        // The main file has the last word: APT_CONFIG comes before, parts first (pkgInitConfig).
        if let Some(text) = text(stage, MAIN) {
            conf.add(MAIN, &text);
        }
        Ok(conf)
    }

    /// What is in force.
    pub(super) fn get(&self, name: &str) -> Option<&Assignment> {
        let last = self.0.iter().rev().find(|(there, _)| there.eq_ignore_ascii_case(name));
        last.map(|(_, assignment)| assignment).filter(|assignment| !assignment.value.is_empty())
    }

    /// Names that end with these parts, and are set: each with what is in force.
    pub(super) fn ending(&self, end: &str) -> Vec<(&str, &Assignment)> {
        let end = end.to_ascii_lowercase();
        let mut found: Vec<(&str, &Assignment)> = Vec::new();
        for (name, _) in &self.0 {
            let fits = *name == end || name.ends_with(&format!("::{end}"));
            if fits
                && !found.iter().any(|(there, _)| there == name)
                && let Some(value) = self.get(name)
            {
                found.push((name, value));
            }
        }
        found
    }

    fn add(&mut self, path: &str, text: &str) {
        let mut blocks: Vec<String> = Vec::new();
        // Words of the statement that is read, and where its first one is.
        let mut words: Vec<String> = Vec::new();
        let mut at = 0;
        for (line, token) in tokens(text) {
            match token {
                Token::Word(word) => {
                    if words.is_empty() {
                        at = line;
                    }
                    words.push(word);
                }
                Token::Open => {
                    if blocks.len() < DEPTH {
                        blocks.push(words.first().cloned().unwrap_or_default());
                    }
                    words.clear();
                }
                Token::Close | Token::End => {
                    self.statement(path, at, &blocks, &words);
                    words.clear();
                    if token == Token::Close {
                        blocks.pop();
                    }
                }
            }
        }
    }

    fn statement(&mut self, path: &str, line: usize, blocks: &[String], words: &[String]) {
        let Some(first) = words.first() else { return };
        if first == "#clear" {
            for name in &words[1..] {
                let name = name.to_ascii_lowercase();
                let below = format!("{name}::");
                self.0.retain(|(there, _)| *there != name && !there.starts_with(&below));
            }
            return;
        }
        let name = blocks.iter().chain([first]).map(String::as_str).collect::<Vec<_>>().join("::");
        let value = words.get(1).cloned().unwrap_or_default();
        let assignment = Assignment { value, path: path.to_owned(), line };
        self.0.push((name.to_ascii_lowercase(), assignment));
    }
}

/// Words that `StringToBool` of APT takes for yes; a number, for any but 0.
pub(super) fn is_yes(value: &str) -> bool {
    value.parse::<i64>().map_or_else(
        |_| ["yes", "true", "with", "on", "enable"].iter().any(|word| value.eq_ignore_ascii_case(word)),
        |number| number != 0,
    )
}

/// Files of the directory that APT takes: `GetListOfFilesInDir`.
fn is_read(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    plain && !name.starts_with('.') && extension.is_none_or(|extension| extension == "conf")
}

#[derive(PartialEq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// Words, brackets and semicolons with their lines; comments are `//`, `/* */`, and `#` but for `#clear`.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut found = Vec::new();
    let mut comment = false;
    for (index, mut rest) in text.lines().enumerate() {
        let number = index + 1;
        loop {
            if comment {
                let Some((_, behind)) = rest.split_once("*/") else { break };
                (rest, comment) = (behind, false);
            }
            rest = rest.trim_start();
            let Some(first) = rest.chars().next() else { break };
            if rest.starts_with("//") || first == '#' && !rest.starts_with("#clear") {
                break;
            }
            if let Some(behind) = rest.strip_prefix("/*") {
                (rest, comment) = (behind, true);
                continue;
            }
            let length = match first {
                '{' | '}' | ';' => {
                    let token = match first {
                        '{' => Token::Open,
                        '}' => Token::Close,
                        _ => Token::End,
                    };
                    found.push((number, token));
                    1
                }
                '"' => {
                    let inside = rest[1..].split('"').next().unwrap_or_default();
                    found.push((number, Token::Word(inside.to_owned())));
                    (inside.len() + 2).min(rest.len())
                }
                _ => {
                    let word = rest.split([' ', '\t', '{', '}', ';', '"']).next().unwrap_or(rest);
                    found.push((number, Token::Word(word.to_owned())));
                    word.len()
                }
            };
            rest = &rest[length..];
        }
    }
    // A last statement without its semicolon counts as well.
    found.push((0, Token::End));
    found
}
