//! Asks what hands out keys over HTTP: a container's agent, a machine's metadata, AWS' single sign-on.

use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::Credentials;
use crate::transport::{Outgoing, Response, Transport};
use crate::url::Url;
use crate::{Environment, Error, Patience, date};

/// Tries of one question.
const TRIES: u32 = 3;
/// The wait between them.
const PAUSE: Duration = Duration::from_secs(1);
/// Keys are a few KiB.
const LIMIT: usize = 64 * 1024;
/// Characters of a refusal's text that are shown.
const SHOWN: usize = 200;

/// A question.
pub(super) struct Question<'a> {
    /// Who is asked, for messages: "the container's agent".
    pub(super) who: &'a str,
    /// `GET`, `PUT` or `POST`.
    pub(super) method: &'static str,
    /// Scheme, host and port.
    pub(super) endpoint: &'a str,
    /// The path, and a query that is encoded already.
    pub(super) path: String,
    /// Headers, lower case. They may be secret.
    pub(super) headers: Vec<(String, String)>,
    /// The body. It may be secret.
    pub(super) body: Vec<u8>,
    /// It is a service of this machine, or of its link: nearby, and behind no proxy.
    pub(super) near: bool,
}

impl<'a> Question<'a> {
    /// A `GET`.
    pub(super) fn get(who: &'a str, endpoint: &'a str, path: impl Into<String>, near: bool) -> Self {
        let (method, path) = ("GET", path.into());
        Self { who, method, endpoint, path, headers: Vec::new(), body: Vec::new(), near }
    }

    /// Asks; again after what passes. The answer may be a refusal.
    ///
    /// # Errors
    /// No answer.
    pub(super) fn ask(&self, environment: &Environment) -> Result<Response, Error> {
        let url = Url::new(self.endpoint, &self.path, &[])
            .ok_or_else(|| Error::Credentials(format!("{}: the address it is asked at is none", self.who)))?;
        let silent = |what: &str| {
            Error::Credentials(format!("{} does not answer at {}: {what}", self.who, url.address()))
        };
        let seconds = if self.near { (2, 5) } else { (10, 30) };
        let patience = Patience {
            connect: Duration::from_secs(seconds.0),
            attempt: Duration::from_secs(seconds.1),
            ..Patience::default()
        };
        let authorities = None;
        let transport = Transport::new(environment, authorities, true, patience)
            .map_err(|failure| silent(&failure.what))?;
        let mut headers = vec![
            ("host".to_owned(), url.authority.clone()),
            ("accept".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(self.headers.iter().cloned());
        let mut tried = 1;
        loop {
            let answer = transport.send(&Outgoing {
                method: self.method,
                url: &url,
                headers: &headers,
                body: &self.body,
                limit: LIMIT,
                fresh: true,
                direct: self.near,
                cut: false,
            });
            let again = match &answer {
                Ok(answer) => answer.status == 429 || answer.status >= 500,
                Err(failure) => failure.again,
            };
            if !again || tried >= TRIES {
                return answer.map_err(|failure| silent(&failure.what));
            }
            tried += 1;
            (environment.sleep)(PAUSE);
        }
    }

    /// Why an answer is a refusal.
    pub(super) fn refused(&self, answer: &Response) -> Error {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let told = ["message", "Message", "code", "Code", "error"]
            .iter()
            .find_map(|name| json.get(name)?.as_str())
            .map(|text| text.chars().filter(|char| !char.is_control()).take(SHOWN).collect::<String>())
            .filter(|text| !text.is_empty());
        let why = told.map(|text| format!(": {text}")).unwrap_or_default();
        Error::Credentials(format!("{} refuses to give keys (status {}){why}", self.who, answer.status))
    }
}

/// Names of an answer's parts.
pub(super) struct Names {
    pub(super) id: &'static str,
    pub(super) secret: &'static str,
    pub(super) token: &'static str,
    pub(super) end: &'static str,
}

/// As containers' agents and instance metadata name them.
pub(super) const NAMES: Names =
    Names { id: "AccessKeyId", secret: "SecretAccessKey", token: "Token", end: "Expiration" };

/// The keys in an answer. No error shows anything of it.
pub(super) fn keys(json: &Value, names: &Names, origin: &str) -> Result<Credentials, Error> {
    let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let part =
        |name: &str| text(name).ok_or_else(|| Error::Credentials(format!("{origin} answers without {name}")));
    let expires = match json.get(names.end) {
        None | Some(Value::Null) => None,
        // SSO's are milliseconds.
        Some(Value::Number(number)) => {
            let wrong = || Error::Credentials(format!("{origin} answers with {} that is no time", names.end));
            let millis = number.as_u64().ok_or_else(wrong)?;
            Some(std::time::UNIX_EPOCH.checked_add(Duration::from_millis(millis)).ok_or_else(wrong)?)
        }
        Some(value) => Some(value.as_str().and_then(date::parse).ok_or_else(|| {
            Error::Credentials(format!("{origin} answers with {} that is no time", names.end))
        })?),
    };
    Ok(Credentials {
        id: part(names.id)?.to_owned(),
        secret: Zeroizing::new(part(names.secret)?.to_owned()),
        token: text(names.token).map(|token| Zeroizing::new(token.to_owned())),
        expires,
        origin: origin.to_owned(),
    })
}
