//! `/etc/network/interfaces`, which old seeds bring along, as a network configuration of version 1
//! (`cloudinit/net/eni.py`).

use serde_json::{Map, Value as Json, json};

/// Interfaces of one text.
const MOST: usize = 1024;

#[derive(Default)]
struct Interface {
    name: String,
    auto: bool,
    mac: Option<String>,
    mtu: Option<i64>,
    subnets: Vec<Map<String, Json>>,
    name_servers: Vec<String>,
    search: Vec<String>,
}

/// The network configuration that says the same, as text of YAML (which JSON is).
#[must_use]
pub(crate) fn to_network_config(text: &str) -> String {
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut current: Option<usize> = None;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["iface", name, family, method, ..] => {
                let at = position(&mut interfaces, name);
                let kind = match (*family, *method) {
                    ("inet6", "dhcp") => "dhcp6",
                    ("inet6", "static") => "static6",
                    ("inet6", other) | (_, other) => other,
                };
                let mut subnet = Map::new();
                subnet.insert("type".to_owned(), json!(kind));
                if let Some(interface) = at.and_then(|at| interfaces.get_mut(at)) {
                    interface.subnets.push(subnet);
                }
                current = at;
            }
            ["auto" | "allow-auto" | "allow-hotplug", names @ ..] => {
                for name in names {
                    let at = position(&mut interfaces, name);
                    if let Some(interface) = at.and_then(|at| interfaces.get_mut(at)) {
                        interface.auto = true;
                    }
                }
                current = None;
            }
            [key, values @ ..] => {
                if let Some(interface) = current.and_then(|at| interfaces.get_mut(at)) {
                    interface.option(key, values);
                }
            }
            [] => {}
        }
    }
    let config: Vec<Json> = interfaces.into_iter().map(Interface::into_json).collect();
    json!({ "version": 1, "config": config }).to_string()
}

fn position(interfaces: &mut Vec<Interface>, name: &str) -> Option<usize> {
    if let Some(at) = interfaces.iter().position(|interface| interface.name == name) {
        return Some(at);
    }
    if interfaces.len() >= MOST {
        return None;
    }
    interfaces.push(Interface { name: name.to_owned(), ..Interface::default() });
    Some(interfaces.len() - 1)
}

impl Interface {
    fn option(&mut self, key: &str, values: &[&str]) {
        let Some(subnet) = self.subnets.last_mut() else { return };
        let first = values.first().copied().unwrap_or_default();
        let all = || values.iter().map(|value| (*value).to_owned());
        match key {
            "address" | "netmask" | "broadcast" | "gateway" => {
                subnet.insert(key.to_owned(), json!(first));
            }
            "hwaddress" => {
                // `ether` may stand before it.
                let mac = values.iter().find(|value| value.contains(':'));
                self.mac = mac.map(|mac| mac.to_lowercase());
            }
            "mtu" => self.mtu = first.parse().ok(),
            "dns-nameservers" | "dns-nameserver" => self.name_servers.extend(all()),
            "dns-search" => self.search.extend(all()),
            _ => {}
        }
    }

    fn into_json(mut self) -> Json {
        if let Some(subnet) = self.subnets.first_mut() {
            if self.auto {
                subnet.insert("control".to_owned(), json!("auto"));
            }
            if !self.name_servers.is_empty() {
                subnet.insert("dns_nameservers".to_owned(), json!(self.name_servers));
            }
            if !self.search.is_empty() {
                subnet.insert("dns_search".to_owned(), json!(self.search));
            }
        }
        let kind = if self.name == "lo" { "loopback" } else { "physical" };
        let mut whole = Map::new();
        whole.insert("type".to_owned(), json!(kind));
        whole.insert("name".to_owned(), json!(self.name));
        whole.insert("subnets".to_owned(), json!(self.subnets));
        if let Some(mac) = self.mac {
            whole.insert("mac_address".to_owned(), json!(mac));
        }
        if let Some(mtu) = self.mtu {
            whole.insert("mtu".to_owned(), json!(mtu));
        }
        Json::Object(whole)
    }
}
