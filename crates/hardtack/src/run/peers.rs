//! `hardtack customize` and `hardtack sysprep`: command lines of virt-customize and virt-sysprep, carried out as the recipes
//! that they are.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hardtack_recipe::import::{self, Around, ImportError, Imported, LENIENT, Own, Tool};
use hardtack_recipe::model::generalize::TABLE;
use hardtack_recipe::{RealFiles, load_recipe};
use serde_json::json;

use super::written::Written;
use super::{build, plan};
use crate::args::{CustomizeArgs, Format, SupplyArgs, SysprepArgs, TargetArgs};
use crate::error::CliError;
use crate::provenance::Record;
use crate::source::Input;
use crate::{random, supply, talk, target};

const OWN: &[Own] = &[
    Own { name: "output", has_value: true },
    Own { name: "agent", has_value: true },
    Own { name: "plan", has_value: false },
    Own { name: "json", has_value: false },
    Own { name: "force", has_value: false },
    Own { name: "no-provenance", has_value: false },
    Own { name: LENIENT, has_value: false },
];

/// Takes a command line of virt-customize.
pub(crate) fn customize(arguments: &CustomizeArgs) -> Result<u8, CliError> {
    run(Tool::Customize, &arguments.rest)
}

/// Takes a command line of virt-sysprep.
pub(crate) fn sysprep(arguments: &SysprepArgs) -> Result<u8, CliError> {
    run(Tool::Sysprep, &arguments.rest)
}

/// What is imported asks of this machine.
pub(super) fn around<T>(own: &[Own], work: impl FnOnce(&Around<'_>) -> T) -> T {
    work(&Around { files: &RealFiles, default_key: &newest_key, own })
}

pub(super) fn texts(words: &[OsString]) -> Result<Vec<String>, CliError> {
    let text = |word: &OsString| {
        word.to_str()
            .map(str::to_owned)
            .ok_or_else(|| CliError::usage(format!("{}: is not UTF-8 text", word.display())))
    };
    words.iter().map(text).collect()
}

/// What was passed over.
pub(super) fn told(imported: &Imported) {
    for note in &imported.notes {
        talk::note(note);
    }
}

fn run(tool: Tool, rest: &[OsString]) -> Result<u8, CliError> {
    let mut imported =
        around(OWN, |around| import::command_line(tool, &texts(rest)?, around).map_err(CliError::from))?;
    if imported.list_operations {
        return list();
    }
    if !imported.quiet {
        told(&imported);
    }
    let own =
        |name: &str| imported.own.iter().rev().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
    let (output, agent) = (own("output").map(PathBuf::from), own("agent").map(PathBuf::from));
    let (json, force) = (own("json").is_some(), own("force").is_some());
    let dry = imported.dry_run || own("plan").is_some();
    let recorded = output.is_some() && own("no-provenance").is_none() && !dry;
    let (path, format) = image(&imported)?;
    if !imported.has_steps {
        talk::note(&format!("{}: nothing is asked for, and nothing is done", path.display()));
        return Ok(0);
    }
    if let Some(output) = &output {
        target::check_output(output, force || dry, &[(&path, "image")])?;
    }
    let verb = match tool {
        Tool::Customize => "customize",
        Tool::Sysprep => "sysprep",
    };
    let record = recorded.then(|| Record::begin(verb, &path)).transpose()?;
    let made = passwords(&mut imported)?;
    let environment = |name: &str| {
        let password = imported.passwords.iter().find(|password| password.variable == name)?;
        password.value.as_ref().map(|value| value.reveal().to_owned())
    };
    // Relative paths start here, as on every command line.
    let name = Path::new(verb);
    let recipe = load_recipe(name, &imported.recipe, &environment, &RealFiles)?;
    let input = Input::open_in_place(&path)?;
    let found = if input.as_qcow2().is_some() { Format::Qcow2 } else { Format::Raw };
    check_format(&path, format.as_deref(), found)?;
    let image = build::open_image(input, None)?;
    let supply = supply::open(&SupplyArgs::default())?;
    let mut surroundings = build::surroundings(&image, name, agent.as_deref(), false)?;
    surroundings.supply = Some(supply);
    let written = Written::new(name, &[]);
    let (edits, (shown, (changes, ways_in))) =
        build::staged(&image, written, &recipe, &surroundings, |plan, said| {
            *said = said
                .lines()
                .filter_map(|line| of_made(line, &made, dry))
                .map(|line| spoken(&line) + "\n")
                .collect();
            let shown = if dry { plan::shown(plan, json, said)? } else { String::new() };
            Ok((shown, (plan.changes().len(), plan.ways_in().cloned().unwrap_or_default())))
        })
        .map_err(|error| error.rephrased(spoken))?;
    if dry {
        image.rehearse(&edits)?;
        return build::show(&shown);
    }
    let in_place = output.is_none();
    let output = output.unwrap_or_else(|| path.clone());
    let mut result = json!({
        "output": output.display().to_string(),
        "changes": changes,
        "ways_in": ways_in,
    });
    if in_place && edits.is_empty() {
        talk::note(&format!("{}: is as asked for already", path.display()));
    } else {
        let options = TargetArgs { format: Some(found), force: in_place || force, ..TargetArgs::default() };
        let epoch = image.epoch;
        let finished = image.write(&edits, &output, &options)?;
        for unread in &finished.confirmation.unread {
            talk::note(&format!("not read back by a second implementation: {unread}"));
        }
        if let Some(mut record) = record {
            record.bytes("recipe", verb, imported.recipe.as_bytes());
            let (path, digest) = record.write_beside(&output, epoch)?;
            result["provenance"] = path.display().to_string().into();
            result["sha256"] = digest.into();
        }
    }
    let mut out = std::io::stdout().lock();
    let mut tell = || {
        for (user, password) in &made {
            writeln!(out, "password of {user}: {password}")?;
        }
        if json {
            writeln!(out, "{result}")?;
        } else if !imported.quiet {
            writeln!(out, "{}: {} changes", output.display(), changes)?;
            write!(out, "{}", ways_in.to_text())?;
        }
        out.flush()
    };
    tell().map_err(CliError::stream)?;
    Ok(0)
}

/// A note on a password that was made here says so; where nothing is written, nobody is told one.
fn of_made(line: &str, made: &[(String, String)], dry: bool) -> Option<String> {
    let fixed =
        |user: &str| format!("the password of {user} is fixed: the same for every instance of this image");
    let Some((user, _)) = made.iter().find(|(user, _)| line.ends_with(&fixed(user))) else {
        return Some(line.to_owned());
    };
    let now = format!(
        "the password of {user} is made now and told once; all instances of this image have the same"
    );
    (!dry).then(|| line.replace(&fixed(user), &now))
}

/// A recipe's words in those of a command line, which has options and no lines.
fn spoken(text: &str) -> String {
    let mut text = text.replace("`optional: true`", "`--lenient`");
    if let Some((before, (number, after))) =
        text.split_once("recipe line ").and_then(|(before, rest)| Some((before, rest.split_once(": ")?)))
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        text = format!("{before}{after}");
    }
    if let Some((name, rest)) = text.strip_prefix("step ").and_then(|rest| rest.split_once(": ")) {
        text = format!("--{name}: {rest}");
    }
    for name in ["append-line", "delete", "mkdir", "write"] {
        text = text.replace(&format!("step `{name}`"), &format!("`{name}`"));
        text = text.replace(&format!("`{name}`"), &format!("`--{name}`"));
    }
    text.replace("step `", "a recipe's step `")
}

/// The one disk.
fn image(imported: &Imported) -> Result<(PathBuf, Option<String>), CliError> {
    let given: Vec<_> = imported.images.iter().filter(|(path, _)| !path.as_os_str().is_empty()).collect();
    match given[..] {
        [one] => Ok(one.clone()),
        [] => Err(CliError::usage("no image is given").hint("-a FILE names it")),
        _ => {
            Err(CliError::usage("several disks of one guest are not changed together")
                .hint("give one with -a"))
        }
    }
}

fn check_format(path: &Path, given: Option<&str>, found: Format) -> Result<(), CliError> {
    let name = match found {
        Format::Qcow2 => "qcow2",
        Format::Raw => "raw",
    };
    match given {
        Some(given) if given != name => {
            let text = format!("{}: --format says {given}, and it is {name}", path.display());
            Err(CliError::refused(text).hint("leave --format out"))
        }
        _ => Ok(()),
    }
}

/// Makes the passwords that are to be made, and returns them: they are told once.
fn passwords(imported: &mut Imported) -> Result<Vec<(String, String)>, CliError> {
    let mut made = Vec::new();
    for password in imported.passwords.iter_mut().filter(|password| password.value.is_none()) {
        let text = random_password()?;
        made.push((password.user.clone(), text.clone()));
        password.value = Some(hardtack_recipe::Secret::new(text));
    }
    Ok(made)
}

/// Sixteen letters and digits that people can tell apart: 93 bits.
fn random_password() -> Result<String, CliError> {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut text = String::new();
    while text.len() < 16 {
        let mut byte = [0];
        random::fill(&mut byte)
            .map_err(|error| CliError::new(crate::error::LOCAL_IO, format!("no random bytes: {error}")))?;
        // All letters are equally likely.
        let usable = 256 / LETTERS.len() * LETTERS.len();
        if usize::from(byte[0]) < usable {
            text.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
        }
    }
    Ok(text)
}

/// The newest of `~/.ssh/id*.pub` that is no certificate, as ssh-copy-id chooses it.
fn newest_key() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("HOME")?).join(".ssh");
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("id") || !name.ends_with(".pub") || name.ends_with("-cert.pub") {
            continue;
        }
        let Ok(time) = entry.metadata().and_then(|found| found.modified()) else { continue };
        if newest.as_ref().is_none_or(|(best, _)| time > *best) {
            newest = Some((time, entry.path()));
        }
    }
    newest.map(|(_, path)| path)
}

fn list() -> Result<u8, CliError> {
    let mut out = std::io::stdout().lock();
    for operation in TABLE.iter().filter(|operation| operation.peer.is_some()) {
        let mark = match (operation.refused, operation.peer) {
            (Some(_), _) => "-",
            (None, Some(true)) => "*",
            _ => " ",
        };
        writeln!(out, "{} {mark} {}", operation.name, operation.what).map_err(CliError::stream)?;
    }
    writeln!(out, "(*: done by default; -: not done here)").map_err(CliError::stream)?;
    Ok(0)
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        let shown = Self::usage(error.to_string());
        match error.hint {
            Some(hint) => shown.hint(hint),
            None => shown,
        }
    }
}
