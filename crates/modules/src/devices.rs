//! From names of disks in the configuration to devices (`config/cc_mounts.py`: `sanitize_devname`;
//! `cloudinit/sources/DataSourceEc2.py`: `device_name_to_device`; `cloudinit/sources/__init__.py`:
//! `_remap_device`).

use hardtack_userdata::{Finding, Map};

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
    /// # Errors
    /// An alias that is no text: the real module breaks over it.
    pub fn resolve(&self, name: &str) -> Result<Option<String>, Box<Finding>> {
        if is_network(name) {
            return Ok(Some(name.to_owned()));
        }
        let full = if name == "ephemeral" { "ephemeral0" } else { name };
        let (mut device, partition) = match full.rsplit_once('.') {
            Some((device, partition)) => (device.to_owned(), Some(partition)),
            None => (full.to_owned(), None),
        };
        if let Some(alias) = self.aliases.and_then(|aliases| reading::get(aliases, &device)) {
            let Some(text) = alias.as_text() else {
                let path = format!("device_aliases.{device}");
                return Err(Box::new(reading::wrong(alias, &path, "the name of a device")));
            };
            text.clone_into(&mut device);
        }
        if is_metadata_name(&device) {
            match self.of_metadata(&device) {
                Some(found) => device = found,
                None => return Ok(None),
            }
        } else if is_short_name(name) {
            device = format!("/dev/{device}");
        }
        let part = self.partition(&device, partition.unwrap_or("1"));
        if partition.is_some() && part.is_none() {
            return Ok(None);
        }
        Ok(self.is_block(&device, part.as_deref()).then(|| part.unwrap_or(device)))
    }

    /// The partition of that number: `/dev/vdb1`, `/dev/nvme0n1p1`, `/dev/disk/by-id/x-part1`.
    fn partition(&self, device: &str, number: &str) -> Option<String> {
        ["", "p", "-part"]
            .iter()
            .map(|between| format!("{device}{between}{number}"))
            .find(|path| self.exists(path))
    }

    /// Whether the kernel has a disk of that name, and the partition in it: it asks `/sys/block`, where
    /// partitions stand below their disk only.
    fn is_block(&self, device: &str, partition: Option<&str>) -> bool {
        // Links to a device count as the device.
        if ["/dev/disk/", "/dev/mapper/"].iter().any(|above| device.starts_with(above)) {
            return self.machine.exists(device);
        }
        let disk = base(device);
        if disk.is_empty() {
            return false;
        }
        let names = || self.facts.devices.iter().map(|device| base(device));
        let is_disk = |name: &str| !names().any(|other| is_partition(name, other));
        let path = format!("/sys/block/{disk}");
        match partition.map(base) {
            None => (names().any(|name| name == disk) && is_disk(disk)) || self.machine.exists(&path),
            Some(part) => {
                (names().any(|name| name == part) && is_partition(part, disk) && is_disk(disk))
                    || self.machine.exists(&format!("{path}/{part}"))
            }
        }
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Whether `name` is a partition of `disk`: `vdb1`, `nvme0n1p1`.
fn is_partition(name: &str, disk: &str) -> bool {
    name.strip_prefix(disk).is_some_and(|rest| {
        let number = rest.strip_prefix('p').filter(|_| disk.ends_with(|last: char| last.is_ascii_digit()));
        let number = match number {
            Some(number) => number,
            None if disk.ends_with(|last: char| last.is_ascii_digit()) => return false,
            None => rest,
        };
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
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
