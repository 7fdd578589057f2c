//! Wrong passwords lock an account for a while: pam_faillock, and pam_tally2 before PAM 1.4.

use hardtack_guest::Stage;
use hardtack_guest::pam::{Answer, Facility, Step, can_succeed};
use hardtack_report::Place;

use super::stacks::{self, Maker};
use crate::key_file::{self, Form};
use crate::{Bench, Error, Finding, Measure, View, merged};

pub(super) const FAILLOCK: &str = "pam_faillock.so";
pub(super) const TALLY: &str = "pam_tally2.so";
const CONF: &str = "/etc/security/faillock.conf";

/// The stacks count wrong passwords, and refuse who has too many.
pub(super) struct Lock;

impl Measure for Lock {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        super::authselect(bench, "pam-faillock-on", "with-faillock")?;
        bench.wishes.lock = true;
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        super::or_authselect(view, "pam-faillock-on", "with-faillock", check(view.stage)?)
    }
}

/// Whether they do.
pub(super) fn check(stage: &Stage<'_>) -> Result<Finding, Error> {
    let auth = stacks::judge(stage, Facility::Auth, &|steps| auth_faults(steps).into_iter().collect())?;
    if auth != Finding::Pass {
        return Ok(auth);
    }
    stacks::judge(stage, Facility::Account, &|steps| {
        let counted = steps.iter().any(is_lock);
        let what =
            "neither pam_faillock nor pam_tally2 is in the account stack: nothing takes the count back";
        if counted { Vec::new() } else { vec![(None, what.to_owned())] }
    })
}

fn is_lock(step: &Step) -> bool {
    step.module == FAILLOCK || step.module == TALLY
}

fn auth_faults(steps: &[Step]) -> Option<(Option<usize>, String)> {
    let Some(first) = steps.iter().position(is_lock) else {
        return Some((None, "neither pam_faillock nor pam_tally2 is in the stack".to_owned()));
    };
    let Some(unix) = stacks::position(steps, "pam_unix.so") else {
        return Some((None, "pam_unix is not in the stack".to_owned()));
    };
    if first > unix {
        return Some((Some(first), "who is locked is asked only behind pam_unix".to_owned()));
    }
    let counts = |step: &Step| step.module == TALLY || stacks::says(step, "authfail");
    if !steps
        .iter()
        .enumerate()
        .any(|(index, step)| is_lock(step) && counts(step) && (index > unix || step.module == TALLY))
    {
        return Some((
            Some(first),
            "no line of pam_faillock behind pam_unix says authfail: nothing counts".to_owned(),
        ));
    }
    // Locked, and with the right password.
    let passes = can_succeed(steps, |step| match step.module.as_str() {
        FAILLOCK if !stacks::says(step, "preauth") => vec![Answer::Failure, Answer::Success],
        FAILLOCK | TALLY | "pam_deny.so" => vec![Answer::Failure],
        "pam_permit.so" => vec![Answer::Success],
        _ => vec![Answer::Success, Answer::Ignore, Answer::Failure],
    });
    passes.then(|| (Some(first), "who is locked gets through all the same".to_owned()))
}

/// A value of pam_faillock.
pub(super) struct Limit {
    pub(super) key: &'static str,
    /// `None`: the word alone.
    pub(super) value: Option<&'static str>,
    pub(super) good: fn(&str) -> bool,
    pub(super) wanted: &'static str,
}

impl Limit {
    /// pam_tally2 calls them the same on its line.
    fn on_lines(&self, stage: &Stage<'_>, maker: Maker) -> Vec<(Place, String)> {
        let mut said = Vec::new();
        for (_, steps) in stacks::read(stage, maker, Facility::Auth) {
            for step in steps.unwrap_or_default().iter().filter(|step| is_lock(step)) {
                if stacks::says(step, self.key) {
                    said.push((stacks::place(step), String::new()));
                } else if let Some(value) = stacks::option(step, self.key) {
                    said.push((stacks::place(step), value.to_owned()));
                }
            }
        }
        said
    }
}

impl Measure for Limit {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        // pam_tally2 has them on its line.
        let there = stacks::module(bench.stage, FAILLOCK)?.is_some();
        if there {
            let value = (self.key, self.value.unwrap_or_default());
            key_file::set(bench.stage, Form::Equals, CONF, value, true, &self.good)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let maker = stacks::maker(view.stage)?;
        if maker == Maker::Nobody {
            return Ok(stacks::foreign());
        }
        let lines = self.on_lines(view.stage, maker);
        let bad = |(place, said): &(Place, String)| {
            (place.clone(), format!("{} is {said}, not {}", self.key, self.wanted))
        };
        let wrong: Vec<_> = lines.iter().filter(|(_, said)| !(self.good)(said)).map(bad).collect();
        if !wrong.is_empty() {
            return Ok(Finding::of(wrong));
        }
        let text = merged::text(view.stage, CONF).unwrap_or_default();
        let said = key_file::all(Form::Equals, CONF, &text, self.key);
        Ok(match said.last() {
            // The line has the last word.
            _ if !lines.is_empty() => Finding::Pass,
            Some(last) if (self.good)(&last.value) => Finding::Pass,
            Some(last) => {
                let place = Place { path: last.path.clone(), line: Some(last.line) };
                Finding::of(vec![bad(&(place, last.value.clone()))])
            }
            None => {
                Finding::fail_at(CONF, format!("{} is set nowhere; it shall be {}", self.key, self.wanted))
            }
        })
    }
}

/// Several values, all of them.
pub(super) struct Limits(pub(super) &'static [Limit]);

impl Measure for Limits {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|limit| limit.apply(bench))
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        for limit in self.0 {
            let finding = limit.check(view)?;
            if finding != Finding::Pass {
                return Ok(finding);
            }
        }
        Ok(Finding::Pass)
    }
}
