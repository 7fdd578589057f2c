//! Repositories of Alpine and SUSE, and apt's pipelining (`config/cc_apk_configure.py`,
//! `config/cc_zypper_add_repo.py`, `config/cc_apt_pipelining.py`).

use std::collections::HashSet;

use hardtack_userdata::{Finding, Kind, Map, Value, options, truth};

use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::{read_text, write, write_guarded};

/// `apk_configure`.
pub const APK: Module = Module {
    name: "apk_configure",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &["apk_repos"],
    run: apk,
};

/// `zypper_add_repo`.
pub const ZYPPER: Module = Module {
    name: "zypper_add_repo",
    stage: Stage::Config,
    frequency: Frequency::Always,
    keys: &["zypper"],
    run: zypper,
};

/// `apt_pipelining`.
pub const PIPELINING: Module = Module {
    name: "apt_pipelining",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &["apt_pipelining"],
    run: pipelining,
};

fn apk(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "apk_repos").filter(|value| truth::truthy(value)) else {
        return Outcome::default();
    };
    let Some(map) = value.as_map() else {
        return Outcome::failed(reading::wrong(value, "apk_repos", "a mapping"));
    };
    if options::get_bool(map, "preserve_repositories", false) {
        return Outcome::default();
    }
    let Some(repository) = get(map, "alpine_repo").filter(|value| truth::truthy(value)) else {
        return Outcome::default();
    };
    let Some(alpine) = repository.as_map() else {
        return Outcome::failed(reading::wrong(repository, "apk_repos.alpine_repo", "a mapping"));
    };
    let Some(version) =
        get(alpine, "version").filter(|version| truth::truthy(version)).map(Value::to_python_str)
    else {
        let finding = Finding::warning(
            reading::SKIPPED,
            repository.place,
            "`alpine_repo` has no `version`, and nothing is written",
        );
        return Outcome::failed(finding.at("apk_repos.alpine_repo").with_hint("write version: v3.22"));
    };
    let base = get(alpine, "base_url")
        .map_or_else(|| "https://dl-cdn.alpinelinux.org/alpine".to_owned(), Value::to_python_str);
    let on = |name: &str| get(alpine, name).is_some_and(truth::truthy);
    let mut text = format!("#\n# Created by cloud-init\n#\n\n{base}/{version}/main\n");
    if on("community_enabled") {
        text.push_str(&format!("{base}/{version}/community\n"));
    }
    if on("testing_enabled") {
        text.push_str(&format!("{base}/edge/testing\n"));
    }
    if let Some(local) = get(map, "local_repo_base_url").filter(|local| truth::truthy(local)) {
        text.push_str(&format!("{}/{version}\n", local.to_python_str()));
    }
    Outcome { actions: vec![write("/etc/apk/repositories", text)], ..Outcome::default() }
}

fn zypper(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "zypper").filter(|value| truth::truthy(value)) else {
        return Outcome::default();
    };
    let Some(map) = value.as_map() else {
        return Outcome::failed(reading::wrong(value, "zypper", "a mapping"));
    };
    let Some(repos) = get(map, "repos").filter(|repos| truth::truthy(repos)) else {
        return Outcome::default();
    };
    let Some(list) = repos.as_list() else {
        return Outcome::failed(reading::wrong(repos, "zypper.repos", "a list of repositories"));
    };
    let empty = Map::new();
    let config = get(map, "config").and_then(Value::as_map).unwrap_or(&empty);
    let mut outcome = Outcome::default();
    zypp_conf(request, config, &mut outcome);
    let directory =
        get(config, "reposdir").map_or_else(|| "/etc/zypp/repos.d/".to_owned(), Value::to_python_str);
    let mut ids: HashSet<String> = HashSet::new();
    for (index, entry) in list.iter().enumerate() {
        let path = format!("zypper.repos.{index}");
        let fields = entry.as_map();
        let (Some(fields), Some(id)) = (fields, entry.get("id").filter(|_| entry.get("baseurl").is_some()))
        else {
            let finding = Finding::warning(
                reading::SKIPPED,
                entry.place,
                "this repository lacks `id` or `baseurl`, and is left out",
            );
            outcome.findings.push(finding.at(path));
            continue;
        };
        let id = id.to_python_str();
        let file = format!("{}/{}.repo", directory.trim_end_matches('/'), id.replace(' ', "_"));
        if request.machine.exists(&file) || ids.contains(&id) {
            outcome.notes.push(format!("{file} is there already, and stays as it is"));
            continue;
        }
        let mut text = format!("[{id}]\n");
        let mut names: Vec<String> = Vec::new();
        for (key, value) in fields {
            let name = key.to_python_str();
            if name.is_empty() || name == "id" {
                continue;
            }
            let name = name.to_lowercase().trim().replace('-', "_");
            text.push_str(&format!("{name} = {}\n", config_value(value)));
            names.push(name);
        }
        for name in ["enabled", "autorefresh"] {
            if !names.iter().any(|known| known == name) {
                text.push_str(&format!("{name} = 1\n"));
            }
        }
        outcome.actions.push(write_guarded(file, text.trim_end()));
        ids.insert(id);
    }
    outcome
}

fn config_value(value: &Value) -> String {
    match &value.kind {
        Kind::Bool(value) => if *value { "1" } else { "0" }.to_owned(),
        Kind::List(items) => items.iter().map(config_value).collect::<Vec<_>>().join("\n    "),
        _ => value.to_python_str(),
    }
}

fn zypp_conf(request: &Request<'_>, config: &Map, outcome: &mut Outcome) {
    const PATH: &str = "/etc/zypp/zypp.conf";
    let settings: Vec<String> = config
        .iter()
        .filter(|(key, value)| key.as_text() != Some("configdir") && truth::truthy(value))
        .map(|(key, value)| format!("{}={}", key.to_python_str(), value.to_python_str()))
        .collect();
    if settings.is_empty() {
        return;
    }
    let old = read_text(request.machine, PATH).unwrap_or_default();
    outcome.actions.push(write(PATH, format!("{old}# Added via cloud.cfg\n{}", settings.join("\n"))));
}

fn pipelining(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "apt_pipelining") else { return Outcome::default() };
    let word = value.to_python_str().to_lowercase().trim().to_owned();
    let depth = match word.as_str() {
        "false" => "0",
        "none" | "unchanged" | "os" => return Outcome::default(),
        "0" | "1" | "2" | "3" | "4" | "5" => &word,
        _ => {
            let message = format!("`apt_pipelining` is {word:?}, which changes nothing");
            let finding = Finding::warning(reading::SKIPPED, value.place, message).at("apt_pipelining");
            return Outcome::failed(finding.with_hint("write false, os, or a number up to 5"));
        }
    };
    let text =
        format!("//Written by cloud-init per 'apt_pipelining'\nAcquire::http::Pipeline-Depth \"{depth}\";\n");
    Outcome {
        actions: vec![write("/etc/apt/apt.conf.d/90cloud-init-pipelining", text)],
        ..Outcome::default()
    }
}
