//! Addresses and routes of one device (`_render_subnets`, `_render_subnet_routes` of
//! `cloudinit/net/sysconfig.py`).

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Map, Value};

use super::device::{Device, File};
use crate::address::{IPV6_DYNAMIC, is_ipv6, netmask, subnet_is_ipv6};
use crate::py::{self, Outcome, at, equal, filled, iterate, join, mapping, null, refuse, shown};

fn subnets(iface: &Map) -> Outcome<Vec<Value>> {
    at(iface, "subnets").map_or(Ok(Vec::new()), |subnets| iterate(subnets, "`subnets`"))
}

/// `_render_subnets`.
pub(super) fn addresses(file: &mut File, iface: &Map, default_route: bool, suse: bool) -> Outcome<()> {
    if suse {
        file.word("BOOTPROTO", "static");
        if file.get("BRIDGE").is_some() {
            file.word("BOOTPROTO", "dhcp");
            file.drop("BRIDGE");
        }
    } else {
        file.word("BOOTPROTO", "none");
    }
    let subnets = subnets(iface)?;
    for subnet in &subnets {
        method(file, mapping(subnet, "a subnet")?, suse)?;
    }
    let (mut count4, mut count6) = (0_usize, 0_usize);
    for subnet in &subnets {
        let subnet = mapping(subnet, "a subnet")?;
        let kind = crate::address::subnet_type(subnet)?;
        let ipv6 = subnet_is_ipv6(subnet)?;
        if let Some(metric) = at(subnet, "metric").filter(|_| !suse) {
            file.set(if ipv6 { "IPV6_ROUTE_METRIC" } else { "IPV4_ROUTE_METRIC" }, metric);
        }
        if matches!(kind, "dhcp" | "dhcp4") {
            if !suse && default_route && file.says("BOOTPROTO") != "none" {
                file.flag("DHCLIENT_SET_DEFAULT_ROUTE", false);
            }
            continue;
        }
        if IPV6_DYNAMIC.contains(&kind) || !matches!(kind, "static" | "static6") {
            continue;
        }
        let Some((address, prefix)) = at(subnet, "address").zip(at(subnet, "prefix")) else {
            return refuse(iface_place(iface), "a subnet has no `address`");
        };
        if ipv6 {
            let address = format!("{}/{}", address.to_python_str(), prefix.to_python_str());
            let key = match (count6, suse) {
                (0, true) => "IPADDR6".to_owned(),
                (_, true) => format!("IPADDR6_{count6}"),
                (0, false) => "IPV6ADDR".to_owned(),
                (_, false) => "IPV6ADDR_SECONDARIES".to_owned(),
            };
            let more = count6 > 1 && !suse;
            let address = if more { format!("{} {address}", file.says(&key)) } else { address };
            file.word(&key, &address);
            count6 += 1;
        } else {
            let number = if count4 == 0 { String::new() } else { count4.to_string() };
            file.set(&format!("IPADDR{number}"), address);
            file.word(&format!("NETMASK{number}"), &netmask(prefix)?);
            count4 += 1;
        }
        if suse {
            continue;
        }
        if let Some(gateway) = at(subnet, "gateway") {
            file.flag("DEFROUTE", true);
            file.set(if is_ipv6(gateway) { "IPV6_DEFAULTGW" } else { "GATEWAY" }, gateway);
        }
        if let Some(search) = at(subnet, "dns_search") {
            file.word("DOMAIN", &join(search, "`dns_search`")?);
        }
        if let Some(servers) = at(subnet, "dns_nameservers") {
            for (server, number) in iterate(servers, "`dns_nameservers`")?.iter().zip(1..=3) {
                file.set(&format!("DNS{number}"), server);
            }
        }
    }
    Ok(())
}

fn iface_place(iface: &Map) -> hardtack_userdata::Place {
    at(iface, "name").map(|name| name.place).unwrap_or_default()
}

/// How a subnet gets its addresses.
fn method(file: &mut File, subnet: &Map, suse: bool) -> Outcome<()> {
    let kind = at(subnet, "type").cloned().unwrap_or_else(null);
    let mut mtu_key = "MTU";
    match kind.as_text().unwrap_or_default() {
        kind @ ("dhcp6" | "ipv6_dhcpv6-stateful" | "ipv6_dhcpv6-stateless" | "ipv6_slaac") => {
            if suse {
                let both = matches!(file.says("BOOTPROTO"), "dhcp4" | "dhcp");
                file.word("BOOTPROTO", if both { "dhcp" } else { "dhcp6" });
                let managed = matches!(kind, "dhcp6" | "ipv6_dhcpv6-stateful");
                file.word("DHCLIENT6_MODE", if managed { "managed" } else { "info" });
            } else {
                file.flag("IPV6INIT", true);
                if kind != "ipv6_slaac" {
                    file.flag("DHCPV6C", true);
                }
                match kind {
                    "ipv6_dhcpv6-stateful" => {
                        file.flag("IPV6_AUTOCONF", false);
                        file.flag("IPV6_FAILURE_FATAL", true);
                    }
                    "ipv6_dhcpv6-stateless" => {
                        file.flag("IPV6_AUTOCONF", true);
                        file.word("DHCPV6C_OPTIONS", "-S");
                    }
                    "ipv6_slaac" => file.flag("IPV6_AUTOCONF", true),
                    _ => {}
                }
            }
        }
        "dhcp4" | "dhcp" => {
            let dhcp6 = matches!(file.says("BOOTPROTO"), "dhcp6" | "dhcp");
            file.word("BOOTPROTO", if suse && !dhcp6 { "dhcp4" } else { "dhcp" });
        }
        "static" | "static6" => {
            let ipv6 = subnet_is_ipv6(subnet)?;
            if ipv6 && !suse {
                mtu_key = "IPV6_MTU";
                file.flag("IPV6INIT", true);
            }
            if let Some(mtu) = at(subnet, "mtu").filter(|_| !(ipv6 && suse)) {
                file.set(mtu_key, mtu);
            }
            if ipv6 && !suse {
                file.flag("IPV6_FORCE_ACCEPT_RA", false);
                file.flag("IPV6_AUTOCONF", false);
            }
        }
        "manual" => {
            if !suse {
                let has_mtu = file.get(mtu_key).is_some();
                file.flag("ONBOOT", has_mtu);
            }
        }
        _ => return refuse(kind.place, format!("`{}` is no type of subnet", shown(&kind))),
    }
    if at(subnet, "control").and_then(Value::as_text) == Some("manual") {
        if suse {
            file.word("STARTMODE", "manual");
        } else {
            file.flag("ONBOOT", false);
        }
    }
    Ok(())
}

/// `_render_subnet_routes`, of Red Hat only.
pub(super) fn routes(device: &mut Device, iface: &Map) -> Outcome<()> {
    let (mut default4, mut default6) = (false, false);
    for subnet in subnets(iface)? {
        let subnet = mapping(&subnet, "a subnet")?.clone();
        let kind = crate::address::subnet_type(&subnet)?;
        for route in at(&subnet, "routes").map_or(Ok(Vec::new()), |routes| iterate(routes, "`routes`"))? {
            let route = mapping(&route, "a route")?;
            let ipv6 = if filled(&subnet, "ipv6").is_some() {
                true
            } else {
                match at(route, "gateway") {
                    Some(gateway) => is_ipv6(gateway),
                    None => return refuse(iface_place(iface), "a route has no `gateway`"),
                }
            };
            let zero = at(route, "prefix").is_some_and(|prefix| equal(prefix, &py::int(0)));
            let network = at(route, "network").and_then(Value::as_text);
            let default = zero && matches!(network, Some("::" | "0.0.0.0"));
            if !default || IPV6_DYNAMIC.contains(&kind) {
                device.routes.push(route.clone());
                continue;
            }
            let given = |key| filled(&subnet, key).is_some_and(truthy);
            if (given("ipv4") && default4) || (given("ipv6") && default6) {
                return refuse(iface_place(iface), "a device has two default routes");
            }
            let file = &mut device.file;
            file.flag("DEFROUTE", true);
            if matches!(file.says("BOOTPROTO"), "dhcp" | "dhcp4") {
                file.flag("DHCLIENT_SET_DEFAULT_ROUTE", true);
            }
            if let Some(gateway) = at(route, "gateway") {
                file.set(if ipv6 { "IPV6_DEFAULTGW" } else { "GATEWAY" }, gateway);
                if ipv6 {
                    default6 = true;
                } else {
                    default4 = true;
                }
            }
            if let Some(metric) = at(route, "metric") {
                let key = if subnet_is_ipv6(&subnet)? { "IPV6_ROUTE_METRIC" } else { "IPV4_ROUTE_METRIC" };
                file.set(key, metric);
            }
        }
    }
    Ok(())
}
