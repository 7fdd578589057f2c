//! PKCS#1 and PKCS#8: what `openssl` writes and clouds hand out.

use pkcs1::der::Decode;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{EncryptedPrivateKeyInfo, ObjectIdentifier, PrivateKeyInfo};
use ssh_key::private::{Ed25519Keypair, KeypairData, RsaKeypair, RsaPrivateKey};
use ssh_key::public::RsaPublicKey;
use ssh_key::{Mpint, PrivateKey};
use zeroize::Zeroizing;

use super::Unusable;
use super::key::{not_decrypting, wants_openssh};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

/// A hostile file could ask for hours; openssl's default is 2048, a careful person takes millions.
const PBKDF2_ROUNDS: u32 = 20_000_000;
/// Bytes that scrypt may take; openssl's default is 16 MiB.
const SCRYPT_MEMORY: u64 = 512 * 1024 * 1024;

fn damaged(format: &str) -> Unusable {
    Unusable::new(format!("damaged: this is not what {format} looks like"), "copy the file again, as it is")
}

/// `RSAPrivateKey` of RFC 8017.
pub(super) fn pkcs1(der: &[u8]) -> Result<PrivateKey, Unusable> {
    let damaged = || damaged("an RSA key (PKCS#1)");
    let key = pkcs1::RsaPrivateKey::from_der(der).map_err(|_| damaged())?;
    let number =
        |number: pkcs1::UintRef<'_>| Mpint::from_positive_bytes(number.as_bytes()).map_err(|_| damaged());
    let keypair = RsaKeypair {
        public: RsaPublicKey { e: number(key.public_exponent)?, n: number(key.modulus)? },
        private: RsaPrivateKey {
            d: number(key.private_exponent)?,
            iqmp: number(key.coefficient)?,
            p: number(key.prime1)?,
            q: number(key.prime2)?,
        },
    };
    PrivateKey::new(KeypairData::Rsa(keypair), "").map_err(|_| damaged())
}

/// `OneAsymmetricKey` of RFC 5958.
pub(super) fn pkcs8(der: &[u8]) -> Result<PrivateKey, Unusable> {
    let damaged = || damaged("a private key (PKCS#8)");
    let info = PrivateKeyInfo::try_from(der).map_err(|_| damaged())?;
    match info.algorithm.oid {
        RSA => pkcs1(info.private_key),
        ED25519 => {
            // RFC 8410: an OCTET STRING within the OCTET STRING.
            let [0x04, 0x20, seed @ ..] = info.private_key else { return Err(damaged()) };
            let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.try_into().map_err(|_| damaged())?);
            let keypair = Ed25519Keypair::from_seed(&seed);
            PrivateKey::new(KeypairData::Ed25519(keypair), "").map_err(|_| damaged())
        }
        EC => Err(not_decrypting("ecdsa")),
        DSA => Err(not_decrypting("dsa")),
        other => Err(not_decrypting(&format!("({other})"))),
    }
}

/// `EncryptedPrivateKeyInfo`, if its passphrase can be tried in reasonable time.
pub(super) fn check_encrypted(der: &[u8]) -> Result<(), Unusable> {
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
pub(super) fn decrypt(der: &[u8], passphrase: &[u8]) -> Option<Result<PrivateKey, Unusable>> {
    let info = EncryptedPrivateKeyInfo::try_from(der).ok()?;
    let document = info.decrypt(passphrase).ok()?;
    Some(pkcs8(document.as_bytes()))
}
