//! Version 2's devices, written as version 1 would. (`cloudinit/net/network_state.py`: `handle_ethernets`,
//! `handle_vlans`, `_handle_bond_bridge`, `_v2_to_v1_ipcfg`)

use hardtack_userdata::{Finding, Key, Map, Value};

use crate::config::Card;
use crate::normalize;
use crate::py::{
    self, IGNORED, Outcome, at, contains, filled, from_key, item, iterate, list, mapping, null, refuse, set,
    shown, string, text,
};
use crate::state::State;

/// Version 1's name of a parameter, and version 2's (`NET_CONFIG_TO_V2`).
pub(crate) const BOND: &[(&str, &str)] = &[
    ("bond-ad-select", "ad-select"),
    ("bond-all-slaves-active", "all-slaves-active"),
    ("bond-arp-all-targets", "arp-all-targets"),
    ("bond-arp-interval", "arp-interval"),
    ("bond-arp-ip-target", "arp-ip-target"),
    ("bond-arp-validate", "arp-validate"),
    ("bond-downdelay", "down-delay"),
    ("bond-fail-over-mac", "fail-over-mac-policy"),
    ("bond-lacp-rate", "lacp-rate"),
    ("bond-learn-packet-interval", "learn-packet-interval"),
    ("bond-miimon", "mii-monitor-interval"),
    ("bond-min-links", "min-links"),
    ("bond-mode", "mode"),
    ("bond-num-grat-arp", "gratuitous-arp"),
    ("bond-packets-per-slave", "packets-per-slave"),
    ("bond-primary", "primary"),
    ("bond-primary-reselect", "primary-reselect-policy"),
    ("bond-updelay", "up-delay"),
    ("bond-xmit-hash-policy", "transmit-hash-policy"),
];

/// The same for bridges. Three have no counterpart in version 2.
pub(crate) const BRIDGE: &[(&str, &str)] = &[
    ("bridge_ageing", "ageing-time"),
    ("bridge_bridgeprio", "priority"),
    ("bridge_fd", "forward-delay"),
    ("bridge_hello", "hello-time"),
    ("bridge_maxage", "max-age"),
    ("bridge_pathcost", "path-cost"),
    ("bridge_portprio", "port-priority"),
    ("bridge_stp", "stp"),
];

impl State {
    fn warn_gateways(&mut self, config: &Map) {
        for key in ["gateway4", "gateway6"] {
            if let Some(found) = at(config, key) {
                let message = format!("`{key}` is deprecated since cloud-init 22.4");
                let finding = Finding::warning("network-deprecated", found.place, message);
                self.findings.push(finding.with_hint("write a default route under `routes`"));
            }
        }
    }

    pub(crate) fn ethernet(&mut self, name: &Key, config: &Map, cards: &[Card]) -> Outcome<Map> {
        let empty = Map::new();
        let rules = match at(config, "match") {
            Some(rules) => mapping(rules, "`match`")?,
            None => &empty,
        };
        let mac = at(rules, "macaddress").cloned().unwrap_or_else(null);
        let mut device = from_key(name);
        if let Some(name) = filled(config, "set-name") {
            device = name.clone();
        } else if hardtack_userdata::truth::truthy(&mac) && !cards.is_empty() {
            let wanted = string(&mac, "`macaddress`")?.to_lowercase();
            if let Some(card) = cards.iter().find(|card| card.mac.to_lowercase() == wanted) {
                device = text(card.name.clone());
            }
        }
        let mut physical = Map::new();
        set(&mut physical, "config_id", from_key(name));
        set(&mut physical, "type", text("physical"));
        set(&mut physical, "mac_address", mac);
        set(&mut physical, "name", device);
        if let Some(driver) = filled(rules, "driver") {
            let mut params = Map::new();
            set(&mut params, "driver", driver.clone());
            set(&mut physical, "params", py::map(params));
        }
        for key in ["mtu", "wakeonlan", "accept-ra", "optional"] {
            if let Some(value) = at(config, key) {
                set(&mut physical, key, value.clone());
            }
        }
        self.warn_gateways(config);
        self.set_subnets(&mut physical, config)?;
        Ok(physical)
    }

    pub(crate) fn vlan_of_v2(&mut self, name: &Key, config: &Map) -> Outcome<Map> {
        let copied = |key| at(config, key).cloned().unwrap_or_else(null);
        let mut vlan = Map::new();
        set(&mut vlan, "type", text("vlan"));
        set(&mut vlan, "name", from_key(name));
        set(&mut vlan, "vlan_id", copied("id"));
        set(&mut vlan, "vlan_link", copied("link"));
        set(&mut vlan, "mac_address", copied("macaddress"));
        if let Some(mtu) = at(config, "mtu") {
            set(&mut vlan, "mtu", mtu.clone());
        }
        self.warn_gateways(config);
        self.set_subnets(&mut vlan, config)?;
        Ok(vlan)
    }

    pub(crate) fn bond_or_bridge(&mut self, name: &Key, config: &Map, kind: &str) -> Outcome<Map> {
        let names = if kind == "bond" { BOND } else { BRIDGE };
        let mut params = match at(config, "parameters") {
            Some(params) => mapping(params, "`parameters`")?.clone(),
            None => Map::new(),
        };
        if let Some(count) = params.shift_remove(&Key::text("gratuitious-arp"))
            && hardtack_userdata::truth::truthy(&count)
        {
            set(&mut params, "gratuitous-arp", count);
        }
        let mut translated = Map::new();
        for (key, value) in params {
            let known = names.iter().find(|(_, v2)| key.as_text() == Some(v2)).map(|(v1, _)| Key::text(*v1));
            // Null names three parameters of version 1 that version 2 does not have; the last one counts.
            let known = match key.kind {
                hardtack_userdata::Kind::Null if kind == "bridge" => Some(Key::text("bridge_waitport")),
                _ => known,
            };
            let Some(known) = known else {
                let found = shown(&from_key(&key));
                return refuse(key.place, format!("`{found}` is no parameter of a {kind}"));
            };
            translated.insert(known, value);
        }
        let mut made = Map::new();
        set(&mut made, "type", text(kind));
        set(&mut made, "name", from_key(name));
        let members = at(config, "interfaces").cloned().unwrap_or_else(null);
        set(&mut made, &format!("{kind}_interfaces"), members);
        set(&mut made, "params", py::map(translated));
        for (from, to) in [("mtu", "mtu"), ("macaddress", "mac_address")] {
            if let Some(value) = at(config, from) {
                set(&mut made, to, value.clone());
            }
        }
        self.warn_gateways(config);
        self.set_subnets(&mut made, config)?;
        Ok(made)
    }

    fn set_subnets(&mut self, command: &mut Map, config: &Map) -> Outcome<()> {
        let subnets = self.subnets(config)?;
        if !subnets.is_empty() {
            set(command, "subnets", list(subnets.into_iter().map(py::map).collect()));
        }
        Ok(())
    }

    /// `_v2_to_v1_ipcfg`.
    fn subnets(&mut self, config: &Map) -> Outcome<Vec<Map>> {
        let mut subnets = Vec::new();
        for kind in ["dhcp4", "dhcp6"] {
            if filled(config, kind).is_none() {
                continue;
            }
            let mut subnet = Map::new();
            set(&mut subnet, "type", text(kind));
            self.use_ipv6 |= kind == "dhcp6";
            if let Some(overrides) = at(config, &format!("{kind}-overrides"))
                && contains(overrides, "route-metric", "the overrides of DHCP")?
            {
                let metric = item(overrides, "route-metric", "the overrides of DHCP")?;
                set(&mut subnet, "metric", metric.clone());
            }
            subnets.push(subnet);
        }
        let (mut gateway4, mut gateway6) = (None, None);
        let mut servers = Map::new();
        let addresses = match at(config, "addresses") {
            Some(addresses) => iterate(addresses, "`addresses`")?,
            None => Vec::new(),
        };
        for address in addresses {
            let mut subnet = Map::new();
            set(&mut subnet, "type", text("static"));
            set(&mut subnet, "address", address.clone());
            let (gateway, key) = if contains(&address, ":", "an address")? {
                (&mut gateway6, "gateway6")
            } else {
                (&mut gateway4, "gateway4")
            };
            if let Some(found) = at(config, key)
                && gateway.is_none()
            {
                set(&mut subnet, "gateway", found.clone());
                *gateway = Some(found).filter(|found| !found.is_null());
            }
            if let Some(found) = at(config, "nameservers")
                && servers.is_empty()
            {
                let found = mapping(found, "`nameservers`")?;
                for (from, to) in [("addresses", "dns_nameservers"), ("search", "dns_search")] {
                    if let Some(value) = filled(found, from) {
                        set(&mut servers, to, value.clone());
                    }
                }
                py::update(&mut subnet, &servers);
            }
            subnets.push(subnet);
        }
        let routes = match at(config, "routes") {
            Some(routes) => iterate(routes, "`routes`")?,
            None => Vec::new(),
        };
        let mut normal = Vec::new();
        for route in routes {
            let route = mapping(&route, "a route")?.clone();
            let mut renamed = Map::new();
            for (from, to) in [
                ("to", "destination"),
                ("via", "gateway"),
                ("metric", "metric"),
                ("mtu", "mtu"),
                ("table", "table"),
            ] {
                set(&mut renamed, to, at(&route, from).cloned().unwrap_or_else(null));
            }
            normal.push(py::map(normalize::route(&renamed, &mut self.findings)?));
        }
        match subnets.first_mut() {
            Some(first) if !normal.is_empty() => set(first, "routes", list(normal)),
            None if !normal.is_empty() => {
                let place = at(config, "routes").map(|routes: &Value| routes.place).unwrap_or_default();
                let message = "routes of a device that has no address and no DHCP are ignored";
                self.findings.push(Finding::warning(IGNORED, place, message));
            }
            _ => {}
        }
        Ok(subnets)
    }
}
