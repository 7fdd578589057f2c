//! The resolver (`config/cc_resolv_conf.py`, `templates/resolv.conf.tmpl`,
//! `templates/systemd.resolved.conf.tmpl`).

use std::collections::BTreeMap;

use hardtack_userdata::{Finding, Kind, Map, Value, options};
use serde_json::Value as Json;

use crate::basic_template;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::{read_text, write};

/// `resolv_conf`.
pub const MODULE: Module = Module {
    name: "resolv_conf",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["manage_resolv_conf", "resolv_conf"],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    if !options::get_bool(request.config, "manage_resolv_conf", false) {
        return Outcome::default();
    }
    let Some(value) = get(request.config, "resolv_conf") else {
        let place = reading::place(request.config, "manage_resolv_conf");
        let message = "`manage_resolv_conf` is set, and there is no `resolv_conf`: nothing is written";
        return Outcome::failed(Finding::warning(reading::SKIPPED, place, message).at("manage_resolv_conf"));
    };
    let Some(map) = value.as_map() else {
        return Outcome::failed(reading::wrong(value, "resolv_conf", "a mapping"));
    };
    let resolved = matches!(request.distro.family.as_str(), "photon" | "mariner");
    let (path, template) = if resolved {
        ("/etc/systemd/resolved.conf", "systemd.resolved.conf")
    } else {
        ("/etc/resolv.conf", "resolv.conf")
    };
    if let Some(template) = read_text(request.machine, &format!("/etc/cloud/templates/{template}.tmpl")) {
        return match basic_template::rendered(&template, names(map)) {
            Ok(text) => Outcome { actions: vec![write(path, text)], ..Outcome::default() },
            Err(error) => {
                let message = format!("{path} cannot be made: {error}");
                Outcome::failed(Finding::error(reading::UNUSABLE, value.place, message).at("resolv_conf"))
            }
        };
    }
    let (path, text) = if resolved {
        ("/etc/systemd/resolved.conf", resolved_conf(map))
    } else {
        ("/etc/resolv.conf", resolv_conf(map))
    };
    Outcome { actions: vec![write(path, text)], ..Outcome::default() }
}

/// What the template calls things: options without a value are `flags`.
fn names(map: &Map) -> BTreeMap<String, Json> {
    let mut names: BTreeMap<String, Json> =
        map.iter().map(|(key, value)| (key.to_python_str(), hardtack_userdata::json::value(value))).collect();
    let mut flags: Vec<String> = Vec::new();
    let mut rest = Json::Object(serde_json::Map::new());
    if let (Some(options), Some(rest)) = (get(map, "options").and_then(Value::as_map), rest.as_object_mut()) {
        for (key, value) in options {
            match &value.kind {
                Kind::Bool(true) => flags.push(key.to_python_str()),
                Kind::Bool(false) => {}
                _ => {
                    rest.insert(key.to_python_str(), hardtack_userdata::json::value(value));
                }
            }
        }
    }
    names.insert("options".to_owned(), rest);
    names.insert("flags".to_owned(), flags.into());
    names
}

fn words(map: &Map, name: &str) -> Vec<String> {
    match get(map, name).map(|value| &value.kind) {
        Some(Kind::List(items)) => items.iter().map(Value::to_python_str).collect(),
        Some(Kind::Null) | None => Vec::new(),
        Some(_) => options::get_str(map, name).into_iter().collect(),
    }
}

fn resolv_conf(map: &Map) -> String {
    let mut out = "# Created by cloud-init\n".to_owned();
    for server in words(map, "nameservers") {
        out.push_str(&format!("nameserver {server}\n"));
    }
    for (key, name) in [("searchdomains", "search"), ("domain", "domain"), ("sortlist", "sortlist")] {
        let words = words(map, key);
        if !words.is_empty() {
            out.push_str(&format!("{name} {}\n", words.join(" ")));
        }
    }
    if let Some(settings) = get(map, "options").and_then(Value::as_map) {
        let mut flags = Vec::new();
        let mut values = Vec::new();
        for (key, value) in settings {
            match &value.kind {
                Kind::Bool(true) => flags.push(key.to_python_str()),
                Kind::Bool(false) => {}
                _ => values.push(format!("{}:{}", key.to_python_str(), value.to_python_str())),
            }
        }
        values.sort();
        flags.extend(values);
        if !flags.is_empty() {
            out.push_str(&format!("options {}\n", flags.join(" ")));
        }
    }
    out
}

fn resolved_conf(map: &Map) -> String {
    let mut out = "# Created by cloud-init\n[Resolve]\nLLMNR=false\n".to_owned();
    for (key, name) in [("nameservers", "DNS"), ("searchdomains", "Domains")] {
        let words = words(map, key);
        if !words.is_empty() {
            out.push_str(&format!("{name}={}\n", words.join(" ")));
        }
    }
    out
}
