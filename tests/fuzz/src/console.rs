//! Console logs: anybody who gets at a console writes there.

use hardtack_credentials::console::read;
use hardtack_credentials::seal::stanzas;
use hardtack_credentials::{UserCredentials, UserPart};

use crate::memory::bounded;

/// What the readings of 8 KiB may take, each after the other.
const MEMORY: usize = 16 << 20;

/// A log's bytes. Whatever counts as a block may be used.
pub fn console(input: &[u8]) {
    let Ok(reading) = bounded(MEMORY, || read(input)) else { return };
    for part in &reading.newest.block.users {
        match part {
            UserPart::Sealed(part) => assert!(stanzas(&part.sealed).is_ok()),
            UserPart::Plain(user) => assert_eq!(UserCredentials::check(user), Ok(())),
            UserPart::Withheld(_) => {}
        }
    }
    for part in &reading.resealed {
        assert!(stanzas(&part.sealed).is_ok());
    }
}
