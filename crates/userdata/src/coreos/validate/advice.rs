//! What coreos-cloudinit's checks do not say: what it passes over in silence or refuses when it comes
//! to it, and where cloud-init would do something else.

use hardtack_yaml::{Node, Span, Style};

use super::report::Report;
use super::rules::short;
use super::span_of;
use crate::coreos::decode::{self, underscored};
use crate::coreos::model::{CloudConfig, Unit};
use crate::coreos::shape;
use crate::coreos::substitution::{self, Use};
use crate::finding::{Finding, Place};

/// All of it, and how many more there are.
pub(super) fn advice(text: &str, node: &Node, part: usize) -> (Vec<Finding>, usize) {
    let mut advice = Advice { part, node, findings: Vec::new(), untold: 0 };
    advice.header(text);
    advice.words(text);
    if let Ok(typed) = decode::decode(node, shape::CLOUD_CONFIG) {
        let config = CloudConfig::from(typed);
        advice.hosts(&config);
        advice.keys(&config);
        advice.users();
        advice.units(&config);
        advice.permissions();
    }
    (advice.findings, advice.untold)
}

struct Advice<'a> {
    part: usize,
    node: &'a Node,
    findings: Vec<Finding>,
    untold: usize,
}

impl<'a> Advice<'a> {
    /// A warning about the value at `path`.
    fn warn(&mut self, code: &'static str, path: &[&str], message: String, hint: &str) {
        self.warn_at(code, span_of(self.node, path), path, message, hint);
    }

    fn warn_at(&mut self, code: &'static str, span: Span, path: &[&str], message: String, hint: &str) {
        if self.findings.len() >= Report::LIMIT {
            self.untold += 1;
            return;
        }
        let place = Place { part: self.part, span };
        self.findings.push(Finding::warning(code, place, message).at(path.join(".")).with_hint(hint));
    }

    /// coreos-cloudinit wants exactly `#cloud-config`, where cloud-init looks at the line's begin only.
    fn header(&mut self, text: &str) {
        let first = text.split('\n').next().unwrap_or_default().trim_end();
        if first.starts_with("#cloud-config") && first != "#cloud-config" {
            let span = Span { start: 0, end: first.len(), line: 1, column: 1 };
            let message =
                format!("the first line is `{}`; coreos-cloudinit takes `#cloud-config` alone", short(first));
            let place = Place { part: self.part, span };
            self.findings.push(
                Finding::error("coreos-header", place, message).with_hint("put the rest on the next line"),
            );
        }
    }

    /// Words that look as if they were replaced, and are not.
    fn words(&mut self, text: &str) {
        let mut places = Places::new(text);
        let mut found: Vec<(usize, usize, String, &str)> = Vec::new();
        for (at, word, what) in substitution::uses(text) {
            if what == Use::Touching {
                let message = format!("this `{word}` touches the one before it, and is not replaced");
                found.push((at, word.len(), message, "put something between them"));
            }
        }
        for start in ["${private_ip", "${public_ip", "$private_ip", "$public_ip"] {
            for (at, _) in text.match_indices(start) {
                let rest = text.get(at + start.len()..).unwrap_or_default();
                let word = start.trim_start_matches("${").trim_start_matches('$');
                let known = rest.starts_with("v4") || rest.starts_with("v6");
                if start.starts_with("${") && known {
                    let version = rest.get(..2).unwrap_or_default();
                    let message = format!("`${{{word}{version}}}` is not replaced: it stands in braces");
                    found.push((at, start.len() + 2, message, "write it without braces"));
                } else if !start.starts_with("${") && !known {
                    let message = format!("`${word}` is not replaced: the words end in `v4` or `v6`");
                    found.push((
                        at,
                        start.len(),
                        message,
                        "write `$private_ipv4`, `$public_ipv4`, `$private_ipv6` or `$public_ipv6`",
                    ));
                }
            }
        }
        found.sort_by_key(|(at, ..)| *at);
        for (at, length, message, hint) in found {
            self.warn_at("not-replaced", places.span(at, length), &[], message, hint);
        }
    }

    fn hosts(&mut self, config: &CloudConfig) {
        let value = config.manage_etc_hosts.as_str();
        let path = &["manage_etc_hosts"];
        match value {
            "" => {}
            "localhost" => self.warn(
                "dialect",
                path,
                "`manage_etc_hosts: localhost` beside `coreos` replaces all of /etc/hosts by one line"
                    .to_owned(),
                "cloud-init would keep the other lines; use `write_files` for a whole file of your own",
            ),
            other => {
                let message = format!(
                    "`{}` is no value of `manage_etc_hosts` beside `coreos`, which takes `localhost` only; nothing behind it is done",
                    short(other)
                );
                let place = Place { part: self.part, span: span_of(self.node, path) };
                self.findings.push(
                    Finding::error("bad-value", place, message)
                        .at("manage_etc_hosts")
                        .with_hint("write `localhost`, or leave it out"),
                );
            }
        }
    }

    fn keys(&mut self, config: &CloudConfig) {
        if !config.ssh_authorized_keys.is_empty() && !config.users.iter().any(|user| user.name == "core") {
            self.warn(
                "dialect",
                &["ssh_authorized_keys"],
                "`ssh_authorized_keys` beside `coreos` are the keys of `core`, not of a default user"
                    .to_owned(),
                "add `- name: core` to `users` if the image has no such account",
            );
        }
    }

    /// Users without a name.
    fn users(&mut self) {
        for (index, item) in self.items(&["users"]) {
            let Ok(typed) = decode::decode(item, shape::USER) else { continue };
            let named = matches!(&typed, decode::Typed::Section(values)
                if matches!(values.first(), Some(decode::Typed::Text(name)) if !name.is_empty()));
            if item.as_mapping().is_some() && !named {
                let index = index.to_string();
                self.warn_at(
                    "missing-key",
                    item.span,
                    &["users", &index],
                    "this user has no `name`, and is passed over".to_owned(),
                    "add `name`",
                );
            }
        }
    }

    fn units(&mut self, config: &CloudConfig) {
        let items = self.items(&["coreos", "units"]);
        let mappings: Vec<(usize, &Node)> =
            items.into_iter().filter(|(_, item)| item.as_mapping().is_some()).collect();
        // Only where each item became a unit do the indexes fit.
        if mappings.len() == config.coreos.units.len() {
            for ((index, node), unit) in mappings.into_iter().zip(&config.coreos.units) {
                self.unit(&index.to_string(), node, unit);
            }
        }
    }

    fn unit(&mut self, index: &str, node: &Node, unit: &Unit) {
        let mut warn = |code, steps: &[&str], message: String, hint: &str| {
            let path = [&["coreos", "units", index], steps].concat();
            self.warn_at(code, span_of(node, steps), &path, message, hint);
        };
        if unit.name.is_empty() {
            let message = "this unit has no `name`, and is passed over".to_owned();
            warn("missing-key", &[], message, "add `name`: `docker.service`");
            return;
        }
        let name = short(&unit.name);
        if unit.is_network() {
            for (key, set) in [("enable", unit.enable), ("command", !unit.command.is_empty())] {
                if set {
                    let message =
                        format!("`{key}` of `{name}` is passed over: it is a file of systemd-networkd");
                    warn(
                        "without-effect",
                        &[key],
                        message,
                        "networkd is restarted anyway; take the key away",
                    );
                }
            }
        } else if unit.mask && !unit.content.is_empty() {
            let message = format!("`{name}` has content and is masked, which removes the file again");
            warn("without-effect", &["mask"], message, "take `mask` or `content` away");
        } else if !unit.name.contains('.') {
            let message = format!("`{name}` has no type: systemd knows no unit of that name");
            warn("bad-value", &["name"], message, &format!("did you mean `{name}.service`?"));
        }
        for (at, drop_in) in unit.drop_ins.iter().enumerate() {
            let at = at.to_string();
            if drop_in.name.is_empty() || drop_in.content.is_empty() {
                let message =
                    format!("this drop-in of `{name}` lacks `name` or `content`, and is passed over");
                warn("missing-key", &["drop_ins", &at], message, "add both");
            } else if !drop_in.name.ends_with(".conf") {
                let drop_in = short(&drop_in.name);
                let message = format!("systemd does not read `{drop_in}`: drop-ins end in `.conf`");
                warn(
                    "bad-value",
                    &["drop_ins", &at, "name"],
                    message,
                    &format!("did you mean `{drop_in}.conf`?"),
                );
            }
        }
    }

    /// `permissions: 744`, which both dialects read differently.
    fn permissions(&mut self) {
        for (index, file) in self.items(&["write_files"]) {
            let mapping = file.as_mapping().unwrap_or_default();
            let value = mapping
                .iter()
                .rev()
                .find(|(key, _)| key.text().is_some_and(|key| underscored(key) == "permissions"))
                .map(|(_, value)| value);
            let Some((value, scalar)) = value.and_then(|value| Some((value, value.as_scalar()?))) else {
                continue;
            };
            let decimal = scalar.style == Style::Plain
                && scalar.text.len() >= 3
                && !scalar.text.starts_with('0')
                && scalar.text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
            if decimal {
                let index = index.to_string();
                let message = format!(
                    "`permissions: {0}` is octal beside `coreos`, and a decimal number to cloud-init",
                    short(&scalar.text)
                );
                let hint = format!("write `\"0{}\"`, which both read alike", short(&scalar.text));
                self.warn_at("dialect", value.span, &["write_files", &index, "permissions"], message, &hint);
            }
        }
    }

    /// The items of the list at `path`, with their indexes.
    fn items(&self, path: &[&str]) -> Vec<(usize, &'a Node)> {
        let mut node = self.node;
        for step in path {
            let pairs = node.as_mapping().unwrap_or_default();
            let found =
                pairs.iter().rev().find(|(key, _)| key.text().is_some_and(|key| underscored(key) == *step));
            let Some((_, value)) = found else { return Vec::new() };
            node = value;
        }
        node.as_sequence().unwrap_or_default().iter().enumerate().collect()
    }
}

/// Lines and columns of places that are asked for from the begin to the end.
struct Places<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    column: usize,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    fn span(&mut self, start: usize, length: usize) -> Span {
        let passed = self.text.get(self.at..start).unwrap_or_default();
        match passed.rsplit_once('\n') {
            Some((before, last)) => {
                self.line += before.matches('\n').count() + 1;
                self.column = last.chars().count() + 1;
            }
            None => self.column += passed.chars().count(),
        }
        self.at = self.at.max(start);
        Span { start, end: start + length, line: self.line, column: self.column }
    }
}
