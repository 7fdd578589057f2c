//! OpenStack's metadata service (`cloudinit/sources/DataSourceOpenStack.py`): the same tree as on its disk, which
//! [`crate::openstack_tree`] reads, and EC2's beside it for the block devices.

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Key, Kind};
use serde_json::json;

use crate::ec2;
use crate::found::{Found, Known, Network, Source};
use crate::instance_id;
use crate::metadata;
use crate::openstack_tree::{self, Error};
use crate::service::{Failure, Got, Service, Trouble, USER_DATA, VALUE};

/// Where the service is, besides its link-local address of IPv6.
pub const ADDRESS: &str = "http://169.254.169.254";
/// All injected files together. Nova's quota is 5 files of 10 KiB.
const MOST_BYTES: usize = 4 << 20;

/// The addresses that are usual, of a machine whose first card is `interface`.
#[must_use]
pub fn addresses(interface: Option<&str>) -> Vec<String> {
    let mut addresses = vec![ADDRESS.to_owned()];
    let is_name =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if let Some(interface) = interface.filter(|interface| is_name(interface)) {
        addresses.push(format!("http://[fe80::a9fe:a9fe%25{interface}]"));
    }
    addresses
}

/// Reads the service at `base` once.
pub(crate) fn attempt(service: &mut Service<'_>, base: &str, ignore_network: bool) -> Result<Got, Failure> {
    let mut notes = Vec::new();
    let mut missing = Vec::new();
    let mut bytes = 0_usize;
    // Trouble with the version list or `meta_data.json` ends the attempt; the rest is optional.
    let mut first = None;
    let tree = openstack_tree::read(&mut |path| -> Result<Option<Vec<u8>>, Trouble> {
        if let Some(Trouble::Over) = &first {
            return Err(Trouble::Over);
        }
        let is_user_data = path.ends_with("/user_data");
        let url = format!("{base}/{path}");
        match service.get(&url, &[], if is_user_data { USER_DATA } else { VALUE.max(USER_DATA) }) {
            Ok(answer) if answer.status == 200 => {
                bytes = bytes.saturating_add(answer.body.len());
                if bytes > MOST_BYTES {
                    return Err(Trouble::Unusable(format!("{base} has more than {} KiB", MOST_BYTES >> 10)));
                }
                Ok(Some(answer.body))
            }
            Ok(_) => Ok(None),
            Err(trouble) => {
                match &trouble {
                    Trouble::Unusable(why) if is_user_data => notes.push(format!(
                        "the user-data counts for nothing, since it cannot be read (at most {} KiB are): {why}",
                        USER_DATA >> 10
                    )),
                    _ => missing.push(format!("{path}: {}", trouble.text())),
                }
                if path == "openstack" || trouble == Trouble::Over {
                    first = Some(trouble.clone());
                }
                Err(trouble)
            }
        }
    });
    if let Some(trouble) = first {
        return Err(trouble.into());
    }
    let tree = match tree {
        Ok(tree) => tree,
        Err(Error::Missing { path }) => return Err(Failure::Later(format!("{base} has no {path}"))),
        Err(Error::Fetch { source, .. }) => return Err(source.into()),
        Err(error @ Error::Broken { .. }) => return Err(Failure::Later(format!("{base}: {error}"))),
    };
    let id = tree.metadata.get(&Key::text("instance-id"));
    let id = id.filter(|id| matches!(id.kind, Kind::Text(_) | Kind::Int(_))).map(|id| id.to_python_str());
    let Some(id) = id.filter(|id| instance_id::is_plausible(id)) else {
        return Err(Failure::Later(format!("{base}: meta_data.json has a uuid that is none")));
    };
    if tree.dsmode.as_ref().and_then(|mode| mode.as_text()) == Some("disabled") {
        return Err(Failure::Never(format!("{base}: meta_data.json has dsmode: disabled")));
    }
    let (ec2_metadata, block_devices, beside) = ec2::beside(service, base);
    notes.extend(tree.notes);
    let network = tree.network.as_ref().filter(|network| !ignore_network && truthy(network));
    let network_json = tree.network.as_ref().map(metadata::to_json);
    let found = Found {
        source: Source::OpenStack,
        shown: "DataSourceOpenStackLocal [net,ver=2]".to_owned(),
        cloud_name: metadata::cloud_name(&tree.metadata, "openstack"),
        platform: "openstack".to_owned(),
        subplatform: format!("metadata ({base})"),
        instance_id: id,
        metadata: metadata::map_to_json(&tree.metadata),
        extra: json!({"network_json": network_json, "ec2_metadata": ec2_metadata}),
        user_data: tree.user_data.filter(|user_data| !user_data.is_empty()),
        vendor_data: tree.vendor_data,
        vendor_data2: tree.vendor_data2,
        network: network.map(|network| Network::OpenStack(metadata::to_json(network))),
        // cloud-init reads the injected files here, too, and writes none: that is the disk's business.
        files: Vec::new(),
        maybe_base64: false,
        known: Known {
            local_hostname: metadata::local_hostname(&tree.metadata),
            public_keys: metadata::public_keys(tree.metadata.get(&Key::text("public_keys"))),
            block_devices,
            region: metadata::text(&tree.metadata, "region"),
            availability_zone: metadata::availability_zone(&tree.metadata),
            random_seed: tree.random_seed,
            launch_index: metadata::launch_index(&tree.metadata),
            addresses: beside.addresses,
            early: false,
        },
        notes,
    };
    Ok(Got { found, missing })
}
