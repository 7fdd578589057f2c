//! Keys of apt's sources (`cloudinit/config/cc_apt_configure.py`: `add_apt_key`; gpg(1), "How to
//! specify a user ID").

use super::{Report, shown, top, trap};
use crate::truth::truthy;
use crate::value::{Kind, Map, Value};

/// Sources that are looked at.
const SOURCES: usize = 1000;

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    let Some(apt) = top(config, "apt") else { return };
    if let Some(Value { kind: Kind::Map(sources), .. }) = apt.get("sources") {
        for (name, source) in sources.iter().take(SOURCES) {
            keys(source, &format!("apt.sources.{}", name.to_python_str()), report);
        }
    }
    for list in ["primary", "security"] {
        let mirrors = apt.get(list).and_then(Value::as_list).unwrap_or_default();
        for (index, mirror) in mirrors.iter().take(SOURCES).enumerate() {
            keys(mirror, &format!("apt.{list}.{index}"), report);
        }
    }
}

fn keys(source: &Value, path: &str, report: &mut Report<'_>) {
    let key = source.get("key").filter(|key| truthy(key));
    if let Some((value, text)) = key.and_then(|key| Some((key, key.as_text()?.trim()))) {
        let one_line = !text.contains('\n');
        let fetched =
            ["http://", "https://", "ftp://", "file://"].iter().any(|start| text.starts_with(start));
        if one_line && (fetched || text.starts_with('/')) && !report.is_told(value.place) {
            let what = if fetched { "an address" } else { "a path" };
            report.tell(trap(
                "apt-key-not-inline",
                value.place,
                format!("{path}.key"),
                format!("`key` is {what} here, and nothing fetches it: the module fails"),
                "put the key itself in, as a block: `key: |`, and below it `-----BEGIN PGP PUBLIC KEY BLOCK-----` and the rest",
            ));
        }
        return;
    }
    let Some(value) = source.get("keyid").filter(|id| truthy(id)) else { return };
    let Some(text) = value.as_text() else { return };
    // `keyid` fetches by number alone.
    if !is_key_id(text) && !report.is_told(value.place) {
        report.tell(trap(
            "apt-keyid-unknown",
            value.place,
            format!("{path}.keyid"),
            format!("{} is no number of a key: key servers are asked for hexadecimal digits", shown(text)),
            "write the key's whole fingerprint, 40 hexadecimal digits",
        ));
    }
}

/// `0x` or not, in groups or not.
fn is_key_id(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).take(100).collect();
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(&digits);
    let digits = digits.strip_suffix('!').unwrap_or(digits);
    digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
