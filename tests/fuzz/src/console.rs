//! Console logs, and what stands in `authorized_keys`: both come from anywhere.

use hardtack_credentials::console::read;
use hardtack_credentials::seal::{Recipient, open, recipients, stanzas};
use hardtack_credentials::{UserCredentials, UserPart};

/// A log's bytes; the same as text are a file of keys, one key, and a sealed part.
pub fn console(input: &[u8]) {
    if let Ok(reading) = read(input) {
        for part in &reading.newest.block.users {
            match part {
                UserPart::Sealed(part) => assert!(stanzas(&part.sealed).is_ok()),
                UserPart::Plain(user) => assert_eq!(UserCredentials::check(user), Ok(())),
                UserPart::Withheld(_) => {}
            }
        }
    }
    let text = String::from_utf8_lossy(input);
    for recipient in recipients(&text).usable {
        // Its text names the same key.
        assert_eq!(Recipient::parse(&recipient.to_string()).as_ref(), Ok(&recipient));
    }
    let _ = Recipient::parse(&text);
    assert!(open(&text, &[]).is_err());
}
