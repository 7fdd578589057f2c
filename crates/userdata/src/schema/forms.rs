//! Forms of texts and of keys that several modules ask for. Each is one regular expression of
//! cloud-init's schema, as Python's `re.search` takes it: `$` also matches before a line break at the
//! very end.

use super::shape::Pattern;

/// `2031-12-24`: `datetime.date.fromisoformat`, and exactly ten characters.
pub(super) static DATE: Pattern = Pattern { matches: is_date, wanted: "a date such as `2031-12-24`" };

/// `512M`: digits, perhaps a point in them, and a unit.
pub(super) static SIZE: Pattern = Pattern { matches: is_size, wanted: "a size such as `512M` or `1.5G`" };

/// `+5`: minutes.
pub(super) static MINUTES: Pattern =
    Pattern { matches: is_minutes, wanted: "a number of minutes such as `5` or `+5`" };

/// `name:password` on one line.
pub(super) static NAME_AND_PASSWORD: Pattern =
    Pattern { matches: is_name_and_password, wanted: "a line `name:password`" };

/// `ed25519_private`.
pub(super) static HOST_KEY: Pattern = Pattern {
    matches: is_host_key,
    wanted: "`rsa`, `ecdsa` or `ed25519` with `_private`, `_public` or `_certificate`",
};

/// The name of a yum repository.
pub(super) static REPOSITORY: Pattern =
    Pattern { matches: is_repository, wanted: "a name of ASCII letters, digits, spaces and `_`" };

/// An option of a yum repository.
pub(super) static OPTION: Pattern =
    Pattern { matches: is_option, wanted: "a name of ASCII letters, digits and `_`" };

/// The text without the line break that `$` forgives.
fn line(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0, 4), number(5, 7), number(8, 10)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    shaped && year > 0 && (1..=days).contains(&day)
}

fn is_size(text: &str) -> bool {
    let Some(number) = line(text).strip_suffix(['B', 'K', 'M', 'G', 'T']) else { return false };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !part.is_empty(),
        None => digits(number) && !number.is_empty(),
    }
}

fn is_minutes(text: &str) -> bool {
    let digits = line(text);
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name_and_password(text: &str) -> bool {
    let text = line(text);
    let inner = text.char_indices().nth(1).map_or(text.len(), |(at, _)| at);
    let (_, rest) = text.split_at(inner);
    !text.contains('\n') && rest.split_once(':').is_some_and(|(_, password)| !password.is_empty())
}

fn is_host_key(key: &str) -> bool {
    line(key).split_once('_').is_some_and(|(kind, part)| {
        matches!(kind, "ecdsa" | "ed25519" | "rsa") && matches!(part, "public" | "private" | "certificate")
    })
}

/// `[0-9a-zA-Z -_]`: the hyphen stands between a space and an underscore, so that this is all of
/// ASCII up to the underscore.
fn is_repository(key: &str) -> bool {
    let key = line(key);
    !key.is_empty() && key.bytes().all(|byte| matches!(byte, b' '..=b'_' | b'a'..=b'z'))
}

fn is_option(key: &str) -> bool {
    let key = line(key);
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's answers to the same questions.
    #[test]
    fn forms_are_those_of_the_regular_expressions() {
        for (pattern, good, bad) in [
            (
                &DATE,
                &["2031-12-24", "2024-02-29", "0001-01-01"][..],
                &[
                    "2023-02-29",
                    "1900-02-29",
                    "0000-01-01",
                    "2031-1-2",
                    "20311224",
                    "2031-12-24\n",
                    "",
                    "2031-13-01",
                ][..],
            ),
            (
                &SIZE,
                &["1B", "512M", "1.5G", ".5T", "1M\n"],
                &["M", "1.M", "1.2.3M", "512", "1 M", "1m", "1MB", ".M", "\n1M", ""],
            ),
            (&MINUTES, &["5", "+5", "007", "5\n"], &["", "+", "-5", "5 ", "++5", "5.0", "now"]),
            (
                &NAME_AND_PASSWORD,
                &["a:b", "::b", "a::", "a:b\n", "é:b", ":a:b"],
                &["a:", ":b", "ab", "", ":", "::", "a:b\nc:d", "a\n:b", "a:\n"],
            ),
            (
                &HOST_KEY,
                &["rsa_private", "ed25519_certificate", "ecdsa_public\n"],
                &["dsa_private", "rsa", "rsa_private_", "RSA_private", "rsa-private", ""],
            ),
            (&REPOSITORY, &["epel-testing", "a b", "A/b:c", "x\n"], &["", "a~", "é", "a`", "a{b", "\n"]),
            (&OPTION, &["gpgcheck", "_", "a1\n"], &["", "gpg-check", "a b", "é"]),
        ] {
            for text in good {
                assert!((pattern.matches)(text), "{text:?} is {}", pattern.wanted);
            }
            for text in bad {
                assert!(!(pattern.matches)(text), "{text:?} is not {}", pattern.wanted);
            }
        }
    }
}
