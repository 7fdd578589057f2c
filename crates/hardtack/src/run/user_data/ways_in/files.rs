//! What the user-data writes into the image, tried out in memory: are sshd, PAM and the overlay still
//! what they were?
//!
//! The files are those that the modules of the guest would write, put into a [`Stage`] above the
//! image. sshd and PAM are evaluated before and after.

use hardtack_guest::pam::{self, Answer, Facility, Step, can_succeed};
use hardtack_guest::sshd::{Config, Connection};
use hardtack_guest::{Set, Stage, Tree};
use hardtack_modules::{Action, Plan};
use hardtack_userdata::truth::is_true;
use hardtack_userdata::{Finding, Map, Place, Value};

use super::image::{self, Facts, SNIPPET};
use super::users::get;
use crate::error::CliError;

const CODES: &str = "pam_google_authenticator.so";

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
    "KbdInteractiveAuthentication",
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

/// PAM's services that let somebody in.
const SERVICES: &[&str] = &["sshd", "login", "su", "sudo"];

/// A file that the user-data writes.
#[derive(Clone)]
pub(super) struct Written {
    /// Where, as written.
    path: String,
    /// The module that does.
    module: String,
}

/// Puts what `plan` writes into `stage`; what cannot be put there is left out.
pub(super) fn put(plan: &Plan, stage: &mut Stage<'_>) -> Vec<Written> {
    let mut written = Vec::new();
    for step in &plan.steps {
        for action in &step.actions {
            let (path, done) = match action {
                Action::Write { path, content, .. } => {
                    (path, stage.write(path, content.bytes.clone(), Set::default()).is_ok())
                }
                Action::Append { path, content, .. } => {
                    let mut all = stage.read(path).ok().flatten().unwrap_or_default();
                    all.extend_from_slice(&content.bytes);
                    (path, stage.write(path, all, Set::default()).is_ok())
                }
                Action::Link { path, target } => (path, stage.symlink(path, target).is_ok()),
                Action::Remove { path } => (path, stage.remove(path).is_ok()),
                _ => continue,
            };
            if done {
                written.push(Written { path: path.clone(), module: step.module.clone() });
            }
        }
    }
    written
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
    found.extend(stacks(&before, after, &places)?);
    found.extend(others(&places, facts));
    Ok(found)
}

/// Where the user-data says what ends up in a file.
struct Places<'a> {
    config: &'a Map,
    written: &'a [Written],
}

impl Places<'_> {
    /// The files that were written and fit.
    fn of(&self, fits: impl Fn(&str) -> bool) -> Vec<(Place, String, &str)> {
        let mut found: Vec<(Place, String, &str)> = Vec::new();
        for written in self.written.iter().filter(|written| fits(&written.path)) {
            let (place, path) = self.origin(written);
            if !found.iter().any(|(known, _, file)| *known == place && *file == written.path) {
                found.push((place, path, &written.path));
            }
        }
        found
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

fn same_path(one: &str, other: &str) -> bool {
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
    let files = places.of(|path| path.starts_with("/etc/ssh/"));
    let settings = files.iter().any(|(_, _, file)| file.contains("sshd_config"));
    if !settings {
        return Ok(Vec::new());
    }
    let (Some(old), Some(new)) =
        (image::sshd_config(before, facts.sshd)?, image::sshd_config(after, facts.sshd)?)
    else {
        return Ok(Vec::new());
    };
    let (place, path) = files
        .iter()
        .find(|(_, _, file)| file.contains("sshd_config"))
        .map(|(place, path, _)| (*place, path.clone()))
        .unwrap_or_default();
    let mut found = Vec::new();
    for problem in &new.problems {
        if !old.problems.iter().any(|known| known.what == problem.what) {
            let message = format!("{}: {}", problem.place, problem.what);
            let finding = Finding::error("image-sshd-broken", place, message).at(path.clone());
            found.push(finding.with_hint("nobody could log in over SSH: correct the line"));
        }
    }
    let mut changed = false;
    for keyword in SENSITIVE {
        let ours = by_recipe(keyword, &old);
        let harmless = |was: &str, is: &str| {
            let (was, is) = (strictness(keyword, was), strictness(keyword, is));
            // What the recipe opened is to stay open.
            was.zip(is).is_some_and(|(was, is)| is == was || (is > was && ours.is_none()))
        };
        changed |= difference(keyword, &old, &new, &|_, _| false).is_some();
        let Some((was, is, by)) = difference(keyword, &old, &new, &harmless) else { continue };
        let message = match &ours {
            Some(line) => format!("{by} makes {keyword} {is}, and the image's recipe says {was} ({line})"),
            None => format!("{by} makes {keyword} {is}; in the image it is {was}"),
        };
        let finding = if ours.is_some() {
            Finding::error("image-sshd-undone", place, message)
                .with_hint("leave sshd to the recipe, or change the recipe")
        } else {
            Finding::warning("image-sshd-changed", place, message)
        };
        found.push(finding.at(path.clone()));
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
) -> Option<(String, String, String)> {
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
        let by = line.last().map_or_else(|| "this".to_owned(), |line| format!("{}", line.place));
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
        (shown(&was), format!("{} in a Match block", added.words.join(" ")), added.place.to_string())
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

/// PAM's stacks before and after.
fn stacks(before: &Stage<'_>, after: &Stage<'_>, places: &Places<'_>) -> Result<Vec<Finding>, CliError> {
    let files =
        places.of(|path| path.starts_with("/etc/pam.d/") || path.starts_with("/usr/share/pam-configs/"));
    let Some((place, path, file)) = files.first().cloned() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for service in SERVICES {
        let Some((was, is)) = stack(before, service).zip(stack(after, service)) else { continue };
        if was == is {
            continue;
        }
        let message = match (&was, &is) {
            (_, Demand { possible: false, .. }) if was.possible => {
                format!("{file} makes PAM refuse every {service} login")
            }
            (Demand { code: true, .. }, Demand { code: false, .. }) => {
                format!("{file} lets {service} succeed without the one-time code that the image asks for")
            }
            (Demand { password: true, .. }, Demand { password: false, .. }) => {
                format!("{file} lets {service} succeed without a password")
            }
            _ => format!("{file} changes what PAM asks {service} logins for"),
        };
        let weaker = !is.possible || (was.code && !is.code) || (was.password && !is.password);
        let code = if weaker { "image-pam-undone" } else { "image-pam-changed" };
        let finding = if weaker {
            Finding::error(code, place, message).with_hint("leave PAM to the image's recipe")
        } else {
            Finding::warning(code, place, message)
        };
        found.push(finding.at(path.clone()));
    }
    if found.is_empty() {
        let message = format!("{file} belongs to PAM; what sshd, login, su and sudo ask for stays the same");
        found.push(Finding::warning("image-pam-changed", place, message).at(path));
    }
    Ok(found)
}

/// What a stack asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Demand {
    /// Somebody with everything gets through.
    possible: bool,
    /// Nobody without a code.
    code: bool,
    /// Nobody without a password.
    password: bool,
}

/// `None` when there is no such service or it cannot be read.
fn stack(stage: &Stage<'_>, service: &str) -> Option<Demand> {
    pam::service_path(stage, service).ok()??;
    let steps = match pam::steps(stage, service, Facility::Auth) {
        Ok(steps) => steps,
        // A stack that PAM cannot read lets nobody in.
        Err(_) => return Some(Demand { possible: false, code: true, password: true }),
    };
    let passes = |wrong: &dyn Fn(&Step) -> bool| {
        can_succeed(&steps, |step: &Step| {
            if step.module == "pam_deny.so" || wrong(step) {
                vec![Answer::Failure]
            } else if step.module == "pam_rootok.so" {
                vec![Answer::Ignore]
            } else {
                vec![Answer::Success]
            }
        })
    };
    let is_code = |step: &Step| step.module == CODES;
    let is_password = |step: &Step| {
        step.module.starts_with("pam_unix") || step.module == "pam_sss.so" || step.module == "pam_ldap.so"
    };
    Some(Demand { possible: passes(&|_| false), code: !passes(&is_code), password: !passes(&is_password) })
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
        } else if file.starts_with("/etc/hardtack/") || file.contains("/hardtack-") {
            ("image-recipe-undone", format!("{file} was put there by the image's recipe"), true)
        } else if ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"].contains(&file) {
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
