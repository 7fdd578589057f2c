//! From EC2's metadata to a network configuration, version 2 (`cloudinit/sources/DataSourceEc2.py`:
//! `convert_ec2_metadata_network_config`).
//!
//! Other than there, addresses of network cards are compared without regard to case, since Eucalyptus writes them large,
//! and where no card is named there is no configuration instead of an empty one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value as Json, json};

use crate::found::Network;

/// A network card that the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card<'a> {
    /// `eth0`.
    pub name: &'a str,
    /// `52:54:00:12:34:56`.
    pub mac: &'a str,
    /// The kernel module: `ena`.
    pub driver: Option<&'a str>,
}

/// Asks a card's DHCP server for the gateway.
pub type Gateway<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// How the configuration is made.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Only the first card, and only by DHCP (`apply_full_imds_network_config: false`).
    pub first_card_only: bool,
    /// The system is netplan's, which knows policy routing.
    pub netplan: bool,
    /// The gateway that a card's DHCP server names; it is asked for where there are several cards.
    pub gateway: Option<&'a Gateway<'a>>,
}

/// The configuration for `cards`; none where the metadata knows none of them.
#[must_use]
pub fn network(metadata: &Json, cards: &[Card<'_>], options: &Options<'_>) -> Option<Network> {
    let macs = metadata.get("network")?.get("interfaces")?.get("macs")?.as_object()?;
    // By address, as cloud-init goes through them; the metadata of each beside it.
    let mut known: BTreeMap<String, (&Card<'_>, &Map<String, Json>)> = BTreeMap::new();
    for card in cards {
        let of = macs.iter().find(|(mac, _)| mac.trim().eq_ignore_ascii_case(card.mac.trim()));
        if let Some(of) = of.and_then(|(_, of)| of.as_object()) {
            known.entry(card.mac.trim().to_ascii_lowercase()).or_insert((card, of));
        }
    }
    let mut order: Vec<(i64, i64, &str)> = known
        .iter()
        .map(|(mac, (_, of))| (number(of, "network-card"), number(of, "device-number"), mac.as_str()))
        .collect();
    order.sort_unstable();

    let single = options.first_card_only || known.values().filter(|(_, of)| !of.is_empty()).count() == 1;
    let mut ethernets = Map::new();
    for (index, (_, _, mac)) in (0_u32..).zip(&order) {
        let Some((card, of)) = known.get(*mac) else { continue };
        if of.is_empty() || (options.first_card_only && !ethernets.is_empty()) {
            continue;
        }
        let has_ipv6 = of.get("ipv6s").is_some_and(filled);
        let mut device = Map::new();
        let mut put = |key: &str, value: Json| device.insert(key.to_owned(), value);
        put("dhcp4", json!(true));
        put("dhcp6", json!(has_ipv6));
        put("match", json!({"macaddress": mac}));
        put("set-name", json!(card.name));
        if !options.first_card_only {
            let addresses = further_addresses(of);
            if !addresses.is_empty() {
                put("addresses", json!(addresses));
            }
        }
        if !single {
            // The number is a text in the tree; without one nobody knows which card is the first.
            let routed = options.netplan && index > 0 && of.get("device-number").is_some_and(filled);
            let mut overrides = json!({"route-metric": (u64::from(index) + 1) * 100});
            if let (true, Some(overrides)) = (routed, overrides.as_object_mut()) {
                overrides.insert("use-routes".to_owned(), json!(true));
            }
            put("dhcp4-overrides", overrides.clone());
            if has_ipv6 {
                put("dhcp6-overrides", overrides);
            }
            if routed {
                let table = 100 + u64::from(index);
                let gateway = options.gateway.and_then(|gateway| gateway(card.name));
                routing(&mut device, of, table, Some(gateway), "subnet-ipv4-cidr-block", "local-ipv4s");
                if has_ipv6 {
                    routing(&mut device, of, table, None, "subnet-ipv6-cidr-blocks", "ipv6s");
                }
            }
        }
        ethernets.insert(card.name.to_owned(), Json::Object(device));
    }
    if ethernets.is_empty() {
        return None;
    }
    // JSON is YAML.
    Some(Network::Yaml(json!({"version": 2, "ethernets": ethernets}).to_string()))
}

/// A number that the tree has as text; what has none comes last.
fn number(of: &Map<String, Json>, key: &str) -> i64 {
    let number = match of.get(key) {
        Some(Json::String(text)) => text.trim().parse().ok(),
        Some(number) => number.as_i64(),
        None => None,
    };
    number.unwrap_or(i64::MAX)
}

fn filled(value: &Json) -> bool {
    match value {
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Number(_) => true,
        _ => false,
    }
}

/// One text, or several.
fn texts<'a>(of: &'a Map<String, Json>, key: &str) -> Vec<&'a str> {
    match of.get(key) {
        Some(Json::String(text)) if !text.is_empty() => vec![text],
        Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// All addresses of a card but the first, which DHCP gives.
fn further_addresses(of: &Map<String, Json>) -> Vec<String> {
    let mut addresses = Vec::new();
    for (key, subnet, usual, longest) in [
        ("local-ipv4s", "subnet-ipv4-cidr-block", 24, 32),
        ("ipv6s", "subnet-ipv6-cidr-block", 128_u8, 128_u8),
    ] {
        let prefix = of.get(subnet).and_then(Json::as_str).and_then(|subnet| subnet.split_once('/'));
        let prefix = prefix.and_then(|(_, prefix)| prefix.trim().parse::<u8>().ok());
        let prefix = prefix.filter(|prefix| *prefix <= longest).unwrap_or(usual);
        for text in texts(of, key).into_iter().skip(1) {
            if let Ok(address) = text.trim().parse::<IpAddr>() {
                addresses.push(format!("{address}/{prefix}"));
            }
        }
    }
    addresses.sort();
    addresses
}

/// What comes from a card's address leaves by that card. `gateway` is `None` where none is wanted.
fn routing(
    device: &mut Map<String, Json>,
    of: &Map<String, Json>,
    table: u64,
    gateway: Option<Option<String>>,
    subnets: &str,
    addresses: &str,
) {
    let (subnets, addresses) = (texts(of, subnets), texts(of, addresses));
    if subnets.is_empty() || addresses.is_empty() {
        return;
    }
    let gateway = gateway.flatten().map(|via| json!({"to": "0.0.0.0/0", "via": via, "table": table}));
    let routes = gateway.into_iter().chain(subnets.iter().map(|to| json!({"to": to, "table": table})));
    let policies = addresses.iter().map(|from| json!({"from": from, "table": table}));
    append(device, "routes", routes.collect());
    append(device, "routing-policy", policies.collect());
}

fn append(device: &mut Map<String, Json>, key: &str, items: Vec<Json>) {
    let list = device.entry(key).or_insert_with(|| Json::Array(Vec::new()));
    if let Json::Array(list) = list {
        list.extend(items);
    }
}
