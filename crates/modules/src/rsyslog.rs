//! rsyslog (`config/cc_rsyslog.py`).

use std::collections::HashSet;

use hardtack_userdata::{Finding, Kind, Map, Value, options, truth};

use crate::action::{Action, Content};
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::packages;
use crate::reading::{self, get};
use crate::system::{service, try_run, write};

/// `rsyslog`.
pub const MODULE: Module = Module {
    name: "rsyslog",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["rsyslog", "rsyslog_dir", "rsyslog_filename"],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "rsyslog") else { return Outcome::default() };
    let empty = Map::new();
    let (map, list) = match &value.kind {
        Kind::Map(map) => (map, None),
        // The old form: only the list of `configs`.
        Kind::List(list) => (&empty, Some(list.as_slice())),
        _ => return Outcome::failed(reading::wrong(value, "rsyslog", "a mapping")),
    };
    let mut outcome = Outcome::default();
    let text = |name: &str, default: &str| match get(map, name) {
        None => Ok(default.to_owned()),
        Some(value) => value
            .as_text()
            .map(str::to_owned)
            .ok_or_else(|| reading::wrong(value, &format!("rsyslog.{name}"), "text")),
    };
    let top = |name: &str, default: &str| {
        let old = list.and_then(|_| options::get_str(request.config, name));
        old.unwrap_or_else(|| default.to_owned())
    };
    let directory = match text("config_dir", &top("rsyslog_dir", "/etc/rsyslog.d")) {
        Ok(text) => text,
        Err(finding) => return Outcome::failed(finding),
    };
    let file = match text("config_filename", &top("rsyslog_filename", "20-cloud-config.conf")) {
        Ok(text) => text,
        Err(finding) => return Outcome::failed(finding),
    };
    let mut configs: Vec<Entry> = Vec::new();
    let given = match get(map, "configs").map(|configs| (configs, configs.as_list())) {
        Some((_, Some(configs))) => Some(configs),
        Some((configs, None)) => {
            return Outcome::failed(reading::wrong(configs, "rsyslog.configs", "a list"));
        }
        None => list,
    };
    for (index, entry) in given.unwrap_or_default().iter().enumerate() {
        configs.extend(read_entry(entry, index, &file, &mut outcome));
    }
    if let Some(remotes) = get(map, "remotes") {
        let Some(remotes) = remotes.as_map() else {
            return Outcome::failed(reading::wrong(
                remotes,
                "rsyslog.remotes",
                "a mapping of names to hosts",
            ));
        };
        if !remotes.is_empty() {
            let text = match remote_lines(remotes, &mut outcome) {
                Ok(text) => text,
                Err(finding) => return Outcome::failed(*finding),
            };
            configs.push(Entry { file: file.clone(), text });
        }
    }
    let install = match get(map, "install_rsyslog").map(|value| (value, &value.kind)) {
        None => false,
        Some((_, Kind::Bool(install))) => *install,
        Some((value, _)) => {
            return Outcome::failed(reading::wrong(value, "rsyslog.install_rsyslog", "true or false"));
        }
    };
    if let Some(command) = get(map, "service_reload_command")
        && !matches!(command.kind, Kind::Text(_) | Kind::List(_))
    {
        let finding = reading::wrong(command, "rsyslog.service_reload_command", "`auto` or a list of words");
        return Outcome::failed(finding);
    }
    let program = match text("check_exe", "rsyslogd") {
        Ok(text) => text,
        Err(finding) => return Outcome::failed(finding),
    };
    if install && request.machine.program(&program).is_none() {
        let names: Vec<String> = match get(map, "packages").and_then(Value::as_list) {
            Some(list) => list.iter().map(Value::to_python_str).collect(),
            None => vec!["rsyslog".to_owned()],
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        outcome.actions.extend(packages::install(request, &names));
    }
    let mut seen: HashSet<String> = HashSet::new();
    for entry in configs {
        let path = if entry.file.starts_with('/') {
            entry.file
        } else {
            format!("{}/{}", directory.trim_end_matches('/'), entry.file)
        };
        let mut text = entry.text;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if seen.contains(&path) {
            let content = Content::open(text);
            outcome.actions.push(Action::Append { path, content, mode: Some(0o644), owner: None });
        } else {
            outcome.actions.push(write(path.clone(), text));
            seen.insert(path);
        }
    }
    if !seen.is_empty() {
        outcome.actions.extend(reload(map, request));
    }
    outcome
}

fn reload(map: &Map, request: &Request<'_>) -> Option<Action> {
    match get(map, "service_reload_command").map(|value| &value.kind) {
        Some(Kind::List(words)) if !words.is_empty() => Some(try_run(words.iter().map(Value::to_python_str))),
        Some(Kind::List(_)) => None,
        Some(Kind::Text(word)) if word != "auto" => Some(try_run([word.as_str()])),
        _ => Some(try_run(service("try-reload", "rsyslog", request.machine, request.distro))),
    }
}

struct Entry {
    file: String,
    text: String,
}

fn read_entry(entry: &Value, index: usize, file: &str, outcome: &mut Outcome) -> Option<Entry> {
    let path = format!("rsyslog.configs.{index}");
    let mut skip = |value: &Value, message: &str| {
        outcome.findings.push(Finding::warning(reading::SKIPPED, value.place, message).at(path.clone()));
    };
    let (text, file) = match &entry.kind {
        Kind::Text(text) => (text.clone(), file.to_owned()),
        Kind::Map(map) => {
            let Some(content) = get(map, "content") else {
                skip(entry, "this entry of `rsyslog.configs` has no `content`, and is left out");
                return None;
            };
            let Some(text) = content.as_text() else {
                skip(content, "`content` is no text, and the entry is left out");
                return None;
            };
            (text.to_owned(), get(map, "filename").map_or_else(|| file.to_owned(), Value::to_python_str))
        }
        _ => {
            skip(entry, "this entry of `rsyslog.configs` is neither text nor a mapping, and is left out");
            return None;
        }
    };
    let file = file.trim().to_owned();
    if file.is_empty() {
        skip(entry, "this entry of `rsyslog.configs` has an empty `filename`, and is left out");
        return None;
    }
    Some(Entry { file, text })
}

fn remote_lines(remotes: &Map, outcome: &mut Outcome) -> Result<String, Box<Finding>> {
    let mut lines = vec!["# begin remotes".to_owned()];
    for (name, line) in remotes {
        if !truth::truthy(line) {
            continue;
        }
        let name = name.to_python_str();
        let path = format!("rsyslog.remotes.{name}");
        let Some(text) = line.as_text() else {
            return Err(Box::new(reading::wrong(line, &path, "a host as text")));
        };
        match remote_line(text, &name) {
            Remote::Line(line) => lines.push(line),
            Remote::NoHost => {
                let message = format!("the remote {name:?} is {text:?}, which names no host");
                return Err(Box::new(Finding::error(reading::UNUSABLE, line.place, message).at(path)));
            }
            Remote::Odd => {
                let message = format!(
                    "the remote {name:?} is {:?}, which is no host, and is left out",
                    line.to_python_str()
                );
                let finding = Finding::warning(reading::SKIPPED, line.place, message)
                    .at(format!("rsyslog.remotes.{name}"));
                outcome
                    .findings
                    .push(finding.with_hint("write host:514, *.* @@host:514, or @[2001:db8::1]:514"));
            }
        }
    }
    lines.push("# end remotes".to_owned());
    Ok(lines.join("\n") + "\n")
}

/// What a remote's text is.
enum Remote {
    /// A line for the file.
    Line(String),
    /// Left out with a warning.
    Odd,
    /// Without a host the module fails.
    NoHost,
}

/// `*.* @@host:514 # name` of what a person wrote: an optional selector, `@` or `@@`, host and port.
fn remote_line(text: &str, name: &str) -> Remote {
    // A run of `#` with blanks round it divides; with more than one such run nothing is divided.
    let pieces: Vec<&str> = text.split('#').collect();
    let inner = pieces.get(1..pieces.len().saturating_sub(1)).unwrap_or_default();
    let (data, comment) = match (pieces.first(), pieces.last()) {
        (Some(first), Some(last)) if pieces.len() > 1 && inner.iter().all(|piece| piece.is_empty()) => {
            (first.trim_end_matches(' '), Some(last.trim()))
        }
        _ => (text, None),
    };
    let words: Vec<&str> = data.split_whitespace().collect();
    let (selector, host) = match words.as_slice() {
        [_] => ("*.*", data),
        [selector, host] => (*selector, *host),
        _ => return Remote::Odd,
    };
    let (kind, rest) = match (host.strip_prefix("@@"), host.strip_prefix('@')) {
        (Some(rest), _) => ("@@", rest),
        (None, Some(rest)) => ("@", rest),
        (None, None) => ("@", host),
    };
    let bracketed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (address, port) = match bracketed {
        Some((address, "")) => (address, None),
        Some((address, rest)) => match rest.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None => return Remote::Odd,
        },
        None => rest.split_once(':').map_or((rest, None), |(address, port)| (address, Some(port))),
    };
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Remote::Odd;
    }
    if address.is_empty() {
        return if bracketed.is_some() { Remote::Odd } else { Remote::NoHost };
    }
    if address.starts_with('[') && !address.ends_with(']') {
        return Remote::Odd;
    }
    let mut line = format!("{selector} {kind}");
    line.push_str(&if address.contains(':') { format!("[{address}]") } else { address.to_owned() });
    let number = port.unwrap_or_default().trim_start_matches('0');
    if !number.is_empty() {
        line.push_str(&format!(":{number}"));
    }
    let name = if name.is_empty() { comment.unwrap_or_default() } else { name };
    if !name.is_empty() {
        line.push_str(&format!(" # {name}"));
    }
    Remote::Line(line)
}
