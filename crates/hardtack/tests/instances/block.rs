//! A console with a credentials block on it.

use std::io::Read as _;

use hardtack_credentials::seal::{Recipient, fit};
use hardtack_credentials::{Block, HostKey, Root, Surroundings, UserCredentials, UserPart, otpauth};

pub(crate) const SECRET: &str = "5EENRV74MYRS6G4UYZMKTKSGKM";
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKOqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

fn user() -> UserCredentials {
    UserCredentials {
        name: "debian".into(),
        secret: SECRET.into(),
        otpauth: otpauth::url("debian-3fa", "debian", "web-1", None, SECRET),
        scratch_codes: vec!["30116782".into()],
        password: String::new(),
    }
}

fn of(part: UserPart, seal: &str) -> String {
    let block = Block {
        hardtack: 1,
        boot_id: "a".into(),
        instance_id: None,
        hostname: "web-1".into(),
        time: "2026-11-21T10:00:00Z".into(),
        seal: seal.into(),
        users: vec![part],
        host_keys: vec![HostKey::from_public_file(KEY).unwrap()],
        root: Root::default(),
        doors: Vec::new(),
        drift: Vec::new(),
    };
    format!("\r\n{}\r\nweb-1 login: ", block.render(&Surroundings::default()).replace('\n', "\r\n"))
}

/// In plain text.
pub(crate) fn block() -> String {
    of(UserPart::Plain(user()), "none")
}

/// Sealed to a key, the text of a `.pub` file.
pub(crate) fn sealed_block(public: &str) -> String {
    let recipient = Recipient::parse(public.trim()).unwrap();
    let random = &mut |bytes: &mut [u8]| {
        std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(bytes))
    };
    of(UserPart::Sealed(fit(&user(), &[recipient], random).unwrap()), "ssh")
}
