//! Waiting that ends: a moment for everything, not a time between two bytes, which a server can stretch
//! for ever by sending one now and then.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The longest wait that anybody may ask for.
const DAY: Duration = Duration::from_secs(86_400);

/// A moment, and the limit that it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from now.
    pub(crate) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit.min(DAY), limit }
    }

    /// The earlier one.
    pub(crate) fn or(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// What is left of it; `None` when it is over.
    pub(crate) fn left(self) -> Option<Duration> {
        self.at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// As [`left`](Self::left), as an error that [`is_late`] knows.
    pub(crate) fn wait(self) -> io::Result<Duration> {
        self.left().ok_or_else(|| ErrorKind::TimedOut.into())
    }

    /// The limit in seconds, for messages; part of one counts as one.
    pub(crate) fn seconds(self) -> u64 {
        self.limit.as_secs() + u64::from(self.limit.subsec_nanos() > 0)
    }
}

/// Whether the system waited as long as it was told to.
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// What can be read and written with a timeout.
pub(crate) trait Socket: Read + Write {
    /// Sets both timeouts.
    fn set_timeout(&self, timeout: Duration) -> io::Result<()>;

    /// Tells the other side that nothing more is sent.
    fn finish(&self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }

    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Socket for UnixStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }

    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// A connection under two deadlines: one for the first byte that comes, one for all.
pub(crate) struct Timed<'a> {
    socket: &'a mut dyn Socket,
    first: Deadline,
    total: Deadline,
    begun: bool,
}

impl<'a> Timed<'a> {
    pub(crate) fn new(socket: &'a mut dyn Socket, first: Deadline, total: Deadline) -> Self {
        Self { socket, first: total.or(first), total, begun: false }
    }

    /// The deadline that holds now.
    pub(crate) fn deadline(&self) -> Deadline {
        if self.begun { self.total } else { self.first }
    }

    /// Tells the other side that nothing more is sent.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.socket.finish()
    }

    /// Writes all of it.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.socket.set_timeout(self.deadline().wait()?)?;
            match self.socket.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_timeout(self.deadline().wait()?)?;
            match self.socket.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.begun |= count > 0;
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
