//! Which SELinux label a path has, by the policy in the image: `file_contexts` and the files beside it
//! (selabel_file(5); the order of the rules is that of libselinux' `label_file.c`).
//!
//! A rule is a regular expression for the whole path, perhaps a file type, and a label. Rules without
//! special characters come before all others; among equals the last one in the files counts. Before
//! that a path's beginning may be replaced (`file_contexts.subs`, then `.subs_dist`).

use std::cell::OnceCell;

use regex::{Regex, RegexBuilder};

use crate::{Error, FileType, GuestPath, Stage, Tree};

/// Where SELinux is configured.
const CONFIG: &str = "/etc/selinux/config";
/// The longest file of a policy that is read: a distribution's has 0.4 MB.
const LIMIT: u64 = 32 << 20;
/// What one rule may cost to compile, in bytes.
const RULE_LIMIT: usize = 8 << 20;

/// What an image says about SELinux.
#[derive(Debug)]
pub struct Policy {
    /// Its labels; `None` where the configuration names a policy that cannot be read.
    pub contexts: Option<FileContexts>,
    /// False when the configuration says "disabled".
    pub enabled: bool,
    /// True when the configuration says "enforcing".
    pub enforcing: bool,
    /// What was passed over, in sentences for people.
    pub notes: Vec<String>,
}

/// The labels that a policy gives to files.
#[derive(Debug, Default)]
pub struct FileContexts {
    rules: Vec<Rule>,
    /// Groups of (beginning, replacement): at most one of each group applies.
    substitutions: [Vec<(String, String)>; 2],
}

#[derive(Debug)]
struct Rule {
    /// What every path that can match begins with.
    prefix: String,
    /// The expression; `None`: the prefix is the whole path.
    expression: Option<String>,
    compiled: OnceCell<Option<Regex>>,
    /// The letter of the file type field; `None`: any type.
    kind: Option<u8>,
    /// `None`: `<<none>>`, such a path keeps what it has.
    label: Option<String>,
}

impl Policy {
    /// Reads the policy that `/etc/selinux/config` names; `None` when there is no such file.
    ///
    /// # Errors
    /// When the disk fails; a policy that is missing or damaged is no error.
    pub fn load(tree: &dyn Tree) -> Result<Option<Self>, Error> {
        Self::of_stage(&Stage::new(tree))
    }

    /// As [`load`](Self::load), with what is staged.
    ///
    /// # Errors
    /// See there.
    pub fn of_stage(stage: &Stage<'_>) -> Result<Option<Self>, Error> {
        let Some(config) = read(stage, CONFIG)? else { return Ok(None) };
        // The last line counts, and the keys' case does not.
        let value = |key: &str| {
            let mut values = config.lines().filter_map(|line| {
                let (found, value) = line.trim_start().split_once('=')?;
                found.eq_ignore_ascii_case(key).then_some(value)
            });
            values.next_back().map(|value| value.trim().to_owned())
        };
        let enabled = value("SELINUX").is_none_or(|mode| !mode.eq_ignore_ascii_case("disabled"));
        let enforcing = value("SELINUX").is_some_and(|mode| mode.eq_ignore_ascii_case("enforcing"));
        let kind =
            value("SELINUXTYPE").filter(|kind| !kind.is_empty()).unwrap_or_else(|| "targeted".to_owned());
        let mut policy = Self { contexts: None, enabled, enforcing, notes: Vec::new() };
        let base = format!("/etc/selinux/{kind}/contexts/files/file_contexts");
        let Some(text) = read(stage, &base)? else {
            policy.notes.push(format!("{CONFIG} names the policy {kind:?}, but {base} cannot be read"));
            return Ok(Some(policy));
        };
        let mut contexts = FileContexts::default();
        let mut bad = contexts.add(&text);
        for more in ["homedirs", "local"] {
            if let Some(text) = read(stage, &format!("{base}.{more}"))? {
                bad += contexts.add(&text);
            }
        }
        if bad > 0 {
            policy.notes.push(format!("{base}: {bad} lines are no rules; they are ignored"));
        }
        for (group, file) in ["subs", "subs_dist"].into_iter().enumerate() {
            if let Some(text) = read(stage, &format!("{base}.{file}"))? {
                contexts.substitutions[group] = substitutions(&text);
            }
        }
        contexts.sort();
        if contexts.rules.is_empty() {
            policy.notes.push(format!("{base} holds no rules"));
        } else {
            policy.contexts = Some(contexts);
        }
        Ok(Some(policy))
    }
}

/// A file's text; `None` when there is none that can be read, whatever the reason but a failing disk.
fn read(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    match stage.read_limited(path, LIMIT) {
        Ok(content) => Ok(content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(error @ Error::Disk(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Pairs of paths, the last line first: that is the order in which libselinux tries them.
fn substitutions(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        match (fields.next(), fields.next()) {
            (Some(from), Some(to)) if !from.starts_with('#') => Some((from.to_owned(), to.to_owned())),
            _ => None,
        }
    });
    let mut pairs: Vec<_> = pairs.collect();
    pairs.reverse();
    pairs
}

impl FileContexts {
    /// The rules of the policy that `/etc/selinux/config` names; `None` without one that can be read.
    ///
    /// # Errors
    /// See [`Policy::load`].
    pub fn load(tree: &dyn Tree) -> Result<Option<Self>, Error> {
        Ok(Policy::load(tree)?.and_then(|policy| policy.contexts))
    }

    /// As [`load`](Self::load), with what is staged.
    ///
    /// # Errors
    /// See [`Policy::load`].
    pub fn of_stage(stage: &Stage<'_>) -> Result<Option<Self>, Error> {
        Ok(Policy::of_stage(stage)?.and_then(|policy| policy.contexts))
    }

    /// The label of `path` if it is of type `kind`, without the zero byte that the attribute ends with;
    /// `None` when no rule names it or the rule says `<<none>>`.
    #[must_use]
    pub fn label(&self, path: &GuestPath, kind: FileType) -> Option<String> {
        let key = self.substituted(path.as_str());
        let letter = match kind {
            FileType::Regular => Some(b'-'),
            FileType::Directory => Some(b'd'),
            FileType::Symlink => Some(b'l'),
            // Which one is not known here: only rules for all types say something.
            FileType::Special => None,
        };
        let rule = self
            .rules
            .iter()
            .rev()
            .find(|rule| rule.kind.is_none_or(|wanted| Some(wanted) == letter) && rule.matches(&key));
        rule.and_then(|rule| rule.label.clone())
    }

    /// The path with its beginning replaced: by the administrator's list, and what comes of that by the
    /// distribution's.
    fn substituted(&self, path: &str) -> String {
        self.substitutions.iter().fold(path.to_owned(), |path, list| {
            let found = list.iter().find_map(|(from, to)| {
                let rest = path.strip_prefix(from.as_str())?;
                let rest = if to == "/" { rest.strip_prefix('/').unwrap_or(rest) } else { rest };
                (path.len() == from.len() || path[from.len()..].starts_with('/'))
                    .then(|| format!("{to}{rest}"))
            });
            found.unwrap_or(path)
        })
    }

    /// Adds the rules of one file; answers how many lines are none.
    fn add(&mut self, text: &str) -> usize {
        let mut bad = 0;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match Rule::parse(line) {
                Some(rule) => self.rules.push(rule),
                None => bad += 1,
            }
        }
        bad
    }

    /// Rules without special characters last, where they are found first; the order stays otherwise.
    fn sort(&mut self) {
        self.rules.sort_by_key(|rule| rule.expression.is_none());
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (expression, kind, label) = match fields.as_slice() {
            [expression, label] => (*expression, None, *label),
            [expression, kind, label] => {
                let letter = kind.strip_prefix('-').filter(|letter| letter.len() == 1)?;
                (*expression, Some(letter.as_bytes()[0]).filter(|letter| b"-bcdlps".contains(letter)), *label)
            }
            _ => return None,
        };
        if fields.len() == 3 && kind.is_none() {
            return None;
        }
        let (prefix, whole) = literal(expression);
        Some(Self {
            prefix,
            expression: (!whole).then(|| expression.to_owned()),
            compiled: OnceCell::new(),
            kind,
            label: (label != "<<none>>").then(|| label.to_owned()),
        })
    }

    fn matches(&self, path: &str) -> bool {
        let Some(expression) = &self.expression else { return path == self.prefix };
        if !path.starts_with(&self.prefix) {
            return false;
        }
        // Thousands of rules, and a handful is ever asked.
        let compiled = self.compiled.get_or_init(|| {
            // Without a group: a choice outside all groups is left open at one end, there as here.
            RegexBuilder::new(&format!("^{expression}$"))
                .dot_matches_new_line(true)
                .size_limit(RULE_LIMIT)
                .build()
                .ok()
        });
        compiled.as_ref().is_some_and(|compiled| compiled.is_match(path))
    }
}

/// What every match of `expression` begins with, and whether that is all of it.
fn literal(expression: &str) -> (String, bool) {
    let mut prefix = String::new();
    let mut characters = expression.chars().peekable();
    let mut alternatives = 0_u32;
    // A choice outside all groups is one between whole paths.
    let mut escaped = false;
    for character in expression.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' | '[' => alternatives += 1,
            ')' | ']' => alternatives = alternatives.saturating_sub(1),
            '|' if alternatives == 0 => return (String::new(), false),
            _ => {}
        }
    }
    while let Some(character) = characters.next() {
        let plain = match character {
            '\\' => match characters.next() {
                Some(next) if !next.is_alphanumeric() => next,
                // A class of characters.
                _ => return (prefix, false),
            },
            '.' | '^' | '$' | '?' | '*' | '+' | '|' | '[' | '(' | '{' => return (prefix, false),
            plain => plain,
        };
        // The character before one of these need not be there.
        if matches!(characters.peek(), Some('?' | '*' | '{')) {
            return (prefix, false);
        }
        prefix.push(plain);
    }
    (prefix, true)
}

#[cfg(test)]
mod tests;
