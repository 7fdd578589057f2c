//! What a rule looks at.

use std::cell::OnceCell;
use std::sync::Arc;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Database;
use hardtack_inspect::facts::Facts;

use crate::families::permissions::Seen;
use crate::first_boot::Record;
use crate::{Error, Finding, Settings};

/// What a rule looks at.
pub struct View<'a> {
    /// The image's files, with what was staged so far.
    pub stage: &'a Stage<'a>,
    /// What the image is.
    pub facts: Facts<'a>,
    /// What the rules are told.
    pub settings: &'a Settings,
    record: Record,
    /// What a walk through all files has found, once somebody asked.
    pub(crate) seen: OnceCell<Seen>,
}

impl<'a> View<'a> {
    /// Looks at `stage`.
    ///
    /// # Errors
    /// What every rule needs cannot be read.
    pub fn new(stage: &'a Stage<'a>, settings: &'a Settings) -> Result<Self, Error> {
        Self::with_packages(stage, settings, Facts::packages(stage)?)
    }

    /// The same with the package database, which no rule changes.
    pub(crate) fn with_packages(
        stage: &'a Stage<'a>,
        settings: &'a Settings,
        packages: Option<Arc<Database>>,
    ) -> Result<Self, Error> {
        Ok(Self {
            stage,
            facts: Facts::with_packages(stage, packages)?,
            settings,
            record: Record::read(stage)?,
            seen: OnceCell::new(),
        })
    }

    /// It is Ubuntu, or made of it.
    #[must_use]
    pub fn is_ubuntu(&self) -> bool {
        self.facts.os.as_deref() == Some("ubuntu") || self.facts.like.iter().any(|like| like == "ubuntu")
    }

    /// The package is unpacked, whatever its architecture. An image without a package database has none.
    #[must_use]
    pub fn has_package(&self, name: &str) -> bool {
        matches!(self.facts.package(name), Ok(Some(_)))
    }

    /// The image has a database of dpkg.
    #[must_use]
    pub fn has_dpkg(&self) -> bool {
        self.facts.package("dpkg").is_ok()
    }

    /// The finding for what the first boot does or looks at under the name of `rule`: what it kept if it was, else
    /// that it is left to it, in the words of `what`, if the image has what does it.
    #[must_use]
    pub fn at_first_boot(&self, rule: &str, what: &str) -> Finding {
        self.record.finding(rule, what)
    }

    /// What the first boot kept against `rule`, if it looked at it: for rules that pass by their files alone.
    #[must_use]
    pub fn failed_at_first_boot(&self, rule: &str) -> Option<Finding> {
        self.record.failed(rule)
    }
}
