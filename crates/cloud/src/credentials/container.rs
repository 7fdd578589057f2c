//! Keys of a container: ECS' agent, EKS' Pod Identity, CodeBuild and CloudShell.
//!
//! Source: the SDKs' reference guide, "Container credential provider"; botocore 1.44 (`ContainerProvider`).

use std::net::IpAddr;

use super::fetch::{NAMES, Question, keys};
use super::{Credentials, files};
use crate::url::Url;
use crate::{Environment, Error};

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// ECS' agent.
const AGENT: &str = "http://169.254.170.2";
/// What may be asked without encryption, besides the machine itself: ECS' agent, EKS' on both protocols.
const ALLOWED: [&str; 4] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"];

/// The container's keys, where the environment says that it has some.
///
/// # Errors
/// An address that keys must not be asked at; no answer.
pub(super) fn find(environment: &Environment) -> Result<Option<Credentials>, Error> {
    let Some((endpoint, path)) = address(environment)? else { return Ok(None) };
    let near = endpoint.starts_with("http://");
    let mut question = Question::get("the container's agent", &endpoint, path, near);
    if let Some(token) = token(environment)? {
        question.headers.push(("authorization".to_owned(), token));
    }
    let answer = question.ask(environment)?;
    if answer.status != 200 {
        return Err(question.refused(&answer));
    }
    let json = serde_json::from_slice(&answer.body).unwrap_or_default();
    keys(&json, &NAMES, "the container's agent").map(Some)
}

/// Scheme and host; path and query.
fn address(environment: &Environment) -> Result<Option<(String, String)>, Error> {
    if let Some(path) = environment.variable(RELATIVE) {
        if !path.starts_with('/') || Url::new(AGENT, path, &[]).is_none() || !is_plain(path) {
            return Err(Error::Credentials(format!("{RELATIVE} is no path: it begins with /")));
        }
        return Ok(Some((AGENT.to_owned(), path.to_owned())));
    }
    let Some(address) = environment.variable(FULL) else { return Ok(None) };
    let wrong = || Error::Credentials(format!("{FULL} is no address: it is http:// or https:// and a host"));
    let from = address.find("://").ok_or_else(wrong)? + 3;
    let end = address.get(from..).and_then(|rest| rest.find(['/', '?'])).map(|at| from + at);
    let (endpoint, path) = address.split_at_checked(end.unwrap_or(address.len())).ok_or_else(wrong)?;
    let url = Url::new(endpoint, "", &[]).filter(|_| is_plain(path)).ok_or_else(wrong)?;
    let host = url.host();
    let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if url.scheme != "https" && !loopback && !ALLOWED.contains(&host) {
        return Err(Error::Credentials(format!(
            "{FULL} names {host}, and keys are asked for without encryption only on this machine and at {}; \
             use https",
            ALLOWED.join(", ")
        )));
    }
    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
    Ok(Some((endpoint.to_owned(), path)))
}

fn is_plain(path: &str) -> bool {
    path.chars().all(|char| char.is_ascii_graphic() && char != '#')
}

/// What is sent as `Authorization`; the file is read anew each time, since it changes.
fn token(environment: &Environment) -> Result<Option<String>, Error> {
    let (name, token) = match (environment.variable(TOKEN_FILE), environment.variable(TOKEN)) {
        (Some(path), _) => {
            let bytes =
                files::read(&files::expand(path, environment), "read the token for the container's agent")?;
            (TOKEN_FILE, String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, Some(token)) => (TOKEN, token.to_owned()),
        (None, None) => return Ok(None),
    };
    if token.contains(['\r', '\n', '\0']) {
        return Err(Error::Credentials(format!("{name}: a token has no line breaks in it")));
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::tests::environment;
    use super::*;

    #[test]
    fn addresses_where_keys_may_be_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let at = |name, value| address(&environment(home.path(), &[(name, value)]));
        let good = |name, value| {
            let (endpoint, path) = at(name, value).unwrap().unwrap();
            format!("{endpoint}{path}")
        };
        assert_eq!(good(RELATIVE, "/v2/x?id=1"), "http://169.254.170.2/v2/x?id=1");
        for url in [
            "http://127.0.0.1:80/x?y=z",
            "http://localhost/x",
            "http://169.254.170.23/v1/credentials",
            "http://[::1]:9/x",
            "http://[fd00:ec2::23]/v1",
            "https://example.com/x",
        ] {
            assert_eq!(good(FULL, url), url);
        }
        for (name, url) in [
            (RELATIVE, "@evil.com/"),
            (RELATIVE, "/a b"),
            (FULL, "http://example.com/x"),
            (FULL, "http://169.254.170.2.example.com/x"),
            (FULL, "http://127.0.0.1@example.com/x"),
            (FULL, "ftp://localhost/x"),
            (FULL, "localhost"),
        ] {
            assert!(at(name, url).is_err(), "{url}");
        }
    }
}
