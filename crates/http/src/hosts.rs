//! `/etc/hosts` (hosts(5)), and the one name that always has an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of `name` in the text of `/etc/hosts`, in its order; those of `localhost`, and of names
/// below it, also without a line there (RFC 6761).
#[must_use]
pub fn addresses(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        if words.any(|word| word.strip_suffix('.').unwrap_or(word).eq_ignore_ascii_case(name))
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if found.is_empty() && last.eq_ignore_ascii_case("localhost") {
        found = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn names_of_a_line() {
        let text = "127.0.0.1 localhost\n::1\tip6-localhost localhost # other\n#10.0.0.1 h\nbad h\n\
                    10.0.0.2 h.example H\n10.0.0.3 h\n10.0.0.2 h\n10.0.0.4";
        let of =
            |name: &str| -> Vec<String> { addresses(text, name).iter().map(ToString::to_string).collect() };
        assert_eq!(of("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(of("h"), ["10.0.0.2", "10.0.0.3"]);
        assert_eq!(of("H.EXAMPLE."), ["10.0.0.2"]);
        assert_eq!(of("a.localhost"), ["127.0.0.1", "::1"]);
        assert!(of("other").is_empty() && of("10.0.0.4").is_empty());
        assert_eq!(addresses("", "localhost").len(), 2);
    }
}
