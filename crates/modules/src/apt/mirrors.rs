//! Where packages come from (`find_apt_mirror_info`; `package_mirrors` in `config/cloud.cfg.tmpl`).

use hardtack_userdata::{Map, Value, truth};

use super::Failed;
use crate::module::{Outcome, Request};
use crate::reading::{self, get};
use crate::system;

/// The two mirrors.
#[derive(Clone, Debug)]
pub(super) struct Mirrors {
    pub(super) primary: String,
    pub(super) security: String,
    /// True when the configuration names one.
    pub(super) given: bool,
}

pub(super) fn find(config: &Map, request: &Request<'_>, outcome: &mut Outcome) -> Result<Mirrors, Failed> {
    let architecture = system::architecture(request.machine).unwrap_or("amd64");
    let primary = mirror(config, "primary", architecture, outcome)?;
    let security = mirror(config, "security", architecture, outcome)?;
    if let Some(primary) = primary {
        let security = security.unwrap_or_else(|| primary.clone());
        return Ok(Mirrors { primary, security, given: true });
    }
    // Without a primary mirror the security one is not looked at.
    let (primary, security) = match (request.distro.variant.as_str(), architecture) {
        ("debian", _) => ("https://deb.debian.org/debian", "https://deb.debian.org/debian-security"),
        ("ubuntu", "amd64" | "i386" | "arm64") => {
            ("http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu")
        }
        (_, "amd64" | "i386") => ("http://archive.ubuntu.com/ubuntu/", "http://security.ubuntu.com/ubuntu/"),
        _ => ("http://ports.ubuntu.com/ubuntu-ports", "http://ports.ubuntu.com/ubuntu-ports"),
    };
    Ok(Mirrors { primary: primary.to_owned(), security: security.to_owned(), given: false })
}

fn mirror(
    config: &Map,
    name: &str,
    architecture: &str,
    outcome: &mut Outcome,
) -> Result<Option<String>, Failed> {
    let Some(value) = get(config, name).filter(|value| !value.is_null()) else { return Ok(None) };
    let path = format!("apt.{name}");
    let Some(list) = value.as_list() else {
        return Err(Box::new(reading::wrong(value, &path, "a list of mirrors")));
    };
    let mut chosen = None;
    for entry in list {
        if entry.as_map().is_none() {
            return Err(Box::new(reading::wrong(entry, &path, "a mapping with `arches` and `uri`")));
        }
        let has = |wanted: &str| {
            entry.get("arches").is_some_and(|arches| match arches.as_list() {
                Some(list) => list.iter().any(|arch| arch.as_text() == Some(wanted)),
                // Python looks for the word in a text.
                None => arches.as_text().is_some_and(|text| text.contains(wanted)),
            })
        };
        if has(architecture) {
            chosen = Some(entry);
            break;
        }
        if has("default") {
            chosen = Some(entry);
        }
    }
    let Some(entry) = chosen else { return Ok(None) };
    if let Some(uri) = entry.get("uri").filter(|uri| !uri.is_null()) {
        return Ok(Some(uri.to_python_str()));
    }
    if let Some(first) = entry.get("search").and_then(Value::as_list).and_then(<[Value]>::first) {
        outcome
            .notes
            .push(format!("of the mirrors in {path}.search the first is taken, whether it answers or not"));
        return Ok(Some(first.to_python_str()));
    }
    if entry.get("search_dns").is_some_and(truth::truthy) {
        outcome.notes.push(format!("{path}.search_dns is not supported: name the mirror in `uri`"));
    }
    Ok(None)
}
