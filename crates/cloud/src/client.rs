//! One client for all services of a place: signs, sends, tries again.

use std::sync::Arc;
use std::time::Duration;

use crate::credentials::Provider;
use crate::query::Query;
use crate::transport::{Request, Response};
use crate::xml::Element;
use crate::{Environment, Error, Place, Service};

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one try of a call, from the first byte sent to the last received.
    pub attempt: Duration,
    /// Tries of one call, at least 1.
    pub tries: u32,
    /// The wait before the second try, at most; each later one doubles it, up to 20 s. The wait is a random
    /// part of it (full jitter).
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            attempt: Duration::from_secs(120),
            tries: 6,
            pause: Duration::from_millis(500),
        }
    }
}

/// A client. Clones share connections and credentials.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    provider: Provider,
    environment: Arc<Environment>,
    patience: Patience,
}

impl Client {
    /// A client of `place`.
    pub fn new(place: Place, provider: Provider, environment: Arc<Environment>, patience: Patience) -> Self {
        Self { inner: Arc::new(Inner { place, provider, environment, patience }) }
    }

    /// Where it talks to.
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// What it was given.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.inner.environment
    }

    /// Its credentials.
    pub fn provider(&self) -> &Provider {
        &self.inner.provider
    }

    /// The same, talking to another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let place = self.place().in_region(region);
        Self::new(place, self.inner.provider.clone(), self.inner.environment.clone(), self.inner.patience)
    }

    /// Signs and sends `request`, again where that is worth it, and gives the answer of a status below 300.
    /// `call` is the name in errors. `limit` bounds the body in bytes.
    pub(crate) fn send(
        &self,
        service: Service,
        call: &str,
        request: &Request<'_>,
        limit: usize,
    ) -> Result<Response, Error> {
        let _ = (service, call, request, limit, self.inner.patience);
        crate::error::pending()
    }

    /// A call of the query protocol; the answer's root element.
    pub(crate) fn query(&self, service: Service, action: &str, query: &Query) -> Result<Element, Error> {
        let _ = (service, action, query);
        crate::error::pending()
    }

    /// A call of the JSON 1.1 protocol (`X-Amz-Target`), of SSM and KMS.
    pub(crate) fn json(
        &self,
        service: Service,
        action: &str,
        input: &serde_json::Value,
    ) -> Result<serde_json::Value, Error> {
        let _ = (service, action, input);
        crate::error::pending()
    }
}
