#![allow(clippy::unwrap_used)]
use hardtack_credentials::{MfaConfig, OverlayConfig, PackagesConfig};

use super::*;
use crate::testing::Tree;

const SAMPLE: &str = "5EENRV74MYRS6G4UYZMKTKSGKM\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 4\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n\
                      30116782\n98721882\n10291978\n42715075\n70813242\n";
const NOW: u64 = 1_763_720_000;
/// Port 22 on every address.
const LISTENING: &str = "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0\n";

fn tree() -> Tree {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Tree::new()
        .file(
            "etc/passwd",
            &format!("ann:x:{uid}:{gid}::/home/ann:/bin/bash\nbob:x:{uid}:{gid}::/home/bob:/bin/bash\n"),
        )
        .file("home/ann/.google_authenticator", SAMPLE)
        .file("home/bob/.google_authenticator", &SAMPLE.replace("REUSE", "REUSE 58790666"))
        .file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
        .file("proc/sys/kernel/random/boot_id", "2f6b1f7e-0000-4000-8000-000000000000\n")
        .file("proc/sys/kernel/hostname", "vm\n")
        .file("proc/net/tcp", LISTENING)
        .file("run/cloud-init/.instance-id", "i-0123\n")
        .file("var/lib/hardtack/identity.json", r#"{"instance_id":"i-0123"}"#)
        .file("sys/class/tty/console/active", "tty0 ttyS0\n")
        .file("dev/ttyS0", "")
        .file("dev/tty0", "")
}

fn config(users: &[&str]) -> AgentConfig {
    AgentConfig {
        recipe: "debian-3fa".into(),
        mfa: Some(MfaConfig {
            users: users.iter().map(|&user| user.to_owned()).collect(),
            ..MfaConfig::default()
        }),
        doors: vec!["su: asks for the password only".into()],
        ..AgentConfig::default()
    }
}

fn block(text: &str) -> serde_json::Value {
    let line = text.lines().find(|line| line.starts_with("{\"hardtack\":")).unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn the_block_on_the_console_says_it_all_and_nothing_of_those_who_logged_in() {
    let tree = tree();
    run(&tree.host(), &config(&["ann", "bob"]), || NOW).unwrap();
    let text = tree.read("dev/ttyS0");
    assert_eq!(tree.read("dev/tty0"), "", "never on a virtual terminal");
    let block = block(&text);
    assert_eq!(block["hostname"], "vm");
    assert_eq!(block["instance_id"], "i-0123");
    assert_eq!(block["time"], "2025-11-21T10:13:20Z");
    assert_eq!(block["root"], serde_json::json!({"overlay": null, "device": null}));
    assert_eq!(block["doors"][0], "su: asks for the password only");
    let users = block["users"].as_array().unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["secret"], "5EENRV74MYRS6G4UYZMKTKSGKM");
    assert_eq!(users[0]["scratch_codes"][0], "30116782");
    assert!(users[0]["otpauth"].as_str().unwrap().starts_with("otpauth://totp/debian-3fa:ann@vm"));
    assert!(text.contains("Your new secret key is: 5EENRV74MYRS6G4UYZMKTKSGKM"));
    assert!(!text.contains("SSH does not answer"));
}

#[test]
fn the_same_block_comes_at_every_boot_until_a_code_was_accepted() {
    let tree = tree();
    let users = |tree: &Tree| {
        run(&tree.host(), &config(&["ann"]), || NOW).unwrap();
        block(&tree.read("dev/ttyS0"))["users"].clone()
    };
    let first = users(&tree);
    let tree = tree.file("dev/ttyS0", "");
    assert_eq!(users(&tree), first);
    let tree = tree
        .file("dev/ttyS0", "")
        .file("home/ann/.google_authenticator", &SAMPLE.replace("REUSE", "REUSE 58790666"));
    assert_eq!(users(&tree), serde_json::json!([]));
    assert!(!tree.read("dev/ttyS0").contains("5EENRV74MYRS6G4UYZMKTKSGKM"));
    assert!(tree.read("dev/ttyS0").contains("Fingerprints only"));
}

#[test]
fn a_broken_promise_prints_a_loud_line_and_no_credentials() {
    let tree = tree();
    let mut config = config(&["ann"]);
    config.overlay = Some(OverlayConfig {
        mode: "crypt".into(),
        device: Some("/dev/vdb".into()),
        ..OverlayConfig::default()
    });
    let error = run(&tree.host(), &config, || NOW).unwrap_err().to_string();
    assert!(error.contains("no credentials were printed"), "{error}");
    let text = tree.read("dev/ttyS0");
    assert!(text.contains("HARDTACK PRINTS NO CREDENTIALS"), "{text}");
    assert!(text.contains("/ should be an overlay (crypt) and is a plain file system"), "{text}");
    assert!(!text.contains("5EEN") && !text.contains("BEGIN HARDTACK"), "{text}");
}

#[test]
fn what_went_wrong_is_told_beside_the_block() {
    let tree = tree().file("home/bob/.google_authenticator", "rubbish\n");
    let mut config = config(&["ann", "bob", "eve"]);
    config.packages = Some(PackagesConfig::default());
    let text =
        text(&tree.host(), &config, &overlay::root(&tree.host()), false, &guard::State::default(), NOW)
            .unwrap();
    assert!(text.contains("HARDTACK: SSH does not answer"), "{text}");
    assert!(text.contains("HARDTACK: eve does not exist"), "{text}");
    assert!(text.contains("HARDTACK: bob line 1 of the secret file is not"), "{text}");
    assert!(text.contains("the installation did not end"), "{text}");
    let long: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 80 && !line.starts_with('{') && !line.starts_with("ssh-"))
        .collect();
    assert_eq!(long, [""; 0]);
}

#[test]
fn what_went_wrong_is_told_in_80_columns_to_its_end() {
    let lines = sentence(
        "debian line 1 of the secret file is not a base32 secret of at least 80 bits: no login\nwith a code",
    );
    assert_eq!(
        lines,
        [
            "debian line 1 of the secret file is not a base32 secret of at least",
            "80 bits: no login with a code"
        ]
    );
    assert!(sentence(&"x".repeat(200)).iter().all(|line| line.len() < 70));
}
