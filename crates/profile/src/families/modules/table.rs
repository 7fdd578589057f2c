//! The rules, and what modules are needed for.

use super::Off;
use crate::merged::{names, text};
use crate::uses::{self, Use};
use crate::{Level, Rule, View};

/// The first mount of /etc/fstab with such a file system.
fn in_fstab(view: &View<'_>, is_meant: impl Fn(&str) -> bool) -> Option<String> {
    let text = text(view.stage, "/etc/fstab")?;
    let mut found = text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (mount, kind) = (fields.next()?, fields.next()?);
        kind.split(',').any(&is_meant).then(|| format!("/etc/fstab mounts {mount} with it"))
    });
    found.next()
}

fn used(view: &View<'_>, list: &[Use]) -> Option<String> {
    uses::found(view, list).map(|name| format!("{name} is in the image"))
}

fn overlay(view: &View<'_>, _: &str) -> Option<String> {
    let root = uses::overlayroot(view).map(|_| "overlayroot puts the root under it".to_owned());
    root.or_else(|| used(view, uses::CONTAINERS))
        .or_else(|| in_fstab(view, |kind| matches!(kind, "overlay" | "overlayfs")))
}

fn squashfs(view: &View<'_>, _: &str) -> Option<String> {
    used(view, uses::SNAPS).or_else(|| in_fstab(view, |kind| kind == "squashfs"))
}

fn udf(view: &View<'_>, _: &str) -> Option<String> {
    let azure = || {
        let kernel = view.facts.kernels.iter().any(|version| version.ends_with("-azure"));
        let drop_ins = names(view.stage, "/etc/cloud/cloud.cfg.d").unwrap_or_default();
        let datasource = drop_ins.iter().any(|name| name.contains("azure"));
        (kernel || datasource).then(|| "the image is made for Azure".to_owned())
    };
    let disc = used(view, uses::AZURE).or_else(azure);
    disc.map(|why| format!("{why}; the provisioning disc there is UDF"))
        .or_else(|| in_fstab(view, |kind| kind == "udf"))
}

fn unused(view: &View<'_>, module: &str) -> Option<String> {
    let nfs = || used(view, uses::NFS).or_else(|| in_fstab(view, |kind| matches!(kind, "nfs" | "nfs4")));
    let cifs = || used(view, uses::CIFS).or_else(|| in_fstab(view, |kind| matches!(kind, "cifs" | "smb3")));
    let ceph = || used(view, uses::CEPH).or_else(|| in_fstab(view, |kind| kind == "ceph"));
    let server = || used(view, uses::NFS_SERVER);
    match module {
        "fuse" => used(view, uses::FUSE).or_else(|| in_fstab(view, |kind| kind.starts_with("fuse"))),
        "ceph" => ceph(),
        "cifs" | "smbfs_common" => cifs(),
        // It keeps copies of what file systems of the network read: they do not load without it.
        "fscache" => nfs().or_else(cifs).or_else(ceph),
        "nfs_common" => nfs().or_else(server),
        "nfsd" => server(),
        other => in_fstab(view, |kind| kind == other),
    }
}

const REASON: &str =
    "a file system that nobody uses is a way into the kernel for whoever can have one mounted";
const PROTOCOL: &str = "a protocol that nobody uses is loaded for any user who opens a socket, and had holes";

const fn file_system(id: &'static str, cis: &'static str, title: &'static str, off: &'static Off) -> Rule {
    Rule::new(id, cis, Level::One, title, REASON, off).baseline()
}

pub(in crate::families) const RULES: &[Rule] = &[
    file_system("mod-cramfs", "1.1.1.1", "cramfs is not loaded", &Off::new(&["cramfs"])),
    file_system("mod-freevxfs", "1.1.1.2", "freevxfs is not loaded", &Off::new(&["freevxfs"])),
    file_system("mod-hfs", "1.1.1.3", "hfs is not loaded", &Off::new(&["hfs"])),
    file_system("mod-hfsplus", "1.1.1.4", "hfsplus is not loaded", &Off::new(&["hfsplus"])),
    file_system("mod-jffs2", "1.1.1.5", "jffs2 is not loaded", &Off::new(&["jffs2"])),
    Rule::new(
        "mod-overlay",
        "1.1.1.6",
        Level::Two,
        "overlay is not loaded",
        "users can mount one in a namespace of their own, which had holes; overlayroot and containers need it",
        &Off::unless(&["overlay", "overlayfs"], overlay),
    ),
    Rule::new(
        "mod-squashfs",
        "1.1.1.7",
        Level::Two,
        "squashfs is not loaded",
        REASON,
        &Off::unless(&["squashfs"], squashfs),
    ),
    Rule::new("mod-udf", "1.1.1.8", Level::Two, "udf is not loaded", REASON, &Off::unless(&["udf"], udf)),
    Rule::new(
        "mod-usb-storage",
        "1.1.1.9",
        Level::One,
        "usb-storage is not loaded",
        "a stick brings programs in and data out, past everything that watches the network",
        &Off::new(&["usb-storage"]),
    ),
    Rule::new(
        "mod-unused-fs",
        "1.1.1.10",
        Level::One,
        "file systems that nobody uses are not loaded",
        REASON,
        &Off::unless(
            &[
                "afs",
                "ceph",
                "cifs",
                "exfat",
                "fscache",
                "fuse",
                "gfs2",
                "nfs_common",
                "nfsd",
                "smbfs_common",
            ],
            unused,
        ),
    ),
    Rule::new(
        "mod-firewire",
        "",
        Level::None,
        "FireWire is not loaded",
        "its devices read and write the machine's memory by themselves",
        &Off::new(&["firewire-core", "firewire-ohci", "firewire-sbp2"]),
    ),
    Rule::new(
        "mod-wireless",
        "3.1.2",
        Level::One,
        "there is no wireless network",
        "a server is reached by cable; radio reaches beyond the walls",
        &Off { devices: true, ..Off::new(&["cfg80211"]) },
    ),
    Rule::new(
        "mod-bluetooth",
        "3.1.3",
        Level::One,
        "there is no Bluetooth",
        "a server has no use for it; radio reaches beyond the walls",
        &Off { devices: true, unit: Some("bluetooth.service"), ..Off::new(&["bluetooth", "btusb"]) },
    ),
    Rule::new("mod-dccp", "3.2.1", Level::Two, "dccp is not loaded", PROTOCOL, &Off::new(&["dccp"]))
        .baseline(),
    Rule::new("mod-tipc", "3.2.2", Level::Two, "tipc is not loaded", PROTOCOL, &Off::new(&["tipc"]))
        .baseline(),
    Rule::new("mod-rds", "3.2.3", Level::Two, "rds is not loaded", PROTOCOL, &Off::new(&["rds"])).baseline(),
    Rule::new("mod-sctp", "3.2.4", Level::Two, "sctp is not loaded", PROTOCOL, &Off::new(&["sctp"])),
];
