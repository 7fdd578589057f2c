//! A cloud without a network: requests go to it directly, by the host of their URL.

use std::collections::BTreeMap;

use hardtack_http::{Error, Method, Request, Response, Transport};

use super::cloud::{Asked, Cloud, Reply};
use crate::clock::Clock;

/// Clouds by `host` or `host:port`, as URLs name them. Nobody is at any other host.
pub struct Table<'a> {
    clouds: BTreeMap<String, Cloud>,
    clock: &'a dyn Clock,
}

impl<'a> Table<'a> {
    /// An empty network. Who waits for an answer that does not come waits by `clock`.
    #[must_use]
    pub fn new(clock: &'a dyn Clock) -> Self {
        Self { clouds: BTreeMap::new(), clock }
    }

    /// With `cloud` at `host`.
    #[must_use]
    pub fn with(mut self, host: &str, cloud: Cloud) -> Self {
        self.clouds.insert(host.to_owned(), cloud);
        self
    }

    /// The cloud at `host`, where what it was asked can be seen.
    #[must_use]
    pub fn cloud(&self, host: &str) -> Option<&Cloud> {
        self.clouds.get(host)
    }
}

impl Transport for Table<'_> {
    fn send(&self, request: &Request<'_>) -> Result<Response, Error> {
        let rest = request.url.strip_prefix("http://").unwrap_or_default();
        let (host, path) = match rest.find('/') {
            Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at..).unwrap_or_default()),
            None => (rest, "/"),
        };
        let connection = |why: &str| Error::Connection { host: host.to_owned(), why: why.to_owned() };
        let answer = |why: &str| Error::Answer { host: host.to_owned(), why: why.to_owned() };
        let Some(cloud) = self.clouds.get(host) else {
            let is_name = host.bytes().any(|byte| byte.is_ascii_alphabetic()) && !host.starts_with('[');
            return Err(if is_name {
                Error::Name { host: host.to_owned(), why: "no name server knows it".to_owned() }
            } else {
                connection("no route to host")
            });
        };
        let method = match request.method {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Post => "POST",
        };
        let headers =
            request.headers.iter().map(|(name, value)| (name.to_lowercase(), (*value).to_owned())).collect();
        match cloud.reply(&Asked { method: method.to_owned(), path: path.to_owned(), headers }) {
            Reply::Answer { status, headers, body } => {
                if body.len() > request.limits.body {
                    return Err(answer(&format!("the body is larger than {} bytes", request.limits.body)));
                }
                let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
                Ok(Response { status, headers, body })
            }
            Reply::Hang => {
                let limit = request.limits.connect.min(request.limits.total);
                self.clock.sleep(limit);
                Err(Error::Timeout { host: host.to_owned(), seconds: limit.as_secs() })
            }
            Reply::Reset => Err(connection("connection reset by peer")),
            Reply::Raw(_) => Err(answer("it is no answer of HTTP")),
        }
    }
}
