//! Settings of the SSH server (`cloudinit/ssh_util.py`: `parse_ssh_config_lines`,
//! `update_ssh_config_lines`, `update_ssh_config`, `append_ssh_config`).

use crate::action::{Action, Content};
use crate::machine::Machine;
use crate::pytext::{lines, split_words, strip};
use crate::system::read_text;

/// The server's configuration.
pub const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";
const DIRECTORY: &str = "/etc/ssh/sshd_config.d";
const OWN_FILE: &str = "/etc/ssh/sshd_config.d/50-cloud-init.conf";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As it stands, blanks around it cut.
    pub text: String,
    /// Keyword and value, unless it is a comment or empty.
    pub setting: Option<(String, String)>,
}

impl std::fmt::Display for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.setting {
            None => formatter.write_str(&self.text),
            Some((keyword, value)) if value.is_empty() => formatter.write_str(keyword),
            Some((keyword, value)) => write!(formatter, "{keyword} {value}"),
        }
    }
}

/// The lines of a configuration. A keyword without a value is dropped.
#[must_use]
pub fn parse(text: &str) -> Vec<Line> {
    let mut parsed = Vec::new();
    for line in lines(text) {
        let line = strip(line);
        let comment = line.is_empty() || line.starts_with('#');
        let setting = if comment {
            None
        } else {
            let pair = match split_words(line, 1).as_slice() {
                [keyword, value] => Some((*keyword, *value)),
                _ => line.split_once('='),
            };
            let Some((keyword, value)) = pair else { continue };
            Some((keyword.to_owned(), value.to_owned()))
        };
        parsed.push(Line { text: line.to_owned(), setting });
    }
    parsed
}

/// The value of `keyword`: the last one, as cloud-init reads it (sshd takes the first).
#[must_use]
pub fn value<'a>(lines: &'a [Line], keyword: &str) -> Option<&'a str> {
    lines
        .iter()
        .filter_map(|line| line.setting.as_ref())
        .filter(|(found, _)| found.to_lowercase() == keyword)
        .map(|(_, value)| value.as_str())
        .next_back()
}

/// Gives every line with one of the keywords its new value, those in `Match` blocks too; adds what is
/// missing at the end. The keywords that changed.
pub fn update(lines: &mut Vec<Line>, updates: &[(&str, &str)]) -> Vec<String> {
    let mut changed = Vec::new();
    let mut found = vec![false; updates.len()];
    for line in lines.iter_mut() {
        let Some((keyword, value)) = &mut line.setting else { continue };
        let keyword = keyword.to_lowercase();
        for ((name, wanted), found) in updates.iter().zip(&mut found) {
            if name.to_lowercase() != keyword {
                continue;
            }
            *found = true;
            if value != wanted {
                changed.push((*name).to_owned());
                (*wanted).clone_into(value);
            }
        }
    }
    for ((name, value), found) in updates.iter().zip(found) {
        if !found {
            changed.push((*name).to_owned());
            let setting = Some(((*name).to_owned(), (*value).to_owned()));
            lines.push(Line { text: String::new(), setting });
        }
    }
    changed
}

/// The file that settings go to: one of cloud-init's own where sshd reads its directory.
#[must_use]
pub fn target(machine: &dyn Machine) -> &'static str {
    let included = match read_text(machine, SSHD_CONFIG) {
        Some(text) => {
            let include = format!("Include {DIRECTORY}/*.conf");
            lines(&text).into_iter().any(|line| line.starts_with(&include))
        }
        None => machine.exists(DIRECTORY),
    };
    if included { OWN_FILE } else { SSHD_CONFIG }
}

/// The directory of `path`, where it is missing, and the mode of a file that is.
fn prepare(machine: &dyn Machine, path: &str) -> (Vec<Action>, Option<u32>) {
    let own = path == OWN_FILE;
    let mut actions = Vec::new();
    if own && !machine.exists(DIRECTORY) {
        actions.push(Action::Directory { path: DIRECTORY.to_owned(), mode: 0o755, owner: None });
    }
    let mode = if own { 0o600 } else { 0o644 };
    (actions, (!machine.exists(path)).then_some(mode))
}

/// What gives `settings` to the server; nothing when it has them.
#[must_use]
pub fn set(machine: &dyn Machine, settings: &[(&str, &str)]) -> Vec<Action> {
    let path = target(machine);
    let text = read_text(machine, path).unwrap_or_default();
    let mut lines = parse(&text);
    if update(&mut lines, settings).is_empty() {
        return Vec::new();
    }
    let mut text = lines.iter().map(Line::to_string).collect::<Vec<_>>().join("\n");
    text.push('\n');
    let (mut actions, mode) = prepare(machine, path);
    actions.push(Action::Write { path: path.to_owned(), content: Content::open(text), mode, owner: None });
    actions
}

/// What adds lines at the end of the server's settings.
#[must_use]
pub fn append(machine: &dyn Machine, settings: &[(&str, &str)]) -> Vec<Action> {
    if settings.is_empty() {
        return Vec::new();
    }
    let path = target(machine);
    let text: String = settings.iter().map(|(keyword, value)| format!("{keyword} {value}\n")).collect();
    let (mut actions, mode) = prepare(machine, path);
    actions.push(Action::Append { path: path.to_owned(), content: Content::open(text), mode, owner: None });
    actions
}
