//! Secrets in user-data: told once, since the answer is the same for all of them.

use super::{Report, trap};
use crate::finding::Place;
use crate::secrets::is_secret_key;
use crate::value::{Kind, Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    let mut found = Vec::new();
    for (key, value) in config {
        let name = key.to_python_str();
        walk(value, &name, name.clone(), &mut found);
    }
    found.sort_by_key(|(place, _)| *place);
    let Some((place, path)) = found.first().cloned() else { return };
    let more = match found.len() {
        1 => String::new(),
        2 => ", and so is another one".to_owned(),
        many => format!(", and so are {} others", many.saturating_sub(1)),
    };
    let finding = trap(
        "secret-in-user-data",
        place,
        path,
        format!(
            "this secret can be read by every user of the instance that reaches the metadata, and by everybody in the cloud account who may look at instances{more}"
        ),
        "give a hash or a public key instead, let the machine make it (`type: RANDOM`), or fetch it at boot from where it is guarded",
    );
    // Never as the words of an error: that one has better ones.
    report.add(finding);
}

fn walk(value: &Value, name: &str, path: String, found: &mut Vec<(Place, String)>) {
    match &value.kind {
        Kind::Map(map) => {
            let random = map.values().any(|value| value.as_text() == Some("RANDOM"));
            for (key, value) in map {
                let name = key.to_python_str();
                let inner = format!("{path}.{name}");
                if !(random && name == "password") {
                    walk(value, &name, inner, found);
                }
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, name, format!("{path}.{index}"), found);
            }
        }
        Kind::Text(text) => {
            let secret = if path.starts_with("chpasswd.list") {
                text.lines().filter_map(|line| line.split_once(':')).any(|(_, password)| is_plain(password))
            } else {
                // The seed of random numbers is no secret of anybody's.
                is_secret_key(name) && name != "data" && is_plain(text)
            };
            if secret || holds_key(text) {
                found.push((value.place, path));
            }
        }
        Kind::Int(_) | Kind::HugeInt(_) if is_secret_key(name) && name != "data" => {
            found.push((value.place, path));
        }
        _ => {}
    }
}

/// Neither a hash, nor something to be made or filled in.
fn is_plain(text: &str) -> bool {
    let text = text.trim();
    let blank = text.is_empty() || matches!(text, "R" | "RANDOM" | "!" | "!!" | "*");
    let open = text.starts_with('<') || text.contains("${") || text.contains("{{");
    !blank && !open && !(text.starts_with('$') && text.matches('$').count() > 1)
}

/// A private key, or an access key of AWS.
fn holds_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
        || text.match_indices("AKIA").any(|(at, _)| {
            let word = text.get(at..).unwrap_or_default();
            let end =
                word.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit()).unwrap_or(word.len());
            end == 20 && !text.get(..at).unwrap_or_default().ends_with(|c: char| c.is_ascii_alphanumeric())
        })
}
