//! Archives of the host that are unpacked into a guest: tar, plain or compressed.
//!
//! The compression is told by the first bytes, not by the name. What is unpacked is limited, and
//! names that could leave the directory are refused: `..`, absolute paths, control characters.

use std::io::Read;

use crate::Error;
use crate::dpkg::deb::{Limited, TarEntry, for_each_entry};

/// The most that an archive may unpack to, in bytes: it is held in memory until it is written.
pub const UNPACKED_LIMIT: u64 = 2 << 30;
/// Decompression memory for xz: `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;
/// Decompression memory for zstd as a power of two: what `zstd -d` itself takes without being asked.
const ZSTD_WINDOW: u32 = 27;

/// All entries of a tar archive (`.tar`, also as gzip, xz, zstd or bzip2), in its order; `name` is
/// for messages.
///
/// # Errors
/// An archive that is damaged, too large, or holds what no image takes this way (devices, pipes).
pub fn tar_entries(name: &str, bytes: &[u8], limit: u64) -> Result<Vec<TarEntry>, Error> {
    let wrong = |what: String| Error::Refused(format!("{name}: {what}"));
    let limit = limit.min(UNPACKED_LIMIT);
    let reader: Box<dyn Read + '_> = match bytes {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                    .map_err(|error| wrong(error.to_string()))?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(bytes, stream))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| wrong(error.to_string()))?;
            decoder.window_log_max(ZSTD_WINDOW).map_err(|error| wrong(error.to_string()))?;
            Box::new(decoder)
        }
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(bytes)),
        _ => Box::new(bytes),
    };
    let mut entries = Vec::new();
    for_each_entry(name, "tar", Limited::new(reader, limit), |entry| {
        entries.push(entry);
        Ok(())
    })?;
    if entries.is_empty() {
        return Err(wrong("is no tar archive, or an empty one".to_owned()));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]

    use std::process::Command;

    use super::*;

    #[test]
    fn every_compression_of_tar_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("in/sub")).unwrap();
        std::fs::write(folder.path().join("in/sub/file"), "hello\n").unwrap();
        let mut read = 0;
        for flag in ["", "--gzip", "--xz", "--zstd", "--bzip2"] {
            let to = folder.path().join(format!("x{flag}.tar"));
            let mut command = Command::new("tar");
            command.args(["--owner=7", "--group=8", "-C"]).arg(folder.path().join("in"));
            command.args(["-cf"]).arg(&to).args((!flag.is_empty()).then_some(flag)).arg(".");
            if !command.status().is_ok_and(|status| status.success()) {
                eprintln!("SKIPPED: tar {flag} does not work here");
                continue;
            }
            let bytes = std::fs::read(&to).unwrap();
            let entries = tar_entries("x.tar", &bytes, UNPACKED_LIMIT).unwrap();
            let file = entries.iter().find(|entry| entry.path == "/sub/file").unwrap();
            assert_eq!(file.owner, (7, 8), "{flag}");
            let error = tar_entries("x.tar", &bytes, 100).unwrap_err().to_string();
            assert!(error.starts_with("x.tar: ") && error.contains("more than"), "{error}");
            for length in (1..bytes.len()).step_by(97) {
                // A cut in what is behind the end marker of a plain tar loses nothing.
                if let Ok(cut) = tar_entries("cut.tar", &bytes[..length], UNPACKED_LIMIT) {
                    assert!(cut.len() <= entries.len() && flag.is_empty(), "{flag} after {length}");
                }
            }
            read += 1;
        }
        assert!(read > 0 || Command::new("tar").output().is_err());
        assert!(tar_entries("x", b"", UNPACKED_LIMIT).is_err());
    }

    #[test]
    fn names_that_leave_are_refused() {
        for name in ["../x", "/etc/passwd", "a/../../b"] {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(0);
            header.set_mode(0o644);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_cksum();
            let mut bytes = header.as_bytes().to_vec();
            bytes.extend([0; 1024]);
            let error = tar_entries("x.tar", &bytes, UNPACKED_LIMIT).unwrap_err().to_string();
            assert!(error.contains("absolute path") || error.contains("leaves its directory"), "{error}");
        }
    }
}
