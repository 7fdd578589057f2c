//! Before a bundle is sent and registered.

use hardtack_cloud::Client;

use super::Check;
use crate::Error;
use crate::bundle::Destination;
use crate::error::pending;
use crate::image::Existing;

/// Before a bundle is sent and registered. `account` is the manifest's, which Eucalyptus compares with the caller's;
/// `size` are bytes of the disk.
pub fn bundle(
    client: &Client,
    destination: &Destination,
    name: Option<(&str, Existing)>,
    account: &str,
    size: u64,
) -> Result<Vec<Check>, Error> {
    let _ = (client, destination, name, account, size);
    pending()
}
