//! What a run prints in the end.

use std::io::Write as _;

use serde_json::Value;

use crate::error::CliError;

/// How a run's result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `IMAGE<TAB>ami-…`, and nothing behind it.
    Line,
    /// One JSON document.
    Json,
}

/// Prints an image that is registered; `result` has it as `image`.
pub(crate) fn print_image(result: &Value, json: bool) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    let answer = if json { Answer::Json } else { Answer::Line };
    let told = match answer {
        Answer::Json => writeln!(out, "{result}"),
        Answer::Line => {
            let id = result.get("image").and_then(Value::as_str).unwrap_or_default();
            if id.is_empty() {
                return Err(CliError::refused("the run came to its end without an image's id"));
            }
            writeln!(out, "IMAGE\t{id}")
        }
    };
    told.and_then(|()| out.flush()).map_err(CliError::stream)
}
