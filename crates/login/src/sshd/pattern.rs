//! Patterns: file names for `Include`, users, groups, hosts and addresses for `Match` (match.c,
//! addr.c, addrmatch.c).

use std::net::IpAddr;

/// True when the name holds a character that `glob(3)` gives a meaning to.
pub(super) fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// One file name against `fnmatch(3)` as `glob(3)` uses it: a leading dot must be written.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    wild(&pattern, &name, true)
}

/// OpenSSH's `match_pattern`: `*` and `?` only.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    wild(&pattern, &text, false)
}

/// Iterative, so that a hostile pattern costs no more than length times length.
fn wild(pattern: &[char], text: &[char], file_names: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') if file_names => bracket(&pattern[p..], text[t]),
            Some('\\') if file_names && pattern.get(p + 1) == Some(&text[t]) => Some(2),
            Some(c) if *c == text[t] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            (None, Some((star_p, star_t))) => {
                p = star_p + 1;
                t = star_t + 1;
                star = Some((star_p, star_t + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// `[a-z]`, `[!a]`: the length of the bracket expression when `c` is in it.
fn bracket(pattern: &[char], c: char) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let start = if negated { 2 } else { 1 };
    let mut i = start;
    let mut found = false;
    loop {
        let low = *pattern.get(i)?;
        if low == ']' && i > start {
            return (found != negated).then_some(i + 1);
        }
        if pattern.get(i + 1) == Some(&'-') && pattern.get(i + 2).is_some_and(|high| *high != ']') {
            found |= (low..=pattern[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= low == c;
            i += 1;
        }
    }
}

/// `match_pattern_list`: any comma-separated pattern, none of the `!` ones.
#[must_use]
pub fn in_list(text: &str, list: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(text, negated) => return false,
            Some(_) => {}
            None => found |= matches(text, pattern),
        }
    }
    found
}

/// `addr_match_list`: patterns or CIDR, `!` as in [`in_list`].
pub(super) fn address_in_list(address: &str, list: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
        if in_network(address, pattern).unwrap_or_else(|| matches(address, pattern)) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

fn in_network(address: &str, network: &str) -> Option<bool> {
    let (base, bits) = network.split_once('/').map_or((network, None), |(base, bits)| (base, Some(bits)));
    let bits = |all: u32| bits.map_or(Some(all), |bits| bits.parse().ok().filter(|bits| *bits <= all));
    Some(match (address.parse().ok()?, base.parse().ok()?) {
        (IpAddr::V4(address), IpAddr::V4(base)) => {
            let shift = 32 - bits(32)?;
            (u64::from(address.to_bits()) >> shift) == (u64::from(base.to_bits()) >> shift)
        }
        (IpAddr::V6(address), IpAddr::V6(base)) => {
            let shift = 128 - bits(128)?;
            shift == 128 || (address.to_bits() >> shift) == (base.to_bits() >> shift)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names() {
        for (pattern, name, wanted) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".a.conf", false),
            ("[0-5]*", "50-x", true),
            ("[!0-5]*", "50-x", false),
            ("?0*", "60", true),
            ("a\\*", "a*", true),
        ] {
            assert_eq!(glob(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn users_and_addresses() {
        assert!(in_list("bob", "*,!debian"));
        assert!(!in_list("debian", "*,!debian"));
        assert!(!in_list("bob", "!debian"));
        assert!(in_list("bob", "al*,b?b"));
        assert!(address_in_list("10.1.2.3", "10.0.0.0/8,!10.2.0.0/16"));
        assert!(!address_in_list("10.2.2.3", "10.0.0.0/8,!10.2.0.0/16"));
        assert!(address_in_list("10.1.2.3", "10.*"));
        assert!(address_in_list("fe80::1", "fe80::/10"));
        assert!(address_in_list("fe80::1", "::/0"));
        assert!(!address_in_list("10.1.2.3", "::/0"));
    }
}
