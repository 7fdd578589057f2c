//! What is open to the world: sources whose union holds every public address.
//!
//! `0.0.0.0/0` and `::/0` are not the only way to say it: `0.0.0.0/1` and `128.0.0.0/1` together let in as many, and
//! so does a list that leaves out only addresses that nobody has on the Internet. So networks are added up, for each
//! port. Source of what is not public: IANA's IPv4 Special-Purpose Address Registry (RFC 6890), multicast and above
//! (RFC 5771); of IPv6 only 2000::/3 is given out (RFC 4291, section 2.4).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Ports, Rule, Source};

/// IPv4 networks that do not come from the Internet.
const PRIVATE: [&str; 8] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
];
/// The IPv6 networks that do.
const PUBLIC6: &str = "2000::/3";
/// A network with fewer bits of prefix than this is told as a wide one: IPv4 and IPv6.
const WIDE: (u8, u8) = (8, 16);
/// Edges of ports at which one protocol of one group is looked at. EC2 has at most 1,000 rules of a group.
const EDGES: usize = 4_096;

/// A network's first and last address, as numbers of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    v6: bool,
    first: u128,
    last: u128,
}

fn span(cidr: &str) -> Option<(Span, u8)> {
    let (address, bits) = match cidr.split_once('/') {
        Some((address, bits)) => (address, Some(bits.trim().parse::<u8>().ok()?)),
        None => (cidr, None),
    };
    let (v6, number, whole) = match address.trim().parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => (false, u128::from(u32::from(address)), 32_u8),
        IpAddr::V6(address) => (true, u128::from(address), 128),
    };
    let bits = bits.unwrap_or(whole);
    let host = u32::from(whole.checked_sub(bits)?);
    let mask = if host == 128 { u128::MAX } else { (1_u128 << host) - 1 };
    Some((Span { v6, first: number & !mask, last: number | mask }, bits))
}

/// Whether the union of `spans`, of one family, holds all from `first` to `last`.
fn covers(mut spans: Vec<Span>, first: u128, last: u128) -> bool {
    spans.sort_unstable_by_key(|span| span.first);
    let mut next = first;
    for span in spans {
        if span.first > next {
            return false;
        }
        if span.last >= last {
            return true;
        }
        next = next.max(span.last + 1);
    }
    false
}

/// Whether networks together let the world in: all of IPv4's public addresses, or all of IPv6's.
fn is_world(cidrs: &[&str]) -> bool {
    let spans: Vec<Span> = cidrs.iter().filter_map(|cidr| span(cidr)).map(|(span, _)| span).collect();
    let (six, mut four): (Vec<Span>, Vec<Span>) = spans.into_iter().partition(|span| span.v6);
    let four_is = !four.is_empty() && {
        four.extend(PRIVATE.iter().filter_map(|cidr| span(cidr)).map(|(span, _)| span));
        covers(four, 0, u128::from(u32::MAX))
    };
    four_is || span(PUBLIC6).is_some_and(|(public, _)| covers(six, public.first, public.last))
}

/// What of `rules` the world reaches, in order, neighbours joined.
pub(super) fn open(rules: &[Rule]) -> Vec<Ports> {
    let with = |protocol: Option<&str>, number: i64, code: Option<i64>| {
        let lets = |rule: &&Rule| match rule.ports.protocol.as_deref() {
            None => true,
            Some(name) => {
                Some(name) == protocol
                    && rule.ports.range.is_none_or(|(from, to)| (from..=to).contains(&number))
                    && (rule.ports.code.is_none() || rule.ports.code == code)
            }
        };
        let networks: Vec<&str> =
            rules.iter().filter(lets).filter_map(|rule| rule.source.network()).collect();
        is_world(&networks)
    };
    if with(None, 0, None) {
        return vec![Ports { protocol: None, range: None, code: None }];
    }
    let protocols: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.ports.protocol.as_deref()).collect();
    let mut found = Vec::new();
    for protocol in protocols {
        let of: Vec<&Ports> = rules
            .iter()
            .map(|rule| &rule.ports)
            .filter(|ports| ports.protocol.as_deref() == Some(protocol))
            .collect();
        // Codes have no neighbours that one would join.
        for ports in of.iter().filter(|ports| ports.code.is_some()) {
            let number = ports.range.map_or(0, |(from, _)| from);
            if with(Some(protocol), number, ports.code)
                && !with(Some(protocol), number, None)
                && !found.contains(*ports)
            {
                found.push((*ports).clone());
            }
        }
        found.extend(spread(protocol, &of, &|number| with(Some(protocol), number, None)));
    }
    found.sort();
    found
}

/// The numbers of one protocol that are open: looked at wherever a rule begins or ends.
fn spread(protocol: &str, of: &[&Ports], is_open: &dyn Fn(i64) -> bool) -> Vec<Ports> {
    let last = if matches!(protocol, "icmp" | "icmpv6") { 255 } else { 65_535 };
    let mut edges: BTreeSet<i64> = BTreeSet::from([0]);
    for (from, to) in of.iter().filter_map(|ports| ports.range) {
        edges.insert(from.clamp(0, last));
        edges.insert(to.saturating_add(1).clamp(0, last + 1));
    }
    let edges: Vec<i64> = edges.into_iter().filter(|edge| *edge <= last).take(EDGES).collect();
    let mut found: Vec<(i64, i64)> = Vec::new();
    for (index, from) in edges.iter().enumerate() {
        if !is_open(*from) {
            continue;
        }
        let to = edges.get(index + 1).map_or(last, |next| next - 1);
        match found.last_mut() {
            Some(before) if before.1 + 1 == *from => before.1 = to,
            _ => found.push((*from, to)),
        }
    }
    let ports = |range: (i64, i64)| Ports {
        protocol: Some(protocol.to_owned()),
        range: Some(range).filter(|range| *range != (0, last)),
        code: None,
    };
    found.into_iter().map(ports).collect()
}

/// A network that is no world, and far more than one's own.
pub(super) fn is_wide(source: &Source) -> bool {
    is_broad(source, WIDE.0 - 1, WIDE.1 - 1)
}

/// Whether a rule has its part in what is open: it lets in the world alone, or a good piece of it where others let in
/// the rest.
pub(super) fn takes_part(rule: &Rule, open: &[Ports]) -> bool {
    let Some(network) = rule.source.network() else { return false };
    let shares = |ports: &Ports| {
        let protocol = match (&ports.protocol, &rule.ports.protocol) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let range = match (ports.range, rule.ports.range) {
            (Some(one), Some(other)) => one.0 <= other.1 && other.0 <= one.1,
            _ => true,
        };
        let code = ports.code.is_none() || rule.ports.code.is_none() || ports.code == rule.ports.code;
        protocol && range && code
    };
    is_world(&[network]) || is_broad(&rule.source, WIDE.0, WIDE.1) && open.iter().any(shares)
}

/// A public network with at most so many bits of prefix: IPv4, IPv6.
fn is_broad(source: &Source, four: u8, six: u8) -> bool {
    let Some((net, bits)) = source.network().and_then(span) else { return false };
    if net.v6 {
        let public = span(PUBLIC6);
        return bits <= six
            && public.is_some_and(|(public, _)| net.first <= public.last && public.first <= net.last);
    }
    let within = |own: Span| own.first <= net.first && net.last <= own.last;
    bits <= four && !PRIVATE.iter().filter_map(|cidr| span(cidr)).any(|(own, _)| within(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(protocol: &str, from: i64, to: i64, source: &str) -> Rule {
        Rule {
            ports: Ports::new(protocol, Some(from), Some(to)),
            source: Source::Network { cidr: source.to_owned() },
            open: false,
            wide: false,
        }
    }

    fn words(rules: &[Rule]) -> Vec<String> {
        open(rules).iter().map(Ports::words).collect()
    }

    #[test]
    fn the_world_has_many_names() {
        for world in [
            &["0.0.0.0/0"][..],
            &["::/0"],
            &["0.0.0.0/1", "128.0.0.0/1"],
            &["128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2"],
            &["::/1", "8000::/1"],
            &["2000::/3"],
            &["1.2.3.4/0"],
            &["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],
        ] {
            assert!(is_world(world), "{world:?}");
        }
        for part in [
            &["0.0.0.0/1"][..],
            &["10.0.0.0/8"],
            &["128.0.0.0/1", "8000::/1"],
            &["0.0.0.0/1", "128.0.0.0/2"],
            &["fc00::/7"],
            &["nonsense"],
            &["0.0.0.0/33"],
            &["::/129"],
            &["1.0.0.0/-1"],
            &[],
        ] {
            assert!(!is_world(part), "{part:?}");
        }
    }

    #[test]
    fn networks_add_up_port_by_port() {
        assert_eq!(words(&[rule("tcp", 22, 22, "0.0.0.0/0")]), ["tcp/22"]);
        assert_eq!(
            words(&[rule("tcp", 20, 30, "0.0.0.0/1"), rule("tcp", 25, 40, "128.0.0.0/1")]),
            ["tcp/25-30"]
        );
        assert_eq!(
            words(&[
                rule("tcp", 80, 80, "0.0.0.0/0"),
                rule("tcp", 81, 90, "::/0"),
                rule("udp", 53, 53, "1.2.3.4/32")
            ]),
            ["tcp/80-90"]
        );
        assert_eq!(words(&[rule("-1", -1, -1, "0.0.0.0/0"), rule("tcp", 22, 22, "10.0.0.0/8")]), ["all"]);
        assert_eq!(words(&[rule("-1", -1, -1, "0.0.0.0/1"), rule("tcp", 22, 22, "128.0.0.0/1")]), ["tcp/22"]);
        assert_eq!(words(&[rule("tcp", 0, 65_535, "0.0.0.0/0")]), ["tcp"]);
        assert_eq!(words(&[rule("icmp", 8, -1, "0.0.0.0/0")]), ["icmp/8"]);
        assert_eq!(words(&[rule("icmp", 3, 4, "0.0.0.0/0")]), ["icmp/3.4"]);
        assert_eq!(words(&[rule("icmp", -1, -1, "::/0")]), ["icmp"]);
        assert_eq!(words(&[rule("tcp", i64::MAX, i64::MAX, "0.0.0.0/0")]), Vec::<String>::new());
        assert_eq!(words(&[rule("50", -1, -1, "0.0.0.0/0")]), ["50"]);
        assert_eq!(words(&[]), Vec::<String>::new());
    }

    #[test]
    fn half_the_world_is_told_as_wide() {
        let is = |cidr: &str| is_wide(&Source::Network { cidr: cidr.to_owned() });
        assert!(is("0.0.0.0/1") && is("64.0.0.0/3") && is("2000::/4"));
        assert!(
            !is("10.0.0.0/8")
                && !is("8.0.0.0/8")
                && !is("fc00::/7")
                && !is("224.0.0.0/4")
                && !is("2001:db8::/32")
        );
    }
}
