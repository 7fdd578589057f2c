//! What shuts everybody out, whoever they are: files that sshd, PAM and the resolver look at.
//!
//! From sshd(8) (`/etc/nologin`), pam_nologin(8), hosts_access(5), nsswitch.conf(5), Debian's unit of sshd
//! (`/etc/ssh/sshd_not_to_be_run`), and servconf.c of OpenSSH.

use hardtack_guest::pam::{self, Answer, Facility, Step, can_succeed};
use hardtack_guest::sshd::{Config, Connection};
use hardtack_guest::{FileType, Stage, accounts};
use hardtack_login::service;

use crate::error::CliError;

/// sshd's program is no longer than this.
const PROGRAM: u64 = 16 << 20;

/// Why nobody, or nobody but root, gets in over SSH.
pub(super) struct Gates {
    /// Nobody.
    pub(super) all: Vec<String>,
    /// Nobody but root.
    pub(super) others: Vec<String>,
}

impl Gates {
    /// As `stage` has them.
    pub(super) fn read(stage: &Stage<'_>, config: &Config) -> Result<Self, CliError> {
        let mut gates = Self { all: Vec::new(), others: Vec::new() };
        if let Some((file, why)) = service::started(stage)?.fault {
            gates.all.push(format!("{why} ({file})"));
        }
        let flag = "/etc/ssh/sshd_not_to_be_run";
        if stage.stat(flag)?.is_some() {
            gates.all.push(format!("{flag} keeps sshd from being started"));
        }
        gates.all.extend(never_starts(stage, config)?);
        gates.all.extend(hosts(stage)?);
        gates.all.extend(names(stage)?);
        let with_pam = word(config, "UsePAM").as_deref() == Some("yes");
        for facility in [Facility::Account, Facility::Session].into_iter().filter(|_| with_pam) {
            if !passes(stage, "sshd", facility) {
                let what = if facility == Facility::Account { "account" } else { "session" };
                gates.all.push(format!("PAM's {what} stack for sshd refuses everybody"));
            }
        }
        for file in ["/etc/nologin", "/run/nologin"] {
            if stage.stat(file)?.is_some() && (file == "/etc/nologin" || (with_pam && asks_nologin(stage))) {
                gates.others.push(format!("{file} is there, which lets in nobody but root"));
            }
        }
        Ok(gates)
    }

    /// What of it holds for `name`.
    pub(super) fn shut(&self, name: &str) -> impl Iterator<Item = String> {
        self.all.iter().chain(self.others.iter().filter(move |_| name != "root")).cloned()
    }
}

/// Whether a stack of `service` can end in success; one without modules is another service's.
pub(super) fn passes(stage: &Stage<'_>, service: &str, facility: Facility) -> bool {
    let Ok(Some(_)) = pam::service_path(stage, service) else { return true };
    let Ok(steps) = pam::steps(stage, service, facility) else { return false };
    let answers = |step: &Step| match step.module.as_str() {
        "pam_deny.so" => vec![Answer::Failure],
        _ => vec![Answer::Success, Answer::Ignore],
    };
    steps.is_empty() || can_succeed(&steps, answers)
}

fn asks_nologin(stage: &Stage<'_>) -> bool {
    [Facility::Auth, Facility::Account].into_iter().any(|facility| {
        let steps = pam::steps(stage, "sshd", facility).unwrap_or_default();
        steps.iter().any(|step| step.module == "pam_nologin.so")
    })
}

/// The value that counts for everybody, in small letters.
fn word(config: &Config, keyword: &str) -> Option<String> {
    config.global(keyword).first().map(|line| line.words.join(" ").to_ascii_lowercase())
}

/// Directives that parse, and with which sshd is of no use.
fn never_starts(stage: &Stage<'_>, config: &Config) -> Result<Vec<String>, CliError> {
    let mut found = Vec::new();
    let keys = config.global("HostKey");
    let mut usable = keys.is_empty() || !config.global("HostKeyAgent").is_empty();
    for key in &keys {
        let path = key.words.first().map(String::as_str).unwrap_or_default();
        // Those that are made at the first boot.
        usable |= path.starts_with("/etc/ssh/ssh_host_") || stage.stat(path)?.is_some();
    }
    if let Some(key) = keys.first().filter(|_| !usable) {
        found.push(format!("HostKey names no key that is there ({}): sshd does not start", key.place));
    }
    if let Some(line) = config.global("MaxStartups").first()
        && line.words.first().is_some_and(|word| word.split(':').any(|number| number.trim() == "0"))
    {
        found.push(format!("MaxStartups {}: sshd takes no connection ({})", line.value, line.place));
    }
    if let Some(line) = config.global("LoginGraceTime").first()
        && let Some(seconds) = seconds(line.words.first().map(String::as_str).unwrap_or_default())
        && (1..5).contains(&seconds)
    {
        found.push(format!("LoginGraceTime leaves {seconds} s for a login ({})", line.place));
    }
    let addresses = config.global("ListenAddress");
    let inner = |address: &str| {
        let address = address.trim_start_matches('[');
        address.starts_with("127.") || address.starts_with("::1") || address.starts_with("localhost")
    };
    if let Some(line) = addresses.first()
        && addresses.iter().all(|line| line.words.first().is_some_and(|word| inner(word)))
    {
        found.push(format!(
            "ListenAddress {} is reached from the machine itself only ({})",
            line.value, line.place
        ));
    }
    Ok(found)
}

/// sshd's times: `90`, `2m`, `1h30m`.
fn seconds(text: &str) -> Option<u64> {
    let (mut sum, mut number) = (0_u64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        sum = sum.checked_add(std::mem::take(&mut number).parse::<u64>().ok()?.checked_mul(unit)?)?;
    }
    if number.is_empty() { Some(sum) } else { sum.checked_add(number.parse().ok()?) }
}

/// `/etc/hosts.deny`, where sshd was built with libwrap.
fn hosts(stage: &Stage<'_>) -> Result<Option<String>, CliError> {
    let rule = |file: &str, everybody: bool| -> Result<bool, CliError> {
        let text = stage.read_limited(file, 1 << 20)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().map(str::trim).filter(|line| !line.starts_with('#')).any(|line| {
            let Some((daemons, clients)) = line.split_once(':') else { return false };
            let about = |word: &str| word == "sshd" || word == "ALL";
            let split = |c: char| c == ',' || c.is_whitespace();
            daemons.split(split).any(about)
                && (!everybody || clients.split(|c| split(c) || c == ':').any(|word| word == "ALL"))
        }))
    };
    if !rule("/etc/hosts.deny", true)? || rule("/etc/hosts.allow", false)? {
        return Ok(None);
    }
    for program in ["/usr/sbin/sshd", "/usr/lib/openssh/sshd-session", "/usr/libexec/openssh/sshd-session"] {
        if stage.stat(program)?.is_none_or(|found| found.kind != FileType::Regular || found.size > PROGRAM) {
            continue;
        }
        let bytes = stage.read_limited(program, PROGRAM)?.unwrap_or_default();
        if bytes.windows(10).any(|window| window == b"libwrap.so") {
            return Ok(Some("/etc/hosts.deny refuses every client of sshd".to_owned()));
        }
    }
    Ok(None)
}

/// `/etc/nsswitch.conf` without the machine's own accounts.
fn names(stage: &Stage<'_>) -> Result<Option<String>, CliError> {
    let text = stage.read_limited("/etc/nsswitch.conf", 1 << 20)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        let Some(services) = line.strip_prefix("passwd:") else { continue };
        let mut services = services.split_whitespace();
        if !services.any(|name| matches!(name, "files" | "compat" | "altfiles" | "db")) {
            return Ok(Some(format!("/etc/nsswitch.conf does not look into /etc/passwd (`{line}`)")));
        }
    }
    Ok(None)
}

/// What the lines for one user keep from having a shell.
pub(super) fn no_shell(
    connection: &Connection,
    account: Option<&accounts::User>,
    config: &Config,
    stage: &Stage<'_>,
) -> Result<Vec<String>, CliError> {
    let mut found = Vec::new();
    let name = connection.user.as_deref().unwrap_or_default();
    let home = account.map_or_else(|| format!("/home/{name}"), |account| account.home.clone());
    let first = |keyword: &str| config.for_connection(keyword, connection).first().copied();
    if let Some(line) = first("ForceCommand") {
        let program = line.words.first().map(String::as_str).unwrap_or_default();
        let ends = ["false", "true", "nologin"].contains(&program.rsplit('/').next().unwrap_or_default());
        let missing = program.starts_with('/') && stage.stat(program)?.is_none();
        if ends || missing {
            found.push(format!("ForceCommand gives it {program} and no shell ({})", line.place));
        }
    }
    if let Some(line) = first("ChrootDirectory").filter(|line| !line.value.eq_ignore_ascii_case("none")) {
        let path = line.words.first().map(String::as_str).unwrap_or_default();
        let path = path.replace("%h", &home).replace("%u", name).replace("%%", "%");
        let there = stage.stat(&path)?.is_some() || (account.is_none() && path.starts_with(&home));
        if !there {
            found.push(format!("ChrootDirectory {path} is not in the image ({})", line.place));
        }
    }
    if let Some(line) = first("MaxSessions").filter(|line| line.value.trim() == "0") {
        found.push(format!("MaxSessions is 0 ({})", line.place));
    }
    if let Some(line) = first("RefuseConnection").filter(|line| line.value.eq_ignore_ascii_case("yes")) {
        found.push(format!("RefuseConnection is yes ({})", line.place));
    }
    Ok(found)
}

/// `RevokedKeys` with a file that is not there refuses all keys.
pub(super) fn revokes_all(
    connection: &Connection,
    config: &Config,
    stage: &Stage<'_>,
) -> Result<Option<String>, CliError> {
    let lines = config.for_connection("RevokedKeys", connection);
    let Some(line) = lines.first().filter(|line| !line.value.eq_ignore_ascii_case("none")) else {
        return Ok(None);
    };
    for path in &line.words {
        if stage.stat(path)?.is_none() {
            return Ok(Some(format!(
                "RevokedKeys names {path}, which is not there: sshd refuses all keys ({})",
                line.place
            )));
        }
    }
    Ok(None)
}
