//! Templates of files and messages: with `$name` and `${name}`, or in Jinja, as the first line says
//! (`cloudinit/templater.py`: `detect_template`, `basic_render`).

use std::collections::BTreeMap;

use hardtack_userdata::template::engine;
use serde_json::Value as Json;

/// A name that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`${0}` is no name that is known here")]
pub struct Unknown(pub String);

/// The language of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Language {
    /// `$name`.
    Basic,
    /// `{{name}}`.
    Jinja,
    /// Any other word.
    Other(String),
}

/// Language and text of a template: a first line `## template: jinja` is no part of it.
#[must_use]
pub fn detect(text: &str) -> (Language, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let word = first.strip_prefix("##").and_then(|line| {
        let line = line.trim_start();
        let prefix = line.get(.."template:".len())?;
        prefix.eq_ignore_ascii_case("template:").then(|| line.get("template:".len()..))?
    });
    match word.map(|word| word.trim().to_lowercase()) {
        None => (Language::Basic, text),
        Some(word) if word == "basic" => (Language::Basic, rest),
        Some(word) if word == "jinja" => (Language::Jinja, rest),
        Some(word) => (Language::Other(word), rest),
    }
}

/// A template in any language with its names filled in.
///
/// # Errors
/// What keeps it from being rendered.
pub fn rendered(template: &str, names: BTreeMap<String, Json>) -> Result<String, String> {
    match detect(template) {
        (Language::Basic, text) => {
            let lookup = |name: &str| {
                names.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            };
            render(text, &lookup).map_err(|error| error.to_string())
        }
        (Language::Jinja, text) => engine::render(text, names).map_err(|error| error.to_string()),
        (Language::Other(word), _) => Err(format!("there are no {word:?} templates, only jinja and basic")),
    }
}

/// `text` with what `lookup` gives for its names.
///
/// # Errors
/// For a name that `lookup` does not know.
pub fn render(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Unknown> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let behind = behind.strip_prefix('$').unwrap_or(behind);
        let is_name = |character: char| character.is_ascii_alphanumeric() || "_.".contains(character);
        // `\$\{([A-Za-z0-9_.]+)\}|\$([A-Za-z0-9_.]+)`
        let braced = behind
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .filter(|(name, _)| !name.is_empty() && name.chars().all(is_name));
        let (name, after) = match braced {
            Some((name, after)) => (name, after),
            None => {
                let end = behind.find(|character| !is_name(character)).unwrap_or(behind.len());
                behind.split_at(end)
            }
        };
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&lookup(name).ok_or_else(|| Unknown(name.to_owned()))?);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
