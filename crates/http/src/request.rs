//! What is asked, within which bounds, and what comes back.

use std::time::Duration;

use crate::Error;

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

impl Method {
    /// The word on the request line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
        }
    }
}

/// What is asked.
#[derive(Clone)]
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

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("url", &crate::url::shown(self.url))
            .field("headers", &names)
            .field("body", &self.body.len())
            .field("limits", &self.limits)
            .finish()
    }
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For names, connection and the first byte of the answer together; again for each redirection.
    pub connect: Duration,
    /// For everything.
    pub total: Duration,
    /// Bytes of the answer's body; more is an error.
    pub body: usize,
    /// How many redirections are followed. With 0 the answer that redirects is returned.
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

impl Response {
    /// The first header line of that name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Who sends requests: a [`crate::Client`], or a table of answers in a test.
pub trait Transport: Sync {
    /// Sends one request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// [`Error`] when there is no whole answer.
    fn send(&self, request: &Request<'_>) -> Result<Response, Error>;
}
