//! What rules want of the shared stacks, done in one go when all of them have spoken.
//!
//! Debian's tool makes `common-*` from profiles and keeps two kinds of choices: which profiles are on, and which options
//! somebody has added to or taken from a line. Both are used here, so that the tool, which every upgrade of libpam-runtime
//! runs, leaves the stacks as they are; the packages' own profiles stay untouched.

use hardtack_guest::pam::{Entry, Outcome, PROFILES, parse, update};
use hardtack_guest::{Set, Stage};

use super::stacks::{self, Maker};
use super::{history, lock};
use crate::{Bench, Error, Finding};

pub(super) const NOTIFY: &str = "hardtack-faillock-notify";
pub(super) const FAILLOCK: &str = "hardtack-faillock";
pub(super) const TALLY: &str = "hardtack-tally";
pub(super) const HISTORY: &str = "hardtack-pwhistory";
const PWQUALITY: &str = "pwquality";
const UNIX: &str = "unix";

const NOTIFY_TEXT: &str = "Name: Locks after wrong passwords: who is locked (hardtack)
Default: yes
Priority: 1024
Auth-Type: Primary
Auth:
\trequisite\tpam_faillock.so preauth
Account-Type: Primary
Account:
\trequired\tpam_faillock.so
";
const FAILLOCK_TEXT: &str = "Name: Locks after wrong passwords: counting (hardtack)
Default: yes
Priority: 0
Auth-Type: Primary
Auth:
\t[default=die]\tpam_faillock.so authfail
";
/// `account` takes the count back, `auth` counts and refuses.
const TALLY_TEXT: &str = "Name: Locks after wrong passwords (hardtack)
Default: yes
Priority: 1024
Auth-Type: Primary
Auth:
\trequired\tpam_tally2.so deny=5 unlock_time=900
Account-Type: Primary
Account:
\trequired\tpam_tally2.so
";

/// What rules want.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// pam_unix is asked.
    pub(super) unix: bool,
    /// Wrong passwords lock.
    pub(super) lock: bool,
    /// New passwords are looked at.
    pub(super) quality: bool,
    /// Old passwords are known.
    pub(super) history: bool,
    /// Words of pam_pwhistory.
    pub(super) history_words: Vec<&'static str>,
    /// pam_pwhistory takes the password from the module before it, where there is one.
    pub(super) history_authtok: bool,
    /// No empty passwords.
    pub(super) no_nullok: bool,
    /// pam_unix keeps no old passwords.
    pub(super) no_remember: bool,
    /// A strong hash.
    pub(super) hash: bool,
}

/// A profile of pam-auth-update that is ours.
struct Own {
    name: &'static str,
    /// `None`: nobody wants it.
    text: Option<String>,
}

/// Brings the stacks to what is wished.
pub(crate) fn finish(bench: &mut Bench<'_, '_>) -> Result<(), Error> {
    let wishes = std::mem::take(&mut bench.wishes);
    let maker = stacks::maker(bench.stage)?;
    if !matches!(maker, Maker::Debian | Maker::Hand) {
        return Ok(());
    }
    options(bench.stage, &wishes)?;
    let stage = &mut *bench.stage;
    let own = own_profiles(stage, &wishes)?;
    let mut stale = false;
    for profile in &own {
        let path = format!("{PROFILES}/{}", profile.name);
        let there = stage.read_text(&path)?;
        if there == profile.text {
            continue;
        }
        stale = true;
        if maker == Maker::Hand && profile.text.is_some() {
            return Err(refused(
                "/etc/pam.d/common-auth is not made by pam-auth-update, which the image does not have"
                    .to_owned(),
            ));
        }
        match &profile.text {
            Some(text) => stage.write(&path, text.as_str(), crate::bench::root(0o644))?,
            None => stage.remove(&path)?,
        }
    }
    let mut enable: Vec<&str> =
        own.iter().filter(|profile| profile.text.is_some()).map(|profile| profile.name).collect();
    let missing = wishes.lock && !holds(lock::check(stage)?)
        || wishes.history
            && stacks::module(stage, "pam_pwhistory.so")?.is_some()
            && !holds(history::on(stage)?);
    let mut needed = stale || missing && !enable.is_empty();
    for (wished, name, module) in
        [(wishes.quality, PWQUALITY, "pam_pwquality.so"), (wishes.unix, UNIX, "pam_unix.so")]
    {
        let known = stage.stat(&format!("{PROFILES}/{name}"))?.is_some();
        if wished && known && stacks::module(stage, module)?.is_some() && !holds(super::has(stage, module)?) {
            enable.push(name);
            needed = true;
        }
    }
    if !needed || maker == Maker::Hand {
        return Ok(());
    }
    if enable.is_empty() {
        enable.push(UNIX);
    }
    for name in enable {
        if let Outcome::Unmanaged(found) = update(stage, name)? {
            let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
            return Err(refused(format!(
                "{}{line}: {}; pam-auth-update would leave the stacks alone",
                found.path, found.what
            )));
        }
    }
    Ok(())
}

fn holds(finding: Finding) -> bool {
    finding == Finding::Pass
}

fn refused(what: String) -> Error {
    Error::Refused {
        rule: "pam-faillock-on",
        what,
        hint: "run pam-auth-update --force in the image, or make exceptions for pam-faillock-on, pam-pwhistory-on \
               and pam-pwquality-on"
            .to_owned(),
    }
}

fn own_profiles(stage: &Stage<'_>, wishes: &Wishes) -> Result<Vec<Own>, Error> {
    let ours = |name: &str| Ok::<_, Error>(stage.stat(&format!("{PROFILES}/{name}"))?.is_some());
    // What somebody else has done already, in whatever way, stays theirs.
    let lock = wishes.lock && (ours(NOTIFY)? || ours(TALLY)? || !holds(lock::check(stage)?));
    let faillock = stacks::module(stage, lock::FAILLOCK)?.is_some();
    let tally = !faillock && stacks::module(stage, lock::TALLY)?.is_some();
    let history = wishes.history
        && stacks::module(stage, history::MODULE)?.is_some()
        && (ours(HISTORY)? || !holds(history::on(stage)?));
    let when = |wanted: bool, text: &str| wanted.then(|| text.to_owned());
    Ok(vec![
        Own { name: NOTIFY, text: when(lock && faillock, NOTIFY_TEXT) },
        Own { name: FAILLOCK, text: when(lock && faillock, FAILLOCK_TEXT) },
        Own { name: TALLY, text: when(lock && tally, TALLY_TEXT) },
        Own { name: HISTORY, text: history.then(|| history_text(wishes)) },
    ])
}

/// The tool takes the initial form where nothing before it asks for the password: `use_authtok` there would make every
/// change of a password fail.
fn history_text(wishes: &Wishes) -> String {
    let words: String = wishes.history_words.iter().map(|word| format!(" {word}")).collect();
    let authtok = if wishes.history_authtok { " use_authtok" } else { "" };
    format!(
        "Name: Old passwords are not taken again (hardtack)\nDefault: yes\nPriority: 1023\nPassword-Type: Primary\n\
         Password:\n\trequisite\tpam_pwhistory.so{words} try_first_pass{authtok}\n\
         Password-Initial:\n\trequisite\tpam_pwhistory.so{words}\n"
    )
}

/// Words of pam_unix: choices of the administrator's, which pam-auth-update keeps.
fn options(stage: &mut Stage<'_>, wishes: &Wishes) -> Result<(), Error> {
    let hash = match stacks::module(stage, "pam_unix.so")? {
        Some(path) if stacks::holds(stage, &path, "yescrypt") => "yescrypt",
        _ => "sha512",
    };
    for kind in ["auth", "account", "password", "session", "session-noninteractive"] {
        let path = format!("/etc/pam.d/common-{kind}");
        let Some(old) = stage.read_text(&path)? else { continue };
        let mut lines: Vec<String> = old.split_inclusive('\n').map(str::to_owned).collect();
        for line in parse(&old) {
            let Entry::Module { module, arguments, .. } = &line.entry else { continue };
            if !module.ends_with("pam_unix.so") {
                continue;
            }
            let last = (line.number - 1 + line.height).min(lines.len());
            for text in &mut lines[line.number - 1..last] {
                if wishes.no_nullok {
                    *text = without(text, &|word| matches!(word, "nullok" | "nullok_secure"));
                }
                if wishes.no_remember {
                    *text = without(text, &|word| word.starts_with("remember="));
                }
            }
            let hashes = |word: &String| super::HASHES.contains(&word.as_str());
            if wishes.hash && kind == "password" && !arguments.iter().any(hashes) && line.height == 1 {
                // A weaker one goes: the last of them counts.
                let text = without(&lines[last - 1], &|word| super::WEAK_HASHES.contains(&word));
                let code = text.trim_end_matches('\n').split('#').next().unwrap_or_default().trim_end();
                lines[last - 1] = format!("{code} {hash}\n");
            }
        }
        let new = lines.concat();
        if new != old {
            stage.write(&path, new, Set::default())?;
        }
    }
    Ok(())
}

/// A line without some words and the blanks before them; all else stays.
fn without(line: &str, gone: &dyn Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start().len();
        let end = rest[blanks..].find(char::is_whitespace).map_or(rest.len(), |end| blanks + end);
        let (piece, tail) = rest.split_at(end);
        if !gone(piece.trim_start()) {
            text.push_str(piece);
        }
        rest = tail;
    }
    text
}
