//! Debian version numbers: reading and ordering.
//!
//! The order is that of Debian policy 5.6.12 as dpkg's `lib/dpkg/version.c` has it: the epoch as
//! a number, then upstream version and revision by runs of non-digits (where `~` sorts before
//! everything, even the end, and letters before other characters) and runs of digits.

use std::cmp::Ordering;
use std::fmt;

/// A version, `[epoch:]upstream[-revision]`.
#[derive(Clone, Debug)]
pub struct Version {
    epoch: u32,
    upstream: String,
    revision: String,
}

impl Version {
    /// Reads a version as dpkg does; the error says what is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => {
                let number = epoch.parse::<u32>().ok().filter(|number| {
                    i32::try_from(*number).is_ok() && epoch.bytes().all(|byte| byte.is_ascii_digit())
                });
                (number.ok_or_else(|| format!("version {text:?} has an epoch that is no number"))?, rest)
            }
            None => (0, text),
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            Some((_, "")) => return Err(format!("version {text:?} has an empty revision")),
            Some(parts) => parts,
            None => (rest, ""),
        };
        if upstream.is_empty() {
            return Err(format!("version {text:?} is empty"));
        }
        let fits = |part: &str, more: &[u8]| {
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        if !fits(upstream, b"-+.~:") || !fits(revision, b"+.~") {
            return Err(format!("version {text:?} has characters that no version may have"));
        }
        Ok(Self { epoch, upstream: upstream.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for Version {
    /// As dpkg writes it: an epoch of 0 only where it is needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != 0 || self.upstream.contains(':') {
            write!(f, "{}:", self.epoch)?;
        }
        f.write_str(&self.upstream)?;
        if !self.revision.is_empty() {
            write!(f, "-{}", self.revision)?;
        }
        Ok(())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| part_order(&self.upstream, &other.upstream))
            .then_with(|| part_order(&self.revision, &other.revision))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

// "1.0" and "1.00" are the same version, so equality follows the order and not the text.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    }
}

fn part_order(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    let digit = |part: &[u8]| part.first().is_some_and(u8::is_ascii_digit);
    while !left.is_empty() || !right.is_empty() {
        while (!left.is_empty() && !digit(left)) || (!right.is_empty() && !digit(right)) {
            let order = weight(left.first()).cmp(&weight(right.first()));
            if order != Ordering::Equal {
                return order;
            }
            left = left.get(1..).unwrap_or_default();
            right = right.get(1..).unwrap_or_default();
        }
        let (left_number, left_rest) = digits(left);
        let (right_number, right_rest) = digits(right);
        // Without leading zeros the longer number is the larger one, whatever its size.
        let order = left_number.len().cmp(&right_number.len()).then_with(|| left_number.cmp(right_number));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn digits(part: &[u8]) -> (&[u8], &[u8]) {
    let zeros = part.iter().take_while(|byte| **byte == b'0').count();
    let part = part.get(zeros..).unwrap_or_default();
    part.split_at(part.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (given, written) in [
            ("1.0-1", "1.0-1"),
            ("0:1.0-1", "1.0-1"),
            ("2:2.6.1-4~deb12u2", "2:2.6.1-4~deb12u2"),
            ("0:1:2-3", "0:1:2-3"),
            ("1-2-3", "1-2-3"),
        ] {
            assert_eq!(Version::parse(given).unwrap().to_string(), written, "{given}");
        }
        for given in ["", "-1", "1-", "a:1", ":1", "-1:1", "1 2", "1_2", "2147483648:1", "1-a:b"] {
            assert!(Version::parse(given).is_err(), "{given:?}");
        }
    }

    /// Random versions from the characters that decide, compared by dpkg itself.
    #[test]
    fn orders_as_dpkg_does() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 33).unwrap() % below
        };
        let alphabet = b"0019abzZ.+~-~";
        let mut any = || {
            let mut text = String::new();
            if random(4) == 0 {
                text.push_str(["0:", "1:", "12:"][random(3)]);
            }
            text.push_str(["1", "0", "2", "00"][random(4)]);
            for _ in 0..random(6) {
                text.push(char::from(alphabet[random(alphabet.len())]));
            }
            text
        };
        let known = [
            "1.0~rc1-1",
            "1.0-1",
            "1.0-1~deb12u1",
            "1.0-1+b1",
            "1.0-1.1",
            "1.0",
            "1.00",
            "9",
            "10",
            "1.a",
            "1.+",
        ];
        let mut pairs: Vec<(String, String)> = Vec::new();
        for left in known {
            pairs.extend(known.map(|right| (left.to_owned(), right.to_owned())));
        }
        pairs.extend((0..250).map(|_| (any(), any())));
        if std::process::Command::new("dpkg").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "dpkg is missing");
            eprintln!("SKIPPED: orders_as_dpkg_does: no dpkg here");
            return;
        }
        for (left, right) in pairs {
            let (Ok(a), Ok(b)) = (Version::parse(&left), Version::parse(&right)) else { continue };
            let says = |relation: &str| {
                std::process::Command::new("dpkg")
                    .args(["--compare-versions", &left, relation, &right])
                    .status()
                    .unwrap()
                    .success()
            };
            let order = match (says("lt"), says("eq")) {
                (true, _) => Ordering::Less,
                (_, true) => Ordering::Equal,
                _ => Ordering::Greater,
            };
            assert_eq!(a.cmp(&b), order, "{left:?} against {right:?}");
        }
    }
}
