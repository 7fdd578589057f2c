//! When nobody says anything of the network: DHCP on the card that is most likely connected.
//! (`cloudinit/net/__init__.py`: `find_candidate_nics_on_linux`, `generate_fallback_config`)

use hardtack_userdata::{Map, Value};

use crate::config::Card;
use crate::py::{boolean, int, map, set, text};

/// A device of `/sys/class/net`, with what decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub struct Device {
    /// Name, address and driver. Without an address the device is passed over.
    pub card: Card,
    /// `bridge/` is there.
    pub bridge: bool,
    /// `bonding/` is there.
    pub bond: bool,
    /// A member of a failover pair (`virtio_net` with the standby feature), which its master speaks for.
    pub failover_member: bool,
    /// The master of one: its members have the same address.
    pub failover_master: bool,
    /// `carrier` is not 0. Unreadable, as it is while the device is down, is 0.
    pub carrier: bool,
    /// `dormant` is not 0.
    pub dormant: bool,
    /// `operstate`.
    pub operstate: String,
}

/// The devices that may be used, best first.
#[must_use]
pub fn candidates(devices: &[Device]) -> Vec<&Device> {
    let synthetic = |device: &&Device| device.card.driver.as_deref() == Some("hv_netvsc");
    let usable = devices.iter().filter(|device| {
        let own = !device.card.mac.is_empty() && !device.bridge && !device.bond && !device.failover_member;
        // Hyper-V's virtual functions have the address of the device that speaks for them.
        let doubled = !synthetic(device)
            && devices.iter().filter(synthetic).any(|other| other.card.mac == device.card.mac);
        own && !doubled && device.card.name != "lo" && !device.card.name.starts_with("veth")
    });
    let rank = |device: &Device| {
        let possible = device.dormant
            || matches!(device.operstate.as_str(), "dormant" | "down" | "lowerlayerdown" | "unknown");
        match (device.carrier, possible) {
            (true, _) => Some(0),
            (false, true) => Some(1),
            (false, false) => None,
        }
    };
    let mut ranked: Vec<(u8, bool, Vec<Piece>, &Device)> = usable
        .filter_map(|device| {
            Some((rank(device)?, device.card.name != "eth0", natural(&device.card.name), device))
        })
        .collect();
    ranked.sort_by(|one, other| (&one.0, &one.1, &one.2).cmp(&(&other.0, &other.1, &other.2)));
    ranked.into_iter().map(|(.., device)| device).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Text(String),
    /// Digits without leading zeros, the shorter first.
    Number(usize, String),
}

/// `natural_sort_key`: `ens3` before `ens10`.
fn natural(name: &str) -> Vec<Piece> {
    let characters: Vec<char> = name.chars().collect();
    let mut pieces = Vec::new();
    if characters.first().is_some_and(char::is_ascii_digit) {
        pieces.push(Piece::Text(String::new()));
    }
    for run in characters.chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit()) {
        let word: String = run.iter().collect();
        pieces.push(if run.first().is_some_and(char::is_ascii_digit) {
            let digits = word.trim_start_matches('0').to_owned();
            Piece::Number(digits.len(), digits)
        } else {
            Piece::Text(word.to_lowercase())
        });
    }
    pieces
}

/// The configuration: DHCP, for IPv6 too with `dhcp6`, the name kept. `None` on a machine without a card.
#[must_use]
pub fn config(devices: &[Device], dhcp6: bool) -> Option<Value> {
    let device = *candidates(devices).first()?;
    let mut rules = Map::new();
    if device.failover_master {
        set(&mut rules, "name", text(&device.card.name));
    } else {
        set(&mut rules, "macaddress", text(device.card.mac.to_lowercase()));
    }
    let mut ethernet = Map::new();
    set(&mut ethernet, "dhcp4", boolean(true));
    if dhcp6 {
        set(&mut ethernet, "dhcp6", boolean(true));
    }
    set(&mut ethernet, "set-name", text(&device.card.name));
    set(&mut ethernet, "match", map(rules));
    let mut ethernets = Map::new();
    set(&mut ethernets, &device.card.name, map(ethernet));
    let mut top = Map::new();
    set(&mut top, "ethernets", map(ethernets));
    set(&mut top, "version", int(2));
    Some(map(top))
}

#[cfg(test)]
mod tests {
    use super::{Device, candidates};
    use crate::config::Card;

    fn device(name: &str, carrier: bool, operstate: &str) -> Device {
        let card =
            Card { name: name.to_owned(), mac: format!("02:00:00:00:00:{}", name.len()), driver: None };
        Device { card, carrier, operstate: operstate.to_owned(), ..Device::default() }
    }

    #[test]
    fn carrier_then_eth0_then_numbers() {
        let mut devices = vec![
            device("ens10", true, "up"),
            device("ens3", true, "up"),
            device("eth0", false, "down"),
            device("a1", false, "unknown"),
            device("gone", false, "notpresent"),
            device("veth0", true, "up"),
            device("lo", true, "unknown"),
        ];
        devices.push(Device { bridge: true, ..device("br0", true, "up") });
        let names: Vec<&str> = candidates(&devices).iter().map(|device| device.card.name.as_str()).collect();
        assert_eq!(names, ["ens3", "ens10", "eth0", "a1"]);
    }
}
