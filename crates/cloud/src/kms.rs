//! Keys.

use crate::error::pending;
use crate::{Client, Error};

/// What a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its ARN.
    pub arn: String,
    /// AWS manages it: nobody else can be given it.
    pub managed_by_aws: bool,
    /// `Enabled`, `Disabled`, `PendingDeletion` ….
    pub state: String,
    /// Its account.
    pub account: String,
}

/// `DescribeKey`, by id, ARN or `alias/…`.
pub fn describe_key(client: &Client, key: &str) -> Result<Key, Error> {
    let _ = (client, key);
    pending()
}

/// The principals of a key that grants (`ListGrants`) and its policy (`GetKeyPolicy`) name, as ARNs and accounts.
pub fn grantees(client: &Client, key: &str) -> Result<Vec<String>, Error> {
    let _ = (client, key);
    pending()
}
