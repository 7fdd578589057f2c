//! The encrypted stream, cut into parts: files, or bytes for whoever takes them.
//!
//! AES-128-CBC with PKCS#7's padding, as `openssl enc -aes-128-cbc -K … -iv …` makes it. A part is begun
//! when there is a byte for it: euca2ools, whose last part is empty when the length fits exactly, is not
//! followed there.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use aes::Aes128;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{BlockEncryptMut, KeyIvInit};
use hardtack_disk::AtomicFile;
use sha1::{Digest as _, Sha1};

use super::Files;
use crate::Error;
use crate::layout::{AES_BLOCK, LARGEST_PART_LIST};
use crate::manifest::{Digest, Part, part_text};
use crate::session::Session;

/// Parts that may wait to be on the disk.
const WAITING: usize = 2;

/// The file name of part number `index` of the bundle `prefix`.
pub fn part_name(prefix: &str, index: usize) -> String {
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

/// Where the bytes of parts go.
pub(super) trait Output: Send {
    /// Takes bytes of the part `name`; the first of them begin it.
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error>;

    /// That part is complete.
    fn close(&mut self, index: usize, name: &str, digest: &Digest) -> Result<(), Error>;
}

/// Parts become files of a directory.
pub(super) struct ToFiles<'a> {
    directory: &'a Path,
    durable: bool,
    open: Option<AtomicFile>,
    finished: SyncSender<AtomicFile>,
}

impl<'a> ToFiles<'a> {
    pub(super) fn new(options: &super::BundleOptions<'a>, finished: SyncSender<AtomicFile>) -> Self {
        Self { directory: options.directory, durable: options.durable, open: None, finished }
    }
}

impl Output for ToFiles<'_> {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let file = match &mut self.open {
            Some(file) => file,
            None => {
                let mut file = AtomicFile::create(&self.directory.join(name))?;
                file.set_durable(self.durable);
                self.open.insert(file)
            }
        };
        file.file().write_all(bytes).map_err(|error| Error::io(file.path(), "write it", error))
    }

    fn close(&mut self, _: usize, _: &str, _: &Digest) -> Result<(), Error> {
        let Some(file) = self.open.take() else { return Ok(()) };
        let path = file.path().to_owned();
        // Nobody listens when an earlier part failed; that error is the one to tell.
        self.finished.send(file).map_err(|_| {
            Error::io(&path, "finish it", std::io::Error::other("an earlier part could not be finished"))
        })
    }
}

/// Parts are handed over, each as a whole.
pub(super) struct ToSink<'a> {
    sink: &'a mut (dyn FnMut(PackedPart) -> Result<(), Error> + Send),
    bytes: Vec<u8>,
    /// Bytes that a part has at most: a buffer that grows would take twice of that.
    most: usize,
}

impl<'a> ToSink<'a> {
    pub(super) fn new(sink: &'a mut (dyn FnMut(PackedPart) -> Result<(), Error> + Send), most: u64) -> Self {
        Self { sink, bytes: Vec::new(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }
}

impl Output for ToSink<'_> {
    fn write(&mut self, _: &str, bytes: &[u8]) -> Result<(), Error> {
        if self.bytes.is_empty() {
            self.bytes
                .try_reserve_exact(self.most)
                .map_err(|_| Error::Usage(format!("there is no memory for a part of {} bytes", self.most)))?;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self, index: usize, name: &str, digest: &Digest) -> Result<(), Error> {
        let bytes = std::mem::take(&mut self.bytes);
        (self.sink)(PackedPart { index, name: name.to_owned(), digest: *digest, bytes })
    }
}

/// A part that is complete, in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct PackedPart {
    /// Its index in the manifest.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// SHA-1 of its bytes.
    pub digest: Digest,
    /// Its bytes, encrypted.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for PackedPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PackedPart({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// Encrypts and cuts.
pub(super) struct Parts<'a, O> {
    prefix: &'a str,
    part_size: u64,
    cipher: cbc::Encryptor<Aes128>,
    /// Bytes that are no whole block yet.
    rest: Vec<u8>,
    buffer: Vec<u8>,
    /// Name, digest and bytes of the part that is begun.
    open: Option<(String, Sha1, u64)>,
    output: O,
    parts: Vec<Part>,
    /// Bytes that the parts take in the manifest.
    listed: u64,
    length: u64,
}

impl<'a, O: Output> Parts<'a, O> {
    pub(super) fn new(options: &super::BundleOptions<'a>, session: &Session, output: O) -> Self {
        Self {
            prefix: options.name,
            part_size: options.part_size,
            cipher: cbc::Encryptor::new(session.key().into(), session.iv().into()),
            rest: Vec::with_capacity(AES_BLOCK),
            buffer: Vec::new(),
            open: None,
            output,
            parts: Vec::new(),
            listed: 0,
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
            let (name, digest, have) = match &mut self.open {
                Some(open) => open,
                none => {
                    let index = self.parts.len();
                    let name = part_name(self.prefix, index);
                    self.listed += part_text(index, &name, &Digest::default()).len() as u64;
                    if self.listed > LARGEST_PART_LIST {
                        return Err(Error::Usage(format!(
                            "the bundle has more than {index} parts of {} bytes, and no manifest has room for them; \
                             make larger parts",
                            self.part_size
                        )));
                    }
                    none.insert((name, Sha1::new(), 0))
                }
            };
            let room = usize::try_from(self.part_size - *have).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.output.write(name, now)?;
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
        let Some((name, digest, _)) = self.open.take() else { return Ok(()) };
        let digest = digest.finalize().into();
        self.output.close(self.parts.len(), &name, &digest)?;
        self.parts.push(Part { name, digest });
        Ok(())
    }
}
