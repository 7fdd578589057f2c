//! Which proxy a request goes through: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in both spellings, as for curl
//! and AWS' tools. All go by CONNECT, those of plain HTTP too.

use std::net::IpAddr;

use ureq::Proxy;

use super::Failure;
use crate::Environment;
use crate::url::Url;

/// The proxies of an environment.
#[derive(Debug)]
pub(super) struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    bypassed: Vec<String>,
}

impl Proxies {
    pub(super) fn new(environment: &Environment) -> Result<Self, Failure> {
        let proxy = |names: &[&str]| match environment.first(names) {
            // The address may hold a password: it is not shown.
            Some(address) => Proxy::new(address).map(Some).map_err(|_| {
                Failure::lasting(format!("the proxy's address in {} is none that can be used", names[1]))
            }),
            None => Ok(None),
        };
        let bypassed = environment.first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        Ok(Self {
            https: proxy(&["https_proxy", "HTTPS_PROXY"])?,
            http: proxy(&["http_proxy", "HTTP_PROXY"])?,
            bypassed: bypassed
                .split([',', ' '])
                .filter(|entry| !entry.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
        })
    }

    /// The one for `url`.
    pub(super) fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.bypassed.iter().any(|entry| covers(entry, url)))
    }
}

/// Whether an entry of `NO_PROXY` means this address: `*`, a domain and all below it, an address or a network.
fn covers(entry: &str, url: &Url) -> bool {
    if entry == "*" || entry == url.authority {
        return true;
    }
    let host = url.host();
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse::<IpAddr>()) {
        return within(network, bits, address);
    }
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    host == domain
        || host.strip_suffix(domain).is_some_and(|before| !domain.is_empty() && before.ends_with('.'))
}

fn within(network: &str, bits: &str, address: IpAddr) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let Some(shift) = u32::checked_sub(width, bits) else { return false };
    // A shift by all 128 bits leaves nothing to compare.
    network.checked_shr(shift).unwrap_or(0) == address.checked_shr(shift).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_names_domains_addresses_and_networks() {
        let url = |host: &str| Url::new(&format!("http://{host}"), "/", &[]).unwrap();
        for (entry, host, expected) in [
            ("*", "a.example", true),
            ("example", "example", true),
            (".example", "example", true),
            ("example", "a.example", true),
            ("*.example", "a.example", true),
            ("example", "badexample", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.0/8", "10.200.0.1:8773", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "11.0.0.1", true),
            ("10.0.0.0/33", "10.0.0.1", false),
            ("fd00::/8", "[fd12::1]:80", true),
            ("::/0", "[fd12::1]", true),
            ("10.0.0.0/8", "a.example", false),
            ("a.example:8773", "a.example:8773", true),
            (".", "a", false),
        ] {
            assert_eq!(covers(entry, &url(host)), expected, "{entry} {host}");
        }
    }
}
