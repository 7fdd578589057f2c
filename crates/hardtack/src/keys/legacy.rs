//! A passphrase on a PEM file as OpenSSL puts it there (`openssl rsa -aes128`, `ssh-keygen -m PEM`).
//!
//! RFC 1421's `Proc-Type: 4,ENCRYPTED` and `DEK-Info: CIPHER,IV`. The key is what `EVP_BytesToKey`
//! makes with MD5, one round, of the passphrase and the first eight bytes of the IV; the padding is
//! PKCS#7. One round of MD5 is why nobody should still write such files; reading them is fine.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use des::{Des, TdesEde3};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::Unusable;
use super::pem::Pem;

/// What a `DEK-Info` names.
#[derive(Clone, Copy)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
    Des,
}

/// An encrypted body with what is known about it.
pub(crate) struct LegacyPem {
    cipher: Cipher,
    iv: Vec<u8>,
    body: Zeroizing<Vec<u8>>,
}

impl LegacyPem {
    /// `None` when the file is not encrypted.
    pub(crate) fn of(pem: &Pem) -> Result<Option<Self>, Unusable> {
        if pem.header("Proc-Type").is_none_or(|value| !value.contains("ENCRYPTED")) {
            return Ok(None);
        }
        let damaged =
            || Unusable::new("its DEK-Info line is missing or damaged", "copy the file again, as it is");
        let (name, iv) =
            pem.header("DEK-Info").and_then(|value| value.split_once(',')).ok_or_else(damaged)?;
        let (cipher, length) = match name.trim().to_ascii_uppercase().as_str() {
            "AES-128-CBC" => (Cipher::Aes128, 16),
            "AES-192-CBC" => (Cipher::Aes192, 16),
            "AES-256-CBC" => (Cipher::Aes256, 16),
            "DES-EDE3-CBC" => (Cipher::TripleDes, 8),
            "DES-CBC" => (Cipher::Des, 8),
            other => {
                return Err(Unusable::new(
                    format!("encrypted with {}, which is not read here", other.escape_debug()),
                    "write a copy in OpenSSH's format: cp KEY KEY.openssh; ssh-keygen -p -f KEY.openssh",
                ));
            }
        };
        let iv = hex(iv.trim()).filter(|iv| iv.len() == length).ok_or_else(damaged)?;
        Ok(Some(Self { cipher, iv, body: pem.body.clone() }))
    }

    /// The bytes in the clear; `None` when the padding says that the passphrase was another one.
    pub(crate) fn decrypt(&self, passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        fn cbc<C>(cipher: &LegacyPem, passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>>
        where
            cbc::Decryptor<C>: KeyIvInit + BlockDecryptMut,
            C: aes::cipher::BlockDecryptMut + aes::cipher::BlockCipher,
        {
            use aes::cipher::KeySizeUser;
            let key = key(passphrase, &cipher.iv, <cbc::Decryptor<C> as KeySizeUser>::key_size());
            let decryptor = cbc::Decryptor::<C>::new_from_slices(&key, &cipher.iv).ok()?;
            decryptor.decrypt_padded_vec_mut::<Pkcs7>(&cipher.body).ok().map(Zeroizing::new)
        }
        match self.cipher {
            Cipher::Aes128 => cbc::<Aes128>(self, passphrase),
            Cipher::Aes192 => cbc::<Aes192>(self, passphrase),
            Cipher::Aes256 => cbc::<Aes256>(self, passphrase),
            Cipher::TripleDes => cbc::<TdesEde3>(self, passphrase),
            Cipher::Des => cbc::<Des>(self, passphrase),
        }
    }
}

/// `EVP_BytesToKey` with MD5, a salt of eight bytes and one round.
fn key(passphrase: &[u8], iv: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let salt = iv.get(..8).unwrap_or(iv);
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut digest = Zeroizing::new(Vec::new());
    while key.len() < length {
        let mut hash = Md5::new();
        hash.update(digest.as_slice());
        hash.update(passphrase);
        hash.update(salt);
        digest = Zeroizing::new(hash.finalize().to_vec());
        key.extend_from_slice(&digest);
    }
    key.truncate(length);
    key
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) || bytes.len() > 64 {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?)).collect()
}
