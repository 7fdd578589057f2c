//! Secrets taken out of sentences, which may quote what they are about.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::value::Map;
use crate::{content_secrets, secrets};

/// What stands in a text instead of a secret.
pub const REDACTED: &str = "<redacted>";

/// A shorter secret would leave nothing readable, and show by that what it is.
const SHORTEST: usize = 3;
/// A shorter one is only replaced where it stands as a word of its own.
const ANYWHERE: usize = 5;
/// So many bytes tell a longer secret: text that begins with them is covered as far as it goes on like it.
/// Otherwise a secret as long as the text would be compared at every byte of it.
const TELLING: usize = 64;
/// Words that stand for a secret and are none (`chpasswd`).
const NONE: &[&str] = &["RANDOM", "true", "false", "null", "None"];

/// Finds the secrets of a configuration in texts. Time and memory grow with what the secrets and the
/// text hold, whatever that is.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// By their first three bytes, in order.
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
            group.sort_unstable();
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
        for mask in content_secrets::masks(text) {
            if mask.start >= at {
                out.push_str(&self.text(text.get(at..mask.start).unwrap_or_default()));
                out.push_str(REDACTED);
            }
            at = at.max(mask.end);
        }
        out.push_str(&self.text(text.get(at..).unwrap_or_default()));
        out
    }

    /// How long the longest secret is that begins at `at`, if one does.
    fn secret_at(&self, text: &str, at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let group = self.secrets.get(rest.as_bytes().first_chunk::<SHORTEST>()?)?;
        let is_word = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
        // Those that begin as the text does. They stand together, the shortest first.
        let mut alike = group.as_slice();
        let mut found = None;
        for (index, byte) in rest.bytes().enumerate().take(TELLING) {
            let there = |secret: &String| secret.as_bytes().get(index).copied();
            let all =
                alike.first().and_then(there) == Some(byte) && alike.last().and_then(there) == Some(byte);
            if !all {
                let from = alike.partition_point(|secret| there(secret) < Some(byte));
                let to = alike.partition_point(|secret| there(secret) <= Some(byte));
                alike = alike.get(from..to).unwrap_or_default();
            }
            let Some(first) = alike.first() else { return found };
            if first.len() != index.saturating_add(1) {
                continue;
            }
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let behind = rest.get(first.len()..).and_then(|behind| behind.chars().next());
            if first.len() >= ANYWHERE || !(is_word(before) || is_word(behind)) {
                found = Some(first.len());
            }
        }
        // Nobody has more in common with the text than those between which it would stand.
        let place = alike.partition_point(|secret| secret.as_str() <= rest);
        let beside = [place.checked_sub(1), Some(place)].into_iter().flatten();
        let common = beside.filter_map(|index| alike.get(index)).map(|secret| in_common(secret, rest)).max();
        found.max(common.filter(|common| *common >= TELLING))
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

/// How many bytes two texts have in common at their begin, whole characters of them.
fn in_common(one: &str, other: &str) -> usize {
    let pairs = one.chars().zip(other.chars());
    pairs.take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum()
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

    #[test]
    fn secrets_that_begin_alike_take_little_time() {
        let mut text = "users:\n".to_owned();
        for number in 0..5_000 {
            text.push_str(&format!("- {{passwd: abc{number}}}\n"));
        }
        let long = "a".repeat(100_000);
        text.push_str(&format!("- {{passwd: {long}b}}\n- {{passwd: {long}}}\n- {{passwd: 'wxyz ü'}}\n"));
        let redactor = redactor(&text);
        assert!(redactor.text(&"abc12x ".repeat(20_000)) == "<redacted>x ".repeat(20_000));
        assert_eq!(redactor.text(&format!("{long}b c")), "<redacted> c");
        // What a long secret begins with is as good as the secret.
        assert_eq!(redactor.text(&format!("-{}-", "a".repeat(100))), "-<redacted>-");
        let short = "a".repeat(60);
        assert_eq!(redactor.text(&short), short);
        assert_eq!(redactor.text("wxyz ü wxyz"), "<redacted> wxyz");
        assert_eq!(redactor.text("abc1 abc12 abc1x"), "<redacted> <redacted> abc1x");
    }
}
