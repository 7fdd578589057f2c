//! Block devices and mounts as /proc and /sys have them (`cloudinit/util.py`: `parse_mount_info`,
//! `rootdev_from_cmdline`; `cloudinit/distros/__init__.py`: `device_part_info`, `get_mapped_device`; types as
//! `lsblk` names them).

use std::fs;
use std::os::unix::fs::FileTypeExt;

use super::program;
use crate::error::AgentError;
use crate::host::Host;

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) device: String,
    pub(super) kind: String,
    pub(super) point: String,
    pub(super) options: String,
}

/// What is mounted where `path` is; of several at one place the last one, which hides the others.
pub(super) fn mount_of(host: &Host, path: &str) -> Option<Mount> {
    parse_mounts(&host.read_text("/proc/self/mountinfo").ok()??, path)
}

fn parse_mounts(text: &str, path: &str) -> Option<Mount> {
    fn steps(path: &str) -> Vec<&str> {
        path.split('/').filter(|step| !step.is_empty()).collect()
    }
    let wanted = steps(path);
    let mut found: Option<(usize, Mount)> = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.len() < 10 {
            return None;
        }
        let point = words.get(4)?;
        let at = steps(point);
        if !wanted.starts_with(&at) || found.as_ref().is_some_and(|(depth, _)| *depth > at.len()) {
            continue;
        }
        let dash = words.iter().position(|word| *word == "-")?;
        let text = |index: usize| words.get(index).map(|word| (*word).to_owned());
        let mount = Mount {
            device: text(dash + 2)?,
            kind: text(dash + 1)?,
            point: (*point).to_owned(),
            options: text(5)?,
        };
        found = Some((at.len(), mount));
    }
    found.map(|(_, mount)| mount)
}

/// The device that the kernel's command line calls the root.
pub(super) fn root_of_command_line(host: &Host) -> Option<String> {
    let line = host.first_line("/proc/cmdline")?;
    let root = line.split_whitespace().find_map(|word| word.strip_prefix("root="))?;
    if root.starts_with("/dev/") {
        return Some(root.to_owned());
    }
    for (tag, directory) in [("LABEL=", "by-label"), ("UUID=", "by-uuid"), ("PARTUUID=", "by-partuuid")] {
        if let Some(value) = root.strip_prefix(tag) {
            let value = if tag == "LABEL=" { value.to_owned() } else { value.to_lowercase() };
            let path = format!("/dev/disk/{directory}/{value}");
            if tag == "PARTUUID=" && !host.exists(&path) && host.is_live() {
                // Before udev has made the links, blkid reads the tables itself.
                let asked =
                    program::ask(&["blkid", "-odevice", &format!("-t{root}")], &[], None, program::PATIENCE);
                if let Some(device) = asked.ok().and_then(|done| done.out.lines().next().map(str::to_owned)) {
                    return Some(device);
                }
            }
            return Some(path);
        }
    }
    Some(format!("/dev/{root}"))
}

/// Whether this is a container (`cloudinit/util.py`: `is_container`): its disks are somebody else's.
pub(super) fn is_container(host: &Host) -> bool {
    let environment = host.read("/proc/1/environ").ok().flatten().unwrap_or_default();
    ["/run/systemd/container", "/run/container_type", "/run/lxc-is-container"]
        .iter()
        .any(|path| host.exists(path))
        || environment
            .split(|byte| *byte == 0)
            .any(|entry| entry.starts_with(b"container=") || entry.starts_with(b"LIBVIRT_LXC_UUID="))
}

/// Where links to a device lead, below `/`.
pub(super) fn real(host: &Host, device: &str) -> String {
    let root = host.path("/");
    fs::canonicalize(host.path(device))
        .ok()
        .and_then(|full| full.strip_prefix(&root).ok().map(|rest| format!("/{}", rest.display())))
        .unwrap_or_else(|| device.to_owned())
}

/// What a node is.
pub(super) fn is_block(host: &Host, device: &str) -> bool {
    fs::metadata(host.path(device)).is_ok_and(|node| node.file_type().is_block_device())
}

/// The kernel's name of a device: `vda1`, `cciss!c0d0`.
fn kernel_name(host: &Host, device: &str) -> String {
    let real = real(host, device);
    real.strip_prefix("/dev/").unwrap_or(&real).replace('/', "!")
}

/// The disk that a partition is on, and its number.
pub(super) fn part_info(host: &Host, device: &str) -> Result<(String, u32), String> {
    let name = kernel_name(host, device);
    let path = format!("/sys/class/block/{name}");
    if !host.exists(&path) {
        return Err(format!("{device} is not in /sys/class/block"));
    }
    let Some(number) = host.first_line(&format!("{path}/partition")) else {
        return Err(format!("{device} is no partition"));
    };
    let number = number.parse().map_err(|_| format!("{device} says that it is partition {number:?}"))?;
    // A partition's directory is inside its disk's.
    let above = format!("{}/..", real(host, &path));
    let disk = device_name(host, &above)
        .or_else(|| real(host, &above).rsplit('/').next().map(str::to_owned))
        .ok_or_else(|| format!("{device} is on no disk"))?;
    Ok((format!("/dev/{disk}"), number))
}

fn device_name(host: &Host, directory: &str) -> Option<String> {
    let text = host.read_text(&format!("{directory}/uevent")).ok()??;
    text.lines().find_map(|line| line.strip_prefix("DEVNAME=")).map(str::to_owned)
}

/// The device of device mapper that a name leads to: `/dev/dm-0`.
pub(super) fn mapped(host: &Host, device: &str) -> Option<String> {
    Some(real(host, device)).filter(|real| real.starts_with("/dev/dm-"))
}

/// The one device below a mapped one.
pub(super) fn under(host: &Host, mapped: &str) -> Result<String, String> {
    let below = host.names(&format!("/sys/class/block/{}/slaves", kernel_name(host, mapped)));
    match below.as_slice() {
        [one] => Ok(format!("/dev/{}", one.replace('!', "/"))),
        _ => Err(format!("{mapped} lies on {} devices, where one was expected", below.len())),
    }
}

/// Bytes of a device.
pub(super) fn bytes(host: &Host, device: &str) -> Option<u64> {
    use std::io::Seek;
    fs::File::open(host.path(device)).ok()?.seek(std::io::SeekFrom::End(0)).ok()
}

/// Bytes of a disk's sector.
pub(super) fn sector(host: &Host, device: &str) -> u64 {
    host.first_line(&format!("/sys/class/block/{}/queue/logical_block_size", kernel_name(host, device)))
        .and_then(|text| text.parse().ok())
        .filter(|size: &u64| size.is_power_of_two() && (512..=65_536).contains(size))
        .unwrap_or(512)
}

/// A disk, a partition, or what lies on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// `/dev/vdb1`.
    pub(super) path: String,
    /// `disk`, `part`, `crypt`, `lvm`, `loop`, `rom`…
    pub(super) kind: String,
}

/// More is no disk that anybody has.
const NODES: usize = 512;

/// A device and everything on it, in the order of `lsblk`.
pub(super) fn tree(host: &Host, device: &str) -> Result<Vec<Node>, AgentError> {
    let name = kernel_name(host, device);
    if !host.exists(&format!("/sys/class/block/{name}")) {
        return Err(AgentError::text(format!("{device} is no block device")));
    }
    let mut nodes = Vec::new();
    add(host, &name, 0, &mut nodes);
    Ok(nodes)
}

/// What a device is, as `lsblk` says it.
pub(super) fn kind(host: &Host, device: &str) -> Option<String> {
    let name = kernel_name(host, device);
    host.exists(&format!("/sys/class/block/{name}")).then(|| kind_of(host, &name))
}

fn kind_of(host: &Host, name: &str) -> String {
    let path = format!("/sys/class/block/{name}");
    if host.exists(&format!("{path}/partition")) {
        return "part".to_owned();
    }
    if let Some(uuid) = host.first_line(&format!("{path}/dm/uuid")) {
        let prefix = uuid.split('-').next().unwrap_or_default().to_lowercase();
        return if prefix.starts_with("part") { "part".to_owned() } else { prefix };
    }
    if host.exists(&format!("{path}/dm")) {
        return "dm".to_owned();
    }
    if name.starts_with("loop") {
        return "loop".to_owned();
    }
    if let Some(level) = host.first_line(&format!("{path}/md/level")) {
        return level;
    }
    match host.first_line(&format!("{path}/device/type")).as_deref() {
        Some("5") => "rom".to_owned(),
        Some("1") => "tape".to_owned(),
        _ => "disk".to_owned(),
    }
}

fn add(host: &Host, name: &str, depth: usize, nodes: &mut Vec<Node>) {
    if depth > 8 || nodes.len() >= NODES {
        return;
    }
    nodes.push(Node { path: format!("/dev/{}", name.replace('!', "/")), kind: kind_of(host, name) });
    let path = format!("/sys/class/block/{name}");
    let mut partitions: Vec<(u32, String)> = host
        .names(&path)
        .into_iter()
        .filter(|inner| inner.starts_with(name))
        .filter_map(|inner| {
            let number = host.first_line(&format!("{path}/{inner}/partition"))?;
            Some((number.parse().ok()?, inner))
        })
        .collect();
    partitions.sort_unstable();
    for (_, inner) in partitions {
        add(host, &inner, depth + 1, nodes);
    }
    for holder in host.names(&format!("{path}/holders")) {
        add(host, &holder, depth + 1, nodes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Tree;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
28 27 254:15 / /boot/efi rw - vfat /dev/vda15 rw
29 27 0:40 / /srv rw - overlay overlay rw,lowerdir=/a
";

    #[test]
    fn mounts_are_found_by_path() {
        let found = |path: &str| parse_mounts(MOUNTS, path).map(|mount| mount.device);
        assert_eq!(found("/").as_deref(), Some("/dev/vda1"));
        assert_eq!(found("/boot/efi/EFI").as_deref(), Some("/dev/vda15"));
        assert_eq!(found("/bootefi").as_deref(), Some("/dev/vda1"));
        assert_eq!(parse_mounts(MOUNTS, "/srv").unwrap().kind, "overlay");
        // A line that is not understood makes every answer unsure.
        assert_eq!(parse_mounts(&format!("{MOUNTS}short line\n"), "/"), None);
    }

    #[test]
    fn the_root_of_the_command_line() {
        let root = |line: &str| root_of_command_line(&Tree::new().file("proc/cmdline", line).host());
        assert_eq!(root("ro root=/dev/vda1 quiet").as_deref(), Some("/dev/vda1"));
        assert_eq!(root("root=UUID=AB-CD").as_deref(), Some("/dev/disk/by-uuid/ab-cd"));
        assert_eq!(root("root=LABEL=Root").as_deref(), Some("/dev/disk/by-label/Root"));
        assert_eq!(root("root=PARTUUID=X").as_deref(), Some("/dev/disk/by-partuuid/x"));
        assert_eq!(root("root=vda").as_deref(), Some("/dev/vda"));
        assert_eq!(root("quiet"), None);
    }

    #[test]
    fn partitions_know_their_disk_and_what_lies_on_them() {
        let tree = Tree::new()
            .file("dev/vdb", "")
            .file("dev/vdb2", "")
            .file("dev/dm-0", "")
            .link("dev/disk/by-label/data", "../../vdb2")
            .link("dev/mapper/secret", "../dm-0")
            .file("sys/devices/virtio1/block/vdb/uevent", "MAJOR=254\nDEVNAME=vdb\n")
            .file("sys/devices/virtio1/block/vdb/vdb10/partition", "10\n")
            .file("sys/devices/virtio1/block/vdb/vdb2/partition", "2\n")
            .file("sys/devices/virtio1/block/vdb/vdb2/holders/dm-0", "")
            .file("sys/devices/virtual/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123\n")
            .file("sys/devices/virtual/block/dm-0/slaves/vdb2", "")
            .link("sys/class/block/vdb", "../../devices/virtio1/block/vdb")
            .link("sys/class/block/vdb2", "../../devices/virtio1/block/vdb/vdb2")
            .link("sys/class/block/vdb10", "../../devices/virtio1/block/vdb/vdb10")
            .link("sys/class/block/dm-0", "../../devices/virtual/block/dm-0");
        let host = tree.host();
        assert_eq!(part_info(&host, "/dev/disk/by-label/data"), Ok(("/dev/vdb".to_owned(), 2)));
        assert!(part_info(&host, "/dev/vdb").unwrap_err().contains("no partition"));
        assert!(part_info(&host, "/dev/vdz").unwrap_err().contains("/sys/class/block"));
        assert_eq!(mapped(&host, "/dev/mapper/secret").as_deref(), Some("/dev/dm-0"));
        assert_eq!(mapped(&host, "/dev/vdb2"), None);
        assert_eq!(under(&host, "/dev/mapper/secret").as_deref(), Ok("/dev/vdb2"));
        let nodes = super::tree(&host, "/dev/vdb").unwrap();
        let seen: Vec<_> = nodes.iter().map(|node| (node.path.as_str(), node.kind.as_str())).collect();
        assert_eq!(
            seen,
            [("/dev/vdb", "disk"), ("/dev/vdb2", "part"), ("/dev/dm-0", "crypt"), ("/dev/vdb10", "part")]
        );
    }
}
