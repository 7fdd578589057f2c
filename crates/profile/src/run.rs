//! Carrying out a profile, and judging an image by it.

use hardtack_guest::{Error as Guest, Stage};
use hardtack_report::{Control, Outcome, Place};

use crate::{Bench, Error, Finding, Newcomer, Profile, Rule, View, merged};

const HELP: &str = "a recipe with the key profile brings an image there (hardtack build), or makes an exception with a reason";

/// When rules are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the steps that look at what is in force.
    Early,
    /// Behind all other steps.
    Late,
}

/// What a build knows besides profile and image.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The clock of the build, seconds since 1970.
    pub epoch: i64,
    /// Keywords of sshd_config that the recipe itself speaks of: it has the last word there, and `check` tells.
    pub spoken: &'a [String],
    /// Accounts that the image has not yet, and that the machine makes at its first boot.
    pub newcomers: &'a [Newcomer],
}

/// What carrying out came to.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Sentences for the people who build the image.
    pub notes: Vec<String>,
}

/// A rule, and what looking at it came to.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The rule.
    pub rule: &'static Rule,
    /// What it came to.
    pub finding: Finding,
}

/// Carries out the rules of this phase.
///
/// The late phase gathers the files of the early one again, since both write into the same: it runs all rules.
///
/// # Errors
/// The first rule that the image cannot have.
pub fn apply(
    profile: &Profile,
    stage: &mut Stage<'_>,
    around: Surroundings<'_>,
    phase: Phase,
) -> Result<Applied, Error> {
    let selected: Vec<&Rule> = {
        let view = View::new(stage, &profile.settings)?;
        let wanted = profile.selected(view.is_ubuntu());
        wanted.filter(|(_, exception)| exception.is_none()).map(|(rule, _)| rule).collect()
    };
    let mut bench = Bench::new(stage, &profile.settings, around.epoch, around.spoken);
    bench.newcomers = around.newcomers;
    for rule in selected.into_iter().filter(|rule| phase == Phase::Late || !rule.measure.is_late()) {
        rule.measure.apply(&mut bench)?;
    }
    bench.finish()?;
    Ok(Applied { notes: bench.notes })
}

/// Judges what is in `stage` by the profile's rules, in the order of the benchmarks.
///
/// # Errors
/// The image cannot be read.
pub fn check(profile: &Profile, stage: &Stage<'_>) -> Result<Vec<Judged>, Error> {
    let view = View::judging(stage, &profile.settings)?;
    let mut judged = Vec::new();
    merged::unread();
    for (rule, exception) in profile.selected(view.is_ubuntu()) {
        let finding = match exception {
            Some(reason) => Finding::Exception(reason.to_owned()),
            None => doubted(rule.measure.check(&view).or_else(unread)?, merged::unread()),
        };
        judged.push(Judged { rule, finding });
    }
    Ok(judged)
}

/// A finding that was come to without some file is none: what is in the file may say otherwise.
fn doubted(finding: Finding, missed: Vec<(String, String)>) -> Finding {
    if missed.is_empty() {
        return finding;
    }
    let (mut why, mut places) = match finding {
        Finding::Fail { why, places } => (why, places),
        // It is left alone whatever the file says.
        Finding::Exception(why) => return Finding::Exception(why),
        Finding::Pass | Finding::NotApplicable(_) | Finding::FirstBoot(_) => (Vec::new(), Vec::new()),
    };
    for (path, what) in missed {
        why.push(format!("cannot be judged: {what}"));
        places.push(Place::file(path));
    }
    Finding::Fail { why, places }
}

/// A file that cannot be looked at is a fault of the rule that needs it, and says nothing of the others. A disk or a
/// file system that cannot be read is one of all of them.
fn unread(error: Error) -> Result<Finding, Error> {
    let what = error.to_string();
    match (&error, place(&error)) {
        (_, Some(place)) => Ok(Finding::Fail { why: vec![what], places: vec![place] }),
        (Error::Refused { .. }, None) => Ok(Finding::fail(what)),
        (Error::Guest(_), None) => Err(error),
    }
}

/// The file that is at fault, if it is one.
pub(crate) fn place(error: &Error) -> Option<Place> {
    let Error::Guest(source) = error else { return None };
    match source {
        Guest::WrongType { path, .. }
        | Guest::Missing { path }
        | Guest::LinkLoop { path }
        | Guest::TooLarge { path, .. } => Some(Place::file(path.as_str())),
        Guest::Content { path, line, .. } => Some(Place { path: path.as_str().to_owned(), line: *line }),
        // "/var/lib/dpkg/status:12: what is wrong there"
        Guest::Refused(what) if what.starts_with('/') => {
            let (place, _) = what.split_once(": ")?;
            let (path, line) = place.rsplit_once(':').unwrap_or((place, ""));
            let is_file = !path.contains(char::is_whitespace);
            is_file.then(|| Place { path: path.to_owned(), line: line.parse().ok() })
        }
        _ => None,
    }
}

/// A judgement as reports tell it.
#[must_use]
pub fn control(profile: &Profile, judged: &Judged) -> Control {
    let Judged { rule, finding } = judged;
    let (outcome, why, places) = match finding.clone() {
        Finding::Pass => (Outcome::Pass, String::new(), Vec::new()),
        Finding::Fail { mut why, places } => {
            why.push(format!("wanted because {}", rule.reason));
            (Outcome::Fail, why.join("\n"), places)
        }
        Finding::NotApplicable(why) => (Outcome::NotApplicable, why, Vec::new()),
        Finding::Exception(why) => (Outcome::Exception, why, Vec::new()),
        Finding::FirstBoot(what) => (Outcome::FirstBoot, what, Vec::new()),
    };
    let number = if rule.cis.is_empty() { String::new() } else { format!("{} ", rule.cis) };
    Control {
        id: format!("{}/{} {}", profile.kind.word(), rule.id, rule.cis).trim_end().to_owned(),
        title: format!("{number}{}", rule.title),
        help: if outcome == Outcome::Fail { HELP.to_owned() } else { String::new() },
        outcome,
        why,
        places,
    }
}

#[cfg(test)]
mod tests;
