//! What a step works with, and how it says no.

use std::sync::Arc;

use hardtack_credentials::AgentConfig;
use hardtack_guest::Stage;
use hardtack_inspect::ways::WaysIn;

use crate::supply::Supplied;

/// What is known about the image before any step runs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The UUID of the root file system, as blkid prints it.
    pub root_uuid: Option<String>,
    /// The recipe's name, by which what it leaves for the first boot is known for its own.
    pub recipe_name: String,
}

/// Choices of the command line that steps must know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A package that would be finished at first boot is an error.
    pub no_deferred: bool,
}

/// How loud a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Good to know.
    Info,
    /// Something that people regret not having read.
    Warning,
    /// Data is lost; shown in capitals.
    Capital,
}

/// A sentence for the people who build the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How loud.
    pub weight: Weight,
    /// The step that says it.
    pub step: &'static str,
    /// One or two sentences.
    pub text: String,
    /// The same for a terminal, where `text` is a long list: several lines, those behind the first one indented.
    pub shown: Option<String>,
}

/// Everything that a step may use.
pub struct Context<'a, 't> {
    /// Where all edits are made.
    pub stage: &'a mut Stage<'t>,
    /// What is known about the image.
    pub facts: Facts,
    /// The clock of the build, seconds since 1970.
    pub epoch: i64,
    /// The first-boot program's bytes, where the build has found it.
    pub agent_binary: Option<Vec<u8>>,
    /// What the build tells the agent; every step fills in its part.
    pub agent: AgentConfig,
    /// What people should know.
    pub notes: Vec<Note>,
    /// Why the part that is carried out is passed over: it is `optional`, and nothing is there.
    pub passed_over: Option<String>,
    /// Choices of the command line.
    pub options: Options,
    /// What repositories have given for the step `packages`; `None` when none was asked.
    pub supplied: Option<Arc<Supplied>>,
    /// Who gets in, when all steps are done.
    pub ways_in: Option<WaysIn>,
}

#[cfg(test)]
impl<'a, 't> Context<'a, 't> {
    /// A context over `stage` with nothing else in it.
    pub(crate) fn for_tests(stage: &'a mut Stage<'t>) -> Self {
        Self {
            stage,
            facts: Facts::default(),
            epoch: 0,
            agent_binary: None,
            agent: AgentConfig::default(),
            notes: Vec::new(),
            passed_over: None,
            options: Options::default(),
            supplied: None,
            ways_in: None,
        }
    }
}

impl Context<'_, '_> {
    /// Adds a note that is good to know.
    pub fn info(&mut self, step: &'static str, text: impl Into<String>) {
        self.note(Weight::Info, step, text.into());
    }

    /// Adds a warning.
    pub fn warn(&mut self, step: &'static str, text: impl Into<String>) {
        self.note(Weight::Warning, step, text.into());
    }

    /// Adds a note about loss of data.
    pub fn capital(&mut self, step: &'static str, text: impl Into<String>) {
        self.note(Weight::Capital, step, text.into().to_uppercase());
    }

    fn note(&mut self, weight: Weight, step: &'static str, text: String) {
        self.add(Note { weight, step, text, shown: None });
    }

    /// Adds a note once.
    pub(crate) fn add(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Why a step cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The guest's files could not be read or changed as needed.
    #[error("step {step}: {source}")]
    Guest {
        /// The step.
        step: &'static str,
        /// What the guest answered.
        source: hardtack_guest::Error,
    },
    /// The image cannot have what the recipe asks for (exit code 3).
    #[error("step {step}: {what}")]
    Refused {
        /// The step.
        step: &'static str,
        /// What was found, and where.
        what: String,
        /// What to do about it.
        hint: Option<String>,
        /// The image does not have what it is to be done to: `optional` passes that over, and nothing else.
        absent: bool,
    },
    /// Something of the host is missing (exit code 4).
    #[error("step {step}: {what}")]
    Local {
        /// The step.
        step: &'static str,
        /// What is missing.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A remote service did not give what is needed (exit code 5).
    #[error("step {step}: {what}")]
    Remote {
        /// The step.
        step: &'static str,
        /// The service, and what happened.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The recipe asks for something that cannot be meant (exit code 2).
    #[error("step {step}: {what}")]
    Usage {
        /// The step.
        step: &'static str,
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl From<hardtack_guest::Error> for StepError {
    fn from(source: hardtack_guest::Error) -> Self {
        // The pipeline knows which step was running and puts its name in.
        Self::Guest { step: "", source }
    }
}

impl StepError {
    /// The image cannot have it.
    pub fn refused(step: &'static str, what: impl Into<String>) -> Self {
        Self::Refused { step, what: what.into(), hint: None, absent: false }
    }

    /// The image does not have it.
    pub fn absent(step: &'static str, what: impl Into<String>) -> Self {
        Self::Refused { step, what: what.into(), hint: None, absent: true }
    }

    /// The recipe is wrong.
    pub fn usage(step: &'static str, what: impl Into<String>) -> Self {
        Self::Usage { step, what: what.into(), hint: None }
    }

    /// Something of the host is missing.
    pub fn local(step: &'static str, what: impl Into<String>) -> Self {
        Self::Local { step, what: what.into(), hint: None }
    }

    /// A remote service failed.
    pub fn remote(step: &'static str, what: impl Into<String>) -> Self {
        Self::Remote { step, what: what.into(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Refused { hint, .. }
        | Self::Local { hint, .. }
        | Self::Remote { hint, .. }
        | Self::Usage { hint, .. } = &mut self
        {
            *hint = Some(text.into());
        }
        self
    }

    /// Names the step that an error of the guest came from.
    #[must_use]
    pub fn within(mut self, name: &'static str) -> Self {
        if let Self::Guest { step, .. } = &mut self {
            *step = name;
        }
        self
    }
}
