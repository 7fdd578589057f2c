//! Which answers can be the id of an instance. A service that is starting, a login page and a captive portal
//! answer with status 200, too, so this is asked before anything else is believed.

/// What Eucalyptus answers on every path, with status 200, while it starts and while it stops.
const NOT_YET: [&str; 3] = ["System is still starting", "System shutting down", "System is shutting down"];

/// The ids of EC2 and Eucalyptus: `i-` and 8 or 17 hexadecimal digits in small letters.
#[must_use]
pub fn is_ec2(id: &str) -> bool {
    let Some(digits) = id.strip_prefix("i-") else { return false };
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What can be an id of any cloud: a UUID, a number, `srv-1ab2c`. It becomes the name of a directory.
#[must_use]
pub fn is_plausible(id: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    id.len() <= 128
        && ends(id.bytes().next())
        && ends(id.bytes().next_back())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Whether a body says that the service is not there yet.
#[must_use]
pub fn is_not_yet(body: &[u8]) -> bool {
    let head = body.get(..64).unwrap_or(body);
    let text = String::from_utf8_lossy(head);
    body.len() <= 128 && NOT_YET.iter().any(|words| text.trim_start().starts_with(words))
}

/// An answer as a log may show it: its beginning, in quotes, without control characters.
#[must_use]
pub fn shown(body: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = String::from_utf8_lossy(body.get(..512).unwrap_or(body)).into_owned();
    let line = text.trim();
    if line.is_empty() {
        return "nothing".to_owned();
    }
    let mut shown: String =
        line.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().nth(LONGEST).is_some() || body.len() > 512 {
        shown.push('…');
    }
    format!("{:?}", shown.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_ec2() {
        for id in ["i-0123abcd", "i-0123456789abcdef0"] {
            assert!(is_ec2(id) && is_plausible(id), "{id}");
        }
        for id in [
            "",
            "i-",
            "i-0123ABCD",
            "i-0123abc",
            "i-0123abcd0",
            "i-0123456789abcdef01",
            "I-0123abcd",
            "i-0123abcg",
            "i-0123abcd\n",
            " i-0123abcd",
            "i-0123abcé",
            "System is still starting up",
        ] {
            assert!(!is_ec2(id), "{id:?}");
        }
    }

    #[test]
    fn ids_of_any_cloud() {
        for id in ["a", "5", "83679162-1378-4288-a2d4-70e13ec132aa", "srv-lv426", "iid-local.1", "a:b_c"] {
            assert!(is_plausible(id), "{id}");
        }
        let long = "a".repeat(129);
        for id in
            ["", ".", "..", "a/b", "../x", "a b", "-a", "a-", "a\n", "<html>", "a\0", "é", long.as_str()]
        {
            assert!(!is_plausible(id), "{id:?}");
        }
    }

    #[test]
    fn a_service_that_starts() {
        assert!(is_not_yet(b"System is still starting up"));
        assert!(is_not_yet(b"System shutting down\n"));
        assert!(!is_not_yet(b"i-0123abcd") && !is_not_yet(b""));
        let long = format!("System is still starting up{}", " ".repeat(200));
        assert!(!is_not_yet(long.as_bytes()));
    }

    #[test]
    fn answers_are_shown_short_and_clean() {
        assert_eq!(shown(b"System is still starting up"), "\"System is still starting up\"");
        assert_eq!(shown(b" \n"), "nothing");
        assert_eq!(shown(b"a\x1b[2Jb\nc"), "\"a [2Jb c\"");
        assert_eq!(shown("é".repeat(600).as_bytes()).chars().count(), 63);
        assert!(shown(&[0xff; 600]).len() < 400);
    }
}
