//! HTTP through `ureq`: bounded redirects, waits and answers; proxies as passed in.

use std::io::Read;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use crate::{Error, Network};

/// Mirrors send to another host once or twice.
const REDIRECTS: u32 = 5;
/// Connections break; a service that refuses is not asked again.
const TRIES: u32 = 3;

/// Connections to mirrors.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    http: Option<Proxy>,
    https: Option<Proxy>,
    direct: Vec<String>,
}

impl Client {
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let wrong = |url: &str, what: &str| Error::Network { url: url.to_owned(), what: what.to_owned() };
        let proxy = |address: &Option<String>, name: &str| match address {
            // The address may hold a password: it is not shown.
            Some(address) => Proxy::new(address)
                .map(Some)
                .map_err(|_| wrong(name, "is no proxy's address that can be used")),
            None => Ok(None),
        };
        let roots = match &network.authorities {
            Some(pem) => {
                let mut found = Vec::new();
                for item in parse_pem(pem) {
                    match item {
                        Ok(PemItem::Certificate(certificate)) => found.push(certificate),
                        Ok(_) => {}
                        Err(_) => return Err(wrong("the authorities' file", "is no PEM file")),
                    }
                }
                if found.is_empty() {
                    return Err(wrong("the authorities' file", "has no certificate in it"));
                }
                RootCerts::new_with_certs(&found)
            }
            None => RootCerts::WebPki,
        };
        let agent = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .max_redirects_will_error(true)
            .accept("*/*")
            .user_agent(concat!("hardtack/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(network.patience))
            .timeout_connect(Some(network.patience))
            .timeout_recv_response(Some(network.patience))
            .timeout_per_read(Some(network.patience))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            http: proxy(&network.http_proxy, "the proxy for http:")?,
            https: proxy(&network.https_proxy, "the proxy for https:")?,
            direct: network.no_proxy.iter().map(|name| name.to_ascii_lowercase()).collect(),
        })
    }

    /// What stands at `url`; `None` when the host says that nothing does.
    pub(crate) fn get(&self, url: &str) -> Result<Option<Box<dyn Read>>, Error> {
        let failed = |what: String| Error::Network { url: url.to_owned(), what };
        let mut tried = 1;
        loop {
            let request = self.agent.get(url).config().proxy(self.proxy(url).cloned()).build();
            let answer = match request.call() {
                Ok(answer) => answer,
                Err(error @ (ureq::Error::Io(_) | ureq::Error::Timeout(_))) if tried < TRIES => {
                    let _ = error;
                    tried += 1;
                    continue;
                }
                Err(ureq::Error::TooManyRedirects) => {
                    return Err(failed(format!("sends on more than {REDIRECTS} times")));
                }
                Err(error) => return Err(failed(error.to_string())),
            };
            match answer.status().as_u16() {
                // What is longer than it may be is found by whoever reads.
                200 => {
                    return Ok(Some(Box::new(
                        answer.into_body().into_with_config().limit(u64::MAX).reader(),
                    )));
                }
                404 | 410 => return Ok(None),
                500..=599 if tried < TRIES => tried += 1,
                status => return Err(failed(format!("the host answers with status {status}"))),
            }
        }
    }

    fn proxy(&self, url: &str) -> Option<&Proxy> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let host = authority.rsplit_once(':').map_or(&*authority, |(host, _)| host);
        let direct = self.direct.iter().any(|entry| {
            let domain = entry.trim_start_matches('*').trim_start_matches('.');
            entry == "*"
                || host == domain
                || host.strip_suffix(domain).is_some_and(|before| !domain.is_empty() && before.ends_with('.'))
        });
        let proxy = if scheme == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !direct)
    }
}
