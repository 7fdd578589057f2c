//! The machine's cards, the files to write, and the words around a configuration: `network:`, `config: disabled`.

use hardtack_userdata::{Finding, Map, Value, gunzip};

use crate::py::{Outcome, at, mapping};

/// What a configuration on the kernel command line unpacks to at most; the line itself has 4 KiB.
const LIMIT: usize = 1 << 20;

/// A network card that the machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// `eth0`, `enp1s0`.
    pub name: String,
    /// `52:54:00:12:34:56`, in lower case.
    pub mac: String,
    /// The kernel module: `virtio_net`.
    pub driver: Option<String>,
}

/// A file to write, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetFile {
    /// Absolute path.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group, where they are not root.
    pub owner: Option<&'static str>,
}

/// What a source of configuration says.
#[derive(Clone, Debug)]
pub enum Says {
    /// Nothing: the next source is asked.
    Nothing,
    /// `config: disabled`.
    Disabled,
    /// A configuration, without the word `network` around it.
    This(Value),
}

/// `_get_network_key_contents` and `is_disabled_cfg` (`cloudinit/stages.py`, `cloudinit/net/__init__.py`).
///
/// # Errors
/// What is no mapping.
pub fn says(config: &Value) -> Result<Says, Box<Finding>> {
    if !hardtack_userdata::truth::truthy(config) {
        return Ok(Says::Nothing);
    }
    let top: &Map = mapping(config, "the network configuration")?;
    let inner = at(top, "network").unwrap_or(config);
    if at_text(inner, "config") == Some("disabled") {
        return Ok(Says::Disabled);
    }
    let found: Outcome<Says> = if hardtack_userdata::truth::truthy(inner) {
        mapping(inner, "`network`").map(|_| Says::This(inner.clone()))
    } else {
        Ok(Says::Nothing)
    };
    found
}

fn at_text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_text)
}

/// What `network-config=` of the kernel command line says; `None` where it does not stand.
///
/// # Errors
/// What is no base64, no gzip, no YAML.
#[must_use]
pub fn from_command_line(line: &str) -> Option<Result<Value, Box<Finding>>> {
    use hardtack_userdata::kernel_command_line::{NetworkConfig, network_config};
    let broken = |message: &str| {
        let hint = "give the YAML as base64, gzipped if it is long";
        Box::new(
            Finding::error(crate::py::REFUSED, hardtack_userdata::Place::default(), message).with_hint(hint),
        )
    };
    Some(match network_config(line)? {
        NetworkConfig::Disabled => {
            let mut map = Map::new();
            crate::py::set(&mut map, "config", crate::py::text("disabled"));
            Ok(crate::py::map(map))
        }
        NetworkConfig::Broken => Err(broken("`network-config=` of the kernel command line is no base64")),
        NetworkConfig::Encoded(bytes) => {
            let bytes =
                if gunzip::is_gzip(&bytes) { gunzip::gunzip(&bytes, LIMIT).ok() } else { Some(bytes) };
            match bytes.map(|bytes| Value::load_bytes(&bytes, 0)) {
                Some(Ok(value)) => Ok(value),
                Some(Err(mut found)) if !found.is_empty() => Err(Box::new(found.swap_remove(0))),
                _ => Err(broken("`network-config=` of the kernel command line is gzip that does not unpack")),
            }
        }
    })
}
