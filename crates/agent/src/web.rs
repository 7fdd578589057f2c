//! What the agent fetches: what user-data includes, files, forms.
//!
//! How often and how long follows `cloudinit/user_data.py`, `cloudinit/config/cc_write_files.py` and
//! `cc_phone_home.py`, all through `cloudinit/url_helper.py`: what begins with `/` or `file:` is a file,
//! what has no scheme is `http`, every status from 400 on is tried again, and `Retry-After` of a 503 is
//! honoured. Unlike there, all tries together have a deadline, and what no repetition can mend (a URL that is
//! none, a missing file) is not repeated.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use hardtack_http::{Client, Error, Limits, Method, Request, Response, Transport, form, url};
use hardtack_modules::Content;
use hardtack_userdata::gunzip::gunzip;
use hardtack_userdata::split::Fetch;
use md5::{Digest, Md5};

use crate::accounts::replace;
use crate::error::AgentError;
use crate::host::Host;

/// What `#include-once` got, by the MD5 of the URL.
const CACHE: &str = "/var/lib/cloud/instance/data/urlcache";
/// Bytes of what `#include` names; no more is ever unpacked.
const INCLUDED: usize = 8 << 20;
/// Bytes of a file.
const FILE: usize = 64 << 20;
/// What a 503 without a number waits.
const BUSY: Duration = Duration::from_secs(1);

/// How often and how long something is tried.
#[derive(Clone, Copy, Debug)]
struct Patience {
    tries: u32,
    /// Between two tries.
    pause: Duration,
    /// For the first byte of each.
    connect: Duration,
    /// For everything.
    overall: Duration,
}

const INCLUDE: Patience = Patience {
    tries: 11,
    pause: Duration::from_secs(1),
    connect: Duration::from_secs(5),
    overall: Duration::from_secs(60),
};
const SOURCE: Patience = Patience {
    tries: 4,
    pause: Duration::from_secs(3),
    connect: Duration::from_secs(10),
    overall: Duration::from_secs(180),
};
/// `tries` is the caller's.
const PHONE: Patience = Patience {
    tries: 0,
    pause: Duration::from_secs(3),
    connect: Duration::from_secs(10),
    overall: Duration::from_secs(120),
};

/// The client of this machine: its hosts file, its name servers.
pub(crate) fn client(host: &Host) -> Client {
    Client::new(host.path("/"))
}

/// Who sends requests.
pub(crate) fn transport(host: &Host) -> Box<dyn Transport> {
    Box::new(client(host))
}

/// Follows `#include` in user-data. All that one piece of user-data includes has one deadline.
pub(crate) struct Includes {
    host: Host,
    patience: Patience,
    until: OnceCell<Instant>,
}

impl Includes {
    pub(crate) fn new(host: &Host) -> Self {
        Self { host: host.clone(), patience: INCLUDE, until: OnceCell::new() }
    }

    fn get(&self, place: &str) -> Result<Vec<u8>, String> {
        if let Some(path) = local(place) {
            return file(&self.host, path);
        }
        let until = *self.until.get_or_init(|| Instant::now() + self.patience.overall);
        let web = client(&self.host);
        let what = What { method: Method::Get, url: place, headers: &[], body: &[], limit: INCLUDED };
        let response = send(&web, &what, self.patience, until)?;
        if !(200..300).contains(&response.status) {
            return Err(format!("{}: the server answers with status {}", url::shown(place), response.status));
        }
        unpacked(response, INCLUDED)
    }
}

impl Fetch for Includes {
    fn fetch(&self, place: &str, once: bool) -> Result<Vec<u8>, String> {
        if !once {
            return self.get(place);
        }
        let path = self.host.path(CACHE).join(file_name(place));
        // Larger than what `Host` reads.
        if path.is_file() {
            return std::fs::read(&path).map_err(|error| AgentError::io("read", &path, error).to_string());
        }
        let content = self.get(place)?;
        // The content is there; that the next boot has to fetch it again is no reason to drop it.
        let _ = std::fs::create_dir_all(self.host.path(CACHE));
        let _ = replace(&path, &content, 0o600, None);
        Ok(content)
    }
}

/// The name of the file for what a URL gave: the URL's MD5, as cloud-init names it.
pub(crate) fn file_name(place: &str) -> String {
    Md5::digest(place.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The content of `place`, for a file.
pub(crate) fn fetch(host: &Host, place: &str, headers: &[(String, Content)]) -> Result<Vec<u8>, AgentError> {
    fetch_with(host, place, headers, SOURCE).map_err(AgentError::text)
}

fn fetch_with(
    host: &Host,
    place: &str,
    headers: &[(String, Content)],
    patience: Patience,
) -> Result<Vec<u8>, String> {
    if let Some(path) = local(place) {
        return file(host, path);
    }
    let mut lines = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let value = std::str::from_utf8(&value.bytes)
            .map_err(|_| format!("the value of the header line {name} is no text"))?;
        lines.push((name.as_str(), value));
    }
    let what = What { method: Method::Get, url: place, headers: &lines, body: &[], limit: FILE };
    let response = send(&client(host), &what, patience, Instant::now() + patience.overall)?;
    unpacked(response, FILE)
}

/// Sends a form to `place`, up to `tries` times.
pub(crate) fn post(
    host: &Host,
    place: &str,
    fields: &[(String, String)],
    tries: u32,
) -> Result<(), AgentError> {
    let sent = post_with(host, place, fields, Patience { tries, ..PHONE });
    sent.map_err(|why| AgentError::text(without_path(&why, place)))
}

/// A hook's path is often its key, and what is told of it stands where everybody may read: the server is enough.
fn without_path(why: &str, place: &str) -> String {
    let whole = url::shown(&with_scheme(place));
    let start = whole.find("://").map_or(0, |at| at + 3);
    let end = whole.get(start..).and_then(|rest| rest.find('/')).map_or(whole.len(), |at| start + at);
    why.replace(&whole, whole.get(..end).unwrap_or_default())
}

fn post_with(
    host: &Host,
    place: &str,
    fields: &[(String, String)],
    patience: Patience,
) -> Result<(), String> {
    if local(place).is_some() {
        return Err(format!("{}: a form cannot be sent to a file", url::shown(place)));
    }
    let body = form::encode(fields);
    let typed = [("Content-Type", form::CONTENT_TYPE)];
    // Without a field there is no form, and the URL is only fetched.
    let (method, headers) =
        if fields.is_empty() { (Method::Get, &typed[..0]) } else { (Method::Post, &typed[..]) };
    let what = What { method, url: place, headers, body: body.as_bytes(), limit: INCLUDED };
    send(&client(host), &what, patience, Instant::now() + patience.overall).map(|_| ())
}

/// One request, for all its tries.
struct What<'a> {
    method: Method,
    url: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    limit: usize,
}

/// Tries until there is an answer with a status below 400.
fn send(
    web: &dyn Transport,
    what: &What<'_>,
    patience: Patience,
    until: Instant,
) -> Result<Response, String> {
    let url = with_scheme(what.url);
    let shown = url::shown(&url);
    let mut said = String::new();
    for number in 1..=patience.tries.max(1) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let limits = Limits { connect: patience.connect, total: left, body: what.limit, ..Limits::default() };
        let request =
            Request { method: what.method, url: &url, headers: what.headers, body: what.body, limits };
        let mut pause = patience.pause;
        match web.send(&request) {
            Ok(response) if response.status < 400 => return Ok(response),
            Ok(response) => {
                said = format!("{shown}: the server answers with status {}", response.status);
                if response.status == 503 {
                    pause = busy(&response);
                }
            }
            Err(error @ Error::Url { .. }) => return Err(error.to_string()),
            Err(error) => said = format!("{shown}: {error}"),
        }
        if number < patience.tries {
            std::thread::sleep(pause.min(until.saturating_duration_since(Instant::now())));
        }
    }
    if said.is_empty() {
        said =
            format!("{shown}: the {} s for everything that is fetched are over", patience.overall.as_secs());
    }
    Err(said)
}

/// The content. Servers that keep a file packed send it so even to those who do not ask for that.
fn unpacked(response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let coding = response.header("content-encoding").unwrap_or_default();
    if !matches!(coding.to_ascii_lowercase().as_str(), "gzip" | "x-gzip") || response.body.is_empty() {
        return Ok(response.body);
    }
    gunzip(&response.body, limit).map_err(|error| format!("what came cannot be unpacked: {error}"))
}

/// `Retry-After` in seconds. A date is as good as none: the clock may not be set.
fn busy(response: &Response) -> Duration {
    let seconds = response.header("retry-after").and_then(|value| value.trim().parse().ok());
    seconds.map_or(BUSY, Duration::from_secs)
}

/// `www.example.com/x` means `http`.
fn with_scheme(place: &str) -> String {
    let place = place.trim();
    let first = place.split('/').next().unwrap_or_default();
    if first.contains(':') { place.to_owned() } else { format!("http://{place}") }
}

/// The path, when it is a file of this machine.
fn local(place: &str) -> Option<&str> {
    let place = place.trim();
    let scheme = place.get(..5).filter(|start| start.eq_ignore_ascii_case("file:"));
    let path = match scheme {
        // What stands between two slashes and the third is a machine's name, which nobody looks at.
        Some(_) => match place.get(5..)?.strip_prefix("//") {
            Some(rest) => rest.find('/').and_then(|start| rest.get(start..)).unwrap_or_default(),
            None => place.get(5..)?,
        },
        None if place.starts_with('/') => place,
        None => return None,
    };
    path.split(['?', '#']).next()
}

fn file(host: &Host, path: &str) -> Result<Vec<u8>, String> {
    // Nobody waits for a pipe that nobody writes to.
    if host.path(path).exists() && !host.path(path).is_file() {
        return Err(format!("{path} is no file"));
    }
    match host.read(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(format!("{path} is not there")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
#[path = "web_tests.rs"]
mod tests;
