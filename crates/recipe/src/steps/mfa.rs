//! `mfa`: logins ask for several factors, for everybody, from the first packet on.
//!
//! Fail-closed: nothing is let through that was not set up. sshd demands every factor of every
//! user by one global `AuthenticationMethods`; the PAM module, without `nullok`, refuses users that
//! have no secret. What was written is proven by evaluating sshd's whole configuration and the PAM
//! stacks again; [`prove`] does the same after all other steps.

mod aside;
mod doors;
pub(crate) mod kept;
mod pam;
mod seal;
mod selinux;
mod ssh;

use hardtack_credentials::{MfaConfig, RateLimit, RecoveryConfig, TotpConfig};
use hardtack_guest::sshd;
use hardtack_login::promise::kept;
use hardtack_login::{About, Promise};

use crate::model::{Console, Factor, MfaStep, Others, Scope, Seal, SshdStep};
use crate::{Context, StepError};

pub(crate) use ssh::{refuse_mismatch, refuse_problem, shown};

const STEP: &str = "mfa";

/// Settles sshd, PAM and the agent's part.
///
/// # Errors
/// The image cannot do it, or something in it would weaken it.
pub fn apply(step: &MfaStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    check_settings(step)?;
    let version = ssh::version(cx)?;
    if asks_for_codes(step) {
        pam::require_module(cx)?;
        pam::refuse_nullok(cx)?;
        selinux::check(step, cx)?;
    }
    ssh::write(step, version, cx)?;
    pam::write(step, cx)?;
    prove(step, cx)?;
    cx.agent.doors = doors(step, cx)?;
    for door in cx.agent.doors.clone() {
        warn_of(&door, cx);
    }
    seal::tell(step, cx)?;
    cx.agent.mfa = Some(agent_part(step, cx));
    cx.agent.promise = Some(promise(step, None, cx)?);
    Ok(())
}

/// The ways in that ask for less, each once.
fn doors(step: &MfaStep, cx: &Context<'_, '_>) -> Result<Vec<String>, StepError> {
    let mut doors: Vec<String> = Vec::new();
    for door in doors::find(step, cx)? {
        if !doors.contains(&door) {
            doors.push(door);
        }
    }
    Ok(doors)
}

/// Tells of a way in that asks for less, with what to write where a step can close it.
fn warn_of(door: &str, cx: &mut Context<'_, '_>) {
    let of_user = cx.agent.accounts.iter().any(doors::asks_nothing);
    let what = if door.contains(doors::FREE) && (of_user || door.contains(doors::CLOUD_USER)) {
        "; write `sudo: \"ALL=(ALL:ALL) ALL\"` in the step `user`"
    } else {
        ""
    };
    cx.warn(STEP, format!("asks for less: {door}{what}"));
}

/// Evaluates sshd's configuration and the PAM stacks as they are now.
///
/// # Errors
/// The first thing that weakens what the step promises, by file and line.
pub fn prove(step: &MfaStep, cx: &Context<'_, '_>) -> Result<(), StepError> {
    ssh::version(cx)?;
    if asks_for_codes(step) {
        pam::require_module(cx)?;
    }
    refuse_weakness(&promise(step, None, cx)?, cx)
}

/// What the image promises of logins: the directives of the step and those of the `sshd` step, who holds keys
/// now, and what PAM asks for.
///
/// # Errors
/// The image cannot be read.
pub fn promise(step: &MfaStep, sshd: Option<&SshdStep>, cx: &Context<'_, '_>) -> Result<Promise, StepError> {
    let mut promise = sshd_promise(step, cx)?;
    if let Some(sshd) = sshd {
        let more = super::sshd::wanted(sshd, Some(step), ssh::version(cx)?)?;
        promise.sshd.extend(more.into_iter().map(|directive| (directive.keyword, directive.value)));
    }
    promise.services = pam::services(step, cx)?;
    Ok(promise)
}

/// The part that is sshd's.
fn sshd_promise(step: &MfaStep, cx: &Context<'_, '_>) -> Result<Promise, StepError> {
    let directives = ssh::directives(step).into_iter();
    Ok(Promise {
        sshd: directives.map(|directive| (directive.keyword, directive.value)).collect(),
        blocks: ssh::blocks(step),
        kept: kept(&*cx.stage)?,
        services: Vec::new(),
    })
}

/// The first thing that breaks a promise.
///
/// # Errors
/// There is one.
pub(crate) fn refuse_weakness(promise: &Promise, cx: &Context<'_, '_>) -> Result<(), StepError> {
    let weaknesses = promise.check_shown(&*cx.stage, &|place| shown(cx, place))?;
    let Some(first) = weaknesses.into_iter().next() else { return Ok(()) };
    let error = StepError::refused(STEP, first.what);
    let hint = match first.about {
        About::Block => {
            "take the line out of the image, or say match: override to have it switched off".into()
        }
        _ => ["take the line out", "take the options out", "take the word out"]
            .into_iter()
            .find_map(|words| Some(format!("{words} of the image{}", first.hint.strip_prefix(words)?)))
            .unwrap_or(first.hint),
    };
    Err(if hint.is_empty() { error } else { error.hint(hint) })
}

/// The directives that the step writes for sshd.
#[must_use]
pub fn directives(step: &MfaStep) -> Vec<sshd::Directive> {
    ssh::directives(step)
}

fn asks_for_codes(step: &MfaStep) -> bool {
    step.factors.contains(&Factor::Totp) || step.console == Console::Totp
}

/// What the recipe's loader cannot know, or what a caller of the library got wrong.
fn check_settings(step: &MfaStep) -> Result<(), StepError> {
    if step.users.is_empty() {
        return Err(StepError::usage(STEP, "users is empty: nobody could log in"));
    }
    let mut factors = step.factors.clone();
    factors.sort();
    factors.dedup();
    if factors.len() < 2 {
        return Err(StepError::usage(STEP, "a single factor is what there was before; give at least two"));
    }
    if step.scope == Scope::Login && step.console == Console::Password {
        return Err(StepError::usage(
            STEP,
            "scope: login makes every login ask for the code, console: password wants one that does not",
        )
        .hint("say console: totp, or scope: sshd"));
    }
    if step.scope == Scope::Login && !step.factors.contains(&Factor::Totp) {
        return Err(StepError::usage(
            STEP,
            "scope: login is about the one-time code, and factors has no totp",
        ));
    }
    Ok(())
}

fn agent_part(step: &MfaStep, cx: &Context<'_, '_>) -> MfaConfig {
    let factor = |factor: &Factor| match factor {
        Factor::Publickey => "publickey",
        Factor::Password => "password",
        Factor::Totp => "totp",
    };
    let mut factors = step.factors.clone();
    factors.sort();
    MfaConfig {
        users: step.users.clone(),
        factors: factors.iter().map(|f| factor(f).to_owned()).collect(),
        console: match step.console {
            Console::Totp => "totp",
            Console::Password => "password",
            Console::Locked => "locked",
        }
        .to_owned(),
        others: match step.others {
            Others::Refuse => "refuse",
            Others::Publickey => "publickey",
            Others::Enrol => "enrol",
        }
        .to_owned(),
        seal: step.seal.as_str().to_owned(),
        recipients: match &step.seal {
            Seal::Recipients(list) => list.clone(),
            Seal::None | Seal::Ssh | Seal::Auto => Vec::new(),
        },
        on_drift: step.on_drift.as_str().to_owned(),
        recovery: step.recovery.as_ref().map(|recovery| RecoveryConfig {
            user: recovery.user.clone(),
            recipients: seal::of_recovery(recovery, cx),
        }),
        totp: TotpConfig {
            window: step.totp.window,
            rate_limit: step
                .totp
                .rate_limit
                .map(|limit| RateLimit { attempts: limit.attempts, seconds: limit.seconds }),
            disallow_reuse: step.totp.disallow_reuse,
        },
    }
}

#[cfg(test)]
mod tests;
