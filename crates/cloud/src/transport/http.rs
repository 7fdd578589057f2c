//! Sends one request, and reads one answer.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy, http};

use super::proxy::Proxies;
use super::{Failure, Response};
use crate::url::Url;
use crate::{Environment, Patience};

/// A body needs this long for each of its bytes, at most: 64 KiB in a second.
const SLOWEST: u64 = 64 * 1024;
/// Refusals are read up to here; the rest says nothing.
const REFUSAL: usize = 64 * 1024;
/// Above this a service is asked whether it takes a body before it is sent: it may refuse a part of 10 MiB by its
/// headers, and would cut the connection while the part is still on its way.
const ASKED: usize = 1 << 20;
/// Files of authorities are a few hundred KiB.
const AUTHORITIES: u64 = 16 << 20;

/// A request with everything that it is sent with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a Url,
    /// Headers, `host` among them.
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
    /// The answer's body is not longer.
    pub(crate) limit: usize,
    /// A new connection: on one that was used before nobody knows whether the request still arrived.
    pub(crate) fresh: bool,
    /// No proxy: services of the machine itself (container credentials, instance metadata).
    pub(crate) direct: bool,
    /// Of a body that is too long the beginning is enough.
    pub(crate) cut: bool,
}

/// Connections. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    kept: Agent,
    fresh: Agent,
    proxies: std::sync::Arc<Proxies>,
    patience: Patience,
}

impl Transport {
    /// Only the certificates of `authorities`, or of `AWS_CA_BUNDLE`, are accepted where one is given, as AWS' own
    /// tools do it; the well-known ones (Mozilla's) otherwise.
    ///
    /// # Errors
    /// A file of authorities that cannot be read, a proxy's address that is none.
    pub(crate) fn new(
        environment: &Environment,
        authorities: Option<&Path>,
        verify: bool,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let authorities = authorities
            .map(Path::to_owned)
            .or_else(|| environment.variable("AWS_CA_BUNDLE").map(PathBuf::from));
        let roots = match authorities {
            Some(path) if verify => RootCerts::new_with_certs(&certificates(&path)?),
            _ => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder().root_certs(roots).disable_verification(!verify).build();
        let agent = |idle: usize| {
            Agent::config_builder()
                .tls_config(tls.clone())
                .proxy(None)
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .accept("*/*")
                .user_agent(concat!("hardtack/", env!("CARGO_PKG_VERSION")))
                .max_idle_connections(idle)
                .max_idle_connections_per_host(idle)
                .timeout_resolve(Some(patience.connect))
                .timeout_connect(Some(patience.connect))
                .timeout_per_read(Some(patience.attempt))
                .timeout_per_write(Some(patience.attempt))
                .timeout_await_100(Some(Duration::from_secs(1)))
                .build()
                .new_agent()
        };
        let proxies = std::sync::Arc::new(Proxies::new(environment)?);
        Ok(Self { kept: agent(64), fresh: agent(0), proxies, patience })
    }

    /// Sends `outgoing`.
    pub(crate) fn send(&self, outgoing: &Outgoing<'_>) -> Result<Response, Failure> {
        let proxy = if outgoing.direct { None } else { self.proxies.of(outgoing.url) };
        let agent = if outgoing.fresh { &self.fresh } else { &self.kept };
        let extra = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX) / SLOWEST;
        let whole = self.patience.attempt.saturating_add(Duration::from_secs(extra));
        let answer = run(agent, outgoing, proxy.cloned(), whole).map_err(|error| {
            let mut failure = Failure::of(&error);
            if let Some(proxy) = proxy {
                failure.what.push_str(&format!(" (through the proxy {}:{})", proxy.host(), proxy.port()));
            }
            failure
        })?;
        let (head, body) = answer.into_parts();
        let status = head.status.as_u16();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let refused = status >= 300;
        let limit = if refused { REFUSAL } else { outgoing.limit };
        let body = read(body, limit, refused || outgoing.cut)?;
        Ok(Response { status, headers, body })
    }
}

fn run(
    agent: &Agent,
    outgoing: &Outgoing<'_>,
    proxy: Option<Proxy>,
    whole: Duration,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    let mut builder = http::Request::builder().method(outgoing.method).uri(outgoing.url.text());
    for (name, value) in outgoing.headers {
        builder = builder.header(name, value);
    }
    if outgoing.body.len() > ASKED {
        builder = builder.header("expect", "100-continue");
    }
    if outgoing.body.is_empty() && matches!(outgoing.method, "GET" | "HEAD" | "DELETE") {
        let request = builder.body(())?;
        let request = agent.configure_request(request).timeout_global(Some(whole)).proxy(proxy).build();
        return agent.run(request);
    }
    let request = builder.body(outgoing.body)?;
    let request = agent.configure_request(request).timeout_global(Some(whole)).proxy(proxy).build();
    agent.run(request)
}

/// The body, at most `limit` bytes; what is more is cut off (`cut`), or an error.
fn read(body: ureq::Body, limit: usize, cut: bool) -> Result<Vec<u8>, Failure> {
    let told = body.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let too_long =
        || Failure { what: format!("its answer is longer than {limit} bytes"), reached: true, again: false };
    if told > limit && !cut {
        return Err(too_long());
    }
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(told.min(limit).min(1 << 20));
    let read = body.into_with_config().limit(u64::MAX).reader().take(most).read_to_end(&mut bytes);
    match read {
        Ok(_) if bytes.len() > limit && !cut => Err(too_long()),
        Ok(_) => {
            bytes.truncate(limit);
            Ok(bytes)
        }
        // A refusal is one, whatever comes after its headers.
        Err(_) if cut => {
            bytes.truncate(limit);
            Ok(bytes)
        }
        Err(error) => Err(Failure::of(&ureq::Error::from(error))),
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let unreadable =
        |what: String| Failure::lasting(format!("the authorities' file {}: {what}", path.display()));
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(AUTHORITIES).read_to_end(&mut text).map_err(|error| unreadable(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|_| unreadable("it is no PEM file".to_owned()))?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    Ok(found)
}
