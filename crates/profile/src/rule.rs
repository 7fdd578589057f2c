//! One control of a profile.

use std::sync::LazyLock;

use crate::{Bench, Error, Finding, View, families};

/// Of which server profile of the benchmark a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Of none: done where a recipe asks for it.
    None,
    /// Level 1.
    One,
    /// Level 2.
    Two,
    /// Debian's benchmark has it in level 1, Ubuntu's in level 2.
    DebianOne,
    /// Ubuntu's benchmark has it in level 1, Debian's in level 2.
    UbuntuOne,
}

impl Level {
    /// The level for an image of Ubuntu, or of anybody else; 0 for none.
    #[must_use]
    pub fn number(self, ubuntu: bool) -> u8 {
        match (self, ubuntu) {
            (Self::None, _) => 0,
            (Self::One, _) | (Self::DebianOne, false) | (Self::UbuntuOne, true) => 1,
            (Self::Two, _) | (Self::DebianOne, true) | (Self::UbuntuOne, false) => 2,
        }
    }
}

/// What brings an image to a rule, and tells whether it is there.
pub trait Measure: Sync {
    /// Makes it hold. Called for every rule that a profile selects, whether it holds or not: what it writes depends on
    /// profile and image alone, so that a second build changes nothing. What can only be looked at does nothing here.
    ///
    /// # Errors
    /// The image cannot have it.
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let _ = bench;
        Ok(())
    }

    /// Whether it holds. Looks at what is in force once all files are read as their service reads them, never only at
    /// the files that `apply` writes.
    ///
    /// # Errors
    /// The image cannot be read. A file that its service would refuse is a [`Finding::Fail`].
    fn check(&self, view: &View<'_>) -> Result<Finding, Error>;

    /// Packages that it wants installed, by Debian's names.
    fn installs(&self, view: &View<'_>) -> &'static [&'static str] {
        let _ = view;
        &[]
    }

    /// Packages that it wants gone.
    fn removes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Carried out behind all other steps of a recipe: it depends on what they leave.
    fn is_late(&self) -> bool {
        false
    }
}

/// One control.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name, the same for ever: `sshd-banner`.
    pub id: &'static str,
    /// Its numbers in the benchmarks, `5.1.5` or `1.1.2.3.2-3`; empty for one of our own or of lynis.
    pub cis: &'static str,
    /// Its level there.
    pub level: Level,
    /// It is in the profile `baseline`, too, and so in all of them.
    pub baseline: bool,
    /// What holds when it passes.
    pub title: &'static str,
    /// Why that is wanted.
    pub reason: &'static str,
    /// Why all profiles leave it alone, and what is there instead; `enforce` of a recipe overrules it.
    pub exception: Option<&'static str>,
    /// How it is done.
    pub measure: &'static dyn Measure,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl Rule {
    /// A rule that is in the profiles of its level.
    #[must_use]
    pub const fn new(
        id: &'static str,
        cis: &'static str,
        level: Level,
        title: &'static str,
        reason: &'static str,
        measure: &'static dyn Measure,
    ) -> Self {
        Self { id, cis, level, baseline: false, title, reason, exception: None, measure }
    }

    /// The same, in `baseline`, too.
    #[must_use]
    pub const fn baseline(self) -> Self {
        Self { baseline: true, ..self }
    }

    /// The same, left alone by all profiles, for this reason.
    #[must_use]
    pub const fn excepted(self, reason: &'static str) -> Self {
        Self { exception: Some(reason), ..self }
    }

    /// Its numbers one by one.
    #[must_use]
    pub fn numbers(&self) -> Vec<String> {
        let Some((first, last)) = self.cis.split_once('-') else {
            return if self.cis.is_empty() { Vec::new() } else { vec![self.cis.to_owned()] };
        };
        let (stem, first) = first.rsplit_once('.').unwrap_or(("", first));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) => (first..=last).map(|number| format!("{stem}.{number}")).collect(),
            _ => vec![self.cis.to_owned()],
        }
    }

    /// Whether `word` names it: its id, its numbers as they stand in `cis`, or one of them.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        word == self.id
            || !word.is_empty() && (word == self.cis || self.numbers().iter().any(|one| one == word))
    }
}

/// All rules, in the order of the benchmarks.
#[must_use]
pub fn rules() -> &'static [Rule] {
    static ALL: LazyLock<Vec<Rule>> =
        LazyLock::new(|| families::ALL.iter().flat_map(|(_, family)| family.iter().copied()).collect());
    &ALL
}

/// The rule of this id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::rules;

    #[test]
    fn ids_and_numbers_are_used_once() {
        let mut ids: Vec<&str> = rules().iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
        for rule in rules() {
            assert!(!rule.title.is_empty() && !rule.reason.is_empty(), "{}", rule.id);
            assert!(rule.exception.is_none_or(|reason| !reason.is_empty()), "{}", rule.id);
        }
    }
}
