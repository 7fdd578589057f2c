//! OpenPGP: keyrings, clear-signed messages, and whether a signature proves anything.
//!
//! The packets and the mathematics are rPGP's (`pgp`): pure Rust, MIT or Apache-2.0, audited, and
//! maintained by the people of Delta Chat. Sequoia is as good and under the LGPL, which asks for relinkable
//! objects of a static program; its own pure-Rust backend is marked as not for production.
//! rPGP checks that a signature fits and leaves the rest to its caller: which key is alive, what may sign, which
//! digests count. That is here ([`keyring`]), after gpgv and apt's `methods/gpgv.cc`. What a clear-signed
//! message covers is decided here too ([`cleartext`]), and only that text is ever returned.

mod cleartext;
mod keyring;

pub(crate) use keyring::{Keyring, Proof};

use crate::Distrust;

/// The text that a clear-signed message covers, and who signed it.
pub(crate) fn verify_clear(message: &[u8], keyring: &Keyring, now: u64) -> Result<(String, Proof), Distrust> {
    let parts = cleartext::split(message)?;
    let proof = keyring.judge(parts.signature.as_bytes(), parts.text.as_bytes(), true, now)?;
    // The last line's end is not part of what is signed.
    Ok((parts.text + "\n", proof))
}

/// Who signed `content`, by a signature in a file of its own.
pub(crate) fn verify_detached(
    content: &[u8],
    signature: &[u8],
    keyring: &Keyring,
    now: u64,
) -> Result<Proof, Distrust> {
    keyring.judge(signature, content, false, now)
}

/// The text of a clear-signed message whose signature nobody asks for.
pub(crate) fn unchecked(message: &[u8]) -> Result<String, Distrust> {
    cleartext::split(message).map(|parts| parts.text + "\n")
}
