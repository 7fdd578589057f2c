//! Which keys an entry is checked with.

use hardtack_guest::Stage;

use super::Keys;
use super::list::{Entry, yes};
use crate::Error;

/// Keys and what of them counts.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) keys: Keys,
    pub(super) fingerprints: Vec<String>,
}

pub(super) fn keys(stage: &Stage<'_>, entry: &Entry, allow_trusted: bool) -> Result<Found, Error> {
    let place = &*entry.place;
    let on = |name: &str| entry.options.get(name).and_then(|text| yes(text)) == Some(true);
    if on("trusted") {
        if allow_trusted {
            return Ok(Found { keys: Keys::Trusted, fingerprints: Vec::new() });
        }
        return Err(Error::source(
            place,
            "is trusted=yes: nobody would check who made it; give its key with signed-by, or allow it by name",
        ));
    }
    if on("allow-insecure") || on("allow-weak") {
        return Err(Error::source(place, "asks for allow-insecure or allow-weak, which is never done here"));
    }
    let Some(signed_by) = entry.options.get("signed-by") else {
        return Ok(Found { keys: Keys::Rings(system(stage)?), fingerprints: Vec::new() });
    };
    if signed_by.contains("-----BEGIN") {
        // In deb822 a key stands in the field itself: a blank at each line's beginning, a dot for an empty line.
        let lines = signed_by.lines().map(|line| match line.trim() {
            "." => "",
            line => line,
        });
        let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned() + "\n";
        let ring = (format!("{place} (Signed-By)"), text.into_bytes());
        return Ok(Found { keys: Keys::Rings(vec![ring]), fingerprints: Vec::new() });
    }
    let (mut rings, mut fingerprints) = (Vec::new(), Vec::new());
    for word in signed_by.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()) {
        if word.starts_with('/') {
            let content = stage.read(word)?.ok_or_else(|| {
                Error::source(place, format!("is signed-by {word}, which the image does not have"))
            })?;
            rings.push((word.to_owned(), content));
        } else if word.trim_end_matches('!').bytes().all(|byte| byte.is_ascii_hexdigit()) && word.len() >= 40
        {
            fingerprints.push(word.to_ascii_uppercase());
        } else {
            return Err(Error::source(
                place,
                format!("is signed-by {word:?}, neither a path nor a fingerprint"),
            ));
        }
    }
    if rings.is_empty() {
        rings = system(stage)?;
    }
    Ok(Found { keys: Keys::Rings(rings), fingerprints })
}

/// What apt trusts where no `signed-by` stands.
fn system(stage: &Stage<'_>) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut rings = Vec::new();
    let mut paths = vec!["/etc/apt/trusted.gpg".to_owned()];
    let folder = "/etc/apt/trusted.gpg.d";
    let mut names: Vec<String> = stage.list(folder)?.into_iter().map(|entry| entry.name).collect();
    names.sort();
    paths.extend(
        names
            .into_iter()
            .filter(|name| name.ends_with(".gpg") || name.ends_with(".asc"))
            .map(|name| format!("{folder}/{name}")),
    );
    for path in paths {
        if let Some(content) = stage.read(&path)?.filter(|content| !content.is_empty()) {
            rings.push((path, content));
        }
    }
    Ok(rings)
}
