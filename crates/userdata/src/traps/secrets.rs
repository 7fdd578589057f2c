//! Secrets in user-data: told once, since the answer is the same for all of them.

use super::walk::{self, What};
use super::{Report, trap, window};
use crate::finding::Place;
use crate::operator;
use crate::value::{Kind, Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    let mut first: Option<(Place, String)> = None;
    let mut count = 0_usize;
    walk::each(config, &mut |spot| {
        let What::Scalar(value) = spot.what else { return };
        // Told on its own, with who can read it.
        if spot.top == operator::KEY {
            return;
        }
        // The seed of random numbers is no secret of anybody's.
        let by_name = spot.is_secret && spot.name != "data" && !is_elsewhere(spot.name, value);
        let secret = match &value.kind {
            Kind::Text(text) if spot.path.starts_with("chpasswd.list") => {
                text.lines().filter_map(|line| line.split_once(':')).any(|(_, password)| is_plain(password))
            }
            Kind::Text(text) => (by_name && is_plain(text)) || holds_key(text),
            Kind::Int(_) | Kind::HugeInt(_) => by_name,
            _ => false,
        };
        if !secret {
            return;
        }
        count = count.saturating_add(1);
        if first.as_ref().is_none_or(|(place, _)| value.place < *place) {
            first = Some((value.place, spot.path.to_owned()));
        }
    });
    let Some((place, path)) = first else { return };
    let more = match count {
        1 => String::new(),
        2 => ", and so can another one".to_owned(),
        many => format!(", and so can {} others", many.saturating_sub(1)),
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

/// The value says where the secret is: a file, or for chef what the image brings
/// (`cloudinit/config/cc_chef.py`).
fn is_elsewhere(name: &str, value: &Value) -> bool {
    let Some(text) = value.as_text().map(str::trim) else { return false };
    let name = name.to_ascii_lowercase().replace('-', "_");
    let is_file =
        name == "encrypted_data_bag_secret" || ["_file", "_path"].iter().any(|end| name.ends_with(end));
    let is_path = text.starts_with('/') && !text.contains(char::is_whitespace);
    (is_file && is_path) || (name == "validation_cert" && text == "system")
}

/// Neither a hash, nor something to be made or filled in.
fn is_plain(text: &str) -> bool {
    let text = text.trim();
    let blank = text.is_empty() || matches!(text, "R" | "RANDOM" | "!" | "!!" | "*");
    let open = text.starts_with('<') || text.contains("${") || text.contains("{{");
    let hash = text.starts_with('$') && text.matches('$').count() > 1;
    !(blank || open || hash)
}

/// A private key, or an access key of AWS.
fn holds_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
        || text.match_indices("AKIA").any(|(at, _)| {
            let word = window(text, at, 24);
            let end =
                word.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit()).unwrap_or(word.len());
            end == 20 && !text.get(..at).unwrap_or_default().ends_with(|c: char| c.is_ascii_alphanumeric())
        })
}
