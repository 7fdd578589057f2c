//! Secrets taken out of sentences, which may quote what they are about.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::secrets;
use crate::value::Map;

/// What stands in a text instead of a secret.
pub const REDACTED: &str = "<redacted>";

/// A shorter secret would leave nothing readable, and show by that what it is.
const SHORTEST: usize = 3;
/// A shorter one is only replaced where it stands as a word of its own.
const ANYWHERE: usize = 5;
/// Words that stand for a secret and are none (`chpasswd`).
const NONE: &[&str] = &["RANDOM", "true", "false", "null", "None"];

/// Finds the secrets of a configuration in texts. Time and memory grow with what the secrets and the
/// text hold, whatever that is.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// By their first three bytes, the longest first.
    secrets: HashMap<[u8; SHORTEST], Vec<String>>,
}

impl Redactor {
    /// For the secrets of these configurations.
    #[must_use]
    pub fn new(configs: &[&Map]) -> Self {
        let mut redactor = Self::default();
        for config in configs {
            for secret in secrets::values(config) {
                redactor.add(secret);
            }
        }
        for group in redactor.secrets.values_mut() {
            group.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
            group.dedup();
        }
        redactor
    }

    fn add(&mut self, secret: String) {
        let head = secret.as_bytes().first_chunk::<SHORTEST>().copied();
        if let Some(head) = head.filter(|_| !NONE.contains(&secret.as_str())) {
            self.secrets.entry(head).or_default().push(secret);
        }
    }

    /// `text` without the secrets, and without everything that looks like a hash of crypt(5).
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let hashes = secrets::masks_of_words(text);
        let mut hashes = hashes.iter().peekable();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            while hashes.next_if(|hash| hash.end <= at).is_some() {}
            let hash = hashes.peek().filter(|hash| hash.start == at).map(|hash| hash.len());
            let length = self.secret_at(text, at).into_iter().chain(hash).max();
            if let Some(length) = length.filter(|length| *length > 0) {
                out.push_str(REDACTED);
                at = at.saturating_add(length);
                continue;
            }
            let character = rest.chars().next().unwrap_or_default();
            out.push(character);
            at = at.saturating_add(character.len_utf8());
        }
        out
    }

    /// The same for text of which nobody knows what it is, a file's content or a script: what looks like a
    /// secret there is replaced too.
    #[must_use]
    pub fn content(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for mask in secrets::masks(text) {
            if mask.start >= at {
                out.push_str(&self.text(text.get(at..mask.start).unwrap_or_default()));
                out.push_str(REDACTED);
            }
            at = at.max(mask.end);
        }
        out.push_str(&self.text(text.get(at..).unwrap_or_default()));
        out
    }

    /// How long the secret is that begins at `at`, if one does.
    fn secret_at(&self, text: &str, at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let group = self.secrets.get(rest.as_bytes().first_chunk::<SHORTEST>()?)?;
        let is_word = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let found = group.iter().filter(|secret| rest.starts_with(secret.as_str())).find(|secret| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let behind = rest.get(secret.len()..).and_then(|behind| behind.chars().next());
            secret.len() >= ANYWHERE || !(is_word(before) || is_word(behind))
        })?;
        Some(found.len())
    }

    /// The same in every text of `json`; names of members stay.
    pub fn json(&self, json: &mut Json) {
        match json {
            Json::String(text) => *text = self.text(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Json::Object(members) => members.values_mut().for_each(|member| self.json(member)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::load::load_config;

    fn redactor(text: &str) -> Redactor {
        Redactor::new(&[&load_config(text, 0).unwrap().unwrap()])
    }

    #[test]
    fn secrets_and_hashes_are_replaced() {
        let redactor =
            redactor("password: geheim\nusers: [{passwd: abc}, {passwd: 'geheimer Satz'}, {passwd: a}]\n");
        for (text, wanted) in [
            ("it is `geheim`, and geheimnis", "it is `<redacted>`, and <redacted>nis"),
            ("the geheimer Satz", "the <redacted>"),
            ("abc is short: abcd", "<redacted> is short: abcd"),
            ("a stays", "a stays"),
            ("$6$salt$hash, and $HOME", "<redacted>, and $HOME"),
            ("ü geheim ü", "ü <redacted> ü"),
            ("", ""),
        ] {
            assert_eq!(redactor.text(text), wanted);
        }
        assert_eq!(Redactor::default().text("geheim"), "geheim");
        assert_eq!(
            redactor.content("a: 1\ntoken: x\nb: geheim\n"),
            "a: 1\ntoken: <redacted>\nb: <redacted>\n"
        );
        let mut json = serde_json::json!({"geheim": ["geheim", 1]});
        redactor.json(&mut json);
        assert_eq!(json, serde_json::json!({"geheim": ["<redacted>", 1]}));
    }

    #[test]
    fn many_secrets_take_little_time() {
        let mut text = "users:\n".to_owned();
        for number in 0..20_000 {
            text.push_str(&format!("- {{passwd: abc{number}}}\n"));
        }
        let redactor = redactor(&text);
        assert_eq!(redactor.text(&"abc".repeat(1000)), "abc".repeat(1000));
        assert_eq!(redactor.text("abc19999"), "<redacted>");
    }
}
