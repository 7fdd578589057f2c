//! Routes and addresses out of `/proc/net`, in the form that [`crate::info`] shows, which is what `ip route`
//! prints. (Linux: `net/ipv4/fib_trie.c`, `net/ipv6/route.c`, `net/ipv6/addrconf.c`)

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::info::{Address, Route};

/// Lines that are read: a machine that routes for others has more than anybody wants on a console.
const LINES: usize = 1000;

const UP: u32 = 1;
const GATEWAY: u32 = 2;
const REJECT: u32 = 0x200;
const EXPIRES: u32 = 0x0040_0000;
/// An address of this machine.
const LOCAL: u32 = 0x8000_0000;
const ANYCAST: u32 = 0x0010_0000;

/// `/proc/net/route`, the main table. Numbers are in the machine's own byte order.
#[must_use]
pub fn routes4(text: &str) -> Vec<Route> {
    let address =
        |hex: &str| u32::from_str_radix(hex, 16).ok().map(|number| Ipv4Addr::from(number.to_ne_bytes()));
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, gateway, flags, _, _, _, mask, ..] = fields.as_slice() else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let (destination, gateway, mask) = (address(destination)?, address(gateway)?, address(mask)?);
        if flags & UP == 0 || flags & REJECT != 0 {
            return None;
        }
        let via = flags & GATEWAY != 0;
        let host = u32::from(mask) == u32::MAX;
        let default = mask.is_unspecified() && destination.is_unspecified();
        // A default route without a gateway has none in cloud-init's table either.
        let gateway = if default && !via { String::new() } else { gateway.to_string() };
        Some(Route {
            destination: destination.to_string(),
            gateway,
            mask: mask.to_string(),
            interface: (*interface).to_owned(),
            flags: format!("U{}{}", if via { "G" } else { "" }, if host { "H" } else { "" }),
        })
    };
    text.lines().skip(1).take(LINES).filter_map(route).collect()
}

/// 32 hexadecimal digits as an address.
fn ipv6(hex: &str) -> Option<Ipv6Addr> {
    (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok())?.map(Ipv6Addr::from)
}

/// `/proc/net/ipv6_route`, all tables. Of a line that `ip` begins with `local`, `anycast` or `multicast`, that
/// word is what cloud-init shows for its destination.
#[must_use]
pub fn routes6(text: &str) -> Vec<Route> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [destination, prefix, _, _, gateway, _, _, _, flags, interface] = fields.as_slice() else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let prefix = u32::from_str_radix(prefix, 16).ok()?;
        let (destination, gateway) = (ipv6(destination)?, ipv6(gateway)?);
        if flags & UP == 0 || flags & REJECT != 0 {
            return None;
        }
        let via = flags & GATEWAY != 0;
        let destination = match prefix {
            _ if flags & LOCAL != 0 => "local".to_owned(),
            _ if flags & ANYCAST != 0 => "anycast".to_owned(),
            8 if destination.is_multicast() => "multicast".to_owned(),
            128 => destination.to_string(),
            _ => format!("{destination}/{prefix}"),
        };
        let expires = if flags & EXPIRES != 0 { "e" } else { "" };
        Some(Route {
            flags: format!("U{}{expires}", if via || destination == "::/0" { "G" } else { "" }),
            destination,
            gateway: gateway.to_string(),
            mask: String::new(),
            interface: (*interface).to_owned(),
        })
    };
    text.lines().take(LINES).filter_map(route).collect()
}

/// `/proc/net/if_inet6`: devices and their IPv6 addresses.
#[must_use]
pub fn addresses6(text: &str) -> Vec<(String, Address)> {
    let address = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _, prefix, scope, _, name] = fields.as_slice() else { return None };
        let prefix = u32::from_str_radix(prefix, 16).ok()?;
        let scope = match u32::from_str_radix(scope, 16).ok()? & 0xf0 {
            0x10 => "host",
            0x20 => "link",
            0x40 => "site",
            _ => "global",
        };
        let address = format!("{}/{prefix}", ipv6(address)?);
        Some(((*name).to_owned(), Address { address, mask: String::new(), scope: scope.to_owned() }))
    };
    text.lines().take(LINES).filter_map(address).collect()
}

/// `/proc/net/fib_trie`: this machine's IPv4 addresses. Which device has which, it does not say.
#[must_use]
pub fn addresses4(text: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in text.lines().take(100 * LINES) {
        let line = line.trim_start();
        if let Some(leaf) = line.strip_prefix("|-- ") {
            last = leaf.trim().parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(address) = last.filter(|address| !found.contains(address))
            && found.len() < LINES
        {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{addresses4, addresses6, routes4, routes6};

    #[test]
    fn ipv4_routes() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t0202000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                    eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                    eth0\t0302000A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\nshort\n";
        let shown: Vec<String> = routes4(text)
            .iter()
            .map(|route| format!("{} {} {} {}", route.destination, route.gateway, route.mask, route.flags))
            .collect();
        assert_eq!(
            shown,
            [
                "0.0.0.0 10.0.2.2 0.0.0.0 UG",
                "10.0.2.0 0.0.0.0 255.255.255.0 U",
                "10.0.2.3 0.0.0.0 255.255.255.255 UH"
            ]
        );
    }

    #[test]
    fn ipv6_routes_and_addresses() {
        let zeros = "0".repeat(32);
        let local = "fe80000000000000000000000000000";
        let text = format!(
            "{local}0 40 {zeros} 00 {zeros} 00000100 00000001 00000000 00000001     eth0\n\
             {zeros} 00 {zeros} 00 {local}2 00000400 00000001 00000000 00450003     eth0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\
             {local}5 80 {zeros} 00 {zeros} 00000000 00000003 00000000 80200001     eth0\n"
        );
        let shown: Vec<String> = routes6(&text)
            .iter()
            .map(|route| format!("{} {} {}", route.destination, route.gateway, route.flags))
            .collect();
        assert_eq!(shown, ["fe80::/64 :: U", "::/0 fe80::2 UGe", "local :: U"]);
        let found = addresses6(&format!("{local}5 02 40 20 80     eth0\nnonsense\n"));
        assert_eq!(found[0].1.address, "fe80::5/64");
        assert_eq!(found[0].1.scope, "link");
        let trie = "Main:\n  +-- 10.0.2.0/24 2 0 2\n     |-- 10.0.2.15\n        /32 host LOCAL\n     |-- 10.0.2.255\n        /32 link BROADCAST\n";
        assert_eq!(addresses4(trie), [std::net::Ipv4Addr::new(10, 0, 2, 15)]);
    }
}
