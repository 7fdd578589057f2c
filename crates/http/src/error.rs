//! Why there is no answer.

use std::io;

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The URL is none, or of another scheme; a header line cannot be sent; or it takes a program that the
    /// image does not have. To try again is of no use.
    #[error("{url}: {why}")]
    Url {
        /// As it was given, without a user, a password and a query in it.
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

/// What the system says, without its number: `connection refused`.
pub(crate) fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "an error without a text".to_owned(),
    }
}
