//! After all steps: is what they promise still true, and can anybody get in?
//!
//! Who gets in is judged by [`hardtack_inspect::ways`]; what the first boot brings is known here.

mod strangers;

use hardtack_guest::sshd::{Config, Connection};
use hardtack_guest::{FileType, Stage, accounts};
use hardtack_inspect::ways::{Account, Coming, Enrols, Judge, Person, WaysIn};
use serde_yaml::Value;

use crate::model::{AgentMode, Factor, MfaStep, Others, Recipe};
use crate::steps;
use crate::steps::agent::CONFIG;
use crate::{Context, Note, StepError, Weight};
use strangers::Stranger;

const STEP: &str = "mfa";
/// The directive of sshd that lets users in by name.
pub(crate) const ALLOW_USERS: &str = "AllowUsers";

/// Evaluates sshd and PAM once more (a `files` entry may have undone a step), looks who gets in, and refuses a
/// recipe whose users all cannot. `kept` is what an earlier build demands of logins, where the recipe does not.
///
/// # Errors
/// Something does not hold any more, or nobody could log in.
pub(crate) fn check(
    recipe: &Recipe,
    kept: Option<&MfaStep>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    if let Some(step) = recipe.mfa() {
        steps::mfa::prove(step, cx)?;
    }
    let mfa = recipe.mfa().or(kept);
    if let Some(step) = recipe.sshd() {
        steps::sshd::prove(step, mfa, cx)?;
    }
    if let Some(promise) = cx.agent.promise.clone() {
        steps::mfa::refuse_weakness(&promise, cx)?;
    }
    let enrols = kept.is_some() || recipe.agent().is_some() || cx.agent.packages.is_some();
    let judge = Judge::read(cx.stage, coming(mfa, enrols, cx)?, Some(cx.epoch.div_euclid(86_400).max(1)))?;
    let strangers = strangers::find(recipe, cx.stage)?;
    let mut notes = match mfa {
        Some(step) => somebody(step, &judge, &strangers)?,
        // Without factors only what shuts every door is certain: users may come with the launch.
        None if recipe.sshd().is_some() && !judge.takes_any_method() => {
            return Err(StepError::refused(
                "sshd",
                "every authentication method is off: nobody could log in",
            ));
        }
        None => Vec::new(),
    };
    let allowed = strangers.iter().filter(|one| one.named.by == ALLOW_USERS && one.near.is_some());
    notes.extend(allowed.map(|one| Note {
        weight: Weight::Warning,
        step: "sshd",
        text: told(one),
        shown: None,
    }));
    let mut found = judge.ways();
    if let Some(step) = recipe.cloud_agents() {
        found.keep(&step.keep);
    }
    cx.notes.extend(notes);
    if mfa.is_some() {
        for way in &found.ways {
            let Some(id) = way.agent.filter(|_| !way.kept) else { continue };
            cx.warn(
                STEP,
                format!("asks for less: {} ({id}: step cloud-agents keeps or removes it)", way.sentence()),
            );
        }
    }
    cx.ways_in = Some(found);
    Ok(())
}

/// Refuses an image that had a way in and has none any more.
///
/// # Errors
/// There is none left.
pub(crate) fn refuse_none(recipe: &Recipe, found: &WaysIn, stage: &Stage<'_>) -> Result<(), StepError> {
    if found.is_open() {
        return Ok(());
    }
    let before = Stage::new(stage.lower());
    let coming = Coming { user_data: user_data(&before, "")?, ..Coming::default() };
    if !Judge::read(&before, coming, None)?.ways().is_open() {
        return Ok(());
    }
    let mut what = "no way in is left: not over SSH, not on a console, and no cloud's program".to_owned();
    for one in found.shut_out.iter().take(5) {
        what.push_str(&format!("; {}: {}", one.who, one.why));
    }
    let strangers = strangers::find(recipe, stage)?;
    for one in &strangers {
        what.push_str(&format!("; {}", one.sentence()));
    }
    let hint = strangers.iter().find_map(Stranger::hint);
    Err(StepError::refused("ways-in", what)
        .hint(hint.unwrap_or_else(|| "leave one of them what the recipe takes away".to_owned())))
}

/// What user-data is carried out by, if it is.
fn user_data(stage: &Stage<'_>, mode: &str) -> Result<Option<&'static str>, StepError> {
    if mode == AgentMode::Replace.as_str() {
        return Ok(Some("hardtack-agent"));
    }
    let there = stage.stat("/usr/bin/cloud-init")?.is_some()
        && stage.stat("/etc/cloud/cloud-init.disabled")?.is_none();
    Ok(there.then_some("cloud-init"))
}

/// What the first boot brings.
fn coming(mfa: Option<&MfaStep>, enrols: bool, cx: &Context<'_, '_>) -> Result<Coming, StepError> {
    let accounts = cx.agent.accounts.iter().map(|account| Account {
        name: account.name.clone(),
        shell: account.shell.clone(),
        groups: account.groups.clone(),
        password: !account.password_hash.is_empty() || account.random_password.is_some(),
        keys: account.authorized_keys.len(),
    });
    let enrols = match mfa {
        _ if !enrols && cx.stage.stat(CONFIG)?.is_none() => Enrols::Nobody,
        Some(step) if step.others != Others::Enrol => Enrols::Listed(step.users.clone()),
        _ => Enrols::All,
    };
    Ok(Coming {
        accounts: accounts.collect(),
        enrols,
        default_user: cloud_default_user(cx.stage)?,
        user_data: user_data(cx.stage, &cx.agent.mode)?,
    })
}

/// What is wrong with a name, and what may have been meant.
fn told(stranger: &Stranger) -> String {
    let hint = stranger.hint().map_or_else(String::new, |hint| format!("; {hint}"));
    format!("{}{hint}", stranger.sentence())
}

fn somebody(step: &MfaStep, judge: &Judge<'_, '_>, strangers: &[Stranger]) -> Result<Vec<Note>, StepError> {
    let mut notes = Vec::new();
    if !judge.has_sshd() {
        return Ok(notes);
    }
    let mut note = |weight, text| notes.push(Note { weight, step: STEP, text, shown: None });
    let wanted = factors(&step.factors);
    let mut open = false;
    let mut reasons = Vec::new();
    for name in &step.users {
        let found = judge.obstacles(&judge.person(name), &wanted);
        open |= found.is_empty();
        let stranger = strangers.iter().find(|one| one.named.user == *name && one.named.by != ALLOW_USERS);
        match (found.first(), stranger) {
            (None, _) => {}
            (Some(_), Some(stranger)) => reasons.push((stranger.sentence(), stranger.hint())),
            (Some(first), None) => reasons.push((format!("{name}: {first}"), None)),
        }
    }
    if !open && step.others != Others::Refuse {
        let wanted = match step.others {
            Others::Publickey => factors(&[Factor::Publickey]),
            _ => wanted.clone(),
        };
        let names = judge.names().into_iter().filter(|name| !step.users.contains(name));
        for name in names {
            open |= judge.obstacles(&judge.person(&name), &wanted).is_empty();
        }
    }
    if !open {
        let allowed = strangers.iter().filter(|one| one.named.by == ALLOW_USERS);
        reasons.extend(allowed.map(|one| (one.sentence(), one.hint())));
        let (reasons, hints): (Vec<_>, Vec<_>) = reasons.into_iter().unzip();
        let what = format!("nobody could log in: {}", reasons.join("; "));
        let hint = hints.into_iter().flatten().next();
        return Err(StepError::refused(STEP, what).hint(hint.unwrap_or_else(|| {
            "give one user everything that it is asked for (steps user and agent)".to_owned()
        })));
    }
    for (reason, hint) in reasons {
        let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
        note(Weight::Warning, format!("cannot log in over SSH: {reason}{hint}"));
    }
    let people: Vec<Person> = step.users.iter().map(|name| judge.person(name)).collect();
    for person in people.iter().filter(|person| person.is_launched()) {
        let name = &person.user.name;
        if step.factors.contains(&Factor::Publickey) && !judge.has_key(person) {
            note(Weight::Info, format!("the key of {name} must come with the launch: the image has none"));
        }
    }
    Ok(notes)
}

fn factors(all: &[Factor]) -> Vec<hardtack_inspect::ways::Factor> {
    use hardtack_inspect::ways::Factor as Shown;
    let one = |factor: &Factor| match factor {
        Factor::Publickey => Shown::Key,
        Factor::Password => Shown::Password,
        Factor::Totp => Shown::Code,
    };
    all.iter().map(one).collect()
}

/// `AuthorizedKeysFile` for `name`, as it is written.
fn key_files(name: &str, config: &Config) -> Vec<String> {
    let connection = Connection { user: Some(name.to_owned()), ..Connection::default() };
    match config.for_connection("AuthorizedKeysFile", &connection).first() {
        Some(setting) => setting.words.clone(),
        None => [".ssh/authorized_keys", ".ssh/authorized_keys2"].map(str::to_owned).to_vec(),
    }
}

/// The lines of the files of the image in which sshd looks for keys of `name`, without comments.
pub(crate) fn image_keys(
    name: &str,
    config: &Config,
    cx: &Context<'_, '_>,
) -> Result<Vec<String>, StepError> {
    let home = accounts::user(cx.stage, name)?.map_or_else(|| format!("/home/{name}"), |user| user.home);
    let mut lines = Vec::new();
    for pattern in key_files(name, config) {
        let path = pattern.replace("%h", &home).replace("%u", name).replace("%%", "%");
        let path = if path.starts_with('/') { path } else { format!("{home}/{path}") };
        let is_file = cx.stage.stat(&path)?.is_some_and(|found| found.kind == FileType::Regular);
        let text = if is_file { cx.stage.read(&path)?.unwrap_or_default() } else { Vec::new() };
        let text = String::from_utf8_lossy(&text);
        let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.extend(keys.map(str::to_owned));
    }
    Ok(lines)
}

/// `system_info.default_user.name`; `None` where cloud-init does not make that user.
fn cloud_default_user(stage: &Stage<'_>) -> Result<Option<String>, StepError> {
    if stage.stat("/usr/bin/cloud-init")?.is_none() || stage.stat("/etc/cloud/cloud-init.disabled")?.is_some()
    {
        return Ok(None);
    }
    let mut files = vec!["/etc/cloud/cloud.cfg".to_owned()];
    let directory = "/etc/cloud/cloud.cfg.d";
    if stage.stat(directory)?.is_some() {
        let entries = stage.list(directory)?;
        let names = entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(".cfg"));
        files.extend(names.map(|name| format!("{directory}/{name}")));
    }
    let (mut name, mut wanted) = (None, true);
    for file in files {
        let text = stage.read(&file)?.unwrap_or_default();
        let value: Value = serde_yaml::from_slice(&text).unwrap_or(Value::Null);
        if let Some(found) = value["system_info"]["default_user"]["name"].as_str() {
            name = Some(found.to_owned());
        }
        if let Some(users) = value["users"].as_sequence() {
            wanted = users.iter().any(|user| user.as_str() == Some("default"));
        }
    }
    Ok(name.filter(|_| wanted))
}

#[cfg(test)]
mod tests;
