//! Launching on a cloud: what the arguments ask for, as an [`Order`].

use hardtack_cloud::ec2::Extras;
use hardtack_launch::cloud::{Key, Order, SshFrom, Volume};

use crate::args::{LaunchArgs, Tokens};
use crate::error::CliError;

/// Bytes of a GiB.
const GIB: u64 = 1 << 30;
/// What tells one's own address.
const ADDRESS_URL: &str = "HARDTACK_ADDRESS_URL";

/// What the arguments ask for.
pub(super) fn order(
    arguments: &LaunchArgs,
    user_data: Vec<u8>,
    key: Option<Key>,
    environment: &hardtack_cloud::Environment,
) -> Result<Order, CliError> {
    let cloud = &arguments.cloud;
    let image = arguments.image.clone().ok_or_else(|| CliError::usage("the image is missing"))?;
    let volumes = arguments
        .volume
        .iter()
        .map(|(bytes, device)| Volume { size: bytes.div_ceil(GIB).max(1), device: device.clone() });
    Ok(Order {
        image,
        user_data,
        key,
        instance_type: arguments.instance_type.clone(),
        groups: cloud.group.clone(),
        count: arguments.count,
        zone: cloud.zone.clone(),
        key_file: None,
        mappings: cloud.mapping.clone(),
        subnet: cloud.subnet.clone(),
        profile: cloud.profile_of_instance.clone(),
        tags: arguments.tag.clone(),
        public_address: match (cloud.public_ip, cloud.no_public_ip) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => cloud.associate_public_ip_address,
        },
        imds_v2: arguments.imds == Tokens::Required,
        volumes: volumes.collect(),
        ssh_from: cloud.ssh_from.as_deref().map(|from| match from {
            "me" => SshFrom::Me,
            network => SshFrom::Network(network.to_owned()),
        }),
        address_url: cloud
            .address_url
            .clone()
            .or_else(|| environment.variable(ADDRESS_URL).map(str::to_owned)),
        private_address: cloud.private_ip_address.clone(),
        token: cloud.client_token.clone(),
        extras: Extras {
            on_shutdown: cloud.instance_initiated_shutdown_behavior.clone(),
            monitoring: cloud.monitor,
            kernel: cloud.kernel.clone(),
            ramdisk: cloud.ramdisk.clone(),
            placement_group: cloud.placement_group.clone(),
            tenancy: cloud.tenancy.clone(),
            protected: cloud.disable_api_termination,
            ebs_optimized: cloud.ebs_optimized,
        },
    })
}
