//! Subnets and routes in the form that every renderer reads: address and prefix apart, lists where lists
//! belong. (`cloudinit/net/network_state.py`: `_normalize_subnet`, `_normalize_route`, `_normalize_net_keys`)

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Key, Map, Place, Value};

use crate::address::{is_ipv4, is_ipv6, netmask, network4, network6, prefix4, prefix6};
use crate::py::{
    self, IGNORED, Outcome, at, equal, filled, int, iterate, list, mapping, refuse, set, shown, string,
};

/// `_normalize_subnets`.
pub(crate) fn subnets(value: Option<&Value>, findings: &mut Vec<Finding>) -> Outcome<Vec<Map>> {
    let Some(value) = value.filter(|value| truthy(value)) else { return Ok(Vec::new()) };
    let items = iterate(value, "`subnets`")?;
    items.iter().map(|subnet_| subnet(mapping(subnet_, "a subnet")?, findings)).collect()
}

fn subnet(subnet: &Map, findings: &mut Vec<Finding>) -> Outcome<Map> {
    let mut normal: Map = subnet
        .iter()
        .filter(|(_, value)| truthy(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let fixed =
        at(subnet, "type").and_then(Value::as_text).is_some_and(|kind| kind == "static" || kind == "static6");
    if fixed {
        let keys = net_keys(&normal, &["address", "ip_address"], findings)?;
        py::update(&mut normal, &keys);
    }
    let routes = match at(subnet, "routes") {
        None => Vec::new(),
        Some(routes) => iterate(routes, "`routes`")?
            .iter()
            .map(|item| route(mapping(item, "a route")?, findings).map(py::map))
            .collect::<Outcome<_>>()?,
    };
    set(&mut normal, "routes", list(routes));
    for name in ["dns_search", "dns_nameservers"] {
        let Some(value) = at(&normal, name).filter(|value| value.as_list().is_none()) else { continue };
        let words = py::split(string(value, &format!("`{name}`"))?);
        set(&mut normal, name, list(words));
    }
    Ok(normal)
}

/// `_normalize_route`.
pub(crate) fn route(route: &Map, findings: &mut Vec<Finding>) -> Outcome<Map> {
    let mut normal: Map = route
        .iter()
        .filter(|(_, value)| !value.is_null() && value.as_text() != Some(""))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(destination) = normal.shift_remove(&Key::text("destination")) {
        set(&mut normal, "network", destination);
    }
    let keys = net_keys(&normal, &["network", "destination"], findings)?;
    py::update(&mut normal, &keys);
    if let Some(metric) = filled(&normal, "metric") {
        let metric = py::number(metric, "a route's `metric`")?;
        set(&mut normal, "metric", int(metric));
    }
    Ok(normal)
}

/// `_normalize_net_keys`.
fn net_keys(network: &Map, address_keys: &[&str], findings: &mut Vec<Finding>) -> Outcome<Map> {
    let zero = int(0);
    let mut net: Map = network
        .iter()
        .filter(|(_, value)| truthy(value) || equal(value, &zero))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let Some((name, value)) = address_keys.iter().find_map(|key| Some((*key, filled(&net, key)?.clone())))
    else {
        let place = network.values().next().map_or_else(Place::default, |value| value.place);
        return refuse(place, format!("an entry needs one of `{}` and has none", address_keys.join("`, `")));
    };
    let mut address = value.to_python_str();
    if address == "default" {
        let gateway = at(&net, "gateway").cloned().unwrap_or_else(py::null);
        let gateway = Value { kind: hardtack_userdata::Kind::Text(gateway.to_python_str()), ..gateway };
        if is_ipv4(&gateway) {
            "0.0.0.0/0".clone_into(&mut address);
        } else if is_ipv6(&gateway) {
            "::/0".clone_into(&mut address);
        } else {
            return refuse(value.place, format!("a default route has `{}` for its gateway", shown(&gateway)));
        }
    }
    let ipv4 = network4(&address).is_some();
    let ipv6 = network6(&address).is_some();
    if !ipv4 && !ipv6 {
        return refuse(value.place, format!("`{}` is no address and no network", shown(&value)));
    }
    let mask = filled(&net, "netmask").cloned();
    let before = at(&net, "prefix").cloned();
    let prefix = if let Some((host, mask)) = address.split_once('/') {
        set(&mut net, name, Value { place: value.place, ..py::text(host) });
        let mask = Value { place: value.place, ..py::text(mask) };
        if ipv6 { i128::from(prefix6(&mask)?) } else { i128::from(prefix4(&mask)?) }
    } else if let Some(prefix) = &before {
        py::number(prefix, "`prefix`")?
    } else {
        match mask {
            Some(mask) if ipv4 => i128::from(prefix4(&mask)?),
            Some(mask) => i128::from(prefix6(&mask)?),
            None if ipv6 => 64,
            None => 24,
        }
    };
    if let Some(before) = before.filter(|before| before.to_python_str() != prefix.to_string()) {
        let message = format!(
            "the prefix {} of `{}` is ignored: the address says {prefix}",
            shown(&before),
            shown(&value)
        );
        findings.push(Finding::warning(IGNORED, before.place, message));
    }
    set(&mut net, "prefix", int(prefix));
    if ipv6 {
        net.shift_remove(&Key::text("netmask"));
    } else {
        let mask = netmask(&Value { place: value.place, ..int(prefix) })?;
        set(&mut net, "netmask", py::text(mask));
    }
    Ok(net)
}
