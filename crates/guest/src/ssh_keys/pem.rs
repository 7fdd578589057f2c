//! PEM public keys: `PUBLIC KEY` (SPKI, RFC 5280) and `RSA PUBLIC KEY` (PKCS#1, RFC 8017), as
//! SSH wire format (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::der::{BIT_STRING, INTEGER, OBJECT_ID, Reader, SEQUENCE};

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const CURVES: [(&[u8], &str); 3] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "nistp256"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "nistp384"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "nistp521"),
];

/// A key in SSH wire format, with the line that it begins on.
pub(super) type Located = (usize, Vec<u8>);

/// Every public key in `text` with the line that it begins on.
pub(super) fn public_keys(text: &str) -> Result<Vec<Located>, (usize, String)> {
    let mut keys = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            open = Some((number, label.to_owned(), String::new()));
        } else if line.starts_with("-----END ") {
            let (begin, label, body) =
                open.take().ok_or((number, "an END line without its BEGIN".to_owned()))?;
            let der = BASE64
                .decode(body)
                .map_err(|error| (begin, format!("the PEM's base64 is damaged: {error}")))?;
            keys.push((begin, convert(&label, &der).map_err(|what| (begin, what))?));
        } else if let Some((_, _, body)) = &mut open {
            body.push_str(line);
        }
    }
    match open {
        Some((begin, label, _)) => Err((begin, format!("the line -----END {label}----- is missing"))),
        None => Ok(keys),
    }
}

fn convert(label: &str, der: &[u8]) -> Result<Vec<u8>, String> {
    match label {
        "RSA PUBLIC KEY" => rsa(der),
        "PUBLIC KEY" => spki(der),
        "CERTIFICATE" => Err("is an X.509 certificate, not an SSH public key".to_owned()),
        other => Err(format!("PEM of type `{}` holds no SSH public key", other.escape_default())),
    }
}

fn spki(der: &[u8]) -> Result<Vec<u8>, String> {
    let mut outer = Reader::new(Reader::new(der).take(SEQUENCE)?);
    let mut algorithm = Reader::new(outer.take(SEQUENCE)?);
    let object_id = algorithm.take(OBJECT_ID)?;
    let bits = outer.take(BIT_STRING)?;
    let Some((0, key)) = bits.split_first().map(|(unused, key)| (*unused, key)) else {
        return Err("the key's bit string is not of whole bytes".to_owned());
    };
    match object_id {
        RSA_ENCRYPTION => rsa(key),
        ED25519 => Ok(strings(&[b"ssh-ed25519", key])),
        EC_PUBLIC_KEY => {
            let curve = algorithm.take(OBJECT_ID)?;
            let name = CURVES.iter().find(|(id, _)| *id == curve).map(|(_, name)| *name);
            let name = name.ok_or("the key's elliptic curve is none of P-256, P-384, P-521")?;
            Ok(strings(&[format!("ecdsa-sha2-{name}").as_bytes(), name.as_bytes(), key]))
        }
        _ => Err("the key's algorithm is none of RSA, ECDSA, Ed25519".to_owned()),
    }
}

fn rsa(der: &[u8]) -> Result<Vec<u8>, String> {
    let mut key = Reader::new(Reader::new(der).take(SEQUENCE)?);
    let (modulus, exponent) = (key.take(INTEGER)?, key.take(INTEGER)?);
    if !key.is_empty() {
        return Err("the RSA key's DER goes on after the exponent".to_owned());
    }
    // DER integers and SSH's mpint (RFC 4251) are the same bytes: big-endian two's complement.
    Ok(strings(&[b"ssh-rsa", exponent, modulus]))
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut blob = Vec::new();
    for part in parts {
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        blob.extend_from_slice(part);
    }
    blob
}
