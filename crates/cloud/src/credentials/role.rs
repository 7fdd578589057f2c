//! Roles: their keys come from STS, for other keys or for a token of somebody who vouches for us.

use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use zeroize::Zeroizing;

use super::profile::Profile;
use super::{Credentials, Provider, files};
use crate::{Client, Environment, Error, Patience, Place, sts};

/// The role that a profile names, for keys that may take it.
pub(super) fn assume(
    profile: Profile<'_>,
    role: &str,
    keys: Credentials,
    place: Place,
    environment: &Arc<Environment>,
) -> Result<Credentials, Error> {
    let seconds = match profile.text("duration_seconds") {
        Some(text) => Some(text.parse().map_err(|_| {
            Error::Credentials(format!(
                "the profile {}: duration_seconds is no number of seconds",
                profile.name
            ))
        })?),
        None => None,
    };
    let session = session_name(profile.text("role_session_name"), environment);
    let client = client(place, keys, environment);
    let taken = sts::assume_role(&client, role, &session, profile.text("external_id"), seconds)?;
    Ok(Credentials { origin: format!("the role {role} of the profile {}", profile.name), ..taken })
}

/// The role that somebody else's token stands for: GitHub's and Kubernetes' runners have one.
pub(super) fn by_web_identity(
    role: &str,
    session: Option<&str>,
    file: &Path,
    place: Place,
    environment: &Arc<Environment>,
) -> Result<Credentials, Error> {
    let bytes = files::read(file, "read the web identity token")?;
    let token = std::str::from_utf8(&bytes).map(str::trim).ok().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| {
        Error::Credentials(format!("{}: there is no web identity token in it", file.display()))
    })?;
    let nobody = Credentials {
        id: String::new(),
        secret: Zeroizing::default(),
        token: None,
        expires: None,
        origin: "a web identity token".to_owned(),
    };
    let client = client(place, nobody, environment);
    let session = session_name(session, environment);
    let taken = sts::assume_role_with_web_identity(&client, role, &session, token)?;
    Ok(Credentials {
        origin: format!("the role {role}, by the web identity token of {}", file.display()),
        ..taken
    })
}

fn client(place: Place, keys: Credentials, environment: &Arc<Environment>) -> Client {
    Client::new(place, Provider::fixed(keys), environment.clone(), Patience::default())
}

/// What CloudTrail shows; STS wants one.
fn session_name(given: Option<&str>, environment: &Environment) -> String {
    let now = (environment.now)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    given.map_or_else(|| format!("hardtack-{now}"), str::to_owned)
}
