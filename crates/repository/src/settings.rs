//! What a caller passes in: the clock, the network, directories, what is tolerated.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How the network is reached.
#[derive(Clone, Debug)]
pub struct Network {
    /// The proxy for `http:` (`http_proxy`).
    pub http_proxy: Option<String>,
    /// The proxy for `https:` (`https_proxy`).
    pub https_proxy: Option<String>,
    /// Hosts that are reached without one (`no_proxy`): names, domains with a leading dot, `*`.
    pub no_proxy: Vec<String>,
    /// PEM certificates that are accepted instead of the well-known ones.
    pub authorities: Option<Vec<u8>>,
    /// For connecting, and for every wait on a connection.
    pub patience: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            http_proxy: None,
            https_proxy: None,
            no_proxy: Vec::new(),
            authorities: None,
            patience: Duration::from_secs(30),
        }
    }
}

/// How repositories are read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Now: signatures, keys and `Valid-Until` are judged by it.
    pub now: SystemTime,
    /// The network; `None` asks nobody (`file:` and `offline` remain).
    pub network: Option<Network>,
    /// A directory for what was fetched; made when it is missing.
    pub cache: Option<PathBuf>,
    /// A directory that stands for all repositories: `.deb` files, or mirrors (`dists/` in it, or in
    /// `HOST/PATH` below it). Nothing is fetched then, not even with a network.
    pub offline: Option<PathBuf>,
    /// Take a `Release` whose `Valid-Until` has passed, with a note.
    pub allow_expired: bool,
    /// Take `trusted=yes` at its word: no signature is asked for.
    pub allow_trusted: bool,
}

impl Settings {
    /// At this time, without a network, a cache or tolerance.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self { now, network: None, cache: None, offline: None, allow_expired: false, allow_trusted: false }
    }
}
