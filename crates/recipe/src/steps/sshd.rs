//! `sshd`: any directives, where they win, proven to be in force.

use hardtack_guest::sshd::{self, Config, Directive};

use super::mfa::{refuse_mismatch, refuse_problem, shown};
use crate::model::{MatchPolicy, MfaStep, SshdStep};
use crate::{Context, StepError};

const STEP: &str = "sshd";

/// Checks the directives against the image's release, writes them and evaluates the result.
/// `mfa` is the recipe's other step that writes for sshd.
///
/// # Errors
/// A word or value that this sshd would not start with, a contradiction to the `mfa` step, or a
/// line of the image that wins.
pub fn apply(step: &SshdStep, mfa: Option<&MfaStep>, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let version = sshd::installed(cx.stage)?.ok_or_else(|| {
        StepError::refused(STEP, "the package database (/var/lib/dpkg/status) has no openssh-server")
    })?;
    for (name, value) in &step.directives {
        check(name, value, version, cx)?;
    }
    let wanted = wanted(step, mfa, version)?;
    if step.match_blocks == MatchPolicy::Override {
        let config = Config::load(cx.stage, version)?;
        for mismatch in sshd::mismatches(&config, &wanted) {
            if let (Some(found), Some(_)) = (mismatch.found, mismatch.block) {
                let place = shown(cx, &found.place);
                cx.warn(STEP, format!("{place}: {} in a Match block is switched off", found.keyword));
                sshd::comment_out(cx.stage, &found.place)?;
            }
        }
    }
    sshd::write_section(cx.stage, version, STEP, &wanted, None)?;
    prove(step, mfa, cx)
}

/// Evaluates sshd's configuration as it is now.
///
/// # Errors
/// The first directive that does not hold, by file and line.
pub fn prove(step: &SshdStep, mfa: Option<&MfaStep>, cx: &Context<'_, '_>) -> Result<(), StepError> {
    let Some(version) = sshd::installed(cx.stage)? else { return Ok(()) };
    let config = Config::load(cx.stage, version)?;
    let wanted = wanted(step, mfa, version)?;
    if let Some(mismatch) = sshd::mismatches(&config, &wanted).first() {
        return Err(refuse_mismatch(STEP, mismatch, cx));
    }
    refuse_problem(STEP, &config, cx)
}

fn check(name: &str, value: &str, version: sshd::Version, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(keyword) = sshd::find(name) else {
        let error = StepError::usage(STEP, format!("{name:?} is no directive of sshd_config"));
        return Err(match sshd::nearest(name) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error,
        });
    };
    if !keyword.known_to(version) {
        let since = keyword.since().map(|since| format!(" (since {since})")).unwrap_or_default();
        let what =
            format!("openssh-server {version} does not know {}{since} and would not start", keyword.name);
        return Err(StepError::refused(STEP, what));
    }
    if let Some(fault) = sshd::fault(keyword, value, version) {
        return Err(StepError::usage(STEP, format!("{}: {fault}", keyword.name)));
    }
    if keyword.without_effect(version) {
        cx.warn(STEP, format!("{} does nothing in OpenSSH {version}", keyword.name));
    }
    Ok(())
}

/// The directives without those that the mfa step writes in the same words.
pub(super) fn wanted(
    step: &SshdStep,
    mfa: Option<&MfaStep>,
    version: sshd::Version,
) -> Result<Vec<Directive>, StepError> {
    let pinned = mfa.map(super::mfa::directives).unwrap_or_default();
    let mut wanted = Vec::new();
    for (name, value) in &step.directives {
        let canonical = |name: &str| sshd::canonical(name, version).map(|keyword| keyword.name);
        let name = sshd::find(name).map_or(name.as_str(), |keyword| keyword.name);
        match pinned.iter().find(|other| canonical(&other.keyword) == canonical(name)) {
            None => wanted.push(Directive::new(name, value.trim())),
            Some(other) if other.value.eq_ignore_ascii_case(value.trim()) => {}
            Some(other) => {
                let what = format!(
                    "{name} {value} contradicts the mfa step, which needs {} {}",
                    other.keyword, other.value
                );
                return Err(StepError::usage(STEP, what).hint("take the directive out of the sshd step"));
            }
        }
    }
    Ok(wanted)
}
