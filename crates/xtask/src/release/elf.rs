//! Whether a program is static: the kernel starts it without any other file.
//!
//! Fields and numbers are those of the ELF-64 object file format (gABI, chapters 4 and 5), little endian.

/// Program header types.
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
/// Tags of the dynamic section.
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;

/// `Ok` for a program without an interpreter and without libraries.
pub(super) fn check_static(bytes: &[u8]) -> Result<(), String> {
    if bytes.get(..6) != Some(b"\x7fELF\x02\x01".as_slice()) {
        return Err("no 64-bit little-endian ELF".to_owned());
    }
    let cut = || "the file ends within its headers".to_owned();
    let first = number(bytes, 0x20, 8).ok_or_else(cut)?;
    let size = number(bytes, 0x36, 2).ok_or_else(cut)?;
    for index in 0..number(bytes, 0x38, 2).ok_or_else(cut)? {
        let header = index.checked_mul(size).and_then(|offset| offset.checked_add(first)).ok_or_else(cut)?;
        let field = |offset, length| number(bytes, header.checked_add(offset)?, length);
        match u32::try_from(field(0, 4).ok_or_else(cut)?) {
            Ok(PT_INTERP) => return Err("it names an interpreter (INTERP): it is dynamic".to_owned()),
            Ok(PT_DYNAMIC) => {
                let start = field(8, 8).ok_or_else(cut)?;
                let length = field(32, 8).ok_or_else(cut)?;
                if needs_libraries(bytes, start, length).ok_or_else(cut)? {
                    return Err("it needs shared libraries (NEEDED): it is dynamic".to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the dynamic section names a library. `None` where it leaves the file.
fn needs_libraries(bytes: &[u8], start: u64, length: u64) -> Option<bool> {
    for offset in (0..length).step_by(16) {
        match number(bytes, start.checked_add(offset)?, 8)? {
            DT_NULL => break,
            DT_NEEDED => return Some(true),
            _ => {}
        }
    }
    Some(false)
}

/// The little-endian number of `length` bytes at `offset`.
fn number(bytes: &[u8], offset: u64, length: usize) -> Option<u64> {
    let start = usize::try_from(offset).ok()?;
    let field = bytes.get(start..start.checked_add(length)?)?;
    Some(field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, one program header of this type, and a dynamic section with this tag.
    fn program(kind: u8, tag: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56 + 32];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (bytes[0x20], bytes[0x36], bytes[0x38]) = (64, 56, 1);
        (bytes[64], bytes[64 + 8], bytes[64 + 32]) = (kind, 120, 32);
        bytes[120] = tag;
        bytes
    }

    #[test]
    fn what_needs_another_file_is_not_static() {
        assert_eq!(check_static(&program(1, 0)), Ok(()));
        // Programs that may lie anywhere in memory have a dynamic section, but need nothing.
        assert_eq!(check_static(&program(2, 7)), Ok(()));
        assert!(check_static(&program(2, 1)).is_err_and(|error| error.contains("NEEDED")));
        assert!(check_static(&program(3, 0)).is_err_and(|error| error.contains("INTERP")));
    }

    #[test]
    fn damaged_headers_are_refused() {
        assert!(check_static(b"#!/bin/sh\n").is_err());
        let whole = program(2, 7);
        for length in 0..130 {
            assert!(check_static(&whole[..length]).is_err(), "{length}");
        }
        let mut far = whole;
        far[0x20..0x28].fill(0xff);
        assert!(check_static(&far).is_err());
    }
}
