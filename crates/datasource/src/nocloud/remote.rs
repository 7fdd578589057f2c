//! `seedfrom`: the rest of a seed at an address (`cloudinit/util.py`, `read_seeded`).

use std::time::Duration;

use hardtack_http::{Limits, Method, Request, Transport};
use hardtack_userdata::layers;

use super::gather::{Gathered, mapping, network_config};
use super::{Outcome, complete};

/// Bytes of one file.
const MOST: usize = 16 << 20;

/// A seed whose rest is in the network.
#[derive(Clone, Debug)]
pub struct Pending {
    pub(super) gathered: Gathered,
    pub(super) from: String,
    pub(super) has_lxd: bool,
}

impl Pending {
    /// The address, SMBIOS's marks put in.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.from
    }

    /// The configuration of the network that the seed brings along already.
    #[must_use]
    pub fn network_config(&self) -> Option<&str> {
        self.gathered.network.as_deref()
    }

    /// Fetches the rest. `pause` waits between two attempts, and says no when the time is over.
    #[must_use]
    pub fn fetch(self, transport: &dyn Transport, pause: &mut dyn FnMut() -> bool) -> Outcome {
        let mut get = |address: &str| get(transport, address, pause);
        match add(self.gathered, &self.from, &mut get) {
            Ok(gathered) => complete(gathered, self.has_lxd, "DataSourceNoCloudNet"),
            Err(why) => Outcome::Unusable(why),
        }
    }
}

/// One file. What the server refuses is final, what may get better is asked for again.
fn get(transport: &dyn Transport, address: &str, pause: &mut dyn FnMut() -> bool) -> Result<Vec<u8>, String> {
    if address.starts_with("ftp") {
        return Err("ftp is not spoken here: use http".to_owned());
    }
    let limits = Limits {
        connect: Duration::from_secs(10),
        total: Duration::from_secs(120),
        body: MOST,
        redirects: 10,
    };
    let request = Request { method: Method::Get, url: address, headers: &[], body: &[], limits };
    loop {
        let why = match transport.send(&request) {
            Ok(response) if response.status == 200 => return Ok(response.body),
            Ok(response) => {
                let why = format!("the server answers with status {}", response.status);
                if !matches!(response.status, 408 | 429 | 500..) {
                    return Err(why);
                }
                why
            }
            Err(error) => error.to_string(),
        };
        if !pause() {
            return Err(why);
        }
    }
}

/// The four addresses: `user-data`, `vendor-data`, `meta-data`, `network-config` in place of `%s` or behind it.
fn address(from: &str, name: &str) -> String {
    if from.contains("%s") {
        return from.replace("%s", name);
    }
    let query = from
        .split('#')
        .next()
        .unwrap_or_default()
        .split_once('?')
        .is_some_and(|(_, query)| !query.is_empty());
    let slash = if from.ends_with('/') || query { "" } else { "/" };
    format!("{from}{slash}{name}")
}

/// Adds what is at `from`. What was known of the metadata before wins; all else is replaced.
///
/// # Errors
/// When `meta-data` or `user-data` cannot be had.
pub(super) fn add(
    mut gathered: Gathered,
    from: &str,
    fetch: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Gathered, String> {
    let notes = &mut gathered.notes;
    gathered.network = match fetch(&address(from, "network-config")) {
        Ok(bytes) => network_config(&bytes, "the seed", notes).map_err(|stop| stop.0)?,
        Err(_) => None,
    };
    let needed = |name: &str, result: Result<Vec<u8>, String>| {
        result.map_err(|why| format!("{name} of the seed that seedfrom names cannot be had: {why}"))
    };
    let bytes = needed("meta-data", fetch(&address(from, "meta-data")))?;
    if let Some(own) = mapping(&bytes, "the seed", "meta-data", notes).map_err(|stop| stop.0)? {
        gathered.metadata = layers::effective(&[&gathered.metadata, &own]);
    }
    gathered.user_data = Some(needed("user-data", fetch(&address(from, "user-data")))?);
    gathered.vendor_data = fetch(&address(from, "vendor-data")).ok();
    gathered.places.push(from.to_owned());
    Ok(gathered)
}
