//! Reading both formats.

use std::collections::BTreeMap;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::control::{Stanza, split};

use super::{Skipped, Source, trust};
use crate::Error;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) skipped: Vec<Skipped>,
}

/// An entry, before addresses and suites are multiplied out.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: String,
    pub(super) uris: Vec<String>,
    pub(super) suites: Vec<String>,
    pub(super) components: Vec<String>,
    /// By the names of deb822, lower case, with the one-line names translated.
    pub(super) options: BTreeMap<String, String>,
}

impl Entry {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            uris: Vec::new(),
            suites: Vec::new(),
            components: Vec::new(),
            options: BTreeMap::new(),
        }
    }

    /// One source for each address and suite.
    pub(super) fn expand(&self, keys: &trust::Found) -> Result<Vec<Source>, Error> {
        let wrong = |what: String| Error::source(&*self.place, what);
        if self.uris.is_empty() || self.suites.is_empty() {
            return Err(wrong("names no address or no suite".to_owned()));
        }
        let architectures = self.options.get("architectures").map(|text| words(text));
        let by_hash = match self.options.get("by-hash").map(String::as_str) {
            Some("force") => Some(true),
            Some(text) => yes(text).filter(|on| !on),
            None => None,
        };
        let valid_until_max = match self.options.get("valid-until-max") {
            Some(text) => Some(
                text.parse()
                    .map_err(|_| wrong(format!("Valid-Until-Max {text:?} is no number of seconds")))?,
            ),
            None => None,
        };
        let mut sources = Vec::new();
        for uri in &self.uris {
            usable(uri).map_err(&wrong)?;
            for suite in &self.suites {
                let flat = suite.ends_with('/');
                if flat != self.components.is_empty() {
                    return Err(wrong(format!(
                        "the suite {suite:?} {}",
                        if flat {
                            "ends with a slash, so it is a path, and components do not go with it"
                        } else {
                            "needs components (main), or a slash at its end where it is a path"
                        }
                    )));
                }
                for word in self.components.iter().chain([suite]) {
                    if !is_safe(word) {
                        return Err(wrong(format!("{word:?} leads out of the repository")));
                    }
                }
                sources.push(Source {
                    place: self.place.clone(),
                    uri: uri.trim_end_matches('/').to_owned(),
                    suite: suite.clone(),
                    components: self.components.clone(),
                    architectures: architectures.clone(),
                    keys: keys.keys.clone(),
                    fingerprints: keys.fingerprints.clone(),
                    check_valid_until: self.options.get("check-valid-until").and_then(|text| yes(text))
                        != Some(false),
                    valid_until_max,
                    by_hash,
                });
            }
        }
        Ok(sources)
    }
}

pub(super) fn words(text: &str) -> Vec<String> {
    text.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// apt's `StringToBool`.
pub(super) fn yes(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "with" | "on" | "enable" | "1" => Some(true),
        "no" | "false" | "without" | "off" | "disable" | "0" => Some(false),
        _ => None,
    }
}

fn is_safe(path: &str) -> bool {
    !path.starts_with('/') && !path.contains(['%', '\\']) && path.split('/').all(|part| part != "..")
        || path == "/"
}

fn scheme(uri: &str) -> &str {
    uri.split_once(':').map_or("", |(scheme, _)| scheme)
}

fn usable(uri: &str) -> Result<(), String> {
    match scheme(uri) {
        "http" | "https" => {
            let authority =
                uri.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
            if authority.is_empty() {
                return Err(format!("{uri:?} names no host"));
            }
            if authority.contains('@') {
                return Err(
                    "an address with a user or password is not used; apt's auth.conf is not read".to_owned()
                );
            }
            Ok(())
        }
        "file" | "copy" => Ok(()),
        _ => Err(format!("{uri:?} is no address that is used here; those are https:, http:, file:")),
    }
}

/// Why an entry of the image is left out, where that is no error.
fn left_out(uri: &str) -> Option<String> {
    let scheme = scheme(uri);
    match scheme {
        "cdrom" => Some("cdrom: nothing is inserted here".to_owned()),
        "file" | "copy" => Some(format!("{scheme}: is a path of the machine that the image runs on")),
        _ if scheme.starts_with("mirror") || scheme.contains('+') => {
            Some(format!("{scheme}: lists of mirrors and other transports are not followed"))
        }
        "http" | "https" => None,
        _ => Some(format!("{scheme:?} is no transport that is known here")),
    }
}

fn keep(entry: Entry, found: &mut Found) {
    let mut entry = entry;
    let mut uris = Vec::new();
    for uri in std::mem::take(&mut entry.uris) {
        match left_out(&uri) {
            Some(why) => found.skipped.push(Skipped { place: entry.place.clone(), why }),
            None => uris.push(uri),
        }
    }
    entry.uris = uris;
    if !entry.uris.is_empty() {
        found.entries.push(entry);
    }
}

/// `deb [arch=amd64 signed-by=/x] URI SUITE COMPONENT…`
pub(super) fn one_line(stage: &Stage<'_>, path: &str, found: &mut Found) -> Result<(), Error> {
    let Some(text) = stage.read_text(path)? else { return Ok(()) };
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let mut entry = Entry::new(&format!("{path}:{}", index + 1));
        let wrong = |what: &str| Error::source(format!("{path}:{}", index + 1), what);
        let (kind, rest) = line.split_once([' ', '\t']).ok_or_else(|| wrong("is not \"deb URI SUITE …\""))?;
        match kind {
            "deb" => {}
            "deb-src" => continue,
            _ => return Err(wrong("begins neither with deb nor with deb-src")),
        }
        let mut rest = rest.trim_start();
        if let Some(inner) = rest.strip_prefix('[') {
            let (options, after) =
                inner.split_once(']').ok_or_else(|| wrong("has options without a closing bracket"))?;
            for option in options.split_ascii_whitespace() {
                let (name, value) =
                    option.split_once('=').ok_or_else(|| wrong("has an option without a value"))?;
                let (name, sign) = match name.strip_suffix(['+', '-']) {
                    Some(plain) => (plain, true),
                    None => (name, false),
                };
                let name = match name.to_ascii_lowercase().as_str() {
                    "arch" => "architectures".to_owned(),
                    other => other.to_owned(),
                };
                if sign && name == "architectures" {
                    return Err(wrong("arch+= and arch-= are not understood here; write arch="));
                }
                entry.options.insert(name, value.replace(',', " "));
            }
            rest = after.trim_start();
        }
        let mut words = rest.split_ascii_whitespace().map(str::to_owned);
        entry.uris.extend(words.next());
        entry.suites.extend(words.next());
        entry.components.extend(words);
        if entry.suites.is_empty() {
            return Err(wrong("names no suite"));
        }
        keep(entry, found);
    }
    Ok(())
}

/// deb822.
pub(super) fn stanzas(stage: &Stage<'_>, path: &str, found: &mut Found) -> Result<(), Error> {
    let Some(text) = stage.read_text(path)? else { return Ok(()) };
    for (line, raw) in split(text.as_bytes()) {
        let stanza = Stanza::parse(&String::from_utf8_lossy(raw), path, line)?;
        let get = |name: &str| stanza.get(name).map(words).unwrap_or_default();
        if stanza.fields().next().is_none() || stanza.get("Enabled").and_then(yes) == Some(false) {
            continue;
        }
        if !get("Types").iter().any(|word| word == "deb") {
            continue;
        }
        let mut entry = Entry::new(&format!("{path}:{line}"));
        entry.uris = get("URIs");
        entry.suites = get("Suites");
        entry.components = get("Components");
        for (name, value) in stanza.fields() {
            entry.options.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        if entry.uris.is_empty() || entry.suites.is_empty() {
            return Err(Error::source(&*entry.place, "names no URIs or no Suites"));
        }
        keep(entry, found);
    }
    Ok(())
}
