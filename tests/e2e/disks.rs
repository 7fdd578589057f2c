//! The overlay's disk by its serial number: whatever the kernel calls it, it is the one, and nothing else is touched.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_tests::image::{Images, sha256};
use hardtack_tests::tools::{run, top};
use hardtack_tests::vm::{Launch, Machine, Vm, seed};

use crate::codes::block;
use crate::hardened::Owner;
use crate::workshop::{PASSWORD, Workshop};

/// As EBS writes it in the disk; the recipe has the dash.
const OVERLAY: &str = "vol0546d3c3b0af0bf6d";
const OTHER: &str = "vol0000000000000000a";
/// Begins the LUKS UUID of a disk whose key nobody knows any more.
const MARK: &[u8] = b"68617264-7461-";

/// An image with a disk for the overlay, and another one that is empty too.
struct Disks {
    workshop: Workshop,
    root: PathBuf,
    seed: PathBuf,
    overlay: PathBuf,
    other: PathBuf,
}

impl Disks {
    fn new(images: &Images, image: &str, suite: &str, on_failure: &str) -> Self {
        let workshop = Workshop::new(images, suite);
        let rule =
            format!("{{mode: crypt, dev: {{serial: vol-0546d3c3b0af0bf6d}}, on_failure: {on_failure}}}");
        workshop.change("debian-3fa-crypt.yaml", &[("{mode: crypt, dev: /dev/vdb}", &rule)]);
        let source = images.disk(image);
        let (_, said) = workshop.build_ok("debian-3fa-crypt.yaml", &source, &["--output", "hard.raw"]);
        assert!(said.contains("vol-0546d3c3b0af0bf6d IS ERASED"), "{said}");
        let at = |name: &str| workshop.path().join(name);
        let (root, seed_file, overlay, other) =
            (at("hard.raw"), at("seed.img"), at("overlay.raw"), at("other.raw"));
        for disk in [&overlay, &other] {
            run(Command::new("truncate").args(["-s", "1G"]).arg(disk));
        }
        let user_data = std::fs::read_to_string(top().join("cloud-config/launch.yaml")).unwrap();
        seed(&seed_file, "i-0002", &user_data);
        Self { workshop, root, seed: seed_file, overlay, other }
    }

    fn boot(&self, name: &str, order: [&(&Path, &str); 2]) -> Vm {
        Vm::start(&Machine {
            disk: &self.root,
            format: "raw",
            launch: Launch::seed(&self.seed),
            extra: None,
            nvme: &order.map(|disk| *disk),
            directory: self.workshop.path(),
            name,
        })
    }

    fn disks(&self) -> [(&Path, &str); 2] {
        [(&self.overlay, OVERLAY), (&self.other, OTHER)]
    }

    /// Boots with the overlay's disk in the first or the second slot; the block, and the machine.
    fn block(&self, name: &str, overlay_first: bool) -> (serde_json::Value, Vm) {
        let [overlay, other] = &self.disks();
        let order = if overlay_first { [overlay, other] } else { [other, overlay] };
        let mut vm = self.boot(name, order);
        vm.wait_for("-----END HARDTACK CREDENTIALS-----");
        (block(&self.workshop, &vm.console, &["id_ed25519"]), vm)
    }

    /// A block that tells of an encrypted overlay, on the disk that was meant.
    fn holds(&self, block: &serde_json::Value, untouched: &str) {
        assert_eq!(block["root"]["overlay"], "crypt", "{block}");
        assert!(block["root"]["device"].as_str().unwrap().starts_with("/dev/nvme"), "{block}");
        assert!(block["root"].get("wrong").is_none(), "{block}");
        let mut header = [0; 208];
        std::fs::File::open(&self.overlay).unwrap().read_exact_at(&mut header, 0).unwrap();
        assert_eq!(&header[..6], b"LUKS\xba\xbe");
        assert!(header[168..].starts_with(MARK), "{:?}", String::from_utf8_lossy(&header[168..]));
        assert_eq!(sha256(&self.other), untouched, "the other disk was written to");
    }
}

#[test]
fn the_disk_is_found_behind_another_one() {
    let Some(images) = Images::find() else { return };
    let disks = Disks::new(&images, "debian12-crypt", "bookworm", "login-only");
    let untouched = sha256(&disks.other);
    let (block, vm) = disks.block("second", false);
    drop(vm);
    disks.holds(&block, &untouched);
}

#[test]
#[ignore = "the full suite: boots both orders"]
fn the_disk_is_found_in_any_order() {
    let Some(images) = Images::find() else { return };
    let disks = Disks::new(&images, "debian13-crypt", "trixie", "login-only");
    let untouched = sha256(&disks.other);
    let mut names = Vec::new();
    // The second boot finds what the first has encrypted, and may erase it.
    for (name, first) in [("first", true), ("second", false)] {
        let (block, vm) = disks.block(name, first);
        let secret = block["users"][0]["secret"].as_str().unwrap();
        let mut owner = Owner::new(&disks.workshop, vm.port, "debian", &disks.workshop.key, PASSWORD, secret);
        let facts = owner.enter(
            "readlink /dev/hardtack/overlay; for d in 0 1; do sudo hardtack-agent nvme-name /dev/nvme${d}n1 2>&1; done; \
             sudo cryptsetup luksDump /dev/hardtack/overlay",
        );
        // Identify answers; the vendor is not Amazon.
        assert_eq!(facts.matches("\"QEMU NVMe Ctrl\" has no name of EC2's").count(), 2, "{facts}");
        assert!(facts.contains("LUKS header information"), "{facts}");
        drop(vm);
        disks.holds(&block, &untouched);
        names.push(block["root"]["device"].clone());
    }
    eprintln!("the kernel called it {names:?}");
}

#[test]
#[ignore = "the full suite: a disk that holds something"]
fn a_disk_that_holds_something_is_kept_and_the_block_says_so() {
    let Some(images) = Images::find() else { return };
    let disks = Disks::new(&images, "debian12-crypt", "bookworm", "login-only");
    run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disks.overlay));
    let kept = sha256(&disks.overlay);
    let (block, vm) = disks.block("kept", true);
    let console = vm.log();
    drop(vm);
    assert_eq!(sha256(&disks.overlay), kept, "the disk was written to");
    assert_eq!(block["root"]["overlay"], serde_json::Value::Null, "{block}");
    assert_eq!(block["root"]["on_failure"], "login-only", "{block}");
    let wrong = block["root"]["wrong"].as_str().unwrap();
    assert!(wrong.contains("holds something already (ext4)"), "{wrong}");
    assert!(console.contains("!!! THE OVERLAY IS NOT IN FORCE"), "{console}");
}

#[test]
#[ignore = "the full suite: a boot that ends in the initramfs"]
fn a_boot_without_its_disk_ends_where_the_recipe_says_so() {
    let Some(images) = Images::find() else { return };
    let disks = Disks::new(&images, "debian12-crypt", "bookworm", "halt");
    run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disks.overlay));
    let [overlay, other] = &disks.disks();
    let mut vm = disks.boot("halt", [other, overlay]);
    vm.wait_for("The boot ends here");
    std::thread::sleep(std::time::Duration::from_secs(15));
    let log = vm.log();
    assert!(log.contains("holds something already (ext4)"), "{log}");
    assert!(!log.contains("login:") && !log.contains("HARDTACK CREDENTIALS"), "{log}");
}
