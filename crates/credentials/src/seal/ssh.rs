//! SSH's public keys as bytes (RFC 4253, 6.6; RFC 8709): checked before the age crate sees them,
//! since its parser of numbers panics at one that has zero bytes only.

/// Bits of the smallest and of the largest RSA key that age and the crate take both.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A public key's blob that age can seal to; else what it is, for people.
pub(super) fn check(kind: &str, blob: &[u8]) -> Result<(), String> {
    let mut fields = Fields(blob);
    let garbage = || "damaged".to_owned();
    if fields.string() != Some(kind.as_bytes()) {
        return Err(garbage());
    }
    match kind {
        "ssh-ed25519" => {
            let whole = fields.string().is_some_and(|key| key.len() == 32) && fields.0.is_empty();
            if whole { Ok(()) } else { Err(garbage()) }
        }
        "ssh-rsa" => {
            let (exponent, modulus) =
                fields.number().zip(fields.number()).filter(|_| fields.0.is_empty()).ok_or_else(garbage)?;
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
            if !RSA_BITS.contains(&bits) {
                return Err(format!("{bits} bits"));
            }
            // Exponents above four bytes are refused by the crate, 1 would encrypt nothing.
            if !odd(modulus) || !odd(exponent) || exponent.len() > 4 || exponent == [1] {
                return Err("with an unusual exponent".to_owned());
            }
            Ok(())
        }
        _ => Err(garbage()),
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
