//! DHCP, as far as a switch needs it that knows everybody's address before (RFC 2131, 2132).

use std::net::Ipv4Addr;

use super::plan::{Mac, Plan};

/// A lease's seconds: an instance does not outlive its place.
const LEASE: u32 = 7 * 86_400;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// `op` to `file`.
const HEAD: usize = 236;
/// Messages' kinds.
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;
const INFORM: u8 = 8;
/// Options.
const MASK: u8 = 1;
const BROADCAST: u8 = 28;
const WANTED: u8 = 50;
const LEASE_TIME: u8 = 51;
const KIND: u8 = 53;
const SERVER: u8 = 54;

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    /// Where to; `None`: to everybody.
    pub(super) to: Option<Ipv4Addr>,
}

/// A client's message.
struct Asked<'a> {
    head: &'a [u8; HEAD],
    kind: u8,
    server: Option<Ipv4Addr>,
    wanted: Option<Ipv4Addr>,
    client: Ipv4Addr,
}

/// The card that a message is for, where it is a request of a client on this network.
pub(super) fn card(message: &[u8]) -> Option<Mac> {
    let (head, _) = message.split_first_chunk::<HEAD>()?;
    // A request; Ethernet; nobody between.
    (head.get(..3)? == [1, 1, 6] && head.get(24..28)? == [0; 4])
        .then(|| head.get(28..)?.first_chunk().copied())?
}

/// The answer to a message of a member with the address `address`; `None` where there is none.
pub(super) fn answer(message: &[u8], plan: Plan, address: Ipv4Addr) -> Option<Reply> {
    let asked = parse(message)?;
    let own = plan.own_address();
    let told = match asked.kind {
        DISCOVER => OFFER,
        INFORM => ACK,
        REQUEST if asked.server.is_some_and(|server| server != own) => return None,
        REQUEST => {
            let wanted = asked.wanted.or(Some(asked.client).filter(|client| !client.is_unspecified()));
            if wanted == Some(address) { ACK } else { NAK }
        }
        // It gives its address back, or does not like it: it is its own all the same.
        _ => return None,
    };
    let mut reply = vec![0; HEAD];
    reply.get_mut(..4)?.copy_from_slice(&[2, 1, 6, 0]);
    // The transaction, and what the client says of itself.
    reply.get_mut(4..8)?.copy_from_slice(asked.head.get(4..8)?);
    reply.get_mut(10..12)?.copy_from_slice(asked.head.get(10..12)?);
    reply.get_mut(28..44)?.copy_from_slice(asked.head.get(28..44)?);
    if told != NAK {
        reply.get_mut(12..16)?.copy_from_slice(&asked.client.octets());
    }
    if told != NAK && asked.kind != INFORM {
        reply.get_mut(16..20)?.copy_from_slice(&address.octets());
    }
    reply.extend_from_slice(&COOKIE);
    let mut put = |option: u8, value: &[u8]| {
        reply.extend_from_slice(&[option, u8::try_from(value.len()).unwrap_or(0)]);
        reply.extend_from_slice(value);
    };
    put(KIND, &[told]);
    put(SERVER, &own.octets());
    if told != NAK {
        if asked.kind != INFORM {
            put(LEASE_TIME, &LEASE.to_be_bytes());
        }
        put(MASK, &[255, 255, 255, 0]);
        // Neither a router nor name servers: the way out is another card's.
        put(BROADCAST, &plan.broadcast().octets());
    }
    reply.push(255);
    // Old clients want a message as long as BOOTP's.
    reply.resize(reply.len().max(300), 0);
    let to_all = asked.head.get(10).is_some_and(|flags| flags & 0x80 != 0);
    let to = match () {
        () if told == NAK => None,
        () if !asked.client.is_unspecified() => Some(asked.client),
        () if to_all => None,
        () => Some(address),
    };
    Some(Reply { message: reply, to })
}

fn parse(message: &[u8]) -> Option<Asked<'_>> {
    let (head, rest) = message.split_first_chunk::<HEAD>()?;
    let (cookie, mut rest) = rest.split_first_chunk::<4>()?;
    if *cookie != COOKIE {
        return None;
    }
    let (mut kind, mut server, mut wanted) = (None, None, None);
    while let Some((&option, after)) = rest.split_first() {
        match option {
            0 => rest = after,
            255 => break,
            _ => {
                let (&length, after) = after.split_first()?;
                let (value, after) = after.split_at_checked(usize::from(length))?;
                let address = || value.first_chunk::<4>().copied().map(Ipv4Addr::from);
                match option {
                    KIND => kind = value.first().copied(),
                    SERVER => server = address(),
                    WANTED => wanted = address(),
                    _ => {}
                }
                rest = after;
            }
        }
    }
    let client = Ipv4Addr::from(*head.get(12..)?.first_chunk::<4>()?);
    Some(Asked { head, kind: kind?, server, wanted, client })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A client's message.
    pub(crate) fn message(mac: Mac, kind: u8, client: Ipv4Addr, options: &[(u8, Ipv4Addr)]) -> Vec<u8> {
        let mut message = vec![0; HEAD];
        message[..8].copy_from_slice(&[1, 1, 6, 0, 1, 2, 3, 4]);
        message[12..16].copy_from_slice(&client.octets());
        message[28..34].copy_from_slice(&mac);
        message.extend_from_slice(&COOKIE);
        message.extend_from_slice(&[KIND, 1, kind, 0, 61, 2, 9, 9]);
        for (option, address) in options {
            message.extend_from_slice(&[*option, 4]);
            message.extend_from_slice(&address.octets());
        }
        message.push(255);
        message
    }

    fn kind(reply: Option<&Reply>) -> Option<u8> {
        parse(&reply?.message).map(|parsed| parsed.kind)
    }

    #[test]
    fn what_is_answered() {
        let plan = Plan::of("n").unwrap();
        let (mac, address, own) = (plan.mac(10, false), plan.address(10), plan.own_address());
        let none = Ipv4Addr::UNSPECIFIED;
        let other = plan.address(11);
        let ask = |kind, client, options: &[_]| answer(&message(mac, kind, client, options), plan, address);
        let offer = ask(DISCOVER, none, &[]).unwrap();
        assert_eq!((kind(Some(&offer)), offer.to), (Some(OFFER), Some(address)));
        assert_eq!(offer.message[..8], [2, 1, 6, 0, 1, 2, 3, 4]);
        assert_eq!(offer.message[16..20], address.octets());
        assert_eq!(offer.message[28..34], mac);
        for (client, options, expected) in [
            (none, vec![(WANTED, address), (SERVER, own)], Some(ACK)),
            (none, vec![(WANTED, address), (SERVER, other)], None),
            (none, vec![(WANTED, address)], Some(ACK)),
            (none, vec![(WANTED, other)], Some(NAK)),
            (address, vec![], Some(ACK)),
            (other, vec![], Some(NAK)),
            (none, vec![], Some(NAK)),
        ] {
            assert_eq!(kind(ask(REQUEST, client, &options).as_ref()), expected, "{client} {options:?}");
        }
        let told = ask(INFORM, address, &[]).unwrap();
        assert_eq!(
            (kind(Some(&told)), told.to, &told.message[16..20]),
            (Some(ACK), Some(address), &[0; 4][..])
        );
        assert!(!told.message[240..].windows(2).any(|two| two == [LEASE_TIME, 4]));
        for other in [0, 4, 7, 9] {
            assert_eq!(ask(other, none, &[]), None);
        }
        let mut to_all = message(mac, DISCOVER, none, &[]);
        to_all[10] = 0x80;
        assert_eq!(answer(&to_all, plan, address).unwrap().to, None);
    }

    #[test]
    fn cut_messages_are_none() {
        let plan = Plan::of("n").unwrap();
        let whole =
            message(plan.mac(10, false), DISCOVER, Ipv4Addr::UNSPECIFIED, &[(WANTED, plan.address(10))]);
        assert_eq!(card(&whole), Some(plan.mac(10, false)));
        // The kind stands first; without it there is none.
        for length in 0..HEAD + 7 {
            assert_eq!(answer(&whole[..length], plan, plan.address(10)), None, "{length}");
        }
        let mut relayed = whole;
        relayed[24] = 1;
        assert_eq!(card(&relayed), None);
    }
}
