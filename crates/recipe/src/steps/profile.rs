//! `profile`: the controls of a hardening profile, among the steps of a recipe.

use std::borrow::Cow;

use hardtack_credentials::AccountConfig;
use hardtack_guest::{Stage, Tree};
use hardtack_profile::{
    Error, Finding, Newcomer, Packages, Phase, Profile, Surroundings, View, check, control, wanted,
};
use hardtack_report::Control;

use crate::model::{MfaStep, PackagesStep, Recipe};
use crate::{Context, StepError, steps};

/// The name of its part of a build.
pub(crate) const STEP: &str = "profile";
/// So many controls that do not hold are told.
const SHOWN: usize = 8;

/// Keywords of sshd_config that the recipe itself speaks of, in lower case.
pub(crate) fn spoken(recipe: &Recipe, mfa: Option<&MfaStep>) -> Vec<String> {
    let of_sshd =
        recipe.sshd().into_iter().flat_map(|step| step.directives.iter().map(|(name, _)| name.clone()));
    let of_mfa = mfa.into_iter().flat_map(steps::mfa::directives).map(|directive| directive.keyword);
    of_sshd.chain(of_mfa).map(|name| name.to_lowercase()).collect()
}

/// The recipe's packages, with those that its profile wants of repositories, and wants gone.
///
/// # Errors
/// The image cannot be read.
pub(crate) fn packages<'r>(
    recipe: &'r Recipe,
    stage: &Stage<'_>,
) -> Result<Option<Cow<'r, PackagesStep>>, StepError> {
    let own = recipe.packages().map(Cow::Borrowed);
    let Some(profile) =
        recipe.profile.as_ref().filter(|profile| profile.settings.packages == Packages::Repository)
    else {
        return Ok(own);
    };
    let (install, remove) = {
        let view = View::new(stage, &profile.settings).map_err(refused)?;
        wanted(profile, &view)
    };
    if install.is_empty() && remove.is_empty() {
        return Ok(own);
    }
    let mut step = own.unwrap_or_default().into_owned();
    for name in install {
        if !step.install.iter().any(|there| there == name) {
            step.install.push(name.to_owned());
            step.of_profile.push(name.to_owned());
        }
    }
    for name in remove {
        if !step.remove.iter().any(|there| there == name) {
            step.remove.push(name.to_owned());
        }
    }
    Ok(Some(Cow::Owned(step)))
}

fn newcomer(account: &AccountConfig) -> Newcomer {
    Newcomer {
        name: account.name.clone(),
        groups: account.groups.clone(),
        key: !account.authorized_keys.is_empty(),
        password: !account.password_hash.is_empty() || account.random_password.is_some(),
        sudo: !account.sudo.is_empty(),
    }
}

/// Carries out the controls of this phase.
///
/// # Errors
/// The first one that the image cannot have.
pub(crate) fn apply(
    profile: &Profile,
    spoken: &[String],
    phase: Phase,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    // Accounts that the agent makes: an image without anybody who can log in is none where they come.
    let newcomers: Vec<Newcomer> = cx.agent.accounts.iter().map(newcomer).collect();
    let around = Surroundings { epoch: cx.epoch, spoken, newcomers: &newcomers };
    let applied = hardtack_profile::apply(profile, cx.stage, around, phase).map_err(refused)?;
    for note in applied.notes {
        cx.info(STEP, note);
    }
    Ok(())
}

/// Looks at all of them once more: what another step has undone, or what the recipe's own words are against, is an error.
///
/// # Errors
/// Controls that do not hold.
pub(crate) fn prove(recipe: &Recipe, stage: &Stage<'_>) -> Result<(), StepError> {
    let Some(profile) = &recipe.profile else { return Ok(()) };
    let judged = check(profile, stage).map_err(refused)?;
    let failed: Vec<String> = judged
        .iter()
        .filter_map(|judged| match &judged.finding {
            Finding::Fail { why, .. } => Some(format!("{}: {}", judged.rule.id, why.join("; "))),
            _ => None,
        })
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let more = match failed.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let shown = failed[..failed.len().min(SHOWN)].join("\n  ");
    let what = format!("{} of {} do not hold after all:\n  {shown}{more}", failed.len(), profile.kind.word());
    Err(StepError::refused(STEP, what).hint("change what is against them, or make exceptions with a reason"))
}

/// What an image comes to by this profile, whoever made it.
///
/// # Errors
/// The image cannot be read.
pub fn verify(profile: &Profile, tree: &dyn Tree) -> Result<Vec<Control>, StepError> {
    let judged = check(profile, &Stage::new(tree)).map_err(refused)?;
    Ok(judged.iter().map(|judged| control(profile, judged)).collect())
}

fn refused(error: Error) -> StepError {
    match error {
        Error::Guest(source) => StepError::Guest { step: STEP, source },
        Error::Refused { rule, what, hint } => StepError::refused(STEP, format!("{rule}: {what}")).hint(hint),
        other => StepError::refused(STEP, other.to_string()),
    }
}
