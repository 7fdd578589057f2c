//! From a recipe's text to the [model](crate::model): every finding with its place, all at once.

mod agent;
mod boot;
mod cloud_agents;
mod conflicts;
mod error;
mod files;
mod generalize;
mod host;
mod include;
mod keys;
mod matrix;
mod mfa;
mod operation;
mod overlayroot;
mod packages;
mod profile;
mod reader;
mod recipients;
#[cfg(test)]
mod reference;
mod schema;
mod secrets;
mod sshd;
#[cfg(test)]
mod tests;
mod user;
mod vars;
mod when;

use std::borrow::Cow;
use std::path::Path;

use hardtack_inspect::facts::Facts;
use hardtack_yaml::{Kind, Node, Scalar, Span, Style};

pub use error::{Class, LoadError};
pub use host::{HostFiles, HostType, RealFiles};
pub use include::normal;
pub use keys::{Key, Shape};
pub use matrix::Row;
pub use reader::{Fields, Reader};
pub use schema::{recipe_schema, schema_of};

use crate::model::{self, FileOp, MatchPolicy, Naming, Recipe, SshdStep, Step};
use crate::ways_in::ALLOW_USERS;
use conflicts::Placed;
use vars::Vars;

/// The version of the recipe format that is read here.
pub(crate) const FORMAT: i128 = 1;

/// What is known besides the recipe.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// Variables of the command line, name and value.
    pub set: &'a [(String, String)],
    /// The row of the matrix that is built, from 0.
    pub row: Option<usize>,
    /// What the image is. Without it every step is read, whatever its `when` says, and only those without one are
    /// held against each other.
    pub facts: Option<&'a Facts<'a>>,
}

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
    load_recipe_with(path, text, env, files, Given::default())
}

/// As [`load_recipe`], with what is known besides.
///
/// # Errors
/// All findings, with their places.
pub fn load_recipe_with(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    files: &dyn HostFiles,
    given: Given<'_>,
) -> Result<Recipe, LoadError> {
    let mut reader = Reader::new(path, text, env, files);
    let recipe = recipe(&mut reader, path, given);
    let (sources, findings, warnings) = reader.into_sources();
    match recipe {
        Some(recipe) if findings.is_empty() => {
            let (warnings, told) = error::render_warnings(&sources, &warnings);
            Ok(Recipe { warnings, told, ..recipe })
        }
        _ => Err(LoadError::new(sources, findings)),
    }
}

/// The rows of the recipe's matrix; none where it has no matrix. Steps are not looked at: what variables are may
/// depend on the row.
///
/// # Errors
/// All findings, with their places.
pub fn load_matrix(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    files: &dyn HostFiles,
) -> Result<Vec<Row>, LoadError> {
    let mut reader = Reader::new(path, text, env, files);
    let (mut vars, mut parts) = (Vars::new(&[]), Vec::new());
    include::gather(&mut reader, 0, &mut Vec::new(), &mut vars, &mut parts);
    let node = parts.last().and_then(|part| part.root.get("matrix"));
    reader.enter(0);
    let rows = node.map(|node| matrix::read(&mut reader, node)).unwrap_or_default();
    let (sources, findings, _) = reader.into_sources();
    if findings.is_empty() { Ok(rows) } else { Err(LoadError::new(sources, findings)) }
}

fn recipe(reader: &mut Reader<'_>, path: &Path, given: Given<'_>) -> Option<Recipe> {
    let (mut vars, mut parts) = (Vars::new(given.set), Vec::new());
    let whole = include::gather(reader, 0, &mut Vec::new(), &mut vars, &mut parts);
    // The file that is built comes last; without it there is nothing to read.
    let root = parts.last().filter(|part| part.source == 0)?.root.clone();
    if !whole {
        return None;
    }
    reader.enter(0);
    let start = Span { end: root.span.start, ..root.span };
    if let Some(node) = root.get("matrix") {
        matrix::read(reader, node);
        if let Some(row) = given.row {
            matrix::take(reader, node, row, &mut vars);
        }
    }
    vars.resolve(reader, start);
    let name = match root.get("name") {
        Some(value) => {
            let value = vars.expand(reader, value);
            let name = reader.line(&value, "name").map(str::to_owned);
            if name.as_ref().is_some_and(|name| name.chars().count() > 64) {
                reader.error(value.span, "`name` is longer than 64 characters");
            }
            name
        }
        None => Some(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()),
    };
    let mut read = Steps::default();
    let mut wanted = None;
    reader.asks_for_codes = parts.iter().any(|part| {
        let steps = part.root.get("steps").and_then(Node::as_sequence).unwrap_or_default();
        steps.iter().any(|step| step.get("mfa").is_some())
    });
    for part in &parts {
        reader.enter(part.source);
        // The file that is built comes last, and has the last word.
        if let Some(value) = part.root.get("profile") {
            let value = vars.expand(reader, value);
            wanted = profile::read(reader, &value).or(wanted);
        }
        if let Some(steps) = part.root.get("steps") {
            steps_of(reader, steps, &mut vars, given, &mut read);
        }
    }
    conflicts::find(reader, &read.certain, read.possible.is_empty());
    let (conditional, skipped) = (read.conditional > 0, std::mem::take(&mut read.skipped));
    let placed = read.all();
    let namings = namings(reader, &placed);
    let steps = merge(placed);
    Some(Recipe { name: name?, profile: wanted, steps, conditional, skipped, namings, ..Recipe::default() })
}

/// Whom the steps let in by name. Of patterns nobody knows whom they mean.
fn namings(reader: &Reader<'_>, placed: &[(Span, Placed)]) -> Vec<Naming> {
    let mut found = Vec::new();
    let mut name = |user: &str, by, span: Span| {
        let place = format!("{}:{}:{}", reader.file_at(span), span.line, span.column);
        found.push(Naming { user: user.to_owned(), by, place });
    };
    for (_, step) in placed {
        match step {
            Placed::Mfa(mfa) => mfa.users.iter().for_each(|(user, span)| name(user, "mfa.users", *span)),
            Placed::Sshd(sshd) => {
                for ((directive, value), span) in sshd.step.directives.iter().zip(&sshd.spans) {
                    let allows = directive.eq_ignore_ascii_case(ALLOW_USERS);
                    for word in value.split_whitespace().filter(|_| allows) {
                        let user = word.split('@').next().unwrap_or_default();
                        if !user.is_empty() && !user.contains(['*', '?', '!', '"', '\'']) {
                            name(user, ALLOW_USERS, *span);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// The steps of all files, in the order written.
#[derive(Default)]
struct Steps {
    /// They hold.
    certain: Vec<(Span, Placed)>,
    /// The same one by one: their numbers among all steps.
    order: Vec<usize>,
    /// They may hold, with their numbers.
    possible: Vec<(usize, Span, Placed)>,
    /// So many have a condition.
    conditional: usize,
    /// Those whose condition does not hold.
    skipped: Vec<model::Skipped>,
}

fn steps_of(reader: &mut Reader<'_>, node: &Node, vars: &mut Vars, given: Given<'_>, read: &mut Steps) {
    let Kind::Sequence(items) = &node.kind else {
        let message = format!("`steps` takes a list, found {}", node.describe());
        reader.error_hint(node.span, message, "write `- ` before each step");
        return;
    };
    if items.is_empty() {
        reader.error(node.span, "`steps` is empty");
    }
    for item in items {
        let item = vars.expand(reader, item);
        let Some(head) = head(reader, &item) else { continue };
        let at = head.key.span;
        let condition = match head.when {
            Some(node) => {
                read.conditional += 1;
                match when::read(reader, node) {
                    Some(when) => Some((when, node.span)),
                    None => continue,
                }
            }
            None => None,
        };
        // Wrong settings are wrong on every image.
        let Some(step) = step(reader, head.name, &head.value, at) else { continue };
        match (condition, given.facts) {
            (None, _) => read.take(at, step),
            (Some(_), None) => read.possible.push((read.order.len() + read.possible.len(), at, step)),
            (Some((when, span)), Some(facts)) => match when.holds(facts) {
                Ok(true) => read.take(at, step),
                Ok(false) => {
                    let place = format!("{}:{}", reader.file_at(at), at.line);
                    let name = head.name.to_owned();
                    read.skipped.push(model::Skipped { number: read.conditional, name, place });
                }
                Err(reason) => reader.error(span, reason),
            },
        }
    }
}

impl Steps {
    fn take(&mut self, at: Span, step: Placed) {
        self.order.push(self.order.len() + self.possible.len());
        self.certain.push((at, step));
    }

    /// All of them, in the order written.
    fn all(self) -> Vec<(Span, Placed)> {
        let certain = self.order.into_iter().zip(self.certain).map(|(index, (at, step))| (index, at, step));
        let mut all: Vec<_> = certain.chain(self.possible).collect();
        all.sort_by_key(|(index, ..)| *index);
        all.into_iter().map(|(_, at, step)| (at, step)).collect()
    }
}

fn step(reader: &mut Reader<'_>, name: &str, value: &Node, at: Span) -> Option<Placed> {
    match name {
        "packages" => packages::read(reader, value, at).map(Placed::Packages),
        "user" => user::read(reader, value, at).map(Placed::User),
        "mfa" => mfa::read(reader, value, at).map(Placed::Mfa),
        "overlayroot" => overlayroot::read(reader, value, at).map(Placed::Overlayroot),
        "boot" => boot::read(reader, value, at).map(Placed::Boot),
        "serial-console" => boot::read_serial(reader, value, at).map(Placed::SerialConsole),
        "sshd" => sshd::read(reader, value, at).map(Placed::Sshd),
        "files" => Some(Placed::Files(files::read(reader, value, at))),
        "cloud-agents" => cloud_agents::read(reader, value, at).map(Placed::CloudAgents),
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
    }
}

/// The name of a step, where it stands, its settings, and its condition.
struct Head<'n> {
    name: &'n str,
    key: &'n Node,
    value: Cow<'n, Node>,
    when: Option<&'n Node>,
}

fn head<'n>(reader: &mut Reader<'_>, item: &'n Node) -> Option<Head<'n>> {
    match &item.kind {
        // `- agent` is the step without settings.
        Kind::Scalar(scalar) if !item.is_null() => {
            match keys::steps().iter().find(|step| step.name == scalar.text) {
                Some(step) if step.bare() => {
                    let value = Cow::Owned(null(item.span));
                    Some(Head { name: &scalar.text, key: item, value, when: None })
                }
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
                    let value = Cow::Owned(null(item.span));
                    Some(Head { name: &scalar.text, key: item, value, when: None })
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
            let (conditions, pairs): (Vec<_>, Vec<_>) =
                pairs.iter().partition(|(key, _)| key.text() == Some("when"));
            if let [_, (again, _), ..] = conditions.as_slice() {
                reader.error_hint(
                    again.span,
                    "a step has one `when`",
                    "join them: `when: {all: [{…}, {…}]}`",
                );
                return None;
            }
            match pairs.as_slice() {
                [(key, value)] => Some(Head {
                    name: key.text()?,
                    key,
                    value: Cow::Borrowed(value),
                    when: conditions.first().map(|(_, node)| node),
                }),
                [] if conditions.is_empty() => {
                    reader.error(item.span, "a step is empty");
                    None
                }
                [] => {
                    let hint = "write it beside the step: `- agent: {}`, and `when` in the next line";
                    reader.error_hint(item.span, "`when` without a step", hint);
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

fn null(span: Span) -> Node {
    let scalar = Scalar { text: String::new(), style: Style::Plain };
    Node { span, kind: Kind::Scalar(scalar), tag: None }
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
            Placed::SerialConsole(serial) => {
                if !steps.iter().any(|step| matches!(step, Step::SerialConsole(_))) {
                    steps.push(Step::SerialConsole(serial));
                }
            }
            Placed::Boot(more) => match steps
                .iter_mut()
                .find_map(|step| if let Step::Boot(step) = step { Some(step) } else { None })
            {
                Some(step) => step.merge(more),
                None => steps.push(Step::Boot(more)),
            },
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
            Placed::CloudAgents(step) => {
                if !steps.iter().any(|step| matches!(step, Step::CloudAgents(_))) {
                    steps.push(Step::CloudAgents(step));
                }
            }
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
