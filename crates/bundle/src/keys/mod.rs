//! Certificates and private keys: sealing the session for its readers, and signing.
//!
//! - Sealing is RSAES-PKCS1-v1_5 of the 32 digits (`openssl rsautl -encrypt -pkcs -certin`).
//! - Signing is RSASSA-PKCS1-v1_5 with SHA-1. Distributions switch SHA-1 off in OpenSSL, and euca2ools
//!   with it; consumers know nothing else.
//!
//! The padding of RSAES has to be unpredictable. Here it is made of the session and the certificate's
//! modulus by SHA-256: whoever does not know the 256 secret bits of the session cannot tell it from
//! random bytes, and the same session gives the same manifest.

mod pem;
mod x509;

use std::path::Path;

use pkcs8::der::Decode as _;
use rsa::rand_core::{CryptoRng, Error as RngError, RngCore};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, Pkcs1v15Encrypt, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::layout::LARGEST_RSA;
use crate::session::Session;

/// DER of `DigestInfo` in front of a SHA-1 (RFC 8017, section 9.2).
const SHA1_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
/// `Proc-Type: 4,ENCRYPTED` and PKCS#8's own form of it.
const ENCRYPTED: &str = "encrypted with a passphrase; `openssl rsa -in FILE -out PLAIN` takes that off";

/// What a manifest holds of a session for one reader; both empty when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// `*_encrypted_key`.
    pub key: Vec<u8>,
    /// `*_encrypted_iv`.
    pub iv: Vec<u8>,
}

/// The RSA key of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(RsaPublicKey);

impl PublicKey {
    /// Takes the key out of the certificate in `bytes` (PEM); `path` is named in errors. Its dates, size
    /// and signature are not looked at.
    pub fn from_certificate(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let fail = |what| Error::Key { path: path.to_owned(), what };
        let is_certificate =
            |label: &str| matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE");
        let pem = pem::find(bytes, is_certificate).map_err(|what| fail(format!("no certificate: {what}")))?;
        x509::public_key(&pem.body).map(Self).map_err(fail)
    }

    /// Seals `session` for the owner of the private key.
    pub fn seal(&self, session: &Session) -> Result<Sealed, Error> {
        let seal = |label: &[u8], digits: &str| {
            let mut padding = Padding::new(label, session, &self.0);
            self.0
                .encrypt(&mut padding, Pkcs1v15Encrypt, digits.as_bytes())
                .map_err(|_| Error::Usage("the certificate's RSA key is too short to seal a key".to_owned()))
        };
        Ok(Sealed { key: seal(b"key", &session.key_digits())?, iv: seal(b"iv", &session.iv_digits())? })
    }

    /// Whether `signature` is one of `signed` by the private key.
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        self.0.verify(scheme(), &Sha1::digest(signed), signature).is_ok()
    }
}

/// An RSA private key.
pub struct PrivateKey(RsaPrivateKey);

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PrivateKey(…)")
    }
}

impl PrivateKey {
    /// Reads a key in PEM form, PKCS#1 or PKCS#8; `path` is named in errors.
    pub fn from_pem(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let fail = |what: &str| Error::Key { path: path.to_owned(), what: what.to_owned() };
        let is_key = |label: &str| label.ends_with("PRIVATE KEY");
        let pem = pem::find(bytes, is_key).map_err(|what| fail(&format!("no private key: {what}")))?;
        let damaged = || fail("this is not what a private key looks like; copy the file again");
        match &*pem.label {
            _ if pem.is_encrypted => Err(fail(ENCRYPTED)),
            "RSA PRIVATE KEY" => Self::of_pkcs1(&pem.body).ok_or_else(damaged),
            "PRIVATE KEY" => {
                let info = pkcs8::PrivateKeyInfo::from_der(&pem.body).map_err(|_| damaged())?;
                if info.algorithm.oid != pkcs1::ALGORITHM_OID {
                    return Err(fail("no RSA key, and bundles know no other"));
                }
                Self::of_pkcs1(info.private_key).ok_or_else(damaged)
            }
            "ENCRYPTED PRIVATE KEY" => Err(fail(ENCRYPTED)),
            _ => Err(fail("no RSA key in PEM form; bundles know no other")),
        }
    }

    /// Reads a key in DER form, PKCS#1 or PKCS#8: what a passphrase was taken off. `None`: it is no RSA key.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        Self::of_pkcs1(der).or_else(|| Self::of_pkcs1(pkcs8::PrivateKeyInfo::from_der(der).ok()?.private_key))
    }

    fn of_pkcs1(der: &[u8]) -> Option<Self> {
        let key = pkcs1::RsaPrivateKey::from_der(der).ok()?;
        let bits = |number: &pkcs1::UintRef<'_>| number.as_bytes().len() * 8;
        if bits(&key.modulus) > LARGEST_RSA || bits(&key.private_exponent) > LARGEST_RSA {
            return None;
        }
        let number = |number: pkcs1::UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
        let primes = vec![number(key.prime1), number(key.prime2)];
        let (modulus, exponent) = (number(key.modulus), number(key.public_exponent));
        RsaPrivateKey::from_components(modulus, exponent, number(key.private_exponent), primes).ok().map(Self)
    }

    /// The signature of `signed`.
    pub fn sign(&self, signed: &[u8]) -> Result<Vec<u8>, Error> {
        self.0
            .sign(scheme(), &Sha1::digest(signed))
            .map_err(|_| Error::Usage("the private key is too short to sign with".to_owned()))
    }

    /// The session, if it was sealed for this key.
    pub fn open(&self, sealed: &Sealed) -> Option<Session> {
        let open = |bytes: &[u8]| {
            let digits = Zeroizing::new(self.0.decrypt(Pkcs1v15Encrypt, bytes).ok()?);
            String::from_utf8(digits.to_vec()).ok().map(Zeroizing::new)
        };
        Session::from_hex(&open(&sealed.key)?, &open(&sealed.iv)?)
    }

    /// The key that its certificate holds.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.to_public_key())
    }
}

fn scheme() -> Pkcs1v15Sign {
    Pkcs1v15Sign { hash_len: Some(20), prefix: SHA1_INFO.into() }
}

/// The padding's bytes: SHA-256 of the session, the reader, and a counter.
struct Padding {
    seed: Zeroizing<Vec<u8>>,
    counter: u64,
}

impl Padding {
    fn new(label: &[u8], session: &Session, reader: &RsaPublicKey) -> Self {
        let mut seed = Zeroizing::new(b"hardtack bundle padding, ".to_vec());
        seed.extend_from_slice(label);
        seed.extend_from_slice(session.key());
        seed.extend_from_slice(session.iv());
        seed.extend_from_slice(&reader.n().to_bytes_be());
        Self { seed, counter: 0 }
    }
}

impl RngCore for Padding {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, wanted: &mut [u8]) {
        for part in wanted.chunks_mut(32) {
            let block =
                Sha256::new().chain_update(&*self.seed).chain_update(self.counter.to_le_bytes()).finalize();
            self.counter += 1;
            part.copy_from_slice(&block[..part.len()]);
        }
    }

    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), RngError> {
        self.fill_bytes(wanted);
        Ok(())
    }
}

impl CryptoRng for Padding {}
