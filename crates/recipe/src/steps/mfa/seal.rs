//! Who will be able to open the sealed parts, as far as the build can tell.
//!
//! The agent seals to the keys that a user has on the instance. What the recipe and the image bring of
//! them is known here, what comes with the launch is not: of users without a key nothing is said.

use hardtack_credentials::UserCredentials;
use hardtack_credentials::seal::{self, Recipient, recipients};
use hardtack_guest::sshd::{self, Config};

use super::STEP;
use crate::model::{MfaStep, Recovery, Seal};
use crate::{Context, StepError, ways_in};

/// Says for whom nothing, or plain text, will be printed.
pub(super) fn tell(step: &MfaStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(version) = sshd::installed(cx.stage)? else { return Ok(()) };
    let config = Config::load(cx.stage, version)?;
    for name in &step.users {
        let recovery = step.recovery.as_ref().filter(|recovery| recovery.user == *name);
        let of_recovery = recovery.map(|recovery| of_recovery(recovery, cx)).unwrap_or_default();
        let named = match &step.seal {
            _ if !of_recovery.is_empty() => &of_recovery,
            Seal::Recipients(list) => list,
            Seal::None | Seal::Ssh | Seal::Auto => &of_recovery,
        };
        if !named.is_empty() {
            match left_out(name, named, cx) {
                0 => {}
                count => cx.warn(
                    STEP,
                    format!(
                        "the part of {name} has no room for {count} of its {} recipients, the longest keys: they \
                         cannot open it; use age1… or ed25519 keys",
                        named.len()
                    ),
                ),
            }
            continue;
        }
        let keys = known(name, &config, cx)?;
        if step.seal == Seal::None {
            if recovery.is_some() {
                let why = "`seal` is none, and neither it nor its keys name a recipient";
                cx.warn(STEP, format!("the part of the recovery account {name} will be plain text: {why}"));
            }
            continue;
        }
        let found = recipients(&keys.join("\n"));
        if keys.is_empty() || !found.usable.is_empty() {
            continue;
        }
        let kinds = match found.unusable.is_empty() {
            true => "certificate authorities".to_owned(),
            false => found.unusable.join(", "),
        };
        let why = format!("none of its keys can open it ({kinds})");
        if step.seal == Seal::Ssh {
            let advice = "add an ed25519 or RSA key, name recipients, or use `seal: auto`";
            cx.warn(STEP, format!("the part of {name} will not be printed: {why}; {advice}"));
        } else {
            cx.info(STEP, format!("the part of {name} will be plain text: {why}"));
        }
    }
    Ok(())
}

/// Who opens the recovery account's part: the recipe's recipients, else its login keys.
pub(super) fn of_recovery(recovery: &Recovery, cx: &Context<'_, '_>) -> Vec<String> {
    if !recovery.recipients.is_empty() {
        return recovery.recipients.clone();
    }
    let account = cx.agent.accounts.iter().find(|account| account.name == recovery.user);
    let lines = account.map(|account| account.authorized_keys.join("\n")).unwrap_or_default();
    recipients(&lines).usable.iter().map(ToString::to_string).collect()
}

/// How many of `named` a block has no room for, as the agent counts.
fn left_out(name: &str, named: &[String], cx: &Context<'_, '_>) -> usize {
    let keys: Vec<Recipient> = named.iter().filter_map(|text| Recipient::parse(text).ok()).collect();
    let random = cx.agent.accounts.iter().find(|account| account.name == name);
    let password =
        random.and_then(|account| account.random_password.as_ref()).map_or(0, |random| random.length);
    // As long as the real ones: 26 letters, five codes, a URL with the names of recipe, user and host in it.
    let user = UserCredentials {
        name: name.to_owned(),
        secret: "A".repeat(26),
        otpauth: "x".repeat(160),
        scratch_codes: vec!["0".repeat(8); 5],
        password: "x".repeat(password.min(128) as usize),
    };
    // Nobody reads what is sealed here: its length counts.
    let mut bytes = |buffer: &mut [u8]| {
        buffer.fill(1);
        Ok(())
    };
    match seal::fit(&user, &keys, &mut bytes) {
        Ok(part) => part.left_out,
        Err(_) => keys.len(),
    }
}

/// The login keys of `name` in recipe and image.
fn known(name: &str, config: &Config, cx: &Context<'_, '_>) -> Result<Vec<String>, StepError> {
    let accounts = cx.agent.accounts.iter().filter(|account| account.name == name);
    let mut keys: Vec<String> = accounts.flat_map(|account| account.authorized_keys.clone()).collect();
    keys.extend(ways_in::image_keys(name, config, cx)?);
    keys.dedup();
    Ok(keys)
}

#[cfg(test)]
mod tests;
