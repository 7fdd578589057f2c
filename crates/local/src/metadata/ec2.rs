//! What EC2's metadata service has of an instance.

use serde_json::Value as Json;

use super::tree::Tree;
use super::{ACCOUNT, Identity, REGION, ZONE, network_of, time};

/// All versions, oldest first, as `/` lists them.
pub(super) const VERSIONS: &[&str] = &[
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-09-24",
    "2024-04-11",
    "latest",
];

/// The tree.
pub(super) fn tree(of: &Identity) -> Tree {
    let mut tree = Tree::default();
    let hostname = of.hostname();
    let local = of.local_address();
    let groups = if of.groups.is_empty() { "default".to_owned() } else { of.groups.join("\n") };
    let mut put = |path: &str, text: &str| tree.put(format!("meta-data/{path}"), text);
    put("ami-id", &of.image);
    put("ami-launch-index", &of.launch_index.to_string());
    put("ami-manifest-path", "(unknown)");
    for (name, device) in of.devices.iter().filter(|(name, _)| is_name(name)) {
        put(&format!("block-device-mapping/{name}"), device);
    }
    put("hostname", &hostname);
    put("instance-action", "none");
    put("instance-id", &of.instance);
    put("instance-life-cycle", "on-demand");
    put("instance-type", &of.instance_type);
    put("local-hostname", &hostname);
    put("local-ipv4", local);
    put("mac", &of.mac);
    put("placement/availability-zone", ZONE);
    put("placement/region", REGION);
    put("profile", "default-hvm");
    if let Some(public) = of.public_ipv4() {
        put("public-hostname", public_hostname(public).as_str());
        put("public-ipv4", public);
    }
    put("reservation-id", &of.reservation);
    put("security-groups", &groups);
    put("services/domain", "amazonaws.com");
    put("services/partition", "aws");
    for (key, value) in of.tags.iter().filter(|(key, _)| is_tag(key)) {
        put(&format!("tags/instance/{key}"), value);
    }
    let subnet = network_of(&of.address, 16);
    card(&mut put, of, &of.mac, &of.address, subnet.as_deref(), &hostname, &groups);
    put(&format!("network/interfaces/macs/{}/device-number", of.mac), "0");
    if let Some((mac, address, prefix)) = &of.private {
        // Without a device-number: with it, and netplan, cloud-init from 24.1 on wants a gateway in this card's lease to
        // route by, and ends with a KeyError, since there is none.
        let subnet = network_of(address, *prefix);
        card(&mut put, of, mac, address, subnet.as_deref(), &hostname, &groups);
    }
    if let Some((name, key)) = &of.key {
        put("public-keys/0/openssh-key", key);
        tree.list_as("meta-data/public-keys", format!("0={name}"));
    }
    tree.put("dynamic/instance-identity/document", document(of));
    if let Some(user_data) = &of.user_data {
        tree.put("user-data", user_data.as_slice());
    }
    tree
}

fn card(
    put: &mut impl FnMut(&str, &str),
    of: &Identity,
    mac: &str,
    address: &str,
    subnet: Option<&str>,
    hostname: &str,
    groups: &str,
) {
    let mut put = |name: &str, text: &str| put(&format!("network/interfaces/macs/{mac}/{name}"), text);
    // Ids as stable as the card: made of its address, since there is nobody to give them.
    let digits: String = mac.bytes().filter(u8::is_ascii_hexdigit).map(char::from).collect();
    put("interface-id", &format!("eni-{digits:0>17}"));
    put("local-hostname", hostname);
    put("local-ipv4s", address);
    put("mac", mac);
    put("owner-id", ACCOUNT);
    if mac == of.mac
        && let Some(public) = of.public_ipv4()
    {
        put("public-ipv4s", public);
    }
    put("security-groups", groups);
    if let Some(subnet) = subnet {
        let number =
            subnet.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        put("subnet-id", &format!("subnet-{number:017x}"));
        put("subnet-ipv4-cidr-block", subnet);
        put("vpc-id", &format!("vpc-{number:017x}"));
        put("vpc-ipv4-cidr-block", subnet);
    }
}

fn public_hostname(address: &str) -> String {
    if address.starts_with("127.") {
        "localhost".to_owned()
    } else {
        format!("ec2-{}.{REGION}.compute.amazonaws.com", address.replace('.', "-"))
    }
}

/// `key: value` lines as EC2 prints them.
fn document(of: &Identity) -> String {
    let text = |text: &str| Json::from(text).to_string();
    let null = || "null".to_owned();
    let lines = [
        ("accountId", text(ACCOUNT)),
        ("architecture", text(&of.architecture)),
        ("availabilityZone", text(ZONE)),
        ("billingProducts", null()),
        ("devpayProductCodes", null()),
        ("marketplaceProductCodes", null()),
        ("imageId", text(&of.image)),
        ("instanceId", text(&of.instance)),
        ("instanceType", text(&of.instance_type)),
        ("kernelId", null()),
        ("pendingTime", text(&time(of.launched))),
        ("privateIp", text(of.local_address())),
        ("ramdiskId", null()),
        ("region", text(REGION)),
        ("version", text("2017-09-30")),
    ];
    let lines: Vec<String> = lines.iter().map(|(key, value)| format!("  \"{key}\" : {value}")).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

/// What can be a name in a listing.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%=".contains(&byte))
}

/// EC2 shows no tags with other keys.
fn is_tag(key: &str) -> bool {
    !matches!(key, "." | ".." | "_index" | "")
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-=.,_:@".contains(&byte))
}
