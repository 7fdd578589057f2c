//! From QEMU's user network to the metadata service: a process for each connection, which libslirp starts with the
//! connection, a TCP socket, as its standard input and output at once.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::Error;

/// Nothing moved for so long: it is over. The service itself gives up sooner.
const IDLE: Duration = Duration::from_secs(60);
/// How long the guest may take to close after the last byte. A TCP socket that is closed with something unread is reset,
/// and the guest would lose the end of the answer.
const LINGER: Duration = Duration::from_secs(3);

/// Joins standard input and output with the Unix socket at `socket`, both ways, until both have ended: the body of a
/// hidden verb.
///
/// # Errors
/// Nobody listens there.
pub fn relay(socket: &Path) -> Result<(), Error> {
    let server = UnixStream::connect(socket)
        .map_err(|source| Error::file(socket, "reach the metadata service", source))?;
    join(std::io::stdin().as_fd(), std::io::stdout().as_fd(), &server)
        .map_err(|source| Error::file(socket, "go on with the relay", source))
}

/// One direction: what was read and is not written yet.
struct Pipe {
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    /// Something has come.
    used: bool,
    /// Nothing more comes.
    ended: bool,
    /// The end was told.
    told: bool,
}

impl Pipe {
    fn new() -> Self {
        Self {
            buffer: vec![0; 32 << 10].into_boxed_slice(),
            from: 0,
            to: 0,
            used: false,
            ended: false,
            told: false,
        }
    }

    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Reads once where there is room.
    fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> Result<usize, Errno>) {
        if !self.is_empty() || self.ended {
            return;
        }
        match read(&mut self.buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => (self.from, self.to, self.used) = (0, length, true),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.ended = true,
        }
    }

    /// Writes once; false where the other side is gone.
    fn drain(&mut self, write: impl FnOnce(&[u8]) -> Result<usize, Errno>) -> bool {
        let Some(rest) = self.buffer.get(self.from..self.to).filter(|rest| !rest.is_empty()) else {
            return true;
        };
        match write(rest) {
            Ok(length) => self.from = self.from.saturating_add(length).min(self.to),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return false,
        }
        true
    }
}

pub(super) fn join(
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    server: &UnixStream,
) -> std::io::Result<()> {
    for end in [input, output] {
        rustix::io::ioctl_fionbio(end, true)?;
    }
    server.set_nonblocking(true)?;
    let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let (mut asked, mut answered) = (Pipe::new(), Pipe::new());
    loop {
        // Where one side has ended and all of it is written, the other side is told.
        if asked.ended && asked.is_empty() && !asked.told {
            asked.told = true;
            // It may have gone meanwhile.
            let _ = server.shutdown(Shutdown::Write);
        }
        if answered.ended && answered.is_empty() && !answered.told {
            // Nothing was answered: the service has no room, and a process that stays for that would be one of many.
            if !answered.used {
                return Ok(());
            }
            answered.told = true;
            // No socket (a terminal, a pipe): the end of the process tells it.
            let _ = rustix::net::shutdown(output, rustix::net::Shutdown::Write);
        }
        if asked.ended && answered.told {
            return Ok(());
        }
        // After the service's end the guest's bytes are for nobody.
        if answered.told {
            asked.from = asked.to;
        }
        let wants_input = if asked.is_empty() && !asked.ended { PollFlags::IN } else { PollFlags::empty() };
        let wants_output = if answered.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let mut wants_server = PollFlags::empty();
        wants_server.set(PollFlags::IN, answered.is_empty() && !answered.ended);
        wants_server.set(PollFlags::OUT, !asked.is_empty());
        // What is not waited for is not looked at, since poll tells of a hang-up whether it is wanted or not.
        let mut ends = Vec::with_capacity(3);
        for (end, wants) in [(input, wants_input), (output, wants_output), (server.as_fd(), wants_server)] {
            if !wants.is_empty() {
                ends.push(PollFd::from_borrowed_fd(end, wants));
            }
        }
        let patience = if answered.told { LINGER } else { IDLE };
        let patience = Timespec { tv_sec: i64::try_from(patience.as_secs()).unwrap_or(1), tv_nsec: 0 };
        match poll(&mut ends, Some(&patience)) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        asked.fill(|buffer| rustix::io::read(input, buffer));
        answered.fill(|buffer| (&*server).read(buffer).map_err(errno));
        if !asked.drain(|bytes| (&*server).write(bytes).map_err(errno)) {
            // The service wants no more; what it has said already is still to come.
            asked.from = asked.to;
            asked.ended = true;
            asked.told = true;
        }
        if !answered.drain(|bytes| rustix::io::write(output, bytes)) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A guest's end and a server's, with a relay between.
    fn ends() -> (UnixStream, UnixStream, thread::JoinHandle<std::io::Result<()>>) {
        let (guest, inner) = UnixStream::pair().unwrap();
        let (server, to_server) = UnixStream::pair().unwrap();
        let relay = thread::spawn(move || join(inner.as_fd(), inner.as_fd(), &to_server));
        for end in [&guest, &server] {
            end.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        (guest, server, relay)
    }

    fn all(mut from: &UnixStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn both_ways_with_halves_closed() {
        let (mut guest, mut server, relay) = ends();
        guest.write_all(b"question").unwrap();
        guest.shutdown(Shutdown::Write).unwrap();
        assert_eq!(all(&server), b"question");
        let long: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        let expected = long.clone();
        let writer = thread::spawn(move || server.write_all(&long));
        assert_eq!(all(&guest), expected);
        writer.join().unwrap().unwrap();
        relay.join().unwrap().unwrap();
    }

    #[test]
    fn an_answer_before_the_question_is_over() {
        let (mut guest, mut server, relay) = ends();
        guest.write_all(b"q").unwrap();
        let mut one = [0; 1];
        server.read_exact(&mut one).unwrap();
        server.write_all(b"answer").unwrap();
        drop(server);
        assert_eq!(all(&guest), b"answer");
        // It still talks; nobody listens, and nothing breaks.
        guest.write_all(b"more").unwrap();
        drop(guest);
        relay.join().unwrap().unwrap();
    }

    #[test]
    fn a_side_that_is_gone_ends_it() {
        let (guest, server, relay) = ends();
        drop(guest);
        assert_eq!(all(&server), b"");
        drop(server);
        relay.join().unwrap().unwrap();
        assert!(matches!(super::relay(Path::new("/nonexistent/metadata")), Err(Error::File { .. })));
    }

    #[test]
    fn a_service_that_says_nothing_ends_it_while_the_guest_waits() {
        let (mut guest, server, relay) = ends();
        guest.write_all(b"question").unwrap();
        drop(server);
        relay.join().unwrap().unwrap();
        let mut rest = Vec::new();
        // Closed or reset: something of it was not read.
        let _ = guest.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }

    #[test]
    fn errors_of_reading_are_the_end() {
        let mut pipe = Pipe::new();
        pipe.fill(|_| Err(Errno::CONNRESET));
        assert!(pipe.ended && pipe.is_empty());
        assert_eq!(std::io::Error::from(Errno::AGAIN).kind(), std::io::ErrorKind::WouldBlock);
    }
}
