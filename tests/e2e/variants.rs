//! The full suite's boots: the other scopes, factors and overlays, each with one login that works
//! and one that must not.

use std::process::Command;

use hardtack_tests::image::Images;
use hardtack_tests::ssh::{Client, Login};
use hardtack_tests::tools::run;
use hardtack_tests::vm::{Launch, Machine, Vm, seed};

use crate::codes::{Codes, block, trust};
use crate::workshop::{PASSWORD, Workshop};

/// What is changed in a shipped recipe.
struct Variant<'a> {
    image: &'a str,
    suite: &'a str,
    recipe: &'a str,
    change: &'a [(&'a str, &'a str)],
}

/// Builds and boots the variant, and hands the machine over: client, codes, its block.
fn boot(variant: &Variant<'_>, test: impl FnOnce(&Workshop, &Vm, &Client, &mut Codes, &serde_json::Value)) {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, variant.suite);
    workshop.change(variant.recipe, variant.change);
    workshop.build_ok(variant.recipe, &images.disk(variant.image), &["--output", "hard.qcow2"]);
    let extra = workshop.path().join("extra.raw");
    run(Command::new("truncate").args(["-s", "1G"]).arg(&extra));
    run(Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&extra));
    let seed_file = workshop.path().join("seed.img");
    seed(&seed_file, "i-0003", "#cloud-config\n");
    let mut vm = Vm::start(&Machine {
        disk: &workshop.path().join("hard.qcow2"),
        format: "qcow2",
        launch: Launch::seed(&seed_file),
        extra: Some(&extra),
        nvme: &[],
        directory: workshop.path(),
        name: "boot",
    });
    vm.wait_for("-----END HARDTACK CREDENTIALS-----");
    let found = block(&workshop, &vm.console, &["id_ed25519"]);
    trust(&workshop, vm.port);
    let client = Client::new(workshop.path(), vm.port);
    let mut codes = Codes::new(found["users"][0]["secret"].as_str().unwrap());
    test(&workshop, &vm, &client, &mut codes, &found);
}

fn login_scope(image: &str, suite: &str) {
    let change = [("scope: sshd ", "scope: login")];
    boot(
        &Variant { image, suite, recipe: "debian-3fa.yaml", change: &change },
        |workshop, vm, client, codes, _| {
            let code = codes.fresh();
            let all = Login {
                user: "debian",
                key: Some(&workshop.key),
                password: Some(PASSWORD),
                code: Some(&code),
            };
            client.login(all, "true").assert_entered("all three");
            let code = codes.fresh();
            let turns = [("login:", "debian"), ("assword:", PASSWORD), ("erification code:", code.as_str())];
            vm.converse(&turns, "$ ");
            // su is covered too: it asks for the code after the password.
            vm.converse(&[("$ ", "su debian -c true"), ("assword:", PASSWORD)], "erification code:");
        },
    );
}

#[test]
#[ignore = "the full suite boots it"]
fn scope_login_on_debian_12() {
    login_scope("debian12", "bookworm");
}

#[test]
#[ignore = "the full suite boots it"]
fn scope_login_on_debian_13() {
    login_scope("debian13", "trixie");
}

#[test]
#[ignore = "the full suite boots it"]
fn key_and_code_without_password() {
    let change = [("factors: [publickey, password, totp]", "factors: [publickey, totp]")];
    let variant = Variant { image: "debian13", suite: "trixie", recipe: "debian-3fa.yaml", change: &change };
    boot(&variant, |workshop, _, client, codes, _| {
        let code = codes.fresh();
        let login = Login { user: "debian", key: Some(&workshop.key), password: None, code: Some(&code) };
        let outcome = client.login(login, "true");
        outcome.assert_entered("key and code");
        assert_eq!(outcome.prompts.len(), 1, "{:?}", outcome.prompts);
        client.login(Login { code: Some("000000"), ..login }, "true").assert_refused("a wrong code");
        client.login(Login { key: None, ..login }, "true").assert_refused("no key");
    });
}

#[test]
#[ignore = "the full suite boots it"]
fn password_and_code_without_key() {
    let change = [("factors: [publickey, password, totp]", "factors: [password, totp]")];
    let variant =
        Variant { image: "debian12", suite: "bookworm", recipe: "debian-3fa.yaml", change: &change };
    boot(&variant, |_, _, client, codes, _| {
        let code = codes.fresh();
        let login = Login { user: "debian", key: None, password: Some(PASSWORD), code: Some(&code) };
        client.login(login, "true").assert_entered("password and code");
        let code = codes.fresh();
        let wrong = Login { password: Some("wrong"), code: Some(&code), ..login };
        client.login(wrong, "true").assert_refused("a wrong password");
        client.login(Login { code: Some("000000"), ..login }, "true").assert_refused("a wrong code");
    });
}

fn overlay(mode: &str, image: &str, suite: &str, upper: &str) {
    let to = format!("mode: {mode}{}", if mode == "tmpfs" { "" } else { ", dev: /dev/vdb" });
    let change = [("mode: crypt, dev: /dev/vdb", to.as_str())];
    let variant = Variant { image, suite, recipe: "debian-3fa-crypt.yaml", change: &change };
    boot(&variant, |workshop, _, client, codes, block| {
        assert_eq!(block["root"]["overlay"], mode, "{block}");
        let code = codes.fresh();
        let login =
            Login { user: "debian", key: Some(&workshop.key), password: Some(PASSWORD), code: Some(&code) };
        let outcome = client.login(login, "findmnt -no FSTYPE /; findmnt -no FSTYPE,SOURCE /media/root-rw");
        let mounts = outcome.assert_entered("all three");
        assert!(mounts.starts_with("overlay") && mounts.contains(upper), "{mounts}");
    });
}

#[test]
#[ignore = "the full suite boots it"]
fn overlay_in_memory() {
    overlay("tmpfs", "debian12-crypt", "bookworm", "tmpfs");
}

#[test]
#[ignore = "the full suite boots it"]
fn overlay_on_a_plain_disk() {
    overlay("device", "debian13-crypt", "trixie", "/dev/vdb");
}
