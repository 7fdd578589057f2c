//! Units of systemd: what their files come to, as far as ways in need it (systemd.unit(5)).

use hardtack_guest::{Error, FileType, Stage};

use crate::system::{names, text};

/// Where units stand; the first one counts.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system.control",
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Drop-ins that are read of one unit.
const MOST: usize = 200;

/// The condition that never holds: what switches a unit off whose file somebody writes anew.
pub const NEVER: &str = "ConditionPathExists=!/";

/// Whether a unit would do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There is no such unit.
    Missing,
    /// It is masked, or a condition of it never holds.
    Off,
    /// It is there.
    On,
}

/// What becomes of a unit when something wants it.
pub(crate) fn state(stage: &Stage<'_>, name: &str) -> Result<State, Error> {
    let (file, is_masked) = file(stage, name)?;
    if is_masked {
        return Ok(State::Off);
    }
    let never = |line: &String| line.split_whitespace().collect::<String>() == NEVER;
    if drop_ins(stage, name)?.iter().any(never) {
        return Ok(State::Off);
    }
    Ok(if file.is_some() { State::On } else { State::Missing })
}

/// The lines of a unit and its drop-ins, in the order in which they count; none of one that is masked.
pub(crate) fn lines(stage: &Stage<'_>, name: &str) -> Result<Vec<String>, Error> {
    let (file, is_masked) = file(stage, name)?;
    let Some(file) = file.filter(|_| !is_masked) else { return Ok(Vec::new()) };
    let mut lines: Vec<String> =
        text(stage, &file)?.unwrap_or_default().lines().map(|line| line.trim().to_owned()).collect();
    lines.extend(drop_ins(stage, name)?);
    Ok(lines)
}

/// The command lines behind `ExecStart=`; an empty one takes back those before it.
pub(crate) fn commands(lines: &[String]) -> Vec<&str> {
    let mut commands = Vec::new();
    for line in lines {
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == "ExecStart" {
            match value.trim() {
                "" => commands.clear(),
                command => commands.push(command),
            }
        }
    }
    commands
}

/// `getty@tty1.service` and what it is an instance of.
fn candidates(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    if let Some((stem, instance)) = name.split_once('@')
        && let Some((instance, kind)) = instance.rsplit_once('.')
        && !instance.is_empty()
    {
        all.push(format!("{stem}@.{kind}"));
    }
    all
}

/// The file that counts, and whether it is a mask.
fn file(stage: &Stage<'_>, name: &str) -> Result<(Option<String>, bool), Error> {
    for name in candidates(name) {
        for folder in FOLDERS {
            let path = format!("{folder}/{name}");
            let Some(found) = stage.lstat(&path)? else { continue };
            let to_nowhere = found.kind == FileType::Symlink
                && stage.read_link(&path)?.is_some_and(|target| target == "/dev/null");
            let is_empty = found.kind == FileType::Regular && found.size == 0;
            return Ok((Some(path), to_nowhere || is_empty));
        }
    }
    Ok((None, false))
}

fn drop_ins(stage: &Stage<'_>, name: &str) -> Result<Vec<String>, Error> {
    let mut files: Vec<(String, String)> = Vec::new();
    for name in candidates(name) {
        for folder in FOLDERS {
            let folder = format!("{folder}/{name}.d");
            if stage.stat(&folder)?.is_none() {
                continue;
            }
            for file in names(stage, &folder)?.into_iter().filter(|file| file.ends_with(".conf")).take(MOST) {
                // One of the same name that comes first takes the place of the others.
                if !files.iter().any(|(known, _)| *known == file) {
                    files.push((file.clone(), format!("{folder}/{file}")));
                }
            }
        }
    }
    files.sort();
    let mut lines = Vec::new();
    for (_, path) in files.into_iter().take(MOST) {
        let text = text(stage, &path)?.unwrap_or_default();
        lines.extend(text.lines().map(|line| line.trim().to_owned()));
    }
    Ok(lines)
}

/// Whether some target wants the unit.
pub(crate) fn is_wanted(stage: &Stage<'_>, target: &str, name: &str) -> Result<bool, Error> {
    for folder in FOLDERS {
        if stage.lstat(&format!("{folder}/{target}.wants/{name}"))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a target wants, by name.
pub(crate) fn wanted(stage: &Stage<'_>, target: &str) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> = Vec::new();
    for folder in FOLDERS {
        let folder = format!("{folder}/{target}.wants");
        if stage.stat(&folder)?.is_some() {
            all.extend(names(stage, &folder)?);
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}
