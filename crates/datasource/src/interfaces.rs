//! `/etc/network/interfaces`, which old seeds bring along, as a network configuration of version 1
//! (`cloudinit/net/eni.py`, `convert_eni_data`).
//!
//! cloud-init refuses a text that has an interface twice, for IPv4 and IPv6, and takes DHCP for IPv6 for the other
//! one; here both are what ifupdown makes of them.

use serde_json::{Map, Value as Json, json};

/// Interfaces of one text.
const MOST: usize = 1024;

/// One `iface`.
struct Stanza {
    name: String,
    mac: Option<String>,
    subnet: Map<String, Json>,
}

/// The network configuration that says the same, as text of YAML (which JSON is).
pub(crate) fn to_network_config(text: &str) -> String {
    let mut stanzas: Vec<Stanza> = Vec::new();
    let mut auto: Vec<&str> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["auto", names @ ..] => auto.extend(names.iter().take(MOST)),
            ["iface", name, family, method, ..] if stanzas.len() < MOST => {
                let kind = match (*family, *method) {
                    ("inet6", "dhcp") => "dhcp6",
                    ("inet6", "static") => "static6",
                    (_, other) => other,
                };
                let mut subnet = Map::new();
                subnet.insert("type".to_owned(), json!(kind));
                stanzas.push(Stanza { name: (*name).to_owned(), mac: None, subnet });
            }
            [key, values @ ..] => {
                if let Some(stanza) = stanzas.last_mut() {
                    stanza.option(key, values);
                }
            }
        }
    }
    let mut devices: Map<String, Json> = Map::new();
    for mut stanza in stanzas {
        let control = if auto.contains(&stanza.name.as_str()) { "auto" } else { "manual" };
        stanza.subnet.insert("control".to_owned(), json!(control));
        // `eth0:1` is another address of eth0.
        let name = stanza.name.split(':').next().unwrap_or_default();
        let kind = if name == "lo" { "loopback" } else { "physical" };
        let device =
            devices.entry(name).or_insert_with(|| json!({ "type": kind, "name": name, "subnets": [] }));
        if let Some(subnets) = device.get_mut("subnets").and_then(Json::as_array_mut) {
            subnets.push(Json::Object(stanza.subnet));
        }
        if let (Some(mac), Some(device)) = (stanza.mac, device.as_object_mut()) {
            device.insert("mac_address".to_owned(), json!(mac));
        }
    }
    // serde_json keeps the names sorted, as cloud-init does.
    let config: Vec<Json> = devices.into_iter().map(|(_, device)| device).collect();
    json!({ "version": 1, "config": config }).to_string()
}

impl Stanza {
    fn option(&mut self, key: &str, values: &[&str]) {
        let Some(first) = values.first() else { return };
        let is_static =
            self.subnet.get("type").and_then(Json::as_str).is_some_and(|kind| kind.starts_with("static"));
        match key {
            "address" if !is_static => {}
            "address" | "netmask" | "broadcast" | "gateway" => {
                self.subnet.insert(key.to_owned(), json!(first));
            }
            "dns-nameservers" | "dns-search" => {
                self.subnet.insert(key.replace('-', "_"), json!(values));
            }
            "hwaddress" => {
                let mac = if *first == "ether" { values.get(1).copied() } else { Some(*first) };
                self.mac = mac.map(str::to_owned);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::to_network_config;
    use serde_json::{Value as Json, json};

    #[test]
    fn as_cloud_init_converts_it() {
        for (text, wanted) in [
            (
                "auto lo\niface lo inet loopback\n dns-nameservers 1.1.1.1 2.2.2.2\n dns-search a b\n",
                json!([{ "type": "loopback", "name": "lo", "subnets": [{
                    "type": "loopback", "control": "auto", "dns_nameservers": ["1.1.1.1", "2.2.2.2"],
                    "dns_search": ["a", "b"] }] }]),
            ),
            (
                "iface eth1 inet dhcp\n# c\nauto eth0 eth0:1\niface eth0 inet static\n address 10.0.0.2\n  netmask 255.255.255.0\n \
                 gateway 10.0.0.1\n hwaddress ether 52:54:00:AA:00:01\n mtu 1400\n\niface eth0:1 inet static\n address 10.0.0.3/24\n",
                json!([
                    { "type": "physical", "name": "eth0", "mac_address": "52:54:00:AA:00:01", "subnets": [
                        { "type": "static", "control": "auto", "address": "10.0.0.2", "netmask": "255.255.255.0",
                          "gateway": "10.0.0.1" },
                        { "type": "static", "control": "auto", "address": "10.0.0.3/24" }] },
                    { "type": "physical", "name": "eth1", "subnets": [{ "type": "dhcp", "control": "manual" }] },
                ]),
            ),
            ("auto eth5\nnonsense\niface\n", json!([])),
        ] {
            let found: Json = serde_json::from_str(&to_network_config(text)).unwrap_or_default();
            assert_eq!(found, json!({ "version": 1, "config": wanted }), "{text}");
        }
    }
}
