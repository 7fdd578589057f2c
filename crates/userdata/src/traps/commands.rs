//! Traps of `runcmd` and `bootcmd` (`cloudinit/util.py`, `shellify`; `cc_runcmd.py`, `cc_bootcmd.py`).

use super::programs::{base, bash, exit, home, program};
use super::{Report, shown, top, trap};
use crate::value::{Kind, Map, Value};

/// Words that only a shell understands, and that a list puts in quotes.
const OPERATORS: &[&str] =
    &["&&", "||", "|", "|&", ";", "&", ">", ">>", "<", "<<", "2>", "2>>", "&>", "2>&1", ">&2", "1>&2"];

/// Programs that take some of these words as arguments.
const TAKES_OPERATORS: &[&str] = &["[", "[[", "awk", "expr", "find", "jq", "test", "xargs"];

/// Programs that interpret an argument.
const INTERPRETERS: &[&str] = &[
    "awk", "bash", "dash", "eval", "gawk", "jq", "perl", "python", "python3", "ruby", "sed", "sh", "su",
    "zsh",
];

/// Programs whose arguments are mostly names of files.
const WANTS_FILES: &[&str] = &["cat", "chgrp", "chmod", "chown", "cp", "ln", "ls", "mv", "rm", "source", "."];

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    for module in ["bootcmd", "runcmd"] {
        let Some(value) = top(config, module) else { continue };
        match &value.kind {
            Kind::List(items) => {
                let sets_home =
                    items.iter().any(|item| item.as_text().is_some_and(|text| text.contains("HOME=")));
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{module}.{index}");
                    command(item, module, &path, report);
                    if let Some(text) = item.as_text().filter(|_| !sets_home) {
                        home(text, item.place, module, &path, report);
                    }
                    if index.saturating_add(1) < items.len() {
                        exit(item, module, &path, report);
                    }
                }
            }
            Kind::Text(_) | Kind::Map(_) => report.tell(trap(
                "commands-not-a-list",
                value.place,
                module,
                format!("`{module}` is a list of commands, and this is none: nothing of it runs"),
                "begin each command with `- `",
            )),
            _ => {}
        }
    }
}

fn command(item: &Value, module: &str, path: &str, report: &mut Report<'_>) {
    let source = report.source(item.place);
    match &item.kind {
        Kind::Map(map) => {
            let name = map.keys().next().map(|key| key.to_python_str()).unwrap_or_default();
            report.tell(trap(
                "command-is-a-mapping",
                item.place,
                path,
                format!(
                    "the colon behind {} makes a mapping of this command: nothing of `{module}` runs",
                    shown(&name)
                ),
                "put the whole command in quotes, or write it as a block behind `- |`",
            ));
        }
        Kind::List(words) => {
            arguments(words, path, report);
            let texts: Option<Vec<&str>> = words.iter().map(Value::as_text).collect();
            if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
                as_list(&texts, words, item, path, report);
                program(&texts, item.place, module, path, report);
            }
        }
        Kind::Text(text) => {
            bash(text, item.place, module, path, report);
            let mut answered = false;
            for (index, piece) in text.split(['\n', ';', '|', '&']).enumerate() {
                let words: Vec<&str> = piece.split_ascii_whitespace().collect();
                // `yes | apt-get …`
                if std::mem::replace(&mut answered, words == ["yes"]) {
                    continue;
                }
                // What follows something may depend on it.
                let module = if index == 0 { module } else { "" };
                program(&words, item.place, module, path, report);
            }
        }
        Kind::Null => {}
        _ => report.tell(trap(
            "command-is-not-text",
            item.place,
            path,
            format!("{} is no text but {}: nothing of `{module}` runs", shown(source), described(item)),
            format!("put it in quotes: \"{source}\""),
        )),
    }
}

fn described(value: &Value) -> String {
    let becomes = value.to_python_str();
    match value.kind {
        Kind::Bool(_) => format!("the boolean {becomes}"),
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) => format!("the number {becomes}"),
        Kind::Date(_) | Kind::DateTime(_) => "a date".to_owned(),
        _ => "something else".to_owned(),
    }
}

/// Words of a list that are no text.
fn arguments(words: &[Value], path: &str, report: &mut Report<'_>) {
    for (index, word) in words.iter().enumerate() {
        let source = report.source(word.place);
        let path = format!("{path}.{index}");
        match &word.kind {
            Kind::Text(_) | Kind::Bytes(_) => {}
            Kind::Null => report.tell(trap(
                "argument-is-not-text",
                word.place,
                path,
                "no text stands here: the command gets the argument `None`",
                "put it in quotes, or remove it",
            )),
            Kind::List(_) | Kind::Map(_) | Kind::Set(_) => report.tell(trap(
                "argument-is-not-text",
                word.place,
                path,
                "this argument is a list or a mapping: the command would get Python's notation of it",
                "put it in quotes, or give each word its own place",
            )),
            _ => {
                let becomes = word.to_python_str();
                let message = if becomes == source {
                    format!("`{source}` is read as a number; it works, but text is wanted")
                } else {
                    format!(
                        "{} is no text but {}: the command gets the argument `{becomes}`",
                        shown(source),
                        described(word)
                    )
                };
                report.tell(trap(
                    "argument-is-not-text",
                    word.place,
                    path,
                    message,
                    format!("put it in quotes: \"{source}\""),
                ));
            }
        }
    }
}

/// What a shell would do, and a list prevents.
fn as_list(texts: &[&str], words: &[Value], item: &Value, path: &str, report: &mut Report<'_>) {
    let Some((first, rest)) = texts.split_first() else { return };
    if rest.is_empty() && first.contains(' ') && !first.starts_with('/') {
        report.tell(trap(
            "command-in-one-word",
            item.place,
            path,
            format!("a list of one word: the shell looks for a program named {}", shown(first)),
            "leave out the brackets, or give each word its own place",
        ));
        return;
    }
    // `sudo sh -c …` is one as `sh -c …` is.
    let interpreted = texts.iter().take(4).any(|word| INTERPRETERS.contains(&base(word)));
    for (index, (word, value)) in texts.iter().zip(words).enumerate().skip(1) {
        let path = format!("{path}.{index}");
        let redirects = word.starts_with("2>") || (word.starts_with('>') && !word.starts_with(">="));
        if (OPERATORS.contains(word) || redirects) && !interpreted && !TAKES_OPERATORS.contains(&base(first))
        {
            report.tell(trap(
                "operator-in-a-list",
                value.place,
                path,
                format!("{} is an argument like any other: a list puts each word in quotes", shown(word)),
                "write the command as one text, not as a list",
            ));
            return;
        }
        if !interpreted && (is_variable(word) || word.contains("$(")) {
            report.tell(trap(
                "variable-in-a-list",
                value.place,
                path,
                format!("nothing replaces {}: a list puts each word in quotes", shown(word)),
                "write the command as one text, not as a list",
            ));
            return;
        }
        if WANTS_FILES.contains(&base(first)) && (word.contains('*') || word.starts_with("~/")) {
            report.tell(trap(
                "wildcard-in-a-list",
                value.place,
                path,
                format!("nothing expands {}: a list puts each word in quotes", shown(word)),
                "write the command as one text, not as a list",
            ));
            return;
        }
    }
}

/// `$NAME` or `${NAME}`, and perhaps more behind it as in a path.
fn is_variable(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('$') else { return false };
    let rest = rest.strip_prefix('{').unwrap_or(rest);
    let name: &str = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}
