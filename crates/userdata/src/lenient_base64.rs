//! Base64 as Python's `binascii.a2b_base64` reads it: characters outside the alphabet are skipped,
//! the first complete padding ends the text. `write_files`, `!!binary`, MIME and EC2's
//! "maybe base64" all go through it.

use thiserror::Error;

/// What is no base64 even so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// One character is left over, which is no byte.
    #[error("one base64 character is left over at the end; it looks cut off")]
    Cut,
    /// The `=` at the end are missing.
    #[error("the base64 padding (`=`) at the end is missing")]
    Padding,
}

/// The bytes that `text` stands for.
///
/// # Errors
/// When the text ends within a group of four.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    let mut filled = 0_u32;
    let mut pads = 0_u32;
    for byte in text {
        if *byte == b'=' {
            pads += 1;
            if filled >= 2 && filled + pads >= 4 {
                return Ok(bytes);
            }
            continue;
        }
        let Some(six) = six_bits(*byte) else { continue };
        pads = 0;
        group = (group << 6 | six) & 0xff_ffff;
        filled = (filled + 1) % 4;
        // Each character but a group's first one completes a byte.
        let shift = match filled {
            2 => 4,
            3 => 2,
            0 => 0,
            _ => continue,
        };
        bytes.push(u8::try_from((group >> shift) & 0xff).unwrap_or_default());
    }
    match filled {
        0 => Ok(bytes),
        1 => Err(Error::Cut),
        _ => Err(Error::Padding),
    }
}

fn six_bits(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Error, decode};

    #[test]
    fn as_binascii_reads_it() {
        for (text, wanted) in [
            ("aGVsbG8=", Ok(&b"hello"[..])),
            ("aGVs\nbG8=", Ok(b"hello")),
            ("!!!", Ok(b"")),
            ("aGVsbG8=trailing", Ok(b"hello")),
            ("aGVsbG8", Err(Error::Padding)),
            ("aGVsb", Err(Error::Cut)),
            ("aG=k", Err(Error::Padding)),
            ("aG==", Ok(b"h")),
            ("=aG==", Ok(b"h")),
            ("", Ok(b"")),
        ] {
            assert_eq!(decode(text.as_bytes()), wanted.map(<[u8]>::to_vec), "{text}");
        }
    }
}
