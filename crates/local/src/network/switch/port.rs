//! A member's connection: frames with their length in four bytes before each, highest first (QEMU, `net/stream.c`).

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;

/// The longest frame that QEMU sends or takes (`NET_BUFSIZE`).
pub(super) const LONGEST: usize = 4096 + 65_536;
/// What waits for a member that does not read; what comes then is lost, as on any wire.
const QUEUE: usize = 1 << 20;

/// A connection.
pub(super) struct Port {
    number: u64,
    stream: UnixStream,
    received: Received,
    queue: Vec<u8>,
    sent: usize,
    gone: bool,
}

/// What came and is not forwarded yet.
#[derive(Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    /// So much of it is done.
    done: std::cell::Cell<usize>,
    broken: std::cell::Cell<bool>,
}

impl Received {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets what is done; true where it is broken.
    pub(super) fn shorten(&mut self) -> bool {
        let done = self.done.take().min(self.bytes.len());
        self.bytes.drain(..done);
        self.broken.get()
    }

    /// Gives all whole frames to `each`.
    pub(super) fn frames(&self, mut each: impl FnMut(&[u8])) {
        while let Some(rest) = self.bytes.get(self.done.get()..) {
            let Some((length, rest)) = rest.split_first_chunk::<4>() else { return };
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length == 0 || length > LONGEST {
                // Nobody knows where the next one begins.
                self.broken.set(true);
                return;
            }
            let Some(frame) = rest.get(..length) else { return };
            each(frame);
            self.done.set(self.done.get().saturating_add(length + 4));
        }
    }
}

impl Port {
    pub(super) fn new(number: u64, stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { number, stream, received: Received::default(), queue: Vec::new(), sent: 0, gone: false })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(super) fn wants(&self) -> PollFlags {
        if self.queue.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }

    /// Reads once.
    pub(super) fn read(&mut self, scratch: &mut [u8]) {
        match self.stream.read(scratch) {
            Ok(0) => self.gone = true,
            // Before it there is less than a frame: this does not grow.
            Ok(length) => self.received.add(scratch.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
    }

    /// Takes out what was read, so that other ports can be written to while it is looked at.
    pub(super) fn take(&mut self) -> Received {
        std::mem::take(&mut self.received)
    }

    /// And puts the rest back.
    pub(super) fn put_back(&mut self, mut received: Received) {
        self.gone |= received.shorten();
        self.received = received;
    }

    /// Queues a frame, if there is room.
    pub(super) fn send(&mut self, frame: &[u8]) {
        let waiting = self.queue.len().saturating_sub(self.sent);
        let Ok(length) = u32::try_from(frame.len()) else { return };
        if waiting.saturating_add(frame.len()) > QUEUE || frame.len() > LONGEST {
            return;
        }
        self.queue.extend_from_slice(&length.to_be_bytes());
        self.queue.extend_from_slice(frame);
    }

    /// Writes what can be written.
    pub(super) fn write(&mut self) {
        while let Some(rest) = self.queue.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(length) => self.sent = self.sent.saturating_add(length),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
        // Most of the time all of it is gone.
        self.queue.drain(..self.sent.min(self.queue.len()));
        self.sent = 0;
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
