//! One client for all services of a place: signs, sends, tries again.

mod attempt;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::attempt::{Call, Content};
use crate::credentials::Provider;
use crate::query::Query;
use crate::transport::{Body, Failure, Request, Response, Transport};
use crate::xml::{self, Element};
use crate::{Environment, Error, Place, Service, refusal};

/// Answers of the query and JSON protocols are not longer.
const QUERY_LIMIT: usize = 16 << 20;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one try of a call, from the first byte sent to the last received, and a second more for each 64 KiB
    /// sent.
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
    /// Made when it is needed first.
    transport: Arc<OnceLock<Result<Transport, Failure>>>,
}

impl Client {
    /// A client of `place`.
    pub fn new(place: Place, provider: Provider, environment: Arc<Environment>, patience: Patience) -> Self {
        let transport = Arc::default();
        Self { inner: Arc::new(Inner { place, provider, environment, patience, transport }) }
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

    /// The same, talking to another region over the same connections.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let Inner { place, provider, environment, patience, transport } = &*self.inner;
        let inner = Inner {
            place: place.in_region(region),
            provider: provider.clone(),
            environment: environment.clone(),
            patience: *patience,
            transport: transport.clone(),
        };
        Self { inner: Arc::new(inner) }
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
        let call = Call { service, name: call, once: false, unsigned: false, limit, look: false };
        self.call(&call, Content::Request(request)).map_err(|trouble| trouble.error)
    }

    /// Sends `request` without credentials, and gives what is answered, refusals too: what anybody would see. Of a body
    /// that is longer than `limit` the beginning is given.
    pub(crate) fn look(
        &self,
        service: Service,
        call: &str,
        request: &Request<'_>,
        limit: usize,
    ) -> Result<Response, Error> {
        let call = Call { service, name: call, once: false, unsigned: true, limit, look: true };
        self.call(&call, Content::Request(request)).map_err(|trouble| trouble.error)
    }

    /// A call of the query protocol; the answer's root element.
    pub(crate) fn query(&self, service: Service, action: &str, query: &Query) -> Result<Element, Error> {
        self.form(service, action, query, false, false)
    }

    /// The same for what must not be done twice: it is sent again only where the service cannot have done it.
    pub(crate) fn query_once(&self, service: Service, action: &str, query: &Query) -> Result<Element, Error> {
        self.form(service, action, query, true, false)
    }

    /// The same without credentials.
    pub(crate) fn query_unsigned(
        &self,
        service: Service,
        action: &str,
        query: &Query,
    ) -> Result<Element, Error> {
        self.form(service, action, query, false, true)
    }

    fn form(
        &self,
        service: Service,
        action: &str,
        query: &Query,
        once: bool,
        unsigned: bool,
    ) -> Result<Element, Error> {
        let pairs = query.call(service, action);
        let call = Call { service, name: action, once, unsigned, limit: QUERY_LIMIT, look: false };
        let answer = self.call(&call, Content::Form(&pairs)).map_err(|trouble| trouble.error)?;
        let strange = |what: String| Error::Answer { service: service.name(), call: action.to_owned(), what };
        let root = xml::parse(&answer.body).map_err(strange)?;
        if let Some(error) = refusal::hidden(service, action, answer.status, &root) {
            return Err(error);
        }
        // `RegisterImageResponse`; some of Eucalyptus' end otherwise.
        if !root.name.starts_with(action) {
            let root = refusal::short(&root.name);
            return Err(strange(format!("<{root}> in the place of <{action}Response>")));
        }
        Ok(root)
    }

    /// A call of the JSON 1.1 protocol (`X-Amz-Target`), of SSM and KMS.
    pub(crate) fn json(
        &self,
        service: Service,
        action: &str,
        input: &serde_json::Value,
    ) -> Result<serde_json::Value, Error> {
        let prefix = match service {
            Service::Kms => "TrentService",
            _ => "AmazonSSM",
        };
        let body = input.to_string();
        let request = Request {
            method: "POST",
            path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![
                ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target".to_owned(), format!("{prefix}.{action}")),
            ],
            body: Body::Signed(body.as_bytes()),
        };
        let answer = self.send(service, action, &request, QUERY_LIMIT)?;
        if answer.body.is_empty() {
            return Ok(serde_json::Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Error::Answer {
            service: service.name(),
            call: action.to_owned(),
            what: format!("no JSON: {error}"),
        })
    }
}

#[cfg(test)]
mod tests;
