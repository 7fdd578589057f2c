//! The system on a disk, part by part.

use std::sync::Arc;

use hardtack_disk::BlockWrite;
use hardtack_guest::dpkg::{Database, State};
use hardtack_guest::{Error, FileType, Guest, OsRelease, Stage, rpm};
use hardtack_report::visible;

use crate::facts::{Facts, Init, Initramfs};
use crate::model::{Agent, CloudInit, Disk, Os, Package, Packages, System};
use crate::{Options, accounts, boot, leftovers, logins, part, ways};

/// Texts that are looked at have no more; the largest cloud.cfg has some 5 KiB.
const TEXT_LIMIT: u64 = 1 << 20;

pub(crate) fn read(
    guest: &Guest,
    disk: &Arc<dyn BlockWrite>,
    parts: &Disk,
    options: Options,
    problems: &mut Vec<String>,
) -> System {
    let stage = Stage::new(guest);
    let mut os = part(problems, "operating system", os(&stage));
    // People print them with `jq -r`, which would have a terminal do what an image's author wants.
    os.name = visible(&os.name);
    os.hostname = os.hostname.map(|name| visible(&name));
    let mut system = System { os, initramfs_maker: "none", machine_id: "missing", ..System::default() };
    match Facts::read(&stage) {
        Ok(facts) => {
            system.architecture = facts.architecture;
            system.init = facts.init.map(|init| word(Init::WORDS, init));
            system.initramfs_maker = word(Initramfs::WORDS, facts.initramfs);
            system.boot = boot::read(&stage, &facts, (disk, parts), problems);
        }
        Err(error) => problems.push(format!("facts: {error}")),
    }
    let read = packages(guest, &stage, options.packages, &mut system.packages);
    if read.is_err() {
        system.packages = Packages {
            damaged: true,
            database: std::mem::take(&mut system.packages.database),
            ..Packages::default()
        };
    }
    part(problems, "packages", read);
    let sshd = part(problems, "sshd", logins::sshd(&stage));
    system.users =
        part(problems, "users", accounts::users(&stage, sshd.as_ref().map(|(_, config)| config), options));
    system.pam = logins::pam(&stage);
    system.cloud_init = part(problems, "cloud-init", cloud_init(&stage));
    let agents = part(problems, "cloud agents", ways::agents::find(&stage, &[]));
    system.cloud_agents.extend(agents.iter().map(|found| found.agent.what.to_owned()));
    system.agent = part(problems, "hardtack-agent", agent(&stage));
    system.machine_id = part(problems, "machine-id", machine_id(&stage).map(Some)).unwrap_or("unreadable");
    system.selinux = part(problems, "SELinux", selinux(&stage));
    (system.leftovers, system.host_keys) = leftovers::read(&stage, &system.users, problems);
    let config = sshd.as_ref().map(|(_, config)| config.clone());
    let coming = coming(&stage, &system, problems);
    match ways::Judge::of(&stage, config, system.users.clone(), system.pam.clone(), coming) {
        Ok(judge) => {
            let found = judge.ways();
            system.ways_in = found.ways;
            problems.extend(found.problems);
        }
        Err(error) => problems.push(format!("ways in: {error}")),
    }
    system.sshd = sshd.map(|(sshd, _)| sshd);
    system
}

/// What the first boot brings, by the image itself.
fn coming(stage: &Stage<'_>, system: &System, problems: &mut Vec<String>) -> ways::Coming {
    let cloud = system.cloud_init.as_ref().filter(|cloud| !cloud.disabled);
    let replaced = system.agent.as_ref().is_some_and(|agent| agent.mode == "replace");
    let text = part(problems, "hardtack-agent", text(stage, "/etc/hardtack/agent.json"));
    let told = text.and_then(|text| serde_json::from_str::<Told>(&text).ok()).unwrap_or_default();
    ways::Coming {
        accounts: told.accounts.into_iter().map(Into::into).collect(),
        enrols: match told.mfa {
            _ if system.agent.is_none() => ways::Enrols::Nobody,
            Some(mfa) if mfa.others != "enrol" => ways::Enrols::Listed(mfa.users),
            _ => ways::Enrols::All,
        },
        default_user: cloud.and_then(|cloud| cloud.default_user.clone()),
        user_data: match (replaced, cloud) {
            (true, _) => Some("hardtack-agent"),
            (false, cloud) => cloud.map(|_| "cloud-init"),
        },
    }
}

/// What the build told the agent, as far as it counts here.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Told {
    accounts: Vec<ToldAccount>,
    mfa: Option<ToldMfa>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct ToldMfa {
    users: Vec<String>,
    others: String,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct ToldAccount {
    name: String,
    shell: String,
    groups: Vec<String>,
    password_hash: String,
    random_password: Option<serde::de::IgnoredAny>,
    authorized_keys: Vec<String>,
}

impl From<ToldAccount> for ways::Account {
    fn from(told: ToldAccount) -> Self {
        Self {
            name: told.name,
            shell: told.shell,
            groups: told.groups,
            password: !told.password_hash.is_empty() || told.random_password.is_some(),
            keys: told.authorized_keys.len(),
        }
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], wanted: T) -> &'static str {
    words.iter().find(|(_, known)| *known == wanted).map_or("unknown", |(word, _)| word)
}

/// The text of a file that is there; nothing of anything else.
pub(crate) fn text(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    let found = match stage.stat(path) {
        Ok(found) => found,
        Err(Error::LinkLoop { .. }) => None,
        Err(error) => return Err(error),
    };
    if found.is_none_or(|found| found.kind != FileType::Regular) {
        return Ok(None);
    }
    Ok(stage.read_limited(path, TEXT_LIMIT)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The names in a directory; none of anything else.
pub(crate) fn names(stage: &Stage<'_>, path: &str) -> Result<Vec<String>, Error> {
    match stage.list(path) {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
        Err(Error::WrongType { .. } | Error::LinkLoop { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn os(stage: &Stage<'_>) -> Result<Os, Error> {
    let mut os = Os { name: "unknown".to_owned(), ..Os::default() };
    os.hostname = text(stage, "/etc/hostname")?
        .and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned));
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        if let Some(text) = text(stage, path)? {
            let release = OsRelease::parse(&text);
            os.id = Some(release.id().to_owned());
            os.version = release.version_id().map(str::to_owned);
            os.codename = release.get("VERSION_CODENAME").map(str::to_owned);
            os.name = release.pretty_name();
            os.source = Some(path.to_owned());
            return Ok(os);
        }
    }
    // Systems from before 2012.
    if let Some(text) = text(stage, "/etc/lsb-release")? {
        let release = OsRelease::parse(&text);
        os.id = release.get("DISTRIB_ID").map(str::to_lowercase);
        os.version = release.get("DISTRIB_RELEASE").map(str::to_owned);
        os.codename = release.get("DISTRIB_CODENAME").map(str::to_owned);
        if let Some(name) = release.get("DISTRIB_DESCRIPTION") {
            os.name = name.to_owned();
        }
        os.source = Some("/etc/lsb-release".to_owned());
        return Ok(os);
    }
    for (path, id) in [
        ("/etc/redhat-release", "rhel"),
        ("/etc/SuSE-release", "suse"),
        ("/etc/alpine-release", "alpine"),
        ("/etc/debian_version", "debian"),
    ] {
        let Some(text) = text(stage, path)? else { continue };
        let line = text.lines().next().unwrap_or_default().trim().to_owned();
        let number = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
        os.version = line.split_whitespace().find(number).map(str::to_owned);
        let id = if line.starts_with("CentOS") { "centos" } else { id };
        let id = if line.starts_with("Fedora") { "fedora" } else { id };
        os.name = if line.chars().any(char::is_alphabetic) && path != "/etc/debian_version" {
            line
        } else {
            format!("{id} {line}")
        };
        os.id = Some(id.to_owned());
        os.source = Some(path.to_owned());
        break;
    }
    Ok(os)
}

/// Fills `packages`; on an error `database` names the one that cannot be read.
fn packages(guest: &Guest, stage: &Stage<'_>, list: bool, packages: &mut Packages) -> Result<(), Error> {
    packages.database = "dpkg".to_owned();
    if let Some(database) = Database::read(stage)? {
        for entry in database.entries() {
            match (entry.state, &entry.package) {
                (State::NotInstalled | State::ConfigFiles, _) | (_, None) => {}
                (State::Installed, Some(package)) => {
                    packages.installed += 1;
                    if list {
                        packages.list.push(Package {
                            name: package.name.clone(),
                            version: package.version.to_string(),
                            architecture: package.architecture.clone(),
                        });
                    }
                }
                (state, Some(package)) => {
                    packages.unfinished.push(format!("{} ({})", package.full_name(), state.name()));
                }
            }
        }
        return Ok(());
    }
    packages.database = "rpm".to_owned();
    if let Some(found) = rpm::read(guest)? {
        packages.database = format!("rpm ({})", found.kind);
        packages.installed = found.packages.len();
        if list {
            packages.list = found
                .packages
                .into_iter()
                .map(|package| Package {
                    version: package.evr(),
                    name: package.name,
                    architecture: package.arch,
                })
                .collect();
        }
        return Ok(());
    }
    packages.database = "apk".to_owned();
    // Alpine's: paragraphs, of which P: is the name.
    if let Some(bytes) = stage.stat("/lib/apk/db/installed")?.and(stage.read("/lib/apk/db/installed")?) {
        for paragraph in String::from_utf8_lossy(&bytes).split("\n\n") {
            let field = |key: &str| {
                paragraph.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned()
            };
            let name = field("P:");
            if name.is_empty() {
                continue;
            }
            packages.installed += 1;
            if list {
                packages.list.push(Package { name, version: field("V:"), architecture: field("A:") });
            }
        }
        return Ok(());
    }
    packages.database.clear();
    Ok(())
}

fn machine_id(stage: &Stage<'_>) -> Result<&'static str, Error> {
    let Some(text) = text(stage, "/etc/machine-id")? else { return Ok("missing") };
    Ok(match text.trim() {
        "" => "empty",
        "uninitialized" => "uninitialized",
        id if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => "set",
        _ => "invalid",
    })
}

fn selinux(stage: &Stage<'_>) -> Result<String, Error> {
    let Some(text) = text(stage, "/etc/selinux/config")? else { return Ok("none".to_owned()) };
    let value = |key: &str| {
        let mut lines =
            text.lines().filter_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='));
        lines.next_back().map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let (mode, policy) = (value("SELINUX"), value("SELINUXTYPE"));
    Ok(match (mode.as_str(), policy.as_str()) {
        ("", _) => "none".to_owned(),
        (mode, "") => mode.to_owned(),
        (mode, policy) => format!("{mode} ({policy})"),
    })
}

fn agent(stage: &Stage<'_>) -> Result<Option<Agent>, Error> {
    let Some(text) = text(stage, "/etc/hardtack/agent.json")? else { return Ok(None) };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| Error::Content {
        path: "/etc/hardtack/agent.json".into(),
        line: Some(error.line()),
        what: "is no JSON".to_owned(),
    })?;
    let field = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let has_identity = stage.stat("/var/lib/hardtack/identity.json")?.is_some();
    Ok(Some(Agent { mode: field("mode"), recipe: field("recipe"), has_identity }))
}

fn cloud_init(stage: &Stage<'_>) -> Result<Option<CloudInit>, Error> {
    let mut there = false;
    for path in ["/usr/bin/cloud-init", "/usr/local/bin/cloud-init"] {
        there |= stage.stat(path)?.is_some();
    }
    if !there {
        return Ok(None);
    }
    let mut cloud = CloudInit {
        disabled: stage.stat("/etc/cloud/cloud-init.disabled")?.is_some(),
        ..CloudInit::default()
    };
    if let Some(database) = Database::read(stage)? {
        let package = database.by_name("cloud-init").and_then(|entry| entry.package.as_ref());
        cloud.version = package.map(|package| package.version.to_string());
    }
    cloud.ds_identify = text(stage, "/etc/cloud/ds-identify.cfg")?.and_then(|text| {
        text.lines().find_map(|line| Some(line.trim().strip_prefix("policy:")?.trim().to_owned()))
    });
    let mut files = vec!["/etc/cloud/cloud.cfg".to_owned()];
    let directory = names(stage, "/etc/cloud/cloud.cfg.d")?;
    files.extend(
        directory
            .into_iter()
            .filter(|name| name.ends_with(".cfg"))
            .map(|name| format!("/etc/cloud/cloud.cfg.d/{name}")),
    );
    for file in files {
        let Some(text) = text(stage, &file)? else { continue };
        if let Some(list) = list(&text, "datasource_list:") {
            cloud.datasources = list;
        }
        if let Some(name) = default_user(&text) {
            cloud.default_user = Some(name);
        }
    }
    Ok(Some(cloud))
}

/// The list behind a key at the top: `[a, b]` over any number of lines, or lines that begin with a dash. That is all
/// that people and packagers write there.
fn list(text: &str, key: &str) -> Option<Vec<String>> {
    let start = text.lines().position(|line| line.starts_with(key))?;
    let mut lines = text.lines().skip(start);
    let first = lines.next()?.strip_prefix(key)?.split('#').next().unwrap_or_default().trim();
    let clean = |word: &str| word.trim().trim_matches(['"', '\'']).to_owned();
    if first.starts_with('[') {
        let mut joined = first.to_owned();
        while !joined.contains(']') {
            let Some(line) = lines.next() else { break };
            joined.push_str(line.split('#').next().unwrap_or_default());
        }
        let inner = joined.trim_start_matches('[').split(']').next().unwrap_or_default().to_owned();
        return Some(inner.split(',').map(clean).filter(|word| !word.is_empty()).collect());
    }
    let dashed = lines.map_while(|line| line.trim_start().strip_prefix("- ").map(clean));
    Some(dashed.collect())
}

/// `system_info.default_user.name`.
fn default_user(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("system_info:")).skip(1);
    let inside =
        |line: &&str| line.starts_with([' ', '\t']) || line.trim().is_empty() || line.starts_with('#');
    lines.by_ref().take_while(inside).skip_while(|line| line.trim() != "default_user:").skip(1).find_map(
        |line| {
            let name = line.trim().strip_prefix("name:")?.trim().trim_matches(['"', '\'']);
            Some(name.to_owned())
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::MemoryTree;

    use super::*;

    #[test]
    fn releases_from_before_os_release() {
        for (path, text, id, version, name) in [
            (
                "/etc/redhat-release",
                "CentOS release 6.10 (Final)\n",
                "centos",
                "6.10",
                "CentOS release 6.10 (Final)",
            ),
            ("/etc/debian_version", "6.0.10\n", "debian", "6.0.10", "debian 6.0.10"),
            (
                "/etc/lsb-release",
                "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\nDISTRIB_DESCRIPTION=\"Ubuntu 10.04 LTS\"\n",
                "ubuntu",
                "10.04",
                "Ubuntu 10.04 LTS",
            ),
        ] {
            let tree = MemoryTree::new().file(path, text);
            let os = os(&Stage::new(&tree)).unwrap();
            assert_eq!(
                (os.id.as_deref(), os.version.as_deref(), os.name.as_str()),
                (Some(id), Some(version), name)
            );
            assert_eq!(os.source.as_deref(), Some(path));
        }
    }

    #[test]
    fn cloud_inits_configuration() {
        let wanted = Some(vec!["Ec2".to_owned(), "None".to_owned()]);
        for text in [
            "datasource_list: [ Ec2, None ]\n",
            "datasource_list: [\"Ec2\",\n  None] # x\n",
            "a: 1\ndatasource_list:\n  - Ec2\n  - None\nb: 2\n",
        ] {
            assert_eq!(list(text, "datasource_list:"), wanted, "{text}");
        }
        assert_eq!(list("x: 1\n", "datasource_list:"), None);
        let text = "users:\n - default\nsystem_info:\n   distro: debian\n   default_user:\n     name: debian\n     lock_passwd: True\n";
        assert_eq!(default_user(text).as_deref(), Some("debian"));
    }

    #[test]
    fn states_of_the_machine_id() {
        for (text, state) in [
            ("", "empty"),
            ("uninitialized\n", "uninitialized"),
            ("0123456789abcdef0123456789abcdef\n", "set"),
            ("x", "invalid"),
        ] {
            let tree = MemoryTree::new().file("/etc/machine-id", text);
            assert_eq!(machine_id(&Stage::new(&tree)).unwrap(), state);
        }
        assert_eq!(machine_id(&Stage::new(&MemoryTree::new())).unwrap(), "missing");
    }
}
