//! Running a recipe's steps over a stage, in the order that correctness needs.

use std::borrow::Cow;
mod chain;

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use hardtack_credentials::AgentConfig;
use hardtack_guest::{GuestPath, Stage, State};
use hardtack_inspect::ways::WaysIn;
use hardtack_profile::Phase;

use crate::model::operation::Operation;
use crate::model::{AgentMode, AgentStep, PackagesStep, Recipe};
use crate::steps;
use crate::supply::{Supplied, Supply};
use crate::{Context, Facts, Note, Options, StepError, Weight, ways_in};

/// The part of the steps for logins that looks at what all of them came to.
pub(crate) const WAYS_IN: &str = "ways-in";

/// What a build knows besides recipe and image.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What is known about the image.
    pub facts: Facts,
    /// The clock of the build, seconds since 1970.
    pub epoch: i64,
    /// The first-boot program, where it was found.
    pub agent_binary: Option<Vec<u8>>,
    /// Choices of the command line.
    pub options: Options,
    /// Where packages come from that the recipe names; nobody is asked without it.
    pub supply: Option<Arc<dyn Supply>>,
}

/// Stages everything that `recipe` asks for and returns what people should know about it.
///
/// Packages come first, since users, PAM and the initramfs may need what they bring; files come
/// before the steps that check what is in force; the agent comes last, since the others tell it
/// what to do. The steps are then run a second time over the result: whatever still changes is
/// two steps undoing each other.
///
/// # Errors
/// The first step that cannot be done, or a contradiction between steps.
pub fn stage_recipe(
    recipe: &Recipe,
    stage: &mut Stage<'_>,
    around: &Surroundings,
) -> Result<Vec<Note>, StepError> {
    Ok(stage_and_judge(recipe, stage, around)?.notes)
}

/// As [`stage_recipe`], with who gets into the result.
///
/// # Errors
/// As [`stage_recipe`].
pub fn stage_and_judge(
    recipe: &Recipe,
    stage: &mut Stage<'_>,
    around: &Surroundings,
) -> Result<Staged, StepError> {
    let asked = Asked::of(recipe, stage, around)?;
    let mut staged = pass(recipe, stage, around, &asked, &mut Straight)?;
    // Once: the second pass must leave the same, and a verdict goes through all files.
    steps::profile::prove(recipe, stage)?;
    let first = states(stage)?;
    staged.ways_in = pass(recipe, stage, around, &asked, &mut Straight)?.ways_in;
    let second = states(stage)?;
    consistent(&first, &second)?;
    ways_in::refuse_none(recipe, &staged.ways_in, stage)?;
    staged.notes.extend(other_names(stage, &second)?);
    Ok(staged)
}

/// What the steps came to.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// What people should know.
    pub notes: Vec<Note>,
    /// Who gets in, where, with what.
    pub ways_in: WaysIn,
}

/// Tells of changed files that have other names (hard links): those keep what they have. A package
/// manager does it so, too.
fn other_names(stage: &Stage<'_>, states: &States) -> Result<Option<Note>, StepError> {
    const SHOWN: usize = 5;
    let mut found = Vec::new();
    for (path, (step, state)) in states {
        if state.starts_with("file ") && step != "packages" && stage.original_names(path)? > 1 {
            found.push(path.as_str());
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let shown = found[..found.len().min(SHOWN)].join(", ");
    let more = match found.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "{shown}{more}: changed under this name only; other names of the same file (hard links) keep what they have"
    );
    Ok(Some(Note { weight: Weight::Warning, step: "recipe", text, shown: None }))
}

/// The packages of a recipe, and what repositories give for them: asked once, of the image as it came, so that both
/// passes install the same.
pub(crate) struct Asked<'r> {
    packages: Option<Cow<'r, PackagesStep>>,
    supplied: Option<Arc<Supplied>>,
}

impl<'r> Asked<'r> {
    /// Asks.
    ///
    /// # Errors
    /// Nobody can be asked, or nobody has what is wanted.
    pub(crate) fn of(
        recipe: &'r Recipe,
        stage: &mut Stage<'_>,
        around: &Surroundings,
    ) -> Result<Self, StepError> {
        let packages = steps::profile::packages(recipe, stage)?;
        let supplied = match &packages {
            Some(step) => steps::packages::supplied(step, stage, around.supply.as_deref())
                .map_err(|error| error.within("packages"))?
                .map(Arc::new),
            None => None,
        };
        Ok(Self { packages, supplied })
    }
}

/// Hears of each part of a recipe, when it was carried out or could not be.
pub(crate) trait Conduct {
    /// `part` is one of the `step`, by the name that its edits carry, or empty for the step as a whole;
    /// `passed_over` says why it did nothing. What is returned ends everything, or does not.
    ///
    /// # Errors
    /// As the implementation sees fit.
    fn done(
        &mut self,
        step: &'static str,
        part: &str,
        passed_over: Option<String>,
        came: Result<(), StepError>,
    ) -> Result<(), StepError>;
}

/// The first part that cannot be done ends everything.
struct Straight;

impl Conduct for Straight {
    fn done(
        &mut self,
        _: &'static str,
        _: &str,
        _: Option<String>,
        came: Result<(), StepError>,
    ) -> Result<(), StepError> {
        came
    }
}

/// Nothing may still change when the steps are run over their own result.
pub(crate) fn consistent(first: &States, second: &States) -> Result<(), StepError> {
    if let Some(path) = undone(first, second) {
        let steps = [first, second].map(|states| states.get(&path).map_or("", |(step, _)| step));
        return Err(match steps {
            ["files", "files"] => {
                StepError::usage("files", format!("two operations undo each other on {path}"))
                    .hint("each describes a state of the file, and both must hold in the end")
            }
            [one, other] => StepError::usage(
                "recipe",
                format!("steps {one} and {other} contradict each other about {path}"),
            ),
        });
    }
    Ok(())
}

/// Runs all steps once.
///
/// # Errors
/// As `how` has it.
pub(crate) fn pass(
    recipe: &Recipe,
    stage: &mut Stage<'_>,
    around: &Surroundings,
    asked: &Asked<'_>,
    how: &mut dyn Conduct,
) -> Result<Staged, StepError> {
    let before = match steps::agent::known(stage) {
        Ok(before) => before,
        Err(error) => {
            how.done("agent", "", None, Err(error.within("agent")))?;
            None
        }
    };
    let kept = match (recipe.mfa(), &before) {
        (None, Some(AgentConfig { mfa: Some(mfa), promise: Some(promise), .. })) => {
            Some(steps::mfa::kept::step(mfa, promise))
        }
        _ => None,
    };
    let mut cx = Context {
        agent: agent_of(recipe, before.as_ref()),
        stage,
        facts: Facts { recipe_name: recipe.name.clone(), ..around.facts.clone() },
        epoch: around.epoch,
        agent_binary: around.agent_binary.clone(),
        notes: Vec::new(),
        passed_over: None,
        options: around.options,
        supplied: asked.supplied.clone(),
        ways_in: None,
    };
    let users: Vec<_> = recipe.users().collect();
    // First, so that what the other steps bring stays.
    if let Some(step) = recipe.generalize() {
        let made = users.iter().map(|user| user.name.as_str()).collect();
        run(how, "generalize", "", &mut cx, |cx| steps::generalize::apply(step, &made, cx))?;
    }
    if let Some(step) = &asked.packages {
        run(how, "packages", "", &mut cx, |cx| steps::packages::apply(step, cx))?;
    }
    run(how, "user", "", &mut cx, |cx| steps::user::apply(&users, cx))?;
    for (index, one) in recipe.files().iter().enumerate() {
        let part = (index + 1).to_string();
        run(how, "files", &part, &mut cx, |cx| steps::files::apply(from_ref(one), cx))?;
    }
    let mut operations = steps::operation::Session::new(recipe.operations());
    for index in operations.order() {
        let part = (index + 1).to_string();
        run(how, "operations", &part, &mut cx, |cx| operations.apply(index, cx))?;
    }
    for id in recipe.cloud_agents().map(|step| step.remove.as_slice()).unwrap_or_default() {
        run(how, "cloud-agents", id, &mut cx, |cx| steps::cloud_agents::apply(id, cx))?;
    }
    let spoken = steps::profile::spoken(recipe, recipe.mfa().or(kept.as_ref()));
    if let Some(profile) = &recipe.profile {
        run(how, "profile", "", &mut cx, |cx| steps::profile::apply(profile, &spoken, Phase::Early, cx))?;
    }
    if let Some(step) = recipe.sshd() {
        run(how, "sshd", "", &mut cx, |cx| steps::sshd::apply(step, recipe.mfa().or(kept.as_ref()), cx))?;
    }
    if let Some(step) = recipe.mfa() {
        run(how, "mfa", "", &mut cx, |cx| steps::mfa::apply(step, cx))?;
    }
    if let Some(step) = recipe.serial_console() {
        run(how, "serial-console", "", &mut cx, |cx| steps::serial_console::apply(step, cx))?;
    }
    if let Some(step) = recipe.overlayroot() {
        run(how, "overlayroot", "", &mut cx, |cx| steps::overlayroot::apply(step, cx))?;
    }
    // What is in force now is what the agent holds the machine to; the last check proves it.
    if let Some(step) = recipe.mfa() {
        run(how, "mfa", "", &mut cx, |cx| {
            cx.agent.promise = Some(steps::mfa::promise(step, recipe.sshd(), cx)?);
            Ok(())
        })?;
    } else if let Some(step) = &kept {
        run(how, "mfa", "", &mut cx, |cx| steps::mfa::kept::renew(step, recipe.sshd(), cx))?;
    }
    // What is left for the first boot needs somebody who does it, and who is there must know what became of it.
    let left = recipe.operations().iter().any(Operation::makes_password)
        || cx.agent.tasks.iter().any(|task| task.of == recipe.name)
        || asked.packages.is_some() && cx.agent.packages.is_some();
    let other = before.is_some_and(|before| before != cx.agent);
    let mode = AgentMode::of(&cx.agent.mode);
    let agent = recipe.agent().copied().or((left || other).then_some(AgentStep { mode }));
    if let Some(step) = agent {
        run(how, "agent", "", &mut cx, |cx| steps::agent::apply(&step, cx))?;
    }
    if let Some(step) = recipe.generalize() {
        run(how, "generalize", "", &mut cx, |cx| steps::generalize::finish(step, cx))?;
    }
    if let Some(profile) = &recipe.profile {
        run(how, "profile", "", &mut cx, |cx| steps::profile::apply(profile, &spoken, Phase::Late, cx))?;
    }
    if let Some(step) = recipe.boot() {
        run(how, "boot", "", &mut cx, |cx| steps::boot::apply(step, cx))?;
    }
    chain::tell(recipe, &mut cx);
    // Behind all that may still change what an operation left.
    run(how, "operations", "", &mut cx, |cx| operations.finish(cx))?;
    run(how, "mfa", WAYS_IN, &mut cx, |cx| ways_in::check(recipe, kept.as_ref(), cx))?;
    Ok(Staged { notes: cx.notes, ways_in: cx.ways_in.unwrap_or_default() })
}

/// What the agent is told, before any step: what an earlier build of the image told it, without what is this recipe's
/// to tell. Whatever a recipe does not speak of stays.
fn agent_of(recipe: &Recipe, before: Option<&AgentConfig>) -> AgentConfig {
    let mut agent = before.cloned().unwrap_or_default();
    agent.version = AgentConfig::default().version;
    agent.tasks.retain(|task| task.of != recipe.name);
    // Authenticator apps show the name of the recipe that enrols.
    let speaks = recipe.mfa().is_some() || agent.mfa.is_none() && recipe.agent().is_some();
    if speaks || agent.recipe.is_empty() {
        agent.recipe.clone_from(&recipe.name);
    }
    agent
}

fn run(
    how: &mut dyn Conduct,
    name: &'static str,
    part: &str,
    cx: &mut Context<'_, '_>,
    step: impl FnOnce(&mut Context<'_, '_>) -> Result<(), StepError>,
) -> Result<(), StepError> {
    cx.stage.set_step(name);
    if !part.is_empty() {
        cx.stage.set_part(Some(part));
    }
    let came = step(cx).map_err(|error| error.within(name));
    cx.stage.set_group(None);
    let passed_over = cx.passed_over.take();
    how.done(name, part, passed_over, came)
}

pub(crate) type States = BTreeMap<GuestPath, (String, String)>;

/// Every edited path with its step and a text that is equal exactly when the wanted state is.
pub(crate) fn states(stage: &Stage<'_>) -> Result<States, StepError> {
    let edits = stage.edits().map_err(StepError::from)?;
    Ok(edits
        .iter()
        .map(|edit| (edit.path.clone(), (edit.step().to_owned(), fingerprint(&edit.state))))
        .collect())
}

fn fingerprint(state: &State) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use hardtack_guest::Content;
    let mut hasher = DefaultHasher::new();
    let attributes = match state {
        State::Absent => None,
        State::Directory(attributes) | State::Special(attributes) => Some(*attributes),
        State::File(content, attributes) => {
            match content {
                Content::Kept => 0.hash(&mut hasher),
                Content::Bytes(bytes) => (1, bytes).hash(&mut hasher),
                Content::Appended(bytes) => (2, bytes).hash(&mut hasher),
            }
            Some(*attributes)
        }
        State::Link(target, attributes) => {
            target.hash(&mut hasher);
            Some(*attributes)
        }
    };
    format!("{} {attributes:?} {:x}", kind(state), hasher.finish())
}

fn kind(state: &State) -> &'static str {
    match state {
        State::Absent => "absent",
        State::Directory(_) => "directory",
        State::File(..) => "file",
        State::Link(..) => "link",
        State::Special(_) => "special",
    }
}

/// The first path that the second pass left in another state than the first.
fn undone(first: &States, second: &States) -> Option<GuestPath> {
    first
        .keys()
        .chain(second.keys())
        .find(|path| first.get(*path).map(|(_, state)| state) != second.get(*path).map(|(_, state)| state))
        .cloned()
}

#[cfg(test)]
mod tests;
