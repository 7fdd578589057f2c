//! How sshd is started: the unit, its drop-ins, and the variables that its command line names.
//!
//! From systemd.unit(5), systemd.service(5) and systemd.exec(5), and from sshd(8): what `-o` says comes before
//! the configuration's first line, and `-f` names another configuration.

use crate::files::{self, Files, Kind};
use crate::sshd::{MAIN_FILE, Place};

/// Where units stand; the first one counts.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Debian's name and that of all others.
const UNITS: &[&str] = &["ssh.service", "sshd.service"];

/// A unit, a drop-in or a file of variables is no longer than this.
const LARGEST: u64 = 1 << 20;

/// Drop-ins that are read of one folder.
const MOST: usize = 200;

/// sshd's command line.
#[derive(Debug)]
pub struct Started {
    /// What `-o`, `-p` and the like say, as lines of a configuration, and where.
    pub options: Vec<(String, Place)>,
    /// The configuration that it reads.
    pub file: String,
    /// Why no sshd comes up at all, and in which file.
    pub fault: Option<(String, String)>,
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

/// Those of them that are not followed here.
#[must_use]
pub fn is_other(path: &str) -> bool {
    decides(path) && (path.contains(".socket") || path.contains("@.service"))
}

/// How the unit starts sshd; an image without one starts it somehow.
/// # Errors
/// A file cannot be read.
pub fn started<F: Files>(files: &F) -> Result<Started, F::Error> {
    let mut result = Started { options: Vec::new(), file: MAIN_FILE.to_owned(), fault: None };
    let Some(unit) = find(files)? else { return Ok(result) };
    let mut service = Service::default();
    let changes = drop_ins(files)?;
    // What a distribution ships starts something, in a way that may not be known here.
    let shipped = changes.is_empty() && !unit.starts_with("/etc/");
    for file in std::iter::once(unit.clone()).chain(changes) {
        let link = files.link(&file)?;
        let bytes = files::content(files, &file, LARGEST)?;
        if link.as_deref() == Some("/dev/null") || (file == unit && bytes.is_empty()) {
            if file == unit {
                result.fault = Some((file, "the unit is masked".to_owned()));
                return Ok(result);
            }
            continue;
        }
        service.read(&file, &String::from_utf8_lossy(&bytes));
    }
    let Some((command, at)) = service.commands.last().cloned() else {
        let what = "the unit starts nothing (no ExecStart)";
        result.fault = (!shipped).then(|| (unit, what.to_owned()));
        return Ok(result);
    };
    for file in &service.files {
        let path = file.trim_start_matches('-');
        let bytes = files::content(files, path, LARGEST)?;
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            let line = line.trim();
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) else {
                continue;
            };
            let value = words(value).join(" ");
            service.variables.push((
                name.trim().to_owned(),
                value,
                Place { file: path.to_owned(), line: number + 1 },
            ));
        }
    }
    let line = service.expand(&command, &at);
    let Some((program, _)) = line.first() else { return Ok(result) };
    let program = program.trim_start_matches(['-', '@', ':', '+', '!']);
    if program.rsplit('/').next() != Some("sshd") {
        result.fault = Some((at.file, format!("the unit starts {program} in place of sshd")));
        return Ok(result);
    }
    take(line.get(1..).unwrap_or_default(), &mut result);
    Ok(result)
}

/// The options of the command line.
fn take(line: &[(String, Place)], result: &mut Started) {
    let mut rest = line.iter();
    while let Some((word, place)) = rest.next() {
        let Some(letter) = word.strip_prefix('-').and_then(|word| word.chars().next()) else { continue };
        if "tTGV".contains(letter) {
            let what = format!("with {word}, sshd ends at once");
            result.fault = Some((place.file.clone(), what));
        }
        if !"bcCEfghkopu".contains(letter) {
            continue;
        }
        let inside = word.get(2..).unwrap_or_default();
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
                continue;
            }
            _ => continue,
        };
        result.options.push((text, place.clone()));
    }
}

fn find<F: Files>(files: &F) -> Result<Option<String>, F::Error> {
    for unit in UNITS {
        for folder in FOLDERS {
            let path = format!("{folder}/{unit}");
            if files::exists(files, &path)? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// In the order of their names; one name counts once.
fn drop_ins<F: Files>(files: &F) -> Result<Vec<String>, F::Error> {
    let mut found: Vec<(String, String)> = Vec::new();
    for unit in UNITS {
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

/// What `[Service]` says.
#[derive(Default)]
struct Service {
    commands: Vec<(String, Place)>,
    files: Vec<String>,
    variables: Vec<(String, String, Place)>,
}

impl Service {
    fn read(&mut self, file: &str, text: &str) {
        let mut inside = false;
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let mut line = line.trim().to_owned();
            while line.ends_with('\\') {
                line.pop();
                let Some((_, next)) = lines.next() else { break };
                line.push(' ');
                line.push_str(next.trim());
            }
            if line.starts_with('[') {
                inside = line == "[Service]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside && !line.starts_with(['#', ';']))
            else {
                continue;
            };
            let (value, place) = (value.trim(), Place { file: file.to_owned(), line: number + 1 });
            match key.trim() {
                "ExecStart" if value.is_empty() => self.commands.clear(),
                "ExecStart" => self.commands.push((value.to_owned(), place)),
                "EnvironmentFile" if value.is_empty() => self.files.clear(),
                "EnvironmentFile" => self.files.push(value.to_owned()),
                "Environment" if value.is_empty() => self.variables.clear(),
                "Environment" => {
                    for word in words(value) {
                        if let Some((name, value)) = word.split_once('=') {
                            self.variables.push((name.to_owned(), value.to_owned(), place.clone()));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// `$NAME` becomes the words of its value, `${NAME}` stands for it in one word.
    fn expand(&self, command: &str, at: &Place) -> Vec<(String, Place)> {
        let value = |name: &str| self.variables.iter().rev().find(|(known, ..)| known == name);
        let mut found = Vec::new();
        for word in words(command) {
            let braced = word.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
            if let Some(name) = braced {
                found.extend(value(name).map(|(_, value, place)| (value.clone(), place.clone())));
            } else if let Some(name) = word.strip_prefix('$') {
                let Some((_, value, place)) = value(name) else { continue };
                found.extend(words(value).into_iter().map(|word| (word, place.clone())));
            } else {
                found.push((word, at.clone()));
            }
        }
        found
    }
}

/// Words with quotes around some of them.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut word, mut some, mut quote) = (String::new(), false, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, some) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if some {
                    found.push(std::mem::take(&mut word));
                    some = false;
                }
            }
            (None, c) => {
                word.push(c);
                some = true;
            }
        }
    }
    if some {
        found.push(word);
    }
    found
}
