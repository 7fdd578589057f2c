//! Writing an age file: the header with the file key for every recipient, then the text in one chunk.
//!
//! From <https://age-encryption.org/v1>, and for SSH's keys from age's own packages `agessh` and the crate
//! `age`, which reads here what this writes. The crate is not used for it: by itself, with
//! the agent's profile and musl, it adds 216 KiB to a program and this module with its crates 84 KiB; it takes
//! randomness from where it wants, adds a stanza of random length, and panics at an RSA key of zeros.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use curve25519_dalek::MontgomeryPoint;
use curve25519_dalek::constants::X25519_BASEPOINT;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use num_bigint::BigUint;
use sha2::{Digest as _, Sha256};

use super::{BEGIN_ARMOR, END_ARMOR, SealError};
use crate::secret_file::Random;

/// Columns of armor and of a stanza's body.
const COLUMNS: usize = 64;
/// Text of one chunk; a longer one would need the stream's counter.
const CHUNK: usize = 64 * 1024;
const ED25519: &[u8] = b"age-encryption.org/v1/ssh-ed25519";
const X25519: &[u8] = b"age-encryption.org/v1/X25519";
const RSA: &[u8] = b"age-encryption.org/v1/ssh-rsa";

/// A key as the header needs it.
#[derive(Clone)]
pub(super) enum PublicKey {
    /// age's own.
    X25519([u8; 32]),
    /// SSH's, as its blob and as a point that X25519 takes.
    Ed25519 { blob: Vec<u8>, point: [u8; 32] },
    /// SSH's, as its blob and its numbers, the highest byte first.
    Rsa { blob: Vec<u8>, modulus: Vec<u8>, exponent: Vec<u8> },
}

/// The whole file in armor, lines ended by `\n`.
pub(super) fn file(text: &[u8], keys: &[&PublicKey], random: Random<'_>) -> Result<String, SealError> {
    if keys.is_empty() {
        return Err(SealError::NoRecipients);
    }
    if text.len() > CHUNK {
        return Err(SealError::Refused);
    }
    let mut file_key = [0; 16];
    fill(&mut file_key, random)?;
    let mut header = "age-encryption.org/v1\n".to_owned();
    for key in keys {
        stanza(key, &file_key, random, &mut header)?;
    }
    header.push_str("---");
    let mac_key = derive(&file_key, &[], b"header")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&mac_key).map_err(|_| SealError::Refused)?;
    mac.update(header.as_bytes());
    header.push_str(&format!(" {}\n", STANDARD_NO_PAD.encode(mac.finalize().into_bytes())));
    let mut nonce = [0; 16];
    fill(&mut nonce, random)?;
    // The stream's first chunk is its last: counter 0, and 1 in the last byte.
    let mut counter = [0; 12];
    counter[11] = 1;
    let mut bytes = header.into_bytes();
    bytes.extend_from_slice(&nonce);
    bytes.extend(encrypt(&derive(&file_key, &nonce, b"payload")?, counter, text)?);
    let mut armor = format!("{BEGIN_ARMOR}\n");
    lines(&STANDARD.encode(bytes), &mut armor);
    armor.push_str(END_ARMOR);
    armor.push('\n');
    Ok(armor)
}

/// The file key for one key.
fn stanza(
    key: &PublicKey,
    file_key: &[u8],
    random: Random<'_>,
    header: &mut String,
) -> Result<(), SealError> {
    let (head, body) = match key {
        PublicKey::X25519(point) => {
            let (share, secret) = agree(point, random)?;
            let salt = [share, *point].concat();
            let body = encrypt(&derive(&secret, &salt, X25519)?, [0; 12], file_key)?;
            (format!("X25519 {}", STANDARD_NO_PAD.encode(share)), body)
        }
        PublicKey::Ed25519 { blob, point } => {
            let (share, secret) = agree(point, random)?;
            let salt = [share, *point].concat();
            // Binds what is wrapped to the key as SSH knows it.
            let secret = MontgomeryPoint(secret).mul_clamped(derive(&[], blob, ED25519)?);
            let body = encrypt(&derive(secret.as_bytes(), &salt, ED25519)?, [0; 12], file_key)?;
            (format!("ssh-ed25519 {} {}", tag(blob), STANDARD_NO_PAD.encode(share)), body)
        }
        PublicKey::Rsa { blob, modulus, exponent } => {
            (format!("ssh-rsa {}", tag(blob)), oaep(modulus, exponent, file_key, random)?)
        }
    };
    let body = STANDARD_NO_PAD.encode(body);
    header.push_str(&format!("-> {head}\n"));
    lines(&body, header);
    // A body ends with a line that is not full.
    if body.len().is_multiple_of(COLUMNS) {
        header.push('\n');
    }
    Ok(())
}

/// A share of ours for `point`, and the secret that both sides then know.
fn agree(point: &[u8; 32], random: Random<'_>) -> Result<([u8; 32], [u8; 32]), SealError> {
    let mut ours = [0; 32];
    fill(&mut ours, random)?;
    let share = X25519_BASEPOINT.mul_clamped(ours).to_bytes();
    let secret = MontgomeryPoint(*point).mul_clamped(ours).to_bytes();
    // A point of small order: everybody knows what it leads to.
    if secret == [0; 32] { Err(SealError::Refused) } else { Ok((share, secret)) }
}

/// Four bytes by which the owner's age knows its key.
fn tag(blob: &[u8]) -> String {
    STANDARD_NO_PAD.encode(Sha256::digest(blob).get(..4).unwrap_or_default())
}

/// RSAES-OAEP with SHA-256 (RFC 8017, 7.1.1): of `modulus` as many bytes.
fn oaep(modulus: &[u8], exponent: &[u8], message: &[u8], random: Random<'_>) -> Result<Vec<u8>, SealError> {
    const HASH: usize = 32;
    let room = modulus.len().checked_sub(2 * HASH + 2 + message.len()).ok_or(SealError::Refused)?;
    let mut seed = [0; HASH];
    fill(&mut seed, random)?;
    let mut block = Sha256::digest(RSA).to_vec();
    block.resize(HASH + room, 0);
    block.push(1);
    block.extend_from_slice(message);
    mask(&mut block, &seed);
    mask(&mut seed, &block);
    let encoded = [&[0], &seed[..], &block].concat();
    let number = BigUint::from_bytes_be(&encoded)
        .modpow(&BigUint::from_bytes_be(exponent), &BigUint::from_bytes_be(modulus))
        .to_bytes_be();
    let mut sealed = vec![0; modulus.len().checked_sub(number.len()).ok_or(SealError::Refused)?];
    sealed.extend(number);
    Ok(sealed)
}

/// MGF1 with SHA-256 (RFC 8017, B.2.1), onto `bytes`.
fn mask(bytes: &mut [u8], seed: &[u8]) {
    for (counter, block) in (0_u32..).zip(bytes.chunks_mut(32)) {
        let mut hash = Sha256::new();
        hash.update(seed);
        hash.update(counter.to_be_bytes());
        block.iter_mut().zip(hash.finalize()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<[u8; 32], SealError> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut key).map_err(|_| SealError::Refused)?;
    Ok(key)
}

fn encrypt(key: &[u8; 32], nonce: [u8; 12], text: &[u8]) -> Result<Vec<u8>, SealError> {
    ChaCha20Poly1305::new(key.into()).encrypt(&nonce.into(), text).map_err(|_| SealError::Refused)
}

fn lines(text: &str, into: &mut String) {
    for line in text.as_bytes().chunks(COLUMNS) {
        // Base64 is ASCII.
        into.push_str(&String::from_utf8_lossy(line));
        into.push('\n');
    }
}

fn fill(buffer: &mut [u8], random: Random<'_>) -> Result<(), SealError> {
    random(buffer).map_err(|error| SealError::Random(error.to_string()))
}
