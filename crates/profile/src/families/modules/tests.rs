use hardtack_guest::MemoryTree;

use super::RULES;
use crate::testing::carry_out;
use crate::{Finding, Settings};

fn kernel() -> MemoryTree {
    MemoryTree::new()
        .file(
            "/lib/modules/6.1.0-cloud/modules.dep",
            "kernel/net/dccp/dccp.ko.xz:\nkernel/fs/overlayfs/overlay.ko:\nkernel/fs/udf/udf.ko:\n\
             kernel/drivers/usb/storage/usb-storage.ko:\nkernel/fs/fuse/fuse.ko:\nkernel/net/sctp/sctp.ko:\n",
        )
        .file("/lib/modules/6.1.0-cloud/modules.builtin", "kernel/fs/squashfs/squashfs.ko\n")
        .dir("/lib/modules/5.0-removed")
}

fn settings() -> Settings {
    Settings::default()
}

#[test]
fn they_are_off_once_done_and_absent_ones_are_off_before() {
    let tree = kernel();
    let ids = ["mod-dccp", "mod-cramfs", "mod-usb-storage", "mod-udf", "mod-squashfs", "mod-wireless"];
    let (before, after, stage) = carry_out(&tree, &settings(), &ids);
    assert!(matches!(before[0], Finding::Fail { .. }) && before[1] == Finding::Pass, "{before:?}");
    assert_eq!(after[..4], [Finding::Pass, Finding::Pass, Finding::Pass, Finding::Pass]);
    for found in [&before[4], &after[4]] {
        assert!(matches!(found, Finding::Exception(why) if why.contains("6.1.0-cloud")), "{found:?}");
    }
    assert!(matches!(after[5], Finding::NotApplicable(_)), "{after:?}");
    let text = stage.read_text(super::PATH).unwrap().unwrap();
    assert!(text.contains("\ninstall cramfs /bin/true\nblacklist cramfs\n"), "{text}");
    assert!(text.contains("\ninstall usb-storage /bin/true\n"), "{text}");
}

#[test]
fn the_first_command_counts_and_dashes_are_underscores() {
    let tree = kernel()
        .file("/usr/lib/modprobe.d/00-mine.conf", "install \\\n  dccp /sbin/modprobe --ignore-install dccp\n")
        .file("/etc/modprobe.d/a.conf", "install usb_storage /bin/false\nblacklist usb-storage\n")
        .file("/etc/modprobe.d/b", "install sctp /bin/true\nblacklist sctp\n")
        .link("/etc/modprobe.d/udf.conf", "/nowhere");
    let (before, after, _) = carry_out(&tree, &settings(), &["mod-dccp", "mod-usb-storage", "mod-sctp"]);
    let Finding::Fail { places, .. } = &after[0] else { panic!("{after:?}") };
    assert_eq!((places[0].path.as_str(), places[0].line), ("/usr/lib/modprobe.d/00-mine.conf", Some(1)));
    assert_eq!(before[1], Finding::Pass);
    assert!(matches!(before[2], Finding::Fail { .. }), "names without .conf are not read: {before:?}");
}

#[test]
fn what_the_image_needs_stays() {
    let status = "Package: docker.io\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
                  Package: walinuxagent\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n\
                  Package: snapd\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
    let tree = kernel()
        .file("/var/lib/dpkg/status", status)
        .file("/etc/fstab", "//nas/x /x cifs ro 0 0\n#nas:/x /y nfs ro 0 0\n");
    let ids = ["mod-overlay", "mod-squashfs", "mod-udf", "mod-unused-fs"];
    let (_, after, stage) = carry_out(&tree, &settings(), &ids);
    assert!(after.iter().all(|finding| matches!(finding, Finding::Exception(_))), "{after:#?}");
    let Finding::Exception(why) = &after[3] else { panic!("{after:?}") };
    assert!(why.contains("fuse stays: snapd") && why.contains("cifs stays") && !why.contains("nfs"), "{why}");
    let text = stage.read_text(super::PATH).unwrap().unwrap();
    assert!(!text.contains("overlay") && !text.contains("fuse") && !text.contains("fscache"), "{text}");
    assert!(text.contains("install nfsd /bin/true") && text.contains("install afs /bin/true"), "{text}");
}

#[test]
fn overlayroot_and_a_module_that_is_off_never_meet() {
    let tree = kernel().file("/etc/overlayroot.conf", "# x\noverlayroot=\"tmpfs\"\n");
    let (_, after, stage) = carry_out(&tree, &settings(), &["mod-overlay"]);
    assert!(matches!(&after[0], Finding::Exception(why) if why.contains("overlayroot")), "{after:?}");
    assert_eq!(stage.stat(super::PATH).unwrap(), None);
    // Ubuntu's cloud images have the package, which does nothing.
    let tree = kernel().file("/etc/overlayroot.conf", "overlayroot=\"\"\n");
    let (before, after, _) = carry_out(&tree, &settings(), &["mod-overlay"]);
    assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
    assert_eq!(after, [Finding::Pass]);
}

#[test]
fn bluetooth_goes_with_its_service() {
    let tree = MemoryTree::new()
        .file("/lib/modules/6/modules.dep", "kernel/net/bluetooth/bluetooth.ko.zst:\n")
        .file("/lib/systemd/system/bluetooth.service", "[Unit]\n")
        .link(
            "/etc/systemd/system/bluetooth.target.wants/bluetooth.service",
            "/lib/systemd/system/bluetooth.service",
        );
    let (before, after, stage) = carry_out(&tree, &settings(), &["mod-bluetooth"]);
    let Finding::Fail { why, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why.len(), 2, "{why:?}");
    assert_eq!(after, [Finding::Pass]);
    let unit = stage.read_link("/etc/systemd/system/bluetooth.service").unwrap();
    assert_eq!(unit.as_deref(), Some("/dev/null"));
}

#[test]
fn damage_is_no_pass() {
    let tree = MemoryTree::new()
        .file("/lib/modules/6/modules.dep", [0xff, 0, b':', b'\n', b'k', b'/'])
        .dir("/lib/modules/7/modules.dep")
        .file("/etc/modprobe.d/x.conf", "install\nblacklist\ninstall [ x\ninstall * \\\n");
    let stage = hardtack_guest::Stage::new(&tree);
    let found = crate::testing::look(&stage, &settings(), &["mod-cramfs", "mod-dccp"]);
    assert!(found.iter().all(|finding| matches!(finding, Finding::Fail { .. })), "{found:?}");
}

#[test]
fn nothing_that_boots_is_ever_off() {
    let tree = kernel();
    for rule in RULES {
        let (_, _, stage) = carry_out(&tree, &settings(), &[rule.id]);
        let text = stage.read_text(super::PATH).unwrap().unwrap_or_default();
        for module in ["vfat", "ext2", "ext4", "xfs", "btrfs", "isofs", "virtio_blk", "nvme"] {
            assert!(!text.lines().any(|line| line.split(' ').nth(1) == Some(module)), "{}: {text}", rule.id);
        }
    }
}
