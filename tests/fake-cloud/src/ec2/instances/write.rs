//! Instances and reservations, as `RunInstances` and `DescribeInstances` write them.

use crate::ec2::{networks, tag_set};
use crate::holdings::Volume;
use crate::time;
use crate::world::{Instance, Region};
use crate::xml::Xml;

/// The number of a state.
pub(super) fn code(state: &str) -> &'static str {
    match state {
        "pending" => "0",
        "running" => "16",
        "shutting-down" => "32",
        _ => "48",
    }
}

pub(super) fn state(xml: &mut Xml, element: &str, name: &str) {
    xml.nest(element, |xml| {
        xml.text("code", code(name)).text("name", name);
    });
}

/// Instances that were started together.
pub(super) fn reservation(xml: &mut Xml, region: &Region, instances: &[&Instance], euca: bool) {
    let Some(first) = instances.first() else { return };
    xml.text("reservationId", &first.reservation).text("ownerId", &first.owner);
    // EC2 names a reservation's groups only where there are no networks.
    let shown = if first.vpc.is_none() { first.groups.as_slice() } else { &[] };
    groups(xml, region, shown);
    xml.items("instancesSet", instances, |xml, one| instance(xml, region, one, euca));
}

fn groups(xml: &mut Xml, region: &Region, ids: &[String]) {
    xml.items("groupSet", ids, |xml, id| {
        xml.text("groupId", id).maybe("groupName", region.groups.get(id).map(|group| &group.name));
    });
}

/// `compute-1.amazonaws.com` names of an address.
fn name(prefix: &str, address: &str, suffix: &str) -> String {
    format!("{prefix}-{}.{suffix}", address.replace('.', "-"))
}

fn instance(xml: &mut Xml, region: &Region, instance: &Instance, euca: bool) {
    let alive = matches!(instance.state, "pending" | "running" | "shutting-down");
    let public = instance.public_address.as_ref().filter(|_| instance.state == "running");
    let (inside, outside) = if euca {
        ("eucalyptus.internal", "eucalyptus.example.com")
    } else {
        ("ec2.internal", "compute-1.amazonaws.com")
    };
    let prefix = |long, short| if euca { short } else { long };
    xml.text("instanceId", &instance.id).text("imageId", &instance.image);
    state(xml, "instanceState", instance.state);
    let private =
        if alive { name(prefix("ip", "euca"), &instance.private_address, inside) } else { String::new() };
    xml.text("privateDnsName", private)
        .text("dnsName", public.map(|at| name(prefix("ec2", "euca"), at, outside)).unwrap_or_default());
    if alive {
        xml.text("privateIpAddress", &instance.private_address).maybe("ipAddress", public);
    }
    if let Some((code, message)) = instance.reason.as_ref().filter(|_| instance.state != "running") {
        let user = code == "Client.UserInitiatedShutdown";
        let reason = if user { "User initiated".to_owned() } else { message.clone() };
        xml.text("reason", reason).nest("stateReason", |xml| {
            xml.text("code", code).text("message", message);
        });
    } else {
        xml.text("reason", "");
    }
    xml.maybe("keyName", instance.key_name.as_ref())
        .text("amiLaunchIndex", instance.index.to_string())
        .nest("productCodes", |_| {})
        .text("instanceType", &instance.instance_type)
        .text("launchTime", time::iso(instance.launched))
        .nest("placement", |xml| {
            xml.text("availabilityZone", &instance.zone).text("groupName", "").text("tenancy", "default");
        })
        .maybe("kernelId", instance.kernel.as_ref())
        .maybe("ramdiskId", instance.ramdisk.as_ref())
        .maybe("platform", instance.platform.as_ref())
        .nest("monitoring", |xml| {
            xml.text("state", if instance.monitored { "enabled" } else { "disabled" });
        });
    if alive {
        xml.maybe("subnetId", instance.subnet.as_ref()).maybe("vpcId", instance.vpc.as_ref());
    }
    groups(xml, region, if alive { &instance.groups } else { &[] });
    xml.text("architecture", &instance.architecture)
        .text("rootDeviceType", instance.root_type)
        .maybe("rootDeviceName", instance.root_device.as_ref());
    let at = |volume: &&Volume| volume.attachment.as_ref().is_some_and(|at| at.instance == instance.id);
    let mut volumes: Vec<&Volume> = region.volumes.values().filter(at).collect();
    // The root comes first.
    volumes.sort_by_key(|have| {
        have.attachment.as_ref().map(|at| Some(&at.device) != instance.root_device.as_ref())
    });
    xml.items("blockDeviceMapping", volumes, |xml, volume| {
        let Some(at) = &volume.attachment else { return };
        xml.text("deviceName", &at.device).nest("ebs", |xml| {
            xml.text("volumeId", &volume.id)
                .text("status", if at.done { "attached" } else { "attaching" })
                .text("attachTime", time::iso(at.since))
                .text("deleteOnTermination", at.delete.to_string());
        });
    });
    xml.text("virtualizationType", &instance.virtualization)
        .text("clientToken", instance.client_token.as_deref().unwrap_or_default());
    tag_set(xml, &instance.tags);
    xml.text("hypervisor", if euca { "kvm" } else { "xen" });
    if instance.vpc.is_some() && alive {
        xml.text("sourceDestCheck", "true").items("networkInterfaceSet", [instance], |xml, instance| {
            networks::write_interface(xml, region, instance);
        });
    }
    if let Some(arn) = &instance.profile {
        xml.nest("iamInstanceProfile", |xml| {
            xml.text("arn", arn).text("id", "AIPAEXAMPLE");
        });
    }
    xml.text("ebsOptimized", "false");
    if !euca {
        xml.nest("metadataOptions", |xml| {
            xml.text("state", "applied")
                .text("httpTokens", &instance.tokens)
                .text("httpPutResponseHopLimit", instance.hops.to_string())
                .text("httpEndpoint", "enabled");
        });
    }
}
