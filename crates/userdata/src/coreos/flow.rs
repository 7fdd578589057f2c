//! What coreos-cloudinit's YAML library refuses between braces and brackets, and PyYAML reads
//! (`coreos/yaml`, `scannerc.go`, `yaml_parser_scan_plain_scalar`): it keeps to YAML 1.1, where `:` is no
//! part of a value there, so `{server: http://x}` is no YAML.

use hardtack_yaml::{Kind, Node, Span, Style};

use crate::finding::{Finding, Place};

/// A value without quotes that is none.
pub(super) struct Refused {
    /// What stands there.
    value: String,
    /// Where; on the line of the character that is refused.
    span: Span,
}

/// The library's words.
pub(super) const WORDS: &str = "found unexpected ':'";

impl Refused {
    /// The line that coreos-cloudinit tells: counted from 0, but the first one is 1.
    pub(super) fn line(&self) -> usize {
        self.span.line.saturating_sub(1).max(1)
    }

    /// The same for people.
    pub(super) fn finding(&self, part: usize) -> Finding {
        let place = Place { part, span: self.span };
        Finding::error(
            "yaml",
            place,
            format!("`{}` has a `:` between braces or brackets, which coreos-cloudinit does not read without quotes", self.value),
        )
        .with_hint(format!("put it in quotes: `\"{}\"`; or write a blank behind a `:` that ends a key", self.value))
    }
}

/// The first value of `node`, composed of `text`, that the library refuses.
pub(super) fn refused(text: &str, node: &Node) -> Option<Refused> {
    look(text, node, None)
}

/// `flow` is the innermost collection in braces or brackets.
fn look(text: &str, node: &Node, flow: Option<Span>) -> Option<Refused> {
    // What an alias names stands elsewhere.
    let flow = flow.filter(|flow| flow.start <= node.span.start && node.span.end <= flow.end);
    let inner = if in_brackets(text, node) { Some(node.span) } else { flow };
    match &node.kind {
        Kind::Scalar(scalar) if scalar.style == Style::Plain && flow.is_some() => plain(text, node.span),
        Kind::Scalar(_) => None,
        Kind::Sequence(items) => items.iter().find_map(|item| look(text, item, inner)),
        Kind::Mapping(pairs) => {
            pairs.iter().find_map(|(key, value)| look(text, key, inner).or_else(|| look(text, value, inner)))
        }
    }
}

/// True for a collection that begins with a brace or a bracket, a tag or an anchor before it or not.
fn in_brackets(text: &str, node: &Node) -> bool {
    let mut rest = text.get(node.span.range()).unwrap_or_default();
    while rest.starts_with(['!', '&']) {
        rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
    }
    !matches!(node.kind, Kind::Scalar(_)) && rest.starts_with(['{', '['])
}

fn plain(text: &str, span: Span) -> Option<Refused> {
    let whole = text.get(span.range())?;
    let behind = text.get(span.end..)?;
    // In a value, no `:` has a blank behind it. The one that ends a key may have none.
    let ends = behind.strip_prefix(':').is_some_and(|rest| {
        rest.chars().next().is_some_and(|next| {
            !matches!(next, ' ' | '\t' | '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
        })
    });
    let at = whole.find(':').or(ends.then_some(whole.len()))?;
    let before = whole.get(..at)?;
    let mut span = span;
    if let Some(line) = before.rfind('\n') {
        span.line += before.matches('\n').count();
        span.column = before.get(line + 1..)?.chars().count() + 1;
        span.start += at;
        span.end = span.start + 1;
    }
    let value = whole.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Refused { value, span })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What coreos-cloudinit itself says of these.
    #[test]
    fn colons_between_brackets_are_refused() {
        for (text, wanted) in [
            ("a: {b: c:d}\n", Some(1)),
            ("\n\na: {b: http://x.example/v1}\n", Some(2)),
            ("a:\n - {b: c d\n   e:f}\n", Some(2)),
            ("a: {b:}\n", Some(1)),
            ("a: !!map {b: c:d}\n", Some(1)),
            ("a: {\"b\":c}\n", None),
            ("a: {b: \"c:d\", 'e:f': g}\n", None),
            ("a: {b: c, d: [e, f]}\n", None),
            ("a: b:c?d\n", None),
            ("a: &x http://x\nb: {c: *x}\n", None),
            ("a: {b : c}\n", None),
        ] {
            let node = hardtack_yaml::Document::compose("", text, crate::limits::YAML).unwrap();
            let found = refused(text, &node);
            assert_eq!(found.map(|found| found.line()), wanted, "{text}");
        }
    }

    #[test]
    fn people_are_told_to_write_quotes() {
        let mut findings = Vec::new();
        crate::coreos::check(
            "#cloud-config\ncoreos:\n  update: {group: a, server: http://x.example/v1}\n",
            0,
            &mut findings,
        );
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!((finding.code, finding.place.span.line, finding.place.span.column), ("yaml", 3, 30));
        assert!(finding.message.starts_with("`http://x.example/v1` has a `:`"), "{finding:?}");
        assert!(
            finding.hint.as_ref().is_some_and(|hint| hint.contains("\"http://x.example/v1\"")),
            "{finding:?}"
        );
    }
}
