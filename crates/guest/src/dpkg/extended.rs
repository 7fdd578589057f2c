//! apt's own record of packages, `/var/lib/apt/extended_states`: which of them came only because
//! others need them. `apt-get autoremove` takes those away again when nobody needs them any more.

use std::collections::BTreeSet;

use super::control::{Stanza, split};
use super::install::World;
use super::package::Package;
use crate::{Error, Set, Stage};

/// Where the record is.
pub const EXTENDED_STATES: &str = "/var/lib/apt/extended_states";

/// Writes down that the packages `automatic` came for others, and `manual` by somebody's wish, as
/// `apt-get install` does; what stands there of packages in `gone` is dropped. Names are `name` or
/// `name:architecture`.
///
/// # Errors
/// When the record cannot be read.
pub fn mark(
    stage: &mut Stage<'_>,
    world: &World,
    automatic: &[Package],
    manual: &[String],
    gone: &[Package],
) -> Result<(), Error> {
    let native = &world.architectures.native;
    let key = |package: &Package| {
        let architecture = if package.architecture == "all" { native } else { &package.architecture };
        (package.name.clone(), architecture.clone())
    };
    let content = stage.read(EXTENDED_STATES)?.unwrap_or_default();
    let mut missing: BTreeSet<(String, String)> = automatic.iter().map(key).collect();
    let asked: BTreeSet<(String, String)> = manual
        .iter()
        .map(|name| {
            let (name, architecture) = name.split_once(':').unwrap_or((name, native));
            (name.to_owned(), architecture.to_owned())
        })
        .collect();
    let gone: BTreeSet<(String, String)> = gone.iter().map(key).collect();
    let mut text = Vec::new();
    for (line, raw) in split(&content) {
        let shown = String::from_utf8_lossy(raw);
        let stanza = Stanza::parse(&shown, EXTENDED_STATES, line)?;
        let own = (
            stanza.get("Package").unwrap_or_default().to_owned(),
            stanza.get("Architecture").unwrap_or(native).to_owned(),
        );
        let is_automatic = stanza.get("Auto-Installed") == Some("1");
        if gone.contains(&own) || (is_automatic && asked.contains(&own)) {
            continue;
        }
        if is_automatic {
            missing.remove(&own);
        } else if missing.contains(&own) {
            continue;
        }
        text.extend_from_slice(raw);
        if raw.last() != Some(&b'\n') {
            text.push(b'\n');
        }
        text.push(b'\n');
    }
    for (name, architecture) in missing {
        let stanza = format!("Package: {name}\nArchitecture: {architecture}\nAuto-Installed: 1\n\n");
        text.extend_from_slice(stanza.as_bytes());
    }
    if text != content {
        stage.write(EXTENDED_STATES, text, Set::default())?;
    }
    Ok(())
}
