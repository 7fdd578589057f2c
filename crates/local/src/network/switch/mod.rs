//! The switch: one thread that waits for all of its ports at once, learns who is behind which, and waits for nobody.

mod port;
mod table;
#[cfg(test)]
mod tests;

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use hardtack_cloud::Environment;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use self::port::Port;
use self::table::Table;
use super::frame::{Ethernet, is_group};
use super::host::{Verdict, look};
use super::plan::Plan;
use super::{place, start};
use crate::Error;
use crate::instance::Short;

/// Ports at once: as many as there are places, and some that come back before they are missed.
const MOST_PORTS: usize = 300;
/// How long the switch stays when nobody is connected.
const ALONE: Duration = Duration::from_secs(60);
/// How often it looks whether that is so.
const TICK: Duration = Duration::from_secs(5);

/// The switch of the network in `directory`: the body of a hidden verb. Ends when nobody was connected for a while.
///
/// # Errors
/// Another one runs; its socket cannot be made.
pub fn switch(directory: &Path, environment: &Environment) -> Result<(), Error> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plan = Plan::of(name)?;
    let lock = place::open_lock(&directory.join(start::LOCK))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| Error::Refused(format!("{}: the network's switch runs already", directory.display())))?;
    let socket = directory.join(start::SOCKET);
    let listener = Short::open(directory)?
        .listen(start::SOCKET)
        .map_err(|error| Error::file(&socket, "listen for the network's members", error))?;
    let mut alone_since = Instant::now();
    let mut ending = None;
    let ended = run(&listener, plan, TICK, &mut |connected| {
        if connected > 0 {
            alone_since = Instant::now();
        } else if !directory.is_dir() {
            // The catalog is gone, and the socket with it.
            return true;
        }
        if alone_since.elapsed() < ALONE {
            return false;
        }
        // Who is about to come has the lock, or had it a moment ago.
        let Ok(Some(lock)) = place::try_lock(directory) else { return false };
        let quiet = place::changed(directory)
            .is_none_or(|at| (environment.now)().duration_since(at).is_ok_and(|since| since >= ALONE));
        if quiet {
            ending = Some(lock);
        }
        quiet
    });
    // Still under the network's lock, where it ended by itself: who comes next finds neither, and starts another.
    let _ = std::fs::remove_file(&socket);
    drop((listener, lock, ending));
    ended.map_err(|error| Error::file(&socket, "go on with the network's switch", error))
}

/// Switches until `is_over`, which is told the number of ports at every tick.
fn run(
    listener: &UnixListener,
    plan: Plan,
    tick: Duration,
    is_over: &mut dyn FnMut(usize) -> bool,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut ports: Vec<Port> = Vec::new();
    let mut table = Table::default();
    let mut next_port = 0_u64;
    let mut ticked = Instant::now();
    let mut scratch = vec![0; 256 << 10].into_boxed_slice();
    loop {
        let left = tick.saturating_sub(ticked.elapsed());
        if left.is_zero() {
            if is_over(ports.len()) {
                return Ok(());
            }
            ticked = Instant::now();
            continue;
        }
        let (accept, ready) = wait(listener, &ports, left)?;
        if accept {
            while ports.len() < MOST_PORTS
                && let Ok((stream, _)) = listener.accept()
            {
                if let Ok(port) = Port::new(next_port, stream) {
                    ports.push(port);
                    next_port += 1;
                }
            }
        }
        // A round: each port that has something is read once, and then everybody is written to.
        for at in ready {
            let Some(port) = ports.get_mut(at) else { continue };
            let from = port.number();
            port.read(&mut scratch);
            let received = port.take();
            received.frames(|frame| forward(frame, from, &mut ports, &mut table, plan));
            if let Some(port) = ports.get_mut(at) {
                port.put_back(received);
            }
        }
        for port in &mut ports {
            port.write();
        }
        ports.retain(|port| {
            if port.is_gone() {
                table.forget(port.number());
            }
            !port.is_gone()
        });
    }
}

/// The frames in what a member sends; false where nobody knows any more where the next one begins.
pub(crate) fn frames(chunks: &[&[u8]], each: &mut dyn FnMut(&[u8])) -> bool {
    let mut received = port::Received::default();
    for chunk in chunks {
        received.add(chunk);
        received.frames(&mut *each);
        if received.shorten() {
            return false;
        }
    }
    true
}

/// Waits until somebody has something or takes something: whether somebody connects, and which ports are to be read.
fn wait(listener: &UnixListener, ports: &[Port], left: Duration) -> std::io::Result<(bool, Vec<usize>)> {
    let mut ends = Vec::with_capacity(ports.len() + 1);
    for port in ports {
        ends.push(PollFd::from_borrowed_fd(port.as_fd(), port.wants()));
    }
    // Where there is no room, who comes waits; to look would only burn time.
    if ports.len() < MOST_PORTS {
        ends.push(PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN));
    }
    let left =
        Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(1), tv_nsec: left.subsec_nanos().into() };
    match poll(&mut ends, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    let ready: Vec<usize> = ends
        .iter()
        .enumerate()
        .filter(|(_, end)| end.revents().intersects(readable))
        .map(|(at, _)| at)
        .collect();
    let accept = ready.last() == Some(&ports.len());
    Ok((accept, ready.into_iter().filter(|at| *at < ports.len()).collect()))
}

/// Where a frame goes.
fn forward(frame: &[u8], from: u64, ports: &mut [Port], table: &mut Table, plan: Plan) {
    let Some(ethernet) = Ethernet::parse(frame) else { return };
    // Nobody else is the switch.
    if ethernet.from == plan.own_mac() {
        return;
    }
    if !is_group(ethernet.from) {
        table.learn(ethernet.from, from);
    }
    match look(&ethernet, plan) {
        Verdict::Answer(answer) => {
            if let Some(answer) = answer
                && let Some(port) = ports.iter_mut().find(|port| port.number() == from)
            {
                port.send(&answer);
            }
        }
        Verdict::Forward => {
            let only = if is_group(ethernet.to) { None } else { table.port(ethernet.to) };
            let meant =
                |port: &&mut Port| port.number() != from && only.is_none_or(|only| only == port.number());
            for port in ports.iter_mut().filter(meant) {
                port.send(frame);
            }
        }
    }
}
