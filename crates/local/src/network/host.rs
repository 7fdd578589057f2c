//! The switch as a host of its network: it answers ARP and pings for its own address, and DHCP's clients among the members.

use std::net::Ipv4Addr;

use super::dhcp;
use super::frame::{ARP, BROADCAST, Carried, Ethernet, IPV4, Packet, ethernet, pong, udp};
use super::plan::Plan;

/// Ports of DHCP's servers and clients.
const SERVER: u16 = 67;
const CLIENT: u16 = 68;

/// What becomes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is for others.
    Forward,
    /// It was for the switch: nobody else gets it, and this goes back.
    Answer(Option<Vec<u8>>),
}

/// Looks at a frame.
pub(super) fn look(frame: &Ethernet<'_>, plan: Plan) -> Verdict {
    let own = plan.own_mac();
    let is_ours = frame.to == own;
    if frame.to != BROADCAST && !is_ours {
        return Verdict::Forward;
    }
    let answer = match frame.kind {
        ARP => arp(frame, plan).map(Some),
        IPV4 => Packet::parse(frame.rest).and_then(|packet| match packet.carried {
            Carried::Udp { from: CLIENT, to: SERVER, data } => dhcp(data, plan),
            Carried::Ping(body) if is_ours && packet.to == plan.own_address() => {
                let packet = pong(packet.to, packet.from, body);
                Some(packet.map(|packet| ethernet(frame.from, own, IPV4, &packet)))
            }
            _ => None,
        }),
        _ => None,
    };
    match answer {
        Some(answer) => Verdict::Answer(answer),
        None if is_ours => Verdict::Answer(None),
        None => Verdict::Forward,
    }
}

/// A member's message is not seen by others: a server for those that boot from the network has nothing to say to it.
fn dhcp(data: &[u8], plan: Plan) -> Option<Option<Vec<u8>>> {
    let card = dhcp::card(data)?;
    let address = plan.member(card)?;
    let Some(reply) = dhcp::answer(data, plan, address) else { return Some(None) };
    let to = reply.to.unwrap_or(Ipv4Addr::BROADCAST);
    let packet = udp((plan.own_address(), SERVER), (to, CLIENT), &reply.message);
    let card = if reply.to.is_some() { card } else { BROADCAST };
    Some(packet.map(|packet| ethernet(card, plan.own_mac(), IPV4, &packet)))
}

/// Who has the switch's address?
fn arp(frame: &Ethernet<'_>, plan: Plan) -> Option<Vec<u8>> {
    let asked = frame.rest.first_chunk::<28>()?;
    let own = plan.own_address().octets();
    // Ethernet, IPv4, a question; for this address.
    if asked.get(..8)? != [0, 1, 8, 0, 6, 4, 0, 1] || asked.get(24..28)? != own {
        return None;
    }
    let sender = asked.get(8..18)?;
    let answer = [&[0, 1, 8, 0, 6, 4, 0, 2], &plan.own_mac()[..], &own, sender].concat();
    Some(ethernet(frame.from, plan.own_mac(), ARP, &answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(frame: &[u8], plan: Plan) -> Verdict {
        look(&Ethernet::parse(frame).unwrap(), plan)
    }

    #[test]
    fn arp_is_answered_for_one_address() {
        let plan = Plan::of("n").unwrap();
        let mac = plan.mac(10, false);
        let ask = |address: Ipv4Addr| {
            let body =
                [&[0, 1, 8, 0, 6, 4, 0, 1], &mac[..], &plan.address(10).octets(), &[0; 6], &address.octets()];
            seen(&ethernet(BROADCAST, mac, ARP, &body.concat()), plan)
        };
        let Verdict::Answer(Some(answer)) = ask(plan.own_address()) else { panic!("no answer") };
        let answer = Ethernet::parse(&answer).unwrap();
        assert_eq!((answer.to, answer.from, &answer.rest[8..14]), (mac, plan.own_mac(), &plan.own_mac()[..]));
        assert_eq!(ask(plan.address(11)), Verdict::Forward);
    }

    #[test]
    fn dhcp_is_answered_for_members_alone() {
        let plan = Plan::of("n").unwrap();
        let none = Ipv4Addr::UNSPECIFIED;
        let ask = |mac| {
            let message = dhcp::tests::message(mac, 1, none, &[]);
            let packet = udp((none, CLIENT), (Ipv4Addr::BROADCAST, SERVER), &message).unwrap();
            seen(&ethernet(BROADCAST, mac, IPV4, &packet), plan)
        };
        let Verdict::Answer(Some(answer)) = ask(plan.mac(10, false)) else { panic!("no answer") };
        let answer = Ethernet::parse(&answer).unwrap();
        let packet = Packet::parse(answer.rest).unwrap();
        assert_eq!(
            (answer.to, packet.from, packet.to),
            (plan.mac(10, false), plan.own_address(), plan.address(10))
        );
        assert_eq!(ask(plan.mac(10, true)), Verdict::Forward);
        assert_eq!(ask([0x52, 0x54, 0, 1, 2, 3]), Verdict::Forward);
    }

    #[test]
    fn pings_and_nonsense() {
        let plan = Plan::of("n").unwrap();
        let mac = plan.mac(10, false);
        let mut ping = pong(plan.address(10), plan.own_address(), b"\0\x01\0\x01data").unwrap();
        ping[20] = 8;
        // A checksum of one's complement: 8 more in the first byte is 8 less there.
        ping[22] = ping[22].wrapping_sub(8);
        let Verdict::Answer(Some(answer)) = seen(&ethernet(plan.own_mac(), mac, IPV4, &ping), plan) else {
            panic!("no answer")
        };
        assert_eq!(Ethernet::parse(&answer).unwrap().to, mac);
        assert_eq!(seen(&ethernet(plan.own_mac(), mac, 0x86dd, b"x"), plan), Verdict::Answer(None));
        assert_eq!(seen(&ethernet(BROADCAST, mac, 0x86dd, b"x"), plan), Verdict::Forward);
        assert_eq!(seen(&ethernet(BROADCAST, mac, IPV4, b"x"), plan), Verdict::Forward);
    }
}
