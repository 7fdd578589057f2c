//! Security tokens.

use crate::credentials::Credentials;
use crate::error::pending;
use crate::{Client, Error};

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The ARN.
    pub arn: String,
}

/// `GetCallerIdentity`.
pub fn caller_identity(client: &Client) -> Result<Identity, Error> {
    let _ = client;
    pending()
}

/// `AssumeRole`.
pub fn assume_role(
    client: &Client,
    role: &str,
    session: &str,
    external_id: Option<&str>,
    seconds: Option<u32>,
) -> Result<Credentials, Error> {
    let _ = (client, role, session, external_id, seconds);
    pending()
}

/// `AssumeRoleWithWebIdentity`, which is not signed.
pub fn assume_role_with_web_identity(
    client: &Client,
    role: &str,
    session: &str,
    token: &str,
) -> Result<Credentials, Error> {
    let _ = (client, role, session, token);
    pending()
}
