//! The RSA key in a certificate, and nothing else of it.
//!
//! AWS's own bundling certificate is RSA-1024, signed with SHA-1, and expired in 2006. Consumers take
//! its key all the same, so dates, names, signatures and sizes are nobody's business here.
//!
//! Source: RFC 5280, section 4.1; RFC 8017, appendix A.1.

use rsa::{BigUint, RsaPublicKey};

use crate::layout::LARGEST_RSA;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
/// 1.2.840.113549.1.1.1, rsaEncryption.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The public key of the certificate `der`, or what is wrong.
pub(super) fn public_key(der: &[u8]) -> Result<RsaPublicKey, String> {
    let damaged = || "this is not what a certificate looks like; copy the file again".to_owned();
    let mut certificate = element(&mut &*der, SEQUENCE).ok_or_else(damaged)?;
    let mut body = element(&mut certificate, SEQUENCE).ok_or_else(damaged)?;
    if body.first() == Some(&VERSION) {
        any(&mut body).ok_or_else(damaged)?;
    }
    // Serial number, signature's algorithm, issuer, validity, subject.
    for _ in 0..5 {
        any(&mut body).ok_or_else(damaged)?;
    }
    let mut info = element(&mut body, SEQUENCE).ok_or_else(damaged)?;
    let mut algorithm = element(&mut info, SEQUENCE).ok_or_else(damaged)?;
    let algorithm = element(&mut algorithm, OBJECT_IDENTIFIER).ok_or_else(damaged)?;
    if algorithm != RSA {
        return Err("its key is no RSA key, and bundles know no other".to_owned());
    }
    let bits = element(&mut info, BIT_STRING).ok_or_else(damaged)?;
    let [0, key @ ..] = bits else { return Err(damaged()) };
    of_pkcs1(key).ok_or_else(damaged)?
}

/// `RSAPublicKey` of RFC 8017.
fn of_pkcs1(der: &[u8]) -> Option<Result<RsaPublicKey, String>> {
    use pkcs1::der::Decode as _;
    let key = pkcs1::RsaPublicKey::from_der(der).ok()?;
    let number = |number: pkcs1::UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
    let key = RsaPublicKey::new_with_max_size(number(key.modulus), number(key.public_exponent), LARGEST_RSA);
    Some(key.map_err(|error| format!("its RSA key is of no use: {error}")))
}

/// The content of the next element, whatever it is.
fn any<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, after) = rest.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        // Longer than four bytes is longer than any certificate.
        0x81..=0x84 => {
            let (bytes, after) = after.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((tag, content))
}

fn element<'a>(rest: &mut &'a [u8], wanted: u8) -> Option<&'a [u8]> {
    any(rest).filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
}
