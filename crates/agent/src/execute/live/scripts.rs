//! Scripts, and files that join others.

use std::fs::File;
use std::io::Read;

use hardtack_modules::Owner;

use super::Details;
use crate::error::AgentError;
use crate::execute::{Execution, files, scripts};

/// As much as user-data may fetch.
const MOST: u64 = 1 << 30;

/// `append-file`: the content of one file at the end of another; the first one goes.
pub(super) fn append_file(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let (from, to) = (details.need("from")?, details.need("to")?);
    let mode = match details.get("mode") {
        None => None,
        Some(text) => Some(
            u32::from_str_radix(text, 8)
                .map_err(|_| AgentError::text(format!("{text} is not the mode of a file in octal digits")))?,
        ),
    };
    let name = |key| details.get(key).map(str::to_owned);
    let owner = Owner { user: name("user"), group: name("group") };
    // Ours, in a directory of ours.
    let path = cx.host.path(from);
    let source = File::open(&path).map_err(|error| AgentError::io("read", &path, error))?;
    files::append_with(cx, to, mode, Some(&owner), |file| {
        std::io::copy(&mut source.take(MOST), file).map(|_| ())
    })?;
    files::remove(cx, from)
}

/// `run-parts`.
pub(super) fn run_parts(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    scripts::run_parts(cx, details.need("directory")?, &details.all("prefix"))
}
