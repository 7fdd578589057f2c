//! How sshd is started: the unit, its drop-ins, and the variables that its command line names.
//!
//! From systemd.unit(5), systemd.service(5) and systemd.exec(5), and from sshd(8): what `-o` says comes before
//! the configuration's first line, and `-f` names another configuration.

mod section;
#[cfg(test)]
mod tests;

use crate::files::{self, Fault, Files, Kind};
use crate::sshd::{MAIN_FILE, Place};
use section::Service;

/// Where units stand; the first one counts (systemd.unit(5), and systemd-ssh-generator(8)).
const FOLDERS: &[&str] = &[
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// Debian's name and that of all others: the server, then what a socket starts for each connection.
const UNITS: &[[&str; 2]] = &[["ssh.service", "sshd.service"], ["ssh@.service", "sshd@.service"]];

/// Files of variables that units and init scripts read, and the variable.
const DEFAULTS: &[(&str, &str)] = &[
    ("/etc/default/ssh", "SSHD_OPTS"),
    ("/etc/default/sshd", "OPTIONS"),
    ("/etc/sysconfig/sshd", "OPTIONS"),
];

/// A unit, a drop-in or a file of variables is no longer than this.
const LARGEST: u64 = 256 << 10;

/// Drop-ins that are read of one folder, and units of one.
const MOST: usize = 2000;

/// Variables and command lines of a unit: more are nobody's, and a hostile image could have them.
const VARIABLES: usize = 1000;
const COMMANDS: usize = 100;

/// Command lines of sshd on one machine.
const STARTS: usize = 64;

/// One command line of sshd.
#[derive(Clone, Debug)]
pub struct Started {
    /// What `-o`, `-p` and the like say, as lines of a configuration, and where.
    pub options: Vec<(String, Place)>,
    /// The configuration that it reads.
    pub file: String,
    /// Where `-f` names that.
    pub named: Option<Place>,
    /// Why no sshd comes up at all, and in which file.
    pub fault: Option<(String, String)>,
    /// The program that is started in place of sshd, and where.
    pub other: Option<(String, Place)>,
}

impl Started {
    fn usual() -> Self {
        Self { options: Vec::new(), file: MAIN_FILE.to_owned(), named: None, fault: None, other: None }
    }
}

/// Files that decide how sshd is started.
#[must_use]
pub fn decides(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(path, "/etc/default/ssh" | "/etc/default/sshd" | "/etc/sysconfig/sshd")
        || (path.contains("/systemd/system/")
            && (["ssh", "sshd"].iter().any(|stem| {
                let kinds = [".service", "@.service", ".socket"];
                kinds.iter().any(|kind| {
                    name == format!("{stem}{kind}") || path.contains(&format!("/{stem}{kind}.d/"))
                })
            })))
}

/// Those of them that [`started`] does not follow.
#[must_use]
pub fn is_other(path: &str) -> bool {
    decides(path) && (path.contains(".socket") || path.contains("@.service"))
}

/// How the machine's own unit starts sshd; one without a unit starts it as init scripts do.
///
/// # Errors
/// A file cannot be read.
pub fn started<F: Files>(files: &F) -> Result<Started, F::Error> {
    let [server, _] = UNITS else { return Ok(Started::usual()) };
    let units = units(files, server)?;
    let Some(unit) = units.first() else { return by_script(files) };
    Ok(unit_starts(files, unit)?.pop().unwrap_or_else(Started::usual))
}

/// Every command line of sshd that some unit has: the server's, that for one connection of a socket, and
/// those of any other unit that starts sshd.
///
/// # Errors
/// A file cannot be read.
pub fn all<F: Files>(files: &F) -> Result<Vec<Started>, F::Error> {
    let mut found = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for names in UNITS {
        for unit in units(files, names)? {
            found.extend(unit_starts(files, &unit)?);
            seen.extend(unit.names);
        }
    }
    if found.is_empty() {
        found.push(by_script(files)?);
    }
    // Of hundreds of units hardly one names sshd: only those, and what drop-ins change, are looked at.
    let mut others: Vec<(String, String)> = Vec::new();
    let mut changed: Vec<String> = Vec::new();
    for folder in FOLDERS {
        if files.kind(folder)? != Some(Kind::Directory) {
            continue;
        }
        for name in files.names(folder)?.into_iter().take(MOST) {
            if let Some(name) = name.strip_suffix(".d").filter(|name| name.ends_with(".service")) {
                changed.push(name.to_owned());
            } else if name.ends_with(".service") && !seen.contains(&name) {
                others.push((name.clone(), format!("{folder}/{name}")));
                seen.push(name);
            }
        }
    }
    for (name, file) in others {
        let bytes = files::content(files, &file, LARGEST)?;
        if changed.contains(&name) || bytes.windows(4).any(|window| window == b"sshd") {
            // Whatever else it starts is none of our business.
            let unit = Unit { file: Some(file.clone()), names: vec![name] };
            let starts = unit_starts(files, &unit)?;
            found.extend(starts.into_iter().filter(|start| start.fault.is_none() && start.other.is_none()));
            if found.len() > STARTS {
                let what = format!("more than {STARTS} command lines start sshd");
                return Err(Fault { path: file, line: None, what }.into());
            }
        }
    }
    Ok(found)
}

/// A unit without its drop-ins.
struct Unit {
    /// Its file; there may be drop-ins only.
    file: Option<String>,
    /// Its names: an alias is a link to the unit.
    names: Vec<String>,
}

/// The units of the names, two that are one taken together.
fn units<F: Files>(files: &F, names: &[&str; 2]) -> Result<Vec<Unit>, F::Error> {
    let mut found: Vec<Unit> = Vec::new();
    let mut aliases = Vec::new();
    for name in names {
        let Some(file) = first(files, name)? else { continue };
        let target = files.link(&file)?.unwrap_or_default();
        match target.rsplit('/').next() {
            Some(last) if last != *name && names.contains(&last) => aliases.push((*name).to_owned()),
            _ => found.push(Unit { file: Some(file), names: vec![(*name).to_owned()] }),
        }
    }
    // Without the other name's own unit, its drop-ins may count: the link is made when the unit is enabled.
    match &mut found[..] {
        [] => {
            let linked = aliases.first().map(|name| first(files, name)).transpose()?.flatten();
            if let Some(file) = linked {
                found.push(Unit { file: Some(file), names: names.map(str::to_owned).to_vec() });
            }
        }
        [unit] => unit.names = names.map(str::to_owned).to_vec(),
        _ => {}
    }
    Ok(found)
}

fn first<F: Files>(files: &F, unit: &str) -> Result<Option<String>, F::Error> {
    for folder in FOLDERS {
        let path = format!("{folder}/{unit}");
        if files::exists(files, &path)? && files.kind(&path)? != Some(Kind::Directory) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// sshd as init scripts and unknown units start it.
fn by_script<F: Files>(files: &F) -> Result<Started, F::Error> {
    let mut service = Service::default();
    let mut words = Vec::new();
    for (path, variable) in DEFAULTS {
        service.take_variables(files, path)?;
        let place = Place { file: (*path).to_owned(), line: 1 };
        words.extend(service.expand(&format!("${variable}"), &place)?);
        service.variables.clear();
    }
    let mut result = Started::usual();
    take(&words, &mut result);
    Ok(result)
}

/// What the unit starts: the command lines of sshd, or the one that is there in its place. None: nothing of
/// it is known.
fn unit_starts<F: Files>(files: &F, unit: &Unit) -> Result<Vec<Started>, F::Error> {
    let fault = |file: &str, what: &str| {
        Ok(vec![Started { fault: Some((file.to_owned(), what.to_owned())), ..Started::usual() }])
    };
    let mut service = Service::default();
    let changes = drop_ins(files, &unit.names)?;
    let own = unit.file.clone();
    for file in own.iter().chain(&changes) {
        let bytes = files::content(files, file, LARGEST)?;
        if files.link(file)?.as_deref() == Some("/dev/null")
            || (own.as_ref() == Some(file) && bytes.is_empty())
        {
            if own.as_ref() == Some(file) {
                return fault(file, "the unit is masked");
            }
            continue;
        }
        service.read(file, &String::from_utf8_lossy(&bytes));
    }
    for file in std::mem::take(&mut service.files) {
        service.take_variables(files, file.trim_start_matches('-'))?;
    }
    let mut found = Vec::new();
    if service.commands.len() > COMMANDS || service.variables.len() > VARIABLES {
        let path = own.unwrap_or_default();
        let what = format!("more than {COMMANDS} commands or {VARIABLES} variables");
        return Err(Fault { path, line: None, what }.into());
    }
    for (key, command, at) in &service.commands {
        let line = service.expand(command, at)?;
        let Some((program, _)) = line.first() else { continue };
        let program = program.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        let mut start = Started::usual();
        if program.rsplit('/').next() == Some("sshd") {
            take(line.get(1..).unwrap_or_default(), &mut start);
            // `ExecStartPre=/usr/sbin/sshd -t` only looks.
            if key != "ExecStart" && start.fault.is_some() {
                continue;
            }
        } else if key == "ExecStart" {
            start.fault = Some((at.file.clone(), format!("the unit starts {program} in place of sshd")));
            start.other = Some((program.to_owned(), at.clone()));
        } else {
            continue;
        }
        // The command that makes the service comes last.
        let place = if key == "ExecStart" { found.len() } else { 0 };
        found.insert(place, start);
    }
    if let (Some((what, place)), false) = (service.elsewhere.take(), found.is_empty()) {
        let other = Some((format!("sshd with {what}"), place));
        found.insert(0, Started { other, ..Started::usual() });
    }
    let nothing = !service.commands.iter().any(|(key, ..)| key == "ExecStart");
    if let Some(file) = own.filter(|file| nothing && (service.changed || file.starts_with("/etc/"))) {
        // What a distribution ships starts something, in a way that may not be known here.
        return fault(&file, "the unit starts nothing (no ExecStart)");
    }
    Ok(found)
}

/// Options of sshd that have a value (sshd(8)).
const VALUED: &str = "bcCEfghkopu";

/// The options of the command line.
fn take(line: &[(String, Place)], result: &mut Started) {
    let mut rest = line.iter();
    while let Some((word, place)) = rest.next() {
        let Some(letters) = word.strip_prefix('-') else { continue };
        // Letters without a value can stand in front of one with: `-DoUsePAM=no`.
        if let Some(end) = letters.chars().take_while(|c| !VALUED.contains(*c)).find(|c| "tTGV".contains(*c))
        {
            let what = format!("with -{end}, sshd ends at once");
            result.fault = Some((place.file.clone(), what));
        }
        let Some(at) = letters.find(|c| VALUED.contains(c)) else { continue };
        let (Some(letter), Some(inside)) = (letters[at..].chars().next(), letters.get(at + 1..)) else {
            continue;
        };
        let value = if inside.is_empty() {
            rest.next().map(|(word, _)| word.clone()).unwrap_or_default()
        } else {
            inside.to_owned()
        };
        let text = match letter {
            'o' => value.replacen('=', " ", usize::from(!value.contains(char::is_whitespace))),
            'p' => format!("Port {value}"),
            'h' => format!("HostKey {value}"),
            'g' => format!("LoginGraceTime {value}"),
            'f' => {
                result.file = value;
                result.named = Some(place.clone());
                continue;
            }
            _ => continue,
        };
        result.options.push((text, place.clone()));
    }
}

/// In the order of their names; one name counts once.
fn drop_ins<F: Files>(files: &F, units: &[String]) -> Result<Vec<String>, F::Error> {
    let mut found: Vec<(String, String)> = Vec::new();
    // What holds for all services gives way to what holds for one.
    for unit in units.iter().map(String::as_str).chain(["service"]) {
        for folder in FOLDERS {
            let folder = format!("{folder}/{unit}.d");
            if files.kind(&folder)? != Some(Kind::Directory) {
                continue;
            }
            for name in files.names(&folder)?.into_iter().take(MOST) {
                let known = found.iter().any(|(known, _)| *known == name);
                if name.ends_with(".conf") && !known {
                    found.push((name.clone(), format!("{folder}/{name}")));
                }
            }
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
