//! The machine's addresses by device, and the tables of them that the network stage prints
//! (`cloudinit/netinfo.py`: `netdev_info`, `debug_info`). No program is asked.
//!
//! IPv4 addresses stand in no file that says whose they are, so the kernel is asked as `ip address` asks it
//! (`linux/rtnetlink.h`, `linux/if_addr.h`); the rest is in /proc and /sys.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hardtack_netconfig::info::{self, Address, Interface};
use hardtack_netconfig::proc;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use crate::host::Host;

/// How long the kernel may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Addresses that are taken. A machine that routes for others has more than anybody wants on a console.
const MOST: usize = 1000;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const FAMILY: u8 = 2;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// Of a message and of what is in it.
const HEAD: usize = 16;
const ATTRIBUTES: usize = HEAD + 8;

/// An IPv4 address of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ipv4 {
    /// The number of the device.
    pub(crate) index: u32,
    pub(crate) address: Ipv4Addr,
    /// Bits of the network's part.
    pub(crate) prefix: u8,
    /// `RT_SCOPE_…`: 0 is the world, 253 the link, 254 the machine.
    scope: u8,
}

impl Ipv4 {
    /// Good beyond its own link.
    pub(crate) fn is_global(&self) -> bool {
        self.scope < 253
    }

    fn shown(&self) -> Address {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
        let scope = match self.scope {
            0 => "global",
            200 => "site",
            253 => "link",
            254 => "host",
            _ => "",
        };
        Address {
            address: self.address.to_string(),
            mask: Ipv4Addr::from(mask).to_string(),
            scope: scope.to_owned(),
        }
    }
}

/// The IPv4 addresses of the running machine; none of a tree of files, or when the kernel does not say.
pub(crate) fn ipv4(host: &Host) -> Vec<Ipv4> {
    if host.is_live() { ask().unwrap_or_default() } else { Vec::new() }
}

fn ask() -> Result<Vec<Ipv4>, Errno> {
    // Protocol 0 is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    send(&socket, &request(), SendFlags::empty())?;
    let until = Instant::now() + PATIENCE;
    let mut found = Vec::new();
    // The kernel sends no more than this at once to who reads so much.
    let mut buffer = vec![0_u8; 32 << 10];
    while Instant::now() < until && found.len() < MOST {
        let (_, length) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        if length == 0 || take(buffer.get(..length).unwrap_or(&buffer), &mut found) {
            break;
        }
    }
    Ok(found)
}

/// `RTM_GETADDR` for all devices.
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ATTRIBUTES);
    bytes.extend(24_u32.to_ne_bytes());
    bytes.extend(GET_ADDRESS.to_ne_bytes());
    bytes.extend(DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([FAMILY, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// What follows something of `length` bytes, which are filled up to a multiple of four.
fn behind(bytes: &[u8], length: usize) -> &[u8] {
    length.checked_next_multiple_of(4).and_then(|length| bytes.get(length..)).unwrap_or_default()
}

/// Takes the addresses of one answer; true when it was the last.
fn take(mut bytes: &[u8], found: &mut Vec<Ipv4>) -> bool {
    while let (Some(length), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(message) = bytes.get(..length).filter(|message| message.len() >= HEAD) else { return true };
        match kind {
            DONE | ERROR => return true,
            NEW_ADDRESS if found.len() < MOST => found.extend(address(message)),
            _ => {}
        }
        bytes = behind(bytes, length);
    }
    false
}

/// The address of one message: where there is a peer, `LOCAL` is ours and `ADDRESS` the peer's.
fn address(message: &[u8]) -> Option<Ipv4> {
    let [family, prefix, _, scope] = *message.get(HEAD..HEAD + 4)? else { return None };
    if family != FAMILY {
        return None;
    }
    let (mut first, mut local) = (None, None);
    let mut rest = message.get(ATTRIBUTES..)?;
    while let (Some(length), Some(kind)) = (half(rest, 0), half(rest, 2)) {
        let length = usize::from(length);
        let value: Option<[u8; 4]> = rest.get(4..length).and_then(|value| value.try_into().ok());
        if length < 4 {
            break;
        }
        match kind {
            ADDRESS => first = value,
            LOCAL => local = value,
            _ => {}
        }
        rest = behind(rest, length);
    }
    Some(Ipv4 { index: word(message, HEAD + 4)?, address: local.or(first)?.into(), prefix, scope })
}

/// `cloud-init`'s tables of devices, addresses and routes, with a line break at the end.
pub(crate) fn tables(host: &Host) -> String {
    let text = |path: &str| host.read_text(path).ok().flatten().unwrap_or_default();
    let ipv4 = ipv4(host);
    let ipv6 = proc::addresses6(&text("/proc/net/if_inet6"));
    let interfaces: Vec<Interface> =
        host.names("/sys/class/net").into_iter().map(|name| interface(host, name, &ipv4, &ipv6)).collect();
    let routes = proc::routes4(&text("/proc/net/route"));
    info::tables(&interfaces, &routes, &proc::routes6(&text("/proc/net/ipv6_route"))) + "\n"
}

fn interface(host: &Host, name: String, ipv4: &[Ipv4], ipv6: &[(String, Address)]) -> Interface {
    let text = |file: &str| host.first_line(&format!("/sys/class/net/{name}/{file}")).unwrap_or_default();
    let flags = u32::from_str_radix(text("flags").trim_start_matches("0x"), 16).unwrap_or(0);
    let index: Option<u32> = text("ifindex").parse().ok();
    Interface {
        up: flags & 1 != 0 && text("carrier") == "1",
        // Type 1 is Ethernet; the others have addresses of other kinds, or none.
        hardware: if text("type") == "1" { text("address") } else { String::new() },
        ipv4: ipv4.iter().filter(|of| Some(of.index) == index).map(Ipv4::shown).collect(),
        ipv6: ipv6.iter().filter(|(of, _)| *of == name).map(|(_, address)| address.clone()).collect(),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    /// A message of the kernel's.
    fn message(kind: u16, index: u32, head: [u8; 4], attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = head.to_vec();
        body.extend(index.to_ne_bytes());
        for (kind, value) in attributes {
            body.extend(u16::try_from(value.len() + 4).unwrap_or(0).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut bytes = u32::try_from(body.len() + HEAD).unwrap_or(0).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    fn taken(bytes: &[u8]) -> (Vec<Ipv4>, bool) {
        let mut found = Vec::new();
        let last = take(bytes, &mut found);
        (found, last)
    }

    #[test]
    fn what_the_kernel_answers() {
        let lo = message(NEW_ADDRESS, 1, [2, 8, 128, 254], &[(1, &[127, 0, 0, 1]), (3, b"lo\0")]);
        let card = message(NEW_ADDRESS, 2, [2, 24, 0, 0], &[(1, &[10, 0, 2, 15]), (2, &[10, 0, 2, 15])]);
        let peer = message(NEW_ADDRESS, 3, [2, 32, 0, 0], &[(1, &[10, 9, 9, 9]), (2, &[10, 9, 9, 8])]);
        let ipv6 = message(NEW_ADDRESS, 2, [10, 64, 0, 253], &[(1, &[0; 16])]);
        let (found, last) = taken(&[lo, card, peer, ipv6].concat());
        assert!(!last);
        let shown: Vec<_> = found
            .iter()
            .map(|of| (of.index, of.shown().address, of.shown().mask, of.shown().scope, of.is_global()))
            .collect();
        let row = |index, address: &str, mask: &str, scope: &str, global| {
            (index, address.to_owned(), mask.to_owned(), scope.to_owned(), global)
        };
        assert_eq!(
            shown,
            [
                row(1, "127.0.0.1", "255.0.0.0", "host", false),
                row(2, "10.0.2.15", "255.255.255.0", "global", true),
                row(3, "10.9.9.8", "255.255.255.255", "global", true),
            ]
        );
        assert_eq!(taken(&message(DONE, 0, [0; 4], &[])), (Vec::new(), true));
    }

    #[test]
    fn nonsense_ends() {
        let good = message(NEW_ADDRESS, 2, [2, 24, 0, 0], &[(1, &[10, 0, 2, 15])]);
        for cut in 0..good.len() {
            let (found, _) = taken(&good[..cut]);
            assert!(found.is_empty(), "{cut}");
        }
        for at in 0..good.len() {
            for byte in [0, 1, 3, 255] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                // Nothing but an end is wanted.
                assert!(taken(&bytes).0.len() <= 1, "{at} {byte}");
            }
        }
        let zero = Ipv4 { index: 1, address: Ipv4Addr::LOCALHOST, prefix: 0, scope: 7 }.shown();
        assert_eq!((zero.mask.as_str(), zero.scope.as_str()), ("0.0.0.0", ""));
    }

    #[test]
    fn the_running_kernel_answers() {
        let live = ipv4(&Host::new("/"));
        // Where there is a loopback device that is up.
        let up = Host::new("/").first_line("/sys/class/net/lo/operstate").is_some() && !live.is_empty();
        assert!(!up || live.iter().any(|of| of.address.is_loopback()), "{live:?}");
    }

    #[test]
    fn tables_come_from_proc_and_sys() {
        let tree = Tree::new()
            .file("sys/class/net/eth0/flags", "0x1003\n")
            .file("sys/class/net/eth0/carrier", "1\n")
            .file("sys/class/net/eth0/type", "1\n")
            .file("sys/class/net/eth0/ifindex", "2\n")
            .file("sys/class/net/eth0/address", "52:54:00:12:34:56\n")
            .file("sys/class/net/eth1/flags", "0x1002\n")
            .file("sys/class/net/eth1/type", "772\n")
            .file("proc/net/if_inet6", "fe800000000000005054000000000001 02 40 20 80 eth0\n");
        let text = tables(&tree.host());
        assert!(text.starts_with("ci-info: +++") && text.ends_with('\n'), "{text}");
        assert!(
            text.contains("|  eth0  |  True | fe80::5054:0:0:1/64 |  .   |  link | 52:54:00:12:34:56 |"),
            "{text}"
        );
        assert!(text.contains("|  eth1  | False |") && !text.contains("Route IPv4"), "{text}");
    }
}
