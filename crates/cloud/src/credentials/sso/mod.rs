//! AWS' single sign-on: the token that `aws sso login` left, changed for a role's keys.
//!
//! Sources: botocore 1.44 (`SSOCredentialFetcher`, `SSOTokenLoader`), the model of `sso` (`GetRoleCredentials`).

mod token;

use serde_json::Value;

use super::Credentials;
use super::fetch::{Names, Question, keys};
use super::profile::{Profile, Profiles, configured_endpoint};
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
    let session = session.map(|session| session.name);
    let signed_in = token::SignedIn { profile: name, session, url, region };
    let token = signed_in.token(profiles, environment)?;

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

fn sign_in(profile: &str, why: &str) -> Error {
    Error::Credentials(format!(
        "the profile {profile} signs in by SSO, and {why}; run `aws sso login --profile {profile}`"
    ))
}
