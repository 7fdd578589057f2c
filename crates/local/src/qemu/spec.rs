//! The machine of an instance.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::machine::{Card, Disk, Firmware, Link, Machine, Reconnect, Smbios};
use crate::instance::{Like, Spec};

/// What QEMU's DHCP gives the only card of its user network.
pub const GUEST_ADDRESS: &str = "169.254.0.15";

/// The machine of `spec`; its files are named as they are in the instance's directory. `relay` is the command of the
/// metadata service, `private` what the second card is connected to and its hardware address, `capture` the pipe that
/// packets go to.
pub fn of_spec(
    spec: &Spec,
    accel: &str,
    ports: &BTreeMap<u16, u16>,
    relay: &str,
    code: Option<&Path>,
    private: Option<(Link, String)>,
    capture: Option<&Path>,
) -> Machine {
    let digits = spec.id.trim_start_matches("i-");
    let disk = |file: String, serial: String| Disk {
        file: PathBuf::from(file),
        format: "qcow2",
        bus: spec.disk_bus,
        serial: Some(serial.chars().take(20).collect()),
        snapshot: false,
        read_only: false,
    };
    let mut disks = vec![disk("root.qcow2".to_owned(), serial("vol", digits, 0))];
    if spec.ephemeral.is_some() {
        disks.push(disk("ephemeral0.qcow2".to_owned(), serial("AWS", digits, 0)));
    }
    for number in 0..spec.volumes.len() {
        disks.push(disk(format!("volume-{number}.qcow2"), serial("vol", digits, number + 1)));
    }
    let user = Card {
        link: Link::User { ports: ports.clone(), metadata: Some(relay.to_owned()) },
        mac: Some(mac(&spec.id)),
        capture: capture.filter(|_| private.is_none()).map(Path::to_owned),
        boot: false,
    };
    let private = private.map(|(link, mac)| Card {
        link,
        mac: Some(mac),
        capture: capture.map(Path::to_owned),
        boot: spec.netboot,
    });
    Machine {
        accel: accel.to_owned(),
        processors: spec.processors,
        memory: spec.memory,
        uuid: Some(uuid(spec)),
        smbios: (spec.like == Like::Ec2)
            .then(|| Smbios { product: spec.instance_type.clone(), instance: spec.id.clone() }),
        firmware: code
            .map(|code| Firmware { code: code.to_owned(), variables: Some(PathBuf::from("variables.fd")) }),
        disks,
        cards: std::iter::once(user).chain(private).collect(),
        console: PathBuf::from("console.log"),
        monitor: Some(PathBuf::from("monitor")),
        ends_at_reboot: false,
        reconnect: Reconnect::default(),
    }
}

/// As EBS' and instance stores' on Nitro: a prefix and 17 digits.
fn serial(prefix: &str, digits: &str, number: usize) -> String {
    let rest: String = digits.chars().skip(2).collect();
    format!("{prefix}{:02x}{rest}", number & 0xff)
}

/// The machine's UUID: EC2's begin with `ec2`, by which programs know it.
pub fn uuid(spec: &Spec) -> String {
    let prefix = match spec.like {
        Like::Ec2 => "ec2",
        Like::Eucalyptus => "da7",
    };
    let digits: String = spec.id.chars().filter(char::is_ascii_hexdigit).collect();
    let all: String =
        format!("{prefix}{digits}{digits}").chars().chain(std::iter::repeat('0')).take(32).collect();
    let part = |from: usize, to: usize| all.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// The hardware address of the card in the user network.
pub(crate) fn mac(id: &str) -> String {
    let digits: String =
        id.chars().filter(char::is_ascii_hexdigit).chain("0000000000".chars()).take(10).collect();
    let pairs: Vec<&str> = (0..5).filter_map(|pair| digits.get(pair * 2..pair * 2 + 2)).collect();
    format!("0a:{}", pairs.join(":")).to_ascii_lowercase()
}
