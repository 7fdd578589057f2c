//! One scalar of a known tag (`yaml/constructor.py`, `construct_yaml_*`).

use hardtack_yaml::shorten;

use super::{BREAKS, VALUE, number, timestamp};
use crate::finding::{Finding, Place};
use crate::lenient_base64;
use crate::value::Kind;

/// Why a text does not fit its tag.
pub(super) enum Trouble {
    /// PyYAML reports it.
    Refused(String),
    /// PyYAML stumbles over it.
    Breaks(String),
}

impl Trouble {
    pub(super) fn at(self, place: Place) -> Finding {
        match self {
            Self::Refused(message) => Finding::error(VALUE, place, message),
            Self::Breaks(message) => Finding::error(BREAKS, place, message),
        }
    }
}

/// `text` under the tag `!!tag`.
pub(super) fn construct(tag: &str, text: String) -> Result<Kind, Trouble> {
    match tag {
        "null" => Ok(Kind::Null),
        "bool" => match text.to_lowercase().as_str() {
            "yes" | "true" | "on" => Ok(Kind::Bool(true)),
            "no" | "false" | "off" => Ok(Kind::Bool(false)),
            _ => Err(Trouble::Breaks(misfit("boolean", &text))),
        },
        "int" => number::integer(&text),
        "float" => number::float(&text).map(Kind::Float),
        "timestamp" => timestamp::construct(&text),
        "binary" => {
            let bytes = if text.is_ascii() { lenient_base64::decode(text.as_bytes()).ok() } else { None };
            bytes.map(Kind::Bytes).ok_or_else(|| {
                Trouble::Refused("the tag `!!binary` is for base64, and this is none".to_owned())
            })
        }
        _ => Ok(Kind::Text(text)),
    }
}

/// `text` is not what its tag or its looks say.
pub(super) fn misfit(what: &str, text: &str) -> String {
    format!("`{}` is no {what}; put it in quotes if it is text", shorten(text))
}
