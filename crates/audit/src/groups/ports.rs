//! Protocols and ports in words: `tcp/22`, `tcp/8000-8100`, `icmp/8`, `all`.
//!
//! Source: EC2's `IpPermission`: `-1` is every protocol; for icmp `fromPort` is the type and `toPort` the code, and -1
//! is every one of them; Eucalyptus leaves ports out, or gives protocols by number.

use serde::{Serialize, Serializer};

/// Numbers of protocols that have names.
const NAMES: [(&str, &str); 4] = [("6", "tcp"), ("17", "udp"), ("1", "icmp"), ("58", "icmpv6")];
/// The last port.
const LAST: i64 = 65_535;

/// What a rule lets through. Sorted: every protocol first, then by protocol and number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// `None`: every protocol. Else its name, or its number.
    pub protocol: Option<String>,
    /// First and last port; of icmp types. `None`: every one.
    pub range: Option<(i64, i64)>,
    /// The code of an icmp type; `None`: every one.
    pub code: Option<i64>,
}

impl Ports {
    /// As EC2 tells it.
    pub fn new(protocol: &str, from: Option<i64>, to: Option<i64>) -> Self {
        let lower = protocol.trim().to_ascii_lowercase();
        if lower == "-1" || lower == "all" || lower.is_empty() {
            return Self { protocol: None, range: None, code: None };
        }
        let name =
            NAMES.iter().find(|(number, _)| *number == lower).map_or(lower.as_str(), |(_, name)| *name);
        let name = if name == "58" || name == "ipv6-icmp" { "icmpv6" } else { name };
        let protocol = Some(name.to_owned());
        match name {
            "icmp" | "icmpv6" => {
                let kind = from.filter(|kind| *kind >= 0);
                let code = kind.and(to).filter(|code| *code >= 0);
                Self { protocol, range: kind.map(|kind| (kind, kind)), code }
            }
            "tcp" | "udp" => {
                let from = from.filter(|port| *port >= 0).unwrap_or(0);
                let to = to.filter(|port| *port >= 0).unwrap_or(LAST);
                Self { protocol, range: Some((from, to)).filter(|range| *range != (0, LAST)), code: None }
            }
            _ => Self { protocol, range: None, code: None },
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        let Some(protocol) = &self.protocol else { return "all".to_owned() };
        match (self.range, self.code) {
            (Some((kind, _)), Some(code)) => format!("{protocol}/{kind}.{code}"),
            (Some((from, to)), None) if from == to => format!("{protocol}/{from}"),
            (Some((from, to)), None) => format!("{protocol}/{from}-{to}"),
            (None, _) => protocol.clone(),
        }
    }
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_in_words() {
        for (protocol, from, to, words) in [
            ("tcp", Some(22), Some(22), "tcp/22"),
            ("6", Some(8000), Some(8100), "tcp/8000-8100"),
            ("tcp", Some(0), Some(65_535), "tcp"),
            ("udp", None, None, "udp"),
            ("tcp", Some(-1), Some(-1), "tcp"),
            ("tcp", Some(0), Some(0), "tcp/0"),
            ("icmp", Some(8), Some(-1), "icmp/8"),
            ("icmp", Some(3), Some(4), "icmp/3.4"),
            ("icmp", Some(-1), Some(-1), "icmp"),
            ("58", Some(-1), Some(-1), "icmpv6"),
            ("-1", None, None, "all"),
            ("-1", Some(0), Some(65_535), "all"),
            ("50", None, None, "50"),
        ] {
            assert_eq!(Ports::new(protocol, from, to).words(), words, "{protocol} {from:?} {to:?}");
        }
    }
}
