//! `encoding` of `write_files` (`config/decode.go`).

use std::io::Read as _;

use flate2::bufread::{GzDecoder, MultiGzDecoder};

use super::scalar;
use crate::limits;

/// Undoes `encoding`; `None` where coreos-cloudinit cannot, or where more than
/// [`limits::UNPACKED`] bytes come out.
///
/// As there, gzip data that breaks off or has a wrong checksum gives what could be unpacked of it;
/// only its header must be right.
#[must_use]
pub fn decode(content: &[u8], encoding: &str) -> Option<Vec<u8>> {
    match encoding {
        "" => Some(content.to_vec()),
        "b64" | "base64" => scalar::base64(content),
        "gz" | "gzip" => gunzip(content),
        "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => gunzip(&scalar::base64(content)?),
        _ => None,
    }
}

fn gunzip(content: &[u8]) -> Option<Vec<u8>> {
    GzDecoder::new(content).header()?;
    let mut out = Vec::new();
    let mut piece = [0; 8192];
    let mut decoder = MultiGzDecoder::new(content);
    loop {
        match decoder.read(&mut piece) {
            Ok(0) | Err(_) => return Some(out),
            Ok(count) => out.extend_from_slice(piece.get(..count)?),
        }
        if out.len() > limits::UNPACKED {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn encodings_are_undone() {
        assert_eq!(decode(b"ZWNobw==", "b64"), Some(b"echo".to_vec()));
        assert_eq!(decode(b"ZWNobw==", ""), Some(b"ZWNobw==".to_vec()));
        assert_eq!(decode(b"ZWNobw", "base64"), None);
        assert_eq!(decode(b"ZWNobw==", "text/plain"), None);
        assert_eq!(decode(b"ZWNobw==", "B64"), None);
        assert_eq!(decode(&gzip(b"echo"), "gz"), Some(b"echo".to_vec()));
        assert_eq!(decode(b"echo", "gzip"), None);
        assert_eq!(decode(b"", "gzip"), None);
    }

    #[test]
    fn broken_gzip_gives_what_there_is_and_a_bomb_nothing() {
        let packed = gzip(&[b'a'; 100]);
        let broken = packed.get(..packed.len() - 6).expect("longer");
        assert_eq!(decode(broken, "gzip"), Some(vec![b'a'; 100]));
        assert_eq!(decode(&gzip(&vec![0; limits::UNPACKED + 1]), "gzip"), None);
    }
}
