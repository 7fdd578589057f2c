//! What a user may do as another: sudo and doas (`cloudinit/distros/__init__.py`, `write_sudo_rules`,
//! `ensure_sudo_dir`, `write_doas_rules`, `is_doas_rule_valid`).

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Kind};

use super::Maker;
use super::create::Subject;
use crate::action::{Action, Content};
use crate::pytext::{absolute_path, is_space, strip, words};
use crate::reading::{UNUSABLE, described, get};
use crate::system::{self, read_text};

const SUDOERS: &str = "/etc/sudoers";
const SUDOERS_DIRECTORY: &str = "/etc/sudoers.d";
const SUDOERS_FILE: &str = "/etc/sudoers.d/90-cloud-init-users";
const DOAS_FILE: &str = "/etc/doas.conf";

impl Maker<'_> {
    pub(super) fn sudo(&mut self, subject: &Subject<'_>) -> Result<(), Finding> {
        let Some(value) = get(subject.config, "sudo").filter(|value| truthy(value)) else { return Ok(()) };
        let name = subject.name;
        let rules: Vec<String> = match &value.kind {
            Kind::Text(rule) => vec![rule.clone()],
            Kind::List(items) => items.iter().map(hardtack_userdata::Value::to_python_str).collect(),
            _ => {
                let message = format!(
                    "sudo of {name} is {}, not a rule: the user's keys and the users behind it are left out",
                    described(value)
                );
                return Err(Finding::error(UNUSABLE, value.place, message)
                    .at(subject.path("sudo"))
                    .with_hint("write `sudo: 'ALL=(ALL) NOPASSWD:ALL'`, or nothing"));
            }
        };
        let mut text = format!("\n# User rules for {name}\n");
        for rule in rules {
            text.push_str(&format!("{name} {rule}\n"));
        }
        self.sudoers_directory();
        self.rules(SUDOERS_FILE, &text);
        Ok(())
    }

    /// Makes sure that sudo reads the directory that the rules are written to.
    fn sudoers_directory(&mut self) {
        let own = read_text(&self.machine, SUDOERS);
        let shipped = if own.is_none() { read_text(&self.machine, "/usr/etc/sudoers") } else { None };
        let text = own.as_ref().or(shipped.as_ref()).cloned().unwrap_or_default();
        let included = crate::pytext::lines(&text).into_iter().any(|line| {
            let line = strip(line);
            // cloud-init's pattern has a bar in its brackets, and so takes one as a mark, too.
            line.strip_prefix(['#', '|', '@'])
                .and_then(|rest| rest.strip_prefix("includedir"))
                .filter(|rest| rest.starts_with(is_space) && !strip(rest).is_empty())
                .is_some_and(|rest| absolute_path(strip(rest)) == SUDOERS_DIRECTORY)
        });
        if !included {
            let added = system::header("Added", self.request.facts);
            if own.is_some() {
                self.push(Action::Append {
                    path: SUDOERS.to_owned(),
                    content: Content::open(format!("\n{added}\n#includedir {SUDOERS_DIRECTORY}\n")),
                    mode: None,
                    owner: None,
                });
            } else {
                let text = format!(
                    "{text}# See sudoers(5) for more information on \"#include\" directives:\n\n{added}\n#includedir {SUDOERS_DIRECTORY}\n"
                );
                self.push(system::write_mode(SUDOERS, text, 0o440));
            }
        }
        self.push(Action::Directory { path: SUDOERS_DIRECTORY.to_owned(), mode: 0o750, owner: None });
    }

    /// Adds `text` to a file of rules, unless it has it.
    fn rules(&mut self, path: &str, text: &str) {
        match read_text(&self.machine, path) {
            None => {
                let header = system::header("Created", self.request.facts);
                self.push(system::write_mode(path, format!("{header}\n{text}"), 0o440));
            }
            Some(present) if present.contains(text) => {}
            Some(_) => self.push(Action::Append {
                path: path.to_owned(),
                content: Content::open(text),
                mode: None,
                owner: None,
            }),
        }
    }

    pub(super) fn doas(&mut self, subject: &Subject<'_>) -> Result<(), Finding> {
        let Some(value) = get(subject.config, "doas").filter(|value| truthy(value)) else { return Ok(()) };
        let name = subject.name;
        let bad_type = |what: &str| {
            Finding::error(UNUSABLE, value.place, format!("doas of {name} is {what}, not a list of rules"))
                .at(subject.path("doas"))
                .with_hint(format!("write `doas: ['permit nopass {name}']`"))
        };
        let mut rules = Vec::new();
        match &value.kind {
            Kind::List(items) => {
                for item in items {
                    rules.push(item.as_text().ok_or_else(|| bad_type(described(item)))?.to_owned());
                }
            }
            // A text is walked through letter by letter, and none is a rule.
            Kind::Text(text) => rules.push(text.chars().take(1).collect()),
            Kind::Map(map) => {
                for key in map.keys() {
                    rules.push(key.as_text().ok_or_else(|| bad_type("a mapping"))?.to_owned());
                }
            }
            _ => return Err(bad_type(described(value))),
        }
        if let Some(bad) = rules.iter().find(|rule| doas_rule_names(rule).as_deref() != Some(name)) {
            let message = match &value.kind {
                Kind::Text(_) => format!("doas of {name} is text, not a list: no rule is written"),
                _ => format!(
                    "the doas rule `{bad}` is not one for {name}: none of the user's rules is written"
                ),
            };
            self.outcome.findings.push(
                Finding::warning("bad-doas-rule", value.place, message)
                    .at(subject.path("doas"))
                    .with_hint(format!("write `doas: ['permit nopass {name}']`")),
            );
            return Ok(());
        }
        let mut text = format!("\n# cloud-init User rules for {name}\n");
        for rule in &rules {
            text.push_str(rule);
            text.push('\n');
        }
        self.rules(DOAS_FILE, &text);
        Ok(())
    }
}

/// The longest rule that is looked at.
const LONGEST_RULE: usize = 4096;

/// The user whom a doas rule names, if it is a rule as cloud-init knows them: `permit|deny`, options, a
/// name, `as USER`, `cmd PROGRAM args …`.
#[must_use]
pub fn doas_rule_names(rule: &str) -> Option<String> {
    if rule.len() > LONGEST_RULE {
        return None;
    }
    let rest = rule.strip_prefix("permit").or_else(|| rule.strip_prefix("deny"))?;
    // The name may itself read like an option: `permit nopass` is for the user `nopass`. So the options
    // give back what they took, the last one first.
    let mut ends = vec![rest];
    let mut at = 0;
    while let Some(place) = ends.get(at).copied() {
        let behind = place.trim_start_matches(is_space);
        if behind.len() < place.len() {
            for end in options(behind) {
                if !ends.iter().any(|known| known.len() == end.len()) {
                    ends.push(end);
                }
            }
        }
        at += 1;
    }
    ends.sort_by_key(|end| end.len());
    ends.into_iter().find_map(name_and_rest)
}

/// What is left of `text` behind one option, two options without a blank, and so on.
fn options(text: &str) -> Vec<&str> {
    let mut ends = Vec::new();
    let mut rest = text;
    loop {
        let next = ["nolog", "nopass", "persist", "keepenv"]
            .iter()
            .find_map(|word| rest.strip_prefix(word))
            .or_else(|| {
                let (inner, behind) = rest.strip_prefix("setenv {")?.split_once('}')?;
                (!inner.is_empty()).then_some(behind)
            });
        let Some(next) = next else { return ends };
        ends.push(next);
        rest = next;
    }
}

fn name_and_rest(text: &str) -> Option<String> {
    let behind = text.trim_start_matches(is_space);
    if behind.len() == text.len() {
        return None;
    }
    let is_name = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let mut tokens = words(behind).peekable();
    let name = tokens.next().filter(|name| is_name(name))?;
    while tokens.next_if_eq(&"as").is_some() {
        tokens.next().filter(|user| is_name(user))?;
    }
    while let Some(token) = tokens.next() {
        if token != "cmd" {
            return None;
        }
        tokens.next()?;
        if tokens.next_if_eq(&"args").is_some() {
            tokens.next()?;
            break;
        }
    }
    Some(name.to_owned())
}
