//! What the user-data writes into the image, tried out in memory: are sshd, PAM and the overlay still
//! what they were?
//!
//! The files are those that the modules of the guest would write, put into a [`Stage`] above the
//! image. sshd and PAM are evaluated before and after.

use hardtack_guest::sshd::{self, Config, Connection};
use hardtack_guest::{Set, Stage, Tree};
use hardtack_login::service;
use hardtack_modules::{Action, Plan};
use hardtack_userdata::truth::is_true;
use hardtack_userdata::{Finding, Map, Place, Value};

use super::demand;
use super::image::{self, Facts, SNIPPET};
use super::promise;
use super::storage;
use super::users::get;
use crate::error::CliError;

/// sshd's words that decide who gets in, and how.
const SENSITIVE: &[&str] = &[
    "AllowGroups",
    "AllowUsers",
    "AuthenticationMethods",
    "AuthorizedKeysCommand",
    "AuthorizedKeysFile",
    "ChallengeResponseAuthentication",
    "DenyGroups",
    "DenyUsers",
    "ForceCommand",
    "KbdInteractiveAuthentication",
    "ListenAddress",
    "PAMServiceName",
    "PasswordAuthentication",
    "PermitEmptyPasswords",
    "PermitRootLogin",
    "Port",
    "PubkeyAcceptedAlgorithms",
    "PubkeyAuthentication",
    "TrustedUserCAKeys",
    "UsePAM",
];

/// A file that the user-data writes.
#[derive(Clone)]
pub(super) struct Written {
    /// Where, as written.
    path: String,
    /// The module that does.
    module: String,
    /// It stands behind what was there.
    appended: bool,
}

/// Puts what `plan` writes into `stage`; what cannot be put there is left out.
pub(super) fn put(plan: &Plan, stage: &mut Stage<'_>) -> Vec<Written> {
    let mut written = Vec::new();
    for step in &plan.steps {
        for action in &step.actions {
            let appended = matches!(action, Action::Append { .. });
            let set = |mode: &Option<u32>| Set { mode: *mode, ..Set::default() };
            let (path, done) = match action {
                Action::Write { path, content, mode, .. } => {
                    // systemd removes what is there before logins are let in.
                    let early = step.module == "write_files" && is_nologin(path) && path != "/etc/nologin";
                    (path, early || stage.write(path, content.bytes.clone(), set(mode)).is_ok())
                }
                Action::Append { path, content, mode, .. } => {
                    let mut all = stage.read(path).ok().flatten().unwrap_or_default();
                    all.extend_from_slice(&content.bytes);
                    (path, stage.write(path, all, set(mode)).is_ok())
                }
                Action::Link { path, target } => (path, stage.symlink(path, target).is_ok()),
                Action::Remove { path } => (path, stage.remove(path).is_ok()),
                _ => continue,
            };
            if done {
                written.push(Written { path: path.clone(), module: step.module.clone(), appended });
            }
        }
    }
    written
}

/// Files whose being there shuts everybody but root out.
fn is_nologin(path: &str) -> bool {
    matches!(path, "/etc/nologin" | "/run/nologin" | "/var/run/nologin")
}

/// What is different afterwards.
pub(super) fn compare(
    guest: &dyn Tree,
    after: &Stage<'_>,
    written: &[Written],
    config: &Map,
    facts: &Facts,
) -> Result<Vec<Finding>, CliError> {
    let before = Stage::new(guest);
    let places = Places { config, written };
    let mut found = sshd(&before, after, &places, config, facts)?;
    found.extend(demand::stacks(&before, after, &places)?);
    found.extend(others(&places, facts));
    found.extend(sudo(&before, after, &places)?);
    promise::look(&before, after, &places, facts, &mut found);
    Ok(found)
}

/// Where the user-data says what ends up in a file.
pub(super) struct Places<'a> {
    config: &'a Map,
    written: &'a [Written],
}

impl Places<'_> {
    /// The files that were written and fit.
    pub(super) fn of(&self, fits: impl Fn(&str) -> bool) -> Vec<(Place, String, &str)> {
        let mut found: Vec<(Place, String, &str)> = Vec::new();
        for written in self.written.iter().filter(|written| fits(&written.path)) {
            let (place, path) = self.origin(written);
            if !found.iter().any(|(known, _, file)| *known == place && *file == written.path) {
                found.push((place, path, &written.path));
            }
        }
        found
    }

    /// Nothing replaces `file` as a whole.
    fn only_appended(&self, file: &str) -> bool {
        self.written.iter().filter(|written| written.path == file).all(|written| written.appended)
    }

    fn origin(&self, written: &Written) -> (Place, String) {
        for key in ["write_files", "write-files"] {
            let entries = get(self.config, key).and_then(Value::as_list).unwrap_or_default();
            let same = |entry: &&Value| {
                let path = entry.get("path").and_then(Value::as_text).unwrap_or_default();
                same_path(path, &written.path)
            };
            if let Some((index, entry)) = entries.iter().enumerate().rev().find(|(_, entry)| same(entry)) {
                let place = entry.get("path").map_or(entry.place, |path| path.place);
                return (place, format!("{key}.{index}.path"));
            }
        }
        let keys = hardtack_modules::table::find(&written.module).map_or(&[][..], |module| module.keys);
        let present = keys.iter().find_map(|key| Some((key, get(self.config, key)?)));
        match present {
            Some((key, value)) => (value.place, (*key).to_owned()),
            None => (Place::default(), String::new()),
        }
    }
}

pub(super) fn same_path(one: &str, other: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    parts(one) == parts(other)
}

fn sshd(
    before: &Stage<'_>,
    after: &Stage<'_>,
    places: &Places<'_>,
    config: &Map,
    facts: &Facts,
) -> Result<Vec<Finding>, CliError> {
    let files = places.of(|path| path.starts_with("/etc/ssh/") || service::decides(path));
    if places.written.is_empty() {
        return Ok(Vec::new());
    }
    let (Some(old), Some(new)) =
        (image::sshd_config(before, facts.sshd)?, image::sshd_config(after, facts.sshd)?)
    else {
        return Ok(Vec::new());
    };
    // The file that a line stands in, or one that is about sshd.
    let whose = |line: Option<&sshd::Place>| {
        let same = line.and_then(|line| places.of(|path| same_path(path, &line.file)).into_iter().next());
        let about =
            |(_, _, file): &&(Place, String, &str)| file.contains("sshd_config") || service::decides(file);
        let (place, path, file) = same.or_else(|| files.iter().find(about).cloned()).unwrap_or_default();
        (place, path, file.to_owned())
    };
    let mut found = Vec::new();
    for problem in &new.problems {
        if !old.problems.iter().any(|known| known.what == problem.what) {
            let message = format!("{}: {}", problem.place, problem.what);
            let (place, path, _) = whose(Some(&problem.place));
            let finding = Finding::error("image-sshd-broken", place, message).at(path);
            found.push(finding.with_hint("nobody could log in over SSH: correct the line"));
        }
    }
    let (was, is) = (service::started(before)?, service::started(after)?);
    if let Some((file, why)) = is.fault.as_ref().filter(|_| was.fault.is_none()) {
        let line = sshd::Place { file: file.clone(), line: 1 };
        let (place, path, _) = whose(Some(&line));
        let finding = Finding::error("image-sshd-broken", place, format!("{file}: {why}")).at(path);
        found.push(finding.with_hint("nobody could log in over SSH: leave sshd's unit to the image"));
    }
    for (place, path, file) in places.of(service::is_other) {
        let message = format!("{file} decides how sshd is started, and is not followed here");
        found.push(Finding::warning("image-sshd-changed", place, message).at(path));
    }
    // Beside those that decide who gets in, all that the recipe set.
    let mut keywords: Vec<&str> = SENSITIVE.to_vec();
    for line in old.settings.iter().filter(|line| line.ours) {
        if !keywords.contains(&line.keyword) {
            keywords.push(line.keyword);
        }
    }
    let mut changed = false;
    let mut told: Vec<&str> = Vec::new();
    for keyword in keywords {
        let name = sshd::canonical(keyword, old.version()).map_or(keyword, |keyword| keyword.name);
        if told.contains(&name) {
            continue;
        }
        told.push(name);
        let ours = by_recipe(keyword, &old);
        let harmless = |was: &str, is: &str| {
            let (was, is) = (strictness(keyword, was), strictness(keyword, is));
            // What the recipe opened is to stay open.
            was.zip(is).is_some_and(|(was, is)| is == was || (is > was && ours.is_none()))
        };
        changed |= difference(keyword, &old, &new, &|_, _| false).is_some();
        let Some((was, is, by)) = difference(keyword, &old, &new, &harmless) else { continue };
        let (place, path, file) = whose(by.as_ref());
        let by = by.map_or(file, |by| by.to_string());
        let by = if by.is_empty() { "this".to_owned() } else { by };
        let message = match &ours {
            Some(line) => format!("{by} makes {name} {is}, and the image's recipe says {was} ({line})"),
            None => format!("{by} makes {name} {is}; in the image it is {was}"),
        };
        let finding = if ours.is_some() {
            Finding::error("image-sshd-undone", place, message)
                .with_hint("leave sshd to the recipe, or change the recipe")
        } else {
            Finding::warning("image-sshd-changed", place, message)
        };
        found.push(finding.at(path));
    }
    if !changed {
        found.extend(no_effect(&old, config));
    }
    Ok(found)
}

/// How much a value of `keyword` keeps closed, where more of it is never a mistake; without a value
/// sshd's default counts (sshd_config(5)).
fn strictness(keyword: &str, value: &str) -> Option<usize> {
    let order: &[&[&str]] = match keyword {
        "PermitRootLogin" => {
            &[&["yes"], &["prohibit-password", "without-password"], &["forced-commands-only"], &["no"]]
        }
        "ChallengeResponseAuthentication"
        | "KbdInteractiveAuthentication"
        | "PasswordAuthentication"
        | "PermitEmptyPasswords" => &[&["yes"], &["no"]],
        _ => return None,
    };
    let value = match (value, keyword) {
        ("", "PermitRootLogin") => "prohibit-password",
        ("", "PermitEmptyPasswords") => "no",
        ("", _) => "yes",
        _ => value,
    };
    order.iter().position(|words| words.iter().any(|word| word.eq_ignore_ascii_case(value)))
}

/// The value before and after, and where the new one stands; for everybody or in a `Match` block. What
/// is `harmless` is passed over; it is asked with the values, which are empty where there is none.
fn difference(
    keyword: &str,
    old: &Config,
    new: &Config,
    harmless: &dyn Fn(&str, &str) -> bool,
) -> Option<(String, String, Option<sshd::Place>)> {
    let anybody = Connection::default();
    let words = |config: &Config| -> Vec<String> {
        let lines = config.for_connection(keyword, &anybody);
        lines.iter().map(|line| line.words.join(" ")).collect()
    };
    let (was, is) = (words(old), words(new));
    let shown = |words: &[String]| {
        if words.is_empty() { "the default".to_owned() } else { words.join(", ") }
    };
    if was != is && !harmless(&was.join(" "), &is.join(" ")) {
        let line = new.for_connection(keyword, &anybody);
        let by = line.last().map(|line| line.place.clone());
        return Some((shown(&was), shown(&is), by));
    }
    let count = |config: &Config| -> Vec<String> {
        config.overrides(keyword).map(|line| line.words.join(" ")).collect()
    };
    let (inside_old, inside_new) = (count(old), count(new));
    let added = new.overrides(keyword).find(|line| {
        let words = line.words.join(" ");
        !inside_old.contains(&words) && !harmless(&was.join(" "), &words)
    })?;
    (inside_old != inside_new).then(|| {
        (shown(&was), format!("{} in a Match block", added.words.join(" ")), Some(added.place.clone()))
    })
}

/// The line of a build that decides `keyword`.
fn by_recipe(keyword: &str, config: &Config) -> Option<String> {
    let lines = config.global(keyword);
    lines.iter().find(|line| line.ours).map(|line| line.place.to_string())
}

/// `ssh_pwauth: true` where an earlier file says no: people believe that it opened something.
fn no_effect(old: &Config, config: &Map) -> Option<Finding> {
    let value = get(config, "ssh_pwauth").filter(|value| is_true(value))?;
    let lines = old.global("PasswordAuthentication");
    let line = lines.first()?;
    if line.value.eq_ignore_ascii_case("yes") {
        return None;
    }
    let message = format!(
        "ssh_pwauth changes nothing: {} says {} {} and comes first",
        line.place, line.written, line.value
    );
    let mut finding = Finding::warning("image-sshd-no-effect", value.place, message).at("ssh_pwauth");
    if line.ours {
        finding = finding.with_hint("the image's recipe asks for several factors; leave ssh_pwauth out");
    }
    Some(finding)
}

/// Where accounts stand.
const ACCOUNTS: &[&str] = &["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"];

/// User-data that takes the overlay's device for something else.
pub(super) fn device(after: &Stage<'_>, written: &[Written], config: &Map, facts: &Facts) -> Vec<Finding> {
    let places = Places { config, written };
    let crypttab = places.of(|path| path == "/etc/crypttab").first().map(|(place, ..)| *place);
    storage::look(config, facts, after, crypttab)
}

/// Rules of sudo that let everybody be root.
fn sudo(before: &Stage<'_>, after: &Stage<'_>, places: &Places<'_>) -> Result<Vec<Finding>, CliError> {
    let mut found = Vec::new();
    let rules = |path: &str| path == "/etc/sudoers" || path.starts_with("/etc/sudoers.d/");
    for (place, path, file) in places.of(rules) {
        let is_open = |stage: &Stage<'_>| -> Result<bool, CliError> {
            let text = stage.read_limited(file, 1 << 20)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let mut lines = text.lines().map(str::trim);
            Ok(lines.any(|line| line.split_whitespace().next() == Some("ALL") && line.contains("NOPASSWD")))
        };
        if is_open(after)? && !is_open(before)? {
            let message = format!("{file} lets every user become root without a password");
            let finding = Finding::warning("image-sudo-opened", place, message).at(path);
            found.push(finding.with_hint("name the users or the group that may"));
        }
    }
    Ok(found)
}

/// Files that something else of the way in depends on.
fn others(places: &Places<'_>, facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let overlay = facts.agent.as_ref().is_some_and(|agent| agent.overlay.is_some());
    for (place, path, file) in places.of(|_| true) {
        let (code, message, serious) = if file.starts_with("/etc/overlayroot") {
            let message = if overlay {
                format!("{file} decides about the overlay that the image's recipe set up")
            } else {
                format!("{file} decides about an overlay above the root")
            };
            ("image-overlay-undone", message, overlay)
        } else if file == SNIPPET {
            ("image-recipe-undone", format!("{file} holds the users of the image's recipe"), true)
        } else if file.starts_with("/etc/cloud/cloud.cfg") {
            (
                "image-cloud-config-changed",
                format!("{file} is cloud-init's own configuration: it counts from the next boot on"),
                false,
            )
        } else if file.starts_with("/etc/hardtack/")
            || file.contains("/hardtack-")
            || file.contains("/zz-hardtack-")
        {
            ("image-recipe-undone", format!("{file} was put there by the image's recipe"), true)
        } else if file == "/etc/cloud/cloud-init.disabled" {
            let message = format!("{file} switches cloud-init off from the next boot on");
            ("image-cloud-config-changed", message, false)
        } else if is_nologin(file) && file != "/etc/nologin" {
            let message =
                format!("{file} lets nobody but root in until systemd removes it at the end of the boot");
            ("image-user-without-way-in", message, false)
        } else if file == "/etc/ssh/sshd_not_to_be_run" {
            ("image-sshd-broken", format!("{file} keeps sshd from being started"), true)
        } else if ["sshd", "sshd-session", "sshd-auth"].iter().any(|name| {
            file.ends_with(&format!("/{name}")) && (file.contains("bin/") || file.contains("/openssh/"))
        }) {
            ("image-sshd-broken", format!("{file} is a program of sshd, which is replaced"), true)
        } else if file.contains("/security/pam_") && file.ends_with(".so") {
            ("image-pam-undone", format!("{file} is one of PAM's modules, which is replaced"), true)
        } else if ACCOUNTS.contains(&file) && places.only_appended(file) {
            let message = format!("{file} gets lines: accounts that neither the image nor `users` knows");
            ("image-accounts-replaced", message, false)
        } else if ACCOUNTS.contains(&file) {
            (
                "image-accounts-replaced",
                format!("{file} as a whole takes every account of the image away"),
                true,
            )
        } else if file.ends_with("/.google_authenticator") {
            ("image-recipe-undone", format!("{file} is a user's second factor"), facts.asks_for_factors())
        } else {
            continue;
        };
        let finding = if serious {
            Finding::error(code, place, message).with_hint("change the recipe of the image instead")
        } else {
            Finding::warning(code, place, message)
        };
        found.push(finding.at(path));
    }
    found
}
