//! Connections: a thread each, of which there is a bounded number, and every wait has an end. What comes beyond that
//! number is closed at once: each connection has a process of this host behind it, and those that wait would pile up.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::io::Errno;

use super::Identity;
use super::answer::Answer;
use super::request::{LONGEST, Request};
use super::service::Service;
use crate::Error;

/// Connections at once. Clients ask one thing after the other, so that only a flood comes here.
pub(super) const MOST: usize = 64;
/// Until it is looked again where this process or the host has no room for a connection.
const NO_ROOM: Duration = Duration::from_millis(100);
/// How long a request's head may take, and an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited for the other side to close after the answer, and what it may send meanwhile (a body that nobody
/// wants): a connection that is closed with something unread is reset, and the answer is lost.
const LINGER: Duration = Duration::from_secs(2);
const LEFT_OVER: usize = 1 << 20;
/// The part of a path that is told.
const SHOWN: usize = 200;

/// Answers every connection of `listener` until it is shut down; each in its own thread, of which there is a bounded
/// number. `asked` is told the method and path of each request.
///
/// # Errors
/// The listener breaks.
pub fn serve(
    identity: &Identity,
    listener: &UnixListener,
    random: fn(&mut [u8]),
    now: fn() -> SystemTime,
    asked: &(dyn Fn(&str, &str) + Sync),
) -> Result<(), Error> {
    let service = Service::new(identity, random, now);
    let busy = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => continue,
                    // That is how it is shut down.
                    ErrorKind::InvalidInput => return Ok(()),
                    _ if is_no_room(&error) => {
                        std::thread::sleep(NO_ROOM);
                        continue;
                    }
                    _ => {
                        return Err(Error::Refused(format!("the metadata service's socket broke: {error}")));
                    }
                },
            };
            let Some(slot) = Slot::take(&busy) else { continue };
            let service = &service;
            // Where there is no thread, the connection is closed, and the slot is free again: both are dropped.
            let _ = std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, move || {
                let _slot = slot;
                // What goes wrong with one connection is the client's to see.
                let _ = connection(&stream, service, asked);
            });
        }
    })
}

fn is_no_room(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// A connection's place, given back at its end, however that comes.
struct Slot<'a>(&'a AtomicUsize);

impl<'a> Slot<'a> {
    /// `None` where all are taken.
    fn take(busy: &'a AtomicUsize) -> Option<Self> {
        let more = |busy: usize| (busy < MOST).then(|| busy.saturating_add(1));
        busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(busy))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn connection(
    mut stream: &UnixStream,
    service: &Service,
    asked: &(dyn Fn(&str, &str) + Sync),
) -> std::io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(head) = head(stream)? else { return Ok(()) };
    let answer = match head.as_deref().and_then(Request::parse) {
        Some(request) => {
            let shown: String = request.path.chars().take(SHOWN).collect();
            asked(&request.method, &shown);
            service.answer(&request)
        }
        None => Answer::refusal(400),
    };
    stream.write_all(&answer.bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let ends = Instant::now() + LINGER;
    let (mut buffer, mut left) = ([0; 4096], LEFT_OVER);
    while left > 0 {
        let patience = ends.saturating_duration_since(Instant::now());
        if patience.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(patience))?;
        match stream.read(&mut buffer)? {
            0 => break,
            length => left = left.saturating_sub(length),
        }
    }
    Ok(())
}

/// A request's head without the empty line. The outer `None`: nothing came; the inner: too much, or too slowly.
fn head(mut stream: &UnixStream) -> std::io::Result<Option<Option<Vec<u8>>>> {
    let ends = Instant::now() + PATIENCE;
    let mut bytes: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let patience = ends.saturating_duration_since(Instant::now());
        if patience.is_zero() || bytes.len() > LONGEST {
            return Ok(Some(None));
        }
        stream.set_read_timeout(Some(patience))?;
        let length = match stream.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok((!bytes.is_empty()).then_some(None));
            }
            Err(error) => return Err(error),
        };
        if length == 0 {
            return Ok((!bytes.is_empty()).then_some(None));
        }
        // The end may lie across two reads.
        let from = bytes.len().saturating_sub(3);
        bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if let Some(end) = end_of_head(bytes.get(from..).unwrap_or_default()) {
            bytes.truncate(from + end);
            return Ok(Some(Some(bytes)));
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let crlf = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let bare = bytes.windows(2).position(|two| two == b"\n\n");
    match (crlf, bare) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
