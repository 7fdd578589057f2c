//! OpenStack's `network_data.json` as a configuration of version 1. (`cloudinit/sources/helpers/openstack.py`,
//! `convert_net_json`)

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Key, Kind, Map, Place, Value};
use indexmap::IndexMap;

use crate::config::Card;
use crate::py::{
    self, Outcome, at, boolean, equal, filled, int, iterate, list, mapping, null, refuse, set, shown, string,
    text,
};

/// Lists and mappings in each other that are read.
const DEPTH: usize = 64;

const LINK_KEYS: &[&str] = &["name", "type", "mac_address", "subnets", "params", "mtu"];
const SUBNET_KEYS: &[&str] = &[
    "type",
    "address",
    "netmask",
    "broadcast",
    "metric",
    "gateway",
    "pointopoint",
    "scope",
    "dns_nameservers",
    "dns_search",
];
const ROUTE_KEYS: &[&str] = &["network", "destination", "netmask", "gateway", "metric"];

/// JSON as values that stand nowhere. What is nested deeper than anybody does is null.
#[must_use]
pub fn from_json(json: &serde_json::Value) -> Value {
    fn at_depth(json: &serde_json::Value, depth: usize) -> Value {
        use serde_json::Value as Json;
        let kind = match json {
            Json::Bool(value) => Kind::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Kind::Int(number.into()),
                (_, Some(number)) => Kind::Int(number.into()),
                _ => Kind::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Kind::Text(text.clone()),
            Json::Array(items) if depth < DEPTH => {
                Kind::List(items.iter().map(|item| at_depth(item, depth + 1)).collect())
            }
            Json::Object(map) if depth < DEPTH => Kind::Map(
                map.iter().map(|(key, value)| (Key::text(key), at_depth(value, depth + 1))).collect(),
            ),
            _ => Kind::Null,
        };
        Value::new(kind)
    }
    at_depth(json, 0)
}

/// What is known of a link by its id.
struct Link {
    name: Option<Value>,
    mac: Option<Value>,
}

/// A name that stands in for a link until all are known: the entry, its key, what is put behind the name,
/// the ids.
struct Later {
    entry: usize,
    key: &'static str,
    behind: String,
    ids: Value,
}

/// The configuration of version 1 that `network_data.json` asks for.
///
/// # Errors
/// What the real program would stumble over: links without id or type, cards that the machine does not have.
pub fn convert(data: &Value, cards: &[Card]) -> Result<Value, Box<Finding>> {
    let data = mapping(data, "`network_data.json`")?;
    let section = |name: &str| match at(data, name) {
        Some(section) => iterate(section, &format!("`{name}` of network_data.json")),
        None => Ok(Vec::new()),
    };
    let (links, networks, services) = (section("links")?, section("networks")?, section("services")?);
    let mut known: IndexMap<Key, Link> = IndexMap::new();
    let mut later: Vec<Later> = Vec::new();
    let mut config: Vec<Map> = Vec::new();
    let mut bonds = 0;
    for link in &links {
        let link = mapping(link, "a link")?;
        let mut entry = kept(link, LINK_KEYS);
        let mac = match filled(link, "ethernet_mac_address") {
            Some(mac) => Some(text(string(mac, "`ethernet_mac_address`")?.to_lowercase())),
            None => None,
        };
        let id = need(link, "id", "a link")?;
        let kind = need(link, "type", "a link")?.as_text().unwrap_or_default();
        let mut info = Link { name: at(&entry, "name").cloned(), mac: mac.clone() };
        let mut subnets = Vec::new();
        for network in &networks {
            let network = mapping(network, "a network")?;
            if equal(need(network, "link", "a network")?, id) {
                subnets.push(py::map(subnet(network, &mut entry)?));
            }
        }
        set(&mut entry, "subnets", list(subnets));
        let number = config.len();
        match kind {
            "bond" => {
                if let Some(mac) = mac {
                    set(&mut entry, "mac_address", mac);
                }
                set(&mut entry, "params", py::map(bond_params(link)?));
                if at(&entry, "name").is_none_or(Value::is_null) {
                    let name = text(format!("bond{bonds}"));
                    set(&mut entry, "name", name.clone());
                    info.name = Some(name);
                }
                bonds += 1;
                let ids = need(link, "bond_links", "a bond")?.clone();
                later.push(Later { entry: number, key: "bond_interfaces", behind: String::new(), ids });
            }
            "vlan" => {
                let parent = need(link, "vlan_link", "a VLAN")?;
                let vlan = need(link, "vlan_id", "a VLAN")?;
                let mac = need(link, "vlan_mac_address", "a VLAN")?;
                let behind = format!(".{}", vlan.to_python_str());
                let name = text(parent.to_python_str() + &behind);
                set(&mut entry, "name", name.clone());
                set(&mut entry, "vlan_id", vlan.clone());
                set(&mut entry, "mac_address", mac.clone());
                later.push(Later {
                    entry: number,
                    key: "vlan_link",
                    behind: String::new(),
                    ids: parent.clone(),
                });
                later.push(Later { entry: number, key: "name", behind, ids: parent.clone() });
                info = Link { name: Some(name), mac: Some(mac.clone()) };
            }
            _ => {
                set(&mut entry, "type", text("physical"));
                set(&mut entry, "mac_address", mac.unwrap_or_else(null));
            }
        }
        config.push(entry);
        known.insert(py::key(id)?, info);
    }
    names(&mut config, &mut known, &later, cards)?;
    for service in &services {
        let mut entry = mapping(service, "a service")?.clone();
        set(&mut entry, "type", text("nameserver"));
        config.push(entry);
    }
    let mut top = Map::new();
    set(&mut top, "version", int(1));
    set(&mut top, "config", list(config.into_iter().map(py::map).collect()));
    Ok(py::map(top))
}

fn need<'a>(map: &'a Map, key: &str, what: &str) -> Outcome<&'a Value> {
    match at(map, key) {
        Some(value) => Ok(value),
        None => refuse(Place::default(), format!("{what} in network_data.json has no `{key}`")),
    }
}

fn kept(map: &Map, keys: &[&str]) -> Map {
    let wanted = |key: &Key| key.as_text().is_some_and(|key| keys.contains(&key));
    map.iter().filter(|(key, _)| wanted(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A network as a subnet; `link` gets what concerns it as a whole.
fn subnet(network: &Map, link: &mut Map) -> Outcome<Map> {
    let mut subnet = kept(network, SUBNET_KEYS);
    let given = match at(network, "routes") {
        Some(routes) => iterate(routes, "`routes`")?,
        None => Vec::new(),
    };
    let mut routes = Vec::new();
    for route in &given {
        routes.push(py::map(kept(mapping(route, "a route")?, ROUTE_KEYS)));
    }
    if !routes.is_empty() {
        set(&mut subnet, "routes", list(routes));
    }
    let kind = need(network, "type", "a network")?.as_text().unwrap_or_default();
    let address = || at(network, "ip_address").cloned().unwrap_or_else(null);
    match kind {
        "ipv4_dhcp" => set(&mut subnet, "type", text("dhcp4")),
        "ipv6_dhcp" => set(&mut subnet, "type", text("dhcp6")),
        "ipv4" | "static" => {
            set(&mut subnet, "type", text("static"));
            set(&mut subnet, "address", address());
        }
        "ipv6" | "static6" => {
            set(link, "accept-ra", boolean(false));
            set(&mut subnet, "type", text("static6"));
            set(&mut subnet, "address", address());
        }
        _ => {}
    }
    let mut servers: Vec<Value> = Vec::new();
    for route in &given {
        for_dns(mapping(route, "a route")?, |address| servers.push(address))?;
    }
    for_dns(network, |address| {
        if !servers.iter().any(|server| equal(server, &address)) {
            servers.push(address);
        }
    })?;
    if !servers.is_empty() {
        set(&mut subnet, "dns_nameservers", list(servers));
    }
    if matches!(kind, "ipv6_dhcpv6-stateful" | "ipv6_dhcp") {
        set(link, "accept-ra", boolean(true));
    }
    if matches!(kind, "ipv4" | "ipv6") {
        set(&mut subnet, kind, boolean(true));
    }
    Ok(subnet)
}

/// The addresses of the services of type `dns`.
fn for_dns(map: &Map, mut take: impl FnMut(Value)) -> Outcome<()> {
    let Some(services) = at(map, "services") else { return Ok(()) };
    for service in iterate(services, "`services`")? {
        let service = mapping(&service, "a service")?;
        if at(service, "type").and_then(Value::as_text) == Some("dns") {
            take(need(service, "address", "a service")?.clone());
        }
    }
    Ok(())
}

fn bond_params(link: &Map) -> Outcome<Map> {
    let mut params = Map::new();
    for (key, value) in link {
        let Some(name) = key.as_text().filter(|name| name.starts_with("bond") && *name != "bond_links")
        else {
            continue;
        };
        let name = name.split_once("bond_").map_or(name, |(_, rest)| rest);
        set(&mut params, &format!("bond-{name}"), value.clone());
    }
    Ok(params)
}

/// Gives cards without a name theirs, and links the names of those that they are made of.
fn names(
    config: &mut [Map],
    known: &mut IndexMap<Key, Link>,
    later: &[Later],
    cards: &[Card],
) -> Outcome<()> {
    let card = |mac: &Value| cards.iter().find(|card| mac.as_text() == Some(&card.mac));
    for info in known.values_mut().filter(|info| !info.name.as_ref().is_some_and(truthy)) {
        let found = info.mac.as_ref().and_then(card);
        info.name = found.map(|card| text(&card.name)).or_else(|| info.name.clone());
    }
    for entry in config.iter_mut() {
        let physical = at(entry, "type").and_then(Value::as_text) == Some("physical");
        if !physical || at(entry, "name").is_some() {
            continue;
        }
        let Some(mac) = filled(entry, "mac_address").cloned() else {
            return refuse(
                Place::default(),
                "a link in network_data.json has neither a name nor a MAC address",
            );
        };
        let Some(card) = card(&mac) else {
            let message =
                format!("no card of this machine has the MAC address `{}` of network_data.json", shown(&mac));
            return refuse(Place::default(), message);
        };
        set(entry, "name", text(&card.name));
    }
    for later in later {
        let name = |id: &Value| match known.get(&py::key(id)?) {
            Some(info) => {
                let name = info.name.as_ref().map_or_else(|| "None".to_owned(), Value::to_python_str);
                Ok(text(name + &later.behind))
            }
            None => {
                refuse(Place::default(), format!("no link in network_data.json has the id `{}`", shown(id)))
            }
        };
        let value = match &later.ids.kind {
            Kind::List(ids) => list(ids.iter().map(name).collect::<Outcome<_>>()?),
            _ => name(&later.ids)?,
        };
        if let Some(entry) = config.get_mut(later.entry) {
            set(entry, later.key, value);
        }
    }
    Ok(())
}
