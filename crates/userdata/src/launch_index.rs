//! Parts for some of the instances of one launch (`cloudinit/filters/launch_index.py`,
//! `cloudinit/user_data.py`, `_attach_launch_index`).

use crate::load;
use crate::mime::{Id, Message, Payload};
use crate::value::{Key, Kind};
use crate::{format, limits, python};

/// The header.
pub(crate) const HEADER: &str = "Launch-Index";

/// Gives a cloud-config the header for its key `launch-index`. A header that is there already
/// counts, if it is a number.
pub(crate) fn attach(message: &mut Message) {
    let said = match message.get(HEADER) {
        Some(header) => python::int(header).map(|index| index.to_string()),
        None if message.content_type() == format::CLOUD_CONFIG => in_payload(&message.decoded()),
        None => None,
    };
    if let Some(index) = said {
        message.add(HEADER, index);
    }
}

fn in_payload(payload: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"launch-index";
    // Reading YAML only for this would be half of the work.
    payload.windows(KEY.len()).find(|window| *window == KEY)?;
    let map = load::load_config(std::str::from_utf8(payload).ok()?, 0).ok()??;
    // int() of what PyYAML made of it.
    match &map.get(&Key::text("launch-index"))?.kind {
        Kind::Bool(value) => Some(i32::from(*value).to_string()),
        Kind::Int(value) => Some(value.to_string()),
        Kind::HugeInt(digits) => Some(digits.clone()),
        #[allow(clippy::cast_possible_truncation)]
        Kind::Float(value) if value.is_finite() => Some((*value as i128).to_string()),
        Kind::Text(text) => python::int(text).map(|index| index.to_string()),
        _ => None,
    }
}

/// Whether the message `id` is for the instance `wanted`.
pub(crate) fn selects(message: &Message, wanted: Option<i64>) -> bool {
    let (Some(wanted), Some(header)) = (wanted, message.get(HEADER)) else { return true };
    python::int(header) == Some(i128::from(wanted))
}

/// The messages in `ids` that hold no others, in the order in which they are handled; those for other
/// instances left out. Each is told with its place in line.
pub(crate) fn leaves(messages: &[Message], ids: &[Id], wanted: Option<i64>) -> Vec<Id> {
    let mut found = Vec::new();
    let mut waiting: Vec<Id> = ids.iter().rev().copied().collect();
    while let Some(id) = waiting.pop()
        && found.len() < limits::PARTS
    {
        let Some(message) = messages.get(id) else { continue };
        if !selects(message, wanted) {
            continue;
        }
        if message.main_type() != "multipart" {
            found.push(id);
        }
        if let Payload::List(list) = &message.payload {
            waiting.extend(list.iter().rev());
        }
    }
    found
}
