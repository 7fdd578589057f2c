//! `/etc/systemd/network/10-cloud-init-NAME.network` and `.netdev`. (`cloudinit/net/networkd.py`)

use std::collections::{BTreeMap, BTreeSet};

use hardtack_userdata::truth::{translate_bool, truthy};
use hardtack_userdata::{Finding, Key, Kind, Map, Value};
use indexmap::IndexMap;

use crate::address::{gateway_outside, subnet_type};
use crate::config::NetFile;
use crate::py::{
    self, IGNORED, Outcome, at, contains, equal, filled, given, item, iterate, join, mapping, null, refuse,
    shown, string,
};
use crate::state::State;

/// Where the files are.
pub const FOLDER: &str = "/etc/systemd/network";

/// `CfgParser`: sections and their lines, all in order, no line twice.
#[derive(Default)]
struct Unit {
    sections: BTreeMap<&'static str, BTreeSet<String>>,
    /// Sections of which there are several, one for each key.
    repeated: BTreeMap<(&'static str, RouteKey), BTreeSet<String>>,
}

/// Routes are ordered by text, policies by number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum RouteKey {
    Route(String),
    Policy(usize),
}

impl Unit {
    fn add(&mut self, section: &'static str, key: &str, value: &str) {
        self.sections.entry(section).or_default().insert(format!("{key}={value}"));
    }

    fn add_route(&mut self, section: &'static str, id: RouteKey, key: &str, value: &str) {
        self.repeated.entry((section, id)).or_default().insert(format!("{key}={value}"));
    }

    fn text(&self) -> String {
        let mut blocks: BTreeMap<&str, String> = BTreeMap::new();
        for (name, lines) in &self.sections {
            let block = blocks.entry(name).or_default();
            if *name == "Address" {
                for line in lines {
                    block.push_str(&format!("[Address]\n{line}\n\n"));
                }
                continue;
            }
            block.push_str(&format!("[{name}]\n"));
            for line in lines {
                block.push_str(&format!("{line}\n"));
            }
            block.push('\n');
        }
        for ((name, _), lines) in &self.repeated {
            let block = blocks.entry(name).or_default();
            block.push_str(&format!("[{name}]\n"));
            for line in lines {
                block.push_str(&format!("{line}\n"));
            }
            block.push('\n');
        }
        let text: String = blocks.into_values().collect();
        match text.strip_suffix("\n\n") {
            Some(shorter) => format!("{shorter}\n"),
            None => text,
        }
    }
}

/// Links between devices that more than one file names.
#[derive(Default)]
struct Links {
    vlans: IndexMap<Key, Vec<Value>>,
    bonds: IndexMap<Key, Value>,
    bridges: IndexMap<Key, Value>,
    /// `bridge_pathcost` and `bridge_portprio` of each bridge.
    costs: IndexMap<Key, Value>,
    priorities: IndexMap<Key, Value>,
}

/// `_render_content`: the files.
pub(crate) fn files(state: &mut State) -> Outcome<Vec<NetFile>> {
    let mut findings = Vec::new();
    let mut links = Links::default();
    let mut netdevs: [IndexMap<String, String>; 3] = Default::default();
    vlans(state, &mut links, &mut netdevs[0], &mut findings)?;
    bonds(state, &mut links, &mut netdevs[1], &mut findings)?;
    bridges(state, &mut links, &mut netdevs[2], &mut findings)?;
    let policies = policies(&state.config)?;
    let mut networks: IndexMap<String, String> = IndexMap::new();
    for iface in state.iter() {
        let name = at(iface, "name").cloned().unwrap_or_else(null);
        let key = py::key(&name)?;
        let mut unit = Unit::default();
        for vlan in links.vlans.get(&key).into_iter().flatten() {
            unit.add("Network", "VLAN", &vlan.to_python_str());
        }
        if let Some(policy) = policies.get(&key).filter(|policy| truthy(policy)) {
            add_policies(&mut unit, policy)?;
        }
        if let Some(bond) = links.bonds.get(&key).filter(|bond| truthy(bond)) {
            unit.add("Network", "Bond", &bond.to_python_str());
        }
        if let Some(bridge) = links.bridges.get(&key).filter(|bridge| truthy(bridge)) {
            for (option, values) in [("Cost", &links.costs), ("Priority", &links.priorities)] {
                let Some(values) = values.get(&py::key(bridge)?) else { continue };
                if let Some(value) =
                    mapping(values, "a parameter of a bridge")?.get(&key).filter(|value| truthy(value))
                {
                    unit.add("Bridge", option, &value.to_python_str());
                }
            }
            unit.add("Network", "Bridge", &bridge.to_python_str());
        }
        network(&mut unit, iface, state)?;
        networks.insert(name.to_python_str(), unit.text());
    }
    state.findings.append(&mut findings);
    let file = |name: &str, extension: &str, text: &str| NetFile {
        path: format!("{FOLDER}/10-cloud-init-{name}.{extension}"),
        text: text.to_owned(),
        mode: 0o644,
        owner: Some("systemd-network"),
    };
    let mut files: Vec<NetFile> = networks.iter().map(|(name, text)| file(name, "network", text)).collect();
    for netdevs in &netdevs {
        for (name, text) in netdevs {
            files.retain(|other| other.path != format!("{FOLDER}/10-cloud-init-{name}.netdev"));
            files.push(file(name, "netdev", text));
        }
    }
    Ok(files)
}

/// The body of one `.network`.
fn network(unit: &mut Unit, iface: &Map, state: &State) -> Outcome<()> {
    let kind = at(iface, "type").and_then(Value::as_text);
    for (key, option) in [("name", "Name"), ("driver", "Driver"), ("mac_address", "MACAddress")] {
        if let Some(value) = filled(iface, key).filter(|_| key != "mac_address" || kind == Some("physical")) {
            unit.add("Match", option, &value.to_python_str());
        }
    }
    if let Some(mtu) = filled(iface, "mtu") {
        unit.add("Link", "MTUBytes", &mtu.to_python_str());
    }
    if let Some(mac) = filled(iface, "mac_address").filter(|_| kind != Some("physical")) {
        unit.add("Link", "MACAddress", &mac.to_python_str());
    }
    if filled(iface, "optional").is_some() {
        unit.add("Link", "RequiredForOnline", "no");
    }
    let dhcp = subnets(unit, iface)?;
    dns(unit, iface, state)?;
    for (number, route) in state.routes.iter().enumerate() {
        add_route(unit, &format!("c{number}"), route)?;
    }
    if state.version == 2 {
        overrides(unit, iface, dhcp, &state.config)?;
    }
    Ok(())
}

/// `parse_routes`.
fn add_route(unit: &mut Unit, id: &str, route: &Map) -> Outcome<()> {
    for (key, value) in route {
        let option = match key.as_text() {
            Some("gateway") => "Gateway",
            Some("network") => "Destination",
            Some("metric") => "Metric",
            Some("table") => "Table",
            _ => continue,
        };
        let mut text = value.to_python_str();
        if option == "Destination"
            && let Some(prefix) = at(route, "prefix")
        {
            text = format!("{}/{}", string(value, "a route's network")?, prefix.to_python_str());
        }
        unit.add_route("Route", RouteKey::Route(id.to_owned()), option, &text);
    }
    Ok(())
}

/// `parse_subnets`: what `DHCP=` says.
fn subnets(unit: &mut Unit, iface: &Map) -> Outcome<&'static str> {
    let mut dhcp = "no";
    let mut number = 0;
    let subnets = match at(iface, "subnets") {
        Some(subnets) => iterate(subnets, "`subnets`")?,
        None => Vec::new(),
    };
    for subnet in &subnets {
        let subnet = mapping(subnet, "a subnet")?;
        dhcp = match (subnet_type(subnet)?, dhcp) {
            ("dhcp4" | "dhcp", "no") => "ipv4",
            ("dhcp4" | "dhcp", "ipv6") | ("dhcp6", "ipv4") => "yes",
            ("dhcp6", "no") => "ipv6",
            (_, before) => before,
        };
        if let Some(routes) = filled(subnet, "routes") {
            for route in iterate(routes, "`routes`")? {
                add_route(unit, &format!("r{number}"), mapping(&route, "a route")?)?;
                number += 1;
            }
        }
        let Some(address) = at(subnet, "address") else { continue };
        let mut text = address.to_python_str();
        if let Some(prefix) = at(subnet, "prefix") {
            text = format!("{}/{}", string(address, "an address")?, prefix.to_python_str());
        }
        for (key, value) in subnet {
            match key.as_text() {
                Some("address") => unit.add("Address", "Address", &text),
                Some("gateway") => {
                    let id = RouteKey::Route(format!("a{number}"));
                    unit.add_route("Route", id.clone(), "Gateway", &value.to_python_str());
                    if gateway_outside(value, &text) {
                        unit.add_route("Route", id, "GatewayOnLink", "yes");
                    }
                    number += 1;
                }
                Some("dns_nameservers") => unit.add("Network", "DNS", &join(value, "`dns_nameservers`")?),
                Some("dns_search") => unit.add("Network", "Domains", &join(value, "`dns_search`")?),
                _ => {}
            }
        }
    }
    unit.add("Network", "DHCP", dhcp);
    if let Some(Value { kind: Kind::Bool(accept), .. }) = at(iface, "accept-ra") {
        unit.add("Network", "IPv6AcceptRA", if *accept { "yes" } else { "no" });
    }
    Ok(dhcp)
}

/// `parse_dns`.
fn dns(unit: &mut Unit, iface: &Map, state: &State) -> Outcome<()> {
    let (search, servers) = match filled(iface, "dns") {
        Some(dns) => {
            let dns = mapping(dns, "`dns`")?;
            (filled(dns, "search").cloned(), filled(dns, "nameservers").cloned())
        }
        None if state.version == 1 => {
            let listed = |items: &[Value]| (!items.is_empty()).then(|| py::list(items.to_vec()));
            (listed(&state.search), listed(&state.nameservers))
        }
        None => return Ok(()),
    };
    for (option, words) in [("Domains", search), ("DNS", servers)] {
        if let Some(words) = words {
            unit.add("Network", option, &join(&words, "name servers")?);
        }
    }
    Ok(())
}

/// What version 2 says of DHCP beyond on and off: `dhcp_domain`, `parse_dhcp_overrides`.
fn overrides(unit: &mut Unit, iface: &Map, dhcp: &str, config: &Value) -> Outcome<()> {
    let name = at(iface, "name").cloned().unwrap_or_else(null);
    let top = mapping(config, "the network configuration")?;
    let Some(ethernets) = at(top, "ethernets") else {
        return refuse(config.place, "the configuration has no `ethernets`");
    };
    let ethernets = mapping(ethernets, "`ethernets`")?;
    let mut key = py::key(&name)?;
    for (other, config) in ethernets {
        if contains(config, "set-name", "a device")? && equal(item(config, "set-name", "a device")?, &name) {
            key = other.clone();
            break;
        }
    }
    let Some(device) = ethernets.get(&key) else { return Ok(()) };
    let device = mapping(device, "a device")?;
    for (name, section) in [("dhcp4domain", "DHCPv4"), ("dhcp6domain", "DHCPv6")] {
        if let Some(value) = at(device, name) {
            let yes = translate_bool(&py::text(value.to_python_str().to_lowercase()));
            unit.add(section, "UseDomains", if yes { "yes" } else { "no" });
        }
    }
    const ALL: &[(&str, &str)] = &[
        ("UseDNS", "use-dns"),
        ("UseDomains", "use-domains"),
        ("UseHostname", "use-hostname"),
        ("UseNTP", "use-ntp"),
    ];
    const IPV4: &[(&str, &str)] = &[
        ("SendHostname", "send-hostname"),
        ("Hostname", "hostname"),
        ("RouteMetric", "route-metric"),
        ("UseMTU", "use-mtu"),
        ("UseRoutes", "use-routes"),
    ];
    for (version, section, more) in [("4", "DHCPv4", IPV4), ("6", "DHCPv6", &[][..])] {
        let found = at(device, &format!("dhcp{version}-overrides"));
        let what = "the overrides of DHCP";
        if at(device, &format!("dhcp{version}domain")).is_some()
            && let Some(found) = found
            && contains(found, "use-domains", what)?
        {
            return refuse(
                found.place,
                format!("`dhcp{version}domain` and `use-domains` are both given: use one"),
            );
        }
        let Some(found) = found.filter(|_| dhcp == "yes" || dhcp == format!("ipv{version}")) else {
            continue;
        };
        for (option, key) in ALL.iter().chain(more) {
            if contains(found, key, what)? {
                unit.add(section, option, &item(found, key, what)?.to_python_str());
            }
        }
    }
    Ok(())
}

/// `extractRoutingPolicies`, by the name of the device.
fn policies(config: &Value) -> Outcome<IndexMap<Key, Value>> {
    let mut found = IndexMap::new();
    let Kind::Map(top) = &config.kind else { return Ok(found) };
    for section in ["ethernets", "bonds", "vlans", "bridges"] {
        let Some(devices) = at(top, section) else { continue };
        for (name, device) in mapping(devices, section)? {
            if contains(device, "routing-policy", "a device")? {
                found.insert(name.clone(), item(device, "routing-policy", "a device")?.clone());
            }
        }
    }
    Ok(found)
}

fn add_policies(unit: &mut Unit, policy: &Value) -> Outcome<()> {
    for (number, rule) in iterate(policy, "`routing-policy`")?.iter().enumerate() {
        for (key, value) in mapping(rule, "a rule of `routing-policy`")? {
            let name = py::from_key(key);
            let lower = string(&name, "the name of an option")?.to_lowercase();
            let mut rest = lower.chars();
            let name: String =
                rest.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default()
                    + rest.as_str();
            unit.add_route("RoutingPolicyRule", RouteKey::Policy(number), &name, &value.to_python_str());
        }
    }
    Ok(())
}

/// What every `.netdev` begins with.
fn netdev(iface: &Map, kind: &str) -> Outcome<(Value, Unit)> {
    let name = at(iface, "name").cloned().unwrap_or_else(null);
    let mut unit = Unit::default();
    unit.add("NetDev", "Name", &name.to_python_str());
    unit.add("NetDev", "Kind", kind);
    if let Some(mtu) = filled(iface, "mtu") {
        unit.add("NetDev", "MTUBytes", &mtu.to_python_str());
    }
    if let Some(mac) = filled(iface, "mac_address") {
        unit.add("NetDev", "MACAddress", &string(mac, "`mac_address`")?.to_lowercase());
    }
    Ok((name, unit))
}

fn skipped(iface: &Map, what: &str, missing: &str, findings: &mut Vec<Finding>) {
    let name = at(iface, "name").cloned().unwrap_or_else(null);
    let message = format!("the {what} `{}` is ignored: it has no {missing}", shown(&name));
    findings.push(Finding::warning(IGNORED, name.place, message));
}

fn vlans(
    state: &State,
    links: &mut Links,
    out: &mut IndexMap<String, String>,
    findings: &mut Vec<Finding>,
) -> Outcome<()> {
    for iface in state.of_type("vlan") {
        let (Some(id), Some(parent)) = (given(iface, "vlan_id"), given(iface, "vlan-raw-device")) else {
            skipped(iface, "VLAN", "`id` or no `link`", findings);
            continue;
        };
        let (name, mut unit) = netdev(iface, "vlan")?;
        links.vlans.entry(py::key(parent)?).or_default().push(name.clone());
        unit.add("VLAN", "Id", &id.to_python_str());
        out.insert(name.to_python_str(), unit.text());
    }
    Ok(())
}

/// Version 1's name of a bond's parameter, networkd's, and the unit of its value.
const BOND: &[(&str, &str, &str)] = &[
    ("bond-ad-select", "AdSelect", ""),
    ("bond-arp-interval", "ARPIntervalSec", "ms"),
    ("bond-arp-validate", "ARPValidate", ""),
    ("bond-downdelay", "DownDelaySec", "ms"),
    ("bond-fail-over-mac", "FailOverMACPolicy", ""),
    ("bond-lacp-rate", "LACPTransmitRate", ""),
    ("bond-miimon", "MIIMonitorSec", "ms"),
    ("bond-min-links", "MinLinks", ""),
    ("bond-mode", "Mode", ""),
    ("bond-num-grat-arp", "GratuitousARP", ""),
    ("bond-primary-reselect", "PrimaryReselectPolicy", ""),
    ("bond-updelay", "UpDelaySec", "ms"),
    ("bond-xmit-hash-policy", "TransmitHashPolicy", ""),
    ("bond-all-slaves-active", "AllSlavesActive", ""),
    ("bond-arp-all-targets", "ARPAllTargets", ""),
    ("bond-learn-packet-interval", "LearnPacketIntervalSec", ""),
    ("bond-packets-per-slave", "PacketsPerSlave", ""),
];

fn bonds(
    state: &State,
    links: &mut Links,
    out: &mut IndexMap<String, String>,
    findings: &mut Vec<Finding>,
) -> Outcome<()> {
    for iface in state.of_type("bond") {
        let (name, mut unit) = netdev(iface, "bond")?;
        let mut members = Vec::new();
        for other in state.iter() {
            if filled(other, "bond-master").is_some_and(|master| equal(master, &name)) {
                members.push(py::key(at(other, "name").unwrap_or(&null()))?);
            }
        }
        if members.is_empty() {
            skipped(iface, "bond", "`interfaces`", findings);
            continue;
        }
        for member in members {
            links.bonds.insert(member, name.clone());
        }
        for (key, option, suffix) in BOND {
            if let Some(value) = at(iface, key) {
                let mut value = value.to_python_str() + suffix;
                if *option == "AllSlavesActive" {
                    value = value.to_lowercase();
                }
                unit.add("Bond", option, &value);
            }
        }
        if let Some(targets) = at(iface, "arp-ip-targets") {
            let targets = match targets.as_text() {
                Some(target) => target.to_owned(),
                None => join(targets, "`arp-ip-targets`")?,
            };
            unit.add("Bond", "ARPIPTargets", &targets);
        }
        out.insert(name.to_python_str(), unit.text());
    }
    Ok(())
}

const BRIDGE: &[(&str, &str)] = &[
    ("bridge_ageing", "AgeingTimeSec"),
    ("bridge_bridgeprio", "Priority"),
    ("bridge_fd", "ForwardDelaySec"),
    ("bridge_hello", "HelloTimeSec"),
    ("bridge_maxage", "MaxAgeSec"),
    ("bridge_stp", "STP"),
];

fn bridges(
    state: &State,
    links: &mut Links,
    out: &mut IndexMap<String, String>,
    findings: &mut Vec<Finding>,
) -> Outcome<()> {
    for iface in state.of_type("bridge") {
        let Some(ports) = filled(iface, "bridge_ports") else {
            skipped(iface, "bridge", "`interfaces`", findings);
            continue;
        };
        let (name, mut unit) = netdev(iface, "bridge")?;
        for port in iterate(ports, "`bridge_interfaces`")? {
            links.bridges.insert(py::key(&port)?, name.clone());
        }
        for (key, option) in BRIDGE {
            if let Some(value) = filled(iface, key) {
                let on = matches!(value.kind, Kind::Bool(true));
                unit.add("Bridge", option, &if on { "yes".to_owned() } else { value.to_python_str() });
            }
        }
        for (key, values) in
            [("bridge_pathcost", &mut links.costs), ("bridge_portprio", &mut links.priorities)]
        {
            if let Some(value) = filled(iface, key) {
                values.insert(py::key(&name)?, value.clone());
            }
        }
        out.insert(name.to_python_str(), unit.text());
    }
    Ok(())
}
