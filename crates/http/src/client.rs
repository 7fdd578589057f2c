//! One request and one bounded answer (RFC 9112), under deadlines that hold in total: names, connection and
//! first byte by [`Limits::connect`](crate::Limits), everything by [`Limits::total`](crate::Limits).
//!
//! The addresses of a name are tried one after the other, each with its share of the time. Redirections are
//! followed as browsers do: 303 always becomes a GET, 301 and 302 make one of a POST. The caller's headers,
//! which may be tokens, go to no other server than the one that they were meant for. Variables that name a
//! proxy are not read.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::answer::{Broken, Form, read_response};
use crate::deadline::{Deadline, Timed, is_late};
use crate::error::said;
use crate::resolve::Resolver;
use crate::{Error, Method, Request, Response, Transport, Url, https};

/// Addresses of one name that are tried.
const ADDRESSES: usize = 8;
/// The least time for one address.
const LEAST: Duration = Duration::from_millis(250);
/// The port of name servers.
const DNS: u16 = 53;
/// Lines that this client writes itself.
const OWN: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// What every request says about who asks.
pub const USER_AGENT: &str = concat!("hardtack/", env!("CARGO_PKG_VERSION"));

/// Sends requests over TCP, one connection for each; `https` goes through the image's curl or wget.
#[derive(Clone, Debug)]
pub struct Client {
    root: PathBuf,
    dns: u16,
}

impl Default for Client {
    fn default() -> Self {
        Self::new("/")
    }
}

impl Client {
    /// A client of the machine below `root`, whose `/etc/hosts` and `/etc/resolv.conf` are read anew for each
    /// request: while a machine boots they change.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), dns: DNS }
    }

    /// With another port of name servers, for tests.
    #[must_use]
    pub fn with_dns_port(self, dns: u16) -> Self {
        Self { dns, ..self }
    }
}

/// One request to one server.
pub(crate) struct Hop<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    /// Bytes of the answer's body.
    pub(crate) limit: usize,
    /// How many redirections may follow.
    pub(crate) redirects: u8,
    /// For the first byte, and for all.
    pub(crate) first: Deadline,
    pub(crate) total: Deadline,
}

impl Transport for Client {
    fn send(&self, request: &Request<'_>) -> Result<Response, Error> {
        let limits = request.limits;
        let total = Deadline::after(limits.total);
        let mut url = Url::parse(request.url)?;
        sendable(request)?;
        let mut headers = request.headers.to_vec();
        let (mut method, mut body) = (request.method, request.body);
        let mut redirects = limits.redirects;
        loop {
            let first = Deadline::after(limits.connect).or(total);
            let hop = Hop {
                method,
                url: &url,
                headers: &headers,
                body,
                limit: limits.body,
                redirects,
                first,
                total,
            };
            let response = if url.tls { https::send(&self.root, &hop) } else { self.plain(&hop) }?;
            let location = match response.status {
                301 | 302 | 303 | 307 | 308 => response.header("location"),
                _ => None,
            };
            let Some(location) = location.filter(|place| !place.is_empty() && limits.redirects > 0) else {
                return Ok(response);
            };
            let Some(fewer) = redirects.checked_sub(1) else {
                let why = format!("it redirects more than {} times", limits.redirects);
                return Err(Error::Answer { host: url.server(), why });
            };
            redirects = fewer;
            let next = url.join(location).map_err(|error| match error {
                Error::Url { url: shown, why } => {
                    Error::Url { url: shown, why: format!("{why} ({} redirects there)", url.server()) }
                }
                other => other,
            })?;
            if response.status == 303 || (matches!(response.status, 301 | 302) && method == Method::Post) {
                (method, body) = (Method::Get, &[]);
                headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            }
            if !url.trusts(&next) {
                // The type of the body is no secret, and the body goes along.
                headers.retain(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            }
            url = next;
        }
    }
}

impl Client {
    fn plain(&self, hop: &Hop<'_>) -> Result<Response, Error> {
        let host = hop.url.server();
        let resolver = Resolver { root: &self.root, port: self.dns };
        let addresses = resolver.addresses(&hop.url.host, hop.url.port, hop.first)?;
        let mut stream = connect(&addresses, &host, hop.first)?;
        let mut stream = Timed::new(&mut stream, hop.first, hop.total);
        // Servers that refuse a request may answer and close before they have read it: the answer counts.
        let sent = stream.send(&head(hop)).and_then(|()| stream.send(hop.body));
        if let Err(error) = &sent
            && is_late(error)
        {
            return Err(Error::Timeout { host, seconds: stream.deadline().seconds() });
        }
        let answer = read_response(&mut stream, hop.limit, Form::Wire);
        let deadline = stream.deadline();
        answer.map_err(|broken| match (broken, sent) {
            (Broken::Wrong(why), _) => Error::Answer { host, why },
            (Broken::Io(error), Ok(())) if is_late(&error) => {
                Error::Timeout { host, seconds: deadline.seconds() }
            }
            (_, Err(error)) => Error::Connection { host, why: broken_off(&error) },
            (Broken::Io(error), Ok(())) => Error::Connection { host, why: broken_off(&error) },
            (Broken::Ended(why), Ok(())) => Error::Connection { host, why },
        })
    }
}

fn broken_off(error: &io::Error) -> String {
    format!("the connection broke: {}", said(error))
}

/// Whether the caller's header lines can stand in a request.
fn sendable(request: &Request<'_>) -> Result<(), Error> {
    let fail = |why: String| Error::Url { url: crate::url::shown(request.url), why };
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    for (name, value) in request.headers {
        if name.is_empty() || !name.bytes().all(token) {
            return Err(fail(format!("{name:?} cannot be the name of a header line")));
        }
        if value.chars().any(|letter| letter.is_control() && letter != '\t') {
            return Err(fail(format!(
                "the value of the header line {name} has a line break or the like in it"
            )));
        }
        if OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(fail(format!("the header line {name} follows from the request and cannot be given")));
        }
    }
    Ok(())
}

/// The request line and header lines. What the caller gives replaces what every request has.
fn head(hop: &Hop<'_>) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", hop.method.word(), hop.url.path);
    for (name, value) in lines(hop) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if hop.method != Method::Get || !hop.body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", hop.body.len()));
    }
    text.push_str("Connection: close\r\n\r\n");
    text.into_bytes()
}

/// Header lines but those about length and connection. The body comes as it is: what is compressed would
/// have to be undone.
pub(crate) fn lines(hop: &Hop<'_>) -> Vec<(String, String)> {
    let own = [
        ("Host", Some(hop.url.host_line())),
        ("User-Agent", Some(USER_AGENT.to_owned())),
        ("Accept", Some("*/*".to_owned())),
        ("Accept-Encoding", Some("identity".to_owned())),
        ("Authorization", hop.url.authorization()),
    ];
    let given = |name: &str| hop.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    own.into_iter()
        .filter(|(name, _)| !given(name))
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .chain(hop.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        .collect()
}

/// Tries one address after the other. A network that swallows packets of one kind of address leaves time
/// for the other.
fn connect(addresses: &[SocketAddr], host: &str, first: Deadline) -> Result<TcpStream, Error> {
    let mut tried: Vec<String> = Vec::new();
    let mut late = true;
    let addresses = interleaved(addresses);
    for (index, address) in addresses.iter().enumerate() {
        let Some(left) = first.left() else { break };
        let others = u32::try_from(addresses.len() - index).unwrap_or(1);
        let result = TcpStream::connect_timeout(address, (left / others).max(LEAST).min(left));
        match result {
            Ok(stream) => {
                // One request is two writes; the second must not wait for the first one's receipt.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => {
                late &= is_late(&error);
                tried.push(format!("{}: {}", address.ip(), said(&error)));
            }
        }
    }
    if late {
        return Err(Error::Timeout { host: host.to_owned(), seconds: first.seconds() });
    }
    let why = match (tried.as_slice(), addresses.as_slice()) {
        // A literal need not be said twice.
        ([one], [address]) if host.contains(&address.ip().to_string()) => {
            one.rsplit_once(": ").map_or(one.clone(), |(_, why)| why.to_owned())
        }
        (all, _) => all.join("; "),
    };
    Err(Error::Connection { host: host.to_owned(), why })
}

/// IPv4 and IPv6 in turn, and not too many.
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut old = addresses.iter().filter(|address| address.is_ipv4());
    let mut new = addresses.iter().filter(|address| address.is_ipv6());
    let mut all = Vec::new();
    loop {
        let pair = [old.next(), new.next()];
        if pair == [None, None] || all.len() >= ADDRESSES {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}
