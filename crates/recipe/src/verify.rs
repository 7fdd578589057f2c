//! Is an image what a recipe says? A control for each step, and for each part of one.
//!
//! Applying a recipe to what it made changes nothing, so what it would change is what is wrong. All
//! steps run over a stage, each whatever became of those before it; then what still differs from the
//! image in the end is put down to the parts that made it: what a step takes away and a later one
//! puts back is no failure of either.

mod difference;
mod parts;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hardtack_guest::{Stage, Tree};
use hardtack_report::{Control, Outcome, Place};

use crate::redact::Redactor;
use crate::run::{Asked, Conduct, Surroundings, WAYS_IN, consistent, pass, states};
use crate::steps::profile::STEP as PROFILE;
use crate::{Note, Recipe, StepError, steps};
use parts::Part;

/// So many differences of one control are told in words.
const MOST_FACTS: usize = 25;
/// So many places of one control are named.
const MOST_PLACES: usize = 1000;
const AGENT: &str = "agent";
/// What logins rest on.
const OF_LOGINS: [&str; 5] = ["packages", "user", "sshd", "mfa", AGENT];
const HELP: &str = "hardtack plan shows the whole difference, and hardtack build takes it away";

/// What the steps came to, without secrets.
pub struct Verified {
    /// The controls: each step, and below it its parts in the order written.
    pub controls: Vec<Control>,
    /// What people should know, as for a build.
    pub notes: Vec<Note>,
    /// What must not be shown anywhere.
    pub secrets: Vec<String>,
}

/// Compares the files in `tree` with what `recipe` says.
///
/// # Errors
/// What is no fault of the image: a recipe that contradicts itself or cannot be meant, something of
/// the host that is missing, an image that cannot be read. A step that the image cannot have is none:
/// it is a control that fails.
pub fn verify(recipe: &Recipe, tree: &dyn Tree, around: &Surroundings) -> Result<Verified, StepError> {
    let mut stage = Stage::new(tree);
    let asked = Asked::of(recipe, &mut stage, around)?;
    let mut judge = Judge::default();
    stage.record(true);
    let notes = pass(recipe, &mut stage, around, &asked, &mut judge)?.notes;
    stage.record(false);
    judge.done(PROFILE, "", None, steps::profile::prove(recipe, &stage))?;
    let first = states(&stage)?;
    let mut again = Judge::default();
    pass(recipe, &mut stage, around, &asked, &mut again)?;
    // What a step left half done when it was refused is nobody's state.
    if judge.refused.is_empty() {
        consistent(&first, &states(&stage)?)?;
    }
    let redactor = Redactor::new(stage.secrets());
    let differences = differences(&stage, &redactor)?;
    let mut controls = Vec::new();
    let mut all = parts::of(recipe, tree)?;
    // One step may have brought another with it: what is left for the first boot needs the agent.
    let agent = judge.carried_out.get(AGENT).copied();
    let changed = differences.of.keys().chain(judge.refused.keys()).map(|(step, _)| step.as_str());
    for step in agent.into_iter().chain(changed) {
        if !all.iter().any(|part| part.step == step) {
            all.push(Part::step(step));
        }
    }
    if let Some(profile) = &recipe.profile {
        // Its controls look for themselves; only what could not be done is the step's.
        all.retain(|part| part.step != PROFILE);
        if judge.refused.keys().any(|(step, _)| step == PROFILE) {
            all.push(Part::step(PROFILE));
        }
        controls.extend(steps::profile::verify(profile, tree)?);
    }
    let claimed: Vec<String> = all.iter().filter_map(|part| part.group.clone()).collect();
    for part in all {
        controls.push(control(part, &claimed, &judge, &differences, &redactor));
    }
    ways_in_of_failed_steps(&mut controls);
    steps_of_failed_parts(&mut controls);
    let said = |note: Note| Note { text: redactor.apply(&note.text), shown: None, ..note };
    let notes = notes.into_iter().map(said).collect();
    Ok(Verified { controls, notes, secrets: stage.secrets().to_vec() })
}

/// What stands for a part: the step, and the name that its edits carry.
type Key = (String, String);

/// Takes note of what every part came to.
#[derive(Default)]
struct Judge {
    refused: BTreeMap<Key, Vec<String>>,
    passed_over: BTreeMap<Key, String>,
    carried_out: BTreeSet<&'static str>,
}

impl Conduct for Judge {
    fn done(
        &mut self,
        step: &'static str,
        part: &str,
        passed_over: Option<String>,
        came: Result<(), StepError>,
    ) -> Result<(), StepError> {
        let key = (step.to_owned(), part.to_owned());
        self.carried_out.insert(step);
        if let Some(why) = passed_over {
            self.passed_over.insert(key.clone(), why);
        }
        let Err(error) = came else { return Ok(()) };
        let hint = match &error {
            StepError::Usage { .. } | StepError::Local { .. } | StepError::Remote { .. } => {
                return Err(error);
            }
            // The disk cannot be read: nothing can be said of the image.
            StepError::Guest { source: hardtack_guest::Error::Disk(disk), .. } if !disk.is_refusal() => {
                return Err(error);
            }
            StepError::Refused { hint, .. } => hint.clone(),
            StepError::Guest { .. } => None,
        };
        let mut text = error.to_string();
        if let Some(hint) = hint {
            text.push_str(&format!(" ({hint})"));
        }
        self.refused.entry(key).or_default().push(text);
        Ok(())
    }
}

/// What differs in the end, by the parts that made it.
#[derive(Default)]
struct Differences {
    of: BTreeMap<Key, Vec<Difference>>,
}

#[derive(Clone)]
struct Difference {
    place: Place,
    fact: String,
    /// The package, or whatever else the plan shows as one.
    group: String,
}

fn differences(stage: &Stage<'_>, redactor: &Redactor) -> Result<Differences, StepError> {
    let mut differences = Differences::default();
    for edit in stage.edits()? {
        let (line, fact) = difference::tell(stage, &edit, redactor)?;
        let place = Place { path: edit.path.to_string(), line };
        let mut makers: Vec<(Key, String)> = stage
            .makers(&edit.path)?
            .into_iter()
            .map(|maker| ((maker.step, maker.part), maker.group))
            .collect();
        if makers.is_empty() {
            makers.push(((edit.step().to_owned(), String::new()), String::new()));
        }
        for (key, group) in makers {
            let difference = Difference { place: place.clone(), fact: fact.clone(), group };
            differences.of.entry(key).or_default().push(difference);
        }
    }
    Ok(differences)
}

fn control(
    part: Part,
    claimed: &[String],
    judge: &Judge,
    differences: &Differences,
    redactor: &Redactor,
) -> Control {
    let of_step = (part.step.clone(), String::new());
    let key = (part.step.clone(), part.key.clone());
    let mut keys = vec![&key];
    if part.shares && key != of_step {
        keys.push(&of_step);
    }
    let made = keys.iter().filter_map(|key| differences.of.get(*key)).flatten();
    let is = |made: &Difference, group: &String| made.group.starts_with(group.as_str());
    let mine: Vec<&Difference> = match &part.group {
        // A package is its group among what the step made; what is nobody's is the step's.
        Some(group) => made.filter(|made| is(made, group)).collect(),
        None => made.filter(|made| !claimed.iter().any(|group| is(made, group))).collect(),
    };
    let mut facts: Vec<String> = part.faults.iter().map(|(_, fact)| fact.clone()).collect();
    let mut places: Vec<Place> = part.faults.iter().filter_map(|(place, _)| place.clone()).collect();
    facts.extend(keys.iter().filter_map(|key| judge.refused.get(*key)).flatten().cloned());
    facts.extend(mine.iter().take(MOST_FACTS).map(|made| made.fact.clone()));
    if mine.len() > MOST_FACTS {
        facts.push(format!("and {} more paths differ", mine.len() - MOST_FACTS));
    }
    places.extend(mine.iter().take(MOST_PLACES).map(|made| made.place.clone()));
    let passed_over = judge.passed_over.get(&key);
    let (outcome, why) = match (facts.is_empty(), part.pointless, passed_over) {
        (false, _, _) => (Outcome::Fail, facts.join("\n")),
        (true, Some(why), _) => (Outcome::NotApplicable, why),
        (true, None, Some(why)) => (Outcome::NotApplicable, format!("optional: {why}")),
        (true, None, None) => (Outcome::Pass, String::new()),
    };
    Control {
        id: redactor.apply(&part.id),
        title: redactor.apply(&part.title),
        help: if outcome == Outcome::Fail { HELP.to_owned() } else { String::new() },
        outcome,
        why: redactor.apply(&why),
        places,
    }
}

/// Logins are judged with all steps carried out: that says nothing of an image that lacks them.
fn ways_in_of_failed_steps(controls: &mut [Control]) {
    let mut failed: Vec<String> = Vec::new();
    for control in controls.iter().filter(|control| control.outcome == Outcome::Fail) {
        let step = step_of(&control.id);
        if OF_LOGINS.contains(&step) && !failed.iter().any(|known| known == step) {
            failed.push(step.to_owned());
        }
    }
    let id = format!("mfa/{WAYS_IN}");
    let passed = |control: &&mut Control| control.id == id && control.outcome == Outcome::Pass;
    if let Some(control) = controls.iter_mut().find(passed).filter(|_| !failed.is_empty()) {
        control.outcome = Outcome::Fail;
        control.why = format!("holds only together with what does not hold: {}", failed.join(", "));
        control.help = HELP.to_owned();
    }
}

/// The step of a control.
fn step_of(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

/// A step fails with its parts.
fn steps_of_failed_parts(controls: &mut [Control]) {
    let mut failed: BTreeMap<String, usize> = BTreeMap::new();
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for control in controls.iter().filter(|control| control.id.contains('/')) {
        *all.entry(step_of(&control.id).to_owned()).or_default() += 1;
        if control.outcome == Outcome::Fail {
            *failed.entry(step_of(&control.id).to_owned()).or_default() += 1;
        }
    }
    for control in controls.iter_mut().filter(|control| !control.id.contains('/')) {
        let Some(count) = failed.get(&control.id) else { continue };
        let of = all.get(&control.id).copied().unwrap_or_default();
        let text = format!("{count} of its {of} parts {} not hold", if *count == 1 { "does" } else { "do" });
        control.outcome = Outcome::Fail;
        control.help = HELP.to_owned();
        control.why = if control.why.is_empty() { text } else { format!("{text}\n{}", control.why) };
    }
}
