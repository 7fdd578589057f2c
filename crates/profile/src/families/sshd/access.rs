//! Who may log in over SSH at all. What only keeps people out asks first whether anybody is left.

use hardtack_guest::accounts;
use hardtack_guest::sshd::Config;

use super::server::{self, Fault, installed, judge, nowhere, place, set};
use super::words::{Words, word};
use crate::people::{Person, everybody};
use crate::{Bench, Error, Finding, Measure, View, cloud};

/// Where cloud-init's default user gets the group.
pub(crate) const CLOUD: &str = "/etc/cloud/cloud.cfg.d/99-zz-hardtack-ssh-group.cfg";

const NOBODY: &str = "cloud-init makes the default user at boot, in groups that nobody here knows: name a group in the \
                      profile's settings (ssh-group)";

/// Only members of one group.
pub(super) struct Group;

impl Measure for Group {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(group) = bench.settings.ssh_group.clone() else { return Ok(()) };
        let Some(version) = installed(bench)? else { return Ok(()) };
        if !is_name(&group) {
            return Err(Error::Refused {
                rule: "sshd-access",
                what: format!("{group:?} cannot be the name of a group"),
                hint: "take up to 32 lower-case letters, digits, - and _, a letter first".to_owned(),
            });
        }
        if accounts::group_id(bench.stage, &group)?.is_none() {
            accounts::add_system_group(bench.stage, &group)?;
        }
        let mut people = everybody(bench)?;
        if cloud::is_there(bench.stage)? {
            let mut groups = cloud::default_user(bench.stage, CLOUD)?.groups;
            groups.retain(|one| *one != group);
            groups.push(group.clone());
            let list: Vec<String> = groups.iter().map(|one| cloud::quoted(one)).collect();
            let lines = ["system_info:", "  default_user:", &format!("    groups: [{}]", list.join(", "))];
            cloud::drop_in(bench, CLOUD, &lines.map(str::to_owned))?;
            let default = cloud::default_user(bench.stage, CLOUD)?.name;
            for person in &mut people {
                if Some(&person.name) == default.as_ref() || default.is_none() {
                    person.groups.push(group.clone());
                }
            }
        }
        let left = |person: &Person| person.has_a_way() && person.groups.contains(&group);
        if !people.iter().any(left) {
            return Err(Error::Refused {
                rule: "sshd-access",
                what: format!(
                    "nobody who could log in is a member of {group}: everybody would be locked out"
                ),
                hint: format!("make a user with a key or a password, and put it into {group}"),
            });
        }
        set(bench, version, "AllowGroups", &group);
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let wanted = view.settings.ssh_group.as_deref();
        if let Ok(Some(version)) = server::version(view.stage)
            && wanted.is_none()
        {
            let named = Config::load(view.stage, version).is_ok_and(|config| {
                ["AllowGroups", "AllowUsers"].iter().any(|word| !config.global(word).is_empty())
            });
            if !named {
                return Ok(Finding::Exception(NOBODY.to_owned()));
            }
        }
        let finding = judge(view, |config| {
            let lines = config.global("AllowGroups");
            let Some(group) = wanted else { return Ok(Vec::new()) };
            if lines.is_empty() {
                return Ok(vec![(nowhere(), format!("AllowGroups is set nowhere; wanted: {group}"))]);
            }
            let blocks = config.overrides("AllowGroups");
            let others =
                lines.into_iter().chain(blocks).filter(|line| line.words.iter().any(|one| one != group));
            Ok(others
                .map(|line| {
                    (place(&line.place), format!("AllowGroups lets {} in; wanted: {group}", line.value))
                })
                .collect::<Vec<Fault>>())
        })?;
        match (finding, wanted) {
            (Finding::Pass, Some(group)) if cloud::is_there(view.stage)? => {
                let user = cloud::default_user(view.stage, "")?;
                if user.groups.iter().any(|one| one == group) {
                    return Ok(Finding::Pass);
                }
                Ok(Finding::fail_at(
                    CLOUD,
                    format!("cloud-init does not put its default user into {group}: it is locked out"),
                ))
            }
            (finding, _) => Ok(finding),
        }
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=32).contains(&name.len())
        && name.bytes().all(fits)
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
}

/// Not root. Refused where root is the only one who can log in.
pub(super) struct NoRoot;

const ROOT: Words = Words(&[word("PermitRootLogin", "no", "yes, or yes with a key")]);

impl Measure for NoRoot {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if installed(bench)?.is_some() && !speaks(bench, "permitrootlogin") {
            let (root, others): (Vec<_>, Vec<_>) = everybody(bench)?.into_iter().partition(|one| one.is_root);
            if root.iter().any(Person::has_a_way) && !others.iter().any(Person::has_a_way) {
                return Err(Error::Refused {
                    rule: "sshd-root",
                    what: "root is the only one who can log in, and would be locked out".to_owned(),
                    hint: "make another user with a key or a password (step user), or make an exception for this \
                           control"
                        .to_owned(),
                });
            }
        }
        ROOT.apply(bench)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        ROOT.check(view)
    }
}

/// No passwords but through PAM. Refused where passwords are the only way in.
pub(super) struct NoPasswords;

const PASSWORDS: Words = Words(&[word("PasswordAuthentication", "no", "yes")]);

impl Measure for NoPasswords {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(version) = installed(bench)? else { return Ok(()) };
        let words = ["passwordauthentication", "kbdinteractiveauthentication", "authenticationmethods"];
        if !words.iter().any(|word| speaks(bench, word)) {
            let config = Config::load(bench.stage, version)?;
            let asks =
                config.global("KbdInteractiveAuthentication").first().is_none_or(|line| line.value != "no")
                    && config
                        .global("ChallengeResponseAuthentication")
                        .first()
                        .is_none_or(|line| line.value != "no");
            let people = everybody(bench)?;
            if !asks && people.iter().any(|one| one.password) && !people.iter().any(|one| one.key) {
                return Err(Error::Refused {
                    rule: "sshd-password",
                    what: "everybody who can log in has a password and no key, and would be locked out".to_owned(),
                    hint: "give a user a key (step user), demand several factors (step mfa), or make an exception for \
                           this control"
                        .to_owned(),
                });
            }
        }
        PASSWORDS.apply(bench)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        PASSWORDS.check(view)
    }
}

fn speaks(bench: &Bench<'_, '_>, word: &str) -> bool {
    bench.spoken.iter().any(|spoken| spoken.eq_ignore_ascii_case(word))
}
