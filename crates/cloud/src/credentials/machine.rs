//! The role of the machine, by instance metadata; asked for only when somebody says so.
//!
//! Version 2: a token first. Eucalyptus has version 1 only, so there the token may be missing. Source: EC2 user
//! guide, "Use the Instance Metadata Service".

use super::Credentials;
use super::fetch::{NAMES, Question, keys};
use crate::{Environment, Error, Kind};

const WHO: &str = "instance metadata";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// Longest name of a role in IAM is 64.
const LONGEST: usize = 128;

/// The machine's keys.
///
/// # Errors
/// It is turned off; there is no metadata here; the machine has no role.
pub(super) fn find(kind: Kind, environment: &Environment) -> Result<Credentials, Error> {
    if environment
        .variable("AWS_EC2_METADATA_DISABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(Error::Credentials(
            "the machine's role is asked for, and AWS_EC2_METADATA_DISABLED forbids it".to_owned(),
        ));
    }
    let ipv6 = environment
        .variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
    let usual = if ipv6 { "http://[fd00:ec2::254]" } else { "http://169.254.169.254" };
    let endpoint = environment.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(usual);
    let token = token(kind, endpoint, environment)?;
    let get = |path: String| {
        let mut question = Question::get(WHO, endpoint, path, true);
        if let Some(token) = &token {
            question.headers.push(("x-aws-ec2-metadata-token".to_owned(), token.clone()));
        }
        let answer = question.ask(environment)?;
        Ok::<_, Error>((
            answer.status,
            if answer.status == 200 { Ok(answer.body) } else { Err(question.refused(&answer)) },
        ))
    };
    let none = || Error::Credentials("this machine has no role (instance metadata names none)".to_owned());
    let (status, roles) = get(ROLES.to_owned())?;
    if status == 404 {
        return Err(none());
    }
    let roles = String::from_utf8_lossy(&roles?).into_owned();
    let role = roles.lines().next().unwrap_or_default().trim();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if role.is_empty() {
        return Err(none());
    }
    if role.len() > LONGEST || !role.bytes().all(good) {
        return Err(Error::Credentials("instance metadata names a role that can be none".to_owned()));
    }
    let json = serde_json::from_slice(&get(format!("{ROLES}{role}"))?.1?).unwrap_or_default();
    keys(&json, &NAMES, &format!("the machine's role {role}"))
}

fn token(kind: Kind, endpoint: &str, environment: &Environment) -> Result<Option<String>, Error> {
    let question = Question {
        method: "PUT",
        headers: vec![("x-aws-ec2-metadata-token-ttl-seconds".to_owned(), "21600".to_owned())],
        ..Question::get(WHO, endpoint, "/latest/api/token", true)
    };
    let answer = question.ask(environment)?;
    match (answer.status, String::from_utf8(answer.body.clone())) {
        (200, Ok(token)) if !token.is_empty() && token.chars().all(|char| char.is_ascii_graphic()) => {
            Ok(Some(token))
        }
        (400.., _) if kind == Kind::Euca => Ok(None),
        _ => Err(question.refused(&answer)),
    }
}
