//! The plan: what all modules would do, in order, and what becomes of every key of the configuration.

use hardtack_userdata::{Finding, Place, Severity};

use crate::action::Action;
use crate::machine::Distro;
use crate::module::{Frequency, Outcome, Request, Stage};
use crate::overlay::Overlay;
use crate::{table, unsupported};

/// What would be done to a machine.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the machine runs.
    pub distro: Distro,
    /// What is done, in order. Modules that have nothing to do and nothing to say are left out.
    pub steps: Vec<Step>,
    /// What becomes of every top-level key, in the order of the configuration.
    pub keys: Vec<KeyReport>,
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
    let mut steps = Vec::new();
    let mut machine = Overlay::new(request.machine);
    for entry in table::order(request.config, request.distro) {
        let Some(module) = table::find(&entry.name) else { continue };
        let Outcome { actions, findings, notes, .. } =
            (module.run)(&Request { machine: &machine, ..*request });
        machine.apply_all(&actions);
        if actions.is_empty() && findings.is_empty() && notes.is_empty() {
            continue;
        }
        steps.push(Step {
            stage: entry.stage,
            module: entry.name,
            frequency: entry.frequency.unwrap_or(module.frequency),
            actions,
            findings,
            notes,
        });
    }
    let keys = keys(request, &steps);
    Plan { distro: request.distro.clone(), steps, keys }
}

/// What becomes of every key.
fn keys(request: &Request<'_>, steps: &[Step]) -> Vec<KeyReport> {
    let order = table::order(request.config, request.distro);
    let failed = |module: &str| {
        steps.iter().any(|step| {
            step.module == module && step.findings.iter().any(|finding| finding.severity == Severity::Error)
        })
    };
    let mut reports = Vec::new();
    for (key, _) in request.config {
        let name = key.to_python_str();
        let readers: Vec<&str> = table::modules()
            .iter()
            .filter(|module| module.keys.contains(&name.as_str()))
            .map(|module| module.name)
            .collect();
        let active: Vec<String> = readers
            .iter()
            .filter(|reader| order.iter().any(|entry| entry.name == **reader))
            .map(|reader| (*reader).to_owned())
            .collect();
        let (state, reason) = if active.iter().any(|module| failed(module)) {
            (KeyState::Failed, None)
        } else if !active.is_empty() || unsupported::FRAMEWORK.contains(&name.as_str()) {
            (KeyState::Applied, None)
        } else if let Some(reason) = unsupported::reason(&name) {
            (KeyState::Unsupported, Some(reason.to_owned()))
        } else if let Some(reader) = readers.first() {
            let what = format!("cloud-init does not run its module {reader} on {}", request.distro.variant);
            (KeyState::Ignored, Some(what))
        } else {
            (KeyState::Ignored, Some("nothing reads a key of this name".to_owned()))
        };
        reports.push(KeyReport { key: name, place: key.place, state, modules: active, reason });
    }
    reports
}
