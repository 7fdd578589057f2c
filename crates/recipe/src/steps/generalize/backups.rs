//! `backup-files`: what editors and people put beside a file before they changed it.

use std::collections::BTreeSet;

use super::places::files_below;
use super::way::meant;
use crate::{Context, StepError};

const WHERE: [&str; 5] = ["/etc", "/root", "/srv", "/tmp", "/var"];

/// Removes regular files whose name ends in `.bak` or `~`; what people see as such, not `.dpkg-old` or
/// `.orig`, which a package manager may still ask for.
pub(super) fn clear(cx: &mut Context<'_, '_>, homes: &BTreeSet<String>) -> Result<(), StepError> {
    let places = WHERE.iter().copied().chain(homes.iter().map(String::as_str));
    for place in places.collect::<BTreeSet<_>>() {
        let Some(place) = meant(cx, place, true)? else { continue };
        for file in files_below(cx.stage, place.as_str())? {
            if file.ends_with(".bak") || file.ends_with('~') {
                cx.stage.remove(&file)?;
            }
        }
    }
    Ok(())
}
