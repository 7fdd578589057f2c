//! A CoreOS cloud-config, typed (`config/config.go` and the files beside it).

use super::decode::Typed;
use super::shape::{self, Field, Shape};

/// The whole of it. Text that is not set is empty, as in coreos-cloudinit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudConfig {
    /// The host's name.
    pub hostname: String,
    /// Accounts.
    pub users: Vec<User>,
    /// Login keys of the account `core`.
    pub ssh_authorized_keys: Vec<String>,
    /// Files.
    pub write_files: Vec<File>,
    /// `localhost`: `/etc/hosts` is written anew.
    pub manage_etc_hosts: String,
    /// The rest.
    pub coreos: CoreOs,
}

/// `coreos`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreOs {
    /// Options of the first etcd.
    pub etcd: Section,
    /// Options of etcd2.
    pub etcd2: Section,
    /// Options of fleet.
    pub fleet: Section,
    /// Options of flannel.
    pub flannel: Section,
    /// Options of locksmith.
    pub locksmith: Section,
    /// What `/etc/oem-release` says.
    pub oem: Oem,
    /// Options of the update engine, and when to boot anew.
    pub update: Update,
    /// systemd units.
    pub units: Vec<Unit>,
}

/// A section whose options become environment variables, in the order of the variables' definition.
/// Options that are not set, and those that are 0 or false, are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section(pub Vec<Setting>);

/// An option that is set.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// True when the value is not to be shown.
    pub secret: bool,
}

/// `coreos.oem`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Oem {
    pub id: String,
    pub name: String,
    pub version_id: String,
    pub home_url: String,
    pub bug_report_url: String,
}

/// `coreos.update`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// `etcd-lock`, `reboot` or `off`.
    pub reboot_strategy: String,
    /// The channel: `stable`…
    pub group: String,
    /// The update server's URL.
    pub server: String,
}

/// `coreos.units[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// `docker.service`. A unit without a name is passed over.
    pub name: String,
    /// Whether it is linked to `/dev/null`.
    pub mask: bool,
    /// Whether it is started at every boot from now on.
    pub enable: bool,
    /// Whether its files are under `/run`.
    pub runtime: bool,
    /// The unit file.
    pub content: String,
    /// What is done with it now.
    pub command: String,
    /// Files that add to it.
    pub drop_ins: Vec<DropIn>,
}

/// `coreos.units[].drop_ins[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropIn {
    /// `10-proxy.conf`.
    pub name: String,
    /// The file.
    pub content: String,
    /// True when the content is not to be shown.
    pub secret: bool,
}

/// `users[]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Login name. A user without one is passed over.
    pub name: String,
    /// The password's hash.
    pub passwd: String,
    /// Login keys.
    pub ssh_authorized_keys: Vec<String>,
    /// GitHub accounts whose keys become login keys.
    pub github_users: Vec<String>,
    /// A URL that answers with login keys as JSON.
    pub import_url: String,
    /// Full name.
    pub gecos: String,
    /// Home directory.
    pub homedir: String,
    /// Whether the home directory is not made.
    pub no_create_home: bool,
    /// Main group.
    pub primary_group: String,
    /// Other groups.
    pub groups: Vec<String>,
    /// Whether no group of the user's name is made.
    pub no_user_group: bool,
    /// Whether it is a system account.
    pub system: bool,
    /// Whether it is left out of lastlog.
    pub no_log_init: bool,
    /// Login shell.
    pub shell: String,
}

/// `write_files[]`, the encoding undone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: String,
    /// What.
    pub content: Vec<u8>,
    /// `user` or `user:group`.
    pub owner: String,
    /// Octal digits as written.
    pub permissions: String,
    /// The encoding; empty once it is undone.
    pub encoding: String,
}

impl File {
    /// The permission bits: octal however they are written, 0644 when they are not; `None` when they
    /// are no octal number.
    #[must_use]
    pub fn mode(&self) -> Option<u32> {
        if self.permissions.is_empty() {
            return Some(0o644);
        }
        let plain = self.permissions.strip_prefix('+').unwrap_or(&self.permissions);
        // What Go's ParseInt takes beyond this are negative numbers.
        u32::from_str_radix(plain, 8).ok().filter(|mode| *mode <= 0o7777)
    }
}

// Passwords, hashes and file contents are not for logs.
impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = if self.secret { "…" } else { &self.value };
        write!(formatter, "{}={value}", self.variable)
    }
}

/// The values of a section by their keys, each taken once.
struct Taken {
    fields: &'static [Field],
    values: Vec<Option<Typed>>,
}

impl Taken {
    fn new(fields: &'static [Field], typed: Typed) -> Self {
        let values = if let Typed::Section(values) = typed { values } else { Vec::new() };
        Self { fields, values: values.into_iter().map(Some).collect() }
    }

    fn take(&mut self, name: &str) -> Typed {
        let at = self.fields.iter().position(|field| field.name == name);
        let value = at.and_then(|at| self.values.get_mut(at)).and_then(Option::take);
        value.unwrap_or_else(|| Typed::zero(Shape::Text))
    }

    fn text(&mut self, name: &str) -> String {
        self.take(name).into_text()
    }

    fn bool(&mut self, name: &str) -> bool {
        self.take(name).into_bool()
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        self.take(name).into_list().into_iter().map(Typed::into_text).collect()
    }

    /// Each item of the list `name`, whose items are sections of `fields`.
    fn each<T>(&mut self, name: &str, fields: &'static [Field], make: fn(Self) -> T) -> Vec<T> {
        self.take(name).into_list().into_iter().map(|item| make(Self::new(fields, item))).collect()
    }

    fn section(&mut self, name: &str, fields: &'static [Field]) -> Section {
        let Typed::Section(values) = self.take(name) else { return Section::default() };
        let settings = fields.iter().zip(values).filter_map(|(field, value)| {
            let value = value.variable()?;
            Some(Setting { variable: field.variable, value, secret: field.secret() })
        });
        Section(settings.collect())
    }
}

impl From<Typed> for CloudConfig {
    fn from(typed: Typed) -> Self {
        let mut taken = Taken::new(shape::CLOUD_CONFIG, typed);
        Self {
            hostname: taken.text("hostname"),
            users: taken.each("users", shape::USER, user),
            ssh_authorized_keys: taken.texts("ssh_authorized_keys"),
            write_files: taken.each("write_files", shape::FILE, file),
            manage_etc_hosts: taken.text("manage_etc_hosts"),
            coreos: coreos(Taken::new(shape::COREOS, taken.take("coreos"))),
        }
    }
}

fn coreos(mut taken: Taken) -> CoreOs {
    use super::services;
    let mut oem = Taken::new(shape::OEM, taken.take("oem"));
    let mut update = Taken::new(shape::UPDATE, taken.take("update"));
    CoreOs {
        etcd: taken.section("etcd", services::ETCD),
        etcd2: taken.section("etcd2", services::ETCD2),
        fleet: taken.section("fleet", services::FLEET),
        flannel: taken.section("flannel", services::FLANNEL),
        locksmith: taken.section("locksmith", services::LOCKSMITH),
        oem: Oem {
            id: oem.text("id"),
            name: oem.text("name"),
            version_id: oem.text("version_id"),
            home_url: oem.text("home_url"),
            bug_report_url: oem.text("bug_report_url"),
        },
        update: Update {
            reboot_strategy: update.text("reboot_strategy"),
            group: update.text("group"),
            server: update.text("server"),
        },
        units: taken.each("units", shape::UNIT, unit),
    }
}

fn unit(mut taken: Taken) -> Unit {
    Unit {
        name: taken.text("name"),
        mask: taken.bool("mask"),
        enable: taken.bool("enable"),
        runtime: taken.bool("runtime"),
        content: taken.text("content"),
        command: taken.text("command"),
        drop_ins: taken.each("drop_ins", shape::DROP_IN, |mut taken| DropIn {
            name: taken.text("name"),
            content: taken.text("content"),
            secret: false,
        }),
    }
}

fn user(mut taken: Taken) -> User {
    // The single name is asked before the list of names.
    let mut github_users = vec![taken.text("coreos_ssh_import_github")];
    github_users.retain(|name| !name.is_empty());
    github_users.extend(taken.texts("coreos_ssh_import_github_users"));
    User {
        name: taken.text("name"),
        passwd: taken.text("passwd"),
        ssh_authorized_keys: taken.texts("ssh_authorized_keys"),
        github_users,
        import_url: taken.text("coreos_ssh_import_url"),
        gecos: taken.text("gecos"),
        homedir: taken.text("homedir"),
        no_create_home: taken.bool("no_create_home"),
        primary_group: taken.text("primary_group"),
        groups: taken.texts("groups"),
        no_user_group: taken.bool("no_user_group"),
        system: taken.bool("system"),
        no_log_init: taken.bool("no_log_init"),
        shell: taken.text("shell"),
    }
}

fn file(mut taken: Taken) -> File {
    File {
        path: taken.text("path"),
        content: taken.take("content").into_bytes(),
        owner: taken.text("owner"),
        permissions: taken.text("permissions"),
        encoding: taken.text("encoding"),
    }
}
