//! The layouts that images come in: GPT as Debian's, MBR with old features, /boot of its own.
//! Built, checked by e2fsck, and looked at with debugfs.

use std::process::Command;

use hardtack_tests::image::{Images, assert_clean, debugfs_cat, debugfs_stat, extract};

use hardtack_tests::tools::run;

use crate::workshop::Workshop;

/// Builds `image` twice and looks at the partition that holds the root.
fn build_and_look(image: &str, suite: &str, root: u32) {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, suite);
    let source = images.disk(image);
    let (plan, _) = workshop.build_ok("debian-3fa.yaml", &source, &["--plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let changes = plan["changes"].as_array().unwrap();
    assert!(changes.iter().any(|change| change["op"] == "package"), "{plan}");
    assert!(
        changes.iter().any(|change| change["path"] == "/etc/motd" && change["step"] == "files"),
        "{plan}"
    );

    workshop.build_ok("debian-3fa.yaml", &source, &["--output", "one.raw"]);
    let one = workshop.path().join("one.raw");
    let file_system = workshop.path().join("root");
    extract(&one, root, &file_system);
    assert_clean(&file_system);
    assert_eq!(debugfs_cat(&file_system, "/etc/motd"), "hardened\n");
    assert!(
        debugfs_cat(&file_system, "/etc/ssh/sshd_config.d/00-hardtack.conf")
            .contains("AuthenticationMethods")
    );
    assert!(debugfs_stat(&file_system, "/etc/cloud/cloud.cfg.d/95-hardtack.cfg").contains("Mode:  0600"));
    assert!(debugfs_stat(&file_system, "/opt/tool").contains("Mode:  0755"));
    assert!(debugfs_stat(&file_system, "/srv/data").contains("Mode:  0750"));
    assert!(debugfs_stat(&file_system, "/usr/lib/hardtack/hardtack-agent").contains("Mode:  0755"));

    // The same again, as qcow2 this time, holds the same disk; and nothing is left to do.
    workshop.build_ok("debian-3fa.yaml", &source, &["--output", "two.qcow2"]);
    let two = workshop.path().join("two.qcow2");
    let compare = Command::new("qemu-img").arg("compare").arg(&one).arg(&two).output().unwrap();
    assert!(compare.status.success(), "{}", String::from_utf8_lossy(&compare.stdout));
    let check = Command::new("qemu-img").arg("check").arg(&two).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let (again, _) = workshop.build_ok("debian-3fa.yaml", &two, &["--plan", "--json"]);
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["changes"], serde_json::json!([]), "{again}");
}

#[test]
fn debian_genericcloud_gpt() {
    build_and_look("debian12", "bookworm", 1);
    build_and_look("debian13", "trixie", 1);
}

#[test]
fn mbr_with_old_features() {
    build_and_look("mbr", "bookworm", 1);
}

/// As old EMIs are: a file system and nothing around it.
#[test]
fn bare_file_system() {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, "bookworm");
    let (disk, bare) = (workshop.path().join("disk.raw"), workshop.path().join("bare.img"));
    run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(images.disk("mbr")).arg(&disk));
    extract(&disk, 1, &bare);
    workshop.build_ok("debian-3fa.yaml", &bare, &["--output", "hard.img"]);
    let hard = workshop.path().join("hard.img");
    assert_clean(&hard);
    assert_eq!(debugfs_cat(&hard, "/etc/motd"), "hardened\n");
}

#[test]
fn boot_on_a_partition_of_its_own() {
    build_and_look("bootpart", "trixie", 1);
}
