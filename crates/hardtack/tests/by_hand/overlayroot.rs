//! Everything that is written goes to an encrypted disk: the ephemeral one, or a volume.

use std::io::Read;

use crate::scene::{AGENT, Scene, have, real, recipe};

#[test]
fn what_is_written_goes_to_the_ephemeral_disk_or_to_a_volume() {
    let Some(image) = real("debian12-crypt") else { return };
    if !have(&["qemu-img", "sfdisk", "debugfs", "e2fsck", "cpio"]) {
        return;
    }
    let scene = Scene::new();
    let said = scene.build(&recipe("overlayroot.yaml"), &image, "sealed.qcow2", &[]);
    assert!(said.contains("/dev/vdb IS ERASED AT EVERY BOOT"), "{said}");
    let made = scene.partition("sealed.qcow2", 1);
    let line = |made: &crate::scene::FileSystem| {
        let text = made.cat("/etc/overlayroot.local.conf");
        text.lines().find(|line| !line.starts_with('#')).unwrap_or_default().to_owned()
    };
    assert_eq!(line(&made), "overlayroot=\"crypt:dev=/dev/vdb,timeout=60\"");
    // The package's own file leaves the word to the local one.
    let package = made.cat("/etc/overlayroot.conf");
    assert!(package.lines().any(|line| line.trim() == "overlayroot=\"\""), "{package}");
    // cloud-init leaves the same disk alone.
    let cloud = scene.sh("debugfs -R 'ls -p /etc/cloud/cloud.cfg.d' sealed.qcow2.1 2>/dev/null");
    let hardtack = cloud.split('/').find(|name| name.contains("hardtack")).unwrap().to_owned();
    let cloud = made.cat(&format!("/etc/cloud/cloud.cfg.d/{hardtack}"));
    assert!(cloud.contains("ephemeral0"), "{hardtack}: {cloud}");

    // The initramfs that starts can do it. Archives stand one after the other in it; cpio reads each.
    let boot = scene.sh("debugfs -R 'ls -p /boot' sealed.qcow2.1 2>/dev/null");
    let initrd = boot.split('/').find(|name| name.starts_with("initrd.img-")).unwrap().to_owned();
    scene.sh(&format!("debugfs -R 'dump /boot/{initrd} initrd' sealed.qcow2.1 2>/dev/null"));
    let bytes = std::fs::read(scene.path("initrd")).unwrap();
    let mut rest = &bytes[..];
    let mut packed = flate2::bufread::GzDecoder::new(&mut rest);
    let mut image = Vec::new();
    packed.read_to_end(&mut image).unwrap();
    std::fs::write(scene.path("first.cpio"), image).unwrap();
    std::fs::write(scene.path("second.cpio"), rest).unwrap();
    let (first, second) =
        (scene.sh("cpio -t --quiet < first.cpio"), scene.sh("cpio -t --quiet < second.cpio"));
    for (listed, wanted) in [
        (&first, "scripts/init-bottom/overlayroot"),
        (&first, "sbin/cryptsetup"),
        (&second, "mke2fs"),
        (&second, "wait-for-root"),
    ] {
        assert!(listed.lines().any(|line| line.ends_with(wanted)), "{wanted} is not in {initrd}");
    }

    // A volume: another disk, told on the command line; the same image takes it. What the first boot checks goes along.
    let recipe = recipe("overlayroot.yaml");
    let again = [&["build", &recipe, "--source", "sealed.qcow2", "--plan"], AGENT].concat();
    let told = scene.expect(0, &[&again[..], &["--set", "device=/dev/vdc", "--set", "wait=300"]].concat());
    assert!(told.contains("/dev/vdc IS ERASED AT EVERY BOOT") && !told.contains("/dev/vdb IS"), "{told}");
    for line in [
        "-overlayroot=\"crypt:dev=/dev/vdb,timeout=60\"",
        "+overlayroot=\"crypt:dev=/dev/vdc,timeout=300\"",
        // What it says is root's alone.
        "write     /etc/hardtack/agent.json  [agent]",
    ] {
        assert!(told.lines().any(|found| found.trim_start() == line), "{line}: {told}");
    }
    let told = scene.expect(2, &[&again[..], &["--set", "dev=/dev/vdc"]].concat());
    assert!(told.contains("device"), "{told}");
}
