//! What an earlier build promised of logins, in force for a recipe that does not speak of them.
//!
//! The image's PAM stacks and sshd's section `mfa` stay as they are. What the agent holds the machine to is told anew,
//! over what the recipe has made of the image, and never less than it was.

use hardtack_credentials::MfaConfig;
use hardtack_guest::pam::service_path;
use hardtack_login::Promise;
use hardtack_login::promise::kept;

use super::{STEP, directives, doors, pam, ssh, warn_of};
use crate::model::{Console, Factor, MfaStep, Others, Scope, SshdStep};
use crate::{Context, StepError};

/// The step that the image was built with, as far as checks need it.
pub(crate) fn step(config: &MfaConfig, promise: &Promise) -> MfaStep {
    let factor = |name: &String| match name.as_str() {
        "publickey" => Some(Factor::Publickey),
        "password" => Some(Factor::Password),
        "totp" => Some(Factor::Totp),
        _ => None,
    };
    let is_shared = promise.services.iter().any(|asks| asks.service == "common-auth");
    MfaStep {
        users: config.users.clone(),
        scope: if is_shared { Scope::Login } else { Scope::Sshd },
        factors: config.factors.iter().filter_map(factor).collect(),
        console: match config.console.as_str() {
            "password" => Console::Password,
            "locked" => Console::Locked,
            _ => Console::Totp,
        },
        others: match config.others.as_str() {
            "publickey" => Others::Publickey,
            "enrol" => Others::Enrol,
            _ => Others::Refuse,
        },
        ..MfaStep::default()
    }
}

/// Tells the agent anew what it holds the machine to, and people what asks for less since then.
///
/// # Errors
/// The image cannot be read, or the step `sshd` contradicts the promise.
pub(crate) fn renew(
    step: &MfaStep,
    sshd: Option<&SshdStep>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let Some(mut promise) = cx.agent.promise.take() else { return Ok(()) };
    if let Some(sshd) = sshd {
        // Its section has taken the place of the earlier one.
        let own = directives(step);
        promise.sshd.retain(|(keyword, _)| own.iter().any(|directive| directive.keyword == *keyword));
        let more = super::super::sshd::wanted(sshd, Some(step), ssh::version(cx)?)?;
        promise.sshd.extend(more.into_iter().map(|directive| (directive.keyword, directive.value)));
    }
    let now = kept(&*cx.stage)?;
    for (keyword, values) in &now {
        if !promise.kept.contains(&(keyword.clone(), values.clone())) {
            cx.warn(STEP, format!("who may hold a key is another now: {keyword} {}", values.join(", ")));
        }
    }
    promise.kept = now;
    // What asks for the code since then is promised, too.
    for asks in pam::services(step, cx)? {
        if !promise.services.iter().any(|known| known.service == asks.service) {
            promise.services.push(asks);
        }
    }
    let mut left = Vec::new();
    for asks in promise.services {
        if asks.service == "sshd" || service_path(cx.stage, &asks.service)?.is_some() {
            left.push(asks);
        }
    }
    promise.services = left;
    cx.agent.promise = Some(promise);
    let doors = doors(step, cx)?;
    for door in &doors {
        if !cx.agent.doors.contains(door) {
            warn_of(door, cx);
        }
    }
    cx.agent.doors = doors;
    Ok(())
}
