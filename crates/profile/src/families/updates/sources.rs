//! sources.list(5): one line for each, or deb822.

use hardtack_guest::Stage;

use crate::Error;
use crate::merged::{names, text};

const MAIN: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";

/// A source that is on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) uris: Vec<String>,
    pub(super) suites: Vec<String>,
    /// Its options, in lower case, and their values.
    pub(super) options: Vec<(String, String)>,
}

impl Source {
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(there, _)| there == name).map(|(_, value)| value.as_str())
    }
}

/// All sources of binary packages.
pub(super) fn sources(stage: &Stage<'_>) -> Result<Vec<Source>, Error> {
    let mut found = Vec::new();
    if let Some(text) = text(stage, MAIN) {
        lines(MAIN, &text, &mut found);
    }
    let plain =
        |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    for name in names(stage, PARTS)?.into_iter().filter(plain) {
        let path = format!("{PARTS}/{name}");
        let Some(text) = text(stage, &path) else { continue };
        if name.ends_with(".list") {
            lines(&path, &text, &mut found);
        } else if name.ends_with(".sources") {
            stanzas(&path, &text, &mut found);
        }
    }
    Ok(found)
}

/// `deb [ option=value … ] URI SUITE COMPONENT…`
fn lines(path: &str, text: &str, found: &mut Vec<Source>) {
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t', '['])) else {
            continue;
        };
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => ("", rest),
        };
        let options = options
            .split_whitespace()
            .filter_map(|option| option.split_once('='))
            .map(|(name, value)| (name.trim_end_matches(['+', '-']).to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut words = rest.split_whitespace().map(str::to_owned);
        let (uris, suites) = (words.next().into_iter().collect(), words.next().into_iter().collect());
        found.push(Source { path: path.to_owned(), line: index + 1, uris, suites, options });
    }
}

/// Paragraphs of fields; a line that begins with a blank goes on.
fn stanzas(path: &str, text: &str, found: &mut Vec<Source>) {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut first = 0;
    // An empty line ends the last one, too.
    for (index, line) in text.lines().chain([""]).enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            found.extend(stanza(path, first, std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            if fields.is_empty() {
                first = index + 1;
            }
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

fn stanza(path: &str, line: usize, fields: Vec<(String, String)>) -> Option<Source> {
    let get = |name: &str| fields.iter().find(|(there, _)| there == name).map(|(_, value)| value.as_str());
    let words = |name: &str| -> Vec<String> {
        get(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let is_on = get("enabled").is_none_or(super::apt_conf::is_yes);
    let of_binaries = words("types").iter().any(|kind| kind == "deb");
    let source = Source {
        path: path.to_owned(),
        line,
        uris: words("uris"),
        suites: words("suites"),
        options: Vec::new(),
    };
    (is_on && of_binaries).then_some(Source { options: fields, ..source })
}
