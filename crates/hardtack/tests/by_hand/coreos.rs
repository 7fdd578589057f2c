//! CoreOS whose Docker keeps its files on the ephemeral disk: nine partitions, out of a .bz2.

use hardtack_tests::tools::top;

use crate::scene::{Scene, have, recipe};

const USR: &str = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6";
const ROOT: &str = "3884dd41-8582-4404-b9a8-e9b84f2df50e";
const RESERVED: &str = "c95dc21a-df0e-4340-8d7b-26cbfa9a03e0";

/// What the OEM partition of an image for clouds tells coreos-cloudinit: without it no key comes from the cloud.
const OEM: &str = "#cloud-config\n\ncoreos:\n    units:\n      - name: user-configdrive.service\n        mask: yes\n      \
- name: oem-cloudinit.service\n        command: restart\n        runtime: yes\n        content: |\n          [Unit]\n          \
Description=Cloudinit from EC2-style metadata\n\n          [Service]\n          Type=oneshot\n          \
ExecStart=/usr/bin/coreos-cloudinit --from-metadata-service\n    oem:\n      id: openstack\n      name: OpenStack\n";

/// As coreos/scripts' disk_layout.json has it, smaller.
fn coreos(scene: &Scene) {
    scene.ext4(
        "usr",
        16,
        "-L USR-A -O ^metadata_csum,^has_journal,^64bit",
        &[
            ("/lib/os-release", "ID=coreos\nVERSION_ID=444.5.0\nPRETTY_NAME=\"CoreOS 444.5.0\"\n"),
            ("/share/oem/", ""),
            ("/bin/bash", "#!stand-in"),
        ],
    );
    scene.ext4(
        "oem",
        16,
        "-L OEM",
        &[("/cloud-config.yml", OEM), ("/grub.cfg", "set oem_id=\"openstack\"\n")],
    );
    scene.ext4("root", 16, "-L ROOT", &[]);
    let parts = [
        (1, "ef00", "EFI-SYSTEM", Some("esp"), 16),
        (2, "ef02", "BIOS-BOOT", None, 1),
        (3, USR, "USR-A", Some("usr"), 16),
        (4, USR, "USR-B", None, 1),
        (5, "8300", "ROOT-C", None, 1),
        (6, "8300", "OEM", Some("oem"), 16),
        (7, RESERVED, "OEM-CONFIG", None, 1),
        (8, RESERVED, "reserved", None, 1),
        (9, ROOT, "ROOT", Some("root"), 16),
    ];
    let mut layout = String::new();
    let mut copies = String::new();
    let mut at = 1;
    for (number, kind, name, content, size) in parts {
        layout += &format!(
            " -n {number}:{}:{} -t {number}:{kind} -c {number}:{name}",
            at * 2048,
            (at + size) * 2048 - 1
        );
        if let Some(content) = content {
            copies += &format!("dd if={content} of=disk bs=1M seek={at} conv=notrunc,sparse status=none; ");
        }
        at += size;
    }
    scene.sh(&format!(
        "PATH=$PATH:/usr/sbin:/sbin; truncate -s 16M esp; mkfs.vfat -F 12 -n EFI-SYSTEM esp >&2; \
         truncate -s {}M disk; sgdisk -a 2048{layout} disk >&2; {copies} qemu-img convert -O qcow2 disk coreos.img; \
         bzip2 -1 coreos.img",
        at + 1
    ));
}

#[test]
fn docker_is_on_the_ephemeral_disk_and_the_clouds_keys_still_come() {
    if !have(&["mke2fs", "sgdisk", "mkfs.vfat", "sfdisk", "qemu-img", "debugfs", "e2fsck", "bzip2"]) {
        return;
    }
    let scene = Scene::new();
    coreos(&scene);
    scene.build(&recipe("coreos-docker.yaml"), &scene.path("coreos.img.bz2"), "docker.raw", &[]);
    let oem = scene.partition("docker.raw", 6);
    let config = oem.cat("/cloud-config.yml");
    assert_eq!(oem.cat("/grub.cfg"), "set oem_id=\"openstack\"\n");
    // Everything that was there is there, in its place.
    for line in OEM.lines() {
        assert!(config.lines().any(|found| found == line), "{line}: {config}");
    }
    // It is user-data that CoreOS takes, with the units of by hand.
    scene.write("oem.yaml", &config);
    scene.expect(0, &["user-data", "check", "oem.yaml"]);
    let units = units(&config);
    assert_eq!(
        units.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        [
            "format-ephemeral.service",
            "var-lib-docker.mount",
            "user-configdrive.service",
            "oem-cloudinit.service"
        ],
        "{config}"
    );
    let wanted = std::fs::read_to_string(top().join("cloud-config/coreos-docker-ephemeral.yaml")).unwrap();
    let wanted = self::units(&wanted);
    assert_eq!(units[..2], wanted[..], "the same as user-data for one launch says");
    assert!(wanted[0].1.contains("ExecStart=/usr/sbin/mkfs.btrfs -f /dev/vdb\n"), "{wanted:?}");
    assert!(wanted[1].1.contains("Where=/var/lib/docker\nType=btrfs\n"), "{wanted:?}");
    // The other partitions are what they were.
    let parts = scene.sh("bunzip2 -k coreos.img.bz2; qemu-img convert -O raw coreos.img before.raw; cmp -l before.raw docker.raw | wc -l; \
        sfdisk --dump before.raw | grep -v label-id > one; sfdisk --dump docker.raw | sed s/docker/before/ > two; grep -vc '^$' one; \
        grep -v label-id two | cmp one - && echo same-table");
    assert!(parts.ends_with("same-table\n"), "{parts}");
    let usr = hardtack_tests::image::partition(&scene.path("docker.raw"), 3);
    scene.sh(&format!("cmp -i {} -n {} before.raw docker.raw", usr.start * 512, usr.sectors * 512));
    // The root has the record of the edit, by which a second build knows it.
    assert!(scene.partition("docker.raw", 9).has("/var/lib/hardtack/operations.json"));
}

/// Name and content of each unit.
fn units(config: &str) -> Vec<(String, String)> {
    let value: serde_json::Value = serde_yaml::from_str(config).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    value["coreos"]["units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| (text(&unit["name"]), text(&unit["content"])))
        .collect()
}

#[test]
fn an_image_without_a_file_of_the_oem_is_told_so_and_user_data_does_it_too() {
    let file = top().join("cloud-config/coreos-docker-ephemeral.yaml").display().to_string();
    let scene = Scene::new();
    scene.expect(0, &["user-data", "check", "--strict", &file]);
    if !have(&["mke2fs", "sfdisk"]) {
        return;
    }
    scene.mbr(
        "other.raw",
        16,
        "-L root",
        &[("/etc/os-release", "ID=debian\nVERSION_ID=12\n"), ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")],
    );
    let told = scene.expect(3, &["build", &recipe("coreos-docker.yaml"), "--source", "other.raw", "--plan"]);
    assert!(told.contains("/usr/share/oem/cloud-config.yml"), "{told}");
}
