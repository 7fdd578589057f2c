//! Signatures: version 4 by `aws-sigv4`, version 2 our own.

pub(crate) mod v2;
pub(crate) mod v4;

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// What of a body is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Its SHA-256, in hexadecimal digits.
    Digest(String),
    /// Nothing (`UNSIGNED-PAYLOAD`).
    Unsigned,
}

impl Payload {
    /// The digest of `body`.
    pub(crate) fn of(body: &[u8]) -> Self {
        Self::Digest(Sha256::digest(body).iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }
}
