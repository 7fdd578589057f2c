//! Variables that nobody replaces: jinja without its first line
//! (`cloudinit/handlers/jinja_template.py`), coreos-cloudinit's addresses without a `coreos` key.

use super::{Report, place_in, top, window};
use crate::finding::Finding;
use crate::part::PartKind;
use crate::value::Map;

/// Names of the instance data that templates of cloud-init use.
const INSTANCE_DATA: &[&str] = &[
    "availability_zone",
    "cloud_name",
    "ds.",
    "ds[",
    "instance_id",
    "local_hostname",
    "merged_cfg",
    "public_ssh_keys",
    "region",
    "sys_info",
    "v1.",
    "v1[",
];

/// Bytes before a place in which its line is looked for.
const COMMENT: usize = 1000;

/// Bytes of an expression that are looked at.
const EXPRESSION: usize = 200;

/// The addresses that coreos-cloudinit replaces.
const ADDRESSES: &[&str] = &["$private_ipv4", "$private_ipv6", "$public_ipv4", "$public_ipv6"];

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    let is_coreos = top(config, "coreos").is_some();
    let parts = report.parts;
    for (index, part) in parts.iter().enumerate() {
        if part.kind == PartKind::PartHandler && !report.has_code("part-handler") {
            report.add(
                Finding::warning(
                    "part-handler",
                    place_in("", index, 0, 0),
                    "a part handler is Python code for cloud-init: it is not run here",
                )
                .with_hint("put what it does into a script or into cloud-config"),
            );
        }
        let is_config = part.kind == PartKind::CloudConfig;
        let is_script = matches!(
            part.kind,
            PartKind::Script
                | PartKind::ScriptPerBoot
                | PartKind::ScriptPerInstance
                | PartKind::ScriptPerOnce
                | PartKind::Boothook
        );
        let text = report.texts.get(index).copied().unwrap_or_default();
        if (is_config || is_script)
            && let Some((from, to)) = jinja(text)
        {
            report.add(
                Finding::warning(
                    "jinja-without-header",
                    place_in(text, index, from, to),
                    "nothing renders this template: the first line does not say that it is one",
                )
                .with_hint("make `## template: jinja` the first line, above the one that is first now"),
            );
        }
        if is_config
            && !is_coreos
            && let Some((from, to)) = address(text)
        {
            let name = text.get(from..to).unwrap_or_default();
            report.add(
                Finding::warning(
                    "address-not-replaced",
                    place_in(text, index, from, to),
                    format!("`{name}` is replaced only in user-data with a top-level `coreos` key"),
                )
                .with_hint("use jinja and `{{ ds.meta_data.local_ipv4 }}`, or add `coreos: {}`"),
            );
        }
    }
}

/// The first `{{ v1.…` or `{% if ds.…` of a text.
fn jinja(text: &str) -> Option<(usize, usize)> {
    // In an expression the name stands first, in a statement somewhere.
    let expression = text.match_indices("{{").find(|(at, _)| {
        let inner =
            window(text, at + 2, 40).trim_start_matches(|c: char| c.is_whitespace() || "(-+".contains(c));
        uses(inner) && !in_comment(text, *at)
    });
    let statement = text.match_indices("{%").find(|(at, _)| {
        let inner = window(text, at + 2, EXPRESSION);
        let inner = inner.split(['%', '\n']).next().unwrap_or_default();
        inner.split(|c: char| c.is_whitespace() || "(-|,~+".contains(c)).any(uses) && !in_comment(text, *at)
    });
    let (at, _) = expression.into_iter().chain(statement).min()?;
    let rest = window(text, at, EXPRESSION);
    let end = ["}}", "%}"].into_iter().filter_map(|closing| rest.find(closing)).min();
    let line = rest.find('\n').unwrap_or(rest.len());
    Some((at, at + end.map_or(line, |end| (end + 2).min(line))))
}

/// True in a line that is a comment: what stands there is an explanation.
fn in_comment(text: &str, at: usize) -> bool {
    // Nothing that is meant as one stands so far behind the begin of its line.
    let before = text.get(..at).unwrap_or_default();
    let near = before.get(before.len().saturating_sub(COMMENT)..).unwrap_or_default();
    near.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#'))
}

/// True for text that starts with a name of the instance data.
fn uses(text: &str) -> bool {
    INSTANCE_DATA.iter().any(|name| {
        text.strip_prefix(name).is_some_and(|rest| {
            name.ends_with(['.', '[']) || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    })
}

/// The first `$private_ipv4` or the like, unless it is escaped or a variable of a script.
fn address(text: &str) -> Option<(usize, usize)> {
    let replaced = |name: &&str| {
        let set = format!("{}=", name.trim_start_matches('$'));
        let mut uses = text.match_indices(*name).map(|(at, _)| at).filter(|at| !in_comment(text, *at));
        let first = uses.find(|at| text.get(..*at).is_some_and(|before| !before.ends_with('\\')))?;
        (!text.contains(&set)).then_some((first, first + name.len()))
    };
    ADDRESSES.iter().filter_map(replaced).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_found() {
        for (text, wanted) in [
            ("hostname: {{ v1.local_hostname }}", "{{ v1.local_hostname }}"),
            ("a: '{{ds.meta_data.x}}'", "{{ds.meta_data.x}}"),
            ("- echo {{- region -}}", "{{- region -}}"),
            ("{% if v1.region == 'x' %}", "{% if v1.region == 'x' %}"),
            ("{{ v1['region'] }}", "{{ v1['region'] }}"),
            ("# {{ v1.a }}\nb: {{ v1.b }}", "{{ v1.b }}"),
        ] {
            let (from, to) = jinja(text).expect(text);
            assert_eq!(&text[from..to], wanted);
        }
        for text in [
            "docker ps --format '{{.Names}}'",
            "{{ user }}",
            "{{ regional }}",
            "{{",
            "{% raw %}",
            "{{ '{{' }}",
        ] {
            assert_eq!(jinja(text), None, "{text}");
        }
        assert_eq!(address("x: a$private_ipv4:1"), Some((4, 17)));
        for text in ["\\$private_ipv4", "private_ipv4=1; echo $private_ipv4", "$private_ip", "$"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
