//! Which rules somebody wants.

use crate::rule::{Rule, rules};
use crate::settings::Settings;
use crate::tailoring::Tailoring;

/// The profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// What breaks nothing that a server usually does.
    #[default]
    Baseline,
    /// Level 1 of the benchmark, server.
    Cis1,
    /// Level 2 of the benchmark, server.
    Cis2,
}

impl Kind {
    /// The words of recipes and of `hardtack verify`.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("baseline", Self::Baseline), ("cis-1", Self::Cis1), ("cis-2", Self::Cis2)];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Cis1 => "cis-1",
            Self::Cis2 => "cis-2",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind)
    }

    /// The highest level that is in it; 0 for none.
    fn level(self) -> u8 {
        match self {
            Self::Baseline => 0,
            Self::Cis1 => 1,
            Self::Cis2 => 2,
        }
    }
}

/// What somebody leaves out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The rule's id.
    pub rule: &'static str,
    /// Why.
    pub reason: String,
}

/// A profile, as somebody has chosen it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Which one.
    pub kind: Kind,
    /// What is left out, and why.
    pub exceptions: Vec<Exception>,
    /// Rules, by their ids, that are wanted besides, or although all profiles except them.
    pub enforce: Vec<&'static str>,
    /// Lists of exceptions that ship with the profiles.
    pub tailorings: Vec<&'static Tailoring>,
    /// What the rules are told.
    pub settings: Settings,
}

impl Profile {
    /// The profile as it comes.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Its rules for an image of Ubuntu, or of anybody else, each with the reason why it is left out, where it is.
    pub fn selected(&self, ubuntu: bool) -> impl Iterator<Item = (&'static Rule, Option<&str>)> {
        let level = self.kind.level();
        rules().iter().filter_map(move |rule| {
            let enforced = self.enforce.contains(&rule.id);
            let of_level = (1..=level).contains(&rule.level.number(ubuntu));
            (enforced || rule.baseline || of_level).then(|| (rule, self.exception(rule, enforced)))
        })
    }

    fn exception(&self, rule: &Rule, enforced: bool) -> Option<&str> {
        if let Some(mine) = self.exceptions.iter().find(|exception| exception.rule == rule.id) {
            return Some(&mine.reason);
        }
        if enforced {
            return None;
        }
        let tailored = self.tailorings.iter().find_map(|tailoring| tailoring.reason(rule.id));
        // Who names the ports that shall be open wants the others closed.
        let tailored = tailored.filter(|_| rule.id != "fw-nft-deny" || self.settings.open_ports.is_empty());
        tailored.or(rule.exception)
    }
}
