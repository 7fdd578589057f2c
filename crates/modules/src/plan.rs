//! The plan: what all modules would do, in order, and what becomes of every key of the configuration.

use hardtack_userdata::{Finding, Map, Place, Severity};

use crate::action::Action;
use crate::change::Change;
use crate::machine::Distro;
use crate::module::{Frequency, Outcome, Request, Stage};
use crate::overlay::Overlay;
use crate::schedule::Schedule;
use crate::{places, reading, table, unsupported};

/// What would be done to a machine.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the machine runs.
    pub distro: Distro,
    /// What is done, in order. Modules that have nothing to do and nothing to say are left out.
    pub steps: Vec<Step>,
    /// What becomes of every top-level key, in the order of the configuration.
    pub keys: Vec<KeyReport>,
    /// A warning for every key that is not supported.
    pub findings: Vec<Finding>,
}

/// One module's part.
#[derive(Clone, Debug)]
pub struct Step {
    /// When it runs.
    pub stage: Stage,
    /// The module's name, as cloud-init writes it without `cc_`.
    pub module: String,
    /// How often it runs.
    pub frequency: Frequency,
    /// What is done, in order.
    pub actions: Vec<Action>,
    /// For every action, what it changes in a file that is there.
    pub changes: Vec<Option<Change>>,
    /// What is wrong. With an error among them the module counts as failed.
    pub findings: Vec<Finding>,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// What becomes of a top-level key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The key.
    pub key: String,
    /// Where it stands.
    pub place: Place,
    /// What becomes of it.
    pub state: KeyState,
    /// Modules that read it.
    pub modules: Vec<String>,
    /// Why it is not applied, and what to do instead.
    pub reason: Option<String>,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// A module reads it.
    Applied,
    /// Nothing reads it.
    Ignored,
    /// cloud-init has a module for it, and this program has none.
    Unsupported,
    /// A module reads it and fails.
    Failed,
}

impl KeyState {
    /// The word for it in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }
}

/// What all modules would do under `request`.
#[must_use]
pub fn plan(request: &Request<'_>) -> Plan {
    let schedule = Schedule::new(request.config, request.machine, request.distro, request.facts);
    let mut steps = Vec::new();
    let mut machine = Overlay::new(request.machine);
    for scheduled in schedule.iter() {
        let asked = Request { machine: &machine, config: scheduled.config, ..*request };
        let Outcome { mut actions, mut findings, notes, .. } = (scheduled.module.run)(&asked);
        places::fill(&mut findings, request.config, scheduled.module.keys);
        if request.facts.instance_id.is_none() && GIVEN_THE_INSTANCE.contains(&scheduled.module.name) {
            actions.iter_mut().for_each(name_the_instance);
        }
        let mut changes = Vec::with_capacity(actions.len());
        for action in &actions {
            changes.push(Change::of(action, &machine));
            machine.apply(action);
        }
        if actions.is_empty() && findings.is_empty() && notes.is_empty() {
            continue;
        }
        steps.push(Step {
            stage: scheduled.stage,
            module: scheduled.module.name.to_owned(),
            frequency: scheduled.frequency,
            actions,
            changes,
            findings,
            notes,
        });
    }
    let keys = keys(request, &schedule, &steps);
    let findings = keys.iter().filter_map(KeyReport::finding).collect();
    Plan { distro: request.distro.clone(), steps, keys, findings }
}

/// Modules whose programs are given the instance's id.
const GIVEN_THE_INSTANCE: &[&str] = &["bootcmd", "consume_data"];

/// Stands for the id that only the running machine has.
fn name_the_instance(action: &mut Action) {
    if let Action::Run { environment, .. } = action {
        environment.push(("INSTANCE_ID".to_owned(), "$INSTANCE_ID".to_owned()));
    }
}

/// An error of a module.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The module's name.
    pub module: &'a str,
    /// The value that it is about, as in [`Finding::path`]; empty when the module cannot tell.
    pub path: &'a str,
    /// What is wrong.
    pub message: &'a str,
}

/// What becomes of every key.
fn keys(request: &Request<'_>, schedule: &Schedule, steps: &[Step]) -> Vec<KeyReport> {
    let failures: Vec<Failure<'_>> = steps
        .iter()
        .flat_map(|step| step.findings.iter().map(|finding| (step.module.as_str(), finding)))
        .filter(|(_, finding)| finding.severity == Severity::Error)
        .map(|(module, finding)| Failure { module, path: &finding.path, message: &finding.message })
        .collect();
    keys_of(request.config, schedule, request.distro, &failures)
}

/// What becomes of every key of `config`, which `schedule` was made of or of more, on `distro`, when its
/// modules fail with `failures`.
#[must_use]
pub fn keys_of(
    config: &Map,
    schedule: &Schedule,
    distro: &Distro,
    failures: &[Failure<'_>],
) -> Vec<KeyReport> {
    let mut reports = Vec::new();
    for (key, _) in config {
        let name = key.to_python_str();
        let mut active: Vec<String> = Vec::new();
        for scheduled in schedule.iter() {
            let module = scheduled.module;
            // What one dialect has taken, the other one's modules do not see.
            if module.keys.contains(&name.as_str())
                && scheduled.config.contains_key(key)
                && !active.iter().any(|known| known == module.name)
            {
                active.push(module.name.to_owned());
            }
        }
        let mut failed =
            failures.iter().filter(|failure| active.iter().any(|active| active == failure.module));
        let about = |failure: &Failure<'_>| failure.path.split('.').next() == Some(name.as_str());
        let own = failed.clone().find(|failure| about(failure));
        let (state, reason) = if let Some(failure) = own {
            (KeyState::Failed, Some(failure.message.to_owned()))
        } else if let Some(failure) = failed.next() {
            (KeyState::Failed, Some(format!("{} fails: {}", failure.module, failure.message)))
        } else if !active.is_empty() || unsupported::FRAMEWORK.contains(&name.as_str()) {
            (KeyState::Applied, None)
        } else if let Some(reason) = unsupported::reason(&name) {
            (KeyState::Unsupported, Some(reason.to_owned()))
        } else if let Some(reader) =
            table::modules().iter().find(|module| module.keys.contains(&name.as_str()))
        {
            let what = format!("cloud-init does not run its module {} on {}", reader.name, distro.variant);
            (KeyState::Ignored, Some(what))
        } else {
            (KeyState::Ignored, Some(unread(&name)))
        };
        reports.push(KeyReport { key: name, place: key.place, state, modules: active, reason });
    }
    reports
}

/// Why nothing reads a key.
fn unread(name: &str) -> String {
    let underscores = name.replace('-', "_");
    let known = |name: &str| {
        table::modules().iter().any(|module| module.keys.contains(&name))
            || unsupported::FRAMEWORK.contains(&name)
            || unsupported::reason(name).is_some()
    };
    match name {
        "network" => {
            "the network is set by the `network-config` of the seed or the cloud, not by user-data".to_owned()
        }
        _ if underscores != name && known(&underscores) => {
            format!("nothing reads a key of this name: did you mean `{underscores}`?")
        }
        _ => "nothing reads a key of this name".to_owned(),
    }
}

impl KeyReport {
    /// A warning for a key that cloud-init would carry out and this program does not.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        (self.state == KeyState::Unsupported).then(|| {
            let message = format!("`{}` is not supported, and nothing is done for it", self.key);
            let finding = Finding::warning(reading::UNSUPPORTED, self.place, message).at(self.key.clone());
            Finding { hint: self.reason.clone(), ..finding }
        })
    }
}
