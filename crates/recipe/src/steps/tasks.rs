//! What needs the guest to run, left for the first boot: [`stage`] is for the steps that have such work.
//!
//! A task is an entry of the agent's configuration and, for a script or a command, a file in
//! [`TASKS`] that only root can read. The agent runs it once and keeps beside it what became of it
//! (`NAME.json`). An image that was booted has that, too: a task that is another one now than then
//! loses it and runs again; one that is the same does not. Tasks of other recipes stay.

use hardtack_credentials::agent_config::TASKS;
use hardtack_credentials::{AgentConfig, Task, TaskKind};
use hardtack_guest::{FileType, Set};

use crate::steps::agent::{STATE, known};
use crate::{Context, StepError};

#[cfg(test)]
mod tests;

/// More is no list that anybody wrote, and the names have four digits.
const MOST: usize = 9999;
/// Characters of a name that are kept.
const NAME: usize = 60;
/// What one script may weigh. Data belongs into files of its own.
const LARGEST: usize = 16 << 20;

/// What a task does.
#[derive(Clone, Copy, Debug)]
pub enum Work<'a> {
    /// A program with its own first line (`#!`).
    Script(&'a [u8]),
    /// Lines for /bin/sh.
    Command(&'a str),
    /// The image's package manager installs these.
    Install(&'a [String]),
    /// The image's package manager removes these.
    Uninstall(&'a [String]),
    /// The image's package manager brings everything up to date.
    Update,
}

/// A task as a step describes it.
#[derive(Clone, Copy, Debug)]
pub struct NewTask<'a> {
    /// The step that has it, for messages: `firstboot`.
    pub step: &'static str,
    /// What people call it: a script's file name. Consoles and plans show it, so it must hold nothing
    /// secret; the text of a command is no name. Empty: the kind of work.
    pub name: &'a str,
    /// What it does.
    pub work: Work<'a>,
    /// When it fails, those after it do not run (`on_failure: stop`).
    pub stop: bool,
    /// One that failed or was interrupted runs again at the next boot.
    pub retry: bool,
}

/// Leaves a task for the first boot, after those that are there already. The agent step, which the
/// tasks bring with them, writes the configuration.
///
/// # Errors
/// A script that no kernel starts, a name that is no package's, too many tasks.
pub fn stage(cx: &mut Context<'_, '_>, task: &NewTask<'_>) -> Result<(), StepError> {
    let known = known(cx.stage)?.unwrap_or_default();
    let index = place(&known, cx);
    if index > MOST {
        return Err(StepError::usage(task.step, format!("more than {MOST} tasks for the first boot")));
    }
    let (kind, packages, program) = match task.work {
        Work::Script(bytes) => (TaskKind::Script, &[][..], Some(bytes.to_vec())),
        Work::Command(text) => (TaskKind::Command, &[][..], Some(command(task.step, text)?)),
        Work::Install(names) => (TaskKind::Install, names, None),
        Work::Uninstall(names) => (TaskKind::Uninstall, names, None),
        Work::Update => (TaskKind::Update, &[][..], None),
    };
    if matches!(kind, TaskKind::Install | TaskKind::Uninstall) {
        check_names(task.step, packages)?;
    }
    let new = Task {
        name: format!("{index:04}-{}", plain_name(task.name, kind)),
        of: cx.facts.recipe_name.clone(),
        kind,
        packages: packages.to_vec(),
        stop: task.stop,
        retry: task.retry,
    };
    let path = format!("{TASKS}/{}", new.name);
    let mut changed = !known.tasks.contains(&new);
    cx.stage.mkdir(STATE, Set::all(0o700, 0, 0))?;
    // What else an image may have by that name: nothing is written through a link of its.
    not_other_than(cx, TASKS, FileType::Directory)?;
    cx.stage.mkdir(TASKS, Set::all(0o700, 0, 0))?;
    if let Some(bytes) = program {
        if kind == TaskKind::Script {
            check_script(cx, task, &bytes)?;
        }
        not_other_than(cx, &path, FileType::Regular)?;
        changed |= match cx.stage.stat(&path)? {
            Some(known) if known.size == bytes.len() as u64 => {
                cx.stage.read_limited(&path, LARGEST as u64)?.as_deref() != Some(&bytes[..])
            }
            known => known.is_some(),
        };
        cx.stage.write(&path, bytes, Set::all(0o700, 0, 0))?;
        // Who builds must see what will run, and a recipe's secrets are told apart line by line.
        cx.stage.show_content(&path)?;
    }
    if changed {
        cx.stage.remove(&format!("{path}.json"))?;
    }
    let what = match packages {
        [] => String::new(),
        names => format!(": {}", names.join(", ")),
    };
    cx.info(task.step, format!("at first boot: {} {}{what}", kind.name(), new.name));
    cx.agent.tasks.push(new);
    cx.agent.tasks.sort_by_key(number);
    Ok(())
}

/// The number of a recipe's next task: the one that it had in the last build, so that it does not run again, else one
/// behind all others.
fn place(known: &AgentConfig, cx: &Context<'_, '_>) -> usize {
    let own = |task: &&Task| task.of == cx.facts.recipe_name;
    let so_far = cx.agent.tasks.iter().filter(own).count();
    let before = known.tasks.iter().filter(own).map(number).nth(so_far);
    let is_free = |index: &usize| *index > 0 && cx.agent.tasks.iter().all(|task| number(task) != *index);
    before.filter(is_free).unwrap_or_else(|| {
        known.tasks.iter().chain(&cx.agent.tasks).map(number).max().unwrap_or_default() + 1
    })
}

/// The number that a task's name begins with.
fn number(task: &Task) -> usize {
    task.name.split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// Takes away what an earlier build or its boot has left of tasks that are no more. Called when
/// every step has left its own.
pub(super) fn finish(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    if cx.stage.lstat(TASKS)?.is_none() {
        return Ok(());
    }
    if cx.agent.tasks.is_empty() {
        return Ok(cx.stage.remove(TASKS)?);
    }
    for entry in cx.stage.list(TASKS)? {
        let name = entry.name;
        let own = |task: &Task| {
            (task.kind.is_program() && task.name == name)
                || name.strip_suffix(".json").is_some_and(|name| task.name == name)
        };
        if !cx.agent.tasks.iter().any(own) {
            cx.stage.remove(&format!("{TASKS}/{name}"))?;
        }
    }
    Ok(())
}

/// Removes what is at `path` unless it is what it should be.
fn not_other_than(cx: &mut Context<'_, '_>, path: &str, kind: FileType) -> Result<(), StepError> {
    if cx.stage.lstat(path)?.is_some_and(|known| known.kind != kind) {
        cx.stage.remove(path)?;
    }
    Ok(())
}

fn command(step: &'static str, text: &str) -> Result<Vec<u8>, StepError> {
    if text.trim().is_empty() {
        return Err(StepError::usage(step, "the command for the first boot is empty"));
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Ok(format!("#!/bin/sh\n{text}{end}").into_bytes())
}

/// A script that cannot start is known now, and need not wait for the boot.
fn check_script(cx: &mut Context<'_, '_>, task: &NewTask<'_>, bytes: &[u8]) -> Result<(), StepError> {
    let name = if task.name.is_empty() { "the script" } else { task.name };
    if bytes.is_empty() || bytes.len() > LARGEST {
        let what =
            if bytes.is_empty() { "is empty".to_owned() } else { format!("has {} bytes", bytes.len()) };
        return Err(StepError::usage(task.step, format!("{name} {what}: no script for the first boot"))
            .hint("data goes into the image by `copy-in` or `upload`"));
    }
    let Some(line) = bytes.strip_prefix(b"#!") else {
        if !bytes.starts_with(b"\x7fELF") {
            cx.warn(task.step, format!("{name} does not begin with #!: /bin/sh runs it"));
        }
        return Ok(());
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Err(StepError::usage(task.step, format!("{name}:1: the line ends as on Windows (CR LF)"))
            .hint("no kernel finds the interpreter then; save the file with LF"));
    }
    let line = String::from_utf8_lossy(line);
    if let Some(interpreter) = line.split_whitespace().next()
        && cx.stage.stat(interpreter)?.is_none()
    {
        cx.warn(
            task.step,
            format!(
                "{name}:1: the image has no {interpreter}; something must bring it before the first boot"
            ),
        );
    }
    Ok(())
}

/// Names reach a package manager as arguments: none may be an option, or anything but a name.
fn check_names(step: &'static str, names: &[String]) -> Result<(), StepError> {
    if names.is_empty() {
        return Err(StepError::usage(step, "no package is named"));
    }
    let fits = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '@' | '_'))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._:/@=~^<>*".contains(&byte))
    };
    match names.iter().find(|name| !fits(name)) {
        None => Ok(()),
        Some(name) => Err(StepError::usage(step, format!("{name:?} is not the name of a package"))
            .hint("letters, digits and + - . _ : = ~ / @; a letter or digit first")),
    }
}

/// The name as a file's.
fn plain_name(name: &str, kind: TaskKind) -> String {
    let name = name.rsplit('/').next().unwrap_or_default();
    let plain: String = name
        .chars()
        .take(NAME)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .collect();
    // `x.json` would be where the outcome of `x` is kept.
    let plain = plain.strip_suffix(".json").map_or(plain.clone(), |stem| format!("{stem}_json"));
    if plain.is_empty() { kind.name().to_owned() } else { plain }
}
