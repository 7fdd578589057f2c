//! From the parts to the image: decrypted and inflated by one thread, hashed and written by another.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use flate2::bufread::MultiGzDecoder;
use hardtack_disk::AtomicFile;
use sha1::{Digest as _, Sha1};

use super::Bundle;
use super::parts::Decrypted;
use crate::layout::LARGEST_TAIL;
use crate::session::Session;
use crate::tar::Member;
use crate::write::{Progress, Stage};
use crate::{Error, hex};

/// Bytes that one thread gives the other at once, and how many such pieces may wait.
const PIECE: usize = 256 << 10;
const WAITING: usize = 8;
/// Length of a hole.
const HOLE: usize = 4096;

/// The inflated stream, hashed as it is read.
struct Stream {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    digest: Sha1,
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            // The other thread is gone: at the end, or after an error that was told.
            let Ok(piece) = self.pieces.recv() else { return Ok(0) };
            self.piece = piece?;
            self.at = 0;
            self.digest.update(&self.piece);
        }
        let length = out.len().min(self.piece.len() - self.at);
        out[..length].copy_from_slice(&self.piece[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn inflate(packed: Decrypted, send: &SyncSender<io::Result<Vec<u8>>>) {
    let mut stream = MultiGzDecoder::new(BufReader::with_capacity(PIECE, packed));
    loop {
        let mut piece = vec![0; PIECE];
        let mut have = 0;
        let result = loop {
            match stream.read(&mut piece[have..]) {
                Ok(0) => break Ok(()),
                Ok(got) => have += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        piece.truncate(have);
        let ends = have < PIECE;
        // Nobody listens any more when the image was refused; that is known there.
        if (have > 0 && send.send(Ok(piece)).is_err()) || ends {
            if let Err(error) = result {
                let _ = send.send(Err(error));
            }
            return;
        }
    }
}

/// Takes the bundle apart, into `out` where there is one, and compares everything with the manifest. The
/// bytes of the image that are not holes.
pub(super) fn read(
    bundle: &Bundle,
    session: &Session,
    out: Option<&mut AtomicFile>,
    progress: Progress<'_>,
) -> Result<u64, Error> {
    let (send, pieces) = sync_channel(WAITING);
    let packed = Decrypted::new(&bundle.directory, &bundle.manifest.parts, session);
    std::thread::scope(|scope| {
        scope.spawn(move || inflate(packed, &send));
        // Gone with this closure, so that the other thread does not wait for a reader.
        let mut stream = Stream { pieces, piece: Vec::new(), at: 0, digest: Sha1::new() };
        copy(bundle, &mut stream, out, progress)
    })
}

fn copy(
    bundle: &Bundle,
    stream: &mut Stream,
    out: Option<&mut AtomicFile>,
    progress: Progress<'_>,
) -> Result<u64, Error> {
    let manifest = &bundle.manifest;
    let refuse = |what: String| Error::Content { path: bundle.path.clone(), what };
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            refuse(format!("it cannot be unpacked: {error}"))
        }
        _ => Error::io(&bundle.path, "read the parts", error),
    };
    let member = Member::read(stream).map_err(refuse)?;
    if member.size != manifest.size {
        let (found, said) = (member.size, manifest.size);
        return Err(refuse(format!("its image has {found} bytes, and the manifest says {said}")));
    }
    let target = out.as_ref().map(|out| (out.file(), out.path()));
    if let Some((file, path)) = target {
        file.set_len(member.size)
            .map_err(|error| Error::io(path, format!("make it {} bytes long", member.size), error))?;
    }
    let (mut buffer, mut data) = (vec![0; 1 << 20], 0);
    for (offset, length) in &member.ranges {
        let (mut at, end) = (*offset, offset + length);
        while at < end {
            let length = (end - at).min(buffer.len() as u64);
            let bytes = &mut buffer[..length as usize];
            stream.read_exact(bytes).map_err(broken)?;
            data += write(target, at, bytes)?;
            at += length;
            progress(Stage::Write, at, member.size);
        }
    }
    let tail = io::copy(&mut stream.take(LARGEST_TAIL + 1), &mut io::sink()).map_err(broken)?;
    // The padding of what is stored, and the end of the archive.
    let least = member.stored.next_multiple_of(512).saturating_sub(member.stored);
    if tail > LARGEST_TAIL {
        return Err(refuse(format!("more than {LARGEST_TAIL} bytes follow the image in its archive")));
    }
    if tail < least {
        return Err(refuse("its archive ends in the image".to_owned()));
    }
    let found: [u8; 20] = std::mem::take(&mut stream.digest).finalize().into();
    if found != manifest.digest {
        let (found, said) = (hex::encode(&found), hex::encode(&manifest.digest));
        return Err(refuse(format!("the SHA-1 of its archive is {found}, and the manifest says {said}")));
    }
    progress(Stage::Write, member.size, member.size);
    Ok(data)
}

/// Writes what is not zero; how much that is.
fn write(target: Option<(&File, &Path)>, at: u64, bytes: &[u8]) -> Result<u64, Error> {
    static ZEROS: [u8; HOLE] = [0; HOLE];
    let (mut data, mut start) = (0, None);
    let mut flush = |start: &mut Option<usize>, end: usize| -> Result<(), Error> {
        let Some(from) = start.take() else { return Ok(()) };
        data += (end - from) as u64;
        match target {
            None => Ok(()),
            Some((file, path)) => file
                .write_all_at(&bytes[from..end], at + from as u64)
                .map_err(|error| Error::io(path, format!("write {} bytes", end - from), error)),
        }
    };
    for (index, block) in bytes.chunks(HOLE).enumerate() {
        match (*block == ZEROS[..block.len()], start) {
            (true, Some(_)) => flush(&mut start, index * HOLE)?,
            (false, None) => start = Some(index * HOLE),
            _ => {}
        }
    }
    flush(&mut start, bytes.len())?;
    Ok(data)
}
