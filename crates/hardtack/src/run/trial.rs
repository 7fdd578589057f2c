//! The file of `install --test`: what is looked for on a machine of the image.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hardtack_credentials::console;
use hardtack_publish::trial::{Check, Finder, Trial};
use hardtack_yaml::{Diagnostic, Document, Limits, Node, Span, did_you_mean, render};
use regex::Regex;

use crate::error::CliError;

/// No file of checks and no user-data is larger.
const LARGEST: u64 = 1 << 20;
/// A boot under emulation takes a minute on an idle machine.
const TIMEOUT: u64 = 600;
const KEYS: &[&str] = &[
    "user-data",
    "user-data-file",
    "type",
    "key-name",
    "subnet",
    "groups",
    "public-address",
    "timeout",
    "checks",
];
const CHECKS: &[&str] = &["console", "credentials", "port", "run"];

/// Reads the file; what is wrong with it is told with its place.
pub(super) fn read(path: &Path) -> Result<Trial, CliError> {
    let bytes = small(path, "read the test")?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::usage(format!("{}: the test is not UTF-8 text", path.display())))?;
    parse(path, &text).map_err(|found| CliError::rendered(render(&text, &found)))
}

fn small(path: &Path, what: &str) -> Result<Vec<u8>, CliError> {
    let fail = |error| CliError::io(path, what, error);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(fail)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST {
        return Err(CliError::usage(format!("{}: it is larger than {LARGEST} bytes", path.display())));
    }
    Ok(bytes)
}

/// Collects what is wrong.
struct Reader<'a> {
    file: String,
    path: &'a Path,
    found: Vec<Diagnostic>,
}

fn parse(path: &Path, text: &str) -> Result<Trial, Vec<Diagnostic>> {
    let file = path.display().to_string();
    let root = Document::parse(&file, text, Limits::default())?;
    let mut reader = Reader { file, path, found: Vec::new() };
    let trial = reader.trial(&root);
    if reader.found.is_empty() { Ok(trial) } else { Err(reader.found) }
}

impl Reader<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.found.push(Diagnostic::error(&self.file, span, message));
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn trial(&mut self, root: &Node) -> Trial {
        let mut trial = Trial {
            user_data: Vec::new(),
            instance_type: "t3.small".to_owned(),
            key_name: None,
            subnet: None,
            groups: Vec::new(),
            public_address: None,
            timeout: Duration::from_secs(TIMEOUT),
            checks: Vec::new(),
        };
        let Some(entries) = root.as_mapping() else {
            self.error(root.span, format!("a test is a mapping, and this is {}", root.describe()));
            return trial;
        };
        for (second, _) in root.duplicate_keys() {
            self.error(second.span, "this key is there twice");
        }
        let mut has_user_data = false;
        for (key, value) in entries {
            let name = key.text().unwrap_or_default();
            if name.starts_with("user-data") && std::mem::replace(&mut has_user_data, true) {
                self.error(key.span, "user-data is there twice");
            }
            match name {
                "user-data" => trial.user_data = self.text(value).into_bytes(),
                "user-data-file" => trial.user_data = self.user_data(value),
                "type" => trial.instance_type = self.text(value),
                "key-name" => trial.key_name = Some(self.text(value)),
                "subnet" => trial.subnet = Some(self.text(value)),
                "groups" => trial.groups = self.texts(value),
                "public-address" => trial.public_address = self.truth(value),
                "timeout" => trial.timeout = Duration::from_secs(self.number(value, 1..=86_400, "seconds")),
                "checks" => trial.checks = self.checks(value),
                other => self.unknown(key, other, KEYS),
            }
        }
        if trial.checks.is_empty() && self.found.is_empty() {
            self.error(root.span, "a test without `checks` finds nothing");
        }
        trial
    }

    fn unknown(&mut self, key: &Node, name: &str, known: &[&'static str]) {
        let hint = match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        let error = self.error(key.span, format!("`{name}` is not known here"));
        *error = error.clone().with_hint(hint);
    }

    fn text(&mut self, node: &Node) -> String {
        match node.text() {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                self.error(node.span, format!("a text is wanted, and this is {}", node.describe()));
                String::new()
            }
        }
    }

    fn texts(&mut self, node: &Node) -> Vec<String> {
        match node.as_sequence() {
            Some(nodes) if !nodes.is_empty() => nodes.iter().map(|node| self.text(node)).collect(),
            _ => {
                self.error(node.span, format!("a list of texts is wanted, and this is {}", node.describe()));
                Vec::new()
            }
        }
    }

    fn truth(&mut self, node: &Node) -> Option<bool> {
        match node.text() {
            Some("true" | "yes") => Some(true),
            Some("false" | "no") => Some(false),
            _ => {
                self.error(node.span, format!("true or false is wanted, and this is {}", node.describe()));
                None
            }
        }
    }

    fn number(&mut self, node: &Node, range: std::ops::RangeInclusive<u64>, what: &str) -> u64 {
        match node.text().and_then(|text| text.parse().ok()).filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let (from, to) = range.into_inner();
                self.error(
                    node.span,
                    format!("{what} from {from} to {to} are wanted, and this is {}", node.describe()),
                );
                from
            }
        }
    }

    /// The file lies beside the test.
    fn user_data(&mut self, node: &Node) -> Vec<u8> {
        let name = self.text(node);
        let path = self.path.parent().unwrap_or(Path::new("")).join(&name);
        match small(&path, "read the user-data") {
            Ok(bytes) => bytes,
            Err(error) => {
                let text = error.report();
                self.error(node.span, text.trim_start_matches("hardtack: ").trim_end());
                Vec::new()
            }
        }
    }

    fn checks(&mut self, node: &Node) -> Vec<Check> {
        let Some(nodes) = node.as_sequence() else {
            self.error(node.span, format!("checks are a list, and this is {}", node.describe()));
            return Vec::new();
        };
        nodes.iter().filter_map(|node| self.check(node)).collect()
    }

    fn check(&mut self, node: &Node) -> Option<Check> {
        let Some([(key, value)]) = node.as_mapping() else {
            self.error(node.span, format!("a check is one of {}: and its value", CHECKS.join(":, ")));
            return None;
        };
        match key.text().unwrap_or_default() {
            "console" => {
                let text = self.text(value);
                let expression = match Regex::new(&format!("(?m){text}")) {
                    Ok(expression) => expression,
                    Err(error) => {
                        let what = error.to_string();
                        let what =
                            what.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                        self.error(value.span, format!("this is no regular expression: {what}"));
                        return None;
                    }
                };
                let found: Finder = Arc::new(move |console| expression.is_match(console));
                Some(Check::Console { what: format!("the console says /{text}/"), found })
            }
            "credentials" => match self.truth(value)? {
                true => {
                    let found: Finder = Arc::new(has_credentials);
                    Some(Check::Console { what: "the console has the credentials block".to_owned(), found })
                }
                false => {
                    self.error(value.span, "that no block arrives cannot be waited for; leave the check out");
                    None
                }
            },
            "port" => {
                let port = self.number(value, 1..=65_535, "ports");
                Some(Check::Port(u16::try_from(port).unwrap_or(1)))
            }
            "run" => Some(Check::Run(self.texts(value))),
            other => {
                self.unknown(key, other, CHECKS);
                None
            }
        }
    }
}

fn has_credentials(text: &str) -> bool {
    let bytes = text.as_bytes();
    // The newest block is at the end, and a reader takes so much.
    let from = bytes.len().saturating_sub(console::LOG_LIMIT);
    console::read(bytes.get(from..).unwrap_or_default()).is_ok()
}
