//! What a rule of nft(8) lets in: ports, and from where.

use std::ops::RangeInclusive;

use hardtack_report::Place;

use super::network::{Bits, Sources, one};
use super::nft::{Chain, Rules, number};
use crate::Protocol;

/// Chains that jump to others are followed so far.
const MOST_DEPTH: usize = 16;

/// A port that may be open, and to whom.
pub(super) struct Allowed {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) from: Sources,
}

/// What `chain` lets in besides.
pub(super) fn besides(rules: &Rules, chain: &Chain, allowed: &[Allowed]) -> Vec<(Place, String)> {
    let mut faults = Vec::new();
    walk(rules, chain, allowed, 0, &mut faults);
    faults
}

fn walk(rules: &Rules, chain: &Chain, allowed: &[Allowed], depth: usize, faults: &mut Vec<(Place, String)>) {
    for rule in &chain.rules {
        // Of a text that is quoted nothing counts but an interface's name.
        let bare = rule.text.replace("\"lo\"", "lo");
        let text = bare.split('"').step_by(2).collect::<Vec<_>>().join("-");
        let words: Vec<&str> = text.split(' ').collect();
        let jump = words.windows(2).find(|pair| ["jump", "goto"].contains(&pair[0])).map(|pair| pair[1]);
        let map = text.contains("vmap") && ["accept", "jump", "goto"].iter().any(|word| text.contains(word));
        if !map && jump.is_none() && !words.contains(&"accept") {
            continue;
        }
        let wrong = if map {
            Some("its map of verdicts is not looked into".to_owned())
        } else {
            Accepts::of(rules, chain, &text).beyond(allowed)
        };
        let Some(wrong) = wrong else { continue };
        match jump.filter(|_| !map).and_then(|name| rules.beside(chain, name)) {
            // What it jumps to may ask for more.
            Some(next) if depth < MOST_DEPTH => walk(rules, next, allowed, depth + 1, faults),
            _ => faults.push((rule.place.clone(), wrong)),
        }
    }
}

/// What a rule that accepts is for.
enum Accepts {
    /// Answers, the machine itself, messages of ICMP, its own leases of DHCP.
    Harmless,
    Ports(Ports),
    /// Whatever it is, it is not about ports that could be looked up.
    More,
}

struct Ports {
    protocols: Vec<Protocol>,
    ports: Vec<RangeInclusive<u16>>,
    /// `None`: everybody of both families.
    from: Option<Vec<(bool, Bits)>>,
}

/// The values behind a word, without those that `!=` excludes.
fn values<'t>(text: &'t str, word: &str) -> Option<Vec<&'t str>> {
    let at = text.match_indices(word).find(|(at, _)| *at == 0 || text.as_bytes()[at - 1] == b' ')?.0;
    let rest = text[at + word.len()..].strip_prefix(' ')?;
    let rest = rest.strip_prefix("== ").unwrap_or(rest);
    if rest.starts_with("!=") {
        return None;
    }
    let list = match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or_default(),
        None => rest.split(' ').next().unwrap_or_default(),
    };
    Some(list.split(',').map(str::trim).filter(|value| !value.is_empty()).collect())
}

impl Accepts {
    /// Of the words of a rule.
    fn of(rules: &Rules, chain: &Chain, text: &str) -> Self {
        let is = |word: &str, wanted: &[&str]| {
            values(text, word)
                .is_some_and(|all| !all.is_empty() && all.iter().all(|value| wanted.contains(value)))
        };
        let lo = is("iif", &["lo"]) || is("iifname", &["lo"]);
        let icmp = ["icmp type", "icmpv6 type"].iter().any(|word| values(text, word).is_some())
            || ["meta l4proto", "ip protocol", "ip6 nexthdr"]
                .iter()
                .any(|word| is(word, &["icmp", "icmpv6", "ipv6-icmp", "1", "58"]));
        let lease = is("udp sport", &["67"]) && is("udp dport", &["68"])
            || is("udp sport", &["547"]) && is("udp dport", &["546"]);
        if lo || icmp || lease || is("ct state", &["established", "related"]) {
            return Self::Harmless;
        }
        Self::ports(rules, chain, text).map_or(Self::More, Self::Ports)
    }

    /// What of it is not allowed.
    fn beyond(&self, allowed: &[Allowed]) -> Option<String> {
        let ports = match self {
            Self::Harmless => return None,
            Self::More => return Some("it lets in more than single ports".to_owned()),
            Self::Ports(ports) => ports,
        };
        for protocol in &ports.protocols {
            for port in ports.ports.iter().cloned().flatten() {
                let name = format!("port {port}/{}", protocol.word());
                let is_it = |one: &&Allowed| one.protocol == *protocol && one.port == port;
                let Some(may) = allowed.iter().find(is_it) else {
                    return Some(format!("{name} is open, and no setting says so"));
                };
                let within = match &ports.from {
                    None => may.from.is_everybody(),
                    Some(from) => from.iter().all(|(is_v6, network)| may.from.holds(*is_v6, *network)),
                };
                if !within {
                    return Some(format!("{name} is open to more networks than the settings say"));
                }
            }
        }
        None
    }

    fn ports(rules: &Rules, chain: &Chain, text: &str) -> Option<Ports> {
        let (protocols, words) = [
            ("tcp dport", &[Protocol::Tcp][..]),
            ("udp dport", &[Protocol::Udp]),
            ("th dport", &[Protocol::Tcp, Protocol::Udp]),
        ]
        .into_iter()
        .find_map(|(word, protocols)| Some((protocols, values(text, word)?)))?;
        let words = expand(rules, chain, words)?;
        let mut ports = Vec::new();
        for word in words {
            ports.push(match word.split_once('-') {
                Some((from, to)) => number(from)?..=number(to)?,
                None => {
                    let port = number(&word)?;
                    port..=port
                }
            });
        }
        let mut from = None;
        for word in ["ip saddr", "ip6 saddr"] {
            if let Some(words) = values(text, word) {
                let words = expand(rules, chain, words)?;
                from = Some(words.iter().map(|word| one(word)).collect::<Option<Vec<_>>>()?);
            }
        }
        if from.is_none() {
            // The whole of one family.
            let v6 = match values(text, "meta nfproto").as_deref() {
                Some(["2" | "ipv4"]) => Some(false),
                Some(["10" | "ipv6"]) => Some(true),
                _ => None,
            };
            let v6 =
                v6.or_else(|| (!chain.is_v6()).then_some(false)).or_else(|| (!chain.is_v4()).then_some(true));
            from = v6.map(|v6| vec![(v6, (0, 0))]);
        }
        (!ports.is_empty()).then(|| Ports { protocols: protocols.to_vec(), ports, from })
    }
}

/// With the elements of the sets that are named.
fn expand(rules: &Rules, chain: &Chain, words: Vec<&str>) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for word in words {
        match word.strip_prefix('@') {
            Some(name) => all.extend(rules.elements(chain, name)?.iter().cloned()),
            None => all.push(word.to_owned()),
        }
    }
    Some(all)
}
