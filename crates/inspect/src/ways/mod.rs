//! Ways in: who gets into an image's machines, where, and with what.
//!
//! * `ssh`: what sshd and PAM demand of a user, `Match` blocks included, and what the user lacks of it.
//! * `console`: terminals, emergency mode, the boot loader.
//! * [`agents`]: programs of clouds, which know nothing of factors.
//! * `units`: whether a unit would run at all.
//!
//! One set of rules: `inspect` tells it, a build ends with it, and a build refuses by it what nobody could enter.

pub mod agents;
mod console;
mod ssh;
#[cfg(test)]
mod tests;
mod units;

use crate::text::safe;
use hardtack_guest::sshd::{Config, Connection};
use hardtack_guest::{Error, FileType, Stage};
use hardtack_login::service;
use serde::Serialize;

use crate::accounts;
use crate::model::{PamService, User, WayIn};
use crate::{Options, logins};

pub use console::boot_loader_is_open;
pub use units::NEVER;

/// Ways that are told; a hostile image could have any number.
const MOST: usize = 2000;
/// So many are told in words.
const SHOWN: usize = 100;
/// People that get no way are told up to this many.
const MOST_SHUT: usize = 200;

/// Servers that let somebody in and know nothing of sshd's configuration.
const SERVERS: &[(&str, &str)] = &[
    ("/usr/sbin/dropbear", "dropbear"),
    ("/usr/sbin/tinysshd", "tinysshd"),
    ("/usr/sbin/in.telnetd", "telnetd"),
    ("/usr/sbin/telnetd", "telnetd"),
    ("/usr/lib/cockpit/cockpit-tls", "cockpit"),
];

/// What comes to a machine that the image does not have yet.
#[derive(Clone, Debug, Default)]
pub struct Coming {
    /// Users that the first boot makes, or completes.
    pub accounts: Vec<Account>,
    /// Who gets a secret of one-time codes at first boot.
    pub enrols: Enrols,
    /// The user that cloud-init makes, and gives the launch's keys to.
    pub default_user: Option<String>,
    /// User-data is carried out, by this program.
    pub user_data: Option<&'static str>,
}

/// Who is enrolled at first boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Enrols {
    /// There is nobody who would.
    #[default]
    Nobody,
    /// These alone.
    Listed(Vec<String>),
    /// Everybody.
    All,
}

impl Enrols {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Listed(names) => names.iter().any(|known| known == name),
            Self::All => true,
        }
    }
}

/// A user of the first boot.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Login shell; empty: what the image has.
    pub shell: String,
    /// Groups besides those of the image.
    pub groups: Vec<String>,
    /// It gets a password.
    pub password: bool,
    /// So many keys.
    pub keys: usize,
}

/// One thing that a login shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// An SSH key.
    Key,
    /// The password.
    Password,
    /// A one-time code.
    Code,
    /// A ticket.
    Kerberos,
    /// The key of a host that is trusted.
    HostKey,
    /// Whatever PAM's stack asks for: no module of it must be passed by everybody.
    Pam,
}

impl Factor {
    /// For people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Password => "password",
            Self::Code => "code",
            Self::Kerberos => "Kerberos",
            Self::HostKey => "host key",
            Self::Pam => "what PAM asks for",
        }
    }
}

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct Person {
    /// As the image has it.
    pub user: User,
    /// What the first boot adds.
    pub account: Option<Account>,
    /// The launch's keys are its own.
    launched: bool,
    /// The image has it.
    known: bool,
}

/// All ways in.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WaysIn {
    /// The ways.
    pub ways: Vec<WayIn>,
    /// People who have none over SSH, and why.
    pub shut_out: Vec<ShutOut>,
    /// What could not be judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Somebody who cannot log in over SSH.
#[derive(Clone, Debug, Serialize)]
pub struct ShutOut {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

impl WaysIn {
    /// Somebody or something gets in when all goes well: not only by editing the boot menu or in an emergency.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ways.iter().any(|way| !matches!(way.by, "boot loader" | "emergency"))
    }

    /// The end of a build's report: each way in one line, then who has none over SSH.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = "ways in\n".to_owned();
        let mut line = |name: &str, what: &str| text.push_str(&format!("  {name:<13} {}\n", safe(what)));
        for way in self.ways.iter().take(SHOWN) {
            line(way.by, &way.sentence());
        }
        match self.ways.len().saturating_sub(SHOWN) {
            0 if self.ways.is_empty() => line("none", "nobody can log in"),
            0 => {}
            more => line("and", &format!("{more} more")),
        }
        for one in self.shut_out.iter().take(SHOWN) {
            line("not by ssh", &format!("{}: {}", one.who, one.why));
        }
        for problem in &self.problems {
            line("not judged", problem);
        }
        text
    }

    /// Marks programs of clouds that are kept on purpose.
    pub fn keep(&mut self, ids: &[&str]) {
        for way in &mut self.ways {
            way.kept = way.agent.is_some_and(|agent| ids.contains(&agent));
        }
    }
}

/// Judges an image.
pub struct Judge<'s, 't> {
    stage: &'s Stage<'t>,
    config: Option<Config>,
    /// sshd as each of its units starts it.
    configs: Vec<Config>,
    pam: Vec<PamService>,
    people: Vec<Person>,
    coming: Coming,
}

impl<'s, 't> Judge<'s, 't> {
    /// Reads what is to be judged; `today` in days since 1970 says what has expired.
    ///
    /// # Errors
    /// The image cannot be read.
    pub fn read(stage: &'s Stage<'t>, coming: Coming, today: Option<i64>) -> Result<Self, Error> {
        let config = logins::sshd(stage)?.map(|(_, config)| config);
        let users = accounts::users(stage, config.as_ref(), Options { today, ..Options::default() })?;
        Self::of(stage, config, users, logins::pam(stage), coming)
    }

    pub(crate) fn of(
        stage: &'s Stage<'t>,
        config: Option<Config>,
        users: Vec<User>,
        pam: Vec<PamService>,
        coming: Coming,
    ) -> Result<Self, Error> {
        let mut configs = Vec::new();
        if let Some(config) = &config {
            for start in service::all(stage)?.into_iter().filter(|start| start.other.is_none()) {
                configs.push(Config::load_started(stage, config.version(), &start.options, &start.file)?);
            }
        }
        let mut people: Vec<Person> = users
            .into_iter()
            .map(|user| Person { user, account: None, launched: false, known: true })
            .collect();
        let names = coming.accounts.iter().map(|account| &account.name).chain(&coming.default_user);
        for name in names {
            if !people.iter().any(|person| person.user.name == *name) {
                people.push(Person::new(name));
            }
        }
        for person in &mut people {
            let name = &person.user.name;
            person.launched = coming.default_user.as_ref() == Some(name);
            person.account = coming.accounts.iter().find(|account| account.name == *name).cloned();
            if let Some(account) = &person.account {
                person.user.groups.extend(account.groups.iter().cloned());
            }
        }
        Ok(Self { stage, config, configs, pam, people, coming })
    }

    /// Somebody by name; one whom nobody knows has nothing.
    #[must_use]
    pub fn person(&self, name: &str) -> Person {
        let known = self.people.iter().find(|person| person.user.name == name);
        known.cloned().unwrap_or_else(|| Person::new(name))
    }

    /// The names of all who may log in.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.people.iter().map(|person| person.user.name.clone()).collect()
    }

    /// Whether sshd takes anything at all from anybody; true where there is no sshd.
    #[must_use]
    pub fn takes_any_method(&self) -> bool {
        let usual = Connection::default();
        self.config.as_ref().is_none_or(|config| !self.demands(config, &usual).is_empty())
    }

    /// There is an sshd to judge.
    #[must_use]
    pub fn has_sshd(&self) -> bool {
        self.config.is_some()
    }

    /// All ways in.
    #[must_use]
    pub fn ways(&self) -> WaysIn {
        let mut found = WaysIn::default();
        self.over_ssh(&mut found);
        if let Err(error) = console::ways(self, &mut found.ways) {
            found.problems.push(format!("consoles: {error}"));
        }
        if let Some(program) = self.coming.user_data {
            let who = self.coming.default_user.as_deref().unwrap_or("whom user-data names");
            found.ways.push(WayIn::new(program, who, "keys and user-data of the launch"));
        }
        match agents::find(self.stage, &self.configs) {
            Ok(agents) => {
                for one in agents.into_iter().filter(|one| one.active) {
                    let with = one.agent.power.with();
                    let way = WayIn::new("cloud agent", one.agent.what, with);
                    found.ways.push(WayIn { agent: Some(one.agent.id), ..way });
                }
            }
            Err(error) => found.problems.push(format!("cloud agents: {error}")),
        }
        for (path, name) in SERVERS {
            if matches!(self.stage.stat(path), Ok(Some(_))) {
                found.ways.push(WayIn::new("other", name, "rules of its own"));
            }
        }
        found.ways.truncate(MOST);
        found
    }

    /// Why the account as such takes no login.
    fn account_faults(&self, person: &Person) -> Vec<String> {
        let mut faults = Vec::new();
        let user = &person.user;
        let given = person.account.as_ref().map(|account| account.shell.as_str()).unwrap_or_default();
        let shell = if given.is_empty() { user.shell.as_str() } else { given };
        let is_file =
            |path: &str| matches!(self.stage.stat(path), Ok(Some(found)) if found.kind == FileType::Regular);
        if ["nologin", "false", "sync", "shutdown", "halt"]
            .contains(&shell.rsplit('/').next().unwrap_or_default())
        {
            faults.push(format!("its shell is {shell}"));
        } else if shell.starts_with('/') && !is_file(shell) {
            faults.push(format!("its shell {shell} is not in the image"));
        } else if shell.is_empty() && person.known && !user.can_log_in {
            faults.push("its shell /bin/sh is not in the image".to_owned());
        }
        if user.ended {
            faults.push("the account is expired".to_owned());
        }
        faults
    }

    /// What is still to come of `needs`.
    fn to_come(&self, person: &Person, needs: &[Factor]) -> String {
        let account = person.account.as_ref();
        let mut notes = Vec::new();
        for need in needs {
            match need {
                Factor::Key if person.user.keys > 0 => {}
                Factor::Key if account.is_some_and(|account| account.keys > 0) => {
                    notes.push("its key is put in place at first boot");
                }
                Factor::Key if person.launched => notes.push("its key comes with the launch"),
                Factor::Key => notes.push("keys come from elsewhere (AuthorizedKeysCommand, certificates)"),
                Factor::Password if account.is_some_and(|account| account.password) => {
                    notes.push("its password is set at first boot");
                }
                Factor::Code if self.coming.enrols.has(&person.user.name) => {
                    notes.push("its code is enrolled at first boot")
                }
                _ => {}
            }
        }
        notes.join(", ")
    }
}

impl Person {
    fn new(name: &str) -> Self {
        let user = User {
            name: name.to_owned(),
            home: format!("/home/{name}"),
            groups: vec![name.to_owned()],
            password: "locked",
            // Whoever is made later is nobody's root.
            uid: if name == "root" { 0 } else { 1000 },
            can_log_in: true,
            ..User::default()
        };
        Self { user, account: None, launched: false, known: false }
    }

    /// The launch's keys become its own.
    #[must_use]
    pub fn is_launched(&self) -> bool {
        self.launched
    }
}
