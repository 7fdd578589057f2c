//! Ethernet, IPv4 and UDP, as much as the switch itself speaks: guests' frames are hostile input.

use std::net::Ipv4Addr;

use super::plan::Mac;

pub(super) const BROADCAST: Mac = [0xff; 6];
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV4: u16 = 0x0800;
const ICMP: u8 = 1;
const UDP: u8 = 17;

/// An Ethernet frame's head and the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ethernet<'a> {
    pub(super) to: Mac,
    pub(super) from: Mac,
    pub(super) kind: u16,
    pub(super) rest: &'a [u8],
}

impl<'a> Ethernet<'a> {
    pub(super) fn parse(frame: &'a [u8]) -> Option<Self> {
        let (to, rest) = frame.split_first_chunk()?;
        let (from, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        Some(Self { to: *to, from: *from, kind: u16::from_be_bytes(*kind), rest })
    }
}

/// An Ethernet frame.
pub(super) fn ethernet(to: Mac, from: Mac, kind: u16, rest: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &from, &kind.to_be_bytes(), rest].concat();
    // The shortest that there may be, without its checksum.
    frame.resize(frame.len().max(60), 0);
    frame
}

/// Whether more than one is meant.
pub(super) fn is_group(mac: Mac) -> bool {
    mac[0] & 1 == 1
}

/// What an IPv4 packet that is no fragment carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried<'a> {
    /// An echo request's body, after the checksum.
    Ping(&'a [u8]),
    Udp {
        from: u16,
        to: u16,
        data: &'a [u8],
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) from: Ipv4Addr,
    pub(super) to: Ipv4Addr,
    pub(super) carried: Carried<'a>,
}

impl<'a> Packet<'a> {
    /// Of a whole packet with checksums that are right (UDP may have none).
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let head = usize::from(first & 15) * 4;
        if first >> 4 != 4 || head < 20 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        // Behind it there may be padding.
        let bytes = bytes.get(..length)?;
        let rest = bytes.get(head..)?;
        // More fragments, or not the first.
        if u16::from_be_bytes(*bytes.get(6..)?.first_chunk()?) & 0x3fff != 0
            || checksum(&[bytes.get(..head)?]) != 0
        {
            return None;
        }
        let address = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied().map(Ipv4Addr::from);
        let (from, to) = (address(12)?, address(16)?);
        let carried = match *bytes.get(9)? {
            ICMP => {
                let (kind, body) = rest.split_first_chunk::<4>()?;
                // An echo request.
                if kind.get(..2)? != [8, 0] || checksum(&[rest]) != 0 {
                    return None;
                }
                Carried::Ping(body)
            }
            UDP => {
                let (head, _) = rest.split_first_chunk::<8>()?;
                let word = |at: usize| head.get(at..)?.first_chunk::<2>().copied().map(u16::from_be_bytes);
                let length = usize::from(word(4)?);
                let datagram = rest.get(..length)?;
                if word(6)? != 0 && checksum(&[&pseudo(from, to, word(4)?), datagram]) != 0 {
                    return None;
                }
                Carried::Udp { from: word(0)?, to: word(2)?, data: datagram.get(8..)? }
            }
            _ => return None,
        };
        Some(Self { from, to, carried })
    }
}

fn pseudo(from: Ipv4Addr, to: Ipv4Addr, length: u16) -> Vec<u8> {
    [&from.octets()[..], &to.octets(), &[0, UDP], &length.to_be_bytes()].concat()
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, body: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(body.len().checked_add(20)?).ok()?;
    let mut head = [0; 20];
    head[0] = 0x45;
    head[2..4].copy_from_slice(&length.to_be_bytes());
    head[8] = 64;
    head[9] = protocol;
    head[12..16].copy_from_slice(&from.octets());
    head[16..20].copy_from_slice(&to.octets());
    let sum = checksum(&[&head]);
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    Some([&head, body].concat())
}

/// A UDP packet: source and destination with their ports.
pub(super) fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), data: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(data.len().checked_add(8)?).ok()?;
    let head = |sum: u16| {
        [from.1.to_be_bytes(), to.1.to_be_bytes(), length.to_be_bytes(), sum.to_be_bytes()].concat()
    };
    let sum = checksum(&[&pseudo(from.0, to.0, length), &head(0), data]);
    // 0 says that there is none.
    let sum = if sum == 0 { u16::MAX } else { sum };
    ipv4(from.0, to.0, UDP, &[&head(sum), data].concat())
}

/// The answer to an echo request.
pub(super) fn pong(from: Ipv4Addr, to: Ipv4Addr, body: &[u8]) -> Option<Vec<u8>> {
    let sum = checksum(&[&[0; 4], body]);
    ipv4(from, to, ICMP, &[&[0, 0], &sum.to_be_bytes()[..], body].concat())
}

/// The Internet's checksum of parts, all but the last of which have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u64::from(u16::from_be_bytes([pair.first().copied().unwrap_or(0), low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
    const TWO: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 1);

    #[test]
    fn what_is_written_is_read() {
        for data in [&b""[..], b"a", b"even", &[0xff; 1400]] {
            let mut packet = udp((ONE, 68), (TWO, 67), data).unwrap();
            packet.extend_from_slice(&[0; 7]);
            let read = Packet::parse(&packet).unwrap();
            assert_eq!((read.from, read.to), (ONE, TWO));
            assert_eq!(read.carried, Carried::Udp { from: 68, to: 67, data });
        }
        assert!(udp((ONE, 68), (TWO, 67), &[0; 65_536]).is_none());
    }

    #[test]
    fn checksums_as_in_rfc_1071() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        let head = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
        assert_eq!(checksum(&[&head]), 0xb861);
    }

    #[test]
    fn damage_is_seen() {
        let packet = udp((ONE, 68), (TWO, 67), b"data").unwrap();
        for at in 0..packet.len() {
            let mut damaged = packet.clone();
            damaged[at] ^= 0x10;
            assert!(Packet::parse(&damaged).is_none(), "{at}");
            assert!(Packet::parse(&packet[..at]).is_none(), "{at}");
        }
    }
}
