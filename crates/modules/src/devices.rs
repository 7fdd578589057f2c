//! From names of disks in the configuration to devices (`config/cc_mounts.py`: `sanitize_devname`;
//! `cloudinit/sources/DataSourceEc2.py`: `device_name_to_device`; `cloudinit/sources/__init__.py`:
//! `_remap_device`).

use hardtack_userdata::Map;

use crate::machine::{Facts, Machine};
use crate::reading;

/// What there is to ask about devices.
#[derive(Clone, Copy)]
pub struct Devices<'a> {
    /// The machine, for names under `/dev`.
    pub machine: &'a dyn Machine,
    /// What the metadata calls its disks, and which block devices there are.
    pub facts: &'a Facts,
    /// `device_aliases` of the configuration.
    pub aliases: Option<&'a Map>,
}

impl Devices<'_> {
    /// Whether there is anything of that name.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.facts.devices.iter().any(|device| device == path) || self.machine.exists(path)
    }

    /// The device that the metadata means by `name`: `ephemeral0` → `/dev/vdb`.
    #[must_use]
    pub fn of_metadata(&self, name: &str) -> Option<String> {
        let known = &self.facts.block_devices;
        // Eucalyptus says `ephemeral` where EC2 says `ephemeral0`.
        let euca = || (name == "ephemeral0").then(|| known.get("ephemeral")).flatten();
        let found = known.get(name).or_else(euca)?;
        let path = if found.starts_with('/') { found.clone() } else { format!("/dev/{found}") };
        if self.exists(&path) {
            return Some(path);
        }
        // The metadata may say sda for what the kernel calls vda or xvda.
        let short = path.rsplit('/').next().unwrap_or_default().strip_prefix("sd")?;
        ["vd", "xvd", "vtb"]
            .iter()
            .map(|kernel| format!("/dev/{kernel}{short}"))
            .find(|path| self.exists(path))
    }

    /// The device that a line of `mounts` means by `name`, or `None` when there is none. Names of network
    /// file systems are returned as they are.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<String> {
        if is_network(name) {
            return Some(name.to_owned());
        }
        let full = if name == "ephemeral" { "ephemeral0" } else { name };
        let (mut device, partition) = match full.rsplit_once('.') {
            Some((device, partition)) => (device.to_owned(), Some(partition)),
            None => (full.to_owned(), None),
        };
        if let Some(alias) = self.aliases.and_then(|aliases| reading::get(aliases, &device)) {
            device = alias.to_python_str();
        }
        if is_metadata_name(&device) {
            device = self.of_metadata(&device)?;
        } else if is_short_name(name) {
            device = format!("/dev/{device}");
        }
        let part = self.partition(&device, partition.unwrap_or("1"));
        if partition.is_some() && part.is_none() {
            return None;
        }
        self.is_block(&device, part.as_deref()).then(|| part.unwrap_or(device))
    }

    /// The partition of that number: `/dev/vdb1`, `/dev/nvme0n1p1`, `/dev/disk/by-id/x-part1`.
    fn partition(&self, device: &str, number: &str) -> Option<String> {
        ["", "p", "-part"]
            .iter()
            .map(|between| format!("{device}{between}{number}"))
            .find(|path| self.exists(path))
    }

    /// Whether the kernel has a block device of that name, and the partition in it.
    fn is_block(&self, device: &str, partition: Option<&str>) -> bool {
        let listed = |path: &str| self.facts.devices.iter().any(|device| device == path);
        if listed(device) && partition.is_none_or(listed) {
            return true;
        }
        // Links to a device count as the device.
        if ["/dev/disk/", "/dev/mapper/"].iter().any(|above| device.starts_with(above)) {
            return self.machine.exists(device);
        }
        let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        if base(device).is_empty() {
            return false;
        }
        let mut path = format!("/sys/block/{}", base(device));
        if let Some(partition) = partition {
            path = format!("{path}/{}", base(partition));
        }
        self.machine.exists(&path)
    }
}

/// Names that only the metadata can explain.
#[must_use]
pub fn is_metadata_name(name: &str) -> bool {
    matches!(name, "ami" | "root" | "swap")
        || (!name.contains(':') && ["ephemeral", "ebs"].iter().any(|start| name.starts_with(start)))
}

/// `server:/path`. A line's end in the name is not looked beyond.
fn is_network(name: &str) -> bool {
    let line = name.split('\n').next().unwrap_or_default();
    line.char_indices().any(|(at, character)| at > 0 && character == ':')
}

/// `sda`, `xvda1`, `vdd1`, `sr0`.
fn is_short_name(name: &str) -> bool {
    let name = name.strip_suffix('\n').unwrap_or(name);
    let digits = |text: &str| text.chars().all(char::is_numeric);
    if let Some(number) = name.strip_prefix("sr") {
        return !number.is_empty() && digits(number);
    }
    let rest = name.strip_prefix('x').unwrap_or(name);
    let mut characters = rest.chars();
    matches!(characters.next(), Some('s' | 'h' | 'v'))
        && characters.next() == Some('d')
        && matches!(characters.next(), Some('a'..='z'))
        && digits(characters.as_str())
}
