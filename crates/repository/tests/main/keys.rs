//! Certificates that are in a ring several times, and names that were withdrawn.

use std::time::SystemTime;

use hardtack_repository::{Catalogue, Distrust, Error, Settings};

use crate::made::{Made, architectures, have};

const TOOLS: [&str; 7] = ["gpg", "gpgv", "apt-ftparchive", "dpkg-deb", "xz", "gzip", "zstd"];

fn made() -> Made {
    let made = Made::new();
    made.deb("a", "1.0", "");
    made.index("");
    made
}

/// Why the signature is not trusted by these rings together; `None` when it is.
fn untrusted(made: &Made, rings: &[&[u8]]) -> Option<Distrust> {
    std::fs::write(made.path("all.gpg"), rings.concat()).unwrap();
    let source = made.source("all");
    match Catalogue::open(&[source], &architectures(), &Settings::new(SystemTime::now()), None) {
        Err(Error::Untrusted { distrust, .. }) => Some(distrust),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    }
}

fn print(made: &Made, name: &str) -> String {
    let listed = made.gpg(&["--with-colons", "--list-keys", &format!("{name}@example.org")]).stdout;
    let listed = String::from_utf8(listed).unwrap();
    listed.lines().find(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap().to_owned()
}

#[test]
fn what_any_copy_of_a_key_says_counts() {
    if !have("what_any_copy", &TOOLS) {
        return;
    }
    let made = made();
    made.key("gone", "ed25519", &[], "0");
    made.sign(&["gone"], &[]);
    let before = made.ring("gone");
    let file = made.path(&format!("g/openpgp-revocs.d/{}.rev", print(&made, "gone")));
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(made.path("revocation"), text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
    made.gpg(&["--import", made.path("revocation").to_str().unwrap()]);
    made.export("gone");
    let revoked = made.ring("gone");
    assert_eq!(untrusted(&made, &[&before]), None);
    for rings in [[&before[..], &revoked[..]], [&revoked, &before]] {
        assert!(matches!(untrusted(&made, &rings), Some(Distrust::KeyRevoked(_))));
    }

    made.key("old", "ed25519", &["--faked-system-time", "20200101T000000"], "1d");
    let expired = made.ring("old");
    made.gpg(&["--quick-set-expire", &print(&made, "old"), "0"]);
    made.sign(&["old"], &[]);
    made.export("old");
    let renewed = made.ring("old");
    assert!(matches!(untrusted(&made, &[&expired]), Some(Distrust::KeyExpired { .. })));
    for rings in [[&expired[..], &renewed[..]], [&renewed, &expired]] {
        assert_eq!(untrusted(&made, &rings), None);
    }
}

#[test]
fn a_name_that_was_withdrawn_binds_no_key() {
    if !have("a_name_that_was_withdrawn", &TOOLS) {
        return;
    }
    let made = made();
    made.key("named", "ed25519", &[], "0");
    let print = print(&made, "named");
    made.gpg(&["--quick-add-uid", &print, "later <later@example.org>"]);
    made.gpg(&["--quick-revoke-uid", &print, "named <named@example.org>"]);
    made.sign(&["later"], &[]);
    made.export("later");
    assert_eq!(untrusted(&made, &[&made.ring("later")]), None);
    assert!(made.gpgv("later"));
    let only = made.path("only.gpg");
    let keep = ["--export-filter", "keep-uid=uid =~ named@", "--export", &print];
    made.gpg(&[&["--output", only.to_str().unwrap()], &keep[..]].concat());
    let found = untrusted(&made, &[&made.ring("only")]);
    assert!(matches!(found, Some(Distrust::WeakKey { .. })), "{found:?}");
}
