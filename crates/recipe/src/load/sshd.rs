//! The `sshd` step's settings.

use hardtack_guest::sshd::{self, Keyword, Kind as Takes};
use hardtack_yaml::{Kind, Node, Span, did_you_mean};

use super::keys::{Key, Shape, names};
use super::mfa::MATCH;
use super::reader::Reader;
use crate::model::SshdStep;

/// The keys of the step that are no directives.
pub(super) const KEYS: &[Key] = &[Key::may(
    "match",
    Shape::Words(&["refuse", "override"]),
    "What happens to the image's `Match` blocks that set one of the directives.",
)];

/// What OpenSSH releases newer than any known here read.
const NEWEST: (u32, u32) = (99, 0);

/// The settings, with the place of every directive for the search for contradictions.
pub(super) struct Placed {
    pub(super) step: SshdStep,
    /// One per entry of `step.directives`.
    pub(super) spans: Vec<Span>,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<Placed> {
    if node.as_mapping().is_none() && !node.is_null() {
        let message = format!("step `sshd` takes a mapping of directives, found {}", node.describe());
        reader.error_hint(node.span, message, "write them as in sshd_config(5): `MaxAuthTries: 4`");
        return None;
    }
    let fields = reader.open_fields(node, "step `sshd`", &names(KEYS))?;
    let mut placed = Placed { step: SshdStep::default(), spans: Vec::new() };
    let mut seen: Vec<(String, Span)> = Vec::new();
    for (name, key, value) in fields.pairs() {
        if *name == "match" {
            placed.step.match_blocks = reader.word(value, "match", MATCH).unwrap_or_default();
            continue;
        }
        if name.eq_ignore_ascii_case("Match") {
            reader.error_hint(
                key.span,
                "a `Match` block is not a directive",
                "`match: override` (lower case) says what happens to the image's blocks; write new ones with the `files` step",
            );
            continue;
        }
        if let Some((_, first)) = seen.iter().find(|(before, _)| before.eq_ignore_ascii_case(name)) {
            let message = format!("the directive `{name}` stands twice; case does not matter in sshd_config");
            let diagnostic =
                reader.diagnostic(key.span, message).with_related(*first, "the first one is here");
            reader.report(diagnostic);
            continue;
        }
        seen.push(((*name).to_owned(), key.span));
        directive(reader, &mut placed, name, key, value);
    }
    if fields.pairs().is_empty() {
        reader.error_hint(
            at,
            "step `sshd` sets nothing",
            "write directives below it, such as `PermitRootLogin: no`",
        );
    }
    Some(placed)
}

fn directive(reader: &mut Reader<'_>, placed: &mut Placed, name: &str, key: &Node, value: &Node) {
    let known = sshd::find(name);
    if known.is_none() {
        let plausible = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(near) = sshd::nearest(name).or_else(|| did_you_mean(name, names(KEYS))) {
            reader.error_hint(
                key.span,
                format!("unknown directive `{name}` in step `sshd`"),
                format!("did you mean `{near}`?"),
            );
            return;
        }
        if !plausible {
            reader.error(key.span, format!("`{name}` cannot be a directive of sshd_config"));
            return;
        }
    }
    let mut values: Vec<(String, Span)> = Vec::new();
    for item in match &value.kind {
        Kind::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    } {
        if let Some(text) = scalar(reader, name, item) {
            values.push((text, item.span));
        }
    }
    if values.is_empty() {
        if value.as_sequence().is_some_and(<[Node]>::is_empty) {
            reader.error(value.span, format!("`{name}` has an empty list as its value"));
        }
        return;
    }
    if value.as_sequence().is_some() && !known.is_some_and(lines) {
        let separator = if known.is_some_and(|known| comma(known.name)) { "," } else { " " };
        let joined: Vec<&str> = values.iter().map(|(text, _)| text.as_str()).collect();
        values = vec![(joined.join(separator), value.span)];
    }
    for (text, span) in values {
        let newest = sshd::Version::new(NEWEST.0, NEWEST.1);
        if let Some(fault) = known.and_then(|known| sshd::fault(known, &text, newest)) {
            reader.error(span, format!("`{name}`: {fault}"));
        } else {
            placed.step.directives.push((name.to_owned(), text));
            placed.spans.push(key.span);
        }
    }
}

/// The text as written: `no` stays "no", `0644` stays "0644".
fn scalar(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<String> {
    let Some(text) = node.text().filter(|_| !node.is_null()) else {
        let found = node.describe();
        reader.error(node.span, format!("`{name}` takes a value or a list of values, found {found}"));
        return None;
    };
    if text.trim().is_empty() {
        reader.error(node.span, format!("`{name}` has an empty value"));
        return None;
    }
    if text.contains(|character: char| character.is_control() && character != '\t') {
        reader.error(
            node.span,
            format!("the value of `{name}` holds a line break or another control character"),
        );
        return None;
    }
    Some(text.trim().to_owned())
}

/// True where a list becomes several lines.
fn lines(keyword: &Keyword) -> bool {
    matches!(keyword.kind, Takes::Port | Takes::Repeat | Takes::Subsystem)
}

/// True where a list is written with commas (sshd_config(5)).
fn comma(name: &str) -> bool {
    const LISTS: &[&str] = &[
        "Ciphers",
        "MACs",
        "KexAlgorithms",
        "HostKeyAlgorithms",
        "HostbasedAcceptedAlgorithms",
        "HostbasedAcceptedKeyTypes",
        "PubkeyAcceptedAlgorithms",
        "PubkeyAcceptedKeyTypes",
        "CASignatureAlgorithms",
        "GSSAPIKexAlgorithms",
        "LogVerbose",
    ];
    LISTS.iter().any(|list| list.eq_ignore_ascii_case(name))
}
