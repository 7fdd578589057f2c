//! `hardtack user-data check --image`: what user-data would do to an image's way in.
//!
//! * `image`: what the image asks for, and what its recipe promised.
//! * `users`: the users as the user-data leaves them.
//! * `losses`: what the user-data takes away from the recipe.
//! * `login`: what stands between one of them and a login.
//! * `keys`: which keys the image's sshd takes.
//! * `owners`: owners of files that the image has, or not.
//! * `files`: sshd, PAM and the overlay with the files of the user-data in place.
//! * `demand`: what PAM asks for.
//! * `promise`: what the image's recipe promised of logins.
//! * `gates`: what shuts everybody out.
//! * `storage`: the overlay's device.
//! * `commands`: commands that name any of it.

#[cfg(test)]
mod closed_tests;
mod commands;
mod demand;
mod files;
mod gates;
mod image;
mod keys;
mod login;
mod losses;
mod owners;
mod promise;
mod storage;
#[cfg(test)]
mod tests;
mod users;

use hardtack_guest::sshd::Config;
use hardtack_guest::{Stage, Tree};
use hardtack_modules::{Distro, Plan, Request, plan};
use hardtack_userdata::check::Report;
use hardtack_userdata::truth::is_false;
use hardtack_userdata::{Finding, Map, Place, Severity, Value};

use self::gates::Gates;
pub(super) use self::image::agent_config;
use self::image::{Facts, Reader};
use self::login::World;
use self::users::{User, get};
use super::machine::GuestMachine;
use crate::error::CliError;
use crate::talk;

/// What the user-data does to an image.
pub(super) struct Verdict {
    /// What is wrong, or to be known.
    pub(super) findings: Vec<Finding>,
    /// Who could log in was judged.
    logins: bool,
    /// Where owners of files stand that the image has.
    owners: Vec<Place>,
}

/// What the user-data of `report` would do to `guest`, `today` days after 1970 began.
pub(super) fn look(report: &Report, guest: &dyn Tree, today: i64) -> Result<Verdict, CliError> {
    let mut logins = false;
    let mut owners = Vec::new();
    let machine = GuestMachine::new(guest);
    let before = Stage::new(guest);
    let facts = Facts::read(&machine, &before)?;
    let mut found = Vec::new();
    if let Some(finding) = nobody_reads(&facts) {
        found.push(finding);
    }
    found.extend(losses::dialect(&report.config, &facts));
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
    let plan = plan(&request);
    let written = files::put(&plan, &mut after);
    found.extend(files::compare(guest, &after, &written, &report.config, &facts)?);
    found.extend(files::device(&after, &written, &report.config, &facts));
    found.extend(commands::look(&report.config, &report.data.parts));
    // The dialect of CoreOS has users of its own, and none by default.
    if facts.reader != Reader::CoreOs {
        let looked = owners::look(&report.config, &machine);
        owners = looked.there;
        // What this user-data makes itself is told with its maker.
        let told = |finding: &Finding| {
            let same = |known: &Finding| known.code == "owner-not-there-yet" && known.place == finding.place;
            report.findings.iter().any(same)
        };
        found.extend(looked.missing.into_iter().filter(|finding| !told(finding)));
        let listed = users::users(&config, image::default_user(&config).as_deref());
        let mut all = made(listed.clone(), &config, &distro);
        all.extend(users::of_agent(&facts, &all));
        found.extend(losses::default_user(&report.config, &listed, &facts));
        found.extend(losses::passwords(&report.config, &facts));
        found.extend(losses::modules(&report.config, &distro));
        let sshd = image::sshd_config(&after, facts.sshd)?;
        if sshd.is_none() {
            talk::note("the image's package database names no openssh-server: sshd is not looked at");
        }
        logins = sshd.is_some();
        if let Some(sshd) = &sshd {
            found.extend(refused_keys(&listed, &report.config, &facts, sshd));
            let gates = Gates::read(&after, sshd)?;
            let world = World { facts: &facts, sshd, stage: &after, gates, today };
            found.extend(losses::root(&report.config, &world)?);
            let usual = users::users(&facts.config, facts.default_user.as_deref());
            let mut usual = made(usual, &facts.config, &distro);
            usual.extend(users::of_agent(&facts, &usual));
            let was_open = match image::sshd_config(&before, facts.sshd)? {
                Some(sshd) => {
                    let gates = Gates::read(&before, &sshd)?;
                    let world = World { facts: &facts, sshd: &sshd, stage: &before, gates, today };
                    somebody(&usual, &world)?
                }
                None => true,
            };
            // What of the user-data closes it, if that was told already.
            let closes =
                |finding: &&Finding| ["image-sshd-changed", "image-pam-changed"].contains(&finding.code);
            let mut placed = found.iter().filter(|finding| finding.place.part != usize::MAX);
            let error = placed.clone().find(|finding| finding.severity == Severity::Error);
            let culprit =
                error.or_else(|| placed.find(closes)).map(|finding| (finding.place, finding.path.clone()));
            found.extend(ways_in(&all, &report.config, &world, was_open, culprit)?);
        }
    }
    for failure in failures(report, &plan) {
        let same = |known: &&mut Finding| known.place == failure.place && known.path == failure.path;
        match found.iter_mut().find(same) {
            Some(known) => known.severity = Severity::Error,
            None => found.push(failure),
        }
    }
    Ok(Verdict { findings: found, logins, owners })
}

impl Verdict {
    /// True for what is told of user-data in general, where one of the findings says the same with the
    /// image's names, or where the image has the answer.
    pub(super) fn knows_better(&self, general: &Finding) -> bool {
        if self.findings.iter().any(|finding| finding.code == general.code && finding.path == general.path) {
            return true;
        }
        let told = |code: &'static str| self.findings.iter().filter(move |finding| finding.code == code);
        match general.code {
            "no-default-user" => told("image-default-user-lost").next().is_some(),
            "no-way-in" => self.logins,
            // The modules were tried out on the image.
            "locale-invalid" | "timezone-unknown" => true,
            "owner-not-there-yet" => self.owners.contains(&general.place),
            "owner-unknown" => {
                self.owners.contains(&general.place)
                    || told("image-owner-missing").any(|finding| finding.place == general.place)
            }
            "key-type-refused" => told("image-key-refused").any(|finding| finding.place == general.place),
            _ => false,
        }
    }
}

/// Errors that modules end with on this image, and that the report does not hold yet.
fn failures(report: &Report, plan: &Plan) -> Vec<Finding> {
    let told = |finding: &Finding| {
        report.findings.iter().any(|known| {
            known.severity == Severity::Error
                && (known.place == finding.place || (known.path == finding.path && !known.path.is_empty()))
        })
    };
    let of_user = |finding: &&Finding| finding.place.part != super::image_config::IN_IMAGE;
    let findings = plan.steps.iter().flat_map(|step| &step.findings);
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    errors.filter(of_user).filter(|finding| !told(finding)).cloned().collect()
}

/// Of `all` those that are made and get keys with the modules that run.
fn made(mut all: Vec<User>, config: &Map, distro: &Distro) -> Vec<User> {
    let order = hardtack_modules::table::order(config, distro);
    let runs = |name: &str| order.iter().any(|entry| entry.name.replace('-', "_") == name);
    if !runs("users_groups") {
        all.clear();
    }
    if !runs("ssh") {
        all.iter_mut().for_each(|user| user.launch_key = false);
    }
    all
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
            let shown = keys::kind(&key.line).filter(|kind| kind.len() <= 40).unwrap_or("this key");
            let message = format!("the image's sshd does not take {shown}: {why}");
            let finding = Finding::warning("image-key-refused", key.place, message).at(key.path);
            found.push(finding.with_hint("ssh-keygen -t ed25519 makes one that every sshd since 6.5 takes"));
        }
    }
    found
}

/// Users of the user-data that could not log in, and whether nobody could.
fn ways_in(
    all: &[User],
    own: &Map,
    world: &World<'_, '_>,
    was_open: bool,
    culprit: Option<(Place, String)>,
) -> Result<Vec<Finding>, CliError> {
    let mut found: Vec<Finding> = Vec::new();
    let mut reasons = Vec::new();
    for user in all {
        let obstacles = login::obstacles(user, world)?;
        if obstacles.is_empty() {
            continue;
        }
        let why = obstacles.join(", ");
        reasons.push(format!("{}: {why}", user.name));
        // A user of a service is not to log in; what the image lacks itself is not this user-data's.
        let Some((place, path)) = blamed(user, own).filter(|_| !user.is_service()) else { continue };
        let message = format!("{} could not log in over SSH: {why}", user.name);
        let finding = Finding::warning("image-user-without-way-in", place, message).at(path);
        let others: Vec<&str> = world.facts.makes().map(|account| account.name.as_str()).collect();
        found.push(match world.facts.asks_for_factors() {
            true if user.is_default && !others.is_empty() && !others.contains(&user.name.as_str()) => finding
                .with_hint(format!(
                    "the image's recipe enrols {}, who is made without a list here: leave `users` out",
                    others.join(", ")
                )),
            true => finding
                .with_hint("the image asks for several factors: enrol the user in its recipe (step `mfa`)"),
            false => finding,
        });
    }
    if !somebody(all, world)? {
        let why = if reasons.is_empty() { "no user is made".to_owned() } else { reasons.join("; ") };
        let message = format!("nobody could log in over SSH: {why}");
        let told = found.first().map(|finding| (finding.place, finding.path.clone()));
        let whole = || (Place { part: usize::MAX, ..Place::default() }, String::new());
        let (place, path) = culprit.or(told).unwrap_or_else(whole);
        let finding = match was_open {
            true => Finding::error("image-no-way-in", place, message),
            // It was so before.
            false => Finding::warning("image-no-way-in", place, message),
        }
        .at(path);
        found.push(finding.with_hint("leave one user who has all that the image asks for"));
    }
    Ok(found)
}

/// Whether one of these users, or one that the image has already, could log in.
fn somebody(all: &[User], world: &World<'_, '_>) -> Result<bool, CliError> {
    for user in all {
        if login::obstacles(user, world)?.is_empty() {
            return Ok(true);
        }
    }
    for account in hardtack_guest::accounts::users(world.stage)? {
        let known = all.iter().any(|user| user.name == account.name);
        if known || (account.uid != 0 && !(1000..60_000).contains(&account.uid)) {
            continue;
        }
        let user = User { name: account.name, ..User::default() };
        if login::obstacles(&user, world)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What of the user-data is to blame when `user` cannot log in: its entry, or a key that changes the
/// default user; `None` when the user-data says nothing of it.
fn blamed(user: &User, own: &Map) -> Option<(Place, String)> {
    if user.place.part != super::image_config::IN_IMAGE && user.place != Place::default() {
        return Some((user.place, user.path.clone()));
    }
    let keys = ["user", "system_info", "allow_public_ssh_keys", "chpasswd", "password"];
    let (key, value) =
        keys.iter().find_map(|key| Some((*key, get(own, key)?))).filter(|_| user.is_default)?;
    Some((value.place, key.to_owned()))
}
