//! `/etc/hosts` (`config/cc_update_etc_hosts.py`; `update_etc_hosts` in `cloudinit/distros/__init__.py`,
//! `cloudinit/distros/parsers/hosts.py`; the templates `templates/hosts.*.tmpl`).

use hardtack_userdata::{Finding, truth};

use crate::basic_template;
use crate::hostname;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::{self, read_text, write};

/// `update_etc_hosts`.
pub const MODULE: Module = Module {
    name: "update_etc_hosts",
    stage: Stage::Network,
    frequency: Frequency::Always,
    keys: &["manage_etc_hosts"],
    run: update,
};

const PATH: &str = "/etc/hosts";

fn update(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "manage_etc_hosts") else { return Outcome::default() };
    // The option is read as text first, so that `0` is the word and not nothing.
    let word = value.to_python_str();
    let text =
        hardtack_userdata::Value { place: value.place, kind: hardtack_userdata::Kind::Text(word.clone()) };
    let template = truth::translate_bool(&text) || word.to_lowercase().trim() == "template";
    if !template && word != "localhost" {
        let mut outcome = Outcome::default();
        if !truth::is_false(value) && !value.is_null() {
            let message = format!("`manage_etc_hosts` is {word:?}, which nothing acts on");
            let finding = Finding::warning(reading::SKIPPED, value.place, message)
                .at("manage_etc_hosts")
                .with_hint("write true, localhost or false");
            outcome.findings.push(finding);
        }
        return outcome;
    }
    let names = match hostname::names(request.config, request.facts, request.machine) {
        Ok(names) => names,
        Err(finding) => return Outcome::failed(finding),
    };
    if names.hostname.is_empty() {
        let message = "`manage_etc_hosts` is set, and there is no hostname to write";
        let finding = Finding::warning(reading::SKIPPED, value.place, message)
            .at("manage_etc_hosts")
            .with_hint("give one with `hostname`");
        return Outcome { findings: vec![finding], ..Outcome::default() };
    }
    let mut outcome = Outcome::default();
    if request.facts.instance_id.is_none()
        && get(request.config, "fqdn").is_none()
        && get(request.config, "hostname").is_none()
    {
        outcome.notes.push("the names come from the cloud's metadata, if that has some".to_owned());
    }
    if !template {
        let ip = if has_own_address(&request.distro.family) { "127.0.1.1" } else { "127.0.0.1" };
        let old = read_text(request.machine, PATH);
        if let Some(new) = with_names(old.as_deref(), ip, &names.fqdn, &names.hostname) {
            let header =
                if old.is_none() { system::header("Added", request.facts) + "\n" } else { String::new() };
            outcome.actions.push(write(PATH, format!("{header}{new}\n")));
        }
        return outcome;
    }
    let family = request.distro.family.as_str();
    let path = format!("/etc/cloud/templates/hosts.{family}.tmpl");
    let text = match read_text(request.machine, &path) {
        Some(template) => match rendered(&template, &names.hostname, &names.fqdn) {
            Some(text) => text,
            None => {
                let message = format!("{path} is a template that cannot be rendered");
                let hint = "its names are {{fqdn}} and {{hostname}}";
                return Outcome::failed(
                    Finding::error(reading::UNUSABLE, value.place, message).with_hint(hint),
                );
            }
        },
        None => match builtin(family, &names.hostname, &names.fqdn) {
            Some(text) => text,
            None => {
                let message = format!("there is no template of /etc/hosts for {family}");
                let hint = format!("write {path}, or say manage_etc_hosts: localhost");
                return Outcome::failed(
                    Finding::error(reading::UNUSABLE, value.place, message).with_hint(hint),
                );
            }
        },
    };
    outcome.actions.push(write(PATH, text));
    outcome
}

/// Whether the family keeps the machine's own name on 127.0.1.1.
fn has_own_address(family: &str) -> bool {
    matches!(family, "debian" | "suse" | "alpine" | "photon" | "mariner")
}

/// The file with a line for the names, or `None` when it has them.
fn with_names(old: Option<&str>, ip: &str, fqdn: &str, hostname: &str) -> Option<String> {
    enum Line<'a> {
        /// Blank, or only a comment.
        Other(&'a str),
        Names {
            words: Vec<&'a str>,
            tail: &'a str,
        },
    }
    let mut lines: Vec<Line<'_>> = Vec::new();
    for line in old.unwrap_or_default().lines() {
        let trimmed = line.trim();
        let (head, tail) = trimmed.find('#').map_or((trimmed, ""), |at| trimmed.split_at(at));
        if head.is_empty() {
            lines.push(Line::Other(line));
        } else {
            lines.push(Line::Names { words: head.split_whitespace().collect(), tail });
        }
    }
    let mut ours: Vec<Vec<&str>> = Vec::new();
    for line in &lines {
        if let Line::Names { words, .. } = line
            && words.first() == Some(&ip)
        {
            ours.push(words.get(1..).unwrap_or_default().to_vec());
        }
    }
    // As in cloud-init, one line that has both is enough, whatever the others say.
    let known = ours
        .iter()
        .any(|words| words.first() == Some(&fqdn) && words.get(1..).unwrap_or_default().contains(&hostname));
    if known {
        return None;
    }
    let mut out = String::new();
    // cloud-init's parser reads the text anew when nothing is left, so that such lines stay after all.
    let only_ours =
        lines.iter().all(|line| matches!(line, Line::Names { words, .. } if words.first() == Some(&ip)));
    for line in &lines {
        match line {
            Line::Other(line) => out.push_str(line),
            Line::Names { words, .. } if words.first() == Some(&ip) && !only_ours => continue,
            Line::Names { words, tail } => {
                out.push_str(&words.join("\t"));
                out.push_str(tail);
            }
        }
        out.push('\n');
    }
    for words in ours.iter().filter(|words| !words.is_empty()) {
        out.push_str(&format!("{ip}\t{}\n", words.join("\t")));
    }
    out.push_str(&format!("{ip}\t{fqdn}\t{hostname}\n"));
    Some(out)
}

/// A template, in Jinja or with `$fqdn` and `$hostname`; `None` when it cannot be rendered.
fn rendered(template: &str, hostname: &str, fqdn: &str) -> Option<String> {
    let names = [("hostname", hostname), ("fqdn", fqdn)];
    let names = names.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    basic_template::rendered(template, names).ok()
}

/// What a family's template gives where the machine has none, as without cloud-init.
fn builtin(family: &str, hostname: &str, fqdn: &str) -> Option<String> {
    let own = format!("127.0.1.1 {fqdn} {hostname}\n");
    let first = format!("127.0.0.1 {fqdn} {hostname}\n");
    let long = "127.0.0.1 localhost.localdomain localhost\n127.0.0.1 localhost4.localdomain4 localhost4\n";
    let multicast = "ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n";
    Some(match family {
        "debian" | "arch" | "aosc" => {
            let own = if family == "aosc" { &first } else { &own };
            format!("{own}127.0.0.1 localhost\n\n::1 localhost ip6-localhost ip6-loopback\n{multicast}")
        }
        "alpine" => format!("{long}{own}\n::1 localhost6.localdomain6 localhost6\n\n{multicast}"),
        "suse" => format!(
            "{own}{long}\n::1 {fqdn} {hostname}\n::1 localhost.localdomain localhost\n\
             ::1 localhost6.localdomain6 localhost6\n::1 localhost ipv6-localhost ipv6-loopback\n\n\
             fe00::0 ipv6-localnet\nff00::0 ipv6-mcastprefix\nff02::1 ipv6-allnodes\n\
             ff02::2 ipv6-allrouters\nff02::3 ipv6-allhosts\n"
        ),
        "redhat" | "gentoo" | "openeuler" | "azurelinux" | "mariner" | "photon" | "OpenCloudOS" => format!(
            "{first}{long}\n::1 {fqdn} {hostname}\n::1 localhost.localdomain localhost\n\
             ::1 localhost6.localdomain6 localhost6\n"
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_template_is_rendered_as_jinja_does() {
        let template = "## template:jinja\n{#\nabout this file\n-#}\n# kept\n{# gone -#}\n127.0.1.1 {{fqdn}} {{ hostname }}\n{# x #}\nend {a}\n";
        let text = rendered(template, "h", "h.d").unwrap();
        assert_eq!(text, "# kept\n127.0.1.1 h.d h\nend {a}\n");
        assert_eq!(rendered("## template:jinja\n{% if x %}", "h", "h.d"), None);
        assert_eq!(rendered("127.0.0.1 $fqdn ${hostname}\n", "h", "h.d").unwrap(), "127.0.0.1 h.d h\n");
    }
}
