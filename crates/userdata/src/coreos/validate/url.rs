//! Whether Go takes a text as the URL of a request (`net/url`, `ParseRequestURI`).

/// `url.ParseRequestURI` without an error.
pub(super) fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return false;
    }
    if text == "*" {
        return true;
    }
    let Some((scheme, rest)) = scheme(text) else { return false };
    // A question mark at the very end is no query, and a query holds anything.
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    if !rest.starts_with('/') {
        // `mailto:someone`: opaque, and left alone.
        return scheme;
    }
    let path = match rest.strip_prefix("//") {
        Some(rest) if scheme || !rest.starts_with('/') => {
            let (authority, path) = match rest.find('/') {
                Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at..).unwrap_or_default()),
                None => (rest, ""),
            };
            // Without a scheme the text is a path that begins with two slashes.
            if !scheme {
                rest
            } else if authority_is_valid(authority) {
                path
            } else {
                return false;
            }
        }
        _ => rest,
    };
    escapes_are_valid(path)
}

/// Whether there is a scheme, and what is behind it; `None` for an empty scheme.
fn scheme(text: &str) -> Option<(bool, &str)> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some((true, text.get(at + 1..).unwrap_or_default())),
            _ => break,
        }
    }
    Some((false, text))
}

fn authority_is_valid(authority: &str) -> bool {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let user_is_valid = user.is_none_or(|user| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        user.bytes().all(letter) && escapes_are_valid(user)
    });
    user_is_valid && host_is_valid(host)
}

fn host_is_valid(host: &str) -> bool {
    let port_is_valid = |port: &str| {
        port.is_empty()
            || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if host.starts_with('[') {
        let Some((address, port)) = host.rsplit_once(']') else { return false };
        // The zone of an address takes any escape.
        let address = address
            .split_once("%25")
            .map_or(address, |(address, zone)| if escapes_are_valid(zone) { address } else { "%" });
        return port_is_valid(port) && host_letters_are_valid(address);
    }
    let port = host.rfind(':').and_then(|at| host.get(at..)).unwrap_or_default();
    port_is_valid(port) && host_letters_are_valid(host)
}

/// A host takes letters beyond ASCII as they are or as escapes, and ASCII as it is only.
fn host_letters_are_valid(host: &str) -> bool {
    let bytes = host.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let Some(value) = hex_pair(bytes, at + 1) else { return false };
                if value < 0x80 {
                    return false;
                }
                at += 3;
                continue;
            }
            0x80.. => {}
            letter if letter.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(letter) => {}
            _ => return false,
        }
        at += 1;
    }
    true
}

fn escapes_are_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.match_indices('%').all(|(at, _)| hex_pair(bytes, at + 1).is_some())
}

fn hex_pair(bytes: &[u8], at: usize) -> Option<u32> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    Some(digit(at)? * 16 + digit(at + 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_requests_are_told_from_other_text() {
        for (text, taken) in [
            ("https://discovery.example.org/0123abcd", true),
            ("http://[fe80::1%25en0]:2379/x", true),
            ("/relative", true),
            ("//host/path", true),
            ("mailto:a@example.org", true),
            ("*", true),
            ("http://user:pa%20ss@host:80/", true),
            ("http://host:/", true),
            ("http://host/%41?%zz", true),
            ("", false),
            ("token", false),
            ("discovery.example.org/x", false),
            (":8080", false),
            ("http://host:port/", false),
            ("http://ho st/", false),
            ("http://host/%zz", false),
            ("http://ho%41st/", false),
            ("http://[fe80::1/", false),
            ("http://us er@host/", false),
            ("http://a\u{1}b", false),
            ("1http://x", false),
        ] {
            assert_eq!(is_request_uri(text), taken, "{text}");
        }
    }
}
