//! Where access keys come from.

mod container;
mod environment;
pub mod euca;
mod fetch;
pub(crate) mod files;
mod machine;
mod process;
pub(crate) mod profile;
mod provider;
mod role;
mod search;
mod sso;

pub use provider::Provider;

use std::fmt;
use std::time::SystemTime;

use zeroize::Zeroizing;

/// An access key.
#[derive(Clone)]
pub struct Credentials {
    /// Its id. Not secret.
    pub id: String,
    /// Its secret.
    pub secret: Zeroizing<String>,
    /// The session's token, of keys that end.
    pub token: Option<Zeroizing<String>>,
    /// When it ends.
    pub expires: Option<SystemTime>,
    /// Where it was found, for messages: "the profile build of ~/.aws/credentials".
    pub origin: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credentials({} from {})", self.id, self.origin)
    }
}

#[cfg(test)]
pub(crate) mod tests;
