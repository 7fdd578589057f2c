//! Launching on this machine: what the arguments ask for, as a [`Spec`].

use std::path::Path;

use hardtack_cloud::Environment;
use hardtack_launch::here::{self, types};
use hardtack_local::instance::{Accel, DiskBus, Like, Port, Volume};
use hardtack_local::{Instance, Instances, Spec};
use hardtack_publish::Teller;
use hardtack_publish::catalog::{Catalog, Entry};
use hardtack_publish::journal::Journal;

use super::inside;
use crate::args::{AccelName, BusName, CloudArgs, HereArgs, LaunchArgs, LikeName, Tokens, WaitFor};
use crate::error::CliError;
use crate::run::{hidden, user_data};
use crate::talk;

/// The variable of the environment that says who computes.
const ACCEL: &str = "HARDTACK_ACCEL";
/// What types count disks in.
const GIB: u64 = 1 << 30;

/// Refuses options of this machine for a cloud.
pub(super) fn none_of(arguments: &HereArgs) -> Result<(), CliError> {
    let stray = [
        ("--like", arguments.like.is_some()),
        ("--disk-bus", arguments.disk_bus.is_some()),
        ("--accel", arguments.accel.is_some()),
        ("--root-size", arguments.root_size.is_some()),
        ("--ephemeral", arguments.ephemeral.is_some()),
        ("--network", arguments.network.is_some()),
        ("--multicast", arguments.multicast),
        ("--pcap", arguments.pcap.is_some()),
        ("--netboot", arguments.netboot),
        ("--port", !arguments.port.is_empty()),
    ];
    match stray.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(CliError::usage(format!("{name} is for instances of this machine, and --on names a cloud"))
                .hint("leave it away, or launch with --on local"))
        }
        None => Ok(()),
    }
}

/// Refuses options of clouds that would have to do something here; those that cannot do harm are told.
fn none_of_clouds(arguments: &CloudArgs) -> Result<(), CliError> {
    let stray = [
        ("--subnet", arguments.subnet.is_some(), "--network NAME is a private network of this machine"),
        (
            "--block-device-mapping",
            !arguments.mapping.is_empty(),
            "--root-size, --ephemeral and --volume make disks",
        ),
        ("--iam-instance-profile", arguments.profile_of_instance.is_some(), "instances here have no role"),
        (
            "--public-ip",
            arguments.public_ip || arguments.associate_public_ip_address == Some(true),
            "ports are found at 127.0.0.1: --port",
        ),
        ("--private-ip-address", arguments.private_ip_address.is_some(), "--network gives addresses by DHCP"),
        ("--kernel", arguments.kernel.is_some(), "images boot their own kernel here"),
        ("--ramdisk", arguments.ramdisk.is_some(), "images boot their own initramfs here"),
        ("--client-token", arguments.client_token.is_some(), "--journal FILE starts the same instances once"),
        ("--placement-group", arguments.placement_group.is_some(), "all instances are on this machine"),
        ("--tenancy", arguments.tenancy.is_some(), "all instances are on this machine"),
        ("--monitor", arguments.monitor, "nothing is measured here"),
        ("--ebs-optimized", arguments.ebs_optimized, "disks are files here"),
        ("--disable-api-termination", arguments.disable_api_termination, "nothing protects instances here"),
        (
            "--instance-initiated-shutdown-behavior",
            arguments.instance_initiated_shutdown_behavior.is_some(),
            "instances that switch themselves off are stopped",
        ),
    ];
    if let Some((name, _, instead)) = stray.iter().find(|(_, given, _)| *given) {
        return Err(CliError::usage(format!(
            "{name} is for clouds, and the instance starts on this machine"
        ))
        .hint(*instead)
        .hint("--on aws and --on euca name a cloud"));
    }
    for (name, _, why) in harmless(arguments).iter().filter(|(_, given, _)| *given) {
        talk::note(&format!("{name} changes nothing here: {why}"));
    }
    Ok(())
}

/// Options of clouds that cannot do harm, and why.
fn harmless(arguments: &CloudArgs) -> [(&'static str, bool, &'static str); 4] {
    let ports = "ports of instances of this machine are open to 127.0.0.1 alone";
    [
        ("--ssh-from", arguments.ssh_from.is_some(), ports),
        ("--availability-zone", arguments.zone.is_some(), "this machine is one zone, local"),
        ("--no-public-ip", arguments.no_public_ip, "no instance of this machine has a public address"),
        ("--address-url", arguments.address_url.is_some(), "nobody is asked for an address"),
    ]
}

/// The image that is asked for; none for a machine that boots from the network.
pub(super) fn image(arguments: &LaunchArgs, catalog: &Catalog) -> Result<Option<Entry>, CliError> {
    match &arguments.image {
        Some(image) => Ok(Some(here::image(catalog, image)?)),
        None => Ok(None),
    }
}

/// What the arguments ask for. `key`: name and public key.
pub(super) fn spec(
    arguments: &LaunchArgs,
    catalog: &Catalog,
    image: Option<&Entry>,
    key: Option<(String, String)>,
    environment: &Environment,
) -> Result<Spec, CliError> {
    none_of_clouds(&arguments.cloud)?;
    let here = &arguments.here;
    if let Some(capture) = here.pcap.as_ref().filter(|_| arguments.count.1 > 1) {
        return Err(CliError::usage(format!(
            "--pcap {}: {} instances cannot write one file",
            capture.display(),
            arguments.count.1
        ))
        .hint("launch the one whose card is looked at alone"));
    }
    let kind = types::find(arguments.instance_type.as_deref())?;
    let ephemeral = here.ephemeral.unwrap_or(kind.ephemeral * GIB);
    let disk_bus = match here.disk_bus.unwrap_or_default() {
        BusName::Virtio => DiskBus::Virtio,
        BusName::Nvme => DiskBus::Nvme,
    };
    let ephemeral = (ephemeral > 0).then_some(ephemeral);
    let disk = image.map(|image| catalog.disk(&image.id)).map(|disk| absolute(&disk)).transpose()?;
    let groups = match arguments.cloud.group.as_slice() {
        [] => vec!["default".to_owned()],
        groups => groups.to_vec(),
    };
    Ok(Spec {
        image: image.map_or_else(String::new, |image| image.id.clone()),
        disk,
        architecture: image.map_or("x86_64", |image| image.architecture.as_str()).to_owned(),
        uefi: image.is_some_and(|image| image.boot_mode.as_deref() == Some("uefi")),
        instance_type: kind.name.to_owned(),
        processors: kind.processors,
        memory: kind.memory,
        like: match here.like.unwrap_or_default() {
            LikeName::Ec2 => Like::Ec2,
            LikeName::Eucalyptus => Like::Eucalyptus,
        },
        disk_bus,
        accel: accel(here.accel, environment)?,
        key,
        groups,
        root_size: here.root_size,
        ephemeral,
        volumes: volumes(&arguments.volume, disk_bus, ephemeral.is_some())?,
        ports: ports(&here.port, arguments.count.1)?,
        network: here.network.clone(),
        multicast: here.multicast,
        capture: here.pcap.as_deref().map(absolute).transpose()?,
        netboot: here.netboot,
        imds_v2: arguments.imds == Tokens::Required,
        tags: arguments.tag.iter().cloned().collect(),
        ..Spec::default()
    })
}

/// Refuses what can be known to fail, before anything is made.
pub(super) fn check(
    arguments: &LaunchArgs,
    catalog: &Catalog,
    spec: &Spec,
    user_data: &[u8],
    journal: &Journal,
    environment: &Environment,
) -> Result<(), CliError> {
    let instances = Instances::new(catalog.directory());
    let left = here::left(&instances, arguments.count.1, journal)?;
    if left == 0 {
        return Ok(());
    }
    let name = arguments.image.as_deref().unwrap_or("netboot");
    if let Some(disk) = spec.disk.as_deref().filter(|_| !user_data.is_empty()) {
        against(arguments, user_data, disk, name)?;
    }
    instances.check(spec, name, environment)?;
    if !arguments.force {
        types::fits(&types::find(Some(&spec.instance_type))?, left)
            .map_err(|error| CliError::from(error).hint("--force launches all the same"))?;
    }
    let Some(inside) = spec.disk.as_deref().and_then(inside::look) else { return Ok(()) };
    if let Err(error) = inside.fits(spec, name) {
        if !arguments.force {
            return Err(error);
        }
        talk::line(error.report().trim_end());
    }
    if arguments.wait == Some(WaitFor::Credentials)
        && let Some(why) = inside.silent
    {
        let message = format!("{name}: no credentials block will come, since {why}");
        if !arguments.force {
            return Err(CliError::refused(message).hint(
                "nothing was launched; --wait=ssh waits for SSH, --force launches and waits all the same",
            ));
        }
        talk::note(&message);
    }
    Ok(())
}

/// Refuses user-data that shuts everybody out of the image `name` on `disk`, or that its cloud-init makes nothing of.
fn against(arguments: &LaunchArgs, user_data: &[u8], disk: &Path, name: &str) -> Result<(), CliError> {
    let file = match arguments.user_data_file.as_slice() {
        [file] => file.display().to_string(),
        _ => "user-data".to_owned(),
    };
    // What no tool of ours can look into may boot all the same.
    let Ok(looked) = user_data::against(&file, user_data, disk) else { return Ok(()) };
    if looked.failed && !arguments.force {
        let hint = format!(
            "hint: this is about the image {name}; nothing was launched, and --force launches all the same\n"
        );
        return Err(CliError::rendered_no(looked.told + &hint));
    }
    if !looked.told.is_empty() {
        talk::line(looked.told.trim_end());
    }
    Ok(())
}

/// Starts the instances; the journal has each before it begins.
pub(super) fn launch(
    arguments: &LaunchArgs,
    catalog: &Catalog,
    spec: &Spec,
    user_data: &[u8],
    journal: &Journal,
    environment: &Environment,
    tell: &dyn Teller,
) -> Result<Vec<Instance>, CliError> {
    let instances = Instances::new(catalog.directory());
    let (count, program) = (arguments.count.1, hidden::program()?);
    Ok(here::launch(&instances, spec, count, user_data, &program, journal, environment, tell)?)
}

/// The supervisor works elsewhere.
fn absolute(path: &Path) -> Result<std::path::PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::io(path, "find its full path", error))
}

fn accel(given: Option<AccelName>, environment: &Environment) -> Result<Accel, CliError> {
    match (given, environment.variable(ACCEL)) {
        (Some(AccelName::Kvm), _) | (None, Some("kvm")) => Ok(Accel::Kvm),
        (Some(AccelName::Tcg), _) | (None, Some("tcg" | "tcg,thread=multi")) => Ok(Accel::Tcg),
        (Some(AccelName::Auto), _) | (None, None | Some("auto")) => Ok(Accel::Auto),
        (None, Some(other)) => Err(CliError::usage(format!("{ACCEL} is {other:?}: it is kvm, tcg or auto"))),
    }
}

/// Volumes in the order of their names. Under virtio a guest names disks by their order, so that a name that is not next
/// would not be the disk's.
fn volumes(given: &[(u64, String)], bus: DiskBus, ephemeral: bool) -> Result<Vec<Volume>, CliError> {
    let mut volumes: Vec<Volume> =
        given.iter().map(|(size, device)| Volume { size: *size, device: device.clone() }).collect();
    volumes.sort_by(|one, other| (one.device.len(), &one.device).cmp(&(other.device.len(), &other.device)));
    if let Some(twice) = volumes
        .windows(2)
        .find(|pair| pair.first().map(|one| &one.device) == pair.last().map(|one| &one.device))
    {
        let device = twice.first().map_or("", |volume| volume.device.as_str());
        return Err(CliError::usage(format!("--volume: {device} is given twice")));
    }
    let first = 1 + usize::from(ephemeral);
    for (number, volume) in volumes.iter().enumerate() {
        let expected = disk_name(bus, first + number);
        let device = &volume.device;
        let (named_by_order, kind) = match bus {
            DiskBus::Virtio => (device.starts_with("/dev/vd") || device.starts_with("/dev/nvme"), "virtio"),
            // The others are what the metadata service says.
            DiskBus::Nvme => (device.starts_with("/dev/nvme"), "NVMe"),
        };
        if named_by_order && *device != expected {
            let ephemeral = disk_name(bus, 1);
            return Err(CliError::usage(format!(
                "--volume {device}: a guest names {kind} disks in their order, and this one will be {expected}"
            ))
            .hint(format!("name it so; --ephemeral 0 leaves the ephemeral disk, {ephemeral}, away")));
        }
    }
    Ok(volumes)
}

/// What a guest calls its disk of that number, the root's being 0.
pub(super) fn disk_name(bus: DiskBus, number: usize) -> String {
    match bus {
        DiskBus::Virtio => match ('a'..='z').nth(number) {
            Some(letter) => format!("/dev/vd{letter}"),
            // `vdaa` comes after `vdz`.
            None => {
                let letter = |number: usize| ('a'..='z').nth(number % 26).unwrap_or('z');
                format!("/dev/vd{}{}", letter((number / 26).saturating_sub(1)), letter(number))
            }
        },
        DiskBus::Nvme => format!("/dev/nvme{number}n1"),
    }
}

fn ports(given: &[(Option<u16>, u16)], count: u32) -> Result<Vec<Port>, CliError> {
    let mut ports: Vec<Port> = Vec::new();
    for (host, guest) in given {
        if let Some(host) = host.filter(|_| count > 1) {
            return Err(CliError::usage(format!(
                "--port {host}:{guest}: {count} instances cannot have one port here"
            ))
            .hint(format!("--port {guest} gives each a free one")));
        }
        let taken = |port: &Port| port.guest == *guest || host.is_some() && port.host == *host;
        if ports.iter().any(taken) {
            return Err(CliError::usage(format!("--port: {guest} or its port here is given twice")));
        }
        ports.push(Port { guest: *guest, host: *host });
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn volumes_are_what_they_are_called() {
        let given = |names: &[&str]| names.iter().map(|name| (GIB, (*name).to_owned())).collect::<Vec<_>>();
        let order = |names: &[&str], bus, ephemeral| {
            volumes(&given(names), bus, ephemeral)
                .map(|volumes| volumes.into_iter().map(|volume| volume.device).collect::<Vec<_>>())
                .map_err(|error| error.report())
        };
        assert_eq!(
            order(&["/dev/vdd", "/dev/vdc"], DiskBus::Virtio, true).unwrap(),
            ["/dev/vdc", "/dev/vdd"]
        );
        let text = order(&["/dev/vdc"], DiskBus::Virtio, false).unwrap_err();
        assert!(text.contains("will be /dev/vdb"), "{text}");
        assert!(order(&["/dev/vdc"], DiskBus::Nvme, false).is_ok());
        let text = order(&["/dev/nvme7n1"], DiskBus::Nvme, true).unwrap_err();
        assert!(text.contains("will be /dev/nvme2n1") && text.contains("/dev/nvme1n1, away"), "{text}");
        assert!(order(&["/dev/nvme2n1", "/dev/nvme3n1"], DiskBus::Nvme, true).is_ok());
        assert!(order(&["/dev/nvme1n1"], DiskBus::Virtio, true).unwrap_err().contains("/dev/vdc"));
        assert_eq!(disk_name(DiskBus::Virtio, 26), "/dev/vdaa");
        assert!(order(&["/dev/sdf"], DiskBus::Virtio, true).is_ok());
        assert!(order(&["/dev/vdc", "/dev/vdc"], DiskBus::Virtio, true).is_err());
    }

    #[test]
    fn one_port_is_for_one_instance() {
        assert_eq!(ports(&[(None, 80)], 3).unwrap(), [Port { guest: 80, host: None }]);
        assert!(ports(&[(Some(8080), 80)], 2).is_err());
        assert!(ports(&[(Some(8080), 80), (Some(8080), 81)], 1).is_err());
        assert!(ports(&[(None, 80), (None, 80)], 1).is_err());
    }

    #[test]
    fn what_changes_nothing_has_its_own_reason() {
        let reasons = harmless(&CloudArgs::default()).map(|(_, _, why)| why);
        assert!(reasons[0].contains("127.0.0.1") && reasons[1].contains("zone"), "{reasons:?}");
        let all: std::collections::BTreeSet<&str> = reasons.into();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn options_of_the_other_place_are_refused() {
        assert!(none_of(&HereArgs::default()).is_ok());
        let text = none_of(&HereArgs { netboot: true, ..HereArgs::default() }).unwrap_err().report();
        assert!(text.contains("--netboot"), "{text}");
        let subnet = CloudArgs { subnet: Some("subnet-1".to_owned()), ..CloudArgs::default() };
        assert!(none_of_clouds(&subnet).unwrap_err().report().contains("--network"));
    }
}
