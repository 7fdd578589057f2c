//! What an output holds and where it came from: bills of materials from the package databases of an image, or from the
//! crates of programs, and the record of a build.
//!
//! Nothing here reads a clock or makes a random number: the same image and the same time give the same bytes.

#![forbid(unsafe_code)]

mod copyright;
mod crates;
mod cyclonedx;
mod inventory;
mod provenance;
mod purl;
mod spdx;

pub use crates::TreeError;
pub use cyclonedx::cyclonedx;
pub use inventory::{Component, Inventory, Manager, Origin};
pub use provenance::{Digest, Input, Provenance, STATEMENT_TYPE};
pub use spdx::spdx;

use sha2::{Digest as _, Sha256};

/// Who wrote a document, of what, and when.
#[derive(Clone, Debug)]
pub struct Document {
    /// The name of the image or release, as people call it.
    pub name: String,
    /// The version of this program.
    pub tool_version: String,
    /// Seconds since 1970.
    pub created: i64,
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `2026-11-22T10:15:00Z`. Years beyond 9999 are what SPDX and CycloneDX cannot say: they end there.
pub(crate) fn timestamp(seconds: i64) -> String {
    const LAST: i64 = 253_402_300_799;
    let seconds = seconds.clamp(0, LAST);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a number of days since 1970-01-01 (H. Hinnant's `civil_from_days`, for days after it).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// A UUID that is the same for the same content: version 8 of RFC 9562, of SHA-256.
pub(crate) fn uuid_of(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes: [u8; 16] = [0; 16];
    for (to, from) in bytes.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(timestamp(1_795_342_500), "2026-11-22T10:15:00Z");
        assert_eq!(timestamp(i64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(timestamp(-5), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn the_same_content_has_the_same_uuid() {
        let one = uuid_of(&["a", "b"]);
        assert_eq!(one, uuid_of(&["a", "b"]));
        assert_ne!(one, uuid_of(&["ab", ""]));
        assert_eq!((one.len(), &one[14..15]), (36, "8"));
    }
}
