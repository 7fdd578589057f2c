//! sshd and PAM as they would judge, and who gets in by them.

use std::collections::BTreeMap;

use hardtack_guest::sshd::{self, Config, Connection, in_pattern_list};
use hardtack_guest::{Error, Stage, pam};
use hardtack_login::promise::asks_for_code;

use crate::model::{PamService, Sshd, System, User, WayIn};
use crate::system::{names, text};

/// Directives that decide who gets in, and sshd's own values (sshd_config(5)).
const DECIDING: &[(&str, &str)] = &[
    ("Port", "22"),
    ("PermitRootLogin", "prohibit-password"),
    ("AuthenticationMethods", "any"),
    ("PubkeyAuthentication", "yes"),
    ("PasswordAuthentication", "yes"),
    ("KbdInteractiveAuthentication", "yes"),
    ("PermitEmptyPasswords", "no"),
    ("HostbasedAuthentication", "no"),
    ("GSSAPIAuthentication", "no"),
    ("UsePAM", "no"),
    ("AuthorizedKeysFile", ".ssh/authorized_keys .ssh/authorized_keys2"),
    ("AuthorizedKeysCommand", "none"),
    ("TrustedUserCAKeys", "none"),
    ("AllowUsers", ""),
    ("AllowGroups", ""),
    ("DenyUsers", ""),
    ("DenyGroups", ""),
];

/// Services of PAM that let somebody in or become somebody else.
const SERVICES: &[&str] = &[
    "sshd",
    "login",
    "remote",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "polkit-1",
    "cockpit",
    "gdm-password",
    "lightdm",
    "vlock",
    "xrdp-sesman",
    "other",
];

/// Servers that let somebody in and know nothing of sshd's configuration.
const SERVERS: &[(&str, &str)] = &[
    ("/usr/sbin/dropbear", "dropbear"),
    ("/usr/sbin/tinysshd", "tinysshd"),
    ("/usr/sbin/in.telnetd", "telnetd"),
    ("/usr/sbin/telnetd", "telnetd"),
    ("/usr/lib/cockpit/cockpit-tls", "cockpit"),
];

pub(crate) fn sshd(stage: &Stage<'_>) -> Result<Option<(Sshd, Config)>, Error> {
    let Some(version) = sshd::installed(stage)? else {
        // rpm's images have no database that `installed` reads: the program is enough, with today's grammar.
        let there = stage.stat("/usr/sbin/sshd")?.is_some();
        return if there { read(stage, sshd::NEWEST, "unknown").map(Some) } else { Ok(None) };
    };
    read(stage, version, &version.to_string()).map(Some)
}

fn read(stage: &Stage<'_>, version: sshd::Version, shown: &str) -> Result<(Sshd, Config), Error> {
    let started = hardtack_login::service::started(stage)?;
    let config = Config::load_started(stage, version, &started.options, &started.file)?;
    let mut told = Sshd { version: shown.to_owned(), ..Sshd::default() };
    for (keyword, default) in DECIDING {
        let lines = config.global(keyword);
        let value = match lines.as_slice() {
            [] => (*default).to_owned(),
            lines => lines.iter().map(|line| line.value.as_str()).collect::<Vec<_>>().join(" "),
        };
        if !value.is_empty() {
            told.settings.insert(*keyword, value);
        }
    }
    for line in config.settings.iter().filter(|line| line.block.is_some()) {
        let block = line.block.and_then(|block| config.blocks.get(block));
        let criteria = block.map(|block| block.criteria.as_str()).unwrap_or_default();
        told.in_blocks.push(format!("Match {criteria}: {} {} ({})", line.written, line.value, line.place));
    }
    told.problems =
        config.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect();
    if let Some((what, file)) = started.fault {
        told.problems.push(format!("{file}: {what}"));
    }
    Ok((told, config))
}

pub(crate) fn pam(stage: &Stage<'_>) -> Vec<PamService> {
    let mut services = Vec::new();
    for name in SERVICES {
        let mut service = PamService { name: (*name).to_owned(), ..PamService::default() };
        match pam::service_path(stage, name) {
            Ok(None) => continue,
            Ok(Some(_)) => match asks_for_code(stage, name) {
                Ok(Some((code, password))) => {
                    (service.open, service.code, service.password) = (true, code, password)
                }
                Ok(None) => {}
                Err(error) => service.problem = Some(error.to_string()),
            },
            Err(error) => service.problem = Some(error.to_string()),
        }
        services.push(service);
    }
    services
}

pub(crate) fn ways_in(
    stage: &Stage<'_>,
    system: &System,
    config: Option<&Config>,
    problems: &mut Vec<String>,
) -> Vec<WayIn> {
    let mut ways = Vec::new();
    if let Some(config) = config {
        for user in system.users.iter().filter(|user| user.can_log_in && !user.expired) {
            let with = over_ssh(user, config, system);
            if !with.is_empty() {
                ways.push(WayIn { by: "ssh", who: user.name.clone(), with });
            }
        }
    }
    let service = |name: &str| system.pam.iter().find(|service| service.name == name);
    if let Some(login) = service("login").filter(|login| login.open) {
        for user in system.users.iter().filter(|user| user.can_log_in && !user.expired) {
            let factors = match user.password {
                "set" => factors(login.password, login.code),
                "none" if login.code => factors(false, true),
                "none" => vec!["nothing"],
                _ if !login.password => factors(false, login.code),
                _ => continue,
            };
            ways.push(WayIn { by: "console", who: user.name.clone(), with: vec![factors.join("+")] });
        }
    }
    match autologins(stage) {
        Ok(units) => ways.extend(units.into_iter().map(|unit| WayIn {
            by: "console",
            who: format!("whoever sits at it ({unit})"),
            with: vec!["nothing".to_owned()],
        })),
        Err(error) => problems.push(format!("gettys: {error}")),
    }
    if let Some(cloud) = system.cloud_init.as_ref().filter(|cloud| !cloud.disabled) {
        let who = cloud.default_user.clone().unwrap_or_else(|| "whom user-data names".to_owned());
        ways.push(WayIn { by: "cloud-init", who, with: vec!["keys and user-data of the launch".to_owned()] });
    }
    for agent in &system.cloud_agents {
        ways.push(WayIn {
            by: "cloud agent",
            who: agent.clone(),
            with: vec!["the cloud's account".to_owned()],
        });
    }
    for (path, name) in SERVERS {
        if matches!(stage.stat(path), Ok(Some(_))) {
            ways.push(WayIn {
                by: "other",
                who: (*name).to_owned(),
                with: vec!["rules of its own".to_owned()],
            });
        }
    }
    ways
}

fn factors(password: bool, code: bool) -> Vec<&'static str> {
    let mut factors = Vec::new();
    if password {
        factors.push("password");
    }
    if code {
        factors.push("code");
    }
    if factors.is_empty() {
        factors.push("nothing");
    }
    factors
}

/// With what a user gets in over SSH: alternatives. Who is not let in by name, or has nothing to show, has none.
fn over_ssh(user: &User, config: &Config, system: &System) -> Vec<String> {
    let connection =
        Connection { user: Some(user.name.clone()), groups: user.groups.clone(), ..Connection::default() };
    let value = |keyword: &str| -> String {
        let default = DECIDING.iter().find(|(known, _)| *known == keyword).map_or("", |(_, value)| value);
        config
            .for_connection(keyword, &connection)
            .first()
            .map_or_else(|| default.to_owned(), |line| line.value.to_lowercase())
    };
    let is_on = |keyword: &str| value(keyword) == "yes";
    if is_shut_out(user, config, &connection) {
        return Vec::new();
    }
    let root = if user.uid == 0 { value("PermitRootLogin") } else { "yes".to_owned() };
    if root == "no" {
        return Vec::new();
    }
    let by_key = is_on("PubkeyAuthentication")
        && (user.keys > 0
            || value("AuthorizedKeysCommand") != "none"
            || value("TrustedUserCAKeys") != "none");
    let pam = system.pam.iter().find(|service| service.name == "sshd").filter(|_| is_on("UsePAM"));
    let empty = user.password == "none" && is_on("PermitEmptyPasswords");
    let has_password = user.password == "set" || empty;
    let password_allowed = root == "yes";
    let asked = |keyboard: bool| -> Option<String> {
        if !password_allowed || (!has_password && pam.is_none_or(|pam| pam.password)) {
            return None;
        }
        let word = if empty { "nothing" } else { "password" };
        match pam {
            Some(pam) if !pam.open => None,
            // sshd gives PAM one answer here: a stack that asks for two fails.
            Some(pam) if !keyboard && pam.code => None,
            Some(pam) if pam.code && pam.password => Some(format!("{word}+code")),
            Some(pam) if pam.code => Some("code".to_owned()),
            _ if keyboard && pam.is_none() => None,
            _ => Some(word.to_owned()),
        }
    };
    let one = |method: &str| -> Option<String> {
        match method.split(':').next().unwrap_or_default() {
            "publickey" => by_key.then(|| "key".to_owned()),
            "password" if is_on("PasswordAuthentication") => asked(false),
            "keyboard-interactive" if is_on("KbdInteractiveAuthentication") => asked(true),
            "gssapi-with-mic" if is_on("GSSAPIAuthentication") => Some("Kerberos".to_owned()),
            "hostbased" if is_on("HostbasedAuthentication") => Some("host key".to_owned()),
            _ => None,
        }
    };
    let methods = value("AuthenticationMethods");
    let mut with: Vec<String> = match methods.as_str() {
        "any" | "" => ["publickey", "password", "keyboard-interactive", "gssapi-with-mic", "hostbased"]
            .iter()
            .filter_map(|method| one(method))
            .collect(),
        lists => lists
            .split_whitespace()
            .filter_map(|list| list.split(',').map(one).collect::<Option<Vec<_>>>())
            .map(|factors| factors.join("+"))
            .collect(),
    };
    let mut seen = Vec::new();
    with.retain(|one| {
        !seen.contains(one) && {
            seen.push(one.clone());
            true
        }
    });
    with
}

/// AllowUsers and its kin; of `user@host` the host is taken to match in Allow and not in Deny.
fn is_shut_out(user: &User, config: &Config, connection: &Connection) -> bool {
    for (keyword, deny, by_group) in [
        ("DenyUsers", true, false),
        ("AllowUsers", false, false),
        ("DenyGroups", true, true),
        ("AllowGroups", false, true),
    ] {
        let lines = config.for_connection(keyword, connection);
        if lines.is_empty() {
            continue;
        }
        let matched =
            lines.iter().flat_map(|line| &line.words).any(|word| match (by_group, word.split_once('@')) {
                (true, _) => user.groups.iter().any(|group| in_pattern_list(group, word)),
                (false, Some((name, _))) => !deny && in_pattern_list(&user.name, name),
                (false, None) => in_pattern_list(&user.name, word),
            });
        if matched == deny {
            return true;
        }
    }
    false
}

/// Units of gettys that log somebody in without asking.
fn autologins(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut found: BTreeMap<String, ()> = BTreeMap::new();
    for directory in ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"] {
        for name in names(stage, directory)?.into_iter().filter(|name| name.contains("getty@")) {
            let path = format!("{directory}/{name}");
            let mut texts = vec![text(stage, &path)?.unwrap_or_default()];
            for inner in names(stage, &path)? {
                texts.push(text(stage, &format!("{path}/{inner}"))?.unwrap_or_default());
            }
            let auto = |line: &str| line.trim().starts_with("ExecStart") && line.contains("autologin");
            if texts.iter().any(|text| text.lines().any(auto)) {
                found.insert(name.trim_end_matches(".d").to_owned(), ());
            }
        }
    }
    Ok(found.into_keys().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::MemoryTree;

    use super::*;

    fn with(config: &str, pam: Option<PamService>, user: User) -> Vec<String> {
        let tree = MemoryTree::new().file("/etc/ssh/sshd_config", config);
        let config = Config::load(&Stage::new(&tree), sshd::NEWEST).unwrap();
        let system = System { pam: pam.into_iter().collect(), ..System::default() };
        over_ssh(&user, &config, &system)
    }

    fn user(uid: u32, password: &'static str, keys: usize) -> User {
        User {
            name: "joe".to_owned(),
            uid,
            password,
            keys,
            groups: vec!["staff".to_owned()],
            ..User::default()
        }
    }

    fn stack(password: bool, code: bool) -> Option<PamService> {
        Some(PamService { name: "sshd".to_owned(), open: true, password, code, problem: None })
    }

    #[test]
    fn factors_of_ssh() {
        let pam = "UsePAM yes\n";
        for (config, stack, user, wanted) in [
            (pam, stack(true, false), user(1000, "set", 1), &["key", "password"][..]),
            (pam, stack(true, false), user(1000, "locked", 1), &["key"]),
            (pam, stack(true, false), user(0, "set", 1), &["key"]),
            ("UsePAM yes\nPermitRootLogin no\n", stack(true, false), user(0, "set", 1), &[]),
            (pam, stack(true, true), user(1000, "set", 0), &["password+code"]),
            (
                "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive\n",
                stack(true, true),
                user(1000, "set", 1),
                &["key+password+code"],
            ),
            (
                "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive\n",
                stack(true, true),
                user(1000, "set", 0),
                &[],
            ),
            ("AllowGroups wheel\n", None, user(1000, "set", 1), &[]),
            ("AllowUsers joe@10.*\nPasswordAuthentication no\n", None, user(1000, "set", 1), &["key"]),
            ("DenyUsers j*\n", None, user(1000, "set", 1), &[]),
            ("Match User joe\nPasswordAuthentication no\n", None, user(1000, "set", 1), &["key"]),
        ] {
            assert_eq!(with(config, stack, user), wanted, "{config}");
        }
    }
}
