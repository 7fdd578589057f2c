//! AWS' single sign-on: the token that `aws sso login` left, changed for a role's keys.
//!
//! Sources: botocore 1.44 (`SSOCredentialFetcher`, `SSOTokenLoader`), the model of `sso` (`GetRoleCredentials`).

use std::fmt::Write as _;

use serde_json::Value;
use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::fetch::{Names, Question, keys};
use super::profile::{Profile, Profiles, configured_endpoint};
use super::{Credentials, files, time};
use crate::place::{aws, checked};
use crate::url::encode;
use crate::{Environment, Error};

/// Settings that make a profile one of single sign-on.
pub(super) const SETTINGS: [&str; 2] = ["sso_account_id", "sso_role_name"];

const NAMES: Names =
    Names { id: "accessKeyId", secret: "secretAccessKey", token: "sessionToken", end: "expiration" };

/// The role's keys.
///
/// # Errors
/// A setting is missing, nobody has signed in, or it was too long ago.
pub(super) fn find(
    profile: Profile<'_>,
    profiles: &Profiles,
    environment: &Environment,
) -> Result<Credentials, Error> {
    let name = profile.name;
    let session = match profile.text("sso_session") {
        Some(session) => Some(profiles.session(session).ok_or_else(|| {
            Error::Credentials(format!(
                "the profile {name} has sso_session = {session}, and there is no section [sso-session {session}]"
            ))
        })?),
        None => None,
    };
    let setting = |setting: &str| {
        let of_session = session.and_then(|session| session.text(setting));
        of_session.or_else(|| profile.text(setting)).ok_or_else(|| {
            Error::Credentials(format!("the profile {name} signs in by SSO, and {setting} is missing"))
        })
    };
    let (account, role) = (setting("sso_account_id")?, setting("sso_role_name")?);
    let (url, region) = (setting("sso_start_url")?, setting("sso_region")?);
    aws::check_region(region)?;
    let token = token(session.map_or(url, |session| session.name), name, environment)?;

    let usual = format!("https://portal.sso.{region}.{}", aws::partition(region).1);
    let endpoint = match configured_endpoint(profiles, "sso", environment)? {
        Some(url) => checked(&url)?,
        None => usual,
    };
    let path = format!("/federation/credentials?role_name={}&account_id={}", encode(role), encode(account));
    let mut question = Question::get("AWS' single sign-on", &endpoint, path, false);
    question.headers.push(("x-amz-sso_bearer_token".to_owned(), token.as_str().to_owned()));
    let answer = question.ask(environment)?;
    match answer.status {
        200 => {
            let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let role = format!("the role {role} of account {account}, by SSO");
            keys(json.get("roleCredentials").unwrap_or(&Value::Null), &NAMES, &role)
        }
        401 => Err(sign_in(name, "AWS does not take its token any more")),
        _ => Err(question.refused(&answer)),
    }
}

/// The token that was left for a session's name, or for the address where one signs in.
fn token(key: &str, profile: &str, environment: &Environment) -> Result<Zeroizing<String>, Error> {
    let Some(home) = &environment.home else {
        return Err(Error::Credentials(format!(
            "the profile {profile} signs in by SSO, and no home directory is known that would have the token"
        )));
    };
    let mut name = String::new();
    for byte in Sha1::digest(key.as_bytes()) {
        // Writing to a text cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    let path = home.join(".aws/sso/cache").join(name).with_extension("json");
    let Some(bytes) = files::read_if_there(&path, "read the token of aws sso login")? else {
        return Err(sign_in(profile, "nobody has signed in"));
    };
    let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(token), Some(end)) = (text("accessToken"), text("expiresAt").and_then(time::parse)) else {
        return Err(sign_in(profile, &format!("{} has no token and its end", path.display())));
    };
    if end <= (environment.now)() {
        return Err(sign_in(profile, "that was too long ago"));
    }
    if !token.chars().all(|char| char.is_ascii_graphic()) {
        return Err(sign_in(profile, &format!("{} has a token that cannot be one", path.display())));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

fn sign_in(profile: &str, why: &str) -> Error {
    Error::Credentials(format!(
        "the profile {profile} signs in by SSO, and {why}; run `aws sso login --profile {profile}`"
    ))
}
