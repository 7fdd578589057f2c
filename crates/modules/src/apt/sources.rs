//! Sources that the configuration adds, and keys (`add_apt_sources`, `add_apt_key`).

use base64::Engine as _;
use hardtack_userdata::{Finding, Map, Value, truth};

use super::Failed;
use super::mirrors::Mirrors;
use crate::action::{Action, Content};
use crate::basic_template;
use crate::live;
use crate::module::{Outcome, Request};
use crate::packages;
use crate::reading::{self, get};
use crate::system::{guarded, run, write_guarded};

/// Whether a source is one for `add-apt-repository`: `ppa:user/name`.
pub(super) fn is_repository(source: &str) -> bool {
    source.split_once(':').is_some_and(|(kind, rest)| {
        let word = |character: char| character.is_alphanumeric() || character == '_';
        !kind.is_empty()
            && kind.chars().all(|character| word(character) || character == '-')
            && rest.chars().next().is_some_and(word)
    })
}

/// Keys of mirrors: `primary_key` and `security_key` for templates.
pub(super) fn mirror_keys(config: &Map, outcome: &mut Outcome) -> Result<Vec<(String, String)>, Failed> {
    let mut keys = Vec::new();
    for name in ["primary", "security"] {
        if let Some(value) = get(config, name).filter(|value| value.is_null()) {
            return Err(Box::new(reading::wrong(value, &format!("apt.{name}"), "a list of mirrors")));
        }
        for entry in get(config, name).and_then(Value::as_list).unwrap_or_default() {
            if let Some(file) = key(entry, name, false, &format!("apt.{name}"), outcome)? {
                keys.retain(|(known, _): &(String, String)| *known != format!("{name}_key"));
                keys.push((format!("{name}_key"), file));
            }
        }
    }
    Ok(keys)
}

/// `pathlib.Path(name).stem`.
fn stem(name: &str) -> &str {
    let base = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match base.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && !ending.is_empty() => stem,
        _ => base,
    }
}

/// Writes the key of an entry, if it has one, and returns the file's name.
fn key(
    entry: &Value,
    name: &str,
    hardened: bool,
    path: &str,
    outcome: &mut Outcome,
) -> Result<Option<String>, Failed> {
    let directory = if hardened { "/etc/apt/cloud-init.gpg.d" } else { "/etc/apt/trusted.gpg.d" };
    let file = format!("{directory}/{}.gpg", stem(name));
    if let Some(value) = entry.get("key") {
        let path = format!("{path}.key");
        let Some(text) = value.as_text() else { return Err(Box::new(reading::wrong(value, &path, "text"))) };
        let Some(bytes) = dearmored(text) else {
            let message = "the key is no PGP public key block";
            let finding = Finding::error(reading::UNUSABLE, value.place, message).at(path);
            return Err(Box::new(finding.with_hint("it begins with -----BEGIN PGP PUBLIC KEY BLOCK-----")));
        };
        let content = Content::open(bytes);
        outcome.actions.push(Action::Write { path: file.clone(), content, mode: Some(0o644), owner: None });
        return Ok(Some(file));
    }
    let Some(id) = entry.get("keyid") else { return Ok(None) };
    let server =
        entry.get("keyserver").map_or_else(|| "keyserver.ubuntu.com".to_owned(), Value::to_python_str);
    let details = vec![
        ("keyid".to_owned(), id.to_python_str()),
        ("keyserver".to_owned(), server),
        ("file".to_owned(), file.clone()),
    ];
    outcome.actions.push(Action::Live { what: live::APT_KEY, details });
    Ok(Some(file))
}

/// The bytes in ASCII armour (RFC 4880, 6.2); the checksum behind them is not looked at.
#[must_use]
pub fn dearmored(text: &str) -> Option<Vec<u8>> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.starts_with("-----BEGIN PGP ") && line.ends_with("-----"))?;
    let mut body = String::new();
    let mut header = true;
    for line in lines {
        if line.starts_with("-----END ") {
            return base64::engine::general_purpose::STANDARD
                .decode(body)
                .ok()
                .filter(|bytes| !bytes.is_empty());
        }
        if header && (line.is_empty() || line.contains(": ")) {
            header = !line.is_empty();
            continue;
        }
        header = false;
        if !line.starts_with('=') {
            body.push_str(line);
        }
    }
    None
}

/// Adds the entries of `sources`.
pub(super) fn add(
    value: &Value,
    mirrors: &Mirrors,
    request: &Request<'_>,
    outcome: &mut Outcome,
) -> Result<(), Failed> {
    let mut key_file: Option<String> = None;
    for (name, entry) in value.as_map().into_iter().flatten() {
        let name = name.to_python_str();
        let path = format!("apt.sources.{name}");
        let file = match entry.get("filename") {
            None => name,
            Some(file) => match file.as_text() {
                Some(text) => text.to_owned(),
                None => return Err(Box::new(reading::wrong(file, &format!("{path}.filename"), "text"))),
            },
        };
        let source = entry.get("source").and_then(Value::as_text);
        let hardened = source.is_some_and(|source| source.contains("$KEY_FILE"));
        let written = key(entry, &file, hardened, &path, outcome)?;
        if hardened {
            // Without a key, Python writes its word for nothing.
            key_file = Some(written.unwrap_or_else(|| "None".to_owned()));
        }
        let Some(source) = source else { continue };
        let lookup = |name: &str| match name {
            "RELEASE" => Some(request.distro.codename.clone()),
            "MIRROR" | "PRIMARY" => Some(mirrors.primary.clone()),
            "SECURITY" => Some(mirrors.security.clone()),
            "KEY_FILE" => key_file.clone(),
            _ => None,
        };
        let source = basic_template::render(source, &lookup).map_err(|error| {
            let place = entry.get("source").map(|source| source.place).unwrap_or_default();
            let finding = Finding::error(reading::UNUSABLE, place, format!("{error} in a source")).at(&path);
            Box::new(
                finding
                    .with_hint("only $MIRROR, $PRIMARY, $SECURITY, $RELEASE and $KEY_FILE can stand there"),
            )
        })?;
        if is_repository(&source) {
            outcome.actions.push(run(["add-apt-repository", "--no-update", &source]));
            continue;
        }
        let mut file = if file.starts_with('/') { file } else { format!("/etc/apt/sources.list.d/{file}") };
        if !file.ends_with(".list") {
            file.push_str(".list");
        }
        let text = format!("{source}\n");
        if entry.get("append").is_none_or(truth::truthy) {
            let content = guarded(text);
            outcome.actions.push(Action::Append { path: file, content, mode: Some(0o644), owner: None });
        } else {
            outcome.actions.push(write_guarded(file, text));
        }
    }
    outcome.actions.extend(packages::update(request));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_is_taken_off() {
        let text = "x\n-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\nAQID\nBAU=\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(dearmored(text).as_deref(), Some(&[1, 2, 3, 4, 5][..]));
        let bare = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nAQID\n-----END PGP PUBLIC KEY BLOCK-----";
        assert_eq!(dearmored(bare).as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(dearmored("AQID"), None);
        assert_eq!(dearmored("-----BEGIN PGP PUBLIC KEY BLOCK-----\nAQID\n"), None);
    }

    #[test]
    fn names_of_files_and_repositories() {
        for (name, expected) in
            [("a.list", "a"), ("a.b.list", "a.b"), ("/x/y.list", "y"), (".a", ".a"), ("a", "a"), ("a.", "a.")]
        {
            assert_eq!(stem(name), expected);
        }
        for (source, repository) in [
            ("ppa:a/b", true),
            ("cloud-archive:x", true),
            ("deb http://x y", false),
            ("http://x", false),
            (":x", false),
        ] {
            assert_eq!(is_repository(source), repository, "{source}");
        }
    }
}
