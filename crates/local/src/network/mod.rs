//! Private networks of instances: `CATALOG/networks/NAME`, a directory for its owner alone.
//!
//! A switch of our own, a process that lives as long as somebody is connected, joins any number of QEMUs by
//! `-netdev stream` on a Unix socket (each Ethernet frame with its length in four bytes before it). It gives its members
//! addresses by DHCP, as a VPC does, unless they boot from the network: those are left to a server among the members.
//!
//! | file | what is in it |
//! |---|---|
//! | `members.json` | who has which number |
//! | `lock` | held while that is changed, and while the switch is started or ends |
//! | `switch.lock` | held by the switch as long as it runs |
//! | `switch.sock` | where QEMUs connect |
//! | `switch.log` | what the switch had to say |
//!
//! * `plan`: names, addresses and hardware addresses. `place`: who has which. `start`: the switch's process.
//! * `switch`: the switch. `frame`: Ethernet, IPv4 and UDP. `host`: the switch's own address: ARP, ping, DHCP (`dhcp`).
//! * `capture`: packets into files and pipes.

mod capture;
mod dhcp;
mod frame;
mod host;
mod place;
mod plan;
mod start;
mod switch;

use std::path::PathBuf;

pub use capture::{can_capture, capture};
pub use place::{join, leave};
pub use plan::check_name;
pub(crate) use switch::frames;
pub use switch::switch;

/// What the switch itself answers to a frame; the outer `None`: it is for others.
pub(crate) fn answer(name: &str, frame: &[u8]) -> Option<Option<Vec<u8>>> {
    let plan = plan::Plan::of(name).ok()?;
    match host::look(&frame::Ethernet::parse(frame)?, plan) {
        host::Verdict::Answer(answer) => Some(answer),
        host::Verdict::Forward => None,
    }
}

/// An instance's place in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The switch's socket. Where its whole path is too long for a socket's address it is relative to the instance's
    /// directory, `CATALOG/instances/i-…`, which is QEMU's working directory.
    pub socket: PathBuf,
    /// The card's hardware address, small letters.
    pub mac: String,
    /// Its address.
    pub address: String,
    /// The length of the network's prefix.
    pub prefix: u8,
}
