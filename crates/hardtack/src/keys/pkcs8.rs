//! `EncryptedPrivateKeyInfo` of RFC 5958: a passphrase as OpenSSL puts it on a key today.

use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument};

use super::{Unusable, wants_openssh};

/// A hostile file could ask for hours; openssl's default is 2048, a careful person takes millions.
const PBKDF2_ROUNDS: u32 = 20_000_000;
/// Bytes that scrypt may take; openssl's default is 16 MiB.
const SCRYPT_MEMORY: u64 = 512 * 1024 * 1024;

/// `EncryptedPrivateKeyInfo`, if its passphrase can be tried in reasonable time.
pub(crate) fn check_encrypted(der: &[u8]) -> Result<(), Unusable> {
    let info = EncryptedPrivateKeyInfo::try_from(der).map_err(|_| {
        Unusable::new("encrypted in a way that is not read here, or damaged", wants_openssh())
    })?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(Unusable::new("encrypted in a way of the last century (PBES1)", wants_openssh()));
    };
    let modest = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => kdf.iteration_count <= PBKDF2_ROUNDS,
        Kdf::Scrypt(kdf) => {
            let memory = kdf
                .cost_parameter
                .checked_mul(u64::from(kdf.block_size))
                .and_then(|product| product.checked_mul(128));
            memory.is_some_and(|memory| memory <= SCRYPT_MEMORY) && kdf.parallelization <= 16
        }
        _ => false,
    };
    if modest {
        Ok(())
    } else {
        Err(Unusable::new("encrypted so that one try of a passphrase would take hours", wants_openssh()))
    }
}

/// The `OneAsymmetricKey` in the clear; `None` when the passphrase is another one.
pub(crate) fn decrypt(der: &[u8], passphrase: &[u8]) -> Option<SecretDocument> {
    EncryptedPrivateKeyInfo::try_from(der).ok()?.decrypt(passphrase).ok()
}
