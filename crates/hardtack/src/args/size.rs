//! Sizes on the command line.

/// A number of bytes with an optional K, M, G or T, powers of 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let bad = || "a size is a number of bytes, or one with K, M, G or T, as 10G".to_owned();
    let (digits, shift) = match text.char_indices().next_back() {
        Some((at, unit)) if !unit.is_ascii_digit() => {
            let shift = "KMGT".find(unit.to_ascii_uppercase()).ok_or_else(bad)?;
            (&text[..at], 10 * (shift as u32 + 1))
        }
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(|| "no disk is so large".to_owned())
}

/// The size of a disk: whole sectors of 512 bytes, for no reader takes half of one.
pub(crate) fn disk_size(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    match bytes.checked_next_multiple_of(512) {
        Some(whole) if whole == bytes => Ok(bytes),
        Some(whole) => {
            Err(format!("a disk has whole sectors of 512 bytes: {whole} would do, or a unit (10G)"))
        }
        None => Err("no disk is so large".to_owned()),
    }
}

/// The size of a bundle's parts: each ends with a block of AES.
pub(crate) fn part_size(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("a part has bytes".to_owned()),
        bytes if bytes.is_multiple_of(16) => Ok(bytes),
        bytes => Err(format!(
            "a part has a multiple of 16 bytes: {} would do",
            bytes.saturating_add(16 - bytes % 16)
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("3k", Some(3072)),
            ("10G", Some(10 << 30)),
            ("2T", Some(2 << 40)),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
        for text in ["", "G", "-1", "1.5G", "1GiB", "10 G", "99999999T", "1µ"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_have_whole_blocks() {
        assert_eq!(part_size("10M"), Ok(10 << 20));
        assert!(part_size("1000001").unwrap_err().contains("1000016"));
        assert!(part_size("0").is_err());
    }

    #[test]
    fn disks_have_whole_sectors() {
        assert_eq!(disk_size("1000000512"), Ok(1_000_000_512));
        assert_eq!(disk_size("10G"), Ok(10 << 30));
        assert!(disk_size("1000000001").unwrap_err().contains("1000000512"));
        assert!(disk_size(&u64::MAX.to_string()).is_err());
    }
}
