//! login.defs(5) and what useradd(8) gives to new accounts.

use hardtack_report::Place;

use super::shadow::{self, Aging};
use crate::key_file::{self, Form};
use crate::{Bench, Error, Finding, Measure, View, merged};

pub(super) const LOGIN_DEFS: &str = "/etc/login.defs";
pub(super) const USERADD: &str = "/etc/default/useradd";
/// The tools read login.defs; this one says by its words which hashes they know.
const TOOL: &str = "/usr/sbin/chpasswd";

/// A value of a main file, and the field of shadow(5) that it gives to accounts with a password.
pub(super) struct Value {
    pub(super) path: &'static str,
    pub(super) key: &'static str,
    pub(super) value: &'static str,
    pub(super) good: fn(&str) -> bool,
    pub(super) wanted: &'static str,
    pub(super) aging: Option<Aging>,
}

impl Value {
    fn form(&self) -> Form {
        if self.path == USERADD { Form::Shell } else { Form::Blank }
    }
}

impl Measure for Value {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let value = (self.key, self.value);
        key_file::set(bench.stage, self.form(), self.path, value, false, &self.good)?;
        if let Some(aging) = &self.aging {
            shadow::set(bench, aging)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = match said(view, self.form(), self.path, self.key) {
            None => return Ok(Finding::NotApplicable(format!("the image has no {}", self.path))),
            Some(Some((_, said))) if (self.good)(&said) => Vec::new(),
            Some(Some((place, said))) => {
                vec![(place, format!("{} is {said}; {} is wanted", self.key, self.wanted))]
            }
            Some(None) => {
                let what = format!("{} is set nowhere; {} is wanted", self.key, self.wanted);
                vec![(Place::file(self.path), what)]
            }
        };
        if let Some(aging) = &self.aging {
            faults.extend(shadow::faults(view.stage, aging)?);
        }
        Ok(Finding::of(faults))
    }
}

/// What a main file says last; `None` where it is not there.
fn said(view: &View<'_>, form: Form, path: &str, key: &str) -> Option<Option<(Place, String)>> {
    let text = merged::text(view.stage, path)?;
    let last = key_file::all(form, path, &text, key).pop();
    Some(last.map(|last| (Place { path: last.path, line: Some(last.line) }, last.value)))
}

/// How tools that do not ask PAM hash passwords.
pub(super) struct Hash;

impl Measure for Hash {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let known = super::super::pam::holds(bench.stage, TOOL, "YESCRYPT");
        let method = if known { "YESCRYPT" } else { "SHA512" };
        let value = ("ENCRYPT_METHOD", method);
        key_file::set(bench.stage, Form::Blank, LOGIN_DEFS, value, false, &|said| said == method)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let good = |said: &str| matches!(said, "YESCRYPT" | "SHA512");
        Ok(match said(view, Form::Blank, LOGIN_DEFS, "ENCRYPT_METHOD") {
            None => Finding::NotApplicable(format!("the image has no {LOGIN_DEFS}")),
            Some(Some((_, said))) if good(&said) => Finding::Pass,
            Some(Some((place, said))) => {
                Finding::of(vec![(place, format!("ENCRYPT_METHOD is {said}; YESCRYPT or SHA512 is wanted"))])
            }
            Some(None) => Finding::fail_at(LOGIN_DEFS, "ENCRYPT_METHOD is set nowhere: it would be DES"),
        })
    }
}

/// How much work a hash is, as far as the tools know the words.
pub(super) struct Rounds;

const ROUNDS: [(&str, &str, u32); 3] = [
    ("SHA_CRYPT_MIN_ROUNDS", "65536", 65_536),
    ("SHA_CRYPT_MAX_ROUNDS", "65536", 65_536),
    ("YESCRYPT_COST_FACTOR", "6", 6),
];

impl Measure for Rounds {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for (key, value, least) in ROUNDS {
            // login.defs of older releases does not know it, and the tools complain about what they do not know.
            if bench.stage.read_text(LOGIN_DEFS)?.is_some_and(|text| text.contains(key)) {
                let good = |said: &str| said.parse::<u32>().is_ok_and(|said| said >= least);
                key_file::set(bench.stage, Form::Blank, LOGIN_DEFS, (key, value), false, &good)?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(text) = merged::text(view.stage, LOGIN_DEFS) else {
            return Ok(Finding::NotApplicable(format!("the image has no {LOGIN_DEFS}")));
        };
        let mut faults = Vec::new();
        for (key, value, least) in ROUNDS.into_iter().filter(|(key, ..)| text.contains(key)) {
            let last = key_file::all(Form::Blank, LOGIN_DEFS, &text, key).pop();
            let number = last.as_ref().and_then(|last| last.value.parse::<u32>().ok());
            if number.is_none_or(|number| number < least) {
                let place = Place { path: LOGIN_DEFS.to_owned(), line: last.map(|last| last.line) };
                faults.push((place, format!("{key} is not {value} or more")));
            }
        }
        Ok(Finding::of(faults))
    }
}
