//! What a run prints in the end.

use std::io::Write as _;

use serde_json::Value;

use crate::error::CliError;

/// Prints an image that is registered, which `result` has as `image`: the line `IMAGE<TAB>ami-…`, and nothing behind it, or
/// all of `result` as one JSON document.
pub(crate) fn print_image(result: &Value, json: bool) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    let told = if json {
        writeln!(out, "{result}")
    } else {
        // Somebody's script takes what stands here for an id.
        let id = result.get("image").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| CliError::refused("the run came to its end without an image's id"))?;
        writeln!(out, "IMAGE\t{id}")
    };
    told.and_then(|()| out.flush()).map_err(CliError::stream)
}
