//! The consoles: who is let in there with what, and where there is a login at all.

use hardtack_guest::{Error, Stage, bootloader};

use super::units::{self, State};
use super::{Factor, Judge, Person};
use crate::boot::first_entry;
use crate::model::WayIn;
use crate::system::{names, text};

/// Terminals that are told.
const MOST: usize = 64;

/// Where systemd's generators stand; the first of a name counts (systemd.generator(7)).
const GENERATORS: &[&str] = &[
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];

/// A login prompt.
struct Terminal {
    /// "tty1", "ttyS0".
    name: String,
    /// Who is logged in there without being asked.
    autologin: Option<String>,
}

pub(super) fn ways(judge: &Judge<'_, '_>, ways: &mut Vec<WayIn>) -> Result<(), Error> {
    let stage = judge.stage;
    let command_line = first_entry(&bootloader::read(stage).unwrap_or_default())
        .map(|entry| entry.options.clone())
        .unwrap_or_default();
    let terminals = terminals(stage, &command_line)?;
    let login = judge.pam.iter().find(|service| service.name == "login").filter(|login| login.open);
    let asking: Vec<&str> = terminals
        .iter()
        .filter(|terminal| terminal.autologin.is_none())
        .map(|terminal| terminal.name.as_str())
        .collect();
    if let Some(login) = login.filter(|_| !asking.is_empty()) {
        for person in &judge.people {
            let Some((factors, note)) = by_hand(judge, person, login.password, login.code) else { continue };
            ways.push(WayIn {
                only: Some(asking.join(" ")),
                note,
                ..WayIn::new("console", &person.user.name, factors)
            });
        }
    }
    for terminal in &terminals {
        let Some(who) = &terminal.autologin else { continue };
        ways.push(WayIn {
            only: Some(terminal.name.clone()),
            ..WayIn::new("console", &format!("{who}, for whoever sits there"), "nothing")
        });
    }
    emergency(judge, &command_line, ways)?;
    if boot_loader_is_open(stage)? {
        let who = "whoever types there";
        ways.push(WayIn {
            note: "GRUB's entries can be edited".to_owned(),
            ..WayIn::new("boot loader", who, "nothing")
        });
    }
    Ok(())
}

/// With what somebody gets through login(1), and what is still to come of it.
fn by_hand(judge: &Judge<'_, '_>, person: &Person, password: bool, code: bool) -> Option<(String, String)> {
    if !judge.account_faults(person).is_empty() {
        return None;
    }
    let mut needs = Vec::new();
    if password {
        needs.push(Factor::Password);
    }
    if code {
        needs.push(Factor::Code);
    }
    // Where nobody must have a password, whoever has one is still asked for it.
    let has_none = person.user.password == "none" && person.account.is_none();
    if needs.is_empty() && !has_none {
        needs.push(Factor::Password);
    }
    let missing = needs
        .iter()
        .any(|need| !(has_none && *need == Factor::Password) && judge.lacks(person, *need, None).is_some());
    if missing {
        return None;
    }
    let words: Vec<&str> = needs
        .iter()
        .filter(|need| !(has_none && **need == Factor::Password))
        .map(|need| need.word())
        .collect();
    let words = if words.is_empty() { "nothing".to_owned() } else { words.join("+") };
    Some((words, judge.to_come(person, &needs)))
}

fn terminals(stage: &Stage<'_>, command_line: &str) -> Result<Vec<Terminal>, Error> {
    let mut found = Vec::new();
    if let Some(names) = of_systemd(stage, command_line)? {
        for (name, unit) in names.into_iter().take(MOST) {
            if units::state(stage, &unit)? != State::Off {
                let lines = units::lines(stage, &unit)?;
                let autologin = units::commands(&lines).into_iter().find_map(autologin);
                found.push(Terminal { name, autologin });
            }
        }
        return Ok(found);
    }
    for file in names_below(stage, "/etc/init", ".conf")? {
        let text = text(stage, &format!("/etc/init/{file}"))?.unwrap_or_default();
        let getty =
            text.lines().map(str::trim).find(|line| line.starts_with("exec") && line.contains("getty"));
        if let Some(line) = getty {
            found.push(Terminal {
                name: file.trim_end_matches(".conf").to_owned(),
                autologin: autologin(line),
            });
        }
    }
    for line in text(stage, "/etc/inittab")?.unwrap_or_default().lines() {
        let fields: Vec<&str> = line.splitn(4, ':').collect();
        let [id, _, action, command] = fields[..] else { continue };
        if !id.starts_with('#') && action != "off" && command.contains("getty") {
            let word = command.split_whitespace().find(|word| word.starts_with("tty"));
            found.push(Terminal { name: word.unwrap_or(id).to_owned(), autologin: autologin(command) });
        }
    }
    found.truncate(MOST);
    Ok(found)
}

fn names_below(stage: &Stage<'_>, folder: &str, end: &str) -> Result<Vec<String>, Error> {
    if stage.stat(folder)?.is_none() {
        return Ok(Vec::new());
    }
    Ok(names(stage, folder)?.into_iter().filter(|name| name.ends_with(end)).collect())
}

/// Terminals and the units that ask there; none where there is no systemd.
fn of_systemd(stage: &Stage<'_>, command_line: &str) -> Result<Option<Vec<(String, String)>>, Error> {
    let mut there = false;
    for path in ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"] {
        there |= stage.stat(path)?.is_some();
    }
    if !there {
        return Ok(None);
    }
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, unit: String| {
        if !found.iter().any(|(known, _)| known == name) {
            found.push((name.to_owned(), unit));
        }
    };
    for unit in units::wanted(stage, "getty.target")? {
        match unit.strip_suffix(".service").and_then(|unit| unit.split_once("getty@")) {
            Some((_, name)) if !name.is_empty() => add(name, unit.clone()),
            _ if unit == "console-getty.service" => add("console", unit.clone()),
            _ => {}
        }
    }
    // systemd-getty-generator(8): a console of the kernel that is a serial line, or a hypervisor's.
    let mut generates = false;
    for folder in GENERATORS {
        let path = format!("{folder}/systemd-getty-generator");
        if stage.lstat(&path)?.is_some() {
            generates = stage.read_link(&path).ok().flatten().is_none_or(|target| target != "/dev/null");
            break;
        }
    }
    for word in command_line.split_whitespace().filter(|_| generates) {
        let Some(console) = word.strip_prefix("console=") else { continue };
        let name = console.split(',').next().unwrap_or_default();
        let is_serial = ["ttyS", "ttyAMA", "ttyUSB", "hvc", "xvc"].iter().any(|kind| name.starts_with(kind));
        if is_serial && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            add(name, format!("serial-getty@{name}.service"));
        }
    }
    // logind starts a getty where somebody switches to (logind.conf(5), NAutoVTs).
    let logind = ["/usr/lib/systemd/systemd-logind", "/lib/systemd/systemd-logind"];
    for path in logind {
        if stage.stat(path)?.is_some() && units::state(stage, "autovt@tty2.service")? == State::On {
            add("tty2-tty6", "autovt@tty2.service".to_owned());
        }
    }
    Ok(Some(found))
}

/// Whom a getty logs in without asking (agetty(8), `--autologin`; mingetty(8)).
fn autologin(command: &str) -> Option<String> {
    let mut words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    words.clone().find(|word| word.contains("getty"))?;
    while let Some(word) = words.next() {
        if let Some(name) = word.strip_prefix("--autologin=") {
            return Some(name.to_owned());
        }
        if word == "--autologin" || word == "-a" {
            return words.next().map(str::to_owned);
        }
    }
    None
}

/// What systemd gives when a boot fails, or the command line asks for it, and shells for debugging.
fn emergency(judge: &Judge<'_, '_>, command_line: &str, ways: &mut Vec<WayIn>) -> Result<(), Error> {
    let stage = judge.stage;
    let mut forced = false;
    let mut there = false;
    for unit in ["emergency.service", "rescue.service"] {
        if units::state(stage, unit)? != State::On {
            continue;
        }
        there = true;
        forced |= units::lines(stage, unit)?
            .iter()
            .any(|line| line.starts_with("Environment") && line.contains("SYSTEMD_SULOGIN_FORCE=1"));
    }
    if let Some(root) = judge.people.iter().find(|person| person.user.uid == 0).filter(|_| there) {
        let with = match root.user.password {
            "set" => Some("password"),
            "none" => Some("nothing"),
            _ => forced.then_some("nothing"),
        };
        if let Some(with) = with {
            let note = "when a boot fails, or the kernel's command line asks for it".to_owned();
            ways.push(WayIn { note, ..WayIn::new("emergency", &root.user.name, with) });
        }
    }
    let asked = command_line.split_whitespace().any(|word| {
        matches!(word.split('=').next(), Some("systemd.debug-shell" | "systemd.debug_shell"))
            && !["=0", "=no", "=false", "=off"].iter().any(|end| word.ends_with(end))
    });
    let unit = "debug-shell.service";
    if units::state(stage, unit)? == State::On && (asked || units::is_wanted(stage, "sysinit.target", unit)?)
    {
        ways.push(WayIn {
            only: Some("tty9".to_owned()),
            ..WayIn::new("console", "root, for whoever sits there (debug-shell.service)", "nothing")
        });
    }
    Ok(())
}

/// Whoever sits at the console can edit what GRUB starts: nothing asks for a superuser's password.
///
/// # Errors
/// The image cannot be read.
pub fn boot_loader_is_open(stage: &Stage<'_>) -> Result<bool, Error> {
    for path in ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub/menu.lst", "/etc/default/grub"] {
        let text = text(stage, path)?.unwrap_or_default();
        if !text.is_empty() {
            return Ok(path.ends_with("default/grub") || !text.contains("superusers"));
        }
    }
    Ok(false)
}
