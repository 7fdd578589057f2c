//! Names: the long one in UTF-16, and the short one of eight and three characters that stands beside
//! it ("FAT: General Overview of On-Disk Format", sections 6 and 7).

use std::collections::BTreeSet;

/// A short name as stored: base and extension, filled with blanks.
pub(super) type Short = [u8; 11];

/// Code page 437 from 0x80 on, Linux' default for short names.
const CODE_PAGE: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Units of UTF-16 that a name may have.
const LONGEST: usize = 255;

/// Why `name` cannot be one here.
pub(super) fn refuse(name: &str) -> Option<String> {
    if let Some(bad) =
        name.chars().find(|character| *character < ' ' || "\"*/:<>?\\|\u{7f}".contains(*character))
    {
        return Some(format!("a name on FAT cannot contain {bad:?}"));
    }
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return Some("a name on FAT cannot end with a dot, nor begin or end with a blank".to_owned());
    }
    let length = name.encode_utf16().count();
    (length > LONGEST).then(|| format!("a name on FAT has at most {LONGEST} characters, not {length}"))
}

/// True when both are the same to a file system that knows no case.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.chars().flat_map(char::to_uppercase).eq(other.chars().flat_map(char::to_uppercase))
}

/// A stored short name as text; `flags` (byte 12) says which half is shown in lower case.
pub(super) fn text(short: &Short, flags: u8) -> String {
    let decode = |bytes: &[u8], lower: bool| -> String {
        let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        let decoded = bytes[..end].iter().map(|byte| match byte {
            0x80.. => CODE_PAGE.chars().nth(usize::from(*byte) - 0x80).unwrap_or('\u{fffd}'),
            ascii => char::from(*ascii),
        });
        if lower {
            decoded.map(|character| character.to_ascii_lowercase()).collect()
        } else {
            decoded.collect()
        }
    };
    let mut base = *short;
    // 0xE5 marks a removed entry; a name that begins with it is stored with 0x05.
    if base[0] == 0x05 {
        base[0] = 0xe5;
    }
    let (stem, extension) = (decode(&base[..8], flags & 0x08 != 0), decode(&base[8..], flags & 0x10 != 0));
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}

/// The sum over a short name that ties its long name to it.
pub(super) fn checksum(short: &Short) -> u8 {
    short.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// The short name for `name`, different from all in `taken`, and whether it says everything, so that
/// no long name is needed. `None` when a million of them are taken.
pub(super) fn shorten(name: &str, taken: &BTreeSet<Short>) -> Option<(Short, bool)> {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, extension),
        _ => (name, ""),
    };
    let (stem, stem_lossy) = reduce(stem);
    let (extension, extension_lossy) = reduce(extension);
    let fits = !stem_lossy && !extension_lossy && (1..=8).contains(&stem.len()) && extension.len() <= 3;
    let plain = pack(stem.as_bytes(), extension.as_bytes());
    if fits && !taken.contains(&plain) {
        return Some((plain, text(&plain, 0) == name));
    }
    let stem = if stem.is_empty() { "_" } else { &stem };
    (1..1_000_000_u32).find_map(|number| {
        let tail = format!("~{number}");
        let kept = stem.len().min(8 - tail.len());
        let short = pack(format!("{}{tail}", &stem[..kept]).as_bytes(), extension.as_bytes());
        (!taken.contains(&short)).then_some((short, false))
    })
}

/// The ASCII characters of a short name that stand for `part`, and whether something was lost (the
/// case is not: it is what the long name is for).
fn reduce(part: &str) -> (String, bool) {
    let mut lossy = false;
    let mut reduced = String::new();
    for character in part.chars() {
        match character {
            ' ' | '.' => lossy = true,
            _ if character.is_ascii_alphanumeric() || "!#$%&'()-@^_`{}~".contains(character) => {
                reduced.push(character.to_ascii_uppercase());
            }
            _ => {
                lossy = true;
                reduced.push('_');
            }
        }
    }
    (reduced, lossy)
}

fn pack(stem: &[u8], extension: &[u8]) -> Short {
    let mut short = [b' '; 11];
    for (to, from) in short[..8].iter_mut().zip(stem) {
        *to = *from;
    }
    for (to, from) in short[8..].iter_mut().zip(extension) {
        *to = *from;
    }
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn short_names_are_unlike_each_other() {
        let mut taken = BTreeSet::new();
        for (name, wanted, whole) in [
            ("GRUB.CFG", "GRUB.CFG", true),
            ("grub.cfg", "GRUB~1.CFG", false),
            ("Grub.cfg.bak", "GRUBCF~1.BAK", false),
            ("a long name.text", "ALONGN~1.TEX", false),
            ("a long name.txt", "ALONGN~1.TXT", false),
            ("a long nose.txt", "ALONGN~2.TXT", false),
            (".hidden", "HIDDEN~1", false),
            ("größe", "GR__E~1", false),
            ("+++", "___~1", false),
            ("shimx64.efi", "SHIMX64.EFI", false),
            ("README", "README", true),
        ] {
            let (short, says_all) = shorten(name, &taken).unwrap();
            assert_eq!((text(&short, 0).as_str(), says_all), (wanted, whole), "{name}");
            assert!(taken.insert(short));
        }
    }

    #[test]
    fn names_that_fat_does_not_know() {
        for name in ["a:b", "x?", "end.", "end ", " start", "tab\t", &"x".repeat(256), "\u{7f}"] {
            assert!(refuse(name).is_some(), "{name:?}");
        }
        for name in ["a", ".x", "with blank", "größe", "+,;=[]", &"x".repeat(255)] {
            assert_eq!(refuse(name), None, "{name:?}");
        }
    }

    #[test]
    fn stored_short_names_are_read_in_their_case() {
        assert_eq!(text(b"GRUB    CFG", 0x18), "grub.cfg");
        assert_eq!(text(b"GRUB    CFG", 0x08), "grub.CFG");
        assert_eq!(text(b"\x05\x81      EFI", 0), "σü.EFI");
        assert_eq!(checksum(b"FILENAMETXT"), 0x3a);
        assert_eq!(CODE_PAGE.chars().count(), 128);
    }
}
