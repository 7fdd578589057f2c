//! One request and one bounded answer (RFC 9112), under a deadline.

use std::time::Duration;

/// The verbs that metadata services know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Asks for a token.
    Put,
    /// Sends a form.
    Post,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The verb.
    pub method: Method,
    /// Where, as text: `http://169.254.169.254/latest/api/token`.
    pub url: &'a str,
    /// Header lines beside those that every request has. Values may be secrets and are never shown.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent with it.
    pub body: &'a [u8],
    /// How long, how large.
    pub limits: Limits,
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For names, connection and the first byte of the answer together.
    pub connect: Duration,
    /// For everything.
    pub total: Duration,
    /// Bytes of the answer's body; more is an error.
    pub body: usize,
    /// How many redirections are followed.
    pub redirects: u8,
}

impl Default for Limits {
    /// 5 s, 30 s, 16 MiB, 5.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30), body: 16 << 20, redirects: 5 }
    }
}

/// An answer with any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200, 404…
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, out of chunks.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The URL is none, or of another scheme.
    #[error("{url}: {why}")]
    Url {
        /// As it was given, without a user and password in it.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The name has no address.
    #[error("{host}: {why}")]
    Name {
        /// The name.
        host: String,
        /// What the name servers said.
        why: String,
    },
    /// Nobody takes the connection, or it breaks.
    #[error("{host}: {why}")]
    Connection {
        /// Host and port.
        host: String,
        /// What the system said.
        why: String,
    },
    /// No answer in time.
    #[error("{host}: no answer within {seconds} s")]
    Timeout {
        /// Host and port.
        host: String,
        /// The limit that was reached.
        seconds: u64,
    },
    /// What comes back is not HTTP, or larger than allowed.
    #[error("{host}: {why}")]
    Answer {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Who sends requests: a [`Client`], or a table of answers in a test.
pub trait Transport: Sync {
    /// Sends one request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// [`Error`] when there is no whole answer.
    fn send(&self, request: &Request<'_>) -> Result<Response, Error>;
}

/// Sends requests over TCP, one connection for each.
#[derive(Clone, Debug, Default)]
pub struct Client {}
