//! The list of sources itself (`generate_sources_list`, `disable_suites`).

use std::collections::{BTreeMap, HashSet};

use hardtack_userdata::{Finding, Map, Value, truth};
use serde_json::Value as Json;

use super::Failed;
use super::mirrors::Mirrors;
use crate::action::Action;
use crate::basic_template;
use crate::module::{Outcome, Request};
use crate::reading::{self, get};
use crate::system::{read_text, write, write_guarded};

const LIST: &str = "/etc/apt/sources.list";

pub(super) fn generate(
    config: &Map,
    mirrors: &Mirrors,
    keys: &[(String, String)],
    request: &Request<'_>,
    outcome: &mut Outcome,
) -> Result<(), Failed> {
    let distro = request.distro;
    let release = distro.codename.clone();
    let mut names: BTreeMap<String, Json> = BTreeMap::new();
    for (name, value) in [
        ("RELEASE", &release),
        ("codename", &release),
        ("PRIMARY", &mirrors.primary),
        ("primary", &mirrors.primary),
        ("SECURITY", &mirrors.security),
        ("security", &mirrors.security),
        ("MIRROR", &mirrors.primary),
        ("mirror", &mirrors.primary),
    ] {
        names.insert(name.to_owned(), value.as_str().into());
    }
    for (name, value) in keys {
        names.insert(name.clone(), value.as_str().into());
    }
    let given = get(config, "sources_list").filter(|list| truth::truthy(list));
    let template = match given {
        Some(value) => match value.as_text() {
            Some(text) => text.to_owned(),
            None => return Err(Box::new(reading::wrong(value, "apt.sources_list", "text"))),
        },
        None => {
            let on_machine = [format!("sources.list.{}.deb822", distro.variant), "sources.list".to_owned()]
                .iter()
                .find_map(|name| read_text(request.machine, &format!("/etc/cloud/templates/{name}.tmpl")));
            match on_machine {
                Some(text) => text,
                None if mirrors.given => match builtin(&distro.variant, &release) {
                    Some(text) => text,
                    None => return Ok(()),
                },
                // Without a template cloud-init leaves the sources of the image alone, too.
                None => return Ok(()),
            }
        }
    };
    let place = given.map(|value| value.place).unwrap_or_default();
    let rendered = basic_template::rendered(&template, names).map_err(|error| {
        let message = format!("the list of sources cannot be made: {error}");
        let finding = Finding::error(reading::UNUSABLE, place, message).at("apt.sources_list");
        Box::new(finding.with_hint("it may name $MIRROR, $PRIMARY, $SECURITY and $RELEASE"))
    })?;
    let disabled: Vec<String> = match get(config, "disable_suites").filter(|list| truth::truthy(list)) {
        None => Vec::new(),
        Some(value) => match value.as_list() {
            Some(list) => list.iter().map(Value::to_python_str).collect(),
            None => return Err(Box::new(reading::wrong(value, "apt.disable_suites", "a list of suites"))),
        },
    };
    let text = disable_suites(&disabled, &rendered, &release).ok_or_else(|| {
        let message = "a line of the list of sources has no suite to compare with `disable_suites`";
        Box::new(Finding::error(reading::UNUSABLE, place, message).at("apt.disable_suites"))
    })?;
    if !is_deb822(&rendered) {
        outcome.actions.push(write_guarded(LIST, text));
        return Ok(());
    }
    outcome.actions.push(write_guarded(format!("/etc/apt/sources.list.d/{}.sources", distro.variant), text));
    if let Some(old) = read_text(request.machine, LIST) {
        if distro.variant != "ubuntu" {
            outcome.actions.push(Action::Remove { path: LIST.to_owned() });
        } else if old.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let text = "# The sources are in /etc/apt/sources.list.d/ubuntu.sources.\n";
            outcome.actions.push(write(LIST, text));
        }
    }
    Ok(())
}

/// A template with the official suites, for machines that have none.
fn builtin(variant: &str, release: &str) -> Option<String> {
    let (components, keyring) = match variant {
        "ubuntu" => ("main universe restricted multiverse", "ubuntu-archive-keyring"),
        "debian" => ("main", "debian-archive-keyring"),
        _ => return None,
    };
    let security = if matches!(release, "buster" | "stretch") { "/updates" } else { "-security" };
    let keyring = format!("/usr/share/keyrings/{keyring}.gpg");
    Some(format!(
        "## template:jinja\nTypes: deb\nURIs: {{{{mirror}}}}\nSuites: {{{{codename}}}} {{{{codename}}}}-updates \
         {{{{codename}}}}-backports\nComponents: {components}\n\
         Signed-By: {{{{primary_key | default('{keyring}', true)}}}}\n\n\
         Types: deb\nURIs: {{{{security}}}}\nSuites: {{{{codename}}}}{security}\nComponents: {components}\n\
         Signed-By: {{{{security_key | default(primary_key, true) | default('{keyring}', true)}}}}\n"
    ))
}

/// Whether a list is of the kind with fields (`Types:`, `URIs:`) rather than of lines.
#[must_use]
pub fn is_deb822(text: &str) -> bool {
    let starts = |words: &[&str]| text.lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    !starts(&["deb ", "deb-src "]) && starts(&["Types: ", "Suites: ", "Components: ", "URIs: "])
}

/// `updates` is short for the release's own name with `-updates`, and so on.
fn suite(name: &str, release: &str) -> String {
    match name {
        "updates" | "backports" | "security" | "proposed" => format!("{release}-{name}"),
        "release" => release.to_owned(),
        _ => name.replace("${RELEASE}", release).replace("$RELEASE", release),
    }
}

/// A list without `suites`. `None` for a line that ends before its suite: the real module breaks there.
#[must_use]
pub fn disable_suites(suites: &[String], text: &str, release: &str) -> Option<String> {
    if suites.is_empty() {
        return Some(text.to_owned());
    }
    let suites: HashSet<String> = suites.iter().map(|name| suite(name, release)).collect();
    if is_deb822(text) {
        return Some(deb822(&suites, text));
    }
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with('#') && words.len() > 1 {
            let mut at = 2;
            if words.get(1).is_some_and(|word| word.starts_with('[')) {
                for word in words.get(1..).unwrap_or_default() {
                    at += 1;
                    if word.ends_with(']') {
                        break;
                    }
                }
            }
            if suites.contains(*words.get(at)?) {
                out.push_str("# suite disabled by cloud-init: ");
            }
        }
        out.push_str(line);
    }
    Some(out)
}

const REDACTED: &str = "# cloud-init disable_suites redacted: ";

fn deb822(suites: &HashSet<String>, text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut entry = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            if entry.is_empty() {
                out.push(line.to_owned());
            } else {
                entry.push_str(line);
                entry.push('\n');
            }
            continue;
        }
        if line.trim().is_empty() {
            if !entry.is_empty() {
                out.push(finished(&entry));
                entry.clear();
            }
            out.push(line.to_owned());
            continue;
        }
        let mut line = line.to_owned();
        if line.starts_with("Suites:") {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let kept: Vec<&str> = words.iter().copied().filter(|word| !suites.contains(*word)).collect();
            if kept.len() != words.len() {
                entry.push_str(&format!("{REDACTED}{line}\n"));
                line = format!("Suites: {}", kept.join(" "));
            }
        }
        entry.push_str(&line);
        entry.push('\n');
    }
    if !entry.is_empty() {
        out.push(finished(&entry));
    }
    out.join("\n")
}

/// An entry that has suites left as it is, any other one commented out.
fn finished(entry: &str) -> String {
    let has_suites = entry.split('\n').skip(1).any(|line| {
        line.strip_prefix("Suites:").is_some_and(|rest| {
            let word = rest.trim_start_matches([' ', '\t']);
            word.len() < rest.len()
                && word.chars().next().is_some_and(|first| first.is_alphanumeric() || "_-".contains(first))
        })
    });
    if has_suites {
        return entry.to_owned();
    }
    let mut lines: Vec<String> = Vec::new();
    for (at, line) in entry.split('\n').enumerate() {
        if at > 0 && line.starts_with("Suites:") {
            continue;
        }
        lines.push(line.replace(REDACTED, ""));
    }
    let mut out = "## Entry disabled by cloud-init, due to disable_suites\n".to_owned();
    for line in lines.join("\n").split_inclusive('\n') {
        if !line.trim().is_empty() {
            out.push_str("# disabled by cloud-init: ");
        }
        out.push_str(line);
    }
    out
}
