//! From a recipe's text to the [model](crate::model): every finding with its place, all at once.

mod agent;
mod conflicts;
mod error;
mod files;
mod generalize;
mod host;
mod keys;
mod mfa;
mod operation;
mod overlayroot;
mod packages;
mod reader;
mod recipients;
mod secrets;
mod sshd;
#[cfg(test)]
mod tests;
mod user;

use std::path::Path;

use hardtack_yaml::{Document, Kind, Limits, Node, Span, Value};

pub use error::{Class, LoadError};
pub use host::{HostFiles, HostType, RealFiles};

use crate::model::{self, FileOp, MatchPolicy, Recipe, SshdStep, Step};
use conflicts::Placed;
use reader::Reader;

/// The version of the recipe format that is read here.
pub(crate) const FORMAT: i128 = 1;

/// Reads the recipe `text`, whose file is `path` (relative paths in it start from that file's
/// directory). `env` looks up environment variables, `files` reads the host's files.
///
/// # Errors
/// All findings, with their places.
pub fn load_recipe(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    files: &dyn HostFiles,
) -> Result<Recipe, LoadError> {
    let mut reader = Reader::new(path, env, files);
    let root = match Document::parse(&path.to_string_lossy(), text, Limits::default()) {
        Ok(root) => root,
        Err(found) => {
            let findings = found.into_iter().map(|one| (Class::Usage, one)).collect();
            return Err(LoadError::new(text, secrets::textual(text), findings));
        }
    };
    let recipe = recipe(&mut reader, &root, path);
    match recipe {
        Some(recipe) if reader.findings.is_empty() => Ok(Recipe { warnings: reader.warnings, ..recipe }),
        _ => {
            let mut masks = reader.masks;
            masks.extend(secrets::textual(text));
            Err(LoadError::new(text, masks, reader.findings))
        }
    }
}

fn recipe(reader: &mut Reader<'_>, root: &Node, path: &Path) -> Option<Recipe> {
    let start = Span { end: root.span.start, ..root.span };
    if root.is_null() {
        reader.error_hint(start, "the recipe is empty", "start it with `recipe: 1` and `steps:`");
        return None;
    }
    let fields = reader.keyed(root, "a recipe", keys::RECIPE)?;
    if let Some(value) = reader.required(&fields, "recipe", start) {
        match value.value() {
            Ok(Value::Int(FORMAT)) => {}
            Ok(Value::Int(version)) => {
                let message =
                    format!("recipe format {version} is not known; this program reads format {FORMAT}");
                reader.error(value.span, message);
                // What another format means by its steps is not known here.
                return None;
            }
            _ => reader.error_hint(
                value.span,
                format!("`recipe` takes the version of the recipe format, found {}", value.describe()),
                "write `recipe: 1`",
            ),
        }
    }
    let name = match fields.get("name") {
        Some(value) => reader.line(value, "name").map(str::to_owned),
        None => Some(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()),
    };
    if name.as_ref().is_some_and(|name| name.chars().count() > 64)
        && let Some(value) = fields.get("name")
    {
        reader.error(value.span, "`name` is longer than 64 characters");
    }
    let steps = reader.required(&fields, "steps", start)?;
    let steps = steps_of(reader, steps);
    Some(Recipe { name: name?, steps, warnings: Vec::new() })
}

fn steps_of(reader: &mut Reader<'_>, node: &Node) -> Vec<Step> {
    let Kind::Sequence(items) = &node.kind else {
        let message = format!("`steps` takes a list, found {}", node.describe());
        reader.error_hint(node.span, message, "write `- ` before each step");
        return Vec::new();
    };
    if items.is_empty() {
        reader.error(node.span, "`steps` is empty");
    }
    let mut placed = Vec::new();
    for item in items {
        let Some((name, key, value)) = head(reader, item) else { continue };
        let at = key.span;
        let step = match name {
            "packages" => packages::read(reader, value, at).map(Placed::Packages),
            "user" => user::read(reader, value, at).map(Placed::User),
            "mfa" => mfa::read(reader, value, at).map(Placed::Mfa),
            "overlayroot" => overlayroot::read(reader, value, at).map(Placed::Overlayroot),
            "sshd" => sshd::read(reader, value, at).map(Placed::Sshd),
            "files" => Some(Placed::Files(files::read(reader, value, at))),
            "agent" => agent::read(reader, value, at).map(Placed::Agent),
            name if model::operation::NAMES.contains(&name) => {
                operation::read(reader, name, value, at).map(Placed::Operation)
            }
            name if name == "generalize" || model::generalize::NAMES.contains(&name) => {
                generalize::read(reader, name, value, at).map(Placed::Generalize)
            }
            other => {
                reader.unknown(at, "step", other, "`steps`", &step_names());
                None
            }
        };
        placed.extend(step.map(|step| (at, step)));
    }
    conflicts::find(reader, &placed);
    merge(placed)
}

/// The name of a step, where it stands, and its settings.
fn head<'n>(reader: &mut Reader<'_>, item: &'n Node) -> Option<(&'n str, &'n Node, &'n Node)> {
    match &item.kind {
        // `- agent` is the step without settings.
        Kind::Scalar(scalar) if !item.is_null() => {
            match keys::steps().iter().find(|step| step.name == scalar.text) {
                Some(step) if step.bare() => Some((&scalar.text, item, null())),
                Some(_) => {
                    reader.error_hint(
                        item.span,
                        format!("step `{}` needs settings", scalar.text),
                        format!("write `{}:` and its keys", scalar.text),
                    );
                    None
                }
                // One that is never done says why.
                None if model::generalize::NAMES.contains(&scalar.text.as_str()) => {
                    Some((&scalar.text, item, null()))
                }
                None => {
                    reader.unknown(item.span, "step", &scalar.text, "`steps`", &step_names());
                    None
                }
            }
        }
        Kind::Mapping(pairs) => {
            for (key, _) in pairs {
                if key.text().is_none() {
                    reader.error(key.span, format!("a step's name is a word, found {}", key.describe()));
                    return None;
                }
            }
            match pairs.as_slice() {
                [(key, value)] => Some((key.text()?, key, value)),
                [] => {
                    reader.error(item.span, "a step is empty");
                    None
                }
                [(key, value), (next, _), ..] => {
                    let first = key.text()?;
                    let hint = if value.is_null() && step_names().contains(&first) {
                        format!("indent the settings below `{first}:` by two more columns")
                    } else {
                        "write `- ` before each step".to_owned()
                    };
                    let message = format!(
                        "one entry of `steps` is one step, and `{}` stands beside `{first}`",
                        next.text()?
                    );
                    reader.error_hint(next.span, message, hint);
                    None
                }
            }
        }
        _ => {
            reader.error_hint(
                item.span,
                format!("a step is a mapping of one key, found {}", item.describe()),
                "write `- NAME:` and its settings",
            );
            None
        }
    }
}

/// The names of all steps.
fn step_names() -> Vec<&'static str> {
    keys::steps().iter().map(|step| step.name).collect()
}

fn null() -> &'static Node {
    use hardtack_yaml::{Scalar, Style};
    static NULL: Node = Node {
        span: Span { start: 0, end: 0, line: 1, column: 1 },
        kind: Kind::Scalar(Scalar { text: String::new(), style: Style::Plain }),
        tag: None,
    };
    &NULL
}

/// Several `packages`, `sshd` or `files` steps become the first of their kind, and a step that is
/// repeated word for word stands once. Contradictions have been found before.
fn merge(placed: Vec<(Span, Placed)>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (_, step) in placed {
        match step {
            Placed::Packages(more) => match steps
                .iter_mut()
                .find_map(|step| if let Step::Packages(step) = step { Some(step) } else { None })
            {
                Some(step) => step.merge(more),
                None => steps.push(Step::Packages(more)),
            },
            Placed::Sshd(more) => match steps
                .iter_mut()
                .find_map(|step| if let Step::Sshd(step) = step { Some(step) } else { None })
            {
                Some(step) => extend(step, more.step),
                None => steps.push(Step::Sshd(more.step)),
            },
            Placed::Files(more) => {
                let more: Vec<FileOp> = more.into_iter().map(|placed| placed.op).collect();
                match steps
                    .iter_mut()
                    .find_map(|step| if let Step::Files(step) = step { Some(step) } else { None })
                {
                    Some(step) => step.extend(more),
                    None => steps.push(Step::Files(more)),
                }
            }
            Placed::User(user) => {
                if !steps
                    .iter()
                    .any(|step| matches!(step, Step::User(before) if before.name == user.step.name))
                {
                    steps.push(Step::User(user.step));
                }
            }
            Placed::Mfa(mfa) => {
                if !steps.iter().any(|step| matches!(step, Step::Mfa(_))) {
                    steps.extend(mfa.account.map(|account| Step::User(account.user)));
                    steps.push(Step::Mfa(mfa.step));
                }
            }
            Placed::Overlayroot(overlay) => {
                if !steps.iter().any(|step| matches!(step, Step::Overlayroot(_))) {
                    steps.push(Step::Overlayroot(overlay));
                }
            }
            Placed::Operation(more) => match steps
                .iter_mut()
                .find_map(|step| if let Step::Operations(all) = step { Some(all) } else { None })
            {
                Some(all) => all.push(more),
                None => steps.push(Step::Operations(vec![more])),
            },
            Placed::Generalize(more) => match steps
                .iter_mut()
                .find_map(|step| if let Step::Generalize(step) = step { Some(step) } else { None })
            {
                Some(step) => step.join(more),
                None => steps.push(Step::Generalize(more)),
            },
            Placed::Agent(agent) => {
                if !steps.iter().any(|step| matches!(step, Step::Agent(_))) {
                    steps.push(Step::Agent(agent));
                }
            }
        }
    }
    steps
}

fn extend(step: &mut SshdStep, more: SshdStep) {
    if more.match_blocks == MatchPolicy::Override {
        step.match_blocks = MatchPolicy::Override;
    }
    for (name, value) in more.directives {
        let same = |(before, known): &(String, String)| before.eq_ignore_ascii_case(&name) && *known == value;
        if !step.directives.iter().any(same) {
            step.directives.push((name, value));
        }
    }
}
