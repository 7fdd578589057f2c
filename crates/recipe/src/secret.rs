//! A text that must not be seen: a password, a hash, a value from the environment.
//!
//! No `Clone`, no `Serialize`, a masked `Debug` and no `Display`, so that a secret gets into a
//! message only where somebody wrote [`Secret::reveal`].

use std::fmt;

/// What stands in messages, plans and diffs instead of a secret.
pub const REDACTED: &str = "<redacted>";

/// A secret text; overwritten when dropped, as well as safe code can.
#[derive(PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes `text` over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_bytes())
    }

    /// The text itself. Never for a message.
    #[must_use]
    pub fn reveal(&self) -> &str {
        // `new` is the only way in and takes a `String`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from dropping the stores to memory that nobody reads again.
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_masks() {
        let secret = Secret::new("canary-7f3a");
        assert_eq!(format!("{secret:?}"), REDACTED);
        assert_eq!(secret.reveal(), "canary-7f3a");
        assert!(!format!("{:?}", Some(&secret)).contains("canary"));
    }
}
