//! What stands between a user and a login over SSH.

use hardtack_guest::pam::{self, Answer, Facility, PASSWORD_MODULES, Step, can_succeed};
use hardtack_guest::sshd::{Config, Connection, in_pattern_list};
use hardtack_guest::{FileType, Stage, accounts};

use super::gates::{self, Gates};
use super::image::{self, Facts};
use super::keys;
use super::users::{Password, User};
use crate::error::CliError;

const CODES: &str = "pam_google_authenticator.so";
/// What a user can show.
struct Has {
    /// The empty text: yes. Otherwise why not.
    key: &'static str,
    password: &'static str,
    code: bool,
}

/// What a login is judged by.
pub(super) struct World<'w, 't> {
    pub(super) facts: &'w Facts,
    pub(super) sshd: &'w Config,
    pub(super) stage: &'w Stage<'t>,
    /// What shuts everybody out.
    pub(super) gates: Gates,
    /// Days since 1970.
    pub(super) today: i64,
}

/// Why `user` cannot log in over SSH; empty: it can, as far as that can be told. The key may come with
/// the launch where the user is cloud-init's default one.
pub(super) fn obstacles(user: &User, world: &World<'_, '_>) -> Result<Vec<String>, CliError> {
    let World { facts, sshd: config, stage, .. } = *world;
    let mut found: Vec<String> = world.gates.shut(&user.name).collect();
    let account = accounts::user(stage, &user.name)?;
    let connection = connection_of(user, account.as_ref(), stage)?;
    let shell = user.shell.clone().or_else(|| account.as_ref().map(|account| account.shell.clone()));
    if let Some(shell) = shell.filter(|shell| !shell.is_empty()) {
        if ["nologin", "false"].iter().any(|word| shell.rsplit('/').next() == Some(*word)) {
            found.push(format!("its shell is {shell}"));
        } else if stage.stat(&shell)?.is_none() {
            found.push(format!("its shell {shell} is not in the image"));
        }
    }
    if let Some(day) = user.expires.or(expiry(stage, &user.name)?).filter(|day| *day <= world.today) {
        found.push(match world.today - day {
            0 => "its account expires today".to_owned(),
            1 => "its account expired yesterday".to_owned(),
            days => format!("its account expired {days} days ago"),
        });
    }
    let password = match user.password {
        Some(Password::Works) => "",
        _ if facts.makes_password(&user.name) => "",
        Some(Password::Locked) => "its password is locked (lock_passwd is true unless it says false)",
        None if image::has_password(stage, &user.name)? => "",
        None => "it has no password",
    };
    let taken = |key: &super::users::KeyLine| keys::refusal(&key.line, &user.name, config).is_none();
    let launch = user.launch_key && keys::refuses_all(&user.name, config).is_none();
    let key = if launch || user.keys.iter().any(taken) || has_key_in_image(&connection, config, stage)? {
        ""
    } else if user.keys.is_empty() && !user.launch_key {
        "it has no SSH key"
    } else {
        "sshd takes none of its keys"
    };
    found.extend(gates::no_shell(&connection, account.as_ref(), config, stage)?);
    found.extend(writable_keys(user, &connection, account.as_ref(), config, stage)?);
    let home = account.map_or_else(|| format!("/home/{}", user.name), |account| account.home);
    let code = facts.enrols(&user.name) || stage.stat(&format!("{home}/.google_authenticator"))?.is_some();
    let has = Has { key, password, code };
    found.extend(shut_out(&connection, config));
    found.extend(missing(&connection, &has, config, stage)?);
    Ok(found)
}

/// The day on which an account of the image is over: the eighth field of shadow(5).
fn expiry(stage: &Stage<'_>, name: &str) -> Result<Option<i64>, CliError> {
    let shadow = stage.read("/etc/shadow")?.unwrap_or_default();
    let shadow = String::from_utf8_lossy(&shadow);
    let mut lines = shadow.lines().map(|line| line.split(':'));
    let mut fields = lines.find_map(|mut fields| (fields.next() == Some(name)).then_some(fields));
    Ok(fields.as_mut().and_then(|fields| fields.nth(6)).and_then(|day| day.trim().parse().ok()))
}

/// A file of keys that the user-data writes and that others could change: sshd passes over it.
fn writable_keys(
    user: &User,
    connection: &Connection,
    account: Option<&accounts::User>,
    config: &Config,
    stage: &Stage<'_>,
) -> Result<Option<String>, CliError> {
    let strict = config.for_connection("StrictModes", connection);
    if strict.first().is_some_and(|line| line.value.eq_ignore_ascii_case("no")) {
        return Ok(None);
    }
    let home = account.map_or_else(|| format!("/home/{}", user.name), |account| account.home.clone());
    let path = format!("{home}/.ssh/authorized_keys");
    let open = stage.stat(&path)?.is_some_and(|found| found.mode & 0o022 != 0);
    Ok(open.then(|| format!("others can write to {path}, so sshd passes over it (StrictModes)")))
}

/// What sshd knows of the user: the name, and all groups.
fn connection_of(
    user: &User,
    account: Option<&accounts::User>,
    stage: &Stage<'_>,
) -> Result<Connection, CliError> {
    let mut groups = user.groups.clone();
    if account.is_none() {
        // useradd makes one of the same name.
        groups.push(user.name.clone());
    }
    for line in stage.read_text("/etc/group")?.unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [group, _, id, members] = fields[..] else { continue };
        let own = account.is_some_and(|account| id.parse() == Ok(account.gid));
        if own || members.split(',').any(|member| member == user.name) {
            groups.push(group.to_owned());
        }
    }
    Ok(Connection { user: Some(user.name.clone()), groups, ..Connection::default() })
}

/// What the methods that sshd asks this user for are missing.
fn missing(
    connection: &Connection,
    has: &Has,
    config: &Config,
    stage: &Stage<'_>,
) -> Result<Vec<String>, CliError> {
    let first = |keyword: &str| {
        let lines = config.for_connection(keyword, connection);
        lines.first().map(|line| line.value.trim().to_ascii_lowercase())
    };
    let on = |keyword: &str, default: bool| first(keyword).map_or(default, |value| value == "yes");
    let pam = on("UsePAM", false);
    let keyboard = on("KbdInteractiveAuthentication", true) && on("ChallengeResponseAuthentication", true);
    let passwords = on("PasswordAuthentication", true);
    let answers = if pam { Some(pam_answers(has, stage)?) } else { None };
    let revoked = gates::revokes_all(connection, config, stage)?;
    // Of one method: what it wants that the user does not have.
    let want = |method: &str| -> Vec<String> {
        let name = method.split(':').next().unwrap_or_default();
        match name {
            "publickey" if !on("PubkeyAuthentication", true) => vec!["sshd takes no keys".to_owned()],
            "publickey" if revoked.is_some() => revoked.clone().into_iter().collect(),
            "publickey" if has.key.is_empty() => Vec::new(),
            "publickey" => vec![has.key.to_owned()],
            "password" if !passwords => {
                vec!["sshd takes no passwords (PasswordAuthentication no)".to_owned()]
            }
            "keyboard-interactive" if !keyboard => {
                vec!["sshd asks no questions (KbdInteractiveAuthentication no)".to_owned()]
            }
            "password" | "keyboard-interactive" => match &answers {
                Some(answers) => answers.clone(),
                None if name == "password" && has.password.is_empty() => Vec::new(),
                None if name == "password" => vec![has.password.to_owned()],
                None => vec!["sshd asks no questions without UsePAM".to_owned()],
            },
            "none" => Vec::new(),
            // Kerberos and host keys cannot be judged from an image.
            _ => Vec::new(),
        }
    };
    let methods = config.for_connection("AuthenticationMethods", connection);
    let lists: Vec<Vec<String>> = match methods.first() {
        Some(line) if !line.words.iter().any(|word| word == "any") => {
            line.words.iter().map(|list| list.split(',').map(str::to_owned).collect()).collect()
        }
        _ => ["publickey", "password", "keyboard-interactive"].map(|method| vec![method.to_owned()]).to_vec(),
    };
    let mut least: Option<Vec<String>> = None;
    for list in lists {
        let mut wants: Vec<String> = list.iter().flat_map(|method| want(method)).collect();
        wants.dedup();
        if least.as_ref().is_none_or(|least| wants.len() < least.len()) {
            least = Some(wants);
        }
    }
    Ok(least.unwrap_or_default())
}

/// What PAM's stack for sshd wants that the user does not have.
fn pam_answers(has: &Has, stage: &Stage<'_>) -> Result<Vec<String>, CliError> {
    if pam::service_path(stage, "sshd")?.is_none() {
        return Ok(Vec::new());
    }
    let steps = pam::steps(stage, "sshd", Facility::Auth)?;
    let passes = |password: bool, code: bool| {
        can_succeed(&steps, |step: &Step| match step.module.as_str() {
            "pam_deny.so" => vec![Answer::Failure],
            CODES if code => vec![Answer::Success],
            CODES if step.arguments.iter().any(|word| word == "nullok") => vec![Answer::Ignore],
            CODES => vec![Answer::Failure],
            module if PASSWORD_MODULES.contains(&module) => {
                vec![if password { Answer::Success } else { Answer::Failure }]
            }
            _ => vec![Answer::Success, Answer::Ignore],
        })
    };
    let mut wants = Vec::new();
    let password = has.password.is_empty();
    if passes(password, has.code) {
        return Ok(wants);
    }
    if !password && !passes(false, true) {
        wants.push(has.password.to_owned());
    }
    if !has.code && !passes(true, false) {
        wants.push("nothing enrols it for one-time codes".to_owned());
    }
    if wants.is_empty() {
        wants.push("PAM refuses it".to_owned());
    }
    Ok(wants)
}

/// AllowUsers and its kin, and root's own switch.
fn shut_out(connection: &Connection, config: &Config) -> Vec<String> {
    let name = connection.user.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    for (keyword, deny) in [("DenyGroups", true), ("AllowGroups", false)] {
        let lines = config.for_connection(keyword, connection);
        let Some(first) = lines.first() else { continue };
        let mut words = lines.iter().flat_map(|line| &line.words);
        let matched = words.any(|word| connection.groups.iter().any(|group| in_pattern_list(group, word)));
        if matched == deny {
            found.push(format!("{keyword} shuts it out ({})", first.place));
        }
    }
    for (keyword, deny) in [("DenyUsers", true), ("AllowUsers", false)] {
        let lines = config.for_connection(keyword, connection);
        let Some(first) = lines.first() else { continue };
        let matched = lines.iter().flat_map(|line| &line.words).any(|word| match word.split_once('@') {
            // The client's host is not known: it may be the one that Allow names.
            Some((user, _)) => !deny && in_pattern_list(name, user),
            None => in_pattern_list(name, word),
        });
        if matched == deny {
            found.push(format!("{keyword} shuts it out ({})", first.place));
        }
    }
    if name == "root" {
        let lines = config.for_connection("PermitRootLogin", connection);
        if let Some(line) = lines.first().filter(|line| line.value.eq_ignore_ascii_case("no")) {
            found.push(format!("PermitRootLogin is no ({})", line.place));
        }
    }
    found
}

/// Whether the image has a key that sshd looks at for `name`.
fn has_key_in_image(connection: &Connection, config: &Config, stage: &Stage<'_>) -> Result<bool, CliError> {
    let name = connection.user.as_deref().unwrap_or_default();
    let patterns: Vec<String> = match config.for_connection("AuthorizedKeysFile", connection).first() {
        Some(setting) => setting.words.clone(),
        None => [".ssh/authorized_keys", ".ssh/authorized_keys2"].map(str::to_owned).to_vec(),
    };
    let Some(account) = accounts::user(stage, name)? else { return Ok(false) };
    for pattern in patterns {
        let path = pattern.replace("%h", &account.home).replace("%u", name).replace("%%", "%");
        let path = if path.starts_with('/') { path } else { format!("{}/{path}", account.home) };
        if stage.stat(&path)?.is_none_or(|found| found.kind != FileType::Regular) {
            continue;
        }
        let text = stage.read(&path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#')) {
            return Ok(true);
        }
    }
    Ok(false)
}
