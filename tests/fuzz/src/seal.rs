//! What is sealed and opened: keys, armor and contents of anybody's.

use std::io::Write as _;

use age::armor::{ArmoredWriter, Format};
use hardtack_credentials::UserCredentials;
use hardtack_credentials::seal::{OpenError, Recipient, SealError, fit, is_armored, open, recipients, seal};

use crate::memory::bounded;

/// What 8 KiB of keys, or a part of 64 KiB, may take.
const MEMORY: usize = 16 << 20;
/// A key that opens nothing but what is sealed here.
const OURS: &str = "AGE-SECRET-KEY-1PCXXKWKDEWU5LHA04CFYSRUZQ868NME5E5MJYFFN8YT7WQGFXKDQH4CJ23";

/// The input as a file of keys, as one key on each line, as armor, as what armor holds, and as what was sealed.
pub fn seal_and_open(input: &[u8]) {
    let Ok(ours) = OURS.parse::<age::x25519::Identity>() else { unreachable!("the key above is right") };
    let text = String::from_utf8_lossy(input);
    bounded(MEMORY, || {
        let mut keys = recipients(&text).usable;
        for key in &keys {
            // Its text names the same key.
            assert_eq!(Recipient::parse(&key.to_string()).as_ref(), Ok(key));
        }
        keys.extend(text.lines().filter_map(|line| Recipient::parse(line).ok()));
        sealed_to(&keys, &ours, input);
        opened(&text, &ours);
        opened(&armored(|armor| armor.write_all(input)), &ours);
        let recipient = ours.to_public();
        opened(
            &armored(|armor| {
                let to = std::iter::once(&recipient as &dyn age::Recipient);
                let encryptor = age::Encryptor::with_recipients(to).map_err(std::io::Error::other)?;
                let mut writer = encryptor.wrap_output(armor)?;
                writer.write_all(input)?;
                writer.finish().map(drop)
            }),
            &ours,
        );
    });
}

/// Whatever was taken for a key is sealed to, and does not keep another from opening.
fn sealed_to(keys: &[Recipient], ours: &age::x25519::Identity, input: &[u8]) {
    let user = UserCredentials { name: "a".into(), password: "kT8vR".into(), ..UserCredentials::default() };
    let mut state =
        input.iter().fold(1_u64, |state, byte| state.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let mut random = |buffer: &mut [u8]| {
        for byte in buffer {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        Ok(())
    };
    if let Ok(part) = fit(&user, keys, &mut random) {
        assert!(is_armored(&part.sealed) && part.left_out < keys.len());
    }
    // Sixteen numbers of RSA are enough for one input.
    let mut keys: Vec<Recipient> = keys.iter().take(16).cloned().collect();
    keys.extend(Recipient::parse(&ours.to_public().to_string()));
    match seal(&user, &keys, &mut random) {
        Ok(sealed) => assert_eq!(open(&sealed, &[ours]).as_ref(), Ok(&user)),
        // A point that leads nowhere.
        Err(error) => assert_eq!(error, SealError::Refused),
    }
}

/// Opened or refused; what was opened may be shown.
fn opened(armor: &str, ours: &age::x25519::Identity) {
    match open(armor, &[ours]) {
        Ok(user) => assert_eq!(user.check(), Ok(())),
        Err(
            OpenError::NotSealed(_) | OpenError::NoKey(_) | OpenError::Damaged | OpenError::NotCredentials(_),
        ) => {}
    }
}

fn armored(write: impl FnOnce(&mut ArmoredWriter<Vec<u8>>) -> std::io::Result<()>) -> String {
    let done = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).and_then(|mut armor| {
        write(&mut armor)?;
        armor.finish()
    });
    // Memory takes everything.
    String::from_utf8(done.unwrap_or_default()).unwrap_or_default()
}
