#![allow(clippy::unwrap_used)]

use std::process::Command;

use super::*;
use crate::testing::has;

#[test]
fn servers_and_numbers() {
    for (server, url) in [
        ("keyserver.ubuntu.com", "http://keyserver.ubuntu.com:11371"),
        ("hkp://keys.example.org/", "http://keys.example.org:11371"),
        ("hkp://keys.example.org:80", "http://keys.example.org:80"),
        ("hkp://[2001:db8::1]", "http://[2001:db8::1]:11371"),
        ("hkps://keys.openpgp.org", "https://keys.openpgp.org"),
        ("http://10.0.0.1:8080/keys/", "http://10.0.0.1:8080/keys"),
    ] {
        assert_eq!(base(server), url);
    }
    assert_eq!(digits("0xabcdef01").as_deref(), Some("ABCDEF01"));
    assert_eq!(digits("0123 4567 89AB CDEF").as_deref(), Some("0123456789ABCDEF"));
    for bad in ["", "0x", "abc", "someone@example.org", "ABCDEFGH", "0123456789"] {
        assert_eq!(digits(bad), None, "{bad}");
    }
}

/// A key that gpg made, and its fingerprint.
fn key(home: &std::path::Path, name: &str) -> (Vec<u8>, String) {
    let gpg = |arguments: &[&str]| {
        let output = Command::new("gpg").arg("--homedir").arg(home).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    gpg(&["--batch", "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never"]);
    let listed = String::from_utf8(gpg(&["--with-colons", "--fingerprint", name])).unwrap();
    let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
    (gpg(&["--export", name]), line.split(':').nth(9).unwrap().to_owned())
}

#[test]
fn only_the_key_that_was_asked_for_is_kept() {
    if !has("gpg") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (one, first) = key(home.path(), "one@example.org");
    let (two, second) = key(home.path(), "two@example.org");
    let _ = Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "all"]).status();
    let both = [one.clone(), two.clone()].concat();
    assert_eq!(of_fingerprint(&both, &first).as_ref(), Some(&one));
    assert_eq!(of_fingerprint(&both, &second).as_ref(), Some(&two));
    assert_eq!(of_fingerprint(&both, &second[24..]).as_ref(), Some(&two));
    assert_eq!(of_fingerprint(&one, &second), None);
    // Damage is no panic, and never another key under the number that was asked for.
    for cut in 0..both.len() {
        let _ = of_fingerprint(&both[..cut], &second);
    }
    for at in 0..one.len().min(60) {
        let mut damaged = one.clone();
        damaged[at] ^= 0xff;
        if let Some(kept) = of_fingerprint(&damaged, &first) {
            assert_eq!(fingerprint(packet(&kept).unwrap().body), Some(first.clone()), "byte {at}");
        }
    }
}
