//! Mounts, swap and disks (`cloudinit/config/cc_mounts.py`, `cc_disk_setup.py`; fstab(5)), and packages.

use super::{Report, Verdict, items, shown, top, trap};
use crate::truth::is_true;
use crate::value::{Kind, Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    for (index, row) in items(config, "mounts").iter().enumerate() {
        if let Kind::List(fields) = &row.kind {
            mount(fields, row, &format!("mounts.{index}"), report);
        }
    }
    packages(config, report);
    swap(config, report);
    for name in ["fs_setup", "disk_setup"] {
        overwrite(config, name, report);
    }
}

fn mount(fields: &[Value], row: &Value, path: &str, report: &mut Report<'_>) {
    for (index, field) in fields.iter().enumerate() {
        let source = report.source(field.place);
        if matches!(field.kind, Kind::Int(_)) && report.verdict(field.place) == Verdict::WantsText {
            report.tell(trap(
                "number-for-text",
                field.place,
                format!("{path}.{index}"),
                format!("`{source}` is a number: it works, but text is wanted"),
                format!("put it in quotes: \"{source}\""),
            ));
        }
    }
    let text = |index: usize| fields.get(index).and_then(Value::as_text);
    let (device, point) = (text(0).unwrap_or_default(), text(1));
    let kind = text(2).unwrap_or_default();
    if let (Some(point), Some(value)) = (point, fields.get(1)) {
        let none = matches!(point, "none" | "swap" | "") || kind == "swap";
        if !none && !point.starts_with('/') {
            report.tell(trap(
                "mount-point-not-absolute",
                value.place,
                format!("{path}.1"),
                format!("{} is no absolute path, and cannot be mounted on", shown(point)),
                "begin it with `/`",
            ));
        } else if point == "/" {
            report.tell(trap(
                "mount-over-root",
                value.place,
                format!("{path}.1"),
                "this mounts over the root file system",
                "choose another place",
            ));
        }
    }
    if fields.len() == 1 {
        report.tell(trap(
            "mount-without-point",
            row.place,
            path,
            format!("{} is mounted nowhere: the row has no second field", shown(device)),
            "add the directory: `[DEVICE, /mnt]`",
        ));
        return;
    }
    let (Some(options), Some(value)) = (text(3), fields.get(3)) else { return };
    let has = |wanted: &str| options.split(',').any(|option| option.trim() == wanted);
    if options.contains(' ') {
        report.tell(trap(
            "spaces-in-options",
            value.place,
            format!("{path}.3"),
            format!(
                "{} has spaces in it: `mount` takes them for parts of the options' names, and fails",
                shown(options)
            ),
            "separate the options with commas alone",
        ));
    } else if !["nofail", "noauto", "_netdev", "x-systemd.automount"].iter().any(|option| has(option))
        && kind != "swap"
        && !is_always_there(kind)
    {
        report.tell(trap(
            "mount-without-nofail",
            value.place,
            format!("{path}.3"),
            format!("without `nofail` the boot stops in a rescue shell when {} is not there", shown(device)),
            "add `nofail` to the options",
        ));
    }
}

/// No device that can be missing: the kernel's own file systems, and those that come over the network,
/// which no boot stops for (`remote-fs.target`; systemd.mount(5), `src/basic/mountpoint-util.c`).
fn is_always_there(kind: &str) -> bool {
    let kind = kind.strip_prefix("fuse.").unwrap_or(kind);
    KERNEL.contains(&kind) || NETWORK.contains(&kind)
}

const KERNEL: &[&str] = &[
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

const NETWORK: &[&str] = &[
    "afs",
    "ceph",
    "cifs",
    "davfs",
    "gfs",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "pvfs2",
    "s3fs",
    "smb3",
    "smbfs",
    "sshfs",
];

/// `cloudinit/config/cc_mounts.py`, `handle_swapcfg`: without a size nothing is made, and a bare number
/// counts bytes.
fn swap(config: &Map, report: &mut Report<'_>) {
    let Some(value) = top(config, "swap") else { return };
    let Kind::Map(settings) = &value.kind else { return };
    let Some(size) = value.get("size") else {
        if !settings.is_empty() {
            report.tell(trap(
                "swap-without-size",
                value.place,
                "swap",
                "no swap is made without `size`",
                "add `size: auto`, or a size such as `2G`",
            ));
        }
        return;
    };
    if let Kind::Int(bytes) = size.kind
        && (1..1 << 20).contains(&bytes)
    {
        report.tell(trap(
            "swap-too-small",
            size.place,
            "swap.size",
            format!("a number without a unit counts bytes, and {bytes} of them make no swap"),
            format!("write the unit: `{bytes}M` or `{bytes}G`"),
        ));
    }
}

fn packages(config: &Map, report: &mut Report<'_>) {
    for (index, item) in items(config, "packages").iter().enumerate() {
        let name = item.as_text().map(str::trim);
        // Names of groups may have spaces: `@Development Tools`.
        let Some(text) = name.filter(|text| !text.starts_with('@') && !report.is_told(item.place)) else {
            continue;
        };
        let replaced = ["$(", "${", "`"].iter().find(|sign| text.contains(**sign));
        if replaced.is_some() {
            report.tell(trap(
                "variable-in-a-package",
                item.place,
                format!("packages.{index}"),
                format!("nothing replaces the variable or command in {}: no shell reads it", shown(text)),
                "write the whole name, or install it with a command in `runcmd`",
            ));
            continue;
        }
        if !text.contains([' ', ',']) {
            continue;
        }
        let manager = text.trim_start_matches("sudo ").split(' ').next().unwrap_or_default();
        let manager = ["apk", "apt", "apt-get", "dnf", "pacman", "yum", "zypper"].contains(&manager);
        report.tell(trap(
            "several-packages-in-one",
            item.place,
            format!("packages.{index}"),
            format!("{} is taken for the name of one package", shown(text)),
            if manager {
                "write the name alone: cloud-init runs the distribution's package manager itself"
            } else {
                "give each package its own item"
            },
        ));
    }
}

/// What is made anew is lost once more whenever the instance's id changes.
fn overwrite(config: &Map, name: &str, report: &mut Report<'_>) {
    let Some(value) = top(config, name) else { return };
    let entries: Vec<(String, &Value)> = match &value.kind {
        Kind::Map(map) => map.iter().map(|(key, value)| (key.to_python_str(), value)).collect(),
        Kind::List(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => return,
    };
    for (step, entry) in entries {
        let Some(value) = entry.get("overwrite").filter(|value| is_true(value)) else { continue };
        report.tell(trap(
            "overwrites-disks",
            value.place,
            format!("{name}.{step}.overwrite"),
            "this destroys what is on the disk, and does so again for every new instance id",
            "leave it out: an empty disk is set up without it",
        ));
    }
}
