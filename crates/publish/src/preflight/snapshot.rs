//! Before a snapshot is written and registered.

use hardtack_cloud::Client;

use super::Check;
use crate::Error;
use crate::error::pending;
use crate::image::Existing;
use crate::regions::Distribution;

/// Before a snapshot is written and registered.
pub fn snapshot(
    client: &Client,
    name: Option<(&str, Existing)>,
    size: u64,
    encrypted: bool,
    kms_key: Option<&str>,
    distribution: &Distribution,
) -> Result<Vec<Check>, Error> {
    let _ = (client, name, size, encrypted, kms_key, distribution);
    pending()
}
