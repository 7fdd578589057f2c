//! What is said about a value that is not as it should be: one sentence with what was found and what
//! was expected, and a hint. Values of secret keys are never shown.

use std::fmt::Write;

use hardtack_yaml::did_you_mean;

use super::engine::{fits, takes};
use super::shape::{Keys, ListShape, MapShape, Old, Others, Pattern, Rule, Shape};
use crate::finding::{Finding, Place};
use crate::value::{Key, Kind, Map, Value};

/// Bytes of a text that a message shows.
const SHOWN: usize = 48;

/// Allowed keys or values are listed up to this many.
const LISTED: usize = 14;

/// Appends `text`, at most `most` bytes of it, without control characters.
pub(super) fn shorten_into(out: &mut String, text: &str, most: usize) {
    let end = out.len().saturating_add(most);
    for letter in text.chars() {
        if out.len() >= end {
            out.push('…');
            return;
        }
        if letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
}

fn shown(text: &str) -> String {
    let mut out = String::new();
    shorten_into(&mut out, text, SHOWN);
    out
}

/// A scalar as YAML would have it.
pub(super) fn plain(kind: &Kind) -> String {
    match kind {
        Kind::Null => "null".into(),
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::HugeInt(digits) => shown(digits),
        Kind::Float(value) if value.is_nan() => ".nan".into(),
        Kind::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.into(),
        Kind::Float(value) => format!("{value:?}"),
        Kind::Text(text) | Kind::Date(text) | Kind::DateTime(text) => shown(text),
        Kind::Bytes(_) => "!!binary".into(),
        Kind::List(_) => "a list".into(),
        Kind::Map(_) => "a mapping".into(),
        Kind::Set(_) => "!!set".into(),
    }
}

/// What a value is, for people.
fn found(value: &Value, secret: bool) -> String {
    let name = match &value.kind {
        Kind::Null => return "empty (null)".into(),
        Kind::Bytes(_) => return "binary data (`!!binary`)".into(),
        Kind::List(items) if items.is_empty() => return "an empty list".into(),
        Kind::List(_) => return "a list".into(),
        Kind::Map(entries) if entries.is_empty() => return "an empty mapping".into(),
        Kind::Map(_) => return "a mapping".into(),
        Kind::Set(_) => return "a set (`!!set`)".into(),
        Kind::Text(text) if text.is_empty() => return "an empty text".into(),
        Kind::Bool(_) => "the boolean",
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) => "the number",
        Kind::Text(_) => "the text",
        Kind::Date(_) | Kind::DateTime(_) => "the date",
    };
    match &value.kind {
        Kind::Text(text) if secret || looks_secret(text) => "a text that is not shown here".into(),
        _ if secret => format!("{} that is not shown here", name.replacen("the ", "a ", 1)),
        Kind::Text(text) => format!("{name} `\"{}\"`", shown(text)),
        kind => format!("{name} `{}`", plain(kind)),
    }
}

/// A private key, or the hash of a password.
fn looks_secret(text: &str) -> bool {
    text.contains("PRIVATE KEY-----") || (text.starts_with('$') && text.matches('$').count() > 2)
}

/// A key as it is shown below `path`: in `chpasswd` what follows a colon is a password.
pub(super) fn key_shown(path: &str, key: &Key) -> String {
    let name = plain(&key.kind);
    match name.split_once(':') {
        Some((user, _)) if path == "chpasswd" || path.starts_with("chpasswd.") => format!("{user}:…"),
        _ => name,
    }
}

/// What a shape takes, for people, in pieces. What is deprecated is left out.
fn expected_into(shape: &Shape, out: &mut Vec<String>) {
    let piece = match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Bool => {
            out.extend(["`true`".to_owned(), "`false`".to_owned()]);
            return;
        }
        Shape::Only(value) => format!("`{value}`"),
        Shape::Text => "text".to_owned(),
        Shape::Matching(pattern) | Shape::Format(pattern) => pattern.wanted.to_owned(),
        Shape::Choice(choices) if choices.len() > LISTED => format!("one of {} known words", choices.len()),
        Shape::Choice(choices) => {
            out.extend(choices.iter().map(|choice| format!("`{choice}`")));
            return;
        }
        Shape::Int => "a whole number".to_owned(),
        Shape::IntFrom(least) => format!("a whole number (at least {least})"),
        Shape::NumberFrom(least) => format!("a number (at least {least})"),
        Shape::List(list) => match &list.items {
            Shape::Text | Shape::Matching(_) | Shape::Format(_) => "a list of texts".to_owned(),
            Shape::Map(_) => "a list of mappings".to_owned(),
            Shape::List(_) => "a list of lists".to_owned(),
            choices @ Shape::Choice(_) => format!("a list of {}", expected(choices)),
            _ => "a list".to_owned(),
        },
        Shape::Map(_) => "a mapping".to_owned(),
        Shape::Kinds(shapes) | Shape::OneOf(shapes) | Shape::AnyOf(shapes) => {
            shapes.iter().for_each(|shape| expected_into(shape, out));
            return;
        }
        Shape::Old(_) => return,
    };
    if !out.contains(&piece) {
        out.push(piece);
    }
}

fn expected(shape: &Shape) -> String {
    let mut pieces = Vec::new();
    expected_into(shape, &mut pieces);
    if let (Shape::Old(old), true) = (shape, pieces.is_empty()) {
        expected_into(&old.shape, &mut pieces);
    }
    either(&pieces)
}

/// `a, b or c`.
fn either(pieces: &[impl AsRef<str>]) -> String {
    let mut out = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        out.push_str(match index {
            0 => "",
            _ if index + 1 == pieces.len() => " or ",
            _ => ", ",
        });
        out.push_str(piece.as_ref());
    }
    out
}

/// The value has a type that is not expected.
pub(super) fn wrong_type(path: &str, secret: bool, shape: &Shape, value: &Value) -> Finding {
    let message = format!("`{path}` is {}, expected {}", found(value, secret), expected(shape));
    let finding = Finding::error("wrong-type", value.place, message);
    match type_hint(path, shape, value) {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// Whether a shape takes a value, deprecated forms left out; lists and mappings by their type alone.
fn wants(shape: &Shape, kind: &Kind) -> bool {
    match shape {
        Shape::Old(_) => false,
        Shape::Kinds(shapes) | Shape::OneOf(shapes) | Shape::AnyOf(shapes) => {
            shapes.iter().any(|shape| wants(shape, kind))
        }
        shape => takes(shape, kind) && fits(shape, kind),
    }
}

fn wants_text(shape: &Shape, text: &str) -> bool {
    wants(shape, &Kind::Text(text.to_owned()))
}

fn type_hint(path: &str, shape: &Shape, value: &Value) -> Option<&'static str> {
    let quoted = match &value.kind {
        Kind::Bool(true) => ["true", "yes", "on"].iter().any(|word| wants_text(shape, word)),
        Kind::Bool(false) => ["false", "no", "off"].iter().any(|word| wants_text(shape, word)),
        kind => wants_text(shape, &plain(kind)),
    };
    let number = wants(shape, &Kind::Int(1));
    let boolean = wants(shape, &Kind::Bool(true));
    let list = wants(shape, &Kind::List(Vec::new()));
    let map = wants(shape, &Kind::Map(Map::new()));
    let in_list = path.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    Some(match &value.kind {
        Kind::Null => {
            "`null`, `~` and nothing at all are no value: write one, mind the indentation, or remove the key"
        }
        Kind::Bool(_) if quoted => {
            "put it in quotes: without them YAML takes yes, no, on, off, true and false for booleans"
        }
        Kind::Int(_) | Kind::HugeInt(_) if quoted => {
            "put it in quotes: without them YAML takes it for a number, 010 for 8 and 22:22 for 1342"
        }
        Kind::Float(_) if quoted => {
            "put it in quotes: without them YAML takes it for a number, 3.20 for 3.2 and 1e3 for 1000"
        }
        Kind::Date(_) | Kind::DateTime(_) if quoted => {
            "put it in quotes: without them YAML takes it for a date"
        }
        Kind::Map(entries) if wants_text(shape, "x") && in_list && entries.len() == 1 => {
            "put the whole line in quotes: a colon with a space behind it makes a mapping"
        }
        Kind::Map(_) if list => {
            "write it as a list: put `- ` before its first key, and indent the others as deep"
        }
        Kind::Map(_) if wants_text(shape, "x") && !in_list => {
            "if all of it is meant as one text, put `|` behind the colon and the text in deeper lines"
        }
        Kind::Text(text) if boolean && is_boolean_word(text) => "remove the quotes",
        Kind::Text(_) | Kind::Int(_) if boolean => "write `true` or `false`, without quotes",
        Kind::Text(text) if number && is_digits(text) => "remove the quotes",
        Kind::Float(_) if number => "write a whole number",
        Kind::List(items) if map && items.iter().any(|item| item.as_map().is_some()) => {
            "write the keys without `- `: one mapping, not a list of them"
        }
        Kind::Text(_) | Kind::Int(_) | Kind::Bool(_) if list => {
            "write it as a list: `- ` before each item, in a line of its own"
        }
        Kind::Text(text) if map && text.contains(':') => "put a space behind the colon: `key: value`",
        Kind::Text(_) | Kind::Bool(_) | Kind::Int(_) if map => {
            "write lines of `key: value` below it, indented"
        }
        Kind::Set(_) if list => "write it as a list, without `!!set`",
        _ => return None,
    })
}

fn is_boolean_word(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The value has the right type, and is none of those allowed.
pub(super) fn bad_value(path: &str, secret: bool, shape: &Shape, value: &Value) -> Finding {
    let mut pieces = Vec::new();
    expected_into(shape, &mut pieces);
    let message = format!("`{path}` is {}, expected {}", found(value, secret), expected(shape));
    let finding = Finding::error("bad-value", value.place, message);
    let words = pieces.iter().filter_map(|piece| piece.strip_prefix('`')?.strip_suffix('`'));
    if value.as_text().is_some_and(|text| is_boolean_word(text) && wants(shape, &Kind::Bool(true))) {
        return finding.with_hint("remove the quotes");
    }
    if wants(shape, &Kind::List(Vec::new())) && matches!(&value.kind, Kind::Text(text) if text.contains(' '))
    {
        return finding.with_hint("write it as a list: `- ` before each item, in a line of its own");
    }
    match value.as_text().and_then(|text| did_you_mean(text, words)) {
        Some(near) => finding.with_hint(format!("did you mean `{near}`?")),
        None => finding,
    }
}

/// The value is none of the texts that several shapes allow.
pub(super) fn bad_choice(path: &str, choices: &[&str], value: &Value) -> Finding {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    let message = format!("`{path}` is {}, expected {}", found(value, false), either(&quoted));
    let finding = Finding::error("bad-value", value.place, message);
    match value.as_text().and_then(|text| did_you_mean(text, choices.iter().copied())) {
        Some(near) => finding.with_hint(format!("did you mean `{near}`?")),
        None => finding,
    }
}

/// The value has more than one of the shapes that exclude each other.
pub(super) fn several(path: &str, place: Place) -> Finding {
    Finding::error(
        "conflicting-keys",
        place,
        format!("`{path}` has two forms at a time that exclude each other"),
    )
}

/// The value is deprecated.
pub(super) fn deprecated_value(path: &str, old: &Old, place: Place) -> Finding {
    let message = format!("`{path}` in this form is deprecated since cloud-init {}", old.since);
    Finding::warning("deprecated", place, message).with_hint(old.instead)
}

/// The key is deprecated.
pub(super) fn deprecated_key(path: &str, old: &Old, place: Place) -> Finding {
    let message = format!("`{path}` is deprecated since cloud-init {}", old.since);
    Finding::warning("deprecated", place, message).with_hint(old.instead)
}

/// The list has too many or too few items.
pub(super) fn length(path: &str, list: &ListShape, length: usize, place: Place) -> Finding {
    let code = if length < list.min { "too-few" } else { "too-many" };
    let bound = match (length < list.min, list.min == list.max) {
        (_, true) => format!("exactly {}", list.min),
        (true, _) => format!("{} or more", list.min),
        (false, _) => format!("at most {}", list.max),
    };
    let items = if length == 1 { "item" } else { "items" };
    let found = if length == 0 { "is an empty list".to_owned() } else { format!("has {length} {items}") };
    let finding = Finding::error(code, place, format!("`{path}` {found}, expected {bound}"));
    if length == 0 { finding.with_hint("fill the list, or remove the key") } else { finding }
}

/// The item stands in its list already.
pub(super) fn duplicate(path: &str, secret: bool, item: &Value) -> Finding {
    let message = format!("`{path}` is {}, which stands in the list already", found(item, secret));
    Finding::error("duplicate-item", item.place, message).with_hint("remove one of them")
}

/// The mapping lacks a key.
pub(super) fn missing(path: &str, key: &str, place: Place) -> Finding {
    Finding::error("missing-key", place, format!("`{path}` lacks the key `{key}`"))
        .with_hint(format!("add `{key}: …`, as deep as the other keys"))
}

/// The mapping is empty and must not be.
pub(super) fn empty_map(path: &str, map: &MapShape, place: Place) -> Finding {
    let finding =
        Finding::error("too-few", place, format!("`{path}` is an empty mapping, expected one key or more"));
    match list_of(map.fields) {
        Some(keys) => finding.with_hint(format!("keys: {keys}")),
        None => finding.with_hint("fill it, or remove it"),
    }
}

/// The mapping breaks a rule about several keys.
pub(super) fn rule(path: &str, rule: &Rule, entries: &Map, place: Place) -> Finding {
    let has = |key: &&str| entries.contains_key(&Key::text(*key));
    match rule {
        Rule::ExactlyOne(groups) => {
            let missing = |group: &&&[&str]| group.iter().filter(|key| !has(key)).count();
            let least = groups.iter().map(|group| missing(&group)).min().unwrap_or_default();
            let common = |key: &str| groups.iter().all(|group| group.contains(&key));
            // What all groups have in common does not tell them apart.
            let words = groups.iter().filter(|group| missing(group) == least).flat_map(|group| group.iter());
            if least == 0 {
                let names: Vec<String> =
                    words.filter(|key| !common(key)).map(|key| format!("`{key}`")).collect();
                let message = format!("`{path}` has {}, which exclude each other", names.join(" and "));
                Finding::error("conflicting-keys", place, message).with_hint("keep one of them")
            } else {
                let (shared, names): (Vec<&&str>, Vec<&&str>) =
                    words.filter(|key| !has(key)).partition(|key| common(key));
                let names: Vec<String> = names.iter().map(|key| format!("`{key}`")).collect();
                let mut lacks: Vec<String> =
                    shared.first().map(|key| format!("`{key}`")).into_iter().collect();
                lacks.extend(Some(either(&names)).filter(|names| !names.is_empty()));
                Finding::error("missing-key", place, format!("`{path}` lacks {}", lacks.join(" and ")))
            }
        }
        Rule::AtLeastOne(keys) => {
            let names: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            Finding::error("missing-key", place, format!("`{path}` lacks one of {}", either(&names)))
        }
        Rule::NotBoth(one, other) => {
            let message = format!("`{path}` has both `{one}` and `{other}`");
            Finding::error("conflicting-keys", place, message).with_hint(format!("keep `{one}`"))
        }
    }
}

/// The keys to choose from, if they are few.
fn list_of(fields: Keys) -> Option<String> {
    let current = || fields.iter().filter(|(_, shape)| !matches!(shape, Shape::Old(_)));
    if current().count() > LISTED || fields.is_empty() {
        return None;
    }
    let mut out = String::new();
    for (name, _) in current() {
        let _ = write!(out, "{}`{name}`", if out.is_empty() { "" } else { ", " });
    }
    Some(out)
}

/// The key is of no form that the mapping takes.
pub(super) fn bad_key(parent: &str, pattern: &Pattern, key: &Key) -> Finding {
    let message = format!("the key `{}` in `{parent}` is not {}", key_shown(parent, key), pattern.wanted);
    Finding::error("unknown-key", key.place, message)
}

/// The key is a number, a boolean or the like, where cloud-init handles names.
pub(super) fn key_not_text(parent: &str, key: &Key) -> Finding {
    let message = format!("the key `{}` in `{parent}` is no text for YAML", plain(&key.kind));
    Finding::error("wrong-type", key.place, message).with_hint("put the key in quotes")
}

/// Keys of the top level whose names are usual elsewhere, too.
const COMMON: &[&str] = &["fqdn", "groups", "hostname", "output", "password", "user", "users", "version"];

/// The mapping has no such key.
pub(super) fn unknown_key(parent: &str, key: &Key, fields: Keys, tables: &[Keys]) -> Finding {
    let name = key_shown(parent, key);
    let finding = Finding::error("unknown-key", key.place, format!("unknown key `{name}` in `{parent}`"));
    let top_level = || {
        let known = tables.iter().any(|table| table.iter().any(|(known, _)| *known == name));
        let told = known && !COMMON.contains(&name.as_str());
        told.then(|| format!("`{name}` is a key of the top level: mind the indentation"))
    };
    let hint = near_key(&name, fields).or_else(top_level);
    match hint.or_else(|| list_of(fields).map(|keys| format!("keys here: {keys}"))) {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// Words that people write for a key: what they write, the key that has to be there, and the hint.
const SYNONYMS: &[(&str, &str, &str)] = &[
    ("authorized_keys", "ssh_authorized_keys", "cloud-init calls it `ssh_authorized_keys`"),
    ("body", "content", "cloud-init calls it `content`"),
    ("dest", "path", "cloud-init calls it `path`"),
    ("file", "path", "cloud-init calls it `path`"),
    ("filename", "path", "cloud-init calls it `path`"),
    ("home", "homedir", "cloud-init calls it `homedir`"),
    ("mode", "permissions", "cloud-init calls it `permissions`"),
    ("password", "passwd", "write `passwd` for a hash, `plain_text_passwd` for the word itself"),
    ("ssh_key", "ssh_authorized_keys", "cloud-init calls it `ssh_authorized_keys`, with a list"),
    ("ssh_keys", "ssh_authorized_keys", "cloud-init calls it `ssh_authorized_keys`"),
    ("username", "name", "cloud-init calls it `name`"),
];

/// The known key that was meant: another spelling of it first, then the nearest.
fn near_key(name: &str, fields: &[(&'static str, Shape)]) -> Option<String> {
    let current = || {
        let current = fields.iter().filter(|(_, shape)| !matches!(shape, Shape::Old(_)));
        current.map(|(known, _)| *known)
    };
    let spelled = |word: &str| word.to_ascii_lowercase().replace(['-', ' '], "_");
    let wanted = spelled(name);
    if let Some(same) = current().find(|known| spelled(known) == wanted) {
        let why = if name.contains('-') && !same.contains('-') {
            ": hyphens in keys are coreos-cloudinit's"
        } else {
            ""
        };
        return Some(format!("cloud-init spells it `{same}`{why}"));
    }
    let synonym =
        SYNONYMS.iter().find(|(word, key, _)| *word == wanted && current().any(|known| known == *key));
    if let Some((_, _, hint)) = synonym {
        return Some((*hint).to_owned());
    }
    // `server` for `server_url`, `power_state_change` for `power_state`.
    let longer = |known: &&str| {
        let (long, short) = if known.len() > name.len() { (*known, name) } else { (name, *known) };
        short.len() > 2 && long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'))
    };
    let near = did_you_mean(name, current()).or_else(|| {
        let mut longer = current().filter(longer);
        longer.next().filter(|_| longer.next().is_none())
    });
    near.map(|near| format!("did you mean `{near}`?"))
}

/// Keys that people write into user-data and that cloud-init reads elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    ("coreos", "`coreos` is read by coreos-cloudinit alone: cloud-init ignores everything under it"),
    (
        "network",
        "cloud-init takes no network configuration from user-data: give it as the data source's network-config",
    ),
    (
        "datasource",
        "the data source is chosen before user-data is read: set it in /etc/cloud/cloud.cfg.d of the image",
    ),
    (
        "datasource_list",
        "the data source is chosen before user-data is read: set it in /etc/cloud/cloud.cfg.d of the image",
    ),
    ("name", "`name` belongs to an entry of `users`: write `users:`, and below it `- name: …`"),
    ("instance-id", "that is meta-data, not user-data"),
    ("local-hostname", "that is meta-data: in user-data write `hostname`"),
    (
        "apt_mirror",
        "that form is no more: write `apt:`, below it `primary:`, and there `- arches: [default]` with `uri`",
    ),
    ("apt_proxy", "that form is no more: write `apt:`, and below it `proxy`"),
    ("apt_sources", "that form is no more: write `apt:`, and below it `sources` with a name for each"),
    ("public-keys", "that is meta-data: in user-data write `ssh_authorized_keys`"),
];

/// Cloud-init has no such top-level key.
pub(super) fn unknown_top_level(key: &Key, tables: &[Keys]) -> Finding {
    let name = plain(&key.kind);
    let finding = Finding::error("unknown-key", key.place, format!("unknown key `{name}`"));
    if key.as_text().is_none() {
        return finding.with_hint("keys are text: put it in quotes if that is one");
    }
    let hint = ELSEWHERE
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, hint)| (*hint).to_owned())
        .or_else(|| owner(&name, tables))
        .or_else(|| {
            let all: Vec<(&'static str, Shape)> =
                tables.iter().flat_map(|table| table.iter().copied()).collect();
            near_key(&name, &all)
        })
        .unwrap_or_else(|| "cloud-init ignores it".to_owned());
    finding.with_hint(hint)
}

/// The only top-level key that has a key of this name directly below it.
fn owner(name: &str, tables: &[Keys]) -> Option<String> {
    let mut owners = tables.iter().flat_map(|table| table.iter()).filter(|(_, shape)| holds(shape, name));
    let (owner, shape) = owners.next()?;
    if owners.next().is_some() || matches!(shape, Shape::Old(_)) {
        return None;
    }
    Some(format!("`{name}` belongs below `{owner}`: mind the indentation"))
}

fn holds(shape: &Shape, name: &str) -> bool {
    match shape {
        Shape::Map(map) => {
            !matches!(map.others, Others::Any) && map.fields.iter().any(|(known, _)| *known == name)
        }
        _ => false,
    }
}
