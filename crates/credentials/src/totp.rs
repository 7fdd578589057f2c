//! One-time codes: RFC 4226 (HOTP) and RFC 6238 (TOTP) with SHA-1, six digits and 30 seconds,
//! the only ones that pam_google_authenticator knows.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Seconds that one code stands for.
pub const STEP_SECONDS: u64 = 30;

/// The code of `key` at `unix` seconds, six digits.
#[must_use]
pub fn code(key: &[u8], unix: u64) -> String {
    hotp(key, unix / STEP_SECONDS)
}

/// The code of `key` for a counter, six digits.
#[must_use]
pub fn hotp(key: &[u8], counter: u64) -> String {
    // HMAC takes a key of any length: the error type has no value that can occur.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(&counter.to_be_bytes());
    let tag = mac.finalize().into_bytes();
    let offset = usize::from(tag[19] & 0xf);
    let word = u32::from_be_bytes([tag[offset] & 0x7f, tag[offset + 1], tag[offset + 2], tag[offset + 3]]);
    format!("{:06}", word % 1_000_000)
}

/// Seconds until the code changes, 1 to 30.
#[must_use]
pub fn seconds_left(unix: u64) -> u64 {
    STEP_SECONDS - unix % STEP_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_6238_last_six_digits() {
        for (time, wanted) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(b"12345678901234567890", time), wanted, "at {time}");
        }
    }

    #[test]
    fn vectors_of_rfc_4226() {
        for (counter, wanted) in ["755224", "287082", "359152", "969429"].iter().enumerate() {
            assert_eq!(&hotp(b"12345678901234567890", counter as u64), wanted);
        }
    }

    #[test]
    fn the_real_program_prints_the_code_for_counter_one() {
        // "Your verification code for code 1 is 639025" in the sample run of the real program.
        let key = crate::base32::decode("5EENRV74MYRS6G4UYZMKTKSGKM").unwrap_or_default();
        assert_eq!(hotp(&key, 1), "639025");
    }

    #[test]
    fn seconds_left_counts_down() {
        assert_eq!((seconds_left(0), seconds_left(29), seconds_left(30)), (30, 1, 30));
    }
}
