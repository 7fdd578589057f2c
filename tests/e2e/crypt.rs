//! The encrypted overlay: `/` is what the recipe promised, also after the next kernel update.

use std::process::Command;

use hardtack_tests::image::Images;
use hardtack_tests::tools::{run, top};
use hardtack_tests::vm::{Launch, Machine, Vm, seed};

use crate::codes::block;
use crate::hardened::Owner;
use crate::workshop::{PASSWORD, Workshop};

fn encrypted_overlay(image: &str, suite: &str) {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, suite);
    let source = images.disk(image);
    let (_, said) = workshop.build_ok("debian-3fa-crypt.yaml", &source, &["--output", "hard.raw"]);
    assert!(
        said.contains("/dev/vdb IS ERASED"),
        "the disk that is erased must be named in capitals:\n{said}"
    );
    let disk = workshop.path().join("hard.raw");
    let extra = workshop.path().join("extra.raw");
    run(Command::new("truncate").args(["-s", "2G"]).arg(&extra));
    let seed_file = workshop.path().join("seed.img");
    let user_data = std::fs::read_to_string(top().join("cloud-config/launch.yaml")).unwrap();
    seed(&seed_file, "i-0002", &user_data);

    for (boot, command) in [
        // The lower root is the image: what is to last is changed there.
        (
            "first",
            "sudo overlayroot-chroot update-initramfs -u 2>&1; sync; (sleep 2; sudo poweroff) >/dev/null 2>&1 &",
        ),
        ("second", "true"),
    ] {
        let machine = Machine {
            disk: &disk,
            format: "raw",
            launch: Launch::seed(&seed_file),
            extra: Some(&extra),
            nvme: &[],
            directory: workshop.path(),
            name: boot,
        };
        let mut vm = Vm::start(&machine);
        vm.wait_for("-----END HARDTACK CREDENTIALS-----");
        let block = block(&workshop, &vm.console, &["id_ed25519"]);
        assert_eq!(block["root"]["overlay"], "crypt", "{block}");
        assert_eq!(block["root"]["device"], "/dev/vdb", "{block}");
        // The root above is new at each boot, and so is the enrolment.
        let secret = block["users"][0]["secret"].as_str().unwrap();
        let mut owner = Owner::new(&workshop, vm.port, "debian", &workshop.key, PASSWORD, secret);
        let facts = owner.enter(
            "findmnt -no FSTYPE,SOURCE /; findmnt -no SOURCE /media/root-rw; sudo cryptsetup luksDump /dev/vdb",
        );
        assert!(facts.contains("overlay"), "{facts}");
        assert!(facts.contains("/dev/mapper/secure"), "{facts}");
        assert!(facts.contains("LUKS header information"), "{facts}");
        owner.enter(command);
        if command != "true" {
            vm.wait_for_end();
        }
    }
}

#[test]
fn debian_12_crypt() {
    encrypted_overlay("debian12-crypt", "bookworm");
}

#[test]
#[ignore = "the full suite boots it; the other release is booted always"]
fn debian_13_crypt() {
    encrypted_overlay("debian13-crypt", "trixie");
}
