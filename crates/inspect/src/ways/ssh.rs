//! SSH: what sshd and PAM demand, and what a user lacks of it.

use hardtack_guest::sshd::{Config, Connection, Version, in_pattern_list};

use super::{Enrols, Factor, Judge, MOST_SHUT, Person, ShutOut, WaysIn};
use crate::logins::DECIDING;
use crate::model::WayIn;

/// `Match` blocks about where a client comes from that are looked at.
const MOST_BLOCKS: usize = 64;

/// ChallengeResponseAuthentication is another name of KbdInteractiveAuthentication since then.
const ONE_SWITCH: Version = Version::new(8, 7);

impl Judge<'_, '_> {
    /// Adds the ways over SSH, and those who have none.
    pub(super) fn over_ssh(&self, found: &mut WaysIn) {
        let Some(config) = &self.config else { return };
        // A word that another release knows is no reason to doubt.
        let stops = config.problems.iter().find(|problem| problem.unknown_word.is_none());
        found.problems.extend(stops.map(|problem| format!("sshd: {}: {}", problem.place, problem.what)));
        let from: Vec<usize> = (0..config.blocks.len())
            .filter(|index| is_about_places(&config.blocks[*index].criteria))
            .take(MOST_BLOCKS)
            .collect();
        for person in &self.people {
            let usual = self.with(person, config, None);
            let mut known: Vec<Vec<Factor>> = Vec::new();
            if !usual.is_empty() {
                found.ways.push(self.way(person, &usual, config, None));
                known.extend(usual);
            }
            for index in &from {
                let block = &config.blocks[*index];
                let mut more = self.with(person, config, Some(*index));
                more.retain(|factors| !known.contains(factors));
                if !more.is_empty() {
                    let mut way = self.way(person, &more, config, Some(*index));
                    way.only = Some(format!("Match {} ({})", block.criteria, block.place));
                    found.ways.push(way);
                }
                known.extend(more);
            }
            let is_person = person.user.uid == 0 || person.user.uid >= 1000 && person.user.uid < 65_000;
            if known.is_empty() && is_person && found.shut_out.len() < MOST_SHUT {
                let why = self.why_not(person, config);
                found.shut_out.push(ShutOut { who: person.user.name.clone(), why });
            }
        }
    }

    fn way(&self, person: &Person, all: &[Vec<Factor>], config: &Config, from: Option<usize>) -> WayIn {
        let empty = person.user.password == "none";
        let word = |factor: &Factor| match factor {
            Factor::Password if empty => "nothing",
            factor => factor.word(),
        };
        let with = all.iter().map(|one| one.iter().map(word).collect::<Vec<_>>().join("+")).collect();
        let needs: Vec<Factor> = all.iter().flatten().copied().collect();
        let mut unique: Vec<Factor> = Vec::new();
        needs.into_iter().for_each(|need| {
            if !unique.contains(&need) {
                unique.push(need);
            }
        });
        let mut note = self.to_come(person, &unique);
        let connection = self.connection(person, from);
        let forced = config.for_connection("ForceCommand", &connection);
        if let Some(forced) = forced.first().filter(|line| line.value != "none") {
            let comma = if note.is_empty() { "" } else { ", " };
            note += &format!("{comma}ForceCommand {} ({})", forced.value, forced.place);
        }
        WayIn { by: "ssh", who: person.user.name.clone(), with, note, ..WayIn::default() }
    }

    fn connection(&self, person: &Person, from_block: Option<usize>) -> Connection {
        Connection {
            user: Some(person.user.name.clone()),
            groups: person.user.groups.clone(),
            from_block,
            ..Connection::default()
        }
    }

    /// With what somebody gets in: alternatives.
    fn with(&self, person: &Person, config: &Config, from: Option<usize>) -> Vec<Vec<Factor>> {
        let connection = self.connection(person, from);
        let mut with = self.demands(config, &connection);
        with.retain(|factors| self.obstacles_at(person, factors, config, &connection).is_empty());
        with
    }

    /// Why nobody gets in by this name.
    fn why_not(&self, person: &Person, config: &Config) -> String {
        let connection = self.connection(person, None);
        let demands = self.demands(config, &connection);
        let first = demands
            .iter()
            .find_map(|factors| self.obstacles_at(person, factors, config, &connection).into_iter().next());
        first.unwrap_or_else(|| "no method is left that sshd takes".to_owned())
    }

    /// Why somebody cannot log in over SSH with `factors`; empty: it can.
    #[must_use]
    pub fn obstacles(&self, person: &Person, factors: &[Factor]) -> Vec<String> {
        let Some(config) = &self.config else { return vec!["there is no sshd".to_owned()] };
        self.obstacles_at(person, factors, config, &self.connection(person, None))
    }

    /// Whether somebody has a key that does not come with the launch.
    #[must_use]
    pub fn has_key(&self, person: &Person) -> bool {
        let Some(config) = &self.config else { return false };
        let connection = self.connection(person, None);
        person.user.keys > 0 || self.key_comes(person, Some((config, &connection)))
    }

    fn obstacles_at(
        &self,
        person: &Person,
        factors: &[Factor],
        config: &Config,
        connection: &Connection,
    ) -> Vec<String> {
        let mut found = self.account_faults(person);
        for need in [Factor::Password, Factor::Key, Factor::Code] {
            if factors.contains(&need) {
                found.extend(self.lacks(person, need, Some((config, connection))));
            }
        }
        found.extend(shut_out(person, factors, config, connection));
        found
    }

    /// What somebody lacks of one factor; `at` is the connection, none on a console.
    pub(super) fn lacks(
        &self,
        person: &Person,
        need: Factor,
        at: Option<(&Config, &Connection)>,
    ) -> Option<String> {
        let account = person.account.as_ref();
        match need {
            Factor::Password => {
                let comes = account.is_some_and(|account| account.password);
                let empty = person.user.password == "none"
                    && at.is_some_and(|(config, connection)| {
                        value(config, connection, "PermitEmptyPasswords") == "yes"
                    });
                if comes || person.user.password == "set" && !person.launched || empty {
                    None
                } else if person.launched {
                    Some("it has no password: cloud-init locks that of its default user".to_owned())
                } else {
                    Some("it has no password".to_owned())
                }
            }
            Factor::Key => {
                let from_files = (person.launched || person.user.keys > 0) && !at.is_some_and(takes_no_files);
                let has = from_files || self.key_comes(person, at);
                (!has).then(|| "it has no SSH key".to_owned())
            }
            Factor::Code if self.coming.enrols.has(&person.user.name) || person.user.code_secret => None,
            Factor::Code => Some(match self.coming.enrols {
                Enrols::Nobody => "nothing enrols it: there is no agent".to_owned(),
                _ => "nothing enrols it: it is not among the users of `mfa`".to_owned(),
            }),
            Factor::Kerberos | Factor::HostKey | Factor::Pam => None,
        }
    }

    /// A key that is in no file of the image.
    fn key_comes(&self, person: &Person, at: Option<(&Config, &Connection)>) -> bool {
        let Some((config, connection)) = at else { return false };
        let files = config.for_connection("AuthorizedKeysFile", connection);
        let usual = files
            .first()
            .is_none_or(|line| line.words.iter().any(|word| word.ends_with(".ssh/authorized_keys")));
        // cloud-init asks sshd_config where keys go; by hand they go to the usual file.
        let placed = (self.coming.default_user.is_some() || usual) && !takes_no_files((config, connection));
        placed && person.account.as_ref().is_some_and(|account| account.keys > 0)
            || ["AuthorizedKeysCommand", "TrustedUserCAKeys"]
                .iter()
                .any(|keyword| value(config, connection, keyword) != "none")
    }

    /// What sshd and PAM take, whoever shows it: alternatives.
    pub(super) fn demands(&self, config: &Config, connection: &Connection) -> Vec<Vec<Factor>> {
        let is_on = |keyword: &str| value(config, connection, keyword) == "yes";
        let pam = self.pam.iter().find(|service| service.name == "sshd").filter(|_| is_on("UsePAM"));
        let asked = |keyboard: bool| -> Option<Vec<Factor>> {
            match pam {
                Some(pam) if !pam.open => None,
                // sshd gives PAM one answer here: a stack that asks for two fails.
                Some(pam) if !keyboard && pam.code => None,
                Some(pam) if pam.code && pam.password => Some(vec![Factor::Password, Factor::Code]),
                Some(pam) if pam.code => Some(vec![Factor::Code]),
                Some(pam) if !pam.password => Some(vec![Factor::Pam]),
                None if keyboard => None,
                _ => Some(vec![Factor::Password]),
            }
        };
        // Two switches until 8.7, either of which was enough, and one of which is on where nobody sets it.
        let keyboard = match config.version() < ONE_SWITCH {
            true => {
                let is_set = |keyword| !config.for_connection(keyword, connection).is_empty();
                is_set("KbdInteractiveAuthentication") && is_on("KbdInteractiveAuthentication")
                    || value_or(config, connection, "ChallengeResponseAuthentication", "yes") == "yes"
            }
            false => is_on("KbdInteractiveAuthentication"),
        };
        let one = |method: &str| -> Option<Vec<Factor>> {
            match method.split(':').next().unwrap_or_default() {
                "publickey" if is_on("PubkeyAuthentication") => Some(vec![Factor::Key]),
                "password" if is_on("PasswordAuthentication") => asked(false),
                "keyboard-interactive" if keyboard => asked(true),
                "gssapi-with-mic" if is_on("GSSAPIAuthentication") => Some(vec![Factor::Kerberos]),
                "hostbased" if is_on("HostbasedAuthentication") => Some(vec![Factor::HostKey]),
                _ => None,
            }
        };
        let methods = value(config, connection, "AuthenticationMethods");
        let all: Vec<Vec<Factor>> = match methods.as_str() {
            "any" | "" => ["publickey", "password", "keyboard-interactive", "gssapi-with-mic", "hostbased"]
                .iter()
                .filter_map(|method| one(method))
                .collect(),
            lists => lists
                .split_whitespace()
                .filter_map(|list| list.split(',').map(one).collect::<Option<Vec<_>>>())
                .map(|factors| factors.concat())
                .collect(),
        };
        let mut unique: Vec<Vec<Factor>> = Vec::new();
        for one in all {
            if !unique.contains(&one) {
                unique.push(one);
            }
        }
        unique
    }
}

/// `AuthorizedKeysFile none`: wherever a key is put, sshd reads none.
fn takes_no_files((config, connection): (&Config, &Connection)) -> bool {
    value(config, connection, "AuthorizedKeysFile") == "none"
}

/// A directive's value for a connection, in small letters.
fn value(config: &Config, connection: &Connection, keyword: &str) -> String {
    let default = DECIDING.iter().find(|(known, _)| *known == keyword).map_or("", |(_, value)| value);
    value_or(config, connection, keyword, default)
}

fn value_or(config: &Config, connection: &Connection, keyword: &str, default: &str) -> String {
    let lines = config.for_connection(keyword, connection);
    lines.first().map_or_else(|| default.to_owned(), |line| line.value.to_lowercase())
}

/// Criteria of `Match` that are not about the user alone.
fn is_about_places(criteria: &str) -> bool {
    let criteria = criteria.to_ascii_lowercase();
    ["address", "host", "localport", "rdomain", "version"].iter().any(|word| criteria.contains(word))
}

/// AllowUsers and its kin, and root's own switch. Of `user@host` the host is taken to match in Allow and not in
/// Deny, but for `*`.
fn shut_out(person: &Person, factors: &[Factor], config: &Config, connection: &Connection) -> Vec<String> {
    let user = &person.user;
    let mut found = Vec::new();
    for (keyword, deny, by_group) in [
        ("DenyUsers", true, false),
        ("AllowUsers", false, false),
        ("DenyGroups", true, true),
        ("AllowGroups", false, true),
    ] {
        let lines = config.for_connection(keyword, connection);
        let Some(first) = lines.first() else { continue };
        let matched =
            lines.iter().flat_map(|line| &line.words).any(|word| match (by_group, word.split_once('@')) {
                (true, _) => user.groups.iter().any(|group| in_pattern_list(group, word)),
                (false, Some((name, host))) => (!deny || host == "*") && in_pattern_list(&user.name, name),
                (false, None) => in_pattern_list(&user.name, word),
            });
        if matched == deny {
            found.push(format!("{keyword} ({}) shuts it out", first.place));
        }
    }
    if user.uid == 0 {
        let value = value(config, connection, "PermitRootLogin");
        let by_key =
            factors == [Factor::Key] && ["prohibit-password", "without-password"].contains(&value.as_str());
        // sshd's own switch is about the methods password and keyboard-interactive.
        let other = !factors.is_empty()
            && factors.iter().all(|factor| matches!(factor, Factor::Kerberos | Factor::HostKey))
            && value != "no"
            && value != "forced-commands-only";
        if value != "yes" && !by_key && !other {
            found.push(format!("PermitRootLogin is {value}"));
        }
    }
    found
}
