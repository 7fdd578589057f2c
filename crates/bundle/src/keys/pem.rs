//! The envelope of certificates and keys: RFC 7468's lines.
//!
//! Lenient where writers differ and nothing is at stake: text before the first line, lines of any
//! length, blanks, CR LF. euca2ools hands the files to `openssl`, which reads the first envelope too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What stands between the two marker lines.
pub(super) struct Pem {
    /// "CERTIFICATE", "RSA PRIVATE KEY".
    pub(super) label: String,
    /// RFC 1421's headers say that the bytes are encrypted.
    pub(super) is_encrypted: bool,
    /// The bytes.
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// The first envelope whose label `wanted` accepts, or what is wrong.
pub(super) fn find(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Pem, String> {
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    let mut lines = text.lines().map(str::trim);
    let marker = |line: &str, word: &str| {
        let label = line.strip_prefix("-----")?.strip_prefix(word)?.strip_suffix("-----")?;
        Some(label.trim().to_owned())
    };
    let label = lines
        .by_ref()
        .find_map(|line| marker(line, "BEGIN ").filter(|label| wanted(label)))
        .ok_or("nothing of the kind is in it; a file in PEM form is wanted")?;
    let mut code = Zeroizing::new(String::with_capacity(text.len()));
    let mut is_encrypted = false;
    loop {
        let line =
            lines.next().ok_or_else(|| format!("cut off: the line -----END {label}----- is missing"))?;
        if line.starts_with("-----") {
            if marker(line, "END ").is_none_or(|end| end != label) {
                return Err(format!("cut off: the line -----END {label}----- is missing"));
            }
            break;
        }
        match line.split_once(':') {
            Some((name, value)) => {
                is_encrypted |= name.eq_ignore_ascii_case("Proc-Type") && value.contains("ENCRYPTED");
            }
            None => code.extend(line.chars().filter(|char| !char.is_whitespace())),
        }
    }
    // "DEK-Info" is a header too, and an encrypted body is base64 like any other.
    let body = STANDARD
        .decode(code.as_bytes())
        .map_err(|_| format!("what stands between the lines of {label} is not base64"))?;
    Ok(Pem { label, is_encrypted, body: Zeroizing::new(body) })
}
