//! What Eucalyptus 4's metadata service has of an instance (`VmInstanceMetadata.java`).

use serde_json::{Value as Json, json};

use super::ec2::is_name;
use super::tree::Tree;
use super::{ACCOUNT, Identity, time};

/// What `/` lists. Any other date does as well (`MetadataPipeline.java`).
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
    "latest",
];

/// The partition of the cluster that Eucalyptus' quick start makes.
const ZONE: &str = "one";

/// A date: it stands for a version, and need not be one.
pub(super) fn is_date(version: &str) -> bool {
    version.len() == 10
        && version.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// The tree.
pub(super) fn tree(of: &Identity) -> Tree {
    let mut tree = Tree::default();
    let image = of.image.strip_prefix("ami-").map_or_else(|| of.image.clone(), |rest| format!("emi-{rest}"));
    let hostname = of.hostname();
    let local = of.local_address();
    let public = of.public_ipv4().unwrap_or(local);
    let public_hostname = format!("euca-{}.eucalyptus.internal", public.replace('.', "-"));
    let mut groups = of.groups.clone();
    groups.sort();
    if groups.is_empty() {
        groups.push("default".to_owned());
    }
    let mac = of.mac.to_uppercase();
    let mut put = |path: &str, text: &str| tree.put(format!("meta-data/{path}"), text);
    put("ami-id", &image);
    put("ami-launch-index", &of.launch_index.to_string());
    for (name, device) in of.devices.iter().filter(|(name, _)| is_name(name)) {
        // Only the root is named in full.
        let short = device.strip_prefix("/dev/").unwrap_or(device);
        put(&format!("block-device-mapping/{name}"), if name == "root" { device } else { short });
        if name == "ami" {
            put("block-device-mapping/emi", short);
        }
    }
    put("hostname", &hostname);
    put("instance-id", &of.instance);
    put("instance-type", &of.instance_type);
    put("local-hostname", &hostname);
    put("local-ipv4", local);
    put("mac", &mac);
    card(&mut put, &mac, &of.address, &hostname);
    put(&format!("network/interfaces/macs/{mac}/device-number"), "0");
    put(&format!("network/interfaces/macs/{mac}/public-hostname"), &public_hostname);
    put(&format!("network/interfaces/macs/{mac}/public-ipv4s"), public);
    if let Some((mac, address, _)) = &of.private {
        // As in `ec2`: without a device-number.
        card(&mut put, &mac.to_uppercase(), address, &hostname);
    }
    put("placement/availability-zone", ZONE);
    put("public-hostname", &public_hostname);
    put("public-ipv4", public);
    if let Some((name, key)) = &of.key {
        put("public-keys/0/openssh-key", key);
        tree.list_as("meta-data/public-keys", format!("0={name}"));
    }
    let mut put = |path: &str, text: &str| tree.put(format!("meta-data/{path}"), text);
    put("reservation-id", &of.reservation);
    put("security-groups", &groups.join("\n"));
    put("services/domain", "eucalyptus.internal");
    tree.put("dynamic/fws/instance-monitoring", "disabled");
    tree.put("dynamic/instance-identity/document", document(of, &image));
    if let Some(user_data) = &of.user_data {
        tree.put("user-data", user_data.as_slice());
    }
    tree
}

fn card(put: &mut impl FnMut(&str, &str), mac: &str, address: &str, hostname: &str) {
    let mut put = |name: &str, text: &str| put(&format!("network/interfaces/macs/{mac}/{name}"), text);
    put("local-hostname", hostname);
    put("local-ipv4s", address);
    put("mac", mac);
    put("owner-id", ACCOUNT);
}

fn document(of: &Identity, image: &str) -> String {
    let document = json!({
        "privateIp": of.local_address(),
        "devpayProductCodes": Json::Null,
        "availabilityZone": ZONE,
        "version": "2010-08-31",
        "region": "eucalyptus",
        "instanceId": of.instance,
        "billingProducts": Json::Null,
        "instanceType": of.instance_type,
        "accountId": ACCOUNT,
        "pendingTime": time(of.launched),
        "imageId": image,
        "architecture": of.architecture,
        "kernelId": Json::Null,
        "ramdiskId": Json::Null,
    });
    format!("{document:#}")
}
