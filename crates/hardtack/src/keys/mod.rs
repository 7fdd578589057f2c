//! Private keys of people: their files, and the passphrases on them.
//!
//! What is common to the verbs that read a private key: the envelope, both ways in which OpenSSL puts a
//! passphrase on a key, and the asking. What is made of the key is the verb's own.

pub(crate) mod legacy;
pub(crate) mod passphrase;
pub(crate) mod pem;
pub(crate) mod pkcs8;

use std::fmt;

/// Why a file opens nothing, in words that a person can act on. Never holds a byte of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// What was found and what is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) advice: String,
}

impl Unusable {
    pub(crate) fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), advice: advice.into() }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// "write a copy that …": the sentence for keys in the wrong clothes.
pub(crate) fn wants_openssh() -> &'static str {
    "write a copy in OpenSSH's format: cp KEY KEY.openssh; ssh-keygen -p -f KEY.openssh"
}
