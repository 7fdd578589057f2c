#![allow(clippy::unwrap_used)]
use crate::block::{Block, HostKey, Root, Surroundings, UserCredentials};

/// An ed25519 key made for this test.
const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKOqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

pub(crate) fn sample() -> Block {
    let secret = "5EENRV74MYRS6G4UYZMKTKSGKM";
    Block {
        hardtack: 1,
        boot_id: "2c9f6ad6-8a0e-4c3e-9a55-8f0f5bb9d2f1".into(),
        instance_id: Some("i-0123456789abcdef0".into()),
        hostname: "web-1".into(),
        time: "2026-11-21T10:00:00Z".into(),
        seal: "none".into(),
        users: vec![UserCredentials {
            name: "debian".into(),
            secret: secret.into(),
            otpauth: crate::otpauth::url(
                "debian-3fa",
                "debian",
                "web-1",
                Some("i-0123456789abcdef0"),
                secret,
            ),
            scratch_codes: ["30116782", "98721882", "10291978", "42715075", "70813242"]
                .map(str::to_owned)
                .to_vec(),
        }],
        host_keys: vec![HostKey::from_public_file(ED25519).unwrap()],
        root: Root {
            overlay: Some("crypt".into()),
            device: Some("/dev/vdb".into()),
        },
        doors: vec![
            "sudo: no password for debian (cloud-init's NOPASSWD)".into(),
            "GRUB's editor".into(),
        ],
    }
}

pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        factors: ["publickey", "password", "totp"]
            .map(str::to_owned)
            .to_vec(),
        synchronised: Some(true),
        ..Surroundings::default()
    }
}
