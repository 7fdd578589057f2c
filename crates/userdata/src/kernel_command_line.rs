//! What the kernel command line may say: configuration (`cc:`), the network (`network-config=`) and the
//! NoCloud seed (`ds=nocloud;…`). (`cloudinit/util.py`, `read_cc_from_cmdline`; `cloudinit/net/cmdline.py`;
//! `cloudinit/sources/DataSourceNoCloud.py`)

use crate::lenient_base64;

/// The YAML of all `cc: … end_cc`, percent encoding undone, `\n` a line break; empty if there is none.
#[must_use]
pub fn cloud_config(line: &str) -> String {
    const END: &str = "end_cc";
    let line = format!(" {line}");
    let mut rest = line.as_str();
    let mut texts = Vec::new();
    while let Some((_, behind)) = rest.split_once(" cc:") {
        let (inside, after) = behind.split_once(END).unwrap_or((behind, ""));
        texts.push(unquote(inside.trim_start()).replace("\\n", "\n"));
        rest = after;
    }
    texts.join("\n")
}

/// `urllib.parse.unquote`: `%5B` is `[`; bytes that are no UTF-8 become U+FFFD.
fn unquote(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, behind)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let digits = behind.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(b'%');
            rest = behind;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What `network-config=` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkConfig {
    /// `network-config=disabled`.
    Disabled,
    /// YAML, perhaps gzipped: the base64 undone.
    Encoded(Vec<u8>),
    /// The text is no base64 and counts for nothing.
    Broken,
}

/// The last `network-config=`, if it is not empty.
#[must_use]
pub fn network_config(line: &str) -> Option<NetworkConfig> {
    let tokens = line.split(crate::python::is_space);
    let value = tokens.filter_map(|token| token.strip_prefix("network-config=")).next_back()?;
    match value {
        "" => None,
        "disabled" => Some(NetworkConfig::Disabled),
        _ if !value.is_ascii() => Some(NetworkConfig::Broken),
        _ => Some(
            lenient_base64::decode(value.as_bytes()).map_or(NetworkConfig::Broken, NetworkConfig::Encoded),
        ),
    }
}

/// What `ds=nocloud` or `ds=nocloud-net` says: meta-data in the order written, `h`, `i` and `s` as
/// `local-hostname`, `instance-id` and `seedfrom`; `dsmode` goes by the seed's
/// address if it is not given.
/// `None` without such a word.
#[must_use]
pub fn nocloud(line: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut data = Vec::new();
    for (word, mode) in [("ds=nocloud", "local"), ("ds=nocloud-net", "net")] {
        if !nocloud_word(word, line, &mut data) {
            continue;
        }
        if data.iter().any(|(key, _)| key == "dsmode") {
            return Some(data);
        }
        let from = data.iter().find(|(key, _)| key == "seedfrom").and_then(|(_, value)| value.as_deref());
        let mode = match from {
            None | Some("") => Some(mode),
            Some(from) if is_remote(from) => Some("net"),
            Some(from) if from.starts_with("file://") || from.starts_with('/') => Some("local"),
            Some(_) => None,
        };
        if let Some(mode) = mode {
            set(&mut data, "dsmode", Some(mode.to_owned()));
        }
        return Some(data);
    }
    None
}

fn is_remote(from: &str) -> bool {
    ["http://", "https://", "ftp://", "ftps://"].iter().any(|scheme| from.starts_with(scheme))
}

/// `parse_cmdline_data`.
fn nocloud_word(word: &str, line: &str, data: &mut Vec<(String, Option<String>)>) -> bool {
    let padded = format!(" {line} ");
    if !padded.contains(&format!(" {word} ")) && !padded.contains(&format!(" {word};")) {
        return false;
    }
    // The last word that starts so counts, were it `ds=nocloudy`.
    let token = padded.split(crate::python::is_space).rfind(|token| token.starts_with(word));
    let argument = token.and_then(|token| token.split_once('=')).map_or("", |(_, argument)| argument);
    for item in argument.split(';').skip(1).filter(|item| !item.is_empty()) {
        let (key, value) = match item.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (item, None),
        };
        let key = match key {
            "h" => "local-hostname",
            "i" => "instance-id",
            "s" => "seedfrom",
            _ => key,
        };
        set(data, key, value);
    }
    true
}

fn set(data: &mut Vec<(String, Option<String>)>, key: &str, value: Option<String>) {
    match data.iter_mut().find(|(known, _)| known == key) {
        Some((_, slot)) => *slot = value,
        None => data.push((key.to_owned(), value)),
    }
}
