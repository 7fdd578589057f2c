//! What the build says of keys that it knows.
#![allow(clippy::unwrap_used)]

use hardtack_credentials::{AccountConfig, MfaConfig, RecoveryConfig};
use hardtack_guest::{MemoryTree, Stage};

use super::*;
use crate::context::Weight;
use crate::model::Drift;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO5h8DIySxBfG9xH1ZyDnaU10tByk9debZSCglI01tqy";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDcx88Kcz5+WxwrzfkPTHvTsinwfRkVaD4Qn0QNBMr+lu1j0ZghERQ/YzR0jWKQwY1n519D9zaSfAU2CL+kyoHU=";

const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn tree(authorized_keys: &str) -> MemoryTree {
    let tree = MemoryTree::new()
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\n",
        )
        .file("/etc/passwd", "carol:x:1000:1000::/home/carol:/bin/bash\n");
    match authorized_keys {
        "" => tree,
        keys => tree.file("/home/carol/.ssh/authorized_keys", keys),
    }
}

fn account(name: &str, keys: &[&str]) -> AccountConfig {
    let authorized_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    AccountConfig { name: name.to_owned(), authorized_keys, ..AccountConfig::default() }
}

/// What is said, and what the agent is told.
fn run(step: &MfaStep, image: &str, accounts: Vec<AccountConfig>) -> (Vec<(Weight, String)>, MfaConfig) {
    let tree = tree(image);
    let mut stage = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut stage);
    cx.agent.accounts = accounts;
    tell(step, &mut cx).unwrap();
    let agent = super::super::agent_part(step, &cx);
    (cx.notes.into_iter().map(|note| (note.weight, note.text)).collect(), agent)
}

fn step(seal: Seal) -> MfaStep {
    MfaStep { users: vec!["carol".to_owned()], seal, ..MfaStep::default() }
}

#[test]
fn who_cannot_open_anything_is_named_at_the_build() {
    let comment = format!("# laptop\n{ECDSA}\n");
    let authority = format!("cert-authority {ED25519}\n");
    let both = format!("{ECDSA}\n{ED25519}\n");
    for (seal, image, recipe, wanted) in [
        (Seal::Ssh, "", vec![ECDSA], Some((Weight::Warning, "will not be printed"))),
        (Seal::Ssh, comment.as_str(), vec![], Some((Weight::Warning, "ecdsa-sha2-nistp256"))),
        (Seal::Ssh, authority.as_str(), vec![], Some((Weight::Warning, "authorities"))),
        (Seal::Ssh, authority.as_str(), vec![ECDSA], Some((Weight::Warning, "ecdsa-sha2-nistp256"))),
        (Seal::Auto, "", vec![ECDSA], Some((Weight::Info, "will be plain text"))),
        (Seal::Ssh, comment.as_str(), vec![ED25519], None),
        (Seal::Ssh, both.as_str(), vec![], None),
        (Seal::Ssh, "", vec![], None),
        (Seal::Auto, "", vec![], None),
        (Seal::None, "", vec![ECDSA], None),
        (Seal::Recipients(vec![ED25519.to_owned()]), "", vec![ECDSA], None),
    ] {
        let (notes, _) = run(&step(seal.clone()), image, vec![account("carol", &recipe)]);
        match wanted {
            None => assert!(notes.is_empty(), "{seal:?} {image}: {notes:?}"),
            Some((weight, part)) => {
                assert_eq!(notes.len(), 1, "{seal:?} {image}: {notes:?}");
                assert!(notes[0].0 == weight && notes[0].1.contains("carol"), "{notes:?}");
                assert!(notes[0].1.contains(part), "{notes:?}");
            }
        }
    }
}

#[test]
fn the_agent_is_told_who_opens_what() {
    let (_, agent) = run(&step(Seal::Recipients(vec![ED25519.to_owned()])), "", Vec::new());
    assert_eq!((agent.seal.as_str(), &agent.recipients[..]), ("recipients", &[ED25519.to_owned()][..]));
    assert_eq!((agent.on_drift.as_str(), agent.recovery), ("stop-ssh", None));

    let recovery = |recipients: &[&str]| MfaStep {
        users: vec!["carol".to_owned(), "rescue".to_owned()],
        recovery: Some(Recovery {
            user: "rescue".to_owned(),
            recipients: recipients.iter().map(|text| (*text).to_owned()).collect(),
        }),
        on_drift: Drift::Warn,
        ..step(Seal::None)
    };
    let commented = format!("no-pty {ED25519} me@home");
    for (named, keys, wanted, warned) in [
        (&[AGE][..], &[ED25519][..], &[AGE][..], false),
        (&[], &[commented.as_str(), ECDSA], &[ED25519], false),
        (&[], &[ECDSA], &[], true),
        (&[], &[], &[], true),
    ] {
        let (notes, agent) = run(&recovery(named), "", vec![account("rescue", keys)]);
        let recipients = wanted.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(agent.recovery, Some(RecoveryConfig { user: "rescue".to_owned(), recipients }));
        assert_eq!(agent.on_drift, "warn");
        assert_eq!(
            notes.iter().any(|(_, text)| text.contains("rescue will be plain text")),
            warned,
            "{notes:?}"
        );
    }
}

/// More keys than a block has room for: an RSA key takes as much as five others.
#[test]
fn recipients_that_a_block_has_no_room_for_are_told() {
    let rsa = |last: u8| {
        // Other numbers of the same size: nobody has their private halves.
        let mut modulus = vec![0x01; 512];
        (modulus[0], modulus[510], modulus[511]) = (0xc5, last, 0x0f);
        let mut blob = Vec::new();
        for part in [&b"ssh-rsa"[..], &[1, 0, 1], &[&[0][..], &modulus].concat()] {
            blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            blob.extend(part);
        }
        format!("ssh-rsa {}", base64(&blob))
    };
    let list: Vec<String> = (1..=8).map(rsa).collect();
    assert!(Recipient::parse(&list[0]).is_ok(), "{}", list[0]);
    let (notes, agent) = run(&step(Seal::Recipients(list.clone())), "", Vec::new());
    assert_eq!(agent.recipients, list);
    assert!(notes.len() == 1 && notes[0].0 == Weight::Warning, "{notes:?}");
    assert!(notes[0].1.contains("of its 8 recipients"), "{notes:?}");
    let (notes, _) = run(&step(Seal::Recipients(vec![rsa(1), AGE.to_owned()])), "", Vec::new());
    assert!(notes.is_empty(), "{notes:?}");
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
