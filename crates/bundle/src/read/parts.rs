//! The parts of a bundle: compared with their digests, then read as one stream.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use aes::Aes128;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{BlockDecryptMut, KeyIvInit};
use sha1::{Digest as _, Sha1};

use crate::layout::AES_BLOCK;
use crate::manifest::Part;
use crate::session::Session;
use crate::write::{Progress, Stage};
use crate::{Error, hex};

/// Bytes that are read at once.
const READ: usize = 256 << 10;
/// Threads that compare digests; more wait for the disk.
const THREADS: usize = 8;

/// Opens a part. Only a file that is there as a file can be one: a FIFO would hold us up for ever.
fn open(path: &Path) -> Result<(File, u64), Error> {
    let found = std::fs::metadata(path).map_err(|error| Error::io(path, "open the part", error))?;
    if !found.is_file() {
        return Err(Error::Part { path: path.to_owned(), what: "it is no regular file".to_owned() });
    }
    let file = File::open(path).map_err(|error| Error::io(path, "open the part", error))?;
    Ok((file, found.len()))
}

/// Compares each part with its digest; its length, or why it is of no use, in the order of the parts.
pub(super) fn compare(
    directory: &Path,
    parts: &[Part],
    total: u64,
    progress: Progress<'_>,
) -> Vec<Result<u64, Error>> {
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let results = Mutex::new(Vec::new());
    let worker = || {
        let mut buffer = vec![0; READ];
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(number) else { return };
            let result = compare_one(&directory.join(&part.name), part, &mut buffer, &mut |bytes| {
                let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
                progress(Stage::Check, done, total);
            });
            crate::write::lock(&results).push((number, result));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(parts.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(worker);
        }
        worker();
    });
    let mut results = std::mem::take(&mut *crate::write::lock(&results));
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

fn compare_one(
    path: &Path,
    part: &Part,
    buffer: &mut [u8],
    progress: &mut dyn FnMut(u64),
) -> Result<u64, Error> {
    let (mut file, _) = open(path)?;
    let (mut digest, mut length) = (Sha1::new(), 0_u64);
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(got) => {
                digest.update(&buffer[..got]);
                length += got as u64;
                progress(got as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(path, "read the part", error)),
        }
    }
    let found: [u8; 20] = digest.finalize().into();
    if found == part.digest {
        return Ok(length);
    }
    let (found, wanted) = (hex::encode(&found), hex::encode(&part.digest));
    let what = format!("its SHA-1 is {found}, and the manifest says {wanted} ({length} bytes)");
    Err(Error::Part { path: path.to_owned(), what })
}

/// The packed stream, decrypted. What is wrong with it is an error of kind `InvalidData`.
pub(super) struct Decrypted {
    pending: VecDeque<PathBuf>,
    open: Option<File>,
    cipher: cbc::Decryptor<Aes128>,
    /// Encrypted bytes that were read and are no whole block yet.
    rest: Vec<u8>,
    /// Plain bytes; the last block is held back until another one follows, for it may be padding.
    plain: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Decrypted {
    pub(super) fn new(directory: &Path, parts: &[Part], session: &Session) -> Self {
        Self {
            pending: parts.iter().map(|part| directory.join(&part.name)).collect(),
            open: None,
            cipher: cbc::Decryptor::new(session.key().into(), session.iv().into()),
            rest: Vec::new(),
            plain: Vec::new(),
            at: 0,
            ended: false,
        }
    }

    /// The next encrypted bytes; none at the end of the last part.
    fn more(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(file) = &mut self.open {
                match file.read(buffer) {
                    Ok(0) => self.open = None,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            } else {
                let Some(path) = self.pending.pop_front() else { return Ok(0) };
                self.open = Some(File::open(&path)?);
            }
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let held = self.plain.len().saturating_sub(AES_BLOCK);
        self.plain.drain(..held.min(self.at));
        self.at = 0;
        let mut bytes = std::mem::take(&mut self.rest);
        let have = bytes.len();
        bytes.resize(have + READ, 0);
        let got = self.more(&mut bytes[have..])?;
        bytes.truncate(have + got);
        if got == 0 {
            self.ended = true;
            let padding = self.plain.last().map_or(0, |byte| usize::from(*byte));
            let good = bytes.is_empty()
                && (1..=AES_BLOCK).contains(&padding)
                && self.plain.len() >= padding
                && self.plain[self.plain.len() - padding..].iter().all(|byte| usize::from(*byte) == padding);
            if !good {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "its padding is wrong: key and bundle do not belong together",
                ));
            }
            self.plain.truncate(self.plain.len() - padding);
            return Ok(());
        }
        let whole = bytes.len() - bytes.len() % AES_BLOCK;
        self.rest = bytes.split_off(whole);
        let (blocks, _) = InOutBuf::from(&mut bytes[..]).into_chunks();
        self.cipher.decrypt_blocks_inout_mut(blocks);
        self.plain.append(&mut bytes);
        Ok(())
    }

    /// Plain bytes that may be given away.
    fn ready(&self) -> &[u8] {
        let end = if self.ended { self.plain.len() } else { self.plain.len().saturating_sub(AES_BLOCK) };
        self.plain.get(self.at..end).unwrap_or_default()
    }
}

impl Read for Decrypted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.ready().is_empty() && !self.ended {
            self.refill()?;
        }
        let ready = self.ready();
        let length = ready.len().min(out.len());
        out[..length].copy_from_slice(&ready[..length]);
        self.at += length;
        Ok(length)
    }
}
