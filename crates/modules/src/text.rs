//! A plan for people, and for programs.

use std::fmt::Write as _;

use hardtack_userdata::{Finding, Part, Severity, secrets};
use serde_json::{Value as Json, json};

use crate::action::{Action, Content, Owner};
use crate::change::Change;
use crate::module::{Frequency, Stage};
use crate::plan::{KeyState, Plan, Step};

/// The plan for people. `parts` give findings their file and line.
#[must_use]
pub fn text(plan: &Plan, parts: &[Part]) -> String {
    let mut out = String::new();
    let mut stage = None;
    for step in &plan.steps {
        if stage != Some(step.stage) {
            stage = Some(step.stage);
            let _ = writeln!(out, "{}", stage_title(step.stage));
        }
        let _ = writeln!(out, "  {} ({})", step.module, frequency_word(step.frequency));
        for (index, action) in step.actions.iter().enumerate() {
            let change = step.changes.get(index).and_then(Option::as_ref);
            for line in change.map_or_else(|| action_lines(action), |change| changed_lines(action, change)) {
                let _ = writeln!(out, "    {}", one_line(&line));
            }
        }
        for finding in &step.findings {
            let _ = writeln!(out, "    {}", one_line(&finding_line(finding, parts)));
        }
        for note in &step.notes {
            let _ = writeln!(out, "    note: {}", one_line(note));
        }
    }
    if plan.steps.is_empty() {
        out.push_str("nothing to do\n");
    }
    let told: Vec<_> = plan.keys.iter().filter(|key| key.state != KeyState::Applied).collect();
    if !told.is_empty() {
        out.push_str("keys that are not applied\n");
        for key in told {
            let _ = write!(out, "  {}: {}", one_line(&key.key), key.state.word());
            if let Some(reason) = &key.reason {
                let _ = write!(out, ": {}", one_line(reason));
            }
            out.push('\n');
        }
    }
    out
}

/// The plan for programs.
#[must_use]
pub fn json(plan: &Plan, parts: &[Part]) -> Json {
    json!({
        "distro": { "id": plan.distro.id, "version": plan.distro.version, "family": plan.distro.family },
        "steps": plan.steps.iter().map(|step| step_json(step, parts)).collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(|finding| finding_json(finding, parts)).collect::<Vec<_>>(),
        "keys": plan.keys.iter().map(|key| {
            let (file, span) = parts.get(key.place.part).map_or_else(
                || (String::new(), key.place.span),
                |part| part.origin.locate(key.place.span),
            );
            json!({
                "key": key.key,
                "state": key.state.word(),
                "modules": key.modules,
                "reason": key.reason,
                "file": file,
                "line": span.line,
            })
        }).collect::<Vec<_>>(),
    })
}

fn finding_json(finding: &Finding, parts: &[Part]) -> Json {
    let diagnostic = finding.diagnostic(parts);
    json!({
        "severity": if finding.severity == Severity::Error { "error" } else { "warning" },
        "code": finding.code,
        "path": finding.path,
        "file": diagnostic.file,
        "line": diagnostic.span.line,
        "column": diagnostic.span.column,
        "message": finding.message,
        "hint": finding.hint,
    })
}

fn step_json(step: &Step, parts: &[Part]) -> Json {
    json!({
        "stage": stage_word(step.stage),
        "module": step.module,
        "frequency": frequency_word(step.frequency),
        "actions": step.actions.iter().map(action_json).collect::<Vec<_>>(),
        "findings": step.findings.iter().map(|finding| finding_json(finding, parts)).collect::<Vec<_>>(),
        "notes": step.notes,
    })
}

/// The word for a stage in JSON.
#[must_use]
pub fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Local => "local",
        Stage::Network => "network",
        Stage::Config => "config",
        Stage::Final => "final",
    }
}

fn stage_title(stage: Stage) -> &'static str {
    match stage {
        Stage::Local => "before the network",
        Stage::Network => "with the network, before logins",
        Stage::Config => "beside other services",
        Stage::Final => "at the end",
    }
}

/// The word for a frequency.
#[must_use]
pub fn frequency_word(frequency: Frequency) -> &'static str {
    match frequency {
        Frequency::Always => "every boot",
        Frequency::Instance => "once per instance",
        Frequency::Once => "once",
    }
}

fn finding_line(finding: &Finding, parts: &[Part]) -> String {
    let diagnostic = finding.diagnostic(parts);
    let word = if finding.severity == Severity::Error { "error" } else { "warning" };
    let mut line = format!("{word}: {}", finding.message);
    if !diagnostic.file.is_empty() && diagnostic.span.line > 0 {
        let _ = write!(line, " ({}:{}:{})", diagnostic.file, diagnostic.span.line, diagnostic.span.column);
    }
    if let Some(hint) = &finding.hint {
        let _ = write!(line, "; {hint}");
    }
    line
}

/// How an action reads: one line, and the lines of a file that is written below it.
#[must_use]
pub fn action_lines(action: &Action) -> Vec<String> {
    match action {
        Action::Write { path, content, mode, owner } => {
            with_content(format!("write {path}{}", mode_and_owner(*mode, owner.as_ref())), content)
        }
        Action::Append { path, content, mode, owner } => {
            with_content(format!("append to {path}{}", mode_and_owner(*mode, owner.as_ref())), content)
        }
        Action::Directory { path, mode, owner } => {
            vec![format!("make directory {path}{}", mode_and_owner(Some(*mode), owner.as_ref()))]
        }
        Action::Link { path, target } => vec![format!("link {path} -> {target}")],
        Action::Remove { path } => vec![format!("remove {path}")],
        Action::Run { argv, stdin, environment, optional } => {
            let mut line = "run ".to_owned();
            for (name, value) in environment {
                let _ = write!(line, "{name}={} ", shell_word(value));
            }
            line.push_str(&argv.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "));
            if *optional {
                line.push_str(" (may fail)");
            }
            match stdin {
                Some(content) => with_content(format!("{line}, which reads"), content),
                None => vec![line],
            }
        }
        Action::Fetch { url, path, mode, owner, fallback, .. } => {
            let mut line =
                format!("fetch {} into {path}{}", no_password(url), mode_and_owner(*mode, owner.as_ref()));
            if fallback.is_some() {
                line.push_str(", or write what the configuration holds");
            }
            vec![line]
        }
        Action::Post { url, fields, tries } => {
            let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
            vec![format!("post {} to {}, {tries} tries", names.join(", "), no_password(url))]
        }
        Action::Console { text } => with_content("print on the console".to_owned(), text),
        Action::Live { what, details } => {
            let mut line = format!("decide there: {what}");
            for (name, value) in details {
                let _ = write!(line, " {name}={}", shell_word(value));
            }
            vec![line]
        }
    }
}

/// How writing over a file reads: only the lines that come.
fn changed_lines(action: &Action, change: &Change) -> Vec<String> {
    let Action::Write { path, mode, owner, .. } = action else { return action_lines(action) };
    let mut first = format!("write {path}{}", mode_and_owner(*mode, owner.as_ref()));
    if change.is_empty() {
        first.push_str(": as it is already");
        return vec![first];
    }
    let lines = |count: usize| if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
    let _ = write!(first, ": {} kept, {} dropped", lines(change.kept), lines(change.removed));
    let mut out = vec![first];
    out.extend(change.added.iter().take(SHOWN).map(|line| format!("  + {}", visible(line))));
    if change.added.len() > SHOWN {
        out.push(format!("  + … {} more lines", change.added.len() - SHOWN));
    }
    out
}

/// Lines of content that are shown.
const SHOWN: usize = 12;

fn with_content(mut first: String, content: &Content) -> Vec<String> {
    if content.secret {
        let _ = write!(first, ": {} bytes, not shown", content.bytes.len());
        return vec![first];
    }
    let Some(text) = std::str::from_utf8(&content.bytes).ok().filter(|text| !text.contains('\0')) else {
        let _ = write!(first, ": {} bytes", content.bytes.len());
        return vec![first];
    };
    if text.is_empty() {
        first.push_str(": empty");
        return vec![first];
    }
    first.push(':');
    let mut lines = vec![first];
    let count = text.lines().count();
    lines.extend(text.lines().take(SHOWN).map(|line| format!("  | {}", visible(line))));
    if count > SHOWN {
        lines.push(format!("  | … {} more lines", count - SHOWN));
    }
    lines
}

/// Text without what a terminal would act on, line ends among it: names of files and words of messages are
/// other people's.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// The same, not longer than a few terminals are wide.
fn visible(line: &str) -> String {
    const LONGEST: usize = 400;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => one_line(line.get(..end).unwrap_or_default()) + "…",
        None => one_line(line),
    }
}

fn mode_and_owner(mode: Option<u32>, owner: Option<&Owner>) -> String {
    let mut out = String::new();
    if let Some(mode) = mode {
        let _ = write!(out, " {mode:04o}");
    }
    if let Some(owner) = owner {
        let user = owner.user.as_deref().unwrap_or_default();
        let group = owner.group.as_deref().map(|group| format!(":{group}")).unwrap_or_default();
        let _ = write!(out, " {}", visible(&format!("{user}{group}")));
    }
    out
}

/// A word as a shell would take it, for people.
fn shell_word(word: &str) -> String {
    let plain = !word.is_empty()
        && word.chars().all(|character| {
            character.is_ascii_alphanumeric() || "@%_+=:,./-".contains(character) || !character.is_ascii()
        });
    let word = visible(word);
    if plain { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// A URL without the passwords in it.
#[must_use]
pub fn no_password(url: &str) -> String {
    let Some((address, query)) = url.split_once('?') else { return no_login(url) };
    let (query, fragment) = query.split_once('#').map_or((query, ""), |(query, rest)| (query, rest));
    let fields = query.split('&').map(|field| match field.split_once('=') {
        Some((name, _)) if secrets::is_secret_key(name) => format!("{name}=…"),
        _ => field.to_owned(),
    });
    let mut out = format!("{}?{}", no_login(address), fields.collect::<Vec<_>>().join("&"));
    if !fragment.is_empty() {
        let _ = write!(out, "#{fragment}");
    }
    visible(&out)
}

/// A URL without the password of its user.
fn no_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return visible(url) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => {
            let name = user.split(':').next().unwrap_or_default();
            visible(&format!("{scheme}://{name}:…@{host}{tail}"))
        }
        _ => visible(url),
    }
}

fn action_json(action: &Action) -> Json {
    let owner_json = |owner: &Option<Owner>| {
        owner.as_ref().map(|owner| json!({ "user": owner.user, "group": owner.group }))
    };
    let mode_json = |mode: &Option<u32>| mode.map(|mode| format!("{mode:04o}"));
    match action {
        Action::Write { path, content, mode, owner } => json!({
            "do": "write", "path": path, "content": content_json(content),
            "mode": mode_json(mode), "owner": owner_json(owner),
        }),
        Action::Append { path, content, mode, owner } => json!({
            "do": "append", "path": path, "content": content_json(content),
            "mode": mode_json(mode), "owner": owner_json(owner),
        }),
        Action::Directory { path, mode, owner } => json!({
            "do": "directory", "path": path, "mode": mode_json(&Some(*mode)), "owner": owner_json(owner),
        }),
        Action::Link { path, target } => json!({ "do": "link", "path": path, "target": target }),
        Action::Remove { path } => json!({ "do": "remove", "path": path }),
        Action::Run { argv, stdin, environment, optional } => json!({
            "do": "run", "argv": argv, "stdin": stdin.as_ref().map(content_json),
            "environment": environment.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
            "may_fail": optional,
        }),
        Action::Fetch { url, headers, path, fallback, mode, owner } => json!({
            "do": "fetch", "url": no_password(url), "path": path,
            "headers": headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "fallback": fallback.as_ref().map(content_json),
            "mode": mode_json(mode), "owner": owner_json(owner),
        }),
        Action::Post { url, fields, tries } => json!({
            "do": "post", "url": no_password(url), "tries": tries,
            "fields": fields.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        }),
        Action::Console { text } => json!({ "do": "console", "text": content_json(text) }),
        Action::Live { what, details } => json!({
            "do": "live", "what": what,
            "details": details.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        }),
    }
}

/// Content as text, as base64 where it is none, or only its size where it is secret.
fn content_json(content: &Content) -> Json {
    use base64::Engine as _;
    if content.secret {
        return json!({ "secret": true, "bytes": content.bytes.len() });
    }
    match std::str::from_utf8(&content.bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(&content.bytes) }),
    }
}
