//! A text from an address that is no cloud's service: unsigned, bounded, with the proxies and authorities of all else.

use std::time::Duration;

use crate::call::shown;
use crate::transport::{Outgoing, Transport};
use crate::url::Url;
use crate::{Environment, Error, Patience};

/// Tries.
const TRIES: u32 = 3;
/// The wait between them.
const PAUSE: Duration = Duration::from_secs(1);

/// What `GET url` answers, at most `limit` bytes of UTF-8; `who` is what messages call it ("the discovery service").
///
/// # Errors
/// The address is none; no answer, or a refusal; it is longer, or no text.
pub fn fetch_text(
    environment: &Environment,
    who: &'static str,
    url: &str,
    limit: usize,
) -> Result<String, Error> {
    let none = || {
        Error::Usage(format!("{who}: \"{}\" is no address; it begins with https:// or http://", shown(url)))
    };
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let url = Url::new(address, "", &pairs).ok_or_else(none)?;
    let silent = |what: String| Error::Transport { service: who, address: url.address(), what };
    let patience = Patience {
        connect: Duration::from_secs(10),
        attempt: Duration::from_secs(30),
        ..Patience::default()
    };
    let transport =
        Transport::new(environment, None, true, patience).map_err(|failure| silent(failure.what))?;
    let headers = [("host".to_owned(), url.authority.clone())];
    let outgoing = Outgoing {
        method: "GET",
        url: &url,
        headers: &headers,
        body: &[],
        limit,
        fresh: true,
        direct: false,
        cut: false,
    };
    let mut tried = 1;
    let answer = loop {
        let answer = transport.send(&outgoing);
        let again = match &answer {
            Ok(answer) => answer.status == 429 || answer.status >= 500,
            Err(failure) => failure.again,
        };
        if !again || tried >= TRIES {
            break answer.map_err(|failure| silent(failure.what))?;
        }
        tried += 1;
        (environment.sleep)(PAUSE);
    };
    if answer.status != 200 {
        let to = answer.header("location").map(|to| format!(", and names {}", shown(to))).unwrap_or_default();
        return Err(silent(format!("it answers with status {}{to}", answer.status)));
    }
    String::from_utf8(answer.body).map_err(|_| silent("it answers with what is no text".to_owned()))
}
