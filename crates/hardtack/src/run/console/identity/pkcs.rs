//! PKCS#1 and PKCS#8: what `openssl` writes and clouds hand out.

use pkcs1::der::Decode;
use pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use ssh_key::private::{Ed25519Keypair, KeypairData, RsaKeypair, RsaPrivateKey};
use ssh_key::public::RsaPublicKey;
use ssh_key::{Mpint, PrivateKey};
use zeroize::Zeroizing;

use super::key::not_decrypting;
use crate::keys::Unusable;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

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
