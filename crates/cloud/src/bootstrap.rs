//! Eucalyptus' bootstrap service.

use crate::error::pending;
use crate::{Client, Error};

/// The certificate for bundles (`DescribeServiceCertificates`, usage `image-bundling` of `compute`), as PEM.
pub fn bundling_certificate(client: &Client) -> Result<String, Error> {
    let _ = client;
    pending()
}
