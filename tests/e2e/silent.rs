//! An image that says nothing on a serial line: a build warns, and with step `serial-console` everything is there.

use hardtack_tests::image::Images;
use hardtack_tests::vm::Launch;

use crate::codes::block;
use crate::hardened::{Hardened, RECIPE, UP, append, part, text};
use crate::workshop::Workshop;

const SILENT: &str = r#"recipe: 1
name: silent
steps:
  - files:
      - {replace: /boot/grub/grub.cfg, match: ' console=\S+', with: ''}
      - {replace: /boot/grub/grub.cfg, match: '^(serial|terminal).*$', with: ''}
"#;

#[test]
#[ignore = "the full suite boots it; other boots have a serial console of their own"]
fn a_silent_image_gets_a_serial_console() {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, "bookworm");
    std::fs::write(workshop.path().join("silent.yaml"), SILENT).unwrap();
    workshop.build_ok("silent.yaml", &images.disk("debian12"), &["--output", "silent.qcow2"]);
    let source = workshop.path().join("silent.qcow2");
    let (told, _) = workshop.build_ok(RECIPE, &source, &["--plan"]);
    assert!(told.contains("has no serial console"), "{told}");

    workshop.change(RECIPE, &[("      seal: auto ", "      seal: none ")]);
    append(&workshop, "  - serial-console\n  - boot: check\n");
    let (_, told) = workshop.build_ok(RECIPE, &source, &["--output", "hard.qcow2"]);
    assert!(!told.contains("has no serial console"), "{told}");
    let disk = workshop.path().join("hard.qcow2");
    let hardened = Hardened { workshop, disk };
    let mut vm = hardened.start("silent", Launch::silence());
    vm.wait_for(UP);
    // The kernel's own words, the block, and then a login.
    let log = vm.log();
    assert!(log.contains("Linux version 6.1.") && log.contains("console [ttyS0] enabled"), "{log}");
    let block = block(&hardened.workshop, &vm.console, &[]);
    assert!(!text(part(&block, "debian"), "secret").is_empty());
    vm.wait_for("login:");
}
