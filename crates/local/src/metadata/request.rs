//! A request's head: hostile input, read to a limit.

/// The most that a head may have.
pub(super) const LONGEST: usize = 16 << 10;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// `GET`.
    pub(super) method: String,
    /// The path, decoded, without the query, each slash once: `/latest/meta-data/`.
    pub(super) path: String,
    /// Names in small letters.
    headers: Vec<(String, String)>,
}

impl Request {
    /// Of a head without the empty line at its end; `None` where it is none.
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let fits = words.next().is_none()
            && matches!(version, "HTTP/1.0" | "HTTP/1.1")
            && !method.is_empty()
            && method.len() <= 16
            && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if !fits {
            return None;
        }
        let mut headers = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            let wrong = name.is_empty()
                || !name.bytes().all(is_name)
                || value.chars().any(|c| c.is_control() && c != '\t');
            if wrong {
                return None;
            }
            headers.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
        }
        Some(Self { method: method.to_owned(), path: path(target)?, headers })
    }

    /// The value of a header, where it stands once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() { None } else { value }
    }

    /// Whether a header stands there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }
}

/// A target's path. A proxy's way to write it (`http://169.254.169.254/latest`) is understood.
fn path(target: &str) -> Option<String> {
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let encoded = target.split(['?', '#']).next()?;
    if !encoded.starts_with('/') {
        return None;
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        };
        if !(byte == b'/' && decoded.last() == Some(&b'/')) {
            decoded.push(byte);
        }
    }
    let path = String::from_utf8(decoded).ok()?;
    (!path.chars().any(char::is_control)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let request =
            Request::parse(b"GET //latest/meta-data/%6dac?x HTTP/1.1\r\nHost: a\r\nX-A:  b \r\n").unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/latest/meta-data/mac"));
        assert_eq!(
            (request.header("x-a"), request.header("x-b"), request.has("host")),
            (Some("b"), None, true)
        );
        let request = Request::parse(b"GET http://169.254.169.254/latest HTTP/1.0\n").unwrap();
        assert_eq!(request.path, "/latest");
        assert_eq!(Request::parse(b"GET http://169.254.169.254 HTTP/1.1").unwrap().path, "/");
        let wrong: [&[u8]; 13] = [
            b"",
            b"GET",
            b"GET /",
            b"GET / HTTP/2.0",
            b"GET / HTTP/1.1 x",
            b"get / HTTP/1.1",
            b" / HTTP/1.1",
            b"GET latest HTTP/1.1",
            b"GET /%4 HTTP/1.1",
            b"GET /%00 HTTP/1.1",
            b"GET /\xff HTTP/1.1",
            b"GET / HTTP/1.1\r\nno header",
            b"GET / HTTP/1.1\r\na b: c",
        ];
        for wrong in wrong {
            assert_eq!(Request::parse(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
