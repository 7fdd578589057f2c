//! This machine: images, and launches that are refused before anything is made.

use std::path::Path;

use hardtack_local::Spec;
use serde_json::Value;

use crate::workshop::{Folder, RECIPE};

/// A launch asks for QEMU before anything else.
fn has_qemu() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|directory| directory.join("qemu-system-x86_64").is_file());
    assert!(there || std::env::var_os("CI").is_none(), "qemu-system-x86_64 is missing");
    if !there {
        eprintln!("SKIPPED: there is no qemu-system-x86_64");
    }
    there
}

fn journals(folder: &Folder) -> Vec<String> {
    let mut names = folder.names("");
    names.retain(|name| name.starts_with("web-") && name != "web-1.journal" || name.ends_with(".pem"));
    names
}

#[test]
fn images_are_listed() {
    let folder = Folder::new();
    assert_eq!(folder.expect(0, "images").out, "");
    let id = folder.expect(0, "install sample.qcow2 -n web-1").image();
    let line = format!(
        "IMAGE\t{id}\tlocal/web-1\tlocal\tavailable\tprivate\tx86_64\tmachine\t\t\t\tinstance-store\thvm\t\n"
    );
    assert!(folder.expect(0, "images").out.starts_with(&line));
    assert!(folder.expect(0, &format!("images {id}")).out.starts_with(&line));
    let found: Value = serde_json::from_str(&folder.expect(0, "images web-1 --json").out).unwrap();
    assert_eq!(found[0]["name"], "web-1");
    assert!(folder.expect(3, "images web-2").err.contains("web-2: there is no such image"));
}

#[test]
fn what_cannot_go_well_is_refused_before_anything_is_made() {
    if !has_qemu() {
        return;
    }
    let folder = Folder::new();
    let id = folder.expect(0, "install sample.qcow2 -n web-1").image();
    folder.write("notes.txt", "what somebody needs");
    folder.write("no-key.txt", "this is no key");
    for (code, words, wanted) in [
        (2, "--network lab_1", "letters, digits and hyphens"),
        (2, "--volume 1G:/dev/nvme7n1 --disk-bus nvme", "will be /dev/nvme2n1"),
        (4, "--pcap nowhere/lab.pcap", "lab.pcap"),
        (2, "--pcap notes.txt", "it is no capture"),
        (4, "--identity nowhere", "nowhere"),
        (1, "--identity no-key.txt", "no-key.txt"),
        (2, "--root-size 1M", "a root disk is not smaller"),
    ] {
        let ran = folder.expect(code, &format!("launch web-1 --new-key web.pem {words}"));
        assert!(ran.err.contains(wanted) && ran.out.is_empty(), "{words}: {}", ran.err);
        assert_eq!(journals(&folder), [""; 0], "{words}");
        assert!(!folder.path("catalog/instances").exists(), "{words}");
    }
    assert_eq!(std::fs::read(folder.path("notes.txt")).unwrap(), b"what somebody needs");
    assert!(folder.path(&format!("catalog/images/{id}")).exists());
}

#[test]
fn an_image_that_wants_a_disk_is_not_launched_without() {
    if !has_qemu() {
        return;
    }
    let folder = Folder::new();
    folder.write(
        "overlay.yaml",
        &RECIPE
            .replace("/etc/motd", "/etc/overlayroot.local.conf")
            .replace("hard", "overlayroot='crypt:dev=/dev/vdc,timeout=20'"),
    );
    folder.expect(0, "install sample.qcow2 --recipe overlay.yaml -n web-1");
    let ran = folder.expect(3, "launch web-1 -t t3.nano --new-key web.pem");
    assert!(
        ran.err.contains("wants the disk /dev/vdc") && ran.err.contains("--volume 20G:/dev/vdc"),
        "{}",
        ran.err
    );
    assert_eq!(journals(&folder), [""; 0]);
    assert!(!Path::new(&folder.path("catalog/instances")).exists());
}

#[test]
fn an_image_stays_while_an_instance_lies_over_it() {
    let folder = Folder::new();
    let image = folder.expect(0, "install sample.qcow2 -n web-1").image();
    let id = "i-0123456789abcdef0";
    let directory = folder.path(&format!("catalog/instances/{id}"));
    std::fs::create_dir_all(&directory).unwrap();
    // As an older release may have begun it: no network can be called so.
    let spec = Spec {
        id: id.to_owned(),
        image: image.clone(),
        network: Some("lab_1".to_owned()),
        ..Spec::default()
    };
    std::fs::write(directory.join("instance.json"), serde_json::to_string(&spec).unwrap()).unwrap();
    let listed = folder.expect(0, "instances").out;
    assert!(listed.contains(&format!("STATE\t{id}\tstopped\tit was never started")), "{listed}");
    let refused = folder.expect(3, "undo web-1.journal");
    assert!(refused.err.contains(&format!("hardtack terminate {id}")), "{}", refused.err);
    assert_eq!(folder.names("catalog/images"), [image]);
    folder.expect(0, &format!("terminate {id}"));
    assert!(!directory.exists());
    folder.expect(0, "undo web-1.journal");
    assert_eq!(folder.names("catalog/images"), [""; 0]);
}
