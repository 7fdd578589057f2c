#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::Tree;

/// From a Debian 13 guest whose overlayroot worked.
const CRYPT: &str = "\
22 28 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
28 1 0:26 / / rw,relatime shared:1 - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay,workdir=/media/root-rw/overlay-workdir/_,uuid=on
29 28 254:1 / /media/root-ro ro,relatime shared:2 - ext4 /dev/vda1 ro
30 28 253:0 / /media/root-rw rw,relatime shared:3 - ext4 /dev/mapper/secure rw
";

fn crypt() -> Tree {
    Tree::new()
        .file("proc/self/mountinfo", CRYPT)
        .file("sys/dev/block/253:0/dm/uuid", "CRYPT-LUKS2-0123-secure\n")
        .file("sys/dev/block/253:0/dm/name", "secure\n")
        .directory("sys/dev/block/253:0/slaves/vdb")
        .directory("sys/class/block/vdb")
        .file("dev/vdb", "")
        .link("dev/disk/by-id/virtio-x", "../../vdb")
}

fn promise(mode: &str, device: Option<&str>) -> OverlayConfig {
    OverlayConfig {
        mode: mode.to_owned(),
        device: device.map(str::to_owned),
        mapname: "secure".to_owned(),
        random_key: true,
        on_failure: String::new(),
    }
}

#[test]
fn the_recipe_s_word_decides_what_becomes_of_a_plain_root() {
    let tree = Tree::new()
        .file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
        .file("run/initramfs/hardtack-overlay", "/dev/vdb holds something already (ext4)\n");
    let host = tree.host();
    for (word, is_barred, is_login_only) in
        [("", true, false), ("halt", true, false), ("plain", false, false), ("login-only", false, true)]
    {
        let overlay = OverlayConfig { on_failure: word.to_owned(), ..promise("crypt", None) };
        let config = AgentConfig { overlay: Some(overlay), ..AgentConfig::default() };
        let found = root(&host);
        let wrong = wrong(&host, &config, &found).unwrap();
        assert_eq!(
            wrong,
            "/ should be an overlay (crypt) and is a plain file system: /dev/vdb holds something already (ext4)"
        );
        assert_eq!(barred(&host, &config, &found).is_some(), is_barred, "{word}");
        assert_eq!(super::is_login_only(&host, &config), is_login_only, "{word}");
    }
    assert_eq!(wrong(&host, &AgentConfig::default(), &root(&host)), None);
}

#[test]
fn a_disk_that_the_initramfs_found_is_known_by_its_link() {
    let tree = crypt().link("dev/hardtack/overlay", "../vdb");
    let host = tree.host();
    let found = root(&host);
    check(&host, &promise("crypt", Some("/dev/hardtack/overlay")), &found).unwrap();
    let tree = crypt().file("dev/vdc", "").link("dev/hardtack/overlay", "../vdc");
    let host = tree.host();
    assert!(check(&host, &promise("crypt", Some("/dev/hardtack/overlay")), &root(&host)).is_err());
    // A link that nobody made proves nothing.
    let host = crypt();
    assert!(check(&host.host(), &promise("crypt", Some("/dev/hardtack/overlay")), &found).is_err());
}

#[test]
fn an_encrypted_overlay_is_seen_down_to_its_disk() {
    let tree = crypt();
    let found = root(&tree.host());
    assert_eq!((found.overlay, found.device.as_deref()), (Some("crypt"), Some("/dev/vdb")));
    for device in [None, Some("/dev/vdb"), Some("vdb"), Some("/dev/disk/by-id/virtio-x"), Some("LABEL=gone")]
    {
        assert_eq!(check(&tree.host(), &promise("crypt", device), &found), Ok(()), "{device:?}");
    }
}

#[test]
fn the_overlay_that_dracut_makes_is_one() {
    let table = "28 1 0:26 / / rw - overlay LiveOS_rootfs rw,lowerdir=/run/rootfsbase,upperdir=/run/overlayfs,workdir=/run/ovlwork\n\
                 26 28 0:24 / /run rw - tmpfs tmpfs rw\n\
                 30 26 253:0 / /run/overlayfs-backing rw - ext4 /dev/mapper/secure rw\n";
    let tree =
        crypt().file("proc/self/mountinfo", table).link("run/overlayfs", "/run/overlayfs-backing/overlay");
    let found = root(&tree.host());
    assert_eq!((found.overlay, found.device.as_deref()), (Some("crypt"), Some("/dev/vdb")));
    // What it does when anything fails.
    let tree =
        crypt().file("proc/self/mountinfo", table).link("run/overlayfs", "/run/initramfs/overlay/overlayfs");
    assert_eq!(root(&tree.host()).overlay, Some("tmpfs"));
}

#[test]
fn what_is_not_as_promised_is_said() {
    let tree = crypt();
    let found = root(&tree.host());
    let mut other_name = promise("crypt", None);
    other_name.mapname = "vault".to_owned();
    for (promise, wanted) in [
        (promise("crypt", Some("/dev/vdc")), "should be written to /dev/vdc"),
        (promise("tmpfs", None), "should be an overlay (tmpfs) and is an overlay (crypt) on /dev/vdb"),
        (other_name, "should be above /dev/mapper/vault and is above /dev/mapper/secure"),
    ] {
        let error = check(&tree.host(), &promise, &found).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn the_other_kinds_of_root_are_told_apart() {
    let plain = "28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n";
    let tmpfs = CRYPT.replace(
        "253:0 / /media/root-rw rw,relatime shared:3 - ext4 /dev/mapper/secure",
        "0:25 / /media/root-rw rw,relatime shared:3 - tmpfs tmpfs-root",
    );
    let device = CRYPT.replace(
        "253:0 / /media/root-rw rw,relatime shared:3 - ext4 /dev/mapper/secure",
        "254:16 / /media/root-rw rw,relatime shared:3 - ext4 /dev/vdb",
    );
    let unseen: String = CRYPT.lines().take(3).map(|line| format!("{line}\n")).collect();
    // A plain file system mounted over the encrypted overlay is what is seen.
    let covered = format!("{CRYPT}{plain}");
    for (name, text, overlay, disk) in [
        ("plain", plain, None, None),
        ("tmpfs", &tmpfs, Some("tmpfs"), None),
        ("device", &device, Some("device"), Some("/dev/vdb")),
        ("unseen", &unseen, Some("device"), None),
        ("covered", &covered, None, None),
        ("empty", "", None, None),
        ("damaged", "28 1 -\n - \nx - y z\n", None, None),
    ] {
        let tree = Tree::new().file("proc/self/mountinfo", text);
        let found = root(&tree.host());
        assert_eq!((found.overlay, found.device.as_deref()), (overlay, disk), "{name}");
        assert!(check(&tree.host(), &promise("crypt", Some("/dev/vdb")), &found).is_err(), "{name}");
    }
}

/// The disk has a mapping, but not one that encrypts.
#[test]
fn a_mapping_that_is_not_cryptsetups_is_no_encryption() {
    let tree = crypt().file("sys/dev/block/253:0/dm/uuid", "LVM-0123\n");
    assert_eq!(root(&tree.host()).overlay, Some("device"));
}

#[test]
fn escapes_of_mountinfo_are_undone() {
    assert_eq!(unescape(r"/media/a\040b\134"), r"/media/a b\");
    assert_eq!(unescape(r"\0"), r"\0");
    assert_eq!(unescape(r"\777"), "?");
}
