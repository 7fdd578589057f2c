//! Captures: what QEMU's `filter-dump` writes (pcap), to a file or a named pipe.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Error;

/// A file's header, and a packet's.
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// No packet of QEMU's is larger.
const LARGEST: usize = 256 << 10;
/// How often a pipe without a reader is tried, where no packet comes.
const LOOK: Duration = Duration::from_millis(100);
/// Packets between QEMU and a pipe.
const QUEUE: usize = 64;
/// How long the last packets wait for a reader that is slow.
const FAREWELL: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Looks whether packets can be written to `to`, a file or a named pipe of this user's own; a file is made.
///
/// # Errors
/// It is somebody else's, or neither; it cannot be written; there is something in it that is no capture.
pub fn can_capture(to: &Path) -> Result<(), Error> {
    match std::fs::metadata(to) {
        Ok(found) => {
            is_own(to, &found)?;
            if found.file_type().is_fifo() {
                return rustix::fs::access(to, rustix::fs::Access::WRITE_OK)
                    .map_err(|error| Error::file(to, "write the capture", error.into()));
            }
            is_capture(to)?;
            open_file(to).map(drop)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => open_file(to).map(drop),
        Err(error) => Err(Error::file(to, "look at the capture's file", error)),
    }
}

/// What one instance says to others is not for the owner of whatever lies at a path.
fn is_own(to: &Path, found: &Metadata) -> Result<(), Error> {
    let kind = found.file_type();
    let wrong = match () {
        () if !kind.is_file() && !kind.is_fifo() => "it is neither a file nor a named pipe".to_owned(),
        () if found.uid() != rustix::process::geteuid().as_raw() => {
            format!("it belongs to another user ({})", found.uid())
        }
        () => return Ok(()),
    };
    Err(Error::Usage(format!(
        "{}: {wrong}; packets are written to a file or a named pipe of your own",
        to.display()
    )))
}

/// A capture is begun anew over an older one, and over nothing else that somebody may need.
fn is_capture(to: &Path) -> Result<(), Error> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let fail = |error| Error::file(to, "look what is in the capture's file", error);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(to).map_err(fail)?;
    let mut begins = Vec::new();
    file.take(4).read_to_end(&mut begins).map_err(fail)?;
    let known = begins.first_chunk::<4>().is_some_and(|magic| is_big(*magic).is_some());
    match begins.is_empty() || known {
        true => Ok(()),
        false => Err(Error::Usage(format!(
            "{}: it is no capture, and packets would be written over what is in it; give a file that is not there, that is \
             empty, or that is an older capture",
            to.display()
        ))),
    }
}

/// Whether the numbers of a capture that begins so are big-endian; `None`: it is none.
fn is_big(magic: [u8; 4]) -> Option<bool> {
    match magic {
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => Some(true),
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => Some(false),
        _ => None,
    }
}

/// A file for packets, its owner's alone; what is in it stays for now.
fn open_file(to: &Path) -> Result<File, Error> {
    let fail = |error| Error::file(to, "write the capture", error);
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600).custom_flags(flags);
    let file = options.open(to).map_err(fail)?;
    is_own(to, &file.metadata().map_err(fail)?)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(fail)?;
    Ok(file)
}

/// Copies captured packets from `from`, a pipe that QEMU writes to, to a file or a named pipe at `to`. A named pipe may
/// have no reader yet, or lose one and get another: each begins with the file's header, and packets that nobody reads are
/// dropped, so that the instance never waits. A file is begun anew, and is its owner's alone.
///
/// # Errors
/// The file cannot be written.
pub fn capture(from: impl Read + Send, to: &Path) -> Result<(), Error> {
    let is_pipe = std::fs::metadata(to).is_ok_and(|found| found.file_type().is_fifo());
    if is_pipe { to_pipe(from, to) } else { to_file(from, to) }
}

fn to_file(mut from: impl Read, to: &Path) -> Result<(), Error> {
    let fail = |error| Error::file(to, "write the capture", error);
    let mut file = open_file(to)?;
    file.set_len(0).map_err(fail)?;
    let Some(stream) = Stream::begin(&mut from).map_err(fail)? else { return Ok(()) };
    file.write_all(&stream.header).map_err(fail)?;
    while let Some(packet) = stream.packet(&mut from).map_err(fail)? {
        // At once: somebody looks at it while the instance runs.
        file.write_all(&packet).map_err(fail)?;
    }
    Ok(())
}

fn to_pipe(mut from: impl Read + Send, to: &Path) -> Result<(), Error> {
    let fail = |error| Error::file(to, "read the capture", error);
    let Some(stream) = Stream::begin(&mut from).map_err(fail)? else { return Ok(()) };
    let mut pipe = Pipe { path: to, header: stream.header, open: None, waiting: Vec::new() };
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(QUEUE);
        let reader = scope.spawn(move || -> std::io::Result<()> {
            while let Some(packet) = stream.packet(&mut from)? {
                if sender.send(packet).is_err() {
                    break;
                }
            }
            Ok(())
        });
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(packet) => pipe.send(&packet),
                Err(RecvTimeoutError::Timeout) => pipe.look(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        pipe.farewell();
        reader.join().unwrap_or(Ok(())).map_err(fail)
    })
}

/// How the numbers of a stream are written.
struct Stream {
    header: [u8; FILE_HEADER],
    big: bool,
}

impl Stream {
    /// Its header; `None` where it ends before.
    fn begin(from: &mut impl Read) -> std::io::Result<Option<Self>> {
        let mut header = [0; FILE_HEADER];
        if !fill(from, &mut header)? {
            return Ok(None);
        }
        let big = header
            .first_chunk::<4>()
            .copied()
            .and_then(is_big)
            .ok_or_else(|| std::io::Error::new(ErrorKind::InvalidData, "what QEMU sent is no capture"))?;
        Ok(Some(Self { header, big }))
    }

    /// The next packet with its header; `None` at the end, a packet that is cut off there does not count.
    fn packet(&self, from: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
        let mut header = [0; PACKET_HEADER];
        if !fill(from, &mut header)? {
            return Ok(None);
        }
        let length = header.get(8..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
        let length = if self.big { u32::from_be_bytes(length) } else { u32::from_le_bytes(length) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LARGEST {
            return Err(std::io::Error::new(
                ErrorKind::InvalidData,
                format!("a captured packet of {length} bytes"),
            ));
        }
        let mut packet = vec![0; PACKET_HEADER + length];
        if let Some((head, body)) = packet.split_at_mut_checked(PACKET_HEADER) {
            head.copy_from_slice(&header);
            if !fill(from, body)? {
                return Ok(None);
            }
        }
        Ok(Some(packet))
    }
}

/// False where the stream ends before.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// A named pipe whose readers come and go.
struct Pipe<'a> {
    path: &'a Path,
    header: [u8; FILE_HEADER],
    open: Option<File>,
    /// The rest of what was begun: it is sent before anything else, since half a packet would spoil all that follow.
    waiting: Vec<u8>,
}

impl Pipe<'_> {
    /// Sends a packet, if somebody reads and there is room.
    fn send(&mut self, packet: &[u8]) {
        self.look();
        if self.open.is_some() && self.waiting.is_empty() {
            self.waiting.extend_from_slice(packet);
            // All of it or nothing, as long as nothing of it has gone.
            if self.flush() == 0 {
                self.waiting.clear();
            }
        }
    }

    /// Looks for a reader, and sends what waits.
    fn look(&mut self) {
        // One that goes, and another that comes before this is seen, would find no header.
        if let Some(file) = &self.open {
            let mut ends = [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::empty())];
            let gone = poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
            if gone.is_ok() && ends.iter().any(|end| end.revents().contains(PollFlags::ERR)) {
                self.open = None;
                self.waiting.clear();
            }
        }
        if self.open.is_none() {
            let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            // Without a reader this fails.
            let Ok(file) = OpenOptions::new().write(true).custom_flags(flags).open(self.path) else { return };
            let own = |found: &Metadata| found.file_type().is_fifo() && is_own(self.path, found).is_ok();
            if !file.metadata().is_ok_and(|found| own(&found)) {
                return;
            }
            self.open = Some(file);
            self.waiting = self.header.to_vec();
        }
        self.flush();
    }

    /// How many bytes went.
    fn flush(&mut self) -> usize {
        let mut gone = 0;
        while let (Some(file), false) = (&mut self.open, self.waiting.is_empty()) {
            match file.write(&self.waiting) {
                Ok(length) => {
                    gone += length;
                    self.waiting.drain(..length.min(self.waiting.len()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    // The reader went; another one may come.
                    self.open = None;
                    self.waiting.clear();
                }
            }
        }
        gone
    }

    /// The rest, if the reader takes it.
    fn farewell(&mut self) {
        self.flush();
        if let (Some(file), false) = (&self.open, self.waiting.is_empty()) {
            let mut ends = [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::OUT)];
            if poll(&mut ends, Some(&FAREWELL)).is_ok_and(|ready| ready > 0) {
                self.flush();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; FILE_HEADER] =
        [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0];

    fn packet(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&[1, 0, 0, 0, 2, 0, 0, 0], &length[..], &length, body].concat()
    }

    #[test]
    fn a_file_has_all_whole_packets() {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("x.pcap");
        let whole = [&HEADER[..], &packet(b"one"), &packet(b"two")].concat();
        let cut = [&whole[..], &packet(b"three")[..17]].concat();
        std::fs::write(
            &to,
            "what was there before, and is longer than all of what comes, by a good measure of bytes",
        )
        .unwrap();
        capture(&cut[..], &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), whole);
        let fresh = directory.path().join("y.pcap");
        capture(&whole[..], &fresh).unwrap();
        assert_eq!(std::fs::metadata(&fresh).unwrap().mode() & 0o777, 0o600);
        let huge = [&HEADER[..], &[0; 8], &[0xff; 8]].concat();
        assert!(capture(&huge[..], &to).is_err());
        assert!(capture(&b"this is no capture at all"[..], &to).is_err());
        assert!(capture(&b""[..], &to).is_ok());
        assert!(capture(&whole[..], directory.path()).is_err());
        // What everybody could read before.
        std::fs::set_permissions(&to, Permissions::from_mode(0o666)).unwrap();
        capture(&whole[..], &to).unwrap();
        assert_eq!(std::fs::metadata(&to).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_capture_is_written_over_captures_alone() {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("notes.txt");
        std::fs::write(&to, "what somebody needs").unwrap();
        assert!(matches!(can_capture(&to), Err(Error::Usage(text)) if text.contains("no capture")));
        assert_eq!(std::fs::read(&to).unwrap(), b"what somebody needs");
        for older in [&b""[..], &HEADER, &[0xa1, 0xb2, 0x3c, 0x4d]] {
            std::fs::write(&to, older).unwrap();
            std::fs::set_permissions(&to, Permissions::from_mode(0o644)).unwrap();
            can_capture(&to).unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), older);
            assert_eq!(std::fs::metadata(&to).unwrap().mode() & 0o777, 0o600);
        }
    }

    // A test that cannot run says so.
    #[allow(clippy::print_stderr)]
    #[test]
    fn packets_are_for_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let new = directory.path().join("new");
        can_capture(&new).unwrap();
        assert_eq!(std::fs::metadata(&new).unwrap().mode() & 0o777, 0o600);
        for wrong in [directory.path(), Path::new("/dev/null"), &directory.path().join("no/where")] {
            assert!(can_capture(wrong).is_err(), "{}", wrong.display());
        }
        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        can_capture(&pipe).unwrap();
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: only root can make files of others");
            return;
        }
        for path in [&new, &pipe] {
            std::os::unix::fs::chown(path, Some(65_534), None).unwrap();
            let error = can_capture(path).unwrap_err().to_string();
            assert!(error.contains("another user (65534)"), "{error}");
            std::fs::write(&new, "theirs").unwrap();
            assert!(capture(&[&HEADER[..], &packet(b"one")].concat()[..], &new).is_err());
            assert_eq!(std::fs::read(&new).unwrap(), b"theirs");
        }
        // A link of somebody else's leads to a file of one's own, and the kernel decides where that may be.
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("other"), &link).unwrap();
        can_capture(&link).unwrap();
    }

    #[test]
    fn readers_of_a_pipe_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &to, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let (from, mut qemu) = std::io::pipe().unwrap();
        std::thread::scope(|scope| {
            let copy = scope.spawn(|| capture(from, &to));
            qemu.write_all(&HEADER).unwrap();
            // Nobody reads: it is lost, and nobody waits.
            for _ in 0..1000 {
                qemu.write_all(&packet(&[1; 1000])).unwrap();
            }
            for body in [2_u8, 3] {
                let mut reader = File::open(&to).unwrap();
                let mut header = [0; FILE_HEADER];
                reader.read_exact(&mut header).unwrap();
                assert_eq!(header, HEADER);
                // What was still on its way comes before.
                qemu.write_all(&packet(&[body; 5000])).unwrap();
                let stream = Stream::begin(&mut &HEADER[..]).unwrap().unwrap();
                let mine = packet(&[body; 5000]);
                while stream.packet(&mut reader).unwrap().unwrap() != mine {}
                drop(reader);
                // Until it is found out that nobody reads any more.
                while is_open(&to) {
                    std::thread::yield_now();
                }
            }
            drop(qemu);
            copy.join().unwrap().unwrap();
        });
    }

    /// Whether this process has it open.
    fn is_open(path: &Path) -> bool {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|link| link == path))
    }

    #[test]
    fn a_slow_reader_gets_whole_packets() {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &to, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let mut all = HEADER.to_vec();
        for number in 0..200_u8 {
            all.extend_from_slice(&packet(&[number; 3000]));
        }
        let mut reader = std::thread::scope(|scope| {
            let opened = scope.spawn(|| File::open(&to).unwrap());
            let to = to.clone();
            let all = &all;
            // It reads nothing until all of it has been sent.
            scope.spawn(move || {
                let reader = OpenOptions::new().read(true).write(true).open(&to).unwrap();
                capture(&all[..], &to).unwrap();
                drop(reader);
            });
            opened.join().unwrap()
        });
        let stream = Stream::begin(&mut reader).unwrap().unwrap();
        let mut got = 0;
        while let Some(packet) = stream.packet(&mut reader).unwrap() {
            assert_eq!(packet.len(), PACKET_HEADER + 3000);
            got += 1;
        }
        assert!((1..200).contains(&got), "{got}");
    }
}
