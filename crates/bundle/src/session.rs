//! The key and the initialisation vector of one bundle.
//!
//! Both are 128 bits, and certificates seal them as 32 lower-case hexadecimal digits, not as 16 bytes
//! (euca2ools `bundle/manifest.py`: `openssl rsautl -encrypt` of the digits).

use std::fmt;

use zeroize::Zeroizing;

use crate::hex;
use crate::layout::AES_BLOCK;

/// Key and initialisation vector. Wiped when dropped; never shown.
#[derive(Clone)]
pub struct Session {
    key: Zeroizing<[u8; AES_BLOCK]>,
    iv: Zeroizing<[u8; AES_BLOCK]>,
}

impl Session {
    /// Of 32 random bytes: the key, then the vector.
    pub fn new(random: &[u8; 2 * AES_BLOCK]) -> Self {
        let mut session = Self { key: Zeroizing::default(), iv: Zeroizing::default() };
        let (key, iv) = random.split_at(AES_BLOCK);
        session.key.copy_from_slice(key);
        session.iv.copy_from_slice(iv);
        session
    }

    /// Of the digits that certificates seal. `None` unless both are 32 hexadecimal digits.
    pub fn from_hex(key: &str, iv: &str) -> Option<Self> {
        let bytes = |text: &str| -> Option<Zeroizing<[u8; AES_BLOCK]>> {
            let bytes = Zeroizing::new(hex::decode(text)?);
            Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
        };
        Some(Self { key: bytes(key)?, iv: bytes(iv)? })
    }

    /// Of a text with two words, key and vector, as `--key-and-iv` reads it.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let session = Self::from_hex(words.next()?, words.next()?)?;
        words.next().is_none().then_some(session)
    }

    /// The 32 bytes that [`new`](Self::new) takes.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 2 * AES_BLOCK]> {
        let mut bytes = Zeroizing::new([0; 2 * AES_BLOCK]);
        let (key, iv) = bytes.split_at_mut(AES_BLOCK);
        key.copy_from_slice(&*self.key);
        iv.copy_from_slice(&*self.iv);
        bytes
    }

    pub(crate) fn key(&self) -> &[u8; AES_BLOCK] {
        &self.key
    }

    pub(crate) fn iv(&self) -> &[u8; AES_BLOCK] {
        &self.iv
    }

    pub(crate) fn key_digits(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(&*self.key))
    }

    pub(crate) fn iv_digits(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(&*self.iv))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_are_two_times_32_digits_and_are_not_shown() {
        let (key, iv) = ("000102030405060708090a0b0c0d0e0f", "FF0102030405060708090a0b0c0d0eff");
        let session = Session::from_text(&format!(" {key}\n{iv}\n")).unwrap();
        assert_eq!((&**session.key_digits(), &**session.iv_digits()), (key, &*iv.to_lowercase()));
        assert_eq!(format!("{session:?}"), "Session(…)");
        for text in [key, "", &format!("{key} {iv} 00"), &format!("{key} {}", &iv[1..])] {
            assert!(Session::from_text(text).is_none(), "{text}");
        }
    }
}
