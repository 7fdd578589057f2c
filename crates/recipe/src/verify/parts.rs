//! What of a recipe is judged on its own, and under which name.

use hardtack_guest::dpkg::Deb;
use hardtack_guest::sshd::{self, Config};
use hardtack_guest::{Stage, Tree};
use hardtack_report::Place;

use crate::model::operation::{Action, Operation};
use crate::model::{PackagesStep, SshdStep, Step};
use crate::run::WAYS_IN;
use crate::{Recipe, StepError};

/// A step, or a part of one.
#[derive(Default)]
pub(super) struct Part {
    /// The step.
    pub(super) step: String,
    /// The name that its edits carry; empty for the step as a whole.
    pub(super) key: String,
    /// The control's.
    pub(super) id: String,
    /// The control's.
    pub(super) title: String,
    /// What the step as a whole did or was refused is this part's too.
    pub(super) shares: bool,
    /// Its edits are those of a group that begins so.
    pub(super) group: Option<String>,
    /// Why it says nothing about this image.
    pub(super) pointless: Option<String>,
    /// What was found wrong without any edit.
    pub(super) faults: Vec<(Option<Place>, String)>,
}

impl Part {
    /// A step as a whole.
    pub(super) fn step(name: &str) -> Self {
        Self {
            step: name.to_owned(),
            id: name.to_owned(),
            title: format!("step {name}: the image is as it says"),
            ..Self::default()
        }
    }

    fn of(step: &str, key: &str, name: &str, title: String) -> Self {
        Self { key: key.to_owned(), id: format!("{step}/{name}"), title, ..Self::step(step) }
    }
}

/// All of them, each step before its parts.
pub(super) fn of(recipe: &Recipe, tree: &dyn Tree) -> Result<Vec<Part>, StepError> {
    let mut parts: Vec<Part> = Vec::new();
    for step in &recipe.steps {
        if !parts.iter().any(|part| part.id == step.name()) {
            parts.push(Part::step(step.name()));
        }
        match step {
            Step::Packages(step) => parts.extend(packages(step)?),
            Step::User(user) => {
                let title = format!("user {} is as the recipe has it", user.name);
                parts.push(Part { shares: true, ..Part::of("user", &user.name, &user.name, title) });
            }
            Step::Sshd(step) => parts.extend(directives(step, tree)?),
            Step::Mfa(_) => {
                let title = "what the steps promise of logins holds, and somebody can log in".to_owned();
                parts.push(Part::of("mfa", WAYS_IN, WAYS_IN, title));
            }
            Step::Files(operations) => {
                for (index, operation) in operations.iter().enumerate() {
                    let key = (index + 1).to_string();
                    let (name, path) = (operation.action.name(), operation.action.path());
                    let title = format!("{name} {path}");
                    parts.push(Part::of("files", &key, &format!("{key} {name} {path}"), title));
                }
            }
            Step::Operations(operations) => {
                for (index, operation) in operations.iter().enumerate() {
                    let key = (index + 1).to_string();
                    let title = format!("{} {}", operation.name, subject(operation)).trim_end().to_owned();
                    parts.push(Part::of("operations", &key, &format!("{key} {title}"), title));
                }
            }
            Step::Generalize(step) => {
                for name in &step.operations {
                    let title = format!("generalize: {name} has nothing to take away");
                    let part = Part::of("generalize", name, name, title);
                    parts.push(Part { shares: true, ..part });
                }
            }
            Step::CloudAgents(step) => {
                for name in &step.remove {
                    let title = format!("{name} is not there, or nothing starts it");
                    parts.push(Part::of("cloud-agents", name, name, title));
                }
            }
            Step::SerialConsole(_) | Step::Boot(_) | Step::Overlayroot(_) | Step::Agent(_) => {}
        }
    }
    for skipped in &recipe.skipped {
        let name = format!("{} {}", skipped.number, skipped.name);
        let why = format!("{}: its `when` does not hold for this image", skipped.place);
        let part = Part::of("when", &name, &name, format!("step {}, where its `when` holds", skipped.name));
        parts.push(Part { pointless: Some(why), ..part });
    }
    Ok(parts)
}

fn packages(step: &PackagesStep) -> Result<Vec<Part>, StepError> {
    let mut parts = Vec::new();
    let mut add = |name: &str, title: String| {
        let bare = name.split([':', '=', '/']).next().unwrap_or(name);
        let part = Part::of("packages", "", name, title);
        parts.push(Part { shares: true, group: Some(format!("{bare} ")), ..part });
    };
    for file in &step.debs {
        let package = Deb::open(&file.name, &file.path)?.package;
        add(&package.name, format!("{} {} is installed", package.name, package.version));
    }
    for name in &step.install {
        add(name, format!("{name} is installed"));
    }
    for name in step.remove.iter().chain(&step.purge) {
        add(name, format!("{name} is not installed"));
    }
    Ok(parts)
}

/// Each directive by what sshd of the image makes of its files as they are now, whoever wrote them.
fn directives(step: &SshdStep, tree: &dyn Tree) -> Result<Vec<Part>, StepError> {
    let stage = Stage::new(tree);
    let version = sshd::installed(&stage)?;
    let wanted: Vec<_> = step
        .directives
        .iter()
        .map(|(name, value)| {
            let name = sshd::find(name).map_or(name.as_str(), |keyword| keyword.name);
            sshd::Directive::new(name, value.trim())
        })
        .collect();
    // A configuration that cannot be read is told by the step itself, which cannot be done then.
    let config = version.and_then(|version| Config::load(&stage, version).ok());
    let mismatches = config.map(|config| sshd::mismatches(&config, &wanted)).unwrap_or_default();
    let mut parts: Vec<Part> = Vec::new();
    for directive in &wanted {
        let (keyword, value) = (&directive.keyword, &directive.value);
        let before = parts.iter().filter(|part| part.key.eq_ignore_ascii_case(keyword)).count();
        let name = if before == 0 { keyword.clone() } else { format!("{keyword} {}", before + 1) };
        let mut part = Part::of("sshd", keyword, &name, format!("{keyword} {value} is in force"));
        if version.is_none() {
            part.faults
                .push((None, "the package database (/var/lib/dpkg/status) has no openssh-server".to_owned()));
        }
        part.pointless = version.and_then(|version| {
            let idle = sshd::find(keyword)?.without_effect(version);
            idle.then(|| format!("cannot apply: {keyword} does nothing in OpenSSH {version}"))
        });
        for mismatch in mismatches.iter().filter(|mismatch| mismatch.directive == *directive) {
            part.faults.push(match (&mismatch.found, &mismatch.block) {
                (None, _) => (None, format!("nothing sets {keyword} to {value}")),
                (Some(found), block) => {
                    let place = Place { path: found.place.file.clone(), line: Some(found.place.line) };
                    let block = block.as_ref().map(|at| format!(" in the Match block of {at}"));
                    let text = format!(
                        "{}: {} {}{} is in force instead of {value}",
                        found.place,
                        found.written,
                        found.value,
                        block.unwrap_or_default()
                    );
                    (Some(place), text)
                }
            });
        }
        parts.push(part);
    }
    Ok(parts)
}

/// What an operation is about; nothing of its content.
fn subject(operation: &Operation) -> String {
    match &operation.action {
        Action::AppendLine { path, .. }
        | Action::Chmod { path, .. }
        | Action::Chown { path, .. }
        | Action::Edit { path, .. }
        | Action::Mkdir { path }
        | Action::Scrub { path }
        | Action::Touch { path }
        | Action::Truncate { path }
        | Action::TruncateRecursive { path }
        | Action::Write { path, .. } => path.clone(),
        Action::Copy { to, .. }
        | Action::CopyIn { to, .. }
        | Action::Move { to, .. }
        | Action::TarIn { to, .. }
        | Action::Upload { to, .. } => to.clone(),
        Action::Delete { pattern } => pattern.clone(),
        Action::Link { paths, .. } => paths.join(" "),
        Action::Hostname { name } => name.clone(),
        Action::Timezone { zone } => zone.clone(),
        Action::Password { user, .. } | Action::SshInject { user, .. } => user.clone(),
        Action::Task(task) => match task.packages.is_empty() {
            true => task.title.clone(),
            false => task.packages.join(" "),
        },
        Action::SelinuxRelabel => String::new(),
    }
}
