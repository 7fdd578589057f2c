//! Digests, and the one of everything that a build is made of.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};

use sha2::{Digest as _, Sha256};

/// SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// That of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from(Sha256::digest(bytes))
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        for (to, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let [high, low] = pair else { return None };
            *to = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    pub(crate) fn from(array: impl Into<[u8; 32]>) -> Self {
        Self(array.into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// That of an open file, read once from where it stands to its end, and how many bytes that were.
///
/// # Errors
/// What the host says.
pub fn digest_of(file: &mut File) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut buffer, mut length) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((Digest::from(hasher.finalize()), length)),
            read => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                length += read as u64;
            }
        }
    }
}

/// What a build is made of, in an order that the caller keeps. Each name and value goes in with its length, so that no
/// two lists look the same.
#[derive(Clone, Debug)]
pub struct Inputs(Sha256);

impl Default for Inputs {
    fn default() -> Self {
        let mut inputs = Self(Sha256::new());
        // Another layout of entries or another meaning of inputs is another cache.
        inputs.add("format", &[crate::entry::FORMAT]);
        inputs
    }
}

impl Inputs {
    /// Adds one.
    pub fn add(&mut self, name: &str, value: &[u8]) -> &mut Self {
        for bytes in [name.as_bytes(), value] {
            self.0.update((bytes.len() as u64).to_be_bytes());
            self.0.update(bytes);
        }
        self
    }

    /// The digest of all of them.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::from(self.0.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn digests_are_read_as_they_are_written() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse(&digest.to_string().to_uppercase()), Some(digest));
        for wrong in ["", "ba", &digest.to_string()[1..], &format!("{digest}0"), &"é".repeat(32)] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_two_lists_look_the_same() {
        let of = |pairs: &[(&str, &str)]| {
            let mut inputs = Inputs::default();
            pairs.iter().for_each(|(name, value)| _ = inputs.add(name, value.as_bytes()));
            inputs.digest()
        };
        let one = of(&[("a", "bc"), ("d", "e")]);
        assert_eq!(one, of(&[("a", "bc"), ("d", "e")]));
        for other in
            [&[("ab", "c"), ("d", "e")][..], &[("d", "e"), ("a", "bc")], &[("a", "bc")], &[("a", "bcde")]]
        {
            assert_ne!(one, of(other), "{other:?}");
        }
    }
}
