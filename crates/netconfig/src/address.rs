//! Addresses, networks and masks as Python's `ipaddress` takes them, and what `cloudinit/net/__init__.py`
//! makes of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hardtack_userdata::{Kind, Value};

use crate::py::{Outcome, at, refuse, shown, string};

/// The kinds of subnet that get their addresses by IPv6's own means.
pub(crate) const IPV6_DYNAMIC: &[&str] =
    &["dhcp6", "ipv6_slaac", "ipv6_dhcpv6-stateless", "ipv6_dhcpv6-stateful"];

/// `ipaddress.IPv4Address(text)`. Rust's own parser refuses the same texts.
fn v4(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

/// `ipaddress.IPv6Address(text)`, the scope behind `%` left off.
fn v6(text: &str) -> Option<Ipv6Addr> {
    let address = match text.split_once('%') {
        Some((_, scope)) if scope.is_empty() || scope.contains('%') => return None,
        Some((address, _)) => address,
        None => text,
    };
    address.parse().ok()
}

/// `ipaddress.ip_address(value)`.
fn any(value: &Value) -> Option<IpAddr> {
    match &value.kind {
        Kind::Int(number) => match u32::try_from(*number) {
            Ok(number) => Some(IpAddr::V4(number.into())),
            Err(_) => u128::try_from(*number).ok().map(|number| IpAddr::V6(number.into())),
        },
        Kind::Bool(value) => Some(IpAddr::V4(u32::from(*value).into())),
        Kind::Text(text) => v4(text).map(IpAddr::V4).or_else(|| v6(text).map(IpAddr::V6)),
        _ => None,
    }
}

/// `is_ipv4_address`.
pub(crate) fn is_ipv4(value: &Value) -> bool {
    match &value.kind {
        Kind::Int(number) => u32::try_from(*number).is_ok(),
        Kind::Bool(_) => true,
        Kind::Text(text) => v4(text).is_some(),
        _ => false,
    }
}

/// `is_ipv6_address`.
pub(crate) fn is_ipv6(value: &Value) -> bool {
    match &value.kind {
        Kind::Int(number) => u128::try_from(*number).is_ok(),
        Kind::Bool(_) => true,
        Kind::Text(text) => v6(text).is_some(),
        _ => false,
    }
}

/// The number that a prefix is written as: digits only.
fn digits(text: &str, most: u32) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = text.trim_start_matches('0');
    if significant.len() > 3 {
        return None;
    }
    let number = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    (number <= most).then_some(number)
}

/// The prefix of a mask of 32 bits, ones first.
fn ones(mask: u32) -> Option<u32> {
    (mask.leading_ones() + mask.trailing_zeros() >= 32).then(|| mask.leading_ones())
}

/// `24`, `255.255.255.0` or `0.0.0.255` as a prefix.
fn mask4(text: &str) -> Option<u32> {
    digits(text, 32).or_else(|| {
        let mask = u32::from(v4(text)?);
        ones(mask).or_else(|| ones(!mask))
    })
}

/// `ipaddress.IPv4Network(text, strict=False)`: address and prefix.
pub(crate) fn network4(text: &str) -> Option<(Ipv4Addr, u32)> {
    match text.split_once('/') {
        Some((address, mask)) => Some((v4(address)?, mask4(mask)?)),
        None => Some((v4(text)?, 32)),
    }
}

/// `ipaddress.IPv6Network(text, strict=False)`.
pub(crate) fn network6(text: &str) -> Option<(Ipv6Addr, u32)> {
    match text.split_once('/') {
        Some((address, mask)) => Some((v6(address)?, digits(mask, 128)?)),
        None => Some((v6(text)?, 128)),
    }
}

/// `is_ipv6_network` of any value.
pub(crate) fn is_network6(value: &Value) -> bool {
    is_ipv6(value) || value.as_text().is_some_and(|text| network6(text).is_some())
}

/// `has_same_ip_version` of the ifupdown renderer.
pub(crate) fn same_version(value: &Value, ipv6: bool) -> bool {
    if ipv6 {
        return is_network6(value);
    }
    is_ipv4(value) || value.as_text().is_some_and(|text| network4(text).is_some())
}

/// `net_prefix_to_ipv4_mask`.
pub(crate) fn netmask(prefix: &Value) -> Outcome<String> {
    match mask4(&prefix.to_python_str()) {
        Some(prefix) => Ok(mask_text(prefix)),
        None => refuse(prefix.place, format!("`{}` is no prefix of an IPv4 network", shown(prefix))),
    }
}

/// The mask with `prefix` ones, in dotted form.
pub(crate) fn mask_text(prefix: u32) -> String {
    let zeros = 32_u32.saturating_sub(prefix);
    Ipv4Addr::from(u32::MAX.checked_shl(zeros).unwrap_or(0)).to_string()
}

/// `ipv4_mask_to_net_prefix`.
pub(crate) fn prefix4(mask: &Value) -> Outcome<u32> {
    match mask4(&mask.to_python_str()) {
        Some(prefix) => Ok(prefix),
        None => refuse(mask.place, format!("`{}` is no mask of an IPv4 network", shown(mask))),
    }
}

/// `ipv6_mask_to_net_prefix`.
pub(crate) fn prefix6(mask: &Value) -> Outcome<u32> {
    if let Some(prefix) = digits(&mask.to_python_str(), 128) {
        return Ok(prefix);
    }
    let bits = any(mask).map(|address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    });
    match bits {
        Some(bits) if bits.leading_ones() + bits.trailing_zeros() >= 128 => Ok(bits.leading_ones()),
        _ => refuse(mask.place, format!("`{}` is no mask of an IPv6 network", shown(mask))),
    }
}

/// `should_add_gateway_onlink_flag`: the gateway lies outside the subnet. What is no address does not.
pub(crate) fn gateway_outside(gateway: &Value, subnet: &str) -> bool {
    let Some(gateway) = any(gateway) else { return false };
    if let Some((network, prefix)) = network4(subnet) {
        let IpAddr::V4(gateway) = gateway else { return true };
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        return u32::from(gateway) & mask != u32::from(network) & mask;
    }
    if let Some((network, prefix)) = network6(subnet) {
        let IpAddr::V6(gateway) = gateway else { return true };
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        return u128::from(gateway) & mask != u128::from(network) & mask;
    }
    false
}

/// `subnet["type"]`, which has to be text.
pub(crate) fn subnet_type(subnet: &hardtack_userdata::Map) -> Outcome<&str> {
    match at(subnet, "type") {
        Some(found) => string(found, "a subnet's type"),
        None => refuse(hardtack_userdata::Place::default(), "a subnet has no `type`"),
    }
}

/// `subnet_is_ipv6`.
pub(crate) fn subnet_is_ipv6(subnet: &hardtack_userdata::Map) -> Outcome<bool> {
    let kind = subnet_type(subnet)?;
    Ok(kind.ends_with('6')
        || IPV6_DYNAMIC.contains(&kind)
        || (kind == "static" && at(subnet, "address").is_some_and(is_ipv6)))
}

#[cfg(test)]
mod tests {
    use hardtack_userdata::{Kind, Value};

    use super::{gateway_outside, mask_text, network4, network6, prefix6};

    #[test]
    fn networks_as_python_takes_them() {
        for (text, wanted) in [
            ("10.0.0.1/24", Some(24)),
            ("10.0.0.1/024", Some(24)),
            ("10.0.0.1/255.255.0.0", Some(16)),
            ("10.0.0.1/0.0.0.255", Some(24)),
            ("10.0.0.1", Some(32)),
            ("10.0.0.1/33", None),
            ("10.0.0.1/255.0.255.0", None),
            ("10.0.0.01", None),
            ("10.0.0.1/", None),
            ("", None),
        ] {
            assert_eq!(network4(text).map(|found| found.1), wanted, "{text}");
        }
        assert_eq!(network6("fe80::1%eth0/64").map(|found| found.1), Some(64));
        assert_eq!(network6("fe80::1%/64"), None);
        assert_eq!(network6("::ffff:1.2.3.4").map(|found| found.1), Some(128));
    }

    #[test]
    fn masks() {
        let value = |text: &str| Value::new(Kind::Text(text.to_owned()));
        assert_eq!(prefix6(&value("ffff:ffff::")).ok(), Some(32));
        assert_eq!(prefix6(&value("::")).ok(), Some(0));
        assert_eq!(prefix6(&value("ffff:0:ffff::")).ok(), None);
        assert_eq!(mask_text(0), "0.0.0.0");
        assert_eq!(mask_text(25), "255.255.255.128");
        assert!(gateway_outside(&value("10.0.1.1"), "10.0.0.5/24"));
        assert!(!gateway_outside(&value("10.0.1.1"), "10.0.0.5/0"));
        assert!(!gateway_outside(&value("none"), "10.0.0.5/24"));
    }
}
