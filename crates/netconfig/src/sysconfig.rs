//! `/etc/sysconfig`: `ifcfg-NAME` and `route-NAME`, for Red Hat's scripts and NetworkManager's plugin, and for
//! SUSE's wicked. (`cloudinit/net/sysconfig.py`)

mod device;
mod subnets;

use std::collections::BTreeMap;

use hardtack_userdata::{Kind, Map, Value};
use indexmap::IndexMap;

use crate::config::NetFile;
use crate::py::{self, Outcome, at, contains, equal, filled, iterate, join, mapping, null, refuse, string};
use crate::render::Read;
use crate::state::State;
use crate::udev;
use device::{Device, File};

/// The first line of every file. The second one is empty but for the sign.
pub const HEADER: &str = " Written by hardtack-agent at first boot, do not edit.";

pub(crate) fn header(sign: char) -> String {
    format!("{sign}{HEADER}\n{sign}")
}

/// `_render_sysconfig`, and what stands around it in `render_network_state`.
pub(crate) fn files(state: &mut State, suse: bool, read: Read<'_>) -> Outcome<Vec<NetFile>> {
    let mut out: IndexMap<String, String> = IndexMap::new();
    for device in devices(state, suse)?.values() {
        let folder = if suse { "/etc/sysconfig/network" } else { "/etc/sysconfig/network-scripts" };
        out.insert(format!("{folder}/ifcfg-{}", device.name), device.text());
        if device.routes.is_empty() {
            continue;
        }
        let names = if suse { ["ifroute", "ifroute"] } else { ["route", "route6"] };
        for (name, ipv6) in names.into_iter().zip([false, true]) {
            let path = format!("{folder}/{name}-{}", device.name);
            if !out.contains_key(&path) {
                out.insert(path, device.routes_text(ipv6)?);
            }
        }
    }
    let resolv = "/etc/resolv.conf";
    if let Some(text) = resolv_conf(state, read(resolv).as_deref())? {
        out.insert(resolv.to_owned(), text);
    }
    if has_dns(state)? {
        let text = format!("{}\n[main]\ndns = none\n", header('#'));
        out.insert("/etc/NetworkManager/conf.d/99-cloud-init.conf".to_owned(), text);
    }
    let rules = if suse { "/etc/udev/rules.d/85-persistent-net-cloud-init.rules" } else { udev::PATH };
    out.insert(rules.to_owned(), udev::rules(state)?);
    if !suse {
        let path = "/etc/sysconfig/network";
        out.insert(path.to_owned(), control(state, read(path).as_deref()));
    }
    let file = |(path, text)| NetFile { path, text, mode: 0o644, owner: None };
    Ok(out.into_iter().map(file).collect())
}

fn name(iface: &Map) -> Value {
    at(iface, "name").cloned().unwrap_or_else(null)
}

/// `config_id or name`.
fn id(iface: &Map) -> Value {
    filled(iface, "config_id").cloned().unwrap_or_else(|| name(iface))
}

type Devices = IndexMap<hardtack_userdata::Key, Device>;

fn device<'a>(devices: &'a mut Devices, id: &Value) -> Outcome<&'a mut Device> {
    match devices.get_mut(&py::key(id)?) {
        Some(device) => Ok(device),
        None => refuse(id.place, format!("`{}` is used and not configured", py::shown(id))),
    }
}

fn devices(state: &State, suse: bool) -> Outcome<Devices> {
    let mut devices = Devices::new();
    for iface in state.iter() {
        let kind = at(iface, "type").and_then(Value::as_text);
        if kind == Some("loopback") {
            continue;
        }
        let mut device = Device::new(&name(iface), suse);
        shared(iface, kind, &mut device.file, suse);
        devices.insert(py::key(&id(iface))?, device);
    }
    let default = has_default_route(state);
    let layer3 = |iface: &Map, device: &mut Device| {
        subnets::addresses(&mut device.file, iface, default, suse)?;
        if suse { Ok(()) } else { subnets::routes(device, iface) }
    };
    for iface in state.of_type("physical") {
        layer3(iface, device(&mut devices, &id(iface))?)?;
    }
    for iface in state.of_type("bond") {
        let bond = name(iface);
        let file = &mut device(&mut devices, &bond)?.file;
        bonding(file, iface, suse)?;
        file.flag("BONDING_MASTER", true);
        if !suse {
            file.word("TYPE", "Bond");
        }
        if let Some(mac) = filled(iface, "mac_address") {
            file.set(if suse { "LLADDR" } else { "MACADDR" }, mac);
        }
        layer3(iface, device(&mut devices, &bond)?)?;
        let mut members = Vec::new();
        for other in state.iter() {
            if filled(other, "bond-master").is_some_and(|master| equal(master, &bond)) {
                members.push(name(other));
            }
        }
        for (number, member) in crate::netplan::sorted(members)?.iter().enumerate() {
            let key = if suse { format!("BONDING_SLAVE_{number}") } else { format!("BONDING_SLAVE{number}") };
            device(&mut devices, &bond)?.file.set(&key, member);
            let file = &mut device(&mut devices, member)?.file;
            if suse {
                file.word("BOOTPROTO", "none");
                file.word("STARTMODE", "hotplug");
            } else {
                file.set("MASTER", &bond);
                file.flag("SLAVE", true);
            }
        }
    }
    for iface in state.of_type("vlan") {
        let device = device(&mut devices, &name(iface))?;
        if suse {
            if let Some(id) = filled(iface, "vlan_id") {
                device.file.set("VLAN_ID", id);
            }
            let name = name(iface);
            let name = string(&name, "the name of a VLAN")?;
            // Python's slice up to -1 where there is no dot: all but the last character.
            let parent = name.rsplit_once('.').map_or_else(
                || name.char_indices().next_back().map_or("", |(end, _)| name.get(..end).unwrap_or_default()),
                |(parent, _)| parent,
            );
            device.file.word("ETHERDEVICE", parent);
        } else {
            device.file.flag("VLAN", true);
            device.file.word("TYPE", "Vlan");
            let parent = at(iface, "vlan-raw-device").cloned().unwrap_or_else(null);
            py::number(&at(iface, "vlan_id").cloned().unwrap_or_else(null), "`vlan_id`")?;
            device.file.set("PHYSDEV", &parent);
        }
        layer3(iface, device)?;
    }
    for iface in state.of_type("bridge") {
        let own = name(iface);
        bridge(&mut device(&mut devices, &own)?.file, iface, suse)?;
        let ports = at(iface, "bridge_ports").cloned().unwrap_or_else(|| py::list(Vec::new()));
        for port in iterate(&ports, "`bridge_interfaces`")? {
            let file = &mut device(&mut devices, &port)?.file;
            if suse { file.word("BRIDGE", "yes") } else { file.set("BRIDGE", &own) }
        }
        layer3(iface, device(&mut devices, &own)?)?;
    }
    for iface in state.of_type("infiniband") {
        let device = device(&mut devices, &name(iface))?;
        device.file.word("TYPE", "InfiniBand");
        layer3(iface, device)?;
    }
    Ok(devices)
}

/// `_render_iface_shared`.
fn shared(iface: &Map, kind: Option<&str>, file: &mut File, suse: bool) {
    if suse {
        file.word("BOOTPROTO", "static");
        file.word("STARTMODE", "auto");
    } else {
        file.flag("ONBOOT", true);
        file.flag("USERCTL", false);
        file.word("BOOTPROTO", "none");
    }
    let mac = if suse { "LLADDR" } else { "HWADDR" };
    for (key, option) in [("mac_address", mac), ("mtu", "MTU"), ("accept-ra", "IPV6_FORCE_ACCEPT_RA")] {
        let Some(value) = py::given(iface, key) else { continue };
        let fits = match key {
            "mac_address" => matches!(kind, Some("physical" | "infiniband")),
            "accept-ra" => !suse,
            _ => true,
        };
        if fits {
            file.set(option, value);
        }
    }
    if filled(iface, "wakeonlan").is_some() && kind == Some("physical") {
        file.word("ETHTOOL_OPTS", "wol g");
    }
}

/// `_render_bonding_opts`.
fn bonding(file: &mut File, iface: &Map, suse: bool) -> Outcome<()> {
    const OPTIONS: &[&str] = &[
        "mode",
        "xmit_hash_policy",
        "miimon",
        "min_links",
        "arp_interval",
        "arp_ip_target",
        "arp_validate",
        "ad_select",
        "num_grat_arp",
        "downdelay",
        "updelay",
        "lacp_rate",
        "fail_over_mac",
        "primary",
        "primary_reselect",
    ];
    let mut found = Vec::new();
    for option in OPTIONS {
        let key = format!("bond_{option}");
        let Some(value) = at(iface, &key).or_else(|| at(iface, &key.replace('_', "-"))) else { continue };
        let value = match value.kind {
            Kind::List(_) => join(value, &key)?,
            _ => value.to_python_str(),
        };
        found.push(format!("{option}={value}"));
    }
    if !found.is_empty() {
        file.word(if suse { "BONDING_MODULE_OPTS" } else { "BONDING_OPTS" }, &found.join(" "));
    }
    Ok(())
}

fn bridge(file: &mut File, iface: &Map, suse: bool) -> Outcome<()> {
    let options = if suse {
        ["BRIDGE_STP", "BRIDGE_AGEINGTIME", "BRIDGE_PRIORITY"]
    } else {
        file.word("TYPE", "Bridge");
        ["STP", "AGEING", "PRIO"]
    };
    for (key, option) in ["bridge_stp", "bridge_ageing", "bridge_bridgeprio"].into_iter().zip(options) {
        if let Some(value) = at(iface, key) {
            file.set(option, value);
            if suse && key == "bridge_stp" {
                let on = hardtack_userdata::truth::truthy(value);
                file.word(option, if on { "on" } else { "off" });
            }
        }
    }
    if let Some(mac) = filled(iface, "mac_address") {
        file.set(if suse { "LLADDRESS" } else { "MACADDR" }, mac);
    }
    if suse && let Some(ports) = filled(iface, "bridge_ports") {
        file.word("BRIDGE_PORTS", &join(ports, "`bridge_interfaces`")?);
    }
    Ok(())
}

/// `has_default_route`.
fn has_default_route(state: &State) -> bool {
    let default = |route: &Map| {
        at(route, "prefix").is_some_and(|prefix| equal(prefix, &py::int(0)))
            && matches!(at(route, "network").and_then(Value::as_text), Some("::" | "0.0.0.0"))
    };
    let listed = |value: &Value, key| value.get(key).and_then(Value::as_list).unwrap_or_default().to_vec();
    state.routes.iter().any(default)
        || state.iter().any(|iface| {
            let subnets = at(iface, "subnets").and_then(Value::as_list).unwrap_or_default();
            let mut routes = subnets.iter().flat_map(|subnet| listed(subnet, "routes"));
            routes.any(|route| route.as_map().is_some_and(default))
        })
}

fn subnet_lists(iface: &Map, key: &str) -> Outcome<Vec<Value>> {
    let mut found = Vec::new();
    for subnet in at(iface, "subnets").and_then(Value::as_list).unwrap_or_default() {
        if let Some(words) = subnet.get(key) {
            found.extend(iterate(words, key)?);
        }
    }
    Ok(found)
}

/// Whether name servers are given anywhere (`_render_networkmanager_conf`).
fn has_dns(state: &State) -> Outcome<bool> {
    let mut found = !state.nameservers.is_empty() || !state.search.is_empty();
    for iface in state.iter() {
        let subnets = at(iface, "subnets").and_then(Value::as_list).unwrap_or_default();
        found |= subnets
            .iter()
            .any(|subnet| subnet.get("dns_nameservers").is_some() || subnet.get("dns_search").is_some());
        if let Some(dns) = at(iface, "dns") {
            let dns = mapping(dns, "`dns`")?;
            found |= filled(dns, "nameservers").is_some() || filled(dns, "search").is_some();
        }
    }
    Ok(found)
}

/// `_render_dns`: `/etc/resolv.conf` with what is new in it, or `None` where nothing is given.
fn resolv_conf(state: &State, before: Option<&str>) -> Outcome<Option<String>> {
    fn add(list: &mut Vec<String>, value: &Value, doubles: bool) {
        let word = value.to_python_str();
        if doubles || !list.contains(&word) {
            list.push(word);
        }
    }
    let (mut servers, mut search) = (Vec::new(), Vec::new());
    for iface in state.iter() {
        for (found, subnet_key, key) in
            [(&mut servers, "dns_nameservers", "nameservers"), (&mut search, "dns_search", "search")]
        {
            subnet_lists(iface, subnet_key)?.iter().for_each(|word| add(found, word, true));
            if let Some(dns) = at(iface, "dns")
                && contains(dns, key, "`dns`")?
            {
                let words = iterate(py::item(dns, key, "`dns`")?, key)?;
                words.iter().for_each(|word| add(found, word, false));
            }
        }
    }
    state.nameservers.iter().for_each(|word| add(&mut servers, word, false));
    state.search.iter().for_each(|word| add(&mut search, word, false));
    if servers.is_empty() && search.is_empty() {
        return Ok(None);
    }
    let mut lines: Vec<String> = before.unwrap_or_default().lines().map(str::to_owned).collect();
    merge(&mut lines, "nameserver", &servers, state)?;
    merge(&mut lines, "search", &search, state)?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let header = header(';');
    Ok(Some(if text.starts_with(&header) { text } else { format!("{header}\n{text}") }))
}

/// `ResolvConf.add_nameserver`, `add_search_domain`: old ones first, all of them at the end of the file.
fn merge(lines: &mut Vec<String>, option: &str, words: &[String], state: &State) -> Outcome<()> {
    let is = |line: &String| line.split_whitespace().next() == Some(option);
    let old = lines.iter().filter(|line| is(line)).flat_map(|line| line.split_whitespace().skip(1));
    let mut all: Vec<String> = Vec::new();
    for word in old {
        if !all.iter().any(|known| known == word) {
            all.push(word.to_owned());
        }
    }
    let before = all.len();
    for word in words {
        if all.contains(word) {
            continue;
        }
        all.push(word.clone());
        if option == "search" && (all.len() > 6 || all.join(" ").chars().count() > 256) {
            return refuse(
                state.config.place,
                "more than 6 search domains, or more than 256 characters of them",
            );
        }
    }
    if all.len() == before {
        return Ok(());
    }
    lines.retain(|line| !is(line));
    match option {
        "search" => lines.push(format!("search {}", all.join(" "))),
        _ => lines.extend(all.iter().map(|word| format!("{option} {word}"))),
    }
    Ok(())
}

/// `/etc/sysconfig/network`: ours first, then what else was in it.
fn control(state: &State, before: Option<&str>) -> String {
    let header = header('#');
    let mut lines = vec![header.as_str(), "NETWORKING=yes"];
    if state.use_ipv6 {
        lines.extend(["NETWORKING_IPV6=yes", "IPV6_AUTOCONF=no"]);
    }
    for line in before.unwrap_or_default().lines() {
        let ours = ["NETWORKING", "IPV6_AUTOCONF"].iter().any(|word| line.contains(word));
        if !ours && !header.lines().any(|known| known == line) {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

/// Keys in order, as the file has them.
pub(crate) type Keys = BTreeMap<String, Value>;
