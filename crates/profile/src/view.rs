//! What a rule looks at.

use std::cell::OnceCell;
use std::sync::Arc;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::status::STATUS_FILE;
use hardtack_guest::dpkg::{Database, Version};
use hardtack_inspect::facts::{Facts, NoDatabase};

use crate::families::permissions::Seen;
use crate::first_boot::Record;
use crate::run::place;
use crate::{Error, Finding, Settings, merged};

/// What a rule looks at.
pub struct View<'a> {
    /// The image's files, with what was staged so far.
    pub stage: &'a Stage<'a>,
    /// What the image is.
    pub facts: Facts<'a>,
    /// What the rules are told.
    pub settings: &'a Settings,
    record: Record,
    /// Why the package database cannot be read, though there is one.
    damage: Option<String>,
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

    /// The same for judging: with a package database that is damaged the rules that ask it fail, and no others.
    pub(crate) fn judging(stage: &'a Stage<'a>, settings: &'a Settings) -> Result<Self, Error> {
        let (packages, damage) = match Facts::packages(stage).map_err(Error::from) {
            Ok(packages) => (packages, None),
            Err(error) => match place(&error) {
                Some(_) => (None, Some(error.to_string())),
                None => return Err(error),
            },
        };
        Ok(Self { damage, ..Self::with_packages(stage, settings, packages)? })
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
            damage: None,
            seen: OnceCell::new(),
        })
    }

    /// It is Ubuntu, or made of it.
    #[must_use]
    pub fn is_ubuntu(&self) -> bool {
        self.facts.os.as_deref() == Some("ubuntu") || self.facts.like.iter().any(|like| like == "ubuntu")
    }

    /// The version of a package that is unpacked, whatever its architecture.
    ///
    /// # Errors
    /// The image has no database of dpkg.
    pub fn package(&self, name: &str) -> Result<Option<&Version>, NoDatabase> {
        if let Some(damage) = &self.damage {
            merged::overlooked(STATUS_FILE, damage);
            return Ok(None);
        }
        self.facts.package(name)
    }

    /// The package is unpacked, whatever its architecture. An image without a package database has none.
    #[must_use]
    pub fn has_package(&self, name: &str) -> bool {
        matches!(self.package(name), Ok(Some(_)))
    }

    /// The image has a database of dpkg.
    #[must_use]
    pub fn has_dpkg(&self) -> bool {
        self.package("dpkg").is_ok()
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
