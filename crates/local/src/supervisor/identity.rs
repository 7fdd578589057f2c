//! Who an instance is, for its metadata service.

use std::path::Path;

use crate::Error;
use crate::instance::{DiskBus, Like, Spec, read_small};
use crate::metadata::Identity;
use crate::network::Member;
use crate::qemu::{GUEST_ADDRESS, mac};

/// The identity of the instance in `directory`.
pub(super) fn of(spec: &Spec, directory: &Path, member: Option<&Member>) -> Result<Identity, Error> {
    let path = directory.join("user-data");
    let user_data = read_small(&path).map_err(|error| Error::file(&path, "read the user-data", error))?;
    Ok(Identity {
        like: spec.like,
        imds_v2: spec.imds_v2,
        instance: spec.id.clone(),
        reservation: spec.reservation.clone(),
        launch_index: spec.launch_index,
        image: spec.image.clone(),
        instance_type: spec.instance_type.clone(),
        architecture: spec.architecture.clone(),
        // The service has names as the clouds'.
        hostname: String::new(),
        address: GUEST_ADDRESS.to_owned(),
        mac: mac(&spec.id),
        private: member.map(|member| (member.mac.clone(), member.address.clone(), member.prefix)),
        public_address: Some("127.0.0.1".to_owned()),
        key: spec.key.clone(),
        groups: spec.groups.clone(),
        devices: devices(spec),
        user_data: (!user_data.is_empty()).then_some(user_data),
        tags: spec.tags.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        launched: spec.launched,
    })
}

/// What `block-device-mapping` lists. Nitro's says nothing of disks of the instance's own, and cloud-init would try to mount
/// what is listed.
fn devices(spec: &Spec) -> Vec<(String, String)> {
    let (root, ephemeral) = match spec.disk_bus {
        DiskBus::Virtio => ("vda", "vdb"),
        DiskBus::Nvme => ("nvme0n1", "nvme1n1"),
    };
    let pair = |name: &str, device: &str| (name.to_owned(), device.to_owned());
    let mut devices = vec![pair("ami", root)];
    for (number, volume) in spec.volumes.iter().enumerate() {
        devices.push((format!("ebs{}", number + 1), volume.device.trim_start_matches("/dev/").to_owned()));
    }
    if spec.ephemeral.is_some() && spec.like == Like::Eucalyptus {
        devices.push(pair("ephemeral0", ephemeral));
    }
    devices.push((("root").to_owned(), format!("/dev/{root}")));
    devices
}
