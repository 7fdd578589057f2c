//! What user-data takes away from an image: users, passwords, modules.

use hardtack_modules::{Distro, table};
use hardtack_userdata::truth::is_false;
use hardtack_userdata::{Finding, Map, Place};

use super::image::{Facts, Reader};
use super::login::{self, World};
use super::users::{self, User, get, place_of};
use crate::error::CliError;

/// A list `users` without `default` takes cloud-init's default user away, and other users of the recipe; the
/// key `user` makes somebody else of it. `all` are the users afterwards.
pub(super) fn default_user(own: &Map, all: &[User], facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let renamed = all.iter().find(|user| user.is_default).map(|user| user.name.as_str());
    if let (Some(old), Some(new)) = (facts.default_user.as_deref(), renamed.filter(|_| changes_name(own)))
        && old != new
    {
        let place = ["user", "system_info"]
            .iter()
            .find_map(|key| get(own, key))
            .map_or_else(Place::default, |value| value.place);
        let what = match facts.recipe_set_password(old) || facts.enrols(old) {
            true => {
                format!("the default user becomes {new}: {old}, whom the image's recipe enrols, is not made")
            }
            false => format!("the default user becomes {new}: {old} is not made"),
        };
        found.push(Finding::warning("image-default-user-lost", place, what).at("user"));
    }
    let Some(value) = get(own, "users") else { return found };
    if value.is_null() {
        return found;
    }
    let listed = users::users(own, facts.default_user.as_deref());
    if let Some(name) = facts.default_user.as_deref().filter(|_| !users::wants_default(own)) {
        let named = listed.iter().any(|user| user.name == name);
        let recipe = facts.recipe_set_password(name) || facts.enrols(name);
        let made =
            facts.made(name).filter(|_| !named).map(|account| match account.authorized_keys.is_empty() {
                true => "without a key",
                false => "with the recipe's keys",
            });
        let what = match (named, recipe, made) {
            (_, _, Some(how)) => format!(
                "`users` lacks `default`: {name}, the user that the image's recipe enrols, is made by the agent {how}, \
                 and the launch's key goes to nobody"
            ),
            (true, true, None) => format!(
                "`users` names {name} itself: without `default` it gets neither the password nor the keys of the \
                 image's recipe"
            ),
            (true, false, None) => return found,
            (false, true, None) => format!(
                "`users` lacks `default`: {name}, the user that the image's recipe enrols, is not made, and the \
                 launch's key goes to nobody"
            ),
            (false, false, None) => format!(
                "`users` lacks `default`: {name}, the image's default user, is not made, and the launch's key goes \
                 to nobody"
            ),
        };
        let finding = Finding::warning("image-default-user-lost", place_of(own, "users"), what).at("users");
        found.push(finding.with_hint("make `- default` the first item of `users`"));
    }
    // Users that the recipe put into cloud-init's list, which this list replaces.
    for user in users::users(&facts.config, facts.default_user.as_deref()) {
        if user.is_default
            || listed.iter().any(|known| known.name == user.name)
            || facts.made(&user.name).is_some()
        {
            continue;
        }
        let what = format!("`users` replaces the image's own list: {} is not made", user.name);
        let finding = Finding::warning("image-recipe-user-lost", place_of(own, "users"), what).at("users");
        found.push(finding.with_hint(format!("name {} in `users` too", user.name)));
    }
    found
}

/// Passwords of the recipe that are replaced or locked.
pub(super) fn passwords(own: &Map, facts: &Facts) -> Vec<Finding> {
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

/// True when the user-data names a default user itself.
fn changes_name(own: &Map) -> bool {
    get(own, "user").is_some()
        || get(own, "system_info").is_some_and(|info| info.get("default_user").is_some())
}

/// Modules that make users and keys, and that a list of modules in the user-data leaves out.
pub(super) fn modules(own: &Map, distro: &Distro) -> Vec<Finding> {
    let keys = ["cloud_init_modules", "cloud_config_modules", "cloud_final_modules"];
    let Some(key) = keys.into_iter().find(|key| get(own, key).is_some()) else { return Vec::new() };
    let usual = table::order(&Map::new(), distro);
    let now = table::order(own, distro);
    let left_out: Vec<&str> = ["users_groups", "ssh", "set_passwords"]
        .into_iter()
        .filter(|name| usual.iter().any(|entry| entry.name == *name))
        .filter(|name| !now.iter().any(|entry| entry.name == *name))
        .collect();
    if left_out.is_empty() {
        return Vec::new();
    }
    let what = format!("`{key}` leaves {} out: users, keys or passwords are not set", left_out.join(" and "));
    vec![Finding::warning("image-modules-lost", place_of(own, key), what).at(key)]
}

/// `disable_root: false` gives the launch's key to root, whom sshd may let in.
pub(super) fn root(own: &Map, world: &World<'_, '_>) -> Result<Vec<Finding>, CliError> {
    let Some(value) = get(own, "disable_root") else { return Ok(Vec::new()) };
    if !is_false(value) {
        return Ok(Vec::new());
    }
    // The launch's key, as the default user has it.
    let root = User { name: "root".to_owned(), launch_key: true, ..User::default() };
    let obstacles = login::obstacles(&root, world)?;
    let finding = if obstacles.is_empty() {
        let what = "`disable_root: false` lets root in over SSH with the launch's key";
        Finding::warning("image-root-opened", value.place, what).with_hint("leave it out, and use sudo")
    } else {
        let what = format!("`disable_root: false` lets nobody in: {}", obstacles.join(", "));
        Finding::warning("image-root-no-effect", value.place, what)
    };
    Ok(vec![finding.at("disable_root")])
}

/// A configuration for coreos-cloudinit, and an image that has cloud-init.
pub(super) fn dialect(own: &Map, facts: &Facts) -> Option<Finding> {
    get(own, "coreos").filter(|_| facts.reader == Reader::CloudInit)?;
    let what = "`coreos` is for coreos-cloudinit: the image has cloud-init, which passes over it";
    Some(Finding::warning("image-dialect", place_of(own, "coreos"), what).at("coreos"))
}
