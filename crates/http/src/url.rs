//! URLs with the schemes `http` and `https` (RFC 3986).

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// True for `https`.
    pub tls: bool,
    /// Name, IPv4 address, or IPv6 address without its brackets (with its zone: `fe80::1%eth0`).
    pub host: String,
    /// The port, also when it is the scheme's own.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
}
