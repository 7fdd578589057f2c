//! The machine's cards, the files to write, and the words around a configuration: `network:`, `config: disabled`.

use hardtack_userdata::{Finding, Map, Value};

use crate::py::{Outcome, at, mapping};

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
