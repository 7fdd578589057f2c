//! `hardtack user-data check --image`: what user-data would do to an image's way in.
//!
//! * `image`: what the image asks for, and what its recipe promised.
//! * `users`: the users as the user-data leaves them.
//! * `login`: what stands between one of them and a login.
//! * `keys`: which keys the image's sshd takes.
//! * `files`: sshd, PAM and the overlay with the files of the user-data in place.
//! * `commands`: commands that name any of it.

mod commands;
mod files;
mod image;
mod keys;
mod login;
#[cfg(test)]
mod tests;
mod users;

use hardtack_guest::sshd::Config;
use hardtack_guest::{Stage, Tree};
use hardtack_modules::{Distro, Request, plan};
use hardtack_userdata::check::Report;
use hardtack_userdata::{Finding, Map, Place, Value};

use self::image::{Facts, Reader};
use self::users::{User, get};
use super::machine::GuestMachine;
use crate::error::CliError;

/// What the user-data of `report` would do to `guest`.
pub(super) fn look(report: &Report, guest: &dyn Tree) -> Result<Vec<Finding>, CliError> {
    let machine = GuestMachine::new(guest);
    let before = Stage::new(guest);
    let facts = Facts::read(&machine, &before)?;
    let mut found = Vec::new();
    if let Some(finding) = nobody_reads(&facts) {
        found.push(finding);
    }
    let config = super::image_config::effective(&report.config, &machine);
    let mut after = Stage::new(guest);
    let distro = Distro::read(&machine);
    let request = Request {
        config: &config,
        parts: &report.data.parts,
        machine: &machine,
        distro: &distro,
        facts: &hardtack_modules::Facts::default(),
    };
    let written = files::put(&plan(&request), &mut after);
    found.extend(files::compare(guest, &after, &written, &report.config, &facts)?);
    found.extend(commands::look(&report.config, &report.data.parts));
    // The dialect of CoreOS has users of its own, and none by default.
    if facts.reader != Reader::CoreOs {
        found.extend(default_user(&report.config, &facts));
        found.extend(passwords(&report.config, &facts));
        let all = users::users(&config, image::default_user(&config).as_deref());
        let sshd = image::sshd_config(&after, facts.sshd)?;
        if let Some(sshd) = &sshd {
            found.extend(refused_keys(&all, &report.config, &facts, sshd));
            found.extend(ways_in(&all, &facts, sshd, &after)?);
        }
    }
    Ok(found)
}

/// True for what is told of user-data in general, where one of the findings about the image says the same
/// with its names, or where the image has the answer.
pub(super) fn knows_better(general: &Finding, of_image: &[Finding]) -> bool {
    let same_place =
        |code: &str| of_image.iter().any(|finding| finding.code == code && finding.place == general.place);
    match general.code {
        "no-default-user" => of_image.iter().any(|finding| finding.code == "image-default-user-lost"),
        "no-way-in" => true,
        "key-type-refused" => same_place("image-key-refused"),
        _ => false,
    }
}

/// User-data for an image in which nothing reads it.
fn nobody_reads(facts: &Facts) -> Option<Finding> {
    let place = Place { part: usize::MAX, ..Place::default() };
    let finding = match facts.reader {
        Reader::Nobody => {
            let message =
                "the image has neither cloud-init nor coreos-cloudinit: nothing reads this user-data";
            Finding::error("image-no-reader", place, message)
        }
        Reader::Disabled => {
            let message = "cloud-init is switched off in the image (/etc/cloud/cloud-init.disabled)";
            Finding::error("image-no-reader", place, message)
        }
        Reader::CloudInit if get(&facts.config, "allow_userdata").is_some_and(is_false) => {
            let message = "the image's cloud-init takes no user-data (allow_userdata: false)";
            Finding::error("image-no-reader", place, message)
        }
        Reader::CloudInit => {
            let list = get(&facts.config, "datasource_list").and_then(Value::as_list)?;
            let real = list.iter().any(|name| name.as_text().is_some_and(|name| name != "None"));
            if real {
                return None;
            }
            let message =
                "the image's cloud-init knows no data source (datasource_list): user-data never reaches it";
            Finding::error("image-no-datasource", place, message)
        }
        Reader::CoreOs => return None,
    };
    Some(finding.with_hint("look into /etc/cloud of the image"))
}

fn is_false(value: &Value) -> bool {
    match value.as_text() {
        Some(text) => ["off", "0", "no", "false"].contains(&text.trim().to_lowercase().as_str()),
        None => matches!(value.kind, hardtack_userdata::Kind::Bool(false)),
    }
}

/// A list `users` without `default` takes cloud-init's default user away, and other users of the recipe.
fn default_user(own: &Map, facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(value) = get(own, "users") else { return found };
    if value.is_null() {
        return found;
    }
    let listed = users::users(own, facts.default_user.as_deref());
    if let Some(name) = facts.default_user.as_deref().filter(|_| !users::wants_default(own)) {
        let named = listed.iter().any(|user| user.name == name);
        let recipe = facts.recipe_set_password(name) || facts.enrols(name);
        let what = match (named, recipe) {
            (true, true) => format!(
                "`users` names {name} itself: without `default` it gets neither the password nor the keys of the \
                 image's recipe"
            ),
            (true, false) => return found,
            (false, true) => format!(
                "`users` lacks `default`: {name}, the user that the image's recipe enrols, is not made, and the \
                 launch's key goes to nobody"
            ),
            (false, false) => format!(
                "`users` lacks `default`: {name}, the image's default user, is not made, and the launch's key goes \
                 to nobody"
            ),
        };
        let finding = Finding::warning("image-default-user-lost", value.place, what).at("users");
        found.push(finding.with_hint("make `- default` the first item of `users`"));
    }
    // Users that the recipe put into cloud-init's list, which this list replaces.
    for user in users::users(&facts.config, facts.default_user.as_deref()) {
        if user.is_default || listed.iter().any(|known| known.name == user.name) {
            continue;
        }
        let what = format!("`users` replaces the image's own list: {} is not made", user.name);
        let finding = Finding::warning("image-recipe-user-lost", value.place, what).at("users");
        found.push(finding.with_hint(format!("name {} in `users` too", user.name)));
    }
    found
}

/// Passwords of the recipe that are replaced or locked.
fn passwords(own: &Map, facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut replaced = |name: &str, key: &str, place: Place, path: String| {
        if facts.recipe_set_password(name) {
            let what = format!("{key} replaces the password that the image's recipe gave {name}");
            found.push(Finding::warning("image-password-replaced", place, what).at(path));
        }
    };
    for change in users::passwords(own) {
        replaced(&change.name, "chpasswd", change.place, change.path);
    }
    if let (Some(value), Some(name)) = (get(own, "password"), facts.default_user.as_deref()) {
        replaced(name, "`password`", value.place, "password".to_owned());
    }
    found
}

/// Keys that sshd would not take.
fn refused_keys(all: &[User], own: &Map, facts: &Facts, sshd: &Config) -> Vec<Finding> {
    let default = facts.default_user.clone().unwrap_or_default();
    let mut keys: Vec<(&str, users::KeyLine)> = Vec::new();
    for user in all {
        keys.extend(user.keys.iter().map(|key| (user.name.as_str(), key.clone())));
    }
    let top = users::key_lines(get(own, "ssh_authorized_keys"), "ssh_authorized_keys");
    keys.extend(top.into_iter().map(|key| (default.as_str(), key)));
    let mut found: Vec<Finding> = Vec::new();
    for (name, key) in keys {
        // Keys of the image are not this user-data's.
        if key.place.part == super::image_config::IN_IMAGE || found.iter().any(|old| old.place == key.place) {
            continue;
        }
        if let Some(why) = keys::refusal(&key.line, name, sshd) {
            let kind = key.line.split_whitespace().next().unwrap_or_default();
            let shown = if kind.len() > 40 { "this key" } else { kind };
            let message = format!("the image's sshd does not take {shown}: {why}");
            let finding = Finding::warning("image-key-refused", key.place, message).at(key.path);
            found.push(finding.with_hint("ssh-keygen -t ed25519 makes one that every sshd since 6.5 takes"));
        }
    }
    found
}

/// Users of the user-data that could not log in, and whether nobody could.
fn ways_in(all: &[User], facts: &Facts, sshd: &Config, after: &Stage<'_>) -> Result<Vec<Finding>, CliError> {
    let mut found = Vec::new();
    let mut open = false;
    let mut reasons = Vec::new();
    for user in all {
        let obstacles = login::obstacles(user, facts, sshd, after)?;
        if obstacles.is_empty() {
            open = true;
            continue;
        }
        let why = obstacles.join(", ");
        reasons.push(format!("{}: {why}", user.name));
        // A user of a service is not to log in.
        if user.is_service()
            || user.place.part == super::image_config::IN_IMAGE
            || user.place == Place::default()
        {
            continue;
        }
        let message = format!("{} could not log in over SSH: {why}", user.name);
        let finding =
            Finding::warning("image-user-without-way-in", user.place, message).at(user.path.clone());
        found.push(match facts.asks_for_factors() {
            true => finding
                .with_hint("the image asks for several factors: enrol the user in its recipe (step `mfa`)"),
            false => finding,
        });
    }
    // Users that the image had before.
    for account in hardtack_guest::accounts::users(after)? {
        let known = all.iter().any(|user| user.name == account.name);
        if open || known || (account.uid != 0 && !(1000..60_000).contains(&account.uid)) {
            continue;
        }
        let user = User { name: account.name, ..User::default() };
        open |= login::obstacles(&user, facts, sshd, after)?.is_empty();
    }
    if !open {
        let place = Place { part: usize::MAX, ..Place::default() };
        let message = format!(
            "nobody could log in over SSH: {}",
            if reasons.is_empty() { "no user is made".to_owned() } else { reasons.join("; ") }
        );
        found.push(
            Finding::error("image-no-way-in", place, message)
                .with_hint("leave one user who has all that the image asks for"),
        );
    }
    Ok(found)
}
