//! Networks that SSH is open to.

use std::net::IpAddr;

use crate::Error;

/// More are not written: each is a line of iptables, and an element of a set.
const MOST: usize = 1000;

/// Those of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Networks {
    /// Every address.
    All,
    /// These, `10.0.0.0/8`; none overlaps another.
    Only(Vec<String>),
}

/// Those of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) v4: Networks,
    pub(super) v6: Networks,
}

impl Sources {
    pub(super) fn is_everybody(&self) -> bool {
        self.v4 == Networks::All && self.v6 == Networks::All
    }

    /// All of this network is among them.
    pub(super) fn holds(&self, is_v6: bool, (number, length): Bits) -> bool {
        match if is_v6 { &self.v6 } else { &self.v4 } {
            Networks::All => true,
            Networks::Only(only) => only
                .iter()
                .filter_map(|word| one(word))
                .any(|(_, (outer, bits))| bits <= length && number & mask(bits) == outer),
        }
    }
}

/// An address as a number of 128 bits, from the left, and how many of them count.
pub(super) type Bits = (u128, u8);

/// Reads the settings' words, for `rule`; none: every address.
pub(super) fn read(rule: &'static str, words: &[String]) -> Result<Sources, Error> {
    if words.is_empty() {
        return Ok(Sources { v4: Networks::All, v6: Networks::All });
    }
    if words.len() > MOST {
        return Err(refused(rule, format!("{} networks", words.len()), "give at most 1000"));
    }
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for word in words {
        let (v6_wanted, bits) = wanted(rule, word)?;
        if v6_wanted { v6.push(bits) } else { v4.push(bits) }
    }
    Ok(Sources { v4: family(v4, false), v6: family(v6, true) })
}

fn wanted(rule: &'static str, word: &str) -> Result<(bool, Bits), Error> {
    let hint = "write a network as 10.0.0.0/8 or fd00::/8, or an address";
    let fault = || refused(rule, format!("\u{201c}{}\u{201d} is no network", word.escape_default()), hint);
    let (is_v6, (number, length)) = one(word).ok_or_else(fault)?;
    let (address, _) = word.split_once('/').unwrap_or((word, ""));
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => Err(refused(
            rule,
            format!("{word} is IPv4 in the clothes of IPv6, which no packet has"),
            "write it as IPv4: 10.0.0.0/8",
        )),
        Ok(address) if address.is_loopback() && length >= 8 => Err(refused(
            rule,
            format!("{word} is this machine itself, which is let in anyway"),
            "give the networks that people come from",
        )),
        _ => Ok((is_v6, (number, length))),
    }
}

/// A network, or an address, which is a network of one; and whether it is of IPv6.
pub(super) fn one(word: &str) -> Option<(bool, Bits)> {
    let (address, length) = match word.split_once('/') {
        Some((address, length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            (address, Some(length.parse::<u8>().ok()?))
        }
        Some(_) => return None,
        None => (word, None),
    };
    let (is_v6, number, most) = match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => (false, u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (true, address.to_bits(), 128),
    };
    let length = length.unwrap_or(most);
    (length <= most).then_some((is_v6, (number & mask(length), length)))
}

/// Without those that lie in another one.
fn family(mut all: Vec<Bits>, is_v6: bool) -> Networks {
    all.sort_unstable();
    all.dedup();
    let mut kept: Vec<Bits> = Vec::new();
    for (number, length) in all {
        // Sorted, a network stands before those in it.
        if kept.last().is_none_or(|(outer, outer_length)| number & mask(*outer_length) != *outer) {
            kept.push((number, length));
        }
    }
    if kept.first().is_some_and(|(_, length)| *length == 0) {
        return Networks::All;
    }
    let text = |(number, length): Bits| {
        if is_v6 {
            format!("{}/{length}", std::net::Ipv6Addr::from_bits(number))
        } else {
            let address = u32::try_from(number >> 96).unwrap_or_default();
            format!("{}/{length}", std::net::Ipv4Addr::from_bits(address))
        }
    };
    Networks::Only(kept.into_iter().map(text).collect())
}

fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - u32::from(length.min(128))) }
}

fn refused(rule: &'static str, what: String, hint: &str) -> Error {
    Error::Refused { rule, what, hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Networks, read};

    fn of(words: &[&str]) -> Result<super::Sources, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        read("fw-ssh-open", &words).map_err(|error| error.to_string())
    }

    fn only(words: &[&str]) -> Networks {
        Networks::Only(words.iter().map(|&word| word.to_owned()).collect())
    }

    #[test]
    fn networks_are_read_and_those_in_others_left_out() {
        let from = of(&["10.1.2.3/8", "10.9.0.0/16", "192.0.2.7", "fd00::1/8", "fd00:1::/32"]).unwrap();
        assert_eq!(from.v4, only(&["10.0.0.0/8", "192.0.2.7/32"]));
        assert_eq!(from.v6, only(&["fd00::/8"]));
        let from = of(&["0.0.0.0/0", "10.0.0.0/8"]).unwrap();
        assert_eq!((from.v4.clone(), from.v6.clone()), (Networks::All, only(&[])));
        assert!(of(&[]).unwrap().is_everybody() && !from.is_everybody());
    }

    #[test]
    fn hostile_networks_are_refused() {
        for word in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "fd00::/129",
            "fd00::/999999",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8 } accept; tcp dport { 23",
            "10.0.0.0/8\n",
            "example.net",
            "",
            "127.0.0.0/8",
            "::1",
        ] {
            assert!(of(&[word]).unwrap_err().starts_with("fw-ssh-open: "), "{word}");
        }
        assert!(of(&vec!["10.0.0.0/8"; 1001]).is_err());
    }
}
