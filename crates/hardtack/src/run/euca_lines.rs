//! Instances as euca2ools prints them (`commands/ec2/__init__.py`: `print_reservation`, `print_instance`): words with tabs,
//! empty fields between them.

use std::fmt::Write as _;

use hardtack_cloud::ec2::{Device, GroupRef, Image, Instance, Interface, Reservation};

/// `RESERVATION` and the lines of its instances.
pub(crate) fn reservation(reservation: &Reservation) -> String {
    let name = |group: &GroupRef| if group.name.is_empty() { group.id.clone() } else { group.name.clone() };
    let groups: Vec<String> = reservation.groups.iter().map(name).collect();
    let mut out = line(&["RESERVATION", &reservation.id, &reservation.owner, &groups.join(", ")]);
    let mut instances: Vec<&Instance> = reservation.instances.iter().collect();
    instances.sort_by(|one, other| one.launched.cmp(&other.launched));
    for one in instances {
        out.push_str(&instance(one));
    }
    out
}

/// `INSTANCE`, and the lines of its disks, interfaces and tags.
pub(crate) fn instance(one: &Instance) -> String {
    fn text(value: &Option<String>) -> &str {
        value.as_deref().unwrap_or_default()
    }
    let index = one.launch_index.map(|index| index.to_string()).unwrap_or_default();
    let codes = one.product_codes.join(",");
    let monitoring = one.monitoring.as_ref().map(|state| format!("monitoring-{state}")).unwrap_or_default();
    let groups: Vec<&str> = one.groups.iter().map(|group| group.id.as_str()).collect();
    let mut out = line(&[
        "INSTANCE",
        &one.id,
        &one.image,
        text(&one.public_name),
        text(&one.private_name),
        &one.state.name,
        text(&one.key_name),
        &index,
        &codes,
        &one.instance_type,
        &one.launched,
        text(&one.zone),
        text(&one.kernel),
        text(&one.ramdisk),
        text(&one.platform),
        &monitoring,
        text(&one.public_address),
        text(&one.private_address),
        text(&one.vpc),
        text(&one.subnet),
        text(&one.root_type),
        text(&one.lifecycle),
        // The spot request and the license: nothing is known of them.
        "",
        "",
        text(&one.placement_group),
        text(&one.virtualization),
        text(&one.hypervisor),
        text(&one.token),
        &groups.join(","),
        text(&one.tenancy),
        truth(one.ebs_optimized),
        text(&one.profile),
        text(&one.architecture),
    ]);
    one.devices.iter().for_each(|one| out.push_str(&device(one)));
    one.interfaces.iter().for_each(|one| out.push_str(&interface(one)));
    for (key, value) in &one.tags {
        out.push_str(&line(&["TAG", "instance", &one.id, key, value]));
    }
    out
}

/// `IMAGE`, and the lines of its tags (`commands/ec2/describeimages.py`: `print_image`). Kernels and hypervisors are not
/// asked for.
pub(crate) fn image(one: &Image) -> String {
    fn text(value: &Option<String>) -> &str {
        value.as_deref().unwrap_or_default()
    }
    let name = match text(&one.root_type) {
        "instance-store" => one.location.clone(),
        _ => format!("{}/{}", one.owner, one.name),
    };
    let public = if one.public { "public" } else { "private" };
    let mut out = line(&[
        "IMAGE",
        &one.id,
        &name,
        &one.owner,
        &one.state,
        public,
        &one.architecture,
        "machine",
        "",
        "",
        "",
        text(&one.root_type),
        text(&one.virtualization),
        "",
    ]);
    for (key, value) in &one.tags {
        out.push_str(&line(&["TAG", "image", &one.id, key, value]));
    }
    out
}

fn device(one: &Device) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (volume, attached) = (text(&one.volume), text(&one.attached));
    // An instance does not say of which type its volumes are.
    line(&["BLOCKDEVICE", &one.device, &volume, &attached, truth(one.delete_on_termination), "", ""])
}

fn interface(one: &Interface) -> String {
    fn text(value: &Option<String>) -> &str {
        value.as_deref().unwrap_or_default()
    }
    let mut out = line(&[
        "NETWORKINTERFACE",
        &one.id,
        text(&one.subnet),
        text(&one.vpc),
        text(&one.owner),
        &one.status,
        text(&one.private_address),
        text(&one.private_name),
        truth(one.source_check),
    ]);
    if one.attachment.is_some() {
        let index = one.device_index.map(|index| index.to_string()).unwrap_or_default();
        out.push_str(&line(&[
            "ATTACHMENT",
            text(&one.instance),
            text(&one.attachment),
            &index,
            text(&one.attachment_status),
            text(&one.attached),
            truth(one.delete_on_termination),
        ]));
    }
    if one.public_address.is_some() {
        let first = one.addresses.iter().find(|(_, _, first)| *first).map(|(address, _, _)| address.as_str());
        let private = first.or(one.private_address.as_deref()).unwrap_or_default();
        out.push_str(&line(&[
            "ASSOCIATION",
            text(&one.public_address),
            text(&one.public_address_owner),
            private,
        ]));
    }
    for group in &one.groups {
        out.push_str(&line(&["GROUP", &group.id, &group.name]));
    }
    for (address, name, first) in &one.addresses {
        let first = if *first { "primary" } else { "" };
        out.push_str(&line(&["PRIVATEIPADDRESS", address, text(name), first]));
    }
    for (key, value) in &one.tags {
        out.push_str(&line(&["TAG", "network-interface", &one.id, key, value]));
    }
    out
}

fn truth(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}

/// Words with tabs. What a terminal obeys, and what would make two words or lines of one, is taken out.
fn line(words: &[&str]) -> String {
    let mut out = String::new();
    for (index, word) in words.iter().enumerate() {
        let word: String = word.chars().map(|char| if char.is_control() { '?' } else { char }).collect();
        let _ = write!(out, "{}{word}", if index == 0 { "" } else { "\t" });
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lines_are_those_of_euca2ools() {
        let some = |text: &str| Some(text.to_owned());
        let one = Instance {
            id: "i-1".into(),
            image: "ami-1".into(),
            instance_type: "t3.small".into(),
            launched: "2026-01-01T00:00:00.000Z".into(),
            launch_index: Some(0),
            monitoring: some("disabled"),
            zone: some("us-east-1a"),
            devices: vec![Device { device: "/dev/xvda".into(), volume: some("vol-1"), ..Device::default() }],
            tags: vec![("Name".into(), "a\tb".into())],
            ..Instance::default()
        };
        let group = GroupRef { id: "sg-1".into(), name: String::new() };
        let all =
            Reservation { id: "r-1".into(), owner: "1".into(), groups: vec![group], instances: vec![one] };
        let expected = "RESERVATION\tr-1\t1\tsg-1\n\
            INSTANCE\ti-1\tami-1\t\t\t\t\t0\t\tt3.small\t2026-01-01T00:00:00.000Z\tus-east-1a\t\t\t\tmonitoring-disabled\
            \t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n\
            BLOCKDEVICE\t/dev/xvda\tvol-1\t\t\t\t\n\
            TAG\tinstance\ti-1\tName\ta?b\n";
        assert_eq!(reservation(&all), expected);
    }
}
