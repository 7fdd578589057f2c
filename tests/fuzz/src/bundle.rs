//! Bundles: their manifests, certificates and keys are texts of others, and so is what is inside.

use std::path::Path;

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockEncryptMut, KeyIvInit};
use hardtack_bundle::{Bundle, Manifest, Part, PrivateKey, PublicKey, Session, Verdict, check, signed_text};
use hardtack_disk::AtomicFile;
use sha1::{Digest as _, Sha1};

use crate::file::{MemoryFile, SCRATCH};
use crate::memory::bounded;

/// What a manifest or a key of 8 KiB may take.
const TEXT_MEMORY: usize = 16 << 20;
/// What reading a bundle may take: pieces of the stream, and its sparse map.
const MEMORY: usize = 48 << 20;

const KEY: [u8; 16] = [7; 16];
const IV: [u8; 16] = [9; 16];

/// The bytes as a manifest, a certificate and a private key. What was read is written and read the same.
pub fn manifest(input: &[u8]) {
    let path = Path::new("input");
    bounded(TEXT_MEMORY, || {
        // Errors are answers, too.
        let _ = PublicKey::from_certificate(input, path);
        let _ = PrivateKey::from_pem(input, path).map(|key| key.sign(b"text"));
        if let Ok(text) = std::str::from_utf8(input) {
            let _ = signed_text(text);
        }
        let Ok(read) = Manifest::parse(input, path) else { return };
        let Ok(text) = read.to_xml(None) else { return };
        let again = Manifest::parse(text.as_bytes(), path).expect("our own text is a manifest");
        assert_eq!(again, read);
        assert!(signed_text(&text).is_some());
    });
}

/// By its first byte: a tar archive whose checksums are made right, one as it is, what gzip would have made, what
/// openssl would have made. What is checked as good is unbundled, and what is not leaves no image.
pub fn bundle(input: &[u8]) {
    is_good(input);
}

/// As [`bundle`]; whether it was found good.
pub(crate) fn is_good(input: &[u8]) -> bool {
    let Some((kind, bytes)) = input.split_first() else { return false };
    let mut tar = bytes.to_vec();
    let packed = match kind % 4 {
        0 => {
            mend(&mut tar);
            gzip(&tar)
        }
        1 => gzip(&tar),
        _ => bytes.to_vec(),
    };
    let mut parts = packed;
    if kind % 4 != 3 {
        parts =
            cbc::Encryptor::<Aes128>::new(&KEY.into(), &IV.into()).encrypt_padded_vec_mut::<Pkcs7>(&parts);
    }
    let file = MemoryFile::new(&parts);
    let (Some(directory), Some(name)) =
        (file.path().parent().map(Path::to_owned), file.path().file_name().map(ToOwned::to_owned))
    else {
        return false;
    };
    let manifest = Manifest {
        architecture: "x86_64".to_owned(),
        name: "a".to_owned(),
        user: "1".to_owned(),
        digest: Sha1::digest(&tar).into(),
        // The real size where the header tells it: sizes that differ are refused before anything else.
        size: size(&tar),
        bundled_size: parts.len() as u64,
        parts: vec![Part { name: name.to_string_lossy().into_owned(), digest: Sha1::digest(&parts).into() }],
        ..Manifest::default()
    };
    let Ok(text) = manifest.to_xml(None) else { return false };
    let manifest = MemoryFile::new(text.as_bytes());
    let Ok(opened) = Bundle::open(&manifest.path(), Some(&directory)) else { return false };
    let mut random = [0; 32];
    random[..16].copy_from_slice(&KEY);
    random[16..].copy_from_slice(&IV);
    let session = Session::new(&random);
    bounded(MEMORY, || {
        let good = check(&opened, None, None, Some(&session), &|_, _, _| {}).image == Verdict::Good;
        // Sparse, but the kernel accounts for what is written.
        if good && opened.manifest.size <= 1 << 30 {
            let mut out =
                AtomicFile::create(&Path::new(SCRATCH).join("unbundled")).expect("memory for a file");
            out.set_durable(false);
            let size = hardtack_bundle::unbundle(&opened, &session, &mut out, &|_, _, _| {})
                .expect("it was good")
                .size;
            assert_eq!(size, opened.manifest.size);
        }
        good
    })
}

/// Bytes of the image that the first header tells of: of a sparse member its real size.
fn size(tar: &[u8]) -> u64 {
    let sparse = tar.get(156) == Some(&b'S');
    let field = if sparse { tar.get(483..495) } else { tar.get(124..136) };
    let Some(field) = field else { return 0 };
    if field[0] & 0x80 != 0 {
        return field[1..].iter().fold(0, |value: u64, byte| value.wrapping_shl(8) | u64::from(*byte));
    }
    let digits =
        field.iter().skip_while(|byte| **byte == b' ').take_while(|byte| matches!(byte, b'0'..=b'7'));
    digits.fold(0, |value: u64, digit| value.wrapping_mul(8).wrapping_add(u64::from(digit - b'0')))
}

/// Makes the checksums of the first headers right, so that damage behind them counts.
fn mend(tar: &mut [u8]) {
    for header in tar.chunks_exact_mut(512).take(4).filter(|block| block[257..262] == *b"ustar") {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// One gzip member with stored blocks: quick, and the fuzzer sees its bytes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut chunks = bytes.chunks(0xffff).peekable();
    if chunks.peek().is_none() {
        packed.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(chunk) = chunks.next() {
        let length = chunk.len() as u16;
        packed.push(u8::from(chunks.peek().is_none()));
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend(chunk);
    }
    packed.extend(crc32fast::hash(bytes).to_le_bytes());
    packed.extend((bytes.len() as u32).to_le_bytes());
    packed
}
