//! `/etc/netplan/50-cloud-init.yaml`. Version 2 is netplan's own and goes through as it is; version 1 is
//! translated. (`cloudinit/net/netplan.py`)

use hardtack_userdata::truth::is_true;
use hardtack_userdata::yaml_out::dump;
use hardtack_userdata::{Finding, Key, Map, Value};

use crate::address::{IPV6_DYNAMIC, gateway_outside, subnet_is_ipv6};
use crate::py::{
    self, IGNORED, Outcome, at, boolean, equal, filled, given, int, iterate, list, mapping, null, refuse,
    set, shown, string, text,
};
use crate::state::State;
use crate::version2::{BOND, BRIDGE};

/// The file.
pub const PATH: &str = "/etc/netplan/50-cloud-init.yaml";

/// `_render_content`. `ipv6_mtu`: netplan knows `ipv6-mtu` (`netplan info` names it).
pub(crate) fn content(state: &mut State, ipv6_mtu: bool) -> Outcome<String> {
    if state.version == 2 {
        let mut network = Map::new();
        set(&mut network, "network", state.config.clone());
        return Ok(dump(&network));
    }
    let mut sections =
        [("ethernets", Map::new()), ("bonds", Map::new()), ("bridges", Map::new()), ("vlans", Map::new())];
    let mut findings = Vec::new();
    for iface in state.iter() {
        let iface: Map = iface
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let kind = at(&iface, "type").and_then(Value::as_text).unwrap_or_default();
        let (at, mut device) = match kind {
            "physical" => (0, physical(&iface)?),
            "bond" => (1, bond(&iface, state)?),
            "bridge" => match bridge(&iface)? {
                Some(device) => (2, device),
                None => {
                    let message = "a bridge without `bridge_interfaces` is ignored";
                    findings.push(Finding::warning(IGNORED, state.config.place, message));
                    continue;
                }
            },
            "vlan" => (3, vlan(&iface)?),
            _ => continue,
        };
        addresses(&iface, &mut device, ipv6_mtu, &mut findings)?;
        let name = py::key(py::at(&iface, "name").unwrap_or(&null()))?;
        sections[at].1.insert(name, py::map(device));
    }
    if !state.nameservers.is_empty() || !state.search.is_empty() {
        let mut servers = Map::new();
        set(&mut servers, "addresses", list(state.nameservers.clone()));
        set(&mut servers, "search", list(state.search.clone()));
        for (_, section) in &mut sections {
            for device in section.values_mut() {
                if let hardtack_userdata::Kind::Map(device) = &mut device.kind
                    && at(device, "nameservers").is_none()
                    && at(device, "addresses").is_some()
                {
                    set(device, "nameservers", py::map(servers.clone()));
                }
            }
        }
    }
    state.findings.append(&mut findings);
    let mut out = String::from("network:\n    version: 2\n");
    for (name, section) in sections {
        if section.is_empty() {
            continue;
        }
        let mut one = Map::new();
        set(&mut one, name, py::map(section));
        for line in dump(&one).split_inclusive('\n') {
            if !line.trim().is_empty() {
                out.push_str("    ");
            }
            out.push_str(line);
        }
    }
    Ok(out)
}

fn lower(value: &Value) -> Outcome<Value> {
    Ok(text(string(value, "`mac_address`")?.to_lowercase()))
}

fn physical(iface: &Map) -> Outcome<Map> {
    let mut device = Map::new();
    let name = at(iface, "name").cloned().unwrap_or_else(null);
    if let Some(rules) = at(iface, "match") {
        set(&mut device, "set-name", name);
        set(&mut device, "match", rules.clone());
    } else if let Some(mac) = at(iface, "mac_address") {
        let mut rules = Map::new();
        set(&mut rules, "macaddress", lower(mac)?);
        set(&mut device, "set-name", name);
        set(&mut device, "match", py::map(rules));
    }
    if let Some(keep) = at(iface, "keep_configuration") {
        set(&mut device, "critical", keep.clone());
    }
    Ok(device)
}

/// `_get_params_dict_by_match`.
fn params<'a>(iface: &'a Map, start: &str) -> Outcome<Vec<(&'a str, &'a Value)>> {
    let mut found = Vec::new();
    for (key, value) in iface {
        let Some(name) = key.as_text() else {
            return refuse(key.place, "a parameter has a name that is no text: put it in quotes");
        };
        if name.starts_with(start) {
            found.push((name, value));
        }
    }
    Ok(found)
}

fn bond(iface: &Map, state: &State) -> Outcome<Map> {
    let mut device = Map::new();
    let mut config = Map::new();
    for start in ["bond_", "bond-"] {
        for (name, value) in params(iface, start)? {
            let name = name.replace('_', "-");
            if let Some((_, to)) = BOND.iter().find(|(from, _)| *from == name) {
                set(&mut config, to, value.clone());
            }
        }
    }
    if !config.is_empty() {
        set(&mut device, "parameters", py::map(config));
    }
    if let Some(mac) = filled(iface, "mac_address") {
        set(&mut device, "macaddress", lower(mac)?);
    }
    if at(iface, "bond-slaves").and_then(Value::as_text) == Some("none") {
        let name = at(iface, "name").cloned().unwrap_or_else(null);
        let mut slaves: Vec<Value> = Vec::new();
        for (key, slot) in &state.interfaces {
            let other = state.arena.get(*slot);
            let master = other.and_then(|other| given(other, "bond-master"));
            if master.is_some_and(|master| equal(master, &name)) {
                slaves.push(py::from_key(key));
            }
        }
        if !slaves.is_empty() {
            set(&mut device, "interfaces", list(sorted(slaves)?));
        }
    }
    Ok(device)
}

/// `sorted` of names, which are text or cannot be compared.
pub(crate) fn sorted(mut names: Vec<Value>) -> Outcome<Vec<Value>> {
    if names.len() > 1 {
        for name in &names {
            string(name, "the name of a device")?;
        }
    }
    names.sort_by(|one, other| one.as_text().cmp(&other.as_text()));
    Ok(names)
}

fn bridge(iface: &Map) -> Outcome<Option<Map>> {
    let Some(ports) = given(iface, "bridge_ports") else { return Ok(None) };
    let mut device = Map::new();
    set(&mut device, "interfaces", list(sorted(iterate(ports, "`bridge_interfaces`")?)?));
    let mut config = Map::new();
    for (name, value) in params(iface, "bridge_")? {
        let Some((_, to)) = BRIDGE.iter().find(|(from, _)| *from == name) else { continue };
        let value = match *to {
            "path-cost" | "port-priority" => {
                let mut costs = Map::new();
                for item in iterate(value, &format!("`{name}`"))? {
                    let words = py::split(string(&item, &format!("an entry of `{name}`"))?);
                    let [port, cost] = words.as_slice() else {
                        return refuse(
                            value.place,
                            format!("`{}` in `{name}` is no port and number", shown(&item)),
                        );
                    };
                    costs.insert(py::key(port)?, int(py::number(cost, &format!("`{name}`"))?));
                }
                py::map(costs)
            }
            _ => value.clone(),
        };
        set(&mut config, to, value);
    }
    if !config.is_empty() {
        set(&mut device, "parameters", py::map(config));
    }
    if let Some(mac) = filled(iface, "mac_address") {
        set(&mut device, "macaddress", lower(mac)?);
    }
    Ok(Some(device))
}

fn vlan(iface: &Map) -> Outcome<Map> {
    let mut device = Map::new();
    set(&mut device, "id", at(iface, "vlan_id").cloned().unwrap_or_else(null));
    set(&mut device, "link", at(iface, "vlan-raw-device").cloned().unwrap_or_else(null));
    if let Some(mac) = at(iface, "mac_address") {
        set(&mut device, "macaddress", lower(mac)?);
    }
    Ok(device)
}

/// `_extract_addresses`.
fn addresses(iface: &Map, device: &mut Map, ipv6_mtu: bool, findings: &mut Vec<Finding>) -> Outcome<()> {
    let mut addresses = Vec::new();
    let mut routes = Vec::new();
    let mut servers = Vec::new();
    let mut search = Vec::new();
    let subnets = match at(iface, "subnets") {
        Some(subnets) => iterate(subnets, "`subnets`")?,
        None => Vec::new(),
    };
    for subnet in &subnets {
        let subnet = mapping(subnet, "a subnet")?;
        let kind = crate::address::subnet_type(subnet)?;
        let metric = given(subnet, "metric");
        if kind.starts_with("dhcp") || IPV6_DYNAMIC.contains(&kind) {
            let kind = match kind {
                "dhcp" => "dhcp4",
                _ if kind.starts_with("dhcp") => kind,
                _ => "dhcp6",
            };
            set(device, kind, boolean(true));
            if let Some(metric) = metric {
                let key = format!("{kind}-overrides");
                let mut overrides = at(device, &key).and_then(Value::as_map).cloned().unwrap_or_default();
                set(&mut overrides, "route-metric", metric.clone());
                set(device, &key, py::map(overrides));
            }
        } else if kind == "static" || kind == "static6" {
            let mut address = at(subnet, "address").map_or_else(|| "None".to_owned(), Value::to_python_str);
            if let Some(prefix) = at(subnet, "prefix") {
                address.push_str(&format!("/{}", py::number(prefix, "`prefix`")?));
            }
            if let Some(gateway) = filled(subnet, "gateway") {
                let mut route = Map::new();
                set(&mut route, "via", gateway.clone());
                set(&mut route, "to", text("default"));
                if gateway_outside(gateway, &address) {
                    set(&mut route, "on-link", boolean(true));
                }
                if let Some(metric) = metric {
                    set(&mut route, "metric", metric.clone());
                }
                routes.push(py::map(route));
            }
            for (key, found) in [("dns_nameservers", &mut servers), ("dns_search", &mut search)] {
                if let Some(words) = at(subnet, key) {
                    found.extend(iterate(words, &format!("`{key}`"))?);
                }
            }
            if let Some(mtu) = at(subnet, "mtu") {
                let key = if ipv6_mtu && subnet_is_ipv6(subnet)? { "ipv6-mtu" } else { "mtu" };
                set(device, key, mtu.clone());
            }
            for route in at(subnet, "routes").and_then(Value::as_list).unwrap_or_default() {
                routes.push(py::map(route_of(mapping(route, "a route")?, metric)));
            }
            addresses.push(text(address));
        }
    }
    if let Some(mtu) = at(iface, "mtu") {
        match filled(device, "mtu") {
            Some(found) if !equal(found, mtu) => {
                let message =
                    format!("the device's `mtu` {} is ignored: a subnet says {}", shown(mtu), shown(found));
                findings.push(Finding::warning(IGNORED, mtu.place, message));
            }
            _ => set(device, "mtu", mtu.clone()),
        }
    }
    if !addresses.is_empty() {
        set(device, "addresses", list(addresses));
    }
    if !routes.is_empty() {
        set(device, "routes", list(routes));
    }
    let mut dns = Map::new();
    for (key, found) in [("addresses", servers), ("search", search)] {
        if !found.is_empty() {
            dns.insert(Key::text(key), list(found));
        }
    }
    if !dns.is_empty() {
        set(device, "nameservers", py::map(dns));
    }
    if let Some(accept) = given(iface, "accept-ra") {
        set(device, "accept-ra", boolean(is_true(accept)));
    }
    Ok(())
}

fn route_of(route: &Map, subnet_metric: Option<&Value>) -> Map {
    let word = |key| at(route, key).map_or_else(|| "None".to_owned(), Value::to_python_str);
    let mut made = Map::new();
    set(&mut made, "via", at(route, "gateway").cloned().unwrap_or_else(null));
    set(&mut made, "to", text(format!("{}/{}", word("network"), word("prefix"))));
    if let Some(metric) = given(route, "metric").or(subnet_metric) {
        set(&mut made, "metric", metric.clone());
    }
    made
}
