//! User-data for an image whose recipe promised something.
#![allow(clippy::unwrap_used)]

use hardtack_guest::{MemoryTree, Stage};
use hardtack_login::promise::kept;
use hardtack_login::{Promise, ServicePromise};

use super::super::closed_tests::{drop_in, writes};
use super::super::tests::{codes, found, hardened};

const UNIT: &str = "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";

/// The image of the three factors, with the promise that a build writes.
fn promised() -> MemoryTree {
    let image = hardened()
        .file("/lib/systemd/system/ssh.service", UNIT)
        .file("/usr/lib/x86_64-linux-gnu/security/pam_google_authenticator.so", "");
    let line = |keyword: &str, value: &str| (keyword.to_owned(), value.to_owned());
    let promise = Promise {
        sshd: vec![
            line("UsePAM", "yes"),
            line("KbdInteractiveAuthentication", "yes"),
            line("PasswordAuthentication", "no"),
            line("AuthenticationMethods", "publickey,keyboard-interactive"),
        ],
        kept: kept(&Stage::new(&image)).unwrap(),
        services: vec![ServicePromise {
            service: "sshd".into(),
            code: true,
            password: true,
            ..ServicePromise::default()
        }],
        ..Promise::default()
    };
    let agent = serde_json::json!({
        "version": 1, "recipe": "3fa", "mfa": {"users": ["debian"], "others": "refuse"}, "promise": promise,
        "accounts": [{"name": "debian", "password_hash": "$6$CANARY$CANARY"}],
    });
    image.file("/etc/hardtack/agent.json", agent.to_string())
}

#[test]
fn what_keeps_the_promise_is_not_talked_about() {
    for text in [
        "#cloud-config\nhostname: web\n".to_owned(),
        "#cloud-config\nusers: [default]\n".to_owned(),
        drop_in("X11Forwarding no"),
        writes("/etc/default/ssh", "SSHD_OPTS=\"-o UsePAM=yes\""),
        writes("/etc/systemd/system/ssh@.service", "[Service]\nExecStart=-/usr/sbin/sshd -i"),
        writes("/etc/systemd/system/ssh@.service.d/a.conf", "[Service]\nRestart=no"),
    ] {
        assert!(codes(&promised(), &text).is_empty(), "{text}: {:?}", found(&promised(), &text));
    }
}

#[test]
fn each_fault_is_told_once() {
    for (text, wanted) in [
        (drop_in("AuthenticationMethods publickey"), &["image-sshd-undone!"][..]),
        (drop_in("AuthorizedKeysCommand /x"), &["image-promise-broken!"]),
        (drop_in("TrustedUserCAKeys /etc/ssh/ca"), &["image-promise-broken!"]),
        (drop_in("StrictModes no"), &["image-promise-broken!"]),
        (drop_in("Match User bob\n  AuthenticationMethods publickey"), &["image-sshd-undone!"]),
        (drop_in("Match User bob\n  PermitRootLogin yes"), &["image-sshd-undone!"]),
        (drop_in("Match User bob\n  AuthorizedPrincipalsFile /x"), &["image-promise-broken!"]),
        (drop_in("Frobnicate yes"), &["image-sshd-broken!"]),
        (
            writes("/etc/systemd/system/ssh@.service", "[Service]\nExecStart=-/usr/sbin/sshd -i -oUsePAM=no"),
            &["image-promise-broken!"],
        ),
        (
            writes(
                "/etc/systemd/system/door.service",
                "[Service]\nExecStart=/usr/sbin/sshd -D -p 2222 -oUsePAM=no",
            ),
            &["image-promise-broken!"],
        ),
        (
            writes("/etc/default/ssh", "SSHD_OPTS=\"-o AuthenticationMethods=publickey -o UsePAM=no\""),
            &["image-sshd-undone!", "image-sshd-undone!"],
        ),
        (
            writes("/etc/systemd/system/ssh.service", "[Service]\nExecStart=/bin/true"),
            &["image-sshd-broken!", "image-no-way-in!"],
        ),
        (writes("/etc/pam.d/sshd", "@include common-auth"), &["image-pam-undone!"]),
        (
            writes("/etc/pam.d/sshd", "@include common-auth\nauth required pam_google_authenticator.so"),
            &["image-promise-broken!"],
        ),
        (
            writes(
                "/etc/pam.d/sshd",
                "@include common-auth\nauth required pam_google_authenticator.so noskewadj secret=/x",
            ),
            &["image-promise-broken!"],
        ),
    ] {
        assert_eq!(codes(&promised(), &text), wanted, "{text}: {:?}", found(&promised(), &text));
    }
    let told = found(&promised(), &drop_in("AuthorizedKeysCommand /x"));
    assert!(
        told[0].1.starts_with("/etc/ssh/sshd_config.d/00-a.conf:1: AuthorizedKeysCommand /x"),
        "{told:?}"
    );
}
