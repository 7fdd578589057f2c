//! A network's addresses, made of its name, and a member's, made of its number: nobody has to write them down.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::Error;

/// The numbers that members can have, the last part of their addresses.
pub(super) const NUMBERS: std::ops::RangeInclusive<u8> = 10..=250;
/// The switch's own number.
const SWITCH: u8 = 1;
/// The length of a network's prefix.
pub(super) const PREFIX: u8 = 24;
/// The most letters of a name.
const LONGEST: usize = 32;
/// Hardware addresses of our own making begin so. They come after those of the cards in QEMU's user network (`0a:`):
/// cloud-init takes the smallest for the first card where nothing else tells.
const OURS: [u8; 2] = [0x0e, 0x68];
/// Of members that ask the switch for an address, and of those that boot from the network.
const KINDS: [u8; 2] = [0x74, 0x6e];

/// A hardware address.
pub(super) type Mac = [u8; 6];

/// What a network's name makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// `10.x.y`.
    net: [u8; 3],
}

impl Plan {
    /// For the network `name`.
    pub(super) fn of(name: &str) -> Result<Self, Error> {
        let fits = !name.is_empty()
            && name.len() <= LONGEST
            && !name.starts_with('-')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !fits {
            return Err(Error::Usage(format!(
                "network {name:?}: a network's name has 1 to {LONGEST} letters, digits and hyphens, and does not begin \
                 with a hyphen"
            )));
        }
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [_, _, x, y] = (hash ^ (hash >> 16)).to_be_bytes();
        Ok(Self { net: [10, x, y] })
    }

    fn at(self, number: u8) -> Ipv4Addr {
        let [a, b, c] = self.net;
        Ipv4Addr::new(a, b, c, number)
    }

    pub(super) fn address(self, number: u8) -> Ipv4Addr {
        self.at(number)
    }

    /// The switch's.
    pub(super) fn own_address(self) -> Ipv4Addr {
        self.at(SWITCH)
    }

    pub(super) fn broadcast(self) -> Ipv4Addr {
        self.at(255)
    }

    pub(super) fn mac(self, number: u8, netboot: bool) -> Mac {
        let [_, x, y] = self.net;
        let ([one, two], kind) = (OURS, KINDS[usize::from(netboot)]);
        [one, two, kind, x, y, number]
    }

    /// The switch's.
    pub(super) fn own_mac(self) -> Mac {
        self.mac(SWITCH, false)
    }

    /// Who has an address from the switch: the address of a member by its card's.
    pub(super) fn member(self, mac: Mac) -> Option<Ipv4Addr> {
        let [.., number] = mac;
        (NUMBERS.contains(&number) && self.mac(number, false) == mac).then(|| self.at(number))
    }
}

/// `0e:68:74:01:02:0a`.
pub(super) fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Whether a network can be called so.
///
/// # Errors
/// It cannot.
pub fn check_name(name: &str) -> Result<(), Error> {
    Plan::of(name).map(drop)
}

/// A network's directory.
pub(super) fn directory(catalog: &Path, name: &str) -> PathBuf {
    catalog.join("networks").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_addresses() {
        let plan = Plan::of("cluster").unwrap();
        assert_eq!(plan, Plan::of("cluster").unwrap());
        assert_ne!(plan, Plan::of("cluster2").unwrap());
        let address = plan.address(10).to_string();
        assert!(address.starts_with("10.") && address.ends_with(".10"), "{address}");
        assert_eq!(plan.member(plan.mac(10, false)), Some(plan.address(10)));
        assert_eq!(plan.member(plan.mac(10, true)), None);
        assert_eq!(plan.member(plan.mac(9, false)), None);
        assert_eq!(plan.member(plan.own_mac()), None);
        assert_eq!(plan.member(Plan::of("cluster2").unwrap().mac(10, false)), None);
        assert!(text(plan.mac(10, false)).starts_with("0e:68:74:"));
        for wrong in ["", "-a", "a/b", "..", "ä", "a b", &"a".repeat(33)] {
            assert!(matches!(Plan::of(wrong), Err(Error::Usage(_))), "{wrong}");
        }
    }
}
