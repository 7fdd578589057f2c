//! What a clear-signed message (RFC 9580, section 7) covers.
//!
//! Stricter than GnuPG, which skips what stands before and after: here a message is the whole file, and there is
//! one. What is returned is what is hashed, byte for byte, but for the line ends.

use crate::Distrust;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A message, taken apart.
pub(super) struct Parts {
    /// The covered text: escapes undone, blanks at line ends gone, lines ended by a line feed but for the last.
    pub(super) text: String,
    /// The armored signatures.
    pub(super) signature: String,
}

pub(super) fn split(message: &[u8]) -> Result<Parts, Distrust> {
    let wrong = |line: usize, what: &str| Distrust::Malformed(format!("line {line}: {what}"));
    let message = std::str::from_utf8(message)
        .map_err(|_| Distrust::Malformed("it is no clear-signed message: it is not text".to_owned()))?;
    if message.contains('\0') {
        return Err(Distrust::Malformed("it has a zero byte".to_owned()));
    }
    let mut lines = message.split('\n').enumerate().map(|(index, line)| (index + 1, line));
    if lines.next().is_none_or(|(_, line)| line.trim_end() != BEGIN) {
        return Err(Distrust::Malformed(
            "it does not begin as a clear-signed message; does the network ask for a login?".to_owned(),
        ));
    }
    // Armor headers: only Hash may stand here, and what it says is not needed.
    loop {
        match lines.next() {
            Some((_, line)) if line.trim_end().is_empty() => break,
            Some((_, line)) if line.starts_with("Hash:") => {}
            Some((number, _)) => return Err(wrong(number, "is no header of a clear-signed message")),
            None => return Err(Distrust::Malformed("it ends in its headers".to_owned())),
        }
    }
    let mut text: Vec<&str> = Vec::new();
    let mut signature = String::new();
    loop {
        let Some((number, line)) = lines.next() else {
            return Err(Distrust::Malformed("it ends before its signature".to_owned()));
        };
        let line = line.trim_end_matches([' ', '\t', '\r']);
        if line == SIGNATURE {
            break;
        }
        match line.strip_prefix('-') {
            // "- " may have lost its blank with the others when nothing follows.
            Some("") => text.push(""),
            Some(rest) => match rest.strip_prefix(' ') {
                Some(rest) => text.push(rest),
                None => return Err(wrong(number, "begins with a dash that is not escaped")),
            },
            None => text.push(line),
        }
    }
    signature.push_str(SIGNATURE);
    signature.push('\n');
    loop {
        let Some((_, line)) = lines.next() else {
            return Err(Distrust::Malformed("it ends in its signature".to_owned()));
        };
        let line = line.trim_end();
        if line.starts_with('-') && line != END {
            return Err(Distrust::Malformed("it has something else within its signature".to_owned()));
        }
        signature.push_str(line);
        signature.push('\n');
        if line == END {
            break;
        }
    }
    if let Some((number, _)) = lines.find(|(_, line)| !line.trim_end().is_empty()) {
        return Err(wrong(number, "stands after the signature, which does not cover it"));
    }
    Ok(Parts { text: text.join("\n"), signature })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nA: b \n- -c\n-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn takes_what_is_covered() {
        let parts = split(MESSAGE.as_bytes()).unwrap();
        assert_eq!(parts.text, "A: b\n-c");
        assert_eq!(parts.signature, "-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n");
        assert_eq!(split(MESSAGE.replace('\n', "\r\n").as_bytes()).unwrap().text, "A: b\n-c");
    }

    #[test]
    fn refuses_what_is_not_covered() {
        for (what, message) in [
            ("before", format!("Package: evil\n{MESSAGE}")),
            ("blank line before", format!("\n{MESSAGE}")),
            ("after", format!("{MESSAGE}Package: evil\n")),
            ("two messages", format!("{MESSAGE}{MESSAGE}")),
            ("a header", MESSAGE.replace("Hash:", "Origin:")),
            ("not escaped", MESSAGE.replace("- -c", "-c")),
            ("a second begin", MESSAGE.replace("- -c", BEGIN)),
            ("no end", MESSAGE.replace(END, "")),
            ("no signature", MESSAGE.replace(SIGNATURE, "")),
            ("within the signature", MESSAGE.replace("abcd", "-----BEGIN PGP MESSAGE-----")),
            ("zero byte", MESSAGE.replace("A: b", "A: \0")),
            ("empty", String::new()),
        ] {
            assert!(matches!(split(message.as_bytes()), Err(Distrust::Malformed(_))), "{what}");
        }
    }
}
