//! SSH's public keys as bytes (RFC 4253, 6.6; RFC 8709).

use curve25519_dalek::edwards::CompressedEdwardsY;

use super::write::PublicKey;

/// Bits of the smallest and of the largest RSA key that age and the crate of its name open both.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Why a public key cannot be sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no key: sshd would not take it either.
    Damaged,
    /// Keys of this type sign, and open nothing.
    Type,
    /// The type would do, and this one does not: what is special about it, for people.
    Special(String),
}

/// A public key that can be sealed to.
pub(super) fn public_key(kind: &str, blob: &[u8]) -> Result<PublicKey, Unfit> {
    let mut fields = Fields(blob);
    let garbage = || Unfit::Damaged;
    let type_inside = fields.string();
    if matches!(kind, "ssh-ed25519" | "ssh-rsa") && type_inside != Some(kind.as_bytes()) {
        return Err(garbage());
    }
    match kind {
        "ssh-ed25519" => {
            let key: Option<[u8; 32]> = fields.string().and_then(|key| key.try_into().ok());
            let key = key.filter(|_| fields.0.is_empty()).ok_or_else(garbage)?;
            // A point of small order is nobody's key: everybody could compute what is sealed to it.
            let point = CompressedEdwardsY(key).decompress().filter(|point| !point.is_small_order());
            let point = point.ok_or_else(garbage)?.to_montgomery().to_bytes();
            Ok(PublicKey::Ed25519 { blob: blob.to_vec(), point })
        }
        "ssh-rsa" => {
            let (exponent, modulus) =
                fields.number().zip(fields.number()).filter(|_| fields.0.is_empty()).ok_or_else(garbage)?;
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
            if !RSA_BITS.contains(&bits) {
                return Err(Unfit::Special(format!("{bits} bits")));
            }
            // The crate opens none with an exponent above four bytes; 1 would encrypt nothing.
            if !odd(modulus) || !odd(exponent) || exponent.len() > 4 || exponent == [1] {
                return Err(Unfit::Special("with an unusual exponent".to_owned()));
            }
            let (modulus, exponent) = (modulus.to_vec(), exponent.to_vec());
            Ok(PublicKey::Rsa { blob: blob.to_vec(), modulus, exponent })
        }
        _ => Err(Unfit::Type),
    }
}

/// Strings and numbers behind each other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// Four bytes of length, and as many bytes.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some(field)
    }

    /// A positive number without the zero byte before a first bit that is set; never empty.
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        let field = self.string()?;
        match field {
            [0, rest @ ..] => rest.first().is_some_and(|byte| byte & 0x80 != 0).then_some(rest),
            [first, ..] => (first & 0x80 == 0).then_some(field),
            [] => None,
        }
    }
}
