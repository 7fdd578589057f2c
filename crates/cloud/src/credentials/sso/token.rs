//! The token that `aws sso login` left in `~/.aws/sso/cache`, and a new one for one that has ended.
//!
//! Sources: botocore 1.44 (`SSOTokenProvider`), the model of `sso-oidc` (`CreateToken`).

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::super::fetch::Question;
use super::super::files;
use super::super::profile::{Profiles, configured_endpoint};
use super::sign_in;
use crate::place::{aws, checked};
use crate::{Environment, Error, date};

/// No token is good for longer than a year.
const LONGEST: u64 = 366 * 86_400;

/// Who has signed in.
pub(super) struct SignedIn<'a> {
    pub(super) profile: &'a str,
    /// The session's name; profiles of old have none, and their tokens cannot be renewed.
    pub(super) session: Option<&'a str>,
    pub(super) url: &'a str,
    pub(super) region: &'a str,
}

impl SignedIn<'_> {
    /// The token that was left for the session's name, or for the address where one signs in.
    pub(super) fn token(
        &self,
        profiles: &Profiles,
        environment: &Environment,
    ) -> Result<Zeroizing<String>, Error> {
        let path = self.path(environment)?;
        let Some(bytes) = files::read_if_there(&path, "read the token of aws sso login")? else {
            return Err(sign_in(self.profile, "nobody has signed in"));
        };
        let mut cache: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let now = (environment.now)();
        let end = text(&cache, "expiresAt").and_then(date::parse);
        if end.is_some_and(|end| end <= now) {
            if !self.renew(&mut cache, profiles, environment, now)? {
                return Err(sign_in(self.profile, "that was too long ago"));
            }
            keep(&path, &cache);
        }
        let token = text(&cache, "accessToken").filter(|_| end.is_some());
        let token = token.filter(|token| token.chars().all(|char| char.is_ascii_graphic()));
        match token {
            Some(token) => Ok(Zeroizing::new(token.to_owned())),
            None => Err(sign_in(self.profile, &format!("{} has no token and its end", path.display()))),
        }
    }

    fn path(&self, environment: &Environment) -> Result<PathBuf, Error> {
        let Some(home) = &environment.home else {
            return Err(Error::Credentials(format!(
                "the profile {} signs in by SSO, and no home directory is known that would have the token",
                self.profile
            )));
        };
        let mut name = String::new();
        for byte in Sha1::digest(self.session.unwrap_or(self.url).as_bytes()) {
            // Writing to a text cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        Ok(home.join(".aws/sso/cache").join(name).with_extension("json"))
    }

    /// Changes the cache's refresh token for a new token; false where there is none, or none that is taken.
    fn renew(
        &self,
        cache: &mut Value,
        profiles: &Profiles,
        environment: &Environment,
        now: SystemTime,
    ) -> Result<bool, Error> {
        let registered = text(cache, "registrationExpiresAt").and_then(date::parse);
        let (Some(_), Some(id), Some(secret), Some(refresh)) =
            (self.session, text(cache, "clientId"), text(cache, "clientSecret"), text(cache, "refreshToken"))
        else {
            return Ok(false);
        };
        if registered.is_none_or(|end| end <= now) {
            return Ok(false);
        }
        let endpoint = match configured_endpoint(profiles, "sso_oidc", environment)? {
            Some(url) => checked(&url)?,
            None => format!("https://oidc.{}.{}", self.region, aws::partition(self.region).1),
        };
        let body = json!({
            "grantType": "refresh_token", "clientId": id, "clientSecret": secret, "refreshToken": refresh,
        });
        let question = Question {
            method: "POST",
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
            ..Question::get("AWS' single sign-on", &endpoint, "/token", false)
        };
        let answer = question.ask(environment)?;
        let new: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let seconds = new.get("expiresIn").and_then(Value::as_u64).filter(|seconds| *seconds <= LONGEST);
        let (200, Some(token), Some(seconds)) = (answer.status, text(&new, "accessToken"), seconds) else {
            return Ok(false);
        };
        let end = date::iso(now + Duration::from_secs(seconds));
        let refresh = text(&new, "refreshToken");
        if let Some(cache) = cache.as_object_mut() {
            cache.insert("accessToken".to_owned(), token.into());
            cache.insert("expiresAt".to_owned(), end.into());
            cache.extend(refresh.map(|refresh| ("refreshToken".to_owned(), refresh.into())));
        }
        Ok(true)
    }
}

fn text<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Leaves the new token where AWS' own tools find it, for its owner alone. Where that does not work the token
/// does all the same, and `aws sso login` makes others.
fn keep(path: &Path, cache: &Value) {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(Zeroizing::new(cache.to_string()).as_bytes()))
        .and_then(|()| std::fs::rename(&fresh, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
}
