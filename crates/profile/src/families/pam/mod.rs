//! PAM: faillock, pwquality, pwhistory, unix.
//!
//! A wrong one-time code is not counted by pam_faillock: the code is asked behind pam_unix's stack, which is left by
//! then, and it has a limit of its own. pam_tally2, before PAM 1.4, counts every login that does not come to its end.

mod history;
mod lock;
mod quality;
mod stacks;
#[cfg(test)]
mod tests;
mod wishes;

use hardtack_guest::Stage;
use hardtack_guest::pam::{Facility, steps};
use hardtack_report::Place;

use crate::packages::Wanted;
use crate::{Bench, Error, Finding, Level, Measure, Rule, View};
use history::{Authtok, Word};
use lock::{Limit, Limits, Lock};
pub(crate) use quality::DROP_IN;
use quality::Value;
use stacks::Maker;
pub(crate) use stacks::holds;
pub(crate) use wishes::{Wishes, finish};

const UNIX: &str = "pam_unix.so";
/// Words of pam_unix that are strong, by today's measure.
const HASHES: [&str; 3] = ["yescrypt", "gost_yescrypt", "sha512"];
const WEAK_HASHES: [&str; 4] = ["md5", "bigcrypt", "sha256", "blowfish"];

/// The module stands in the shared stacks.
fn has(stage: &Stage<'_>, module: &str) -> Result<Finding, Error> {
    let facilities: &[Facility] = match module {
        UNIX => &[Facility::Auth, Facility::Account, Facility::Password, Facility::Session],
        _ => &[Facility::Password],
    };
    for facility in facilities {
        let found = stacks::judge(stage, *facility, &|steps| match stacks::position(steps, module) {
            Some(_) => Vec::new(),
            None => vec![(None, format!("{module} is not in the stack"))],
        })?;
        if found != Finding::Pass {
            return Ok(found);
        }
    }
    Ok(Finding::Pass)
}

/// The first boot switches a feature of authselect on, where that makes the stacks.
fn authselect(bench: &mut Bench<'_, '_>, rule: &'static str, feature: &str) -> Result<(), Error> {
    if stacks::maker(bench.stage)? == Maker::Authselect {
        let body = format!(
            "    authselect current >/dev/null 2>&1 || {{ echo 'authselect does not make the stacks'; return 1; }}\n    \
             authselect enable-feature {feature} && authselect apply-changes"
        );
        bench.first_boot(rule, body);
    }
    Ok(())
}

/// What is found, or what the first boot will do about it.
fn or_authselect(view: &View<'_>, rule: &str, feature: &str, found: Finding) -> Result<Finding, Error> {
    if matches!(found, Finding::Fail { .. }) && stacks::maker(view.stage)? == Maker::Authselect {
        return Ok(view.at_first_boot(rule, &format!("authselect enable-feature {feature}")));
    }
    Ok(found)
}

/// pam_unix is asked.
struct Unix;

impl Measure for Unix {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.wishes.unix = true;
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let found = has(view.stage, UNIX)?;
        if found != Finding::Pass {
            return Ok(found);
        }
        waved_through(view.stage)
    }
}

/// Services that people log in by, besides the shared stacks.
const DOORS: [&str; 6] = ["sshd", "login", "su", "sudo", "common-auth", "common-password"];

/// A line that lets everybody in before anything is asked makes the rest of a stack worthless.
fn waved_through(stage: &Stage<'_>) -> Result<Finding, Error> {
    let mut faults: Vec<(Place, String)> = Vec::new();
    for service in DOORS {
        if stage.stat(&format!("/etc/pam.d/{service}"))?.is_none() {
            continue;
        }
        for facility in [Facility::Auth, Facility::Password] {
            let Ok(steps) = steps(stage, service, facility) else { continue };
            let asked = stacks::position(&steps, UNIX).unwrap_or(steps.len());
            for step in &steps[..asked] {
                let ends = step.control == "sufficient" || step.control.contains("success=done");
                let fault = (
                    stacks::place(step),
                    "pam_permit lets everybody through before a password is asked".to_owned(),
                );
                if step.module == "pam_permit.so" && ends && !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
        }
    }
    Ok(Finding::of(faults))
}

/// No line of pam_unix lets empty passwords in.
struct NoNullok;

impl Measure for NoNullok {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        authselect(bench, "unix-nullok", "without-nullok")?;
        bench.wishes.no_nullok = true;
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let found = without(view, &|word| matches!(word, "nullok" | "nullok_secure"))?;
        or_authselect(view, "unix-nullok", "without-nullok", found)
    }
}

/// No line of pam_unix keeps old passwords: they would be weakly hashed, in a second place.
struct NoRemember;

impl Measure for NoRemember {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.wishes.no_remember = stacks::module(bench.stage, history::MODULE)?.is_some();
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if stacks::module(view.stage, history::MODULE)?.is_none() {
            return Ok(Finding::NotApplicable("the image has no pam_pwhistory that could do it".to_owned()));
        }
        without(view, &|word| word.starts_with("remember="))
    }
}

fn without(view: &View<'_>, bad: &dyn Fn(&str) -> bool) -> Result<Finding, Error> {
    for facility in [Facility::Auth, Facility::Account, Facility::Password, Facility::Session] {
        let found = stacks::judge(view.stage, facility, &|steps| {
            let lines = steps.iter().enumerate().filter(|(_, step)| step.module == UNIX);
            lines
                .filter_map(|(index, step)| {
                    let word = step.arguments.iter().find(|word| bad(word))?;
                    Some((Some(index), format!("pam_unix says {word}")))
                })
                .collect()
        })?;
        if found != Finding::Pass {
            return Ok(found);
        }
    }
    Ok(Finding::Pass)
}

/// pam_unix hashes new passwords strongly.
struct Hash;

impl Measure for Hash {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.wishes.hash = true;
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        stacks::judge(view.stage, Facility::Password, &|steps| {
            let lines = steps.iter().enumerate().filter(|(_, step)| step.module == UNIX);
            let weak = lines.filter(|(_, step)| !HASHES.iter().any(|hash| stacks::says(step, hash)));
            weak.map(|(index, _)| (Some(index), "pam_unix says neither yescrypt nor sha512".to_owned()))
                .collect()
        })
    }
}

/// Logins over SSH ask for a one-time code, which the recipe's step `mfa` does.
struct Code;

impl Measure for Code {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        const MODULE: &str = "pam_google_authenticator.so";
        let steps = match steps(view.stage, "sshd", Facility::Auth) {
            Ok(steps) => steps,
            Err(error) => return Ok(Finding::fail_at("/etc/pam.d/sshd", error.to_string())),
        };
        let Some(index) = stacks::position(&steps, MODULE) else {
            let what = format!("{MODULE} is not asked: the step `mfa` of a recipe brings it");
            return Ok(Finding::fail_at("/etc/pam.d/sshd", what));
        };
        if stacks::says(&steps[index], "nullok") {
            let what = "nullok lets everybody in who has no secret".to_owned();
            return Ok(Finding::of(vec![(stacks::place(&steps[index]), what)]));
        }
        Ok(Finding::Pass)
    }
}

fn between(text: &str, low: u32, high: u32) -> bool {
    text.parse::<u32>().is_ok_and(|number| (low..=high).contains(&number))
}

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "pam-packages",
        "5.3.1.1-2",
        Level::One,
        "PAM's own packages are there",
        "without them there is nothing that the other controls could tell",
        &Wanted(&["libpam-runtime", "libpam-modules"]),
    ),
    Rule::new(
        "pam-pwquality-pkg",
        "5.3.1.3",
        Level::One,
        "the module that looks at new passwords is there",
        "pam_unix alone takes nearly everything",
        &quality::PACKAGE,
    ),
    Rule::new(
        "pam-unix-on",
        "5.3.2.1",
        Level::One,
        "pam_unix is asked by all of PAM's shared stacks",
        "it proves local passwords and knows expired accounts",
        &Unix,
    )
    .baseline(),
    Rule::new(
        "pam-faillock-on",
        "5.3.2.2",
        Level::One,
        "wrong passwords are counted, and too many lock the account for a while",
        "who may try without end guesses every password; logins by key alone are not touched by it",
        &Lock,
    ),
    Rule::new(
        "pam-pwquality-on",
        "5.3.2.3",
        Level::One,
        "new passwords are looked at before they are taken",
        "people choose what is guessed first",
        &quality::On,
    ),
    Rule::new(
        "pam-pwhistory-on",
        "5.3.2.4",
        Level::One,
        "old passwords are known",
        "a password that leaked would come back at the next change",
        &history::On,
    ),
    Rule::new(
        "faillock-deny",
        "5.3.3.1.1",
        Level::One,
        "at most five wrong passwords are taken",
        "each try is a chance; five leave room for typing errors",
        &Limit { key: "deny", value: Some("5"), good: |said| between(said, 1, 5), wanted: "1 to 5" },
    ),
    Rule::new(
        "faillock-unlock",
        "5.3.3.1.2",
        Level::One,
        "an account stays locked for 15 minutes",
        "it makes guessing slow, and nobody is needed who unlocks",
        &Limit {
            key: "unlock_time",
            value: Some("900"),
            good: |said| said == "0" || said == "never" || between(said, 900, u32::MAX),
            wanted: "900 or more",
        },
    ),
    Rule::new(
        "faillock-root",
        "5.3.3.1.3",
        Level::Two,
        "root is locked like everybody else, for a minute",
        "root's password could be guessed on the console",
        &Limits(&[
            Limit { key: "even_deny_root", value: None, good: |said| said.is_empty(), wanted: "the word alone" },
            Limit {
                key: "root_unlock_time",
                value: Some("60"),
                good: |said| between(said, 60, u32::MAX),
                wanted: "60 or more",
            },
        ]),
    )
    .excepted("whoever types wrong passwords would keep root from the console; root has no password in cloud images"),
    Rule::new(
        "pwquality-difok",
        "5.3.3.2.1",
        Level::One,
        "a new password differs from the old one",
        "counting one digit up is what everybody tries first",
        &Value { key: "difok", value: "2", good: |said| between(said, 2, 1000), wanted: "2 or more" },
    ),
    Rule::new(
        "pwquality-minlen",
        "5.3.3.2.2",
        Level::One,
        "a new password has 14 characters",
        "length is what makes guessing long",
        &Value { key: "minlen", value: "14", good: |said| between(said, 14, 1000), wanted: "14 or more" },
    ),
    Rule::new(
        "pwquality-complex",
        "5.3.3.2.3",
        Level::One,
        "a new password has letters of both cases, digits, and others",
        "dictionaries begin with small letters",
        &Value { key: "minclass", value: "4", good: |said| said == "4", wanted: "4" },
    ),
    Rule::new(
        "pwquality-repeat",
        "5.3.3.2.4",
        Level::One,
        "a character stands at most three times in a row",
        "repeated ones add length only",
        &Value { key: "maxrepeat", value: "3", good: |said| between(said, 1, 3), wanted: "1 to 3" },
    ),
    Rule::new(
        "pwquality-sequence",
        "5.3.3.2.5",
        Level::One,
        "sequences such as 1234 have at most three characters",
        "they add length only",
        &Value { key: "maxsequence", value: "3", good: |said| between(said, 1, 3), wanted: "1 to 3" },
    ),
    Rule::new(
        "pwquality-dict",
        "5.3.3.2.6",
        Level::One,
        "words of the dictionary are refused",
        "they are guessed first",
        &Value { key: "dictcheck", value: "1", good: |said| between(said, 1, 1000), wanted: "1" },
    ),
    Rule::new(
        "pwquality-enforcing",
        "5.3.3.2.7",
        Level::One,
        "weak passwords are refused, not only remarked on",
        "a warning stops nobody",
        &Value { key: "enforcing", value: "1", good: |said| between(said, 1, 1000), wanted: "1" },
    ),
    Rule::new(
        "pwquality-root",
        "5.3.3.2.8",
        Level::One,
        "weak passwords are refused when root sets them, too",
        "passwords that root gives to others are no better; ready hashes (chpasswd -e, cloud-init's hashed ones, the ones \
         that a recipe or the machine itself makes) do not come by PAM",
        &Value { key: "enforce_for_root", value: "", good: |said| said.is_empty() || said == "1", wanted: "the word alone" },
    ),
    Rule::new(
        "pwhistory-remember",
        "5.3.3.3.1",
        Level::One,
        "the last 24 passwords are not taken again",
        "fewer are gone through in an afternoon",
        &Word { key: "remember", word: "remember=24", good: |said| between(said, 24, 400) },
    ),
    Rule::new(
        "pwhistory-root",
        "5.3.3.3.2",
        Level::One,
        "old passwords are not taken from root, either",
        "root would hand out what leaked",
        &Word { key: "enforce_for_root", word: "enforce_for_root", good: |said| said.is_empty() },
    ),
    Rule::new(
        "pwhistory-authtok",
        "5.3.3.3.3",
        Level::One,
        "pam_pwhistory judges the password that was asked for",
        "asked twice, the second answer would have been looked at by nobody",
        &Authtok { module: history::MODULE },
    ),
    Rule::new(
        "unix-nullok",
        "5.3.3.4.1",
        Level::One,
        "empty passwords let nobody in",
        "an account whose password was never set would be everybody's",
        &NoNullok,
    )
    .baseline(),
    Rule::new(
        "unix-remember",
        "5.3.3.4.2",
        Level::One,
        "pam_unix keeps no old passwords",
        "pam_pwhistory does it, and two lists would differ",
        &NoRemember,
    ),
    Rule::new(
        "unix-hash",
        "5.3.3.4.3",
        Level::One,
        "new passwords are hashed by yescrypt or SHA-512",
        "a stolen shadow file is searched at the speed of its hashes",
        &Hash,
    )
    .baseline(),
    Rule::new(
        "unix-authtok",
        "5.3.3.4.4",
        Level::One,
        "pam_unix takes the password that was looked at",
        "asked twice, the second answer would have been looked at by nobody",
        &Authtok { module: UNIX },
    ),
    Rule::new(
        "mfa-google",
        "",
        Level::None,
        "logins over SSH ask for a one-time code",
        "a key or a password that was taken is not enough then; the step `mfa` does it",
        &Code,
    ),
];
