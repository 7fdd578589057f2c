//! Directories of scripts (`cloudinit/subp.py`: `runparts`), and the entries of `runcmd` and `bootcmd` one by one.
//!
//! * [`split`]: where entries begin and end, and whether each of them stands on its own.
//! * [`entries`]: running them and noting what became of each.

mod entries;
mod split;

use std::io::{ErrorKind, Read};
use std::path::Path;

use hardtack_modules::commands::{RUNCMD_SCRIPT, shellify};
use rustix::fs::{Access, access};

use super::Execution;
use super::run::{self, Ended, Program};
use crate::error::AgentError;
use split::Entry;

/// Handlers of formats that the kernel does not know by itself.
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";

/// Runs every executable file of `directory`, in the order of their names, `prefix` before each. All are run; at
/// the end those that failed make it fail.
pub(super) fn run_parts(cx: &mut Execution<'_>, directory: &str, prefix: &[&str]) -> Result<(), AgentError> {
    let full = cx.host.path(directory);
    let mut names = Vec::new();
    match std::fs::read_dir(&full) {
        Ok(entries) => names.extend(entries.flatten().map(|entry| entry.file_name())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(AgentError::io("read", &full, error)),
    }
    names.sort_unstable();
    let mut attempted = 0;
    let mut failed = Vec::new();
    for name in names {
        let file = full.join(&name);
        let name = name.to_string_lossy().into_owned();
        if !file.is_file() {
            cx.log.info(&format!("{directory}/{name} is not a file: it is not run"));
            continue;
        }
        if access(&file, Access::EXEC_OK).is_err() {
            cx.log.warn(&format!(
                "{directory}/{name} is not run: it is not executable, or its file system is mounted noexec"
            ));
            continue;
        }
        attempted += 1;
        if let Err(error) = one(cx, directory, &name, &file, prefix) {
            cx.log.warn(&error.to_string());
            failed.push(name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(AgentError::text(format!(
        "Runparts: {} failures ({}) in {attempted} attempted commands",
        failed.len(),
        failed.join(",")
    )))
}

fn one(
    cx: &mut Execution<'_>,
    directory: &str,
    name: &str,
    file: &Path,
    prefix: &[&str],
) -> Result<(), AgentError> {
    let shown = format!("{directory}/{name}");
    let path = file.to_string_lossy().into_owned();
    if prefix.is_empty() && shown == RUNCMD_SCRIPT {
        let text = std::fs::read_to_string(file).ok();
        let entries = text.and_then(|text| script_of(cx, "runcmd", &text));
        if let Some(entries) = entries {
            let argv = ["/bin/sh", &path];
            return entries::run(
                cx,
                "runcmd",
                &entries,
                &path,
                &Program { argv: &argv, ..Program::default() },
            );
        }
    }
    let mut argv = prefix.to_vec();
    argv.push(&path);
    let done = if prefix.is_empty() && !has_interpreter(cx, file) {
        Err(AgentError::text(format!("{shown} cannot be run: its first line does not begin with #!")))
    } else {
        run::show(cx.log, &Program { argv: &argv, ..Program::default() })
    };
    cx.record.commands.push(run::command_record(cx.module, shown.clone(), &done));
    succeeded(&shown, done)
}

fn succeeded(name: &str, done: Result<Ended, AgentError>) -> Result<(), AgentError> {
    let ended = done?;
    if ended.status.success() { Ok(()) } else { Err(run::failed(name, &ended)) }
}

/// Whether the kernel can tell what runs `file`. The C library would give it to a shell where it cannot, which
/// cloud-init does not.
fn has_interpreter(cx: &Execution<'_>, file: &Path) -> bool {
    let mut begin = Vec::new();
    if std::fs::File::open(file).and_then(|file| file.take(4).read_to_end(&mut begin)).is_err() {
        return true;
    }
    begin.starts_with(b"#!")
        || begin == b"\x7fELF"
        || cx.host.names(FORMATS).iter().any(|name| !matches!(name.as_str(), "register" | "status"))
}

/// The program of `bootcmd`, entry by entry. False when it is to be run as it is.
pub(super) fn bootcmd(
    cx: &mut Execution<'_>,
    argv: &[String],
    environment: &[(String, String)],
) -> Result<bool, AgentError> {
    let [shell, script] = argv else { return Ok(false) };
    let text = cx.host.read_text(script).ok().flatten();
    let Some(entries) = text.and_then(|text| script_of(cx, "bootcmd", &text)) else { return Ok(false) };
    let script = cx.host.path(script).to_string_lossy().into_owned();
    let argv = [shell.as_str(), &script];
    let program = Program { argv: &argv, environment, ..Program::default() };
    entries::run(cx, "bootcmd", &entries, &script, &program)?;
    Ok(true)
}

/// The entries of the key `name`, if `text` is exactly the script that they make.
fn script_of(cx: &Execution<'_>, name: &str, text: &str) -> Option<Vec<Entry>> {
    let (_, value) = cx.config.iter().find(|(key, _)| key.as_text() == Some(name))?;
    let script = shellify(value, name).ok()?;
    if script != text {
        return None;
    }
    split::entries(value, name)
}

#[cfg(test)]
mod tests;
