//! Old passwords are not taken again: pam_pwhistory.

use hardtack_guest::Stage;
use hardtack_guest::pam::Facility;

use super::stacks::{self, Maker};
use crate::key_file::{self, Form};
use crate::{Bench, Error, Finding, Measure, View, merged};

pub(super) const MODULE: &str = "pam_pwhistory.so";
/// Read since PAM 1.5, where the line says nothing.
const CONF: &str = "/etc/security/pwhistory.conf";

/// The module is asked before pam_unix changes the password.
pub(super) struct On;

impl Measure for On {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        super::authselect(bench, "pam-pwhistory-on", "with-pwhistory")?;
        bench.wishes.history = true;
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        super::or_authselect(view, "pam-pwhistory-on", "with-pwhistory", on(view.stage)?)
    }
}

/// Whether it is.
pub(super) fn on(stage: &Stage<'_>) -> Result<Finding, Error> {
    stacks::judge(stage, Facility::Password, &|steps| {
        let unix = stacks::position(steps, "pam_unix.so").unwrap_or(steps.len());
        match stacks::position(steps, MODULE) {
            Some(index) if index < unix => Vec::new(),
            Some(index) => vec![(Some(index), "pam_pwhistory stands behind pam_unix".to_owned())],
            None => vec![(None, "pam_pwhistory is not in the stack".to_owned())],
        }
    })
}

/// A word of the module's: on its line, or in its file.
pub(super) struct Word {
    pub(super) key: &'static str,
    /// As it stands on the line.
    pub(super) word: &'static str,
    pub(super) good: fn(&str) -> bool,
}

impl Measure for Word {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.wishes.history_words.push(self.word);
        if stacks::maker(bench.stage)? == Maker::Authselect {
            let value = self.word.split_once('=').map_or("", |(_, value)| value);
            let make = stacks::module(bench.stage, MODULE)?.is_some();
            key_file::set(bench.stage, Form::Equals, CONF, (self.key, value), make, &self.good)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let text = merged::text(view.stage, CONF).unwrap_or_default();
        let file = key_file::all(Form::Equals, CONF, &text, self.key).pop().map(|last| last.value);
        let found = stacks::judge(view.stage, Facility::Password, &|steps| {
            let Some(index) = stacks::position(steps, MODULE) else {
                return vec![(None, "pam_pwhistory is not in the stack".to_owned())];
            };
            let step = &steps[index];
            let line = if stacks::says(step, self.key) { Some("") } else { stacks::option(step, self.key) };
            match line.or(file.as_deref()) {
                Some(said) if (self.good)(said) => Vec::new(),
                Some(said) => vec![(Some(index), format!("{} is {said}; {} is wanted", self.key, self.word))],
                None => vec![(Some(index), format!("{} is missing", self.word))],
            }
        })?;
        super::or_authselect(view, "pam-pwhistory-on", "with-pwhistory", found)
    }
}

/// `use_authtok` where a module before asks for the password, and only there.
pub(super) struct Authtok {
    pub(super) module: &'static str,
}

impl Measure for Authtok {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if self.module == MODULE {
            bench.wishes.history_authtok = true;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let maker = stacks::maker(view.stage)?;
        if maker == Maker::Nobody {
            return Ok(stacks::foreign());
        }
        let mut asked = true;
        for (_, steps) in stacks::read(view.stage, maker, Facility::Password) {
            let steps = steps.unwrap_or_default();
            if let Some(index) = stacks::position(&steps, self.module) {
                asked &= stacks::asked_before(&steps, index) || stacks::says(&steps[index], "use_authtok");
            }
        }
        let found = stacks::judge(view.stage, Facility::Password, &|steps| {
            let Some(index) = stacks::position(steps, self.module) else {
                return vec![(None, format!("{} is not in the stack", self.module))];
            };
            let what = match (stacks::asked_before(steps, index), stacks::says(&steps[index], "use_authtok"))
            {
                (true, false) => "asks for the password again: use_authtok is missing",
                (false, true) => {
                    "has use_authtok, and nothing before it asks: every change of a password fails"
                }
                _ => return Vec::new(),
            };
            vec![(Some(index), format!("{} {what}", self.module))]
        })?;
        if found == Finding::Pass && !asked {
            return Ok(Finding::Exception(format!(
                "no module before {} asks for the new password: with use_authtok every change would fail",
                self.module
            )));
        }
        Ok(found)
    }
}
