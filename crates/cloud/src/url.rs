//! Addresses of requests: an endpoint's, with a path and a query below it.

use std::fmt::Write as _;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// Host and port, as the `Host` header has them: without the scheme's own port.
    pub(crate) authority: String,
    /// The endpoint's own path, without a slash at its end; mostly empty.
    pub(crate) base: String,
    /// The path below it, percent-encoded.
    pub(crate) path: String,
    /// The query, not encoded.
    pub(crate) query: Vec<(String, String)>,
}

/// Parts of S3's objects and buckets that are named without a value: `?acl`.
pub(crate) const SUB_RESOURCES: [&str; 12] = [
    "acl",
    "cors",
    "lifecycle",
    "location",
    "logging",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "tagging",
    "uploads",
    "versioning",
    "versions",
];

impl Url {
    /// `path` and `query` below the endpoint at `endpoint`; `None` where that is no address.
    pub(crate) fn new(endpoint: &str, path: &str, query: &[(String, String)]) -> Option<Self> {
        let (scheme, rest, port) = match endpoint.strip_prefix("https://") {
            Some(rest) => ("https", rest, ":443"),
            None => ("http", endpoint.strip_prefix("http://")?, ":80"),
        };
        let (authority, base) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let authority = authority.strip_suffix(port).unwrap_or(authority);
        if authority.is_empty()
            || authority.contains(['@', '?', '#', '\\'])
            || base.contains(['?', '#'])
            || !endpoint.chars().all(|char| char.is_ascii_graphic())
        {
            return None;
        }
        Some(Self {
            scheme,
            authority: authority.to_ascii_lowercase(),
            base: base.trim_end_matches('/').to_owned(),
            path: path.to_owned(),
            query: query.to_vec(),
        })
    }

    /// Scheme, host and port, for messages.
    pub(crate) fn address(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Host without port and brackets.
    pub(crate) fn host(&self) -> &str {
        if let Some(rest) = self.authority.strip_prefix('[') {
            return rest.split(']').next().unwrap_or_default();
        }
        self.authority.split(':').next().unwrap_or_default()
    }

    /// The whole path, percent-encoded, never empty.
    pub(crate) fn whole_path(&self) -> String {
        let path = format!("{}{}", self.base, self.path);
        if path.is_empty() { "/".to_owned() } else { path }
    }

    /// All of it, percent-encoded.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}{}", self.address(), self.whole_path());
        for (index, (name, value)) in self.query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(&encode(name));
            if !(value.is_empty() && SUB_RESOURCES.contains(&name.as_str())) {
                text.push('=');
                text.push_str(&encode(value));
            }
        }
        text
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters, as the signatures want it.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Names and values as a form (`application/x-www-form-urlencoded`) with no plus signs for spaces.
pub(crate) fn form(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(endpoint: &str, path: &str) -> Url {
        Url::new(endpoint, path, &[]).unwrap()
    }

    #[test]
    fn an_endpoint_may_have_a_path() {
        let url = url("http://10.0.0.1:8773/services/objectstorage/", "/bucket/key");
        assert_eq!(url.text(), "http://10.0.0.1:8773/services/objectstorage/bucket/key");
        assert_eq!(url.address(), "http://10.0.0.1:8773");
        assert_eq!(url.host(), "10.0.0.1");
    }

    #[test]
    fn the_schemes_own_port_is_not_in_the_host() {
        assert_eq!(url("https://S3.Example:443", "").text(), "https://s3.example/");
        assert_eq!(url("http://[::1]:8080", "/").host(), "::1");
        assert_eq!(url("http://a:443", "/").authority, "a:443");
    }

    #[test]
    fn queries_are_encoded_and_sub_resources_have_no_value() {
        let query =
            [("acl", ""), ("prefix", ""), ("a b", "c+d/ü")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let url = Url::new("http://a", "/b", &query).unwrap();
        assert_eq!(url.text(), "http://a/b?acl&prefix=&a%20b=c%2Bd%2F%C3%BC");
        assert_eq!(form(&query), "acl=&prefix=&a%20b=c%2Bd%2F%C3%BC");
    }

    #[test]
    fn what_is_no_endpoint_is_none() {
        for bad in
            ["", "ftp://a", "http://", "http://u:p@a", "http://a?x", "http://a b", "http:///x", "https://a\n"]
        {
            assert_eq!(Url::new(bad, "/", &[]), None, "{bad}");
        }
    }
}
