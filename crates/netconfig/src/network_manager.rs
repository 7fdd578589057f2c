//! `/etc/NetworkManager/system-connections/cloud-init-NAME.nmconnection`. (`cloudinit/net/network_manager.py`)

use hardtack_userdata::{Key, Kind, Map, Value};
use indexmap::IndexMap;
use sha1::{Digest, Sha1};

use crate::address::{is_ipv6, is_network6, subnet_is_ipv6};
use crate::config::NetFile;
use crate::py::{
    self, Outcome, at, equal, filled, given, iterate, join, mapping, null, refuse, shown, string,
};
use crate::state::State;

/// What stands above every connection.
pub const HEADER: &str = "# Written by hardtack-agent at first boot. Changes will be lost.\n\n";

/// NetworkManager makes IPv6 addresses out of the card's own, as it did before 1.40.
const ADDRESSES: &str = "# Written by hardtack-agent.\n#\n[.config]\n  enable=nm-version-min:1.40\n\
    [connection.30-cloud-init-ip6-addr-gen-mode]\n  ipv6.addr-gen-mode=0\n\n";

/// The name space of the connections' UUIDs, so that they are those that cloud-init gives.
const SPACE: u128 = 0xa392_4cb8_09e0_43e9_890b_7797_2a80_0108;

/// Names of a bond's options, as NetworkManager has them; version 1 has `bond-` in front.
const BOND: &[&str] = &[
    "mode",
    "miimon",
    "xmit_hash_policy",
    "num_grat_arp",
    "downdelay",
    "updelay",
    "fail_over_mac",
    "primary_reselect",
    "primary",
    "active_slave",
    "ad_actor_sys_prio",
    "ad_actor_system",
    "ad_select",
    "ad_user_port_key",
    "all_slaves_active",
    "arp_all_targets",
    "arp_interval",
    "arp_ip_target",
    "arp_validate",
    "lacp_rate",
    "lp_interval",
    "min_links",
    "num_unsol_na",
    "packets_per_slave",
    "peer_notif_delay",
    "resend_igmp",
    "tlb_dynamic_lb",
    "use_carrier",
];

/// One connection: sections in the order that they were made in.
#[derive(Clone, Debug, Default)]
struct Connection {
    sections: IndexMap<String, IndexMap<String, String>>,
    uuid: String,
}

/// `uuid.uuid5(SPACE, name)`.
fn uuid(name: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(SPACE.to_be_bytes());
    hash.update(name.as_bytes());
    let digest = hash.finalize();
    let bytes: [u8; 16] = digest.first_chunk().copied().unwrap_or_default();
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | 5 << 76 | 2 << 62;
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

impl Connection {
    fn new(name: &str) -> Self {
        let mut made = Self { sections: IndexMap::new(), uuid: uuid(name) };
        made.set("connection", "id", &format!("cloud-init {name}"));
        let uuid = made.uuid.clone();
        made.set("connection", "uuid", &uuid);
        made.set("connection", "autoconnect-priority", "120");
        made.set("user", "org.freedesktop.NetworkManager.origin", "cloud-init");
        made
    }

    fn set(&mut self, section: &str, key: &str, value: &str) {
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }

    fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.sections.get(section)?.get(key).map(String::as_str)
    }

    fn set_default(&mut self, section: &str, key: &str, value: &str) {
        if self.get(section, key).is_none() {
            self.set(section, key, value);
        }
    }

    /// `key1`, `key2`…: the first that is free.
    fn add_numbered(&mut self, section: &str, prefix: &str, value: &str) -> String {
        let taken = self.sections.get(section);
        let free =
            |number: &usize| taken.is_none_or(|taken| !taken.contains_key(&format!("{prefix}{number}")));
        let number = (1..).find(free).unwrap_or(1);
        let key = format!("{prefix}{number}");
        self.set(section, &key, value);
        key
    }

    fn text(&self) -> String {
        let mut out = HEADER.to_owned();
        for (name, keys) in &self.sections {
            out.push_str(&format!("[{name}]\n"));
            for (key, value) in keys {
                out.push_str(&format!("{key}={}\n", value.replace('\n', "\n\t")));
            }
            out.push('\n');
        }
        out
    }

    /// `_set_ip_method`.
    fn method(&mut self, family: &str, kind: Option<&str>) {
        self.set_default(family, "method", "disabled");
        let method = match kind {
            None | Some("") => "disabled",
            Some("static" | "static6") => "manual",
            Some("ipv6_dhcpv6-stateful") => "dhcp",
            Some("dhcp6" | "ipv6_slaac" | "ipv6_dhcpv6-stateless" | "dhcp4" | "dhcp") => "auto",
            Some(_) => {
                self.set(family, "may-fail", "true");
                "auto"
            }
        };
        match self.get(family, "method") {
            Some("dhcp") => return,
            Some("auto") if method == "manual" => return,
            _ => {}
        }
        if matches!(kind, Some("ipv6_dhcpv6-stateful" | "ipv6_dhcpv6-stateless" | "ipv6_slaac")) {
            self.set_default("ipv4", "method", "disabled");
        }
        self.set(family, "method", method);
        self.set_default(family, "may-fail", "false");
    }

    /// Both families by DHCP: either may fail.
    fn may_fail(&mut self) {
        let strict = |family| {
            self.get(family, "may-fail") == Some("false")
                && matches!(self.get(family, "method"), Some("dhcp" | "auto"))
        };
        if strict("ipv4") && strict("ipv6") {
            self.set("ipv4", "may-fail", "true");
            self.set("ipv6", "may-fail", "true");
        }
    }

    fn used(&self, family: &str) -> bool {
        self.sections.contains_key(family) && self.get(family, "method") != Some("disabled")
    }

    /// `_add_route`.
    fn route(&mut self, route: &Map) -> Outcome<()> {
        let Some((network, prefix)) = at(route, "network").zip(at(route, "prefix")) else { return Ok(()) };
        let family = if is_network6(network) { "ipv6" } else { "ipv4" };
        let mut value = format!("{}/{}", network.to_python_str(), prefix.to_python_str());
        if let Some(gateway) = at(route, "gateway") {
            value.push_str(&format!(",{}", gateway.to_python_str()));
        }
        if let Some(metric) = at(route, "metric") {
            let metric = metric.to_python_str();
            let default = equal(prefix, &py::int(0)) && matches!(network.as_text(), Some("::" | "0.0.0.0"));
            if !default {
                value.push_str(&format!(",{metric}"));
            } else if self.sections.contains_key(family) {
                self.set(family, "route-metric", &metric);
            } else {
                return refuse(
                    network.place,
                    format!("a default route has a metric and no {family} address beside it"),
                );
            }
        }
        let key = self.add_numbered(family, "route", &value);
        if let Some(mtu) = at(route, "mtu") {
            self.set(family, &format!("{key}_options"), &format!("mtu={}", mtu.to_python_str()));
        }
        Ok(())
    }
}

/// What is used more than once.
type Connections = IndexMap<Key, Connection>;

fn id(iface: &Map) -> Value {
    filled(iface, "config_id").or_else(|| at(iface, "name")).cloned().unwrap_or_else(null)
}

/// `con_ref`: the UUID of a connection, or the name that has none.
fn reference(connections: &Connections, name: &Value) -> Outcome<String> {
    Ok(match connections.get(&py::key(name)?) {
        Some(connection) => connection.uuid.clone(),
        None => string(name, "the name of a device")?.to_owned(),
    })
}

/// All files.
pub(crate) fn files(state: &State) -> Outcome<Vec<NetFile>> {
    let mut connections = Connections::new();
    for iface in state.iter() {
        let name = at(iface, "name").cloned().unwrap_or_else(null);
        let name = string(&name, "the name of a device")?;
        connections.insert(py::key(&id(iface))?, Connection::new(name));
    }
    for iface in state.iter() {
        let key = py::key(&id(iface))?;
        interface(&mut connections, &key, iface, state)?;
    }
    let mut files = Vec::new();
    let mut file = |path: String, text: String| files.push(NetFile { path, text, mode: 0o600, owner: None });
    for (name, connection) in &connections {
        if connection.get("connection", "type").is_some() {
            let name = name.to_python_str();
            file(
                format!("/etc/NetworkManager/system-connections/cloud-init-{name}.nmconnection"),
                connection.text(),
            );
        }
    }
    file("/etc/NetworkManager/conf.d/30-cloud-init-ip6-addr-gen-mode.conf".to_owned(), ADDRESSES.to_owned());
    Ok(files)
}

/// `render_interface`.
fn interface(connections: &mut Connections, key: &Key, iface: &Map, state: &State) -> Outcome<()> {
    let name = at(iface, "name").cloned().unwrap_or_else(null);
    let kind = match at(iface, "type").and_then(Value::as_text) {
        Some("physical") => "ethernet",
        Some(kind @ ("vlan" | "bond" | "bridge" | "infiniband")) => kind,
        Some("loopback") => return Ok(()),
        _ => {
            return refuse(
                name.place,
                format!("`{}` is used and not configured: it has no type", shown(&name)),
            );
        }
    };
    let Some(mut made) = connections.get(key).cloned() else { return Ok(()) };
    made.set("connection", "type", kind);
    if let Some(master) = at(iface, "bond-master") {
        made.set("connection", "slave-type", "bond");
        made.set("connection", "master", &reference(connections, master)?);
    }
    made.sections.insert(kind.to_owned(), IndexMap::new());
    let mtu = layer3(&mut made, iface, kind, state)?.or_else(|| given(iface, "mtu").cloned());
    let properties: Vec<(&str, String)> = match kind {
        "bond" => BOND.iter().map(|option| (*option, format!("bond-{option}"))).collect(),
        "bridge" => vec![("stp", "bridge_stp".to_owned()), ("priority", "bridge_bridgeprio".to_owned())],
        "vlan" => vec![("id", "vlan_id".to_owned())],
        _ => Vec::new(),
    };
    for (property, from) in properties {
        let found = at(iface, &from).or_else(|| at(iface, &from.replace('_', "-")));
        let Some(value) = found.filter(|value| !value.is_null()) else { continue };
        let value = match value.kind {
            Kind::Bool(value) => value.to_string(),
            _ => value.to_python_str(),
        };
        made.set(kind, property, &value);
    }
    let mac = match given(iface, "mac_address") {
        Some(mac) => Some(string(mac, "`mac_address`")?.replace('-', ":").to_uppercase()),
        None => None,
    };
    let mtu = mtu.map(|mtu| mtu.to_python_str());
    match kind {
        "ethernet" => {
            if matches!(at(iface, "wakeonlan"), Some(Value { kind: Kind::Bool(true), .. })) {
                made.set(kind, "wake-on-lan", "64");
            }
            if let Some(mtu) = mtu {
                made.set(kind, "mtu", &mtu);
            }
        }
        "vlan" => {
            if let Some(parent) = at(iface, "vlan-raw-device") {
                made.set(kind, "parent", &reference(connections, parent)?);
            }
        }
        "bond" => {
            if let Some(mtu) = mtu {
                made.set("ethernet", "mtu", &mtu);
            }
        }
        "infiniband" => {
            if let Some(mtu) = &mtu {
                made.set(kind, "transport-mode", "datagram");
                made.set(kind, "mtu", mtu);
            }
        }
        _ => {}
    }
    let has_mac = match kind {
        "ethernet" | "bridge" => true,
        // Of InfiniBand the address counts only where the MTU is given.
        "infiniband" => made.get(kind, "mtu").is_some(),
        _ => false,
    };
    if let Some(mac) = mac.filter(|_| has_mac) {
        made.set(kind, "mac-address", &mac);
    }
    if kind == "bridge" || made.get(kind, "mac-address").is_none() {
        made.set("connection", "interface-name", &name.to_python_str());
    }
    let uuid = made.uuid.clone();
    connections.insert(key.clone(), made);
    if kind == "bridge" {
        let ports = at(iface, "bridge_ports").cloned().unwrap_or_else(null);
        for port in iterate(&ports, "`bridge_interfaces`")? {
            let Some(port) = connections.get_mut(&py::key(&port)?) else {
                return refuse(port.place, format!("`{}` is used and not configured", shown(&port)));
            };
            port.set_default("connection", "slave-type", "bridge");
            port.set_default("connection", "master", &uuid);
        }
    }
    Ok(())
}

/// Addresses, routes and name servers; the MTU of an IPv4 subnet.
fn layer3(made: &mut Connection, iface: &Map, kind: &str, state: &State) -> Outcome<Option<Value>> {
    let subnets = at(iface, "subnets").map_or(Ok(Vec::new()), |subnets| iterate(subnets, "`subnets`"))?;
    if kind == "bond" && subnets.is_empty() {
        made.method("ipv4", None);
        made.method("ipv6", None);
    }
    let (mut servers, mut search, mut mtu) = (Vec::new(), Vec::new(), None);
    for subnet in &subnets {
        let subnet = mapping(subnet, "a subnet")?;
        let family = if subnet_is_ipv6(subnet)? { "ipv6" } else { "ipv4" };
        made.method(family, Some(crate::address::subnet_type(subnet)?));
        if let Some(address) = at(subnet, "address") {
            let Some(prefix) = at(subnet, "prefix") else {
                return refuse(address.place, "an address stands in a subnet that has none");
            };
            let address = format!("{}/{}", string(address, "an address")?, prefix.to_python_str());
            made.add_numbered(family, "address", &address);
        }
        if let Some(gateway) = at(subnet, "gateway") {
            made.set(family, "gateway", string(gateway, "`gateway`")?);
        }
        for route in at(subnet, "routes").map_or(Ok(Vec::new()), |routes| iterate(routes, "`routes`"))? {
            made.route(mapping(&route, "a route")?)?;
        }
        if let Some(metric) = at(subnet, "metric") {
            made.set(family, "route-metric", &metric.to_python_str());
        }
        for (key, found) in [("dns_nameservers", &mut servers), ("dns_search", &mut search)] {
            if let Some(words) = at(subnet, key) {
                found.extend(iterate(words, key)?);
            }
        }
        if family == "ipv4" && at(subnet, "mtu").is_some() {
            mtu = at(subnet, "mtu").cloned();
        }
    }
    if let Some(dns) = at(iface, "dns") {
        let dns = mapping(dns, "`dns`")?;
        for (key, found) in [("nameservers", &mut servers), ("search", &mut search)] {
            let before: Vec<Value> = found.clone();
            let words = at(dns, key).map_or(Ok(Vec::new()), |words| iterate(words, key))?;
            found.extend(words.into_iter().filter(|word| !before.iter().any(|known| equal(known, word))));
        }
    }
    if servers.is_empty() {
        servers.clone_from(&state.nameservers);
    }
    if search.is_empty() {
        search.clone_from(&state.search);
    }
    for server in &servers {
        let family = if is_ipv6(server) { "ipv6" } else { "ipv4" };
        if made.used(family) {
            let before = made.get(family, "dns").unwrap_or_default().to_owned();
            made.set(family, "dns", &format!("{before}{};", string(server, "a name server")?));
        }
    }
    for family in ["ipv4", "ipv6"] {
        if !search.is_empty() && made.used(family) {
            let words = join(&py::list(search.clone()), "search domains")?.replace(' ', ";");
            let before = made.get(family, "dns-search").unwrap_or_default().to_owned();
            made.set(family, "dns-search", &format!("{before}{words};"));
        }
    }
    made.may_fail();
    Ok(mtu)
}
