//! Repositories for yum and dnf (`config/cc_yum_add_repo.py`; the file's form is that of Python's
//! `configparser`).

use hardtack_userdata::{Finding, Kind, Value, options, truth};
use indexmap::IndexMap;

use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::{self, write_guarded};

/// `yum_add_repo`.
pub const MODULE: Module = Module {
    name: "yum_add_repo",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &["yum_repo_dir", "yum_repos"],
    run: plan,
};

const REQUIRED: [&str; 3] = ["baseurl", "metalink", "mirrorlist"];

/// A repository that is written.
struct Repository<'a> {
    file: String,
    fields: IndexMap<String, &'a Value>,
}

fn plan(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "yum_repos").filter(|value| truth::truthy(value)) else {
        return Outcome::default();
    };
    let Some(repositories) = value.as_map() else {
        return Outcome::failed(reading::wrong(value, "yum_repos", "a mapping of ids to repositories"));
    };
    let directory =
        options::get_str(request.config, "yum_repo_dir").unwrap_or_else(|| "/etc/yum.repos.d/".to_owned());
    let mut outcome = Outcome::default();
    let mut chosen: IndexMap<String, Repository<'_>> = IndexMap::new();
    for (key, repository) in repositories {
        let Some(id) = key.as_text() else {
            let message = format!("the repository's id {} is no text", key.to_python_str());
            outcome.findings.push(
                Finding::error(reading::UNUSABLE, key.place, message)
                    .at("yum_repos")
                    .with_hint("put it in quotes"),
            );
            outcome.actions.clear();
            return outcome;
        };
        let path = format!("yum_repos.{id}");
        let id = id.replace(' ', "-");
        let file = join(&directory, &format!("{id}.repo"));
        if request.machine.exists(&file) {
            outcome.notes.push(format!("{file} is there already, and stays as it is"));
            continue;
        }
        if chosen.contains_key(&id) {
            outcome.notes.push(format!("{file} is written for another id already"));
            continue;
        }
        if !matches!(repository.kind, Kind::Map(_)) && truth::truthy(repository) {
            outcome.findings.push(reading::wrong(repository, &path, "a mapping"));
            return outcome;
        }
        let mut fields: IndexMap<String, &Value> = IndexMap::new();
        for (name, value) in repository.as_map().into_iter().flatten() {
            let Some(text) = name.as_text() else {
                let message = format!("the option {} of this repository is no text", name.to_python_str());
                outcome.findings.push(Finding::error(reading::UNUSABLE, name.place, message).at(path));
                return outcome;
            };
            let text = text.to_lowercase().trim().replace('-', "_");
            if text.is_empty() {
                continue;
            }
            fields.insert(text, value);
        }
        if !REQUIRED.iter().any(|name| fields.contains_key(*name)) {
            let message =
                format!("the repository {id:?} has none of {}, and is left out", REQUIRED.join(", "));
            outcome.findings.push(Finding::warning(reading::SKIPPED, repository.place, message).at(path));
            continue;
        }
        chosen.insert(id, Repository { file, fields });
    }
    for (id, Repository { file, fields }) in chosen {
        if id == "DEFAULT" {
            let message = "a repository cannot be called DEFAULT";
            outcome.findings.push(Finding::error(reading::UNUSABLE, value.place, message).at("yum_repos"));
            return outcome;
        }
        let mut text = format!("# Created by cloud-init on {}\n[{id}]\n", system::timestamp(request.facts));
        for (name, value) in fields {
            let written = written(value);
            if let Some(at) = bad_percent(&written) {
                let message = format!("a `%` stands alone in {name:?} of the repository {id:?}, at {at:?}");
                let finding = Finding::error(reading::UNUSABLE, value.place, message)
                    .at(format!("yum_repos.{id}.{name}"));
                outcome.findings.push(finding.with_hint("write %% for a percent sign"));
                return outcome;
            }
            text.push_str(&format!("{name} = {}\n", written.replace('\n', "\n\t")));
        }
        text.push('\n');
        outcome.actions.push(write_guarded(file, text));
    }
    outcome
}

/// `os.path.join`.
fn join(directory: &str, name: &str) -> String {
    if name.starts_with('/') {
        name.to_owned()
    } else if directory.ends_with('/') || directory.is_empty() {
        format!("{directory}{name}")
    } else {
        format!("{directory}/{name}")
    }
}

/// A value as yum likes it.
fn written(value: &Value) -> String {
    match &value.kind {
        Kind::Bool(value) => if *value { "1" } else { "0" }.to_owned(),
        Kind::List(items) => items.iter().map(written).collect::<Vec<_>>().join("\n"),
        _ => value.to_python_str(),
    }
}

/// What `configparser` refuses: a percent sign that starts neither `%%` nor `%(name)s`.
fn bad_percent(text: &str) -> Option<String> {
    let mut rest = text.replace("%%", "");
    // `%(…)s` anywhere is taken out first, as there.
    while let Some(at) = rest.find("%(") {
        let end = rest.get(at..)?.find(')')?.checked_add(at)?;
        if rest.get(end + 1..)?.starts_with('s') {
            rest.replace_range(at..end + 2, "");
        } else {
            break;
        }
    }
    rest.find('%').and_then(|at| rest.get(at..)).map(|rest| rest.chars().take(10).collect())
}
