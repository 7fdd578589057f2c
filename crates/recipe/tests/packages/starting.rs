//! Packages that start the machine: kept as they are until the first boot, or refused.

use std::path::PathBuf;

use hardtack_recipe::model::PackagesStep;

use super::{Probe, assert_content, files, suite, with_dpkg, with_settings};

const SCRIPT: (&str, &str, u32) = ("/DEBIAN/postinst", "#!/bin/sh\n", 0o755);

fn step(debs: &[PathBuf]) -> PackagesStep {
    PackagesStep { debs: files(debs), ..PackagesStep::default() }
}

#[test]
fn what_starts_the_machine_stays_until_the_first_boot() {
    let Some(suite) = suite("bookworm") else { return };
    let folder = suite.folder.path();
    let root = suite.copy("root");
    let probe = |name: &str, version: &str, file: &str| {
        Probe::new(name, version, "").file(file, version, 0o644).file(SCRIPT.0, SCRIPT.1, SCRIPT.2)
    };

    // Modules of a kernel that is there: no scripts, and waits all the same.
    let modules = |version: &str, file: &str| {
        Probe::new("probe-modules", version, "")
            .file("/usr/lib/modules/99.1.0-9-amd64/extra/probe.ko", version, 0o644)
            .build(folder, file)
    };
    with_dpkg(&root, &[modules("1", "m1.deb")], "--install");
    let done = with_settings(&root, &step(&[modules("2", "m2.deb")]), None).unwrap();
    assert_eq!(done.agent.packages.unwrap().install, ["probe-modules_2_amd64.deb"], "{}", done.notes);
    let module = std::fs::read_to_string(root.join("usr/lib/modules/99.1.0-9-amd64/extra/probe.ko"));
    assert_eq!(module.unwrap(), "1");
    assert_content(&root);

    // A kernel, and what renews the initramfs: told.
    let kernel = probe("linux-image-99.1.0-10-amd64", "1", "/boot/vmlinuz-99.1.0-10-amd64");
    let hooks = probe("probe-initramfs", "1", "/usr/share/initramfs-tools/hooks/probe");
    let debs = [kernel.build(folder, "k.deb"), hooks.build(folder, "h.deb")];
    let done = with_settings(&root, &step(&debs), None).unwrap();
    for wanted in [
        "linux-image-99.1.0-10-amd64: the first boot still runs the kernel that the image has",
        "probe-initramfs: the first boot still uses the initramfs that the image has, and renews it",
    ] {
        assert!(done.notes.contains(wanted), "no {wanted:?}: {}", done.notes);
    }

    // grub-pc asks for a disk, and nobody answers.
    let loader = [probe("grub-pc", "99", "/usr/share/probe-grub").build(folder, "g.deb")];
    let refused = with_settings(&root, &step(&loader), None).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("grub-pc/install_devices"), "{refused}");
    let answers = root.join("var/cache/debconf/config.dat");
    let known = std::fs::read_to_string(&answers).unwrap_or_default();
    let answer = "Name: grub-pc/install_devices\nTemplate: grub-pc/install_devices\nValue: /dev/vda\nOwners: grub-pc\n";
    std::fs::write(answers, format!("{known}\n{answer}\n")).unwrap();
    let done = with_settings(&root, &step(&loader), None).unwrap();
    assert!(done.agent.packages.unwrap().configure.contains(&"grub-pc".to_owned()), "{}", done.notes);
    assert!(done.notes.contains("still goes through the boot loader"), "{}", done.notes);
}
