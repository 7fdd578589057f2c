//! The encrypted stream, cut into files.
//!
//! AES-128-CBC with PKCS#7's padding, as `openssl enc -aes-128-cbc -K … -iv …` makes it. A part is begun
//! when there is a byte for it: euca2ools, whose last part is empty when the length fits exactly, is not
//! followed there.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use aes::Aes128;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{BlockEncryptMut, KeyIvInit};
use hardtack_disk::AtomicFile;
use sha1::{Digest as _, Sha1};

use super::Files;
use crate::Error;
use crate::layout::AES_BLOCK;
use crate::manifest::Part;
use crate::session::Session;

/// Parts that may wait to be on the disk.
const WAITING: usize = 2;

/// The file name of part number `index`.
fn name(prefix: &str, index: usize) -> String {
    format!("{prefix}.part.{index:02}")
}

/// Gives finished parts their names, in a thread of its own: waiting for the disk takes long.
pub(super) struct Committer {
    parts: Receiver<AtomicFile>,
    replace: bool,
    /// Parts that have their names.
    done: Files,
}

impl Committer {
    pub(super) fn new(replace: bool) -> (SyncSender<AtomicFile>, Self) {
        let (send, parts) = sync_channel(WAITING);
        (send, Self { parts, replace, done: Files::default() })
    }

    /// Works until the sender is gone or something fails.
    pub(super) fn run(mut self) -> (Files, Result<(), Error>) {
        let mut result = Ok(());
        while let Ok(part) = self.parts.recv() {
            let path = part.path().to_owned();
            match part.commit(self.replace) {
                Ok(()) => self.done.add(path),
                Err(error) => {
                    result = Err(error.into());
                    break;
                }
            }
        }
        (self.done, result)
    }
}

/// Encrypts and cuts.
pub(super) struct Parts<'a> {
    directory: &'a Path,
    prefix: &'a str,
    part_size: u64,
    durable: bool,
    cipher: cbc::Encryptor<Aes128>,
    /// Bytes that are no whole block yet.
    rest: Vec<u8>,
    buffer: Vec<u8>,
    open: Option<(AtomicFile, Sha1, u64)>,
    finished: SyncSender<AtomicFile>,
    parts: Vec<Part>,
    length: u64,
}

impl<'a> Parts<'a> {
    pub(super) fn new(
        options: &super::BundleOptions<'a>,
        session: &Session,
        finished: SyncSender<AtomicFile>,
    ) -> Self {
        Self {
            directory: options.directory,
            prefix: options.name,
            part_size: options.part_size,
            durable: options.durable,
            cipher: cbc::Encryptor::new(session.key().into(), session.iv().into()),
            rest: Vec::with_capacity(AES_BLOCK),
            buffer: Vec::new(),
            open: None,
            finished,
            parts: Vec::new(),
            length: 0,
        }
    }

    /// Takes the next bytes of the packed stream.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.append(&mut self.rest);
        buffer.extend_from_slice(bytes);
        let whole = buffer.len() - buffer.len() % AES_BLOCK;
        self.rest.extend_from_slice(&buffer[whole..]);
        buffer.truncate(whole);
        self.encrypt(&mut buffer);
        let result = self.cut(&buffer);
        self.buffer = buffer;
        result
    }

    fn encrypt(&mut self, bytes: &mut [u8]) {
        let (blocks, _) = InOutBuf::from(bytes).into_chunks();
        self.cipher.encrypt_blocks_inout_mut(blocks);
    }

    /// Ends the stream; the parts and their bytes.
    pub(super) fn finish(mut self) -> Result<(Vec<Part>, u64), Error> {
        let padding = AES_BLOCK - self.rest.len();
        let mut last = std::mem::take(&mut self.rest);
        last.resize(AES_BLOCK, padding as u8);
        self.encrypt(&mut last);
        self.cut(&last)?;
        self.close()?;
        Ok((self.parts, self.length))
    }

    fn cut(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.open.is_none() {
                let path = self.directory.join(name(self.prefix, self.parts.len()));
                let mut file = AtomicFile::create(&path)?;
                file.set_durable(self.durable);
                self.open = Some((file, Sha1::new(), 0));
            }
            let Some((file, digest, have)) = &mut self.open else { continue };
            let room = usize::try_from(self.part_size - *have).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            file.file().write_all(now).map_err(|error| Error::io(file.path(), "write it", error))?;
            digest.update(now);
            *have += now.len() as u64;
            self.length += now.len() as u64;
            bytes = later;
            if *have == self.part_size {
                self.close()?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some((file, digest, _)) = self.open.take() else { return Ok(()) };
        let name = name(self.prefix, self.parts.len());
        self.parts.push(Part { name, digest: digest.finalize().into() });
        let path = file.path().to_owned();
        // Nobody listens when an earlier part failed; that error is the one to tell.
        self.finished.send(file).map_err(|_| {
            Error::io(&path, "finish it", std::io::Error::other("an earlier part could not be finished"))
        })
    }
}
