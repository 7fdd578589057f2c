//! The shell of the initramfs on made-up machines: a tree with /sys, /proc, /dev and the mounted root.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::super::script::OVERLAY;
use super::*;

const EBS: &str = "Amazon Elastic Block Store";
const STORE: &str = "Amazon EC2 NVMe Instance Storage";

/// A machine whose root is vda1 (or what `root` says).
struct Machine {
    top: TempDir,
}

/// What a piece of shell said, and how it ended.
struct Said {
    out: String,
    code: Option<i32>,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { top: TempDir::new().unwrap() };
        for directory in ["sys/block", "sys/class/block", "sys/dev/block", "proc/self", "dev"] {
            fs::create_dir_all(machine.at(directory)).unwrap();
        }
        machine.write("proc/cmdline", "root=x ro quiet\n");
        machine.write("proc/mounts", "");
        machine.disk("vda", &[]);
        machine.partition("vda", "vda1");
        machine.root("254:1", "vda/vda1");
        machine
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.top.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk with attributes: `("device/serial", "…")`.
    fn disk(&self, name: &str, attributes: &[(&str, &str)]) {
        let block = self.at("sys/block").join(name);
        let _ = fs::remove_dir_all(&block);
        fs::create_dir_all(&block).unwrap();
        let link = self.at("sys/class/block").join(name);
        let _ = fs::remove_file(&link);
        symlink(format!("../../block/{name}"), link).unwrap();
        fs::write(self.at("dev").join(name), "").unwrap();
        for (attribute, value) in attributes {
            // As the kernel pads them.
            self.write(&format!("sys/block/{name}/{attribute}"), &format!("{value:<20}\n"));
        }
    }

    fn nvme(&self, name: &str, model: &str, serial: &str) {
        self.disk(name, &[("device/model", model), ("device/serial", serial)]);
    }

    fn partition(&self, disk: &str, name: &str) {
        self.write(&format!("sys/block/{disk}/{name}/partition"), "1\n");
        symlink(format!("../../block/{disk}/{name}"), self.at("sys/class/block").join(name)).unwrap();
        fs::write(self.at("dev").join(name), "").unwrap();
    }

    fn root(&self, numbers: &str, block: &str) {
        symlink(format!("../../block/{block}"), self.at("sys/dev/block").join(numbers)).unwrap();
        let root = self.at("root").display().to_string();
        self.write(
            "proc/self/mountinfo",
            &format!("22 1 {numbers} / {root} ro,relatime - ext4 /dev/gone ro\n"),
        );
    }

    /// The agent, as it answers for each disk.
    fn agent(&self, names: &[(&str, &str)]) {
        let mut text = "#!/bin/sh\ncase \"$1 ${2##*/}\" in\n".to_owned();
        for (disk, name) in names {
            text.push_str(&format!("\"nvme-name {disk}\") echo '{name}' ;;\n"));
        }
        text.push_str("*) exit 1 ;;\nesac\n");
        let path = "root/usr/lib/hardtack/hardtack-agent";
        self.write(path, &text);
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn settings(&self, settings: &OverlayrootStep) {
        self.write(&format!("root{PATH}"), &text(settings));
    }

    /// Runs `code` behind our functions, in each shell that is here.
    fn run(&self, code: &str) -> Said {
        let mut said = Vec::new();
        for shell in [&["sh"][..], &["busybox", "sh"], &["dash"]] {
            let _ = fs::remove_file(self.at("run/initramfs/hardtack-overlay"));
            let _ = fs::remove_file(self.at("dev/kmsg"));
            let _ = fs::remove_dir_all(self.at("dev/hardtack"));
            let ours = OVERLAY.replacen(
                "\nhardtack_top=\n",
                &format!("\nhardtack_top='{}'\n", self.top.path().display()),
                1,
            );
            self.write("overlay", &ours);
            self.write(
                "script",
                &format!("rootmnt='{0}/root'\n. {0}/overlay\n{code}\n", self.top.path().display()),
            );
            let command = Command::new(shell[0])
                .args(&shell[1..])
                .arg(self.at("script"))
                .envs(code.starts_with("#outer").then_some(("X", "")))
                .envs((!code.starts_with("#outer")).then_some(("HARDTACK_OVERLAY", "inside")))
                .output();
            let Ok(output) = command else { continue };
            let out = [&output.stdout[..], &output.stderr[..]].concat();
            said.push(Said { out: String::from_utf8_lossy(&out).into_owned(), code: output.status.code() });
        }
        let last = said.pop().unwrap();
        for other in said {
            assert_eq!((&other.out, other.code), (&last.out, last.code));
        }
        last
    }

    /// The name of the disk that is found, or why not.
    fn find(&self, find: FindDisk) -> String {
        self.settings(&OverlayrootStep { find: Some(find), timeout: 0, ..step() });
        let said = self.run(
            "hardtack_look_at_root; hardtack_setting find; hardtack_find=$hardtack_value\nsleep() { :; }\nhardtack_find_disk",
        );
        if said.code == Some(0) {
            let link = fs::read_link(self.at("dev/hardtack/overlay")).unwrap();
            return link.display().to_string();
        }
        assert!(!self.at("dev/hardtack").exists());
        self.note()
    }

    fn note(&self) -> String {
        fs::read_to_string(self.at("run/initramfs/hardtack-overlay")).unwrap_or_default().trim().to_owned()
    }
}

fn step() -> OverlayrootStep {
    OverlayrootStep {
        mode: OverlayMode::Crypt,
        dev: Some(crate::model::FOUND.to_owned()),
        ..OverlayrootStep::default()
    }
}

fn serial(text: &str) -> FindDisk {
    FindDisk::Serial(text.to_owned())
}

fn ebs(text: &str) -> FindDisk {
    FindDisk::Ebs(text.to_owned())
}

#[test]
fn a_serial_number_is_the_same_disk_in_any_order() {
    let machine = Machine::new();
    for (first, second, is) in [("AAA", "BBB", "/dev/nvme1n1"), ("BBB", "AAA", "/dev/nvme0n1")] {
        machine.nvme("nvme0n1", "QEMU NVMe Ctrl", first);
        machine.nvme("nvme1n1", "QEMU NVMe Ctrl", second);
        assert_eq!(machine.find(serial("BBB")), is);
    }
    assert_eq!(machine.find(serial("CCC")), "no disk is serial CCC after 0 s");
    assert_eq!(machine.find(serial("AA")), "no disk is serial AA after 0 s");
    machine.nvme("nvme1n1", "QEMU NVMe Ctrl", "BBB");
    assert_eq!(machine.find(serial("BBB")), "several disks are meant by serial BBB: nvme0n1 nvme1n1");
}

#[test]
fn serial_numbers_are_compared_as_clouds_write_them() {
    let machine = Machine::new();
    machine.nvme("nvme0n1", EBS, "vol0546d3c3b0af0bf6d");
    machine.disk("vdb", &[("serial", "8f1f5a3e-54c1-4c1a-a")]);
    machine.disk("vdc", &[("serial", "vol-1111111111111111")]);
    for (text, is) in [
        ("vol-0546d3c3b0af0bf6d", "/dev/nvme0n1"),
        ("vol0546d3c3b0af0bf6d", "/dev/nvme0n1"),
        // virtio has room for 20 letters.
        ("8f1f5a3e-54c1-4c1a-a000-123456789abc", "/dev/vdb"),
        ("8f1f5a3e-54c1-4c1a-a", "/dev/vdb"),
        ("vol-11111111111111111", "/dev/vdc"),
    ] {
        assert_eq!(machine.find(serial(text)), is, "{text}");
    }
    // Only where something was cut off.
    assert!(machine.find(serial("8f1f5a3e-54c1-4c1a-")).starts_with("no disk"));
    assert!(machine.find(serial("vol-0546d3c3b0af0bf6dx")).starts_with("no disk"));
}

#[test]
fn the_root_s_disk_is_never_taken() {
    let machine = Machine::new();
    machine.disk("vda", &[("serial", "ROOT")]);
    machine.partition_again("vda", "vda1");
    assert_eq!(machine.find(serial("ROOT")), "serial ROOT is vda, and the root lies on it");
    // Below a mapping, too.
    machine.disk("dm-0", &[("dm/name", "vg-root")]);
    machine.write("sys/block/dm-0/slaves/sdb1/x", "");
    machine.disk("sdb", &[("device/serial", "BELOW")]);
    machine.partition("sdb", "sdb1");
    machine.root("253:0", "dm-0");
    assert_eq!(machine.find(serial("BELOW")), "serial BELOW is sdb, and the root lies on it");
    assert_eq!(machine.find(serial("ROOT")), "/dev/vda");
}

#[test]
fn a_volume_is_known_by_the_name_it_is_attached_under() {
    let machine = Machine::new();
    machine.nvme("nvme0n1", EBS, "vol0");
    machine.nvme("nvme1n1", EBS, "vol1");
    machine.nvme("nvme2n1", STORE, "AWS1");
    for (names, is) in [
        ([("nvme0n1", "/dev/sda1"), ("nvme1n1", "/dev/sdf")], "/dev/nvme1n1"),
        ([("nvme0n1", "sdf"), ("nvme1n1", "xvda")], "/dev/nvme0n1"),
        ([("nvme0n1", "xvda"), ("nvme1n1", "xvdf")], "/dev/nvme1n1"),
    ] {
        machine.agent(&names);
        assert_eq!(machine.find(ebs("/dev/sdf")), is);
        assert_eq!(machine.find(ebs("/dev/xvdf")), is);
        assert!(machine.find(ebs("/dev/sdg")).starts_with("no disk is ebs /dev/sdg"));
    }
    // Such a name counts for nothing where disks say theirs.
    machine.disk("xvdg", &[]);
    assert!(machine.find(ebs("/dev/sdg")).starts_with("no disk"));
    let xen = Machine::new();
    xen.disk("xvdf", &[]);
    xen.disk("vdf", &[]);
    assert_eq!(xen.find(ebs("/dev/sdf")), "/dev/xvdf");
    fs::remove_file(xen.at("dev/xvdf")).unwrap();
    assert_eq!(xen.find(ebs("/dev/sdf")), "/dev/vdf");
}

#[test]
fn instance_stores_are_numbered_by_the_vendor_or_by_their_serial_numbers() {
    let machine = Machine::new();
    machine.nvme("nvme0n1", STORE, "AWS30");
    machine.nvme("nvme1n1", STORE, "AWS10");
    machine.nvme("nvme2n1", EBS, "vol0");
    machine.nvme("nvme3n1", STORE, "AWS20");
    for (number, is) in [(0, "/dev/nvme1n1"), (1, "/dev/nvme3n1"), (2, "/dev/nvme0n1")] {
        assert_eq!(machine.find(FindDisk::Ephemeral(number)), is);
    }
    assert_eq!(machine.find(FindDisk::Ephemeral(3)), "no disk is ephemeral 3 after 0 s");
    machine.agent(&[
        ("nvme0n1", "ephemeral0:sdb"),
        ("nvme1n1", "ephemeral1:none"),
        ("nvme3n1", "ephemeral10:sdc"),
    ]);
    for (number, is) in [(0, "/dev/nvme0n1"), (1, "/dev/nvme1n1"), (10, "/dev/nvme3n1")] {
        assert_eq!(machine.find(FindDisk::Ephemeral(number)), is);
    }
    assert!(machine.find(FindDisk::Ephemeral(2)).starts_with("no disk"));
    let xen = Machine::new();
    xen.disk("xvdb", &[]);
    xen.disk("xvdc", &[]);
    xen.disk("xvdy", &[]);
    for (number, is) in [(0, "/dev/xvdb"), (1, "/dev/xvdc"), (23, "/dev/xvdy")] {
        assert_eq!(xen.find(FindDisk::Ephemeral(number)), is);
    }
}

#[test]
fn what_lies_on_a_disk_is_kept() {
    let machine = Machine::new();
    machine.disk("vdb", &[]);
    let disk = machine.at("dev/vdb");
    let may = |machine: &Machine, settings: OverlayrootStep| {
        machine.settings(&settings);
        let said = machine.run(&format!("hardtack_may_erase {}", disk.display()));
        if said.code == Some(0) { "yes".to_owned() } else { machine.note() }
    };
    let wipe = || OverlayrootStep { wipe: true, ..step() };
    let made = |path: &Path| {
        let file = fs::File::create(path).unwrap();
        file.set_len(8 << 20).unwrap();
    };
    made(&disk);
    assert_eq!(may(&machine, step()), "yes");
    assert!(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk).status().unwrap().success());
    let refusal = "/dev/vdb holds something already (ext4), and the recipe does not say wipe: true";
    assert_eq!(may(&machine, step()), refusal);
    assert_eq!(may(&machine, wipe()), "yes");
    // A partition table of MBR kind; an LVM volume.
    made(&disk);
    let mut bytes = vec![0; 1024];
    bytes[446..462].copy_from_slice(&[0, 0, 2, 0, 0x83, 0, 3, 0, 8, 0, 0, 0, 0, 16, 0, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    let file = fs::OpenOptions::new().write(true).open(&disk).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    assert!(may(&machine, step()).contains("already (dos)"), "{}", may(&machine, step()));
    // What an overlay with a random key has left says so in its UUID; what somebody else has encrypted does not.
    let luks = |uuid: &str| {
        made(&disk);
        let mut header = b"LUKS\xba\xbe\0\x01aes".to_vec();
        header.resize(168, 0);
        header.extend_from_slice(uuid.as_bytes());
        header.resize(592, 0);
        let file = fs::OpenOptions::new().write(true).open(&disk).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &header, 0).unwrap();
    };
    let stub = machine.at("cryptsetup");
    fs::write(
        &stub,
        "#!/bin/sh\n[ \"$1\" = luksUUID ] || exit 1\ndd if=\"$2\" bs=1 skip=168 count=36 2>/dev/null\n",
    )
    .unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    let stub = format!(
        "hardtack_program() {{ case $1 in cryptsetup) hardtack_path={} ;; *) hardtack_path=$(PATH=/usr/sbin:/sbin:/usr/bin command -v $1) ;; esac; }}",
        stub.display()
    );
    machine.settings(&step());
    for (uuid, is) in
        [("68617264-7461-4b6b-8d0c-123456789abc", Some(0)), ("78617264-7461-4b6b-8d0c-123456789abc", Some(1))]
    {
        luks(uuid);
        let said = machine.run(&format!("{stub}\nunset -f wipefs\nhardtack_may_erase {}", disk.display()));
        assert_eq!(said.code, is, "{uuid}: {} {}", said.out, machine.note());
    }
    assert!(machine.note().contains("already (crypto_LUKS)"), "{}", machine.note());
    // The root's own, whatever the recipe says.
    machine.settings(&wipe());
    for disk in ["vda", "vda1"] {
        let said = machine.run(&format!("hardtack_may_erase {}", machine.at("dev").join(disk).display()));
        assert_eq!(said.code, Some(1));
        assert!(machine.note().contains("is never erased: the root lies on it"), "{}", machine.note());
    }
}

#[test]
fn the_script_s_own_calls_are_watched() {
    let machine = Machine::new();
    machine.disk("vdb", &[]);
    machine.settings(&step());
    let log = machine.at("log");
    let stub = machine.at("stub");
    fs::write(&stub, format!("#!/bin/sh\necho \"$@\" >> {}\ncat >> {0}\n", log.display())).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    let code = format!(
        "hardtack_program() {{ hardtack_path={}; }}\nhardtack_may_erase() {{ [ $1 = /dev/vdb ]; }}\n\
         wipefs -a /dev/vdb </dev/null || exit 3\n! wipefs -a /dev/vdc </dev/null || exit 4\n\
         printf %s key | cryptsetup luksFormat /dev/vdb --key-file - || exit 5\n\
         printf %s key | cryptsetup luksOpen /dev/vdb secure --key-file - || exit 6\n",
        stub.display()
    );
    let calls = |machine: &Machine| {
        let _ = fs::remove_file(&log);
        let said = machine.run(&format!("rm -f {}\n{code}", log.display()));
        assert_eq!(said.code, Some(0), "{}", said.out);
        fs::read_to_string(&log).unwrap()
    };
    let text = calls(&machine);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "-a /dev/vdb");
    let uuid = lines[1].strip_prefix("luksFormat --uuid 68617264-7461-").unwrap();
    let (uuid, rest) = uuid.split_at(22);
    assert!(uuid.split('-').map(str::len).eq([4, 4, 12]), "{text}");
    assert_eq!(rest, " /dev/vdb --key-file -");
    assert_eq!(lines[2], "keyluksOpen /dev/vdb secure --key-file -");
    // What a passphrase opens is not to be erased, and so not marked.
    let pass = Some(crate::Secret::new("x"));
    machine.settings(&OverlayrootStep { pass, allow_clear_pass: true, ..step() });
    assert!(calls(&machine).contains("\nluksFormat /dev/vdb --key-file -\n"), "{}", calls(&machine));
}

/// `#outer` runs as the initramfs does: the script is its own child.
#[test]
fn what_becomes_of_a_failure_is_the_recipe_s_word() {
    let machine = Machine::new();
    machine.nvme("nvme0n1", "QEMU NVMe Ctrl", "AAA");
    let root = machine.at("root").display().to_string();
    let with = |on_failure, find: &str, child: &str| {
        machine.settings(&OverlayrootStep { on_failure, find: Some(serial(find)), timeout: 0, ..step() });
        // What stands behind the functions is the child's part alone.
        machine.run(&format!("#outer\n{child}"))
    };
    let overlay = format!("overlayroot {root} overlay rw 0 0\n");
    let below = format!("/dev/mapper/secure {root}/media/root-rw ext4 rw 0 0\n");
    machine.disk("dm-0", &[("dm/name", "secure"), ("dm/uuid", "CRYPT-LUKS2-0123-secure")]);
    let good = format!("printf %s '{overlay}{below}' > {}/proc/mounts", machine.top.path().display());
    let said = with(Some(OnFailure::Halt), "AAA", &good);
    assert_eq!((said.code, machine.note().as_str()), (Some(0), ""), "{}", said.out);
    // An overlay above a plain disk is no encryption.
    machine.disk("dm-0", &[("dm/name", "secure"), ("dm/uuid", "LVM-0123")]);
    let said = with(None, "AAA", &good);
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert_eq!(machine.note(), "nothing has made the overlay; the console says more above");
    // No disk: the script never runs.
    let said = with(Some(OnFailure::LoginOnly), "BBB", "echo RAN; exit 7");
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert!(!said.out.contains("RAN"), "{}", said.out);
    assert_eq!(machine.note(), "no disk is serial BBB after 0 s");
    let log = fs::read_to_string(machine.at("dev/kmsg")).unwrap();
    assert!(log.contains("(on_failure: login-only)"), "{log}");
    // The way out that overlayroot documents.
    machine.write("proc/cmdline", "root=x overlayroot=disabled ro\n");
    let said = with(Some(OnFailure::Halt), "AAA", "echo RAN");
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert_eq!(machine.note(), "the kernel's command line says overlayroot=disabled");
}

#[test]
fn a_boot_that_is_to_halt_starts_nothing() {
    let machine = Machine::new();
    machine.settings(&OverlayrootStep {
        on_failure: Some(OnFailure::Halt),
        find: Some(serial("BBB")),
        timeout: 0,
        ..step()
    });
    let said = machine.run("sleep() { exit 9; }\nhardtack_around");
    assert_eq!(said.code, Some(9), "{}", said.out);
    let log = fs::read_to_string(machine.at("dev/kmsg")).unwrap();
    assert!(log.contains("on_failure: halt. The boot ends here"), "{log}");
}

impl Machine {
    /// Partitions go with the disk that is made anew.
    fn partition_again(&self, disk: &str, name: &str) {
        self.write(&format!("sys/block/{disk}/{name}/partition"), "1\n");
    }
}

#[test]
fn the_configuration_says_what_the_recipe_says() {
    let settings = OverlayrootStep {
        find: Some(FindDisk::Ephemeral(1)),
        wipe: true,
        on_failure: Some(OnFailure::Plain),
        ..step()
    };
    let told = "# Written by hardtack (step overlayroot) for the initramfs.\nmode=crypt\ndev=/dev/hardtack/overlay\n\
                find=ephemeral 1\ntimeout=20\nkey=random\nwipe=1\non_failure=plain\n";
    assert_eq!(text(&settings), told);
    let device = OverlayrootStep { mode: OverlayMode::Device, dev: Some("/dev/vdb".to_owned()), ..step() };
    assert!(text(&device).ends_with("mode=device\ndev=/dev/vdb\ntimeout=20\nwipe=0\n"));
    assert!(is_wanted(&device) && !is_wanted(&OverlayrootStep::default()));
}
