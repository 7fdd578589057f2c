//! Reservations and instances in answers.

use super::{Device, Instance, InstanceState, Interface, Reservation};
use crate::Error;
use crate::call::Call;
use crate::ec2::filter::{entries, items};
use crate::ec2::group_refs;
use crate::ec2::image::{product_codes, reason};
use crate::ec2::tags;
use crate::xml::Element;

/// A reservation: an entry of `reservationSet`, or the whole answer of `RunInstances`.
pub(super) fn reservation(call: Call, entry: &Element) -> Result<Reservation, Error> {
    let instances = items(call, entry, "instancesSet")?.map(|item| instance(call, item));
    let mut found = Reservation {
        id: entry.trimmed(&["reservationId"]).unwrap_or_default(),
        owner: entry.trimmed(&["ownerId"]).unwrap_or_default(),
        groups: group_refs(entry),
        instances: instances.collect::<Result<_, _>>()?,
    };
    for instance in &mut found.instances {
        instance.reservation.clone_from(&found.id);
        instance.owner.clone_from(&found.owner);
    }
    Ok(found)
}

fn instance(call: Call, entry: &Element) -> Result<Instance, Error> {
    let text = |path: &[&str]| entry.trimmed(path);
    // Eucalyptus writes 0.0.0.0 for an address that it has not given yet.
    let address = |name: &str| entry.trimmed(&[name]).filter(|text| text != "0.0.0.0");
    Ok(Instance {
        id: call.id(entry, &["instanceId"])?,
        image: text(&["imageId"]).unwrap_or_default(),
        state: InstanceState {
            name: call.text(entry, &["instanceState", "name"])?.to_owned(),
            reason: reason(entry).or_else(|| text(&["reason"])),
        },
        public_address: address("ipAddress"),
        private_address: address("privateIpAddress"),
        tags: tags(entry),
        reservation: String::new(),
        owner: String::new(),
        public_name: text(&["dnsName"]),
        private_name: text(&["privateDnsName"]),
        key_name: text(&["keyName"]),
        launch_index: call.number(entry, &["amiLaunchIndex"])?,
        product_codes: product_codes(entry),
        instance_type: text(&["instanceType"]).unwrap_or_default(),
        launched: text(&["launchTime"]).unwrap_or_default(),
        zone: text(&["placement", "availabilityZone"]),
        placement_group: text(&["placement", "groupName"]),
        tenancy: text(&["placement", "tenancy"]),
        kernel: text(&["kernelId"]),
        ramdisk: text(&["ramdiskId"]),
        platform: text(&["platform"]),
        monitoring: text(&["monitoring", "state"]),
        vpc: text(&["vpcId"]),
        subnet: text(&["subnetId"]),
        root_type: text(&["rootDeviceType"]),
        root_device: text(&["rootDeviceName"]),
        lifecycle: text(&["instanceLifecycle"]),
        virtualization: text(&["virtualizationType"]),
        hypervisor: text(&["hypervisor"]),
        token: text(&["clientToken"]),
        groups: group_refs(entry),
        ebs_optimized: call.flag(entry, &["ebsOptimized"])?,
        profile: text(&["iamInstanceProfile", "arn"]),
        architecture: text(&["architecture"]),
        devices: entries(entry, "blockDeviceMapping")
            .map(|item| device(call, item))
            .collect::<Result<_, _>>()?,
        interfaces: entries(entry, "networkInterfaceSet")
            .map(|item| interface(call, item))
            .collect::<Result<_, _>>()?,
        imds_tokens: text(&["metadataOptions", "httpTokens"]),
    })
}

fn device(call: Call, item: &Element) -> Result<Device, Error> {
    let text = |path: &[&str]| item.trimmed(path);
    Ok(Device {
        device: text(&["deviceName"]).unwrap_or_default(),
        volume: text(&["ebs", "volumeId"]),
        attached: text(&["ebs", "attachTime"]),
        status: text(&["ebs", "status"]),
        delete_on_termination: call.flag(item, &["ebs", "deleteOnTermination"])?,
    })
}

/// An entry of `networkInterfaceSet`, of an instance or of `DescribeNetworkInterfaces`.
pub(in crate::ec2) fn interface(call: Call, item: &Element) -> Result<Interface, Error> {
    let text = |path: &[&str]| item.trimmed(path);
    let address = |entry: &Element| {
        let primary = call.flag(entry, &["primary"])?.unwrap_or(false);
        Ok((
            entry.trimmed(&["privateIpAddress"]).unwrap_or_default(),
            entry.trimmed(&["privateDnsName"]),
            primary,
        ))
    };
    Ok(Interface {
        id: call.id(item, &["networkInterfaceId"])?,
        subnet: text(&["subnetId"]),
        vpc: text(&["vpcId"]),
        owner: text(&["ownerId"]),
        status: text(&["status"]).unwrap_or_default(),
        description: text(&["description"]),
        kind: text(&["interfaceType"]),
        requester: text(&["requesterId"]),
        private_address: text(&["privateIpAddress"]),
        private_name: text(&["privateDnsName"]),
        public_address: text(&["association", "publicIp"]),
        public_address_owner: text(&["association", "ipOwnerId"]),
        source_check: call.flag(item, &["sourceDestCheck"])?,
        groups: group_refs(item),
        instance: text(&["attachment", "instanceId"]),
        attachment: text(&["attachment", "attachmentId"]),
        device_index: call.number(item, &["attachment", "deviceIndex"])?,
        attachment_status: text(&["attachment", "status"]),
        attached: text(&["attachment", "attachTime"]),
        delete_on_termination: call.flag(item, &["attachment", "deleteOnTermination"])?,
        addresses: entries(item, "privateIpAddressesSet").map(address).collect::<Result<_, Error>>()?,
        tags: tags(item),
    })
}
