//! Access keys in variables, under the names of AWS' tools and of euca2ools.

use zeroize::Zeroizing;

use super::Credentials;
use crate::{Environment, Error, date};

const ID: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"];
const SECRET: &[&str] = &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"];
const END: &str = "AWS_CREDENTIAL_EXPIRATION";
const TOKEN: &[&str] = &["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"];

/// The environment's keys.
///
/// # Errors
/// One half of them.
pub(super) fn find(environment: &Environment) -> Result<Option<Credentials>, Error> {
    match (environment.first(ID), environment.first(SECRET)) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(Credentials {
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
            token: environment.first(TOKEN).map(|token| Zeroizing::new(token.to_owned())),
            expires: match environment.variable(END) {
                Some(end) => Some(date::parse(end).ok_or_else(|| {
                    Error::Credentials(format!("{END} is no time; one is 2026-01-31T23:59:59Z"))
                })?),
                None => None,
            },
            origin: "the environment".to_owned(),
        })),
        (Some(_), None) => Err(half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (None, Some(_)) => Err(half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
    }
}

fn half(have: &str, missing: &str) -> Error {
    Error::Credentials(format!("{have} is set and {missing} is not: set both, or neither"))
}
