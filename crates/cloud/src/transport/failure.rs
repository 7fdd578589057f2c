//! Why there is no answer.

use std::error::Error as _;
use std::io::ErrorKind;

use ureq::{Error, Timeout};

/// No answer, or none that ends well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Why, without anything of the request.
    pub(crate) what: String,
    /// The request, or a part of it, can have arrived.
    pub(crate) reached: bool,
    /// Another try may end otherwise.
    pub(crate) again: bool,
}

impl Failure {
    /// One that every other try would end with.
    pub(crate) fn lasting(what: impl Into<String>) -> Self {
        Self { what: what.into(), reached: false, again: false }
    }

    /// One of the way to the service.
    fn on_the_way(what: impl Into<String>) -> Self {
        Self { what: what.into(), reached: false, again: true }
    }

    /// One after a connection was made.
    pub(crate) fn connected(what: impl Into<String>) -> Self {
        Self { what: what.into(), reached: true, again: true }
    }

    /// What `ureq` says. Its texts about requests are left out: they may hold what is secret.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Timeout(Timeout::Resolve) => {
                Self::on_the_way("the name was not resolved in time; look at DNS and the address")
            }
            Error::Timeout(Timeout::Connect) => {
                Self::on_the_way("no connection in time; look at the address, the firewall and the proxy")
            }
            Error::Timeout(_) => Self::connected("no whole answer in time"),
            Error::HostNotFound => {
                Self::on_the_way("this name has no address; look at the region, the address and DNS")
            }
            Error::ConnectionFailed => Self::on_the_way("no connection"),
            // The text is the proxy's status.
            Error::ConnectProxyFailed(text) if text.contains("407") => {
                Self::lasting("the proxy wants a name and password, or others (status 407)")
            }
            Error::ConnectProxyFailed(_) => Self::on_the_way("the proxy makes no connection to it"),
            Error::InvalidProxyUrl => {
                Self::lasting("the proxy's address in HTTPS_PROXY or HTTP_PROXY is none")
            }
            Error::BadUri(_) | Error::Http(_) => {
                Self::lasting("the address or a header has characters that cannot be sent")
            }
            Error::Tls(what) => Self::on_the_way(format!("no encrypted connection: {what}")),
            Error::Rustls(error) => Self::tls(&error.to_string()),
            Error::Pem(_) => Self::lasting("the file of certificates is no PEM file"),
            Error::LargeResponseHeader(..) => {
                Self::lasting("the headers of its answer are longer than 64 KiB")
            }
            Error::Protocol(error) => Self::connected(format!("its answer is no HTTP: {error}")),
            Error::Io(error) => Self::io(error),
            other => Self::connected(other.to_string()),
        }
    }

    fn io(error: &std::io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return Self::of(tls);
        }
        let text = error.to_string();
        // The standard library's words; it has no kind for them.
        if text.starts_with("failed to lookup address") {
            return Self::of(&Error::HostNotFound);
        }
        // `rustls`' errors come inside of those of reading.
        if error.kind() == ErrorKind::InvalidData {
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            if text.contains("certificate") || source.contains("certificate") || text.contains("TLS") {
                return Self::tls(&text);
            }
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::on_the_way("the connection is refused"),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Self::on_the_way(text)
            }
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Self::connected("the connection was cut")
            }
            ErrorKind::UnexpectedEof => Self::connected("the connection ended before the answer did"),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::connected("no whole answer in time"),
            _ => Self::connected(text),
        }
    }

    fn tls(text: &str) -> Self {
        if text.contains("certificate") {
            return Self::lasting(format!(
                "its certificate is not accepted ({text}); AWS_CA_BUNDLE names a file with the right authority"
            ));
        }
        Self::on_the_way(format!("no encrypted connection: {text}"))
    }
}
