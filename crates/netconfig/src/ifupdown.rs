//! `/etc/network/interfaces.d/50-cloud-init`, for Debian's ifupdown ("eni"). (`cloudinit/net/eni.py`)

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Kind, Map, Value};

use crate::address::{is_ipv6, is_network6, same_version, subnet_is_ipv6, subnet_type};
use crate::py::{
    self, IGNORED, Outcome, at, equal, filled, given, int, iterate, join, mapping, refuse, set, shown,
    string, text,
};
use crate::state::State;

/// Debian's file. `/etc/network/interfaces` has to say `source /etc/network/interfaces.d/*`, which the image
/// does; nobody edits it.
pub const PATH: &str = "/etc/network/interfaces.d/50-cloud-init";

/// Types in the order that they are written in: bonds need their members first.
const ORDER: &[&str] = &["loopback", "physical", "infiniband", "bond", "bridge", "vlan"];

/// Keys of a subnet that are options of a stanza.
const OPTIONS: &[&str] = &[
    "address",
    "netmask",
    "broadcast",
    "metric",
    "gateway",
    "pointopoint",
    "mtu",
    "scope",
    "dns_search",
    "dns_nameservers",
];

/// Keys of an interface that are none.
const IGNORED_KEYS: &[&str] =
    &["control", "device_id", "dns", "driver", "index", "inet", "mode", "name", "subnets", "type"];

/// Options that are written once for each value.
const REPEATED: &[&str] = &["bridge_pathcost", "bridge_portprio", "bridge_waitport"];

/// `_render_interfaces`. `has_ip`: the image has the program `ip`.
pub(crate) fn content(state: &mut State, has_ip: bool) -> Outcome<String> {
    let mut writer = Writer { has_ip, findings: Vec::new() };
    let mut sections = Vec::new();
    sections.extend(writer.iface(&loopback(state)?)?);
    for iface in in_order(state)? {
        if at(iface, "name").and_then(Value::as_text) != Some("lo") {
            sections.extend(writer.iface(iface)?);
        }
    }
    for route in &state.routes {
        sections.push(writer.route(route, "")?);
    }
    state.findings.append(&mut writer.findings);
    let sections: Vec<String> = sections.iter().map(|lines| lines.join("\n")).collect();
    Ok(sections.join("\n\n") + "\n")
}

/// The loopback, which carries the name servers of all.
fn loopback(state: &State) -> Outcome<Map> {
    let given = state.iter().filter(|iface| at(iface, "name").and_then(Value::as_text) == Some("lo")).last();
    let mut lo = given.cloned().unwrap_or_else(|| {
        let mut subnet = Map::new();
        set(&mut subnet, "type", text("loopback"));
        set(&mut subnet, "control", text("auto"));
        let mut lo = Map::new();
        set(&mut lo, "name", text("lo"));
        set(&mut lo, "type", text("physical"));
        set(&mut lo, "inet", text("inet"));
        set(&mut lo, "subnets", py::list(vec![py::map(subnet)]));
        lo
    });
    for (key, words) in [("dns_nameservers", &state.nameservers), ("dns_search", &state.search)] {
        if words.is_empty() {
            continue;
        }
        let first =
            lo.get_mut(&hardtack_userdata::Key::text("subnets")).and_then(|subnets| {
                match &mut subnets.kind {
                    Kind::List(subnets) => subnets.first_mut(),
                    _ => None,
                }
            });
        match first {
            Some(Value { kind: Kind::Map(subnet), .. }) => set(subnet, key, py::list(words.clone())),
            _ => return refuse(state.config.place, "`lo` has no subnet that name servers could stand in"),
        }
    }
    Ok(lo)
}

fn in_order(state: &State) -> Outcome<Vec<&Map>> {
    let mut ranked = Vec::new();
    for iface in state.iter() {
        let name = at(iface, "name").cloned().unwrap_or_else(py::null);
        let kind = at(iface, "type").and_then(Value::as_text);
        let Some(rank) = ORDER.iter().position(|known| Some(*known) == kind) else {
            return refuse(
                name.place,
                format!("`{}` is used and not configured: it has no type", shown(&name)),
            );
        };
        ranked.push((rank, name, iface));
    }
    for rank in 0..ORDER.len() {
        let names: Vec<&Value> =
            ranked.iter().filter(|entry| entry.0 == rank).map(|entry| &entry.1).collect();
        let first = names.first().map(|name| name.as_text().is_some());
        if let Some(other) = names.iter().find(|name| Some(name.as_text().is_some()) != first) {
            return refuse(
                other.place,
                "names of devices are text here and numbers there: put them in quotes",
            );
        }
    }
    let number = |name: &Value| py::number(name, "a name").unwrap_or_default();
    ranked.sort_by(|one, other| {
        let names = match (one.1.as_text(), other.1.as_text()) {
            (Some(one), Some(other)) => one.cmp(other),
            _ => number(&one.1).cmp(&number(&other.1)),
        };
        one.0.cmp(&other.0).then(names)
    });
    Ok(ranked.into_iter().map(|entry| entry.2).collect())
}

struct Writer {
    has_ip: bool,
    findings: Vec<Finding>,
}

impl Writer {
    /// `_render_iface`.
    fn iface(&mut self, iface: &Map) -> Outcome<Vec<Vec<String>>> {
        let mut iface = iface.clone();
        iface.shift_remove(&hardtack_userdata::Key::text("config_id"));
        let subnets = match at(&iface, "subnets") {
            Some(subnets) => iterate(subnets, "`subnets`")?,
            None => Vec::new(),
        };
        let accept_ra =
            iface.shift_remove(&hardtack_userdata::Key::text("accept-ra")).filter(|value| !value.is_null());
        let wake = iface.shift_remove(&hardtack_userdata::Key::text("wakeonlan"));
        if wake.is_some_and(|wake| truthy(&wake)) {
            set(&mut iface, "ethernet-wol", text("g"));
        }
        if subnets.is_empty() {
            return Ok(vec![self.without_subnets(&iface)?]);
        }
        let accept_ra = accept_ra.map(|accept| text(if truthy(&accept) { "1" } else { "0" }));
        let mut sections: Vec<Vec<String>> = Vec::new();
        let mut dns: Option<Map> = None;
        let mut routes6: Vec<Value> = Vec::new();
        for (index, subnet) in subnets.iter().enumerate() {
            let mut subnet = mapping(subnet, "a subnet")?.clone();
            let kind = subnet_type(&subnet)?.to_owned();
            set(&mut iface, "mode", text(&kind));
            let control = at(&subnet, "control").cloned().unwrap_or_else(|| text("auto"));
            set(&mut iface, "control", control);
            let ipv6 = subnet_is_ipv6(&subnet)?;
            let mtu = if ipv6 { None } else { given(&subnet, "mtu").cloned() };
            set(&mut iface, "inet", text(if ipv6 { "inet6" } else { "inet" }));
            let mode = match kind.as_str() {
                "dhcp4" | "dhcp6" | "ipv6_dhcpv6-stateful" => Some("dhcp"),
                "ipv6_dhcpv6-stateless" | "ipv6_slaac" => {
                    let dhcp = if kind == "ipv6_slaac" { "0" } else { "1" };
                    set(&mut iface, "mode", text("auto"));
                    set(&mut iface, "dhcp", text(dhcp));
                    None
                }
                _ if ipv6 => Some("static"),
                _ => None,
            };
            if let Some(mode) = mode {
                set(&mut iface, "mode", text(mode));
                if let Some(accept) = &accept_ra {
                    set(&mut iface, "accept_ra", accept.clone());
                }
            }
            let auto = format!("auto {}", name(&iface));
            if sections.iter().any(|lines| lines.contains(&auto)) {
                set(&mut iface, "control", text("alias"));
            }
            let has_dns = at(&subnet, "dns_search").is_some() || at(&subnet, "dns_nameservers").is_some();
            if has_dns {
                dns.get_or_insert_with(|| {
                    let mut found = Map::new();
                    for key in ["dns_search", "dns_nameservers"] {
                        set(&mut found, key, at(&subnet, key).cloned().unwrap_or_else(py::null));
                    }
                    found
                });
            } else if let Some(dns) = &dns {
                py::update(&mut subnet, dns);
            }
            let mut lines = start(&iface)?;
            lines.extend(options(&subnet, ipv6)?);
            if index == 0 {
                lines.extend(self.attributes(&iface, mtu.as_ref())?);
            }
            for route in at(&subnet, "routes").map_or(Ok(Vec::new()), |routes| iterate(routes, "`routes`"))? {
                let fields = mapping(&route, "a route")?;
                if at(fields, "network").is_some_and(is_network6) && !ipv6 {
                    routes6.push(route);
                } else {
                    lines.extend(self.route(fields, "    ")?);
                }
            }
            if ipv6 {
                for route in routes6.drain(..) {
                    lines.extend(self.route(mapping(&route, "a route")?, "    ")?);
                }
            }
            sections.push(lines);
        }
        if !routes6.is_empty() {
            set(&mut iface, "mode", text("static"));
            set(&mut iface, "inet", text("inet6"));
            let mut lines = start(&iface)?;
            lines.extend(options(&dns.unwrap_or_default(), true)?);
            for route in &routes6 {
                lines.extend(self.route(mapping(route, "a route")?, "    ")?);
            }
            sections.push(lines);
        }
        Ok(sections)
    }

    fn without_subnets(&mut self, iface: &Map) -> Outcome<Vec<String>> {
        let mut lines = Vec::new();
        if at(iface, "bond-master").is_some() || at(iface, "bond-slaves").is_some() {
            lines.push(format!("auto {}", name(iface)));
        }
        lines.push(format!("iface {} {} {}", name(iface), word(iface, "inet"), word(iface, "mode")));
        lines.extend(self.attributes(iface, None)?);
        Ok(lines)
    }

    /// `_iface_add_attrs`.
    fn attributes(&mut self, iface: &Map, subnet_mtu: Option<&Value>) -> Outcome<Vec<String>> {
        let kind = at(iface, "type").and_then(Value::as_text).unwrap_or_default();
        let has_mac = matches!(kind, "bond" | "bridge" | "infiniband" | "vlan");
        let mut lines = Vec::new();
        for (key, value) in iface {
            let Some(key) = key.as_text() else {
                return refuse(key.place, "a parameter has a name that is no text: put it in quotes");
            };
            let written = if key == "mac_address" { "hwaddress".to_owned() } else { key.replace('_', "-") };
            let value = match value.kind {
                Kind::Bool(on) => text(if on { "on" } else { "off" }),
                _ => value.clone(),
            };
            if !truthy(&value) || IGNORED_KEYS.contains(&key) || (key == "mac_address" && !has_mac) {
                continue;
            }
            if let Some(mtu) = subnet_mtu.filter(|mtu| key == "mtu" && truthy(mtu)) {
                if !equal(&value, mtu) {
                    let message = format!(
                        "the device's `mtu` {} is ignored: a subnet says {}",
                        shown(&value),
                        shown(mtu)
                    );
                    self.findings.push(Finding::warning(IGNORED, value.place, message));
                }
                continue;
            }
            if REPEATED.contains(&key) {
                for item in iterate(&value, &format!("`{key}`"))? {
                    lines.push(format!("    {written} {}", item.to_python_str()));
                }
                continue;
            }
            let value = match value.kind {
                Kind::List(_) => join(&value, &format!("`{key}`"))?,
                _ => value.to_python_str(),
            };
            lines.push(format!("    {written} {value}"));
        }
        lines.sort();
        Ok(lines)
    }

    /// `_render_route`: the command that adds it and the one that removes it.
    fn route(&self, route: &Map, indent: &str) -> Outcome<Vec<String>> {
        let need = |key: &str| match at(route, key) {
            Some(value) => Ok(value),
            None => {
                let place = route.values().next().map(|value| value.place).unwrap_or_default();
                refuse(place, format!("a route has no `{key}`"))
            }
        };
        let network = need("network")?;
        let zero = int(0);
        let (program, via) = if self.has_ip { ("ip", "via") } else { ("route", "gw") };
        let (mut up, mut down) = if self.has_ip {
            (format!("{indent}post-up {program}"), format!("{indent}pre-down {program}"))
        } else {
            (format!("{indent}post-up {program} add"), format!("{indent}pre-down {program} del"))
        };
        let mut both = |family: &str| {
            if self.has_ip {
                up.push_str(&format!("{family} route add"));
                down.push_str(&format!("{family} route del"));
            }
        };
        let mut default = "";
        if network.as_text() == Some("0.0.0.0") && need("netmask")?.as_text() == Some("0.0.0.0") {
            both("");
            default = " default";
        } else if network.as_text() == Some("::") && equal(need("prefix")?, &zero) {
            both(" -family inet6");
            default = if self.has_ip { " default" } else { " -A inet6 default" };
        }
        let mut line = String::new();
        if default.is_empty() {
            let ipv6 = is_ipv6(network);
            both(if ipv6 { " -family inet6" } else { "" });
            if !self.has_ip {
                let host = at(route, "prefix").is_some_and(|prefix| equal(prefix, &int(32)));
                line.push_str(if ipv6 {
                    " -A inet6"
                } else if host {
                    " -host"
                } else {
                    " -net"
                });
            }
            if let Some(prefix) = at(route, "prefix") {
                line.push_str(&format!(" {}/{}", network.to_python_str(), prefix.to_python_str()));
            }
        }
        line.push_str(&format!("{default} {via} {}", need("gateway")?.to_python_str()));
        if let Some(metric) = at(route, "metric") {
            line.push_str(&format!(" metric {}", metric.to_python_str()));
        }
        Ok(vec![format!("{up}{line} || true"), format!("{down}{line} || true")])
    }
}

fn word(iface: &Map, key: &str) -> String {
    at(iface, key).map_or_else(|| "None".to_owned(), Value::to_python_str)
}

fn name(iface: &Map) -> String {
    word(iface, "name")
}

/// `_iface_start_entry`.
fn start(iface: &Map) -> Outcome<Vec<String>> {
    let control = at(iface, "control").cloned().unwrap_or_else(|| text("auto"));
    let verb = match string(&control, "`control`")? {
        "auto" => "auto".to_owned(),
        "hotplug" => "allow-hotplug".to_owned(),
        other => format!("# control-{other}"),
    };
    Ok(vec![
        format!("{verb} {}", name(iface)),
        format!("iface {} {} {}", name(iface), word(iface, "inet"), word(iface, "mode")),
    ])
}

/// `_iface_add_subnet`.
fn options(subnet: &Map, ipv6: bool) -> Outcome<Vec<String>> {
    let mut lines = Vec::new();
    for (key, value) in subnet {
        let Some(name) = key.as_text().filter(|name| *name != "netmask") else { continue };
        if name == "address" {
            let Some(prefix) = at(subnet, "prefix") else {
                return refuse(value.place, "an address stands in a subnet that has none");
            };
            lines.push(format!("    address {}/{}", value.to_python_str(), prefix.to_python_str()));
            continue;
        }
        if !truthy(value) || !OPTIONS.contains(&name) {
            continue;
        }
        if name == "dns_search" && !useful_search(subnet, ipv6) {
            continue;
        }
        let value = match &value.kind {
            Kind::List(items) if name == "dns_nameservers" => {
                let fitting: Vec<Value> =
                    items.iter().filter(|item| same_version(item, ipv6)).cloned().collect();
                if fitting.is_empty() {
                    continue;
                }
                join(&py::list(fitting), "`dns_nameservers`")?
            }
            Kind::List(_) => join(value, &format!("`{name}`"))?,
            _ if name == "dns_nameservers" && !same_version(value, ipv6) => continue,
            _ => value.to_python_str(),
        };
        lines.push(format!("    {} {value}", name.replace('_', "-")));
    }
    lines.sort();
    Ok(lines)
}

/// Search domains make no sense where no name server has an address of the family.
fn useful_search(subnet: &Map, ipv6: bool) -> bool {
    match filled(subnet, "dns_nameservers").or_else(|| at(subnet, "dns_nameservers")) {
        Some(Value { kind: Kind::List(servers), .. }) => {
            servers.iter().any(|server| same_version(server, ipv6))
        }
        Some(server) if server.as_text().is_some() => same_version(server, ipv6),
        _ => true,
    }
}
