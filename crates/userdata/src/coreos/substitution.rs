//! `$private_ipv4` and friends (`initialize/env.go`).
//!
//! They are replaced in the whole text, comments and scripts included, before it is read as YAML. There
//! is no word boundary: `$private_ipv4x` is replaced as well. A backslash before one keeps it as it is,
//! and goes away. Of two that touch each other the second stays, since the pattern takes the
//! character before a word with it.

/// The machine's addresses. One that is not known is replaced by nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// `$public_ipv4`.
    pub public_ipv4: Option<String>,
    /// `$private_ipv4`.
    pub private_ipv4: Option<String>,
    /// `$public_ipv6`.
    pub public_ipv6: Option<String>,
    /// `$private_ipv6`.
    pub private_ipv6: Option<String>,
}

impl Addresses {
    /// Each word with its address and the variable of `/etc/environment` that holds it.
    #[must_use]
    pub fn words(&self) -> [(&'static str, &'static str, Option<&str>); 4] {
        [
            ("$public_ipv4", "COREOS_PUBLIC_IPV4", self.public_ipv4.as_deref()),
            ("$private_ipv4", "COREOS_PRIVATE_IPV4", self.private_ipv4.as_deref()),
            ("$public_ipv6", "COREOS_PUBLIC_IPV6", self.public_ipv6.as_deref()),
            ("$private_ipv6", "COREOS_PRIVATE_IPV6", self.private_ipv6.as_deref()),
        ]
    }

    /// With those of `defaults` where there is none.
    #[must_use]
    pub fn or(self, defaults: Self) -> Self {
        Self {
            public_ipv4: self.public_ipv4.or(defaults.public_ipv4),
            private_ipv4: self.private_ipv4.or(defaults.private_ipv4),
            public_ipv6: self.public_ipv6.or(defaults.public_ipv6),
            private_ipv6: self.private_ipv6.or(defaults.private_ipv6),
        }
    }
}

/// `text` with the addresses in it.
#[must_use]
pub fn substitute(text: &str, addresses: &Addresses) -> String {
    let mut text = text.to_owned();
    for (word, _, address) in addresses.words() {
        if text.contains(word) {
            text = replace(&text, word, address.unwrap_or_default());
            text = text.replace(&format!("\\{word}"), word);
        }
    }
    text
}

/// `([^\\]|^)word` → `${1}address`.
fn replace(text: &str, word: &str, address: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, _) in text.match_indices(word) {
        if matches(text, at, rest) {
            out.push_str(text.get(rest..at).unwrap_or_default());
            out.push_str(address);
            rest = at + word.len();
        }
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    out
}

/// Whether the word at `at` is replaced; `taken` is the end of the one replaced before it.
fn matches(text: &str, at: usize, taken: usize) -> bool {
    at == 0 || at > taken && text.as_bytes().get(at - 1) != Some(&b'\\')
}

/// A word of the text, and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is replaced.
    Replaced,
    /// It is written with a backslash, and stays.
    Escaped,
    /// It touches the same word before it, and stays.
    Touching,
}

/// Every word in `text`: its place, itself, what happens to it.
pub(crate) fn uses(text: &str) -> Vec<(usize, &'static str, Use)> {
    let mut found = Vec::new();
    for (word, _, _) in Addresses::default().words() {
        let mut taken = 0;
        for (at, _) in text.match_indices(word) {
            let what = if matches(text, at, taken) {
                taken = at + word.len();
                Use::Replaced
            } else if at == taken {
                Use::Touching
            } else {
                Use::Escaped
            };
            found.push((at, word, what));
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            private_ipv4: Some("10.1.2.3".to_owned()),
            public_ipv4: Some("198.51.100.7".to_owned()),
            ..Addresses::default()
        }
    }

    #[test]
    fn words_are_replaced_as_the_pattern_does() {
        for (text, wanted) in [
            ("addr: $private_ipv4:4001", "addr: 10.1.2.3:4001"),
            ("$private_ipv4x", "10.1.2.3x"),
            ("\\$private_ipv4", "$private_ipv4"),
            ("\\\\$private_ipv4", "\\$private_ipv4"),
            ("$private_ipv4$private_ipv4", "10.1.2.3$private_ipv4"),
            ("$private_ipv4$private_ipv4$private_ipv4", "10.1.2.3$private_ipv410.1.2.3"),
            ("$private_ipv4$public_ipv4", "10.1.2.3198.51.100.7"),
            ("ü$private_ipv4", "ü10.1.2.3"),
            ("[$public_ipv6]", "[]"),
            ("${private_ipv4} $other $private_ip", "${private_ipv4} $other $private_ip"),
        ] {
            assert_eq!(substitute(text, &addresses()), wanted, "{text}");
        }
    }

    #[test]
    fn each_use_is_told_apart() {
        let what: Vec<Use> = uses("$public_ipv4$public_ipv4 \\$public_ipv4 $private_ipv4")
            .into_iter()
            .map(|(.., what)| what)
            .collect();
        assert_eq!(what, [Use::Replaced, Use::Touching, Use::Escaped, Use::Replaced]);
    }
}
