//! apt's sources, keys, proxies and settings (`config/cc_apt_configure.py`).
//!
//! * `legacy`: keys of old releases.
//! * `mirrors`: where packages come from.
//! * `lists`: the list of sources itself, and suites switched off in it.
//! * `sources`: sources that the configuration adds, and their keys.
//!
//! Deliberately different: keys are taken out of their ASCII armour here, without gpg; lists of packages
//! that the image brought are not renamed to those of another mirror; mirrors are not searched by DNS.

mod legacy;
mod lists;
mod mirrors;
mod sources;

use hardtack_userdata::{Finding, Map, Value, truth};

pub use lists::{disable_suites, is_deb822};
pub use sources::dearmored;

use crate::action::{Action, Content};
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::packages;
use crate::reading::{self, get};
use crate::system::{guarded, write_guarded};

/// `apt_configure`.
pub const MODULE: Module = Module {
    name: "apt_configure",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &[
        "add_apt_repo_match",
        "apt",
        "apt_custom_sources_list",
        "apt_ftp_proxy",
        "apt_http_proxy",
        "apt_https_proxy",
        "apt_mirror",
        "apt_mirror_search",
        "apt_mirror_search_dns",
        "apt_preserve_sources_list",
        "apt_proxy",
        "apt_sources",
    ],
    run: plan,
};

type Failed = Box<Finding>;

/// The only `add_apt_repo_match` that is known here: cloud-init's own.
const REPOSITORY: &str = r"^[\w-]+:\w";

fn plan(request: &Request<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(finding) = configure(request, &mut outcome) {
        outcome.findings.push(*finding);
    }
    outcome
}

fn configure(request: &Request<'_>, outcome: &mut Outcome) -> Result<(), Failed> {
    let config = legacy::converted(request.config)?;
    debconf(&config, outcome)?;
    let apt = ["apt-get", "apt"].iter().any(|name| request.machine.program(name).is_some());
    if config.is_empty() && !apt {
        return Ok(());
    }
    let mirrors = mirrors::find(&config, request, outcome)?;
    if let Some(value) =
        get(&config, "add_apt_repo_match").filter(|value| value.as_text() != Some(REPOSITORY))
    {
        let message = "`add_apt_repo_match` is not supported: sources like ppa:user/name go to add-apt-repository, others into a file";
        let finding =
            Finding::warning(reading::UNSUPPORTED, value.place, message).at("apt.add_apt_repo_match");
        outcome.findings.push(finding);
    }
    let preserve = get(&config, "preserve_sources_list").is_some_and(|value| !truth::is_false(value));
    install_helpers(&config, preserve, request, outcome)?;
    if !preserve {
        let keys = sources::mirror_keys(&config, outcome)?;
        lists::generate(&config, &mirrors, &keys, request, outcome)?;
    }
    if preserve {
        unused_lists(&config, outcome);
    }
    settings(&config, request, outcome)?;
    if let Some(value) = get(&config, "sources") {
        sources::add(value, &mirrors, request, outcome)?;
    }
    Ok(())
}

/// What `preserve_sources_list` leaves undone; it may be the image that says so.
fn unused_lists(config: &Map, outcome: &mut Outcome) {
    for name in ["primary", "security", "sources_list", "disable_suites"] {
        if !get(config, name).is_some_and(truth::truthy) {
            continue;
        }
        let used = if matches!(name, "primary" | "security") {
            "is only used for $MIRROR and the like in `apt.sources`"
        } else {
            "is not used"
        };
        let message = format!(
            "`apt.{name}` {used}: `preserve_sources_list` is true, here or in the image, and keeps the image's lists"
        );
        let place = reading::place(config, name);
        let finding = Finding::warning(reading::SKIPPED, place, message).at(format!("apt.{name}"));
        outcome.findings.push(finding.with_hint("write `preserve_sources_list: false` below `apt`"));
    }
}

/// Answers to the questions of packages.
fn debconf(config: &Map, outcome: &mut Outcome) -> Result<(), Failed> {
    let Some(value) = get(config, "debconf_selections").filter(|value| truth::truthy(value)) else {
        return Ok(());
    };
    let path = "apt.debconf_selections";
    let Some(map) = value.as_map() else {
        return Err(Box::new(reading::wrong(value, path, "a mapping of texts")));
    };
    let mut sets: Vec<(String, &Value)> =
        map.iter().map(|(key, value)| (key.to_python_str(), value)).collect();
    sets.sort_by(|one, other| one.0.cmp(&other.0));
    let mut texts = Vec::new();
    for (name, value) in sets {
        let Some(text) = value.as_text() else {
            return Err(Box::new(reading::wrong(value, &format!("{path}.{name}"), "text")));
        };
        texts.push(text);
    }
    let mut text = texts.join("\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    outcome.actions.push(Action::Run {
        argv: vec!["debconf-set-selections".to_owned()],
        // Passwords are among such answers.
        stdin: Some(Content::secret(text)),
        environment: Vec::new(),
        optional: false,
    });
    Ok(())
}

/// Installs the programs that sources will need.
fn install_helpers(
    config: &Map,
    preserve: bool,
    request: &Request<'_>,
    outcome: &mut Outcome,
) -> Result<(), Failed> {
    let has_keyid = |value: &Value| value.get("keyid").is_some() && value.get("key").is_none();
    let mut gpg = false;
    if !preserve {
        for name in ["primary", "security"] {
            let list = get(config, name).and_then(Value::as_list).unwrap_or_default();
            gpg |= list.iter().any(has_keyid);
        }
    }
    let mut repository = false;
    if let Some(value) = get(config, "sources") {
        let Some(map) = value.as_map() else {
            return Err(Box::new(reading::wrong(value, "apt.sources", "a mapping of names to sources")));
        };
        for (key, entry) in map {
            let path = format!("apt.sources.{}", key.to_python_str());
            if entry.as_map().is_none() {
                return Err(Box::new(reading::wrong(entry, &path, "a mapping with `source`")));
            }
            gpg |= has_keyid(entry);
            match entry.get("source").map(|source| (source, source.as_text())) {
                Some((_, Some(text))) => repository |= sources::is_repository(text),
                Some((source, None)) => {
                    return Err(Box::new(reading::wrong(source, &format!("{path}.source"), "text")));
                }
                None => {}
            }
        }
    }
    let mut names = Vec::new();
    if gpg && request.machine.program("gpg").is_none() {
        names.push("gnupg");
    }
    if repository && request.machine.program("add-apt-repository").is_none() {
        names.push("software-properties-common");
    }
    if !names.is_empty() {
        outcome.actions.extend(packages::install(request, &names));
    }
    Ok(())
}

/// Proxies, and `conf`.
fn settings(config: &Map, request: &Request<'_>, outcome: &mut Outcome) -> Result<(), Failed> {
    const PROXY: &str = "/etc/apt/apt.conf.d/90cloud-init-aptproxy";
    const CONF: &str = "/etc/apt/apt.conf.d/94cloud-init-config";
    let kinds = [("proxy", "http"), ("http_proxy", "http"), ("ftp_proxy", "ftp"), ("https_proxy", "https")];
    let lines: Vec<String> = kinds
        .iter()
        .filter_map(|(name, kind)| {
            let value = get(config, name).filter(|value| truth::truthy(value))?;
            Some(format!("Acquire::{kind}::Proxy \"{}\";", value.to_python_str()))
        })
        .collect();
    if !lines.is_empty() {
        let text = lines.join("\n") + "\n";
        let content = guarded(text);
        let path = PROXY.to_owned();
        outcome.actions.push(Action::Write { path, content, mode: Some(0o644), owner: None });
    } else if request.machine.exists(PROXY) {
        outcome.actions.push(Action::Remove { path: PROXY.to_owned() });
    }
    match get(config, "conf").filter(|value| truth::truthy(value)) {
        Some(value) => {
            let Some(text) = value.as_text() else {
                return Err(Box::new(reading::wrong(value, "apt.conf", "text")));
            };
            outcome.actions.push(write_guarded(CONF, text));
        }
        None if request.machine.exists(CONF) => {
            outcome.actions.push(Action::Remove { path: CONF.to_owned() });
        }
        None => {}
    }
    Ok(())
}
