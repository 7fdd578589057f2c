//! `hardtack profiles`: what there is, and what is in it.

use std::io::Write as _;

use hardtack_profile::{Kind, Profile, Rule, TAILORINGS, Tailoring, rules};
use hardtack_report::wrapped;
use serde_json::{Value, json};

use crate::args::ProfilesArgs;
use crate::error::CliError;

/// In columns, as of the other lists that people read.
const WIDTH: usize = 80;

/// Lists the profiles, or the controls of one.
pub(crate) fn run(arguments: &ProfilesArgs) -> Result<u8, CliError> {
    let text = match &arguments.name {
        None => all(arguments.json),
        Some(name) if name == "all" => {
            listed(rules().iter().map(|rule| (rule, None)).collect(), name, arguments.json)
        }
        Some(name) => {
            let kind = Kind::named(name).ok_or_else(|| {
                CliError::usage(format!("there is no profile {name:?}"))
                    .hint(format!("there are {}", names()))
            })?;
            listed(controls(kind), kind.word(), arguments.json)
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(CliError::stream)?;
    Ok(0)
}

/// The profiles' names, for messages.
pub(super) fn names() -> String {
    let names: Vec<&str> = Kind::WORDS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn controls(kind: Kind) -> Vec<(&'static Rule, Option<String>)> {
    let profile = Profile::new(kind);
    profile.selected(false).map(|(rule, reason)| (rule, reason.map(str::to_owned))).collect()
}

fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::Baseline => "what breaks nothing that a server usually does",
        Kind::Cis1 => "level 1, server, of the CIS benchmarks of Debian 12 (1.1.0) and Ubuntu 24.04 (1.0.0)",
        Kind::Cis2 => "level 2, server, of the same",
    }
}

fn all(as_json: bool) -> String {
    if as_json {
        let profile = |(name, kind): &(&str, Kind)| json!({ "name": name, "about": about(*kind), "controls": controls(*kind).len() });
        let profiles: Vec<Value> = Kind::WORDS.iter().map(profile).collect();
        let tailorings: Vec<Value> = TAILORINGS.iter().map(tailoring).collect();
        return format!("{:#}\n", json!({ "schema": 1, "profiles": profiles, "tailorings": tailorings }));
    }
    let mut text = String::new();
    for (name, kind) in Kind::WORDS {
        let controls = controls(*kind);
        let excepted = controls.iter().filter(|(_, reason)| reason.is_some()).count();
        let count = controls.len();
        let about = about(*kind);
        let line = format!("{count} controls, {excepted} left alone on purpose: {about}");
        wrapped(&format!("{name:<10} "), &line, WIDTH, &mut text);
    }
    text.push_str("\nTailorings (`tailoring: [NAME]` of a recipe's profile):\n");
    for one in TAILORINGS {
        wrapped(&format!("{:<10} ", one.name), one.about, WIDTH, &mut text);
        for (control, reason) in one.exceptions {
            wrapped("             ", &format!("{control}: {reason}"), WIDTH, &mut text);
        }
    }
    text
}

fn tailoring(one: &Tailoring) -> Value {
    let exception = |(control, reason): &(&str, &str)| json!({ "control": control, "reason": reason });
    let exceptions: Vec<Value> = one.exceptions.iter().map(exception).collect();
    json!({ "name": one.name, "about": one.about, "exceptions": exceptions })
}

fn listed(controls: Vec<(&'static Rule, Option<String>)>, name: &str, as_json: bool) -> String {
    if as_json {
        let told = |(rule, reason): &(&Rule, Option<String>)| {
            json!({
                "id": rule.id,
                "cis": rule.numbers(),
                "level": { "debian": rule.level.number(false), "ubuntu": rule.level.number(true) },
                "baseline": rule.baseline,
                "title": rule.title,
                "reason": rule.reason,
                "exception": reason,
            })
        };
        let controls: Vec<Value> = controls.iter().map(told).collect();
        return format!("{:#}\n", json!({ "schema": 1, "name": name, "controls": controls }));
    }
    let wide = controls.iter().map(|(rule, _)| rule.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (rule, reason) in controls {
        wrapped(&format!("{:<wide$}  {:<14} ", rule.id, rule.cis), rule.title, WIDTH, &mut text);
        if let Some(reason) = reason {
            let indent = " ".repeat(wide + 17);
            wrapped(&indent, &format!("left alone: {reason}"), WIDTH, &mut text);
        }
    }
    text
}
