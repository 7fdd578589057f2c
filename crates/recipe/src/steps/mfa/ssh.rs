//! sshd's part: the directives, what may not override them, and what goes around them.

use hardtack_guest::sshd::{self, Config, Directive, Mismatch, Place, Version};
use hardtack_login::BlockPromise;

use super::STEP;
use crate::model::{Factor, MatchPolicy, MfaStep, Others};
use crate::{Context, StepError};

/// The release of the image's server, new enough.
pub(super) fn version(cx: &Context<'_, '_>) -> Result<Version, StepError> {
    let version = sshd::installed(cx.stage)?.ok_or_else(|| {
        StepError::refused(STEP, "the package database (/var/lib/dpkg/status) has no openssh-server")
            .hint("install openssh-server in the image first")
    })?;
    if version < Version::AUTHENTICATION_METHODS {
        let what = format!(
            "openssh-server {version} cannot ask for several factors: AuthenticationMethods came with {}",
            Version::AUTHENTICATION_METHODS
        );
        return Err(StepError::refused(STEP, what).hint("use an image with a newer OpenSSH"));
    }
    Ok(version)
}

pub(super) fn directives(step: &MfaStep) -> Vec<Directive> {
    let key = step.factors.contains(&Factor::Publickey);
    let methods = if key { "publickey,keyboard-interactive" } else { "keyboard-interactive" };
    let mut directives = vec![
        Directive::new("UsePAM", "yes"),
        Directive::new("KbdInteractiveAuthentication", "yes"),
        // The same by its old name: another switch until 8.7, an alias since.
        Directive::new("ChallengeResponseAuthentication", "yes"),
    ];
    if key {
        directives.push(Directive::new("PubkeyAuthentication", "yes"));
    }
    directives.extend([
        Directive::new("PasswordAuthentication", "no"),
        Directive::new("PermitEmptyPasswords", "no"),
        Directive::new("AuthenticationMethods", methods),
    ]);
    directives
}

/// Users that are not listed get by with a key; everybody else is refused by PAM.
pub(super) fn blocks(step: &MfaStep) -> Vec<BlockPromise> {
    if step.others != Others::Publickey {
        return Vec::new();
    }
    let listed: String = step.users.iter().map(|user| format!(",!{user}")).collect();
    vec![BlockPromise {
        criteria: format!("User *{listed}"),
        keyword: "AuthenticationMethods".to_owned(),
        value: "publickey".to_owned(),
    }]
}

fn match_lines(step: &MfaStep) -> Vec<String> {
    let line = |block: BlockPromise| {
        [format!("Match {}", block.criteria), format!("    {} {}", block.keyword, block.value)]
    };
    blocks(step).into_iter().flat_map(line).collect()
}

pub(super) fn write(step: &MfaStep, version: Version, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let config = Config::load(cx.stage, version)?;
    for problem in config.problems.iter().filter(|problem| problem.unknown_word.is_some()) {
        cx.warn(STEP, format!("{}: {}", shown(cx, &problem.place), problem.what));
    }
    if step.match_blocks == MatchPolicy::Override {
        override_blocks(step, version, cx)?;
    }
    sshd::write_section(cx.stage, version, STEP, &directives(step), Some(&match_lines(step)))?;
    Ok(())
}

/// Comments out every line of a `Match` block that would replace what the step sets.
fn override_blocks(step: &MfaStep, version: Version, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let config = Config::load(cx.stage, version)?;
    let mut places: Vec<_> = Vec::new();
    let promise = super::sshd_promise(step, cx)?;
    for setting in promise.weakening_lines(&config).into_iter().filter(|setting| !setting.ours) {
        if !places.contains(&setting.place) {
            let place = shown(cx, &setting.place);
            cx.warn(STEP, format!("{place}: {} in a Match block is switched off", setting.keyword));
            places.push(setting.place.clone());
        }
    }
    for place in places {
        sshd::comment_out(cx.stage, &place)?;
    }
    Ok(())
}

/// The place as the image has it: our lines at the top of the main file move what stands below.
pub(crate) fn shown(cx: &Context<'_, '_>, place: &Place) -> Place {
    in_image(cx, place).unwrap_or_else(|| place.clone())
}

fn in_image(cx: &Context<'_, '_>, place: &Place) -> Option<Place> {
    let before = cx.stage.original(&cx.stage.resolve(&place.file).ok()?, 1 << 20).ok()??;
    let now = cx.stage.read(&place.file).ok()??;
    let now: Vec<&[u8]> = now.split(|byte| *byte == b'\n').collect();
    let (text, above) = now.get(..place.line)?.split_last()?;
    // Equal lines keep their order.
    let rank = above.iter().filter(|line| *line == text).count();
    let mut equal = before.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| line == text);
    Some(Place { file: place.file.clone(), line: equal.nth(rank)?.0 + 1 })
}

/// The first thing that sshd would not start with.
pub(crate) fn refuse_problem(
    step: &'static str,
    config: &Config,
    cx: &Context<'_, '_>,
) -> Result<(), StepError> {
    match config.problems.iter().find(|problem| problem.unknown_word.is_none()) {
        None => Ok(()),
        Some(problem) => {
            let what = format!("{}: {}", shown(cx, &problem.place), problem.what);
            Err(StepError::refused(step, what).hint("take the line out of the image"))
        }
    }
}

/// Words a directive that does not hold.
pub(crate) fn refuse_mismatch(step: &'static str, mismatch: &Mismatch, cx: &Context<'_, '_>) -> StepError {
    let Directive { keyword, value } = &mismatch.directive;
    match (&mismatch.found, &mismatch.block) {
        (Some(found), Some(block)) => StepError::refused(
            step,
            format!(
                "{}: {} {} in the Match block of {} overrides {keyword} {value}",
                shown(cx, &found.place),
                found.written,
                found.value,
                shown(cx, block)
            ),
        )
        .hint("take the line out of the image, or say match: override to have it switched off"),
        (Some(found), None) => StepError::refused(
            step,
            format!(
                "{}: {} {} is read before {keyword} {value} and wins",
                shown(cx, &found.place),
                found.written,
                found.value
            ),
        )
        .hint("take the line out of the image, or rename the file so that it sorts behind 00-hardtack.conf"),
        (None, _) => StepError::refused(step, format!("{keyword} {value} is nowhere in force")),
    }
}
