//! `runcmd` and `bootcmd` (`cloudinit/config/cc_runcmd.py`, `cc_bootcmd.py`, `util.shellify`).
//!
//! `runcmd` is only written down by its module, as one shell script; `scripts_user` runs it at the end,
//! among the other scripts of the instance. `bootcmd` runs at once, at every boot.

use hardtack_userdata::{Finding, Kind, Value, secrets};

use crate::action::{Action, Content};
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{described, get};
use crate::system;

/// Where the script of `runcmd` goes.
pub const RUNCMD_SCRIPT: &str = "/var/lib/cloud/instance/scripts/runcmd";
/// Where the script of `bootcmd` stands while it runs.
pub const BOOTCMD_SCRIPT: &str = "/run/hardtack/bootcmd.sh";

const HEADER: &str = "#!/bin/sh\n";

/// `runcmd`: writes its script down.
pub const RUNCMD: Module = Module {
    name: "runcmd",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &["runcmd"],
    run: runcmd,
};

/// `bootcmd`: runs at every boot.
pub const BOOTCMD: Module = Module {
    name: "bootcmd",
    stage: Stage::Network,
    frequency: Frequency::Always,
    keys: &["bootcmd"],
    run: bootcmd,
};

/// The module `runcmd`.
#[must_use]
pub fn runcmd(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "runcmd") else { return Outcome::default() };
    match shellify(value, "runcmd") {
        Ok(script) => Outcome {
            actions: vec![system::write_mode(RUNCMD_SCRIPT, script, 0o700)],
            notes: vec!["scripts_user runs it in the final stage".to_owned()],
            ..Outcome::default()
        },
        Err(finding) => Outcome::failed(finding),
    }
}

/// The module `bootcmd`.
#[must_use]
pub fn bootcmd(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "bootcmd") else { return Outcome::default() };
    let script = match shellify(value, "bootcmd") {
        Ok(script) => script,
        Err(finding) => return Outcome::failed(finding),
    };
    let run = Action::Run {
        argv: vec!["/bin/sh".to_owned(), BOOTCMD_SCRIPT.to_owned()],
        stdin: None,
        environment: instance_id(request),
        optional: false,
    };
    Outcome {
        actions: vec![
            Action::Write {
                path: BOOTCMD_SCRIPT.to_owned(),
                content: Content::open(script),
                mode: Some(0o600),
                owner: None,
            },
            run,
            Action::Remove { path: BOOTCMD_SCRIPT.to_owned() },
        ],
        ..Outcome::default()
    }
}

/// The variable that `bootcmd` and boothooks are given.
pub(crate) fn instance_id(request: &Request<'_>) -> Vec<(String, String)> {
    request
        .facts
        .instance_id
        .iter()
        .filter(|id| !id.is_empty())
        .map(|id| ("INSTANCE_ID".to_owned(), id.clone()))
        .collect()
}

/// The script that a list of commands makes: text as it stands, lists with every word in quotes.
///
/// # Errors
/// For anything else; then there is no script at all. `path` names the list in the message.
pub fn shellify(value: &Value, path: &str) -> Result<String, Finding> {
    let mut script = HEADER.to_owned();
    for command in commands(value, path)? {
        script.push_str(&command);
        script.push('\n');
    }
    Ok(script)
}

/// The same, one text for every entry that is not null: for reports on single entries.
///
/// # Errors
/// As [`shellify`].
pub fn commands(value: &Value, path: &str) -> Result<Vec<String>, Finding> {
    let Some(items) = value.as_list() else {
        return Err(Finding::error(
            "commands-not-a-list",
            value.place,
            format!("`{path}` is {}, not a list: nothing of it runs", described(value)),
        )
        .at(path)
        .with_hint("begin each command with a dash"));
    };
    let mut commands = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match &item.kind {
            Kind::Null => {}
            Kind::Text(text) => commands.push(text.clone()),
            Kind::List(words) => {
                let words: Vec<String> = words
                    .iter()
                    .map(|word| format!("'{}'", word.to_python_str().replace('\'', "'\\''")))
                    .collect();
                commands.push(words.join(" "));
            }
            _ => return Err(no_command(item, path, index)),
        }
    }
    Ok(commands)
}

fn no_command(item: &Value, path: &str, index: usize) -> Finding {
    let shown = match &item.kind {
        // `- echo a: b` is a mapping; its key is what the person recognizes.
        Kind::Map(map) => map
            .keys()
            .next()
            .map(|key| format!("the mapping `{}: …`", shown(&key.to_python_str())))
            .unwrap_or_else(|| "an empty mapping".to_owned()),
        _ => format!("{} ({})", item.to_python_str(), described(item)),
    };
    let hint = if matches!(item.kind, Kind::Map(_)) {
        "a colon with a blank behind it makes a mapping: put the whole command in quotes"
    } else {
        "put the command in quotes"
    };
    let code = if matches!(item.kind, Kind::Map(_)) { "command-is-a-mapping" } else { "command-is-not-text" };
    Finding::error(
        code,
        item.place,
        format!("{path}.{index} is {shown}, neither text nor a list: nothing of `{path}` runs"),
    )
    .at(format!("{path}.{index}"))
    .with_hint(hint)
}

/// The begin of a command that is shown: one word where the rest looks like a secret.
fn shown(command: &str) -> String {
    const LONGEST: usize = 40;
    let line = command.lines().next().unwrap_or_default();
    if secrets::masks(line).is_empty() && line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let word: String = line.split_whitespace().next().unwrap_or_default().chars().take(LONGEST).collect();
    format!("{word} …")
}
