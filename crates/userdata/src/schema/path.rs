//! Where the checker is.

use super::words;
use crate::secrets;
use crate::value::Key;

/// Bytes of a key that a path shows.
const KEY_SHOWN: usize = 80;

/// Where the checker is.
#[derive(Default)]
pub(super) struct Path {
    /// As cloud-init writes it: `users.0.name`.
    pub(super) text: String,
    /// Keys above or here whose values are not shown.
    pub(super) secrets: usize,
}

/// What [`Path::pop`] goes back to.
pub(super) struct Before {
    pub(super) length: usize,
    secrets: usize,
}

impl Path {
    pub(super) fn push(&mut self, part: &str, secret: bool) -> Before {
        let before = Before { length: self.text.len(), secrets: self.secrets };
        if !self.text.is_empty() {
            self.text.push('.');
        }
        words::shorten_into(&mut self.text, part, KEY_SHOWN);
        self.secrets += usize::from(secret);
        before
    }

    pub(super) fn push_key(&mut self, key: &Key) -> Before {
        match key.as_text() {
            Some(name) => {
                let secret = secrets::is_secret_key(name)
                    || (name == "data" && self.text == "random_seed")
                    || ["content", "secret", "token"].iter().any(|word| name.contains(word))
                    || (name == "list" && self.text == "chpasswd");
                self.push(&words::key_shown(&self.text, key), secret)
            }
            None => self.push(&words::plain(&key.kind), false),
        }
    }

    pub(super) fn push_index(&mut self, index: usize) -> Before {
        self.push(&index.to_string(), false)
    }

    /// The path to what holds the value, which is so long.
    pub(super) fn above(&self, length: usize) -> &str {
        self.text.get(..length).unwrap_or_default()
    }

    pub(super) fn pop(&mut self, before: Before) {
        self.text.truncate(before.length);
        self.secrets = before.secrets;
    }
}
