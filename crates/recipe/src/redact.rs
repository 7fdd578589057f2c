//! Secrets, taken out of whatever is shown.

use regex::{NoExpand, Regex, RegexBuilder};

use crate::REDACTED;

/// Replaces the given secrets, and whatever looks like a password hash, by `<redacted>`.
#[must_use]
pub fn redact(text: &str, secrets: &[String]) -> String {
    Redactor::new(secrets).apply(text)
}

/// Finds secrets in one go, so that none is looked for inside of `<redacted>` itself.
pub(crate) struct Redactor {
    pattern: Option<Regex>,
}

impl Redactor {
    /// A shorter secret is replaced where it stands as a word of its own: one of a single letter
    /// would leave nothing readable, and show by that which letter it is.
    const SHORT: usize = 4;
    /// Memory for the secrets of one recipe, in bytes.
    const LIMIT: usize = 256 << 20;

    pub(crate) fn new(secrets: &[String]) -> Self {
        let lines = secrets.iter().flat_map(|secret| secret.lines()).filter(|line| line.len() >= Self::SHORT);
        let mut needles: Vec<&str> = secrets.iter().map(String::as_str).chain(lines).collect();
        needles.retain(|needle| !needle.is_empty());
        // A secret may be part of a longer one, and the first that fits is taken.
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        if needles.is_empty() {
            return Self { pattern: None };
        }
        let alternatives: Vec<String> = needles.into_iter().map(alternative).collect();
        let pattern = RegexBuilder::new(&alternatives.join("|")).size_limit(Self::LIMIT).build();
        // Too many secrets to look for: then nothing of the text is shown.
        Self { pattern: Some(pattern.unwrap_or_else(|_| everything())) }
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        match &self.pattern {
            None => redact_hashes(text),
            Some(pattern) => redact_hashes(&pattern.replace_all(text, NoExpand(REDACTED))),
        }
    }
}

fn alternative(needle: &str) -> String {
    let word = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let escaped = regex::escape(needle);
    if needle.len() >= Redactor::SHORT {
        return escaped;
    }
    let start = if word(needle.chars().next()) { "\\b" } else { "" };
    let end = if word(needle.chars().next_back()) { "\\b" } else { "" };
    format!("{start}{escaped}{end}")
}

#[allow(clippy::unwrap_used)]
fn everything() -> Regex {
    // A constant that a test below compiles.
    Regex::new("(?s).+").unwrap()
}

/// crypt(5): `$id$…` up to the end of the field.
fn redact_hashes(text: &str) -> String {
    const SCHEMES: [&str; 10] = ["$1$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$2a$", "$2b$", "$2y$", "$sha1$"];
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, candidate) = rest.split_at(start);
        shown.push_str(before);
        let end = candidate
            .find(|c: char| !(c.is_ascii_alphanumeric() || "$./=,+-".contains(c)))
            .unwrap_or(candidate.len());
        let (field, after) = candidate.split_at(end);
        let is_hash =
            SCHEMES.iter().any(|scheme| field.starts_with(scheme) && field.len() > scheme.len() + 8);
        if is_hash {
            shown.push_str(REDACTED);
            rest = after;
        } else {
            shown.push('$');
            rest = &candidate[1..];
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ones_are_words_and_none_is_looked_for_in_the_mark() {
        let secrets = ["redacted".to_owned(), "long one".to_owned(), "a".to_owned()];
        assert_eq!(redact("long one, a, redacted", &secrets), "<redacted>, <redacted>, <redacted>");
        assert_eq!(everything().replace_all("any\nthing", "x"), "x");
    }

    #[test]
    fn money_is_not_a_hash() {
        assert_eq!(redact("costs $5$ or $600, $PATH and $6$x", &[]), "costs $5$ or $600, $PATH and $6$x");
        assert_eq!(redact("a:$y$j9T$abcdefghijk$lmnop:b", &[]), "a:<redacted>:b");
    }
}
