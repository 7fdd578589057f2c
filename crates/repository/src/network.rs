//! HTTP through `ureq`: bounded redirects, waits and answers; proxies as passed in.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use crate::{Error, Network};

/// Mirrors send to another host once or twice.
const REDIRECTS: u32 = 5;
/// Connections break; a service that refuses is not asked again.
const TRIES: u32 = 3;
/// A transfer that brings less than this in [`WINDOW`] ends: waits alone are bounded otherwise, and a host
/// that sends a byte now and then would hold a build for days.
const SLOWEST: u64 = 1024;
const WINDOW: Duration = Duration::from_secs(60);

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
            let secure = url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
            let request =
                self.agent.get(url).config().proxy(self.proxy(url).cloned()).https_only(secure).build();
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
                Err(ureq::Error::RequireHttpsOnly(to)) => {
                    return Err(failed(format!("sends on to {to}, which is not encrypted")));
                }
                Err(error) => return Err(failed(error.to_string())),
            };
            match answer.status().as_u16() {
                // What is longer than it may be is found by whoever reads.
                200 => {
                    let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
                    return Ok(Some(Box::new(Paced::new(body, WINDOW))));
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

/// A transfer that must go on.
struct Paced<R> {
    inner: R,
    window: Duration,
    waited: Duration,
    brought: u64,
}

impl<R> Paced<R> {
    fn new(inner: R, window: Duration) -> Self {
        Self { inner, window, waited: Duration::ZERO, brought: 0 }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // What the caller does with the bytes is no fault of the host.
        let asked = Instant::now();
        let read = self.inner.read(buffer)?;
        self.waited += asked.elapsed();
        self.brought += read as u64;
        if read > 0 && self.waited >= self.window {
            if self.brought < SLOWEST {
                let what = format!("brings less than {SLOWEST} bytes in {} seconds", self.window.as_secs());
                return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, what));
            }
            (self.waited, self.brought) = (Duration::ZERO, 0);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A byte at a time.
    struct Drip(usize);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_sub(1);
            buffer[0] = b'x';
            Ok(usize::from(self.0 > 0))
        }
    }

    #[test]
    fn a_trickle_ends_and_a_stream_does_not() {
        let error = Paced::new(Drip(5000), Duration::ZERO).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        let mut taken = Vec::new();
        let whole = vec![0_u8; 10_240];
        let mut fast = Paced::new(&whole[..], Duration::ZERO);
        let mut buffer = [0; 2048];
        while let Ok(read @ 1..) = fast.read(&mut buffer) {
            taken.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(taken.len(), whole.len());
        assert_eq!(Paced::new(Drip(500), WINDOW).read_to_end(&mut Vec::new()).unwrap(), 499);
    }
}
