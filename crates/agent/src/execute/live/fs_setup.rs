//! File systems (`config/cc_disk_setup.py`: `mkfs`, `find_device_node`, `check_fs`).
//!
//! One difference: `mkfs.vfat` gets its label behind `-n`, since it has no `-L` and cloud-init's call fails.

use std::collections::HashMap;

use super::disk_setup::{Disks, is_yes};
use super::{Details, block, program};
use crate::error::AgentError;
use crate::execute::Execution;

/// What is asked for.
pub(super) struct Wanted<'a> {
    kind: Option<&'a str>,
    label: Option<&'a str>,
    partition: &'a str,
    overwrite: bool,
    replace: Option<&'a str>,
    options: Vec<String>,
    command: Option<Vec<String>>,
    /// The command is one line for a shell.
    shell: bool,
}

/// `fs-setup`.
pub(super) fn fs_setup(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    program::only_live(cx.host, "fs_setup")?;
    let device = details.need("device")?;
    let machine = cx.machine;
    let disks = Disks { host: cx.host, has: &|name| machine.program(name).is_some(), loops: false };
    // What fails is told, and the next one is done.
    match make(&disks, device, &Wanted::read(details)) {
        Ok(Made::Done(what)) => cx.log.info(&what),
        Ok(Made::Warning(what)) => cx.log.warn(&what),
        Err(error) => cx.log.warn(&format!("no file system is made on {device}: {error}")),
    }
    Ok(())
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    Done(String),
    Warning(String),
}

/// A detail that is a text, or a list of them.
fn words(text: &str) -> (Vec<String>, bool) {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Array(items)) => {
            let word =
                |item: &serde_json::Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            (items.iter().map(word).collect(), false)
        }
        _ => (vec![text.to_owned()], true),
    }
}

impl<'a> Wanted<'a> {
    pub(super) fn read(details: &Details<'a>) -> Self {
        let given = |name: &str| details.get(name).filter(|text| is_yes(text));
        let options = given("extra_opts").map(words).map_or_else(Vec::new, |(words, line)| {
            if line {
                words.iter().flat_map(|line| line.split_whitespace()).map(str::to_owned).collect()
            } else {
                words
            }
        });
        let command = given("cmd").map(words);
        Self {
            kind: details.get("filesystem"),
            label: details.get("label"),
            partition: details.get("partition").unwrap_or("any"),
            overwrite: given("overwrite").is_some(),
            replace: given("replace_fs"),
            options,
            shell: command.as_ref().is_some_and(|(_, line)| *line),
            command: command.map(|(words, _)| words),
        }
    }
}

/// Where the file system belongs.
enum Place {
    Here(String),
    Stays(Made),
}

pub(super) fn make(disks: &Disks<'_>, device: &str, wanted: &Wanted<'_>) -> Result<Made, AgentError> {
    let device = match place(disks, disks.settled(device)?, wanted)? {
        Place::Here(device) => device,
        Place::Stays(made) => return Ok(made),
    };
    if let Some(command) = &wanted.command {
        return with_command(&device, command, wanted);
    }
    let Some(kind) = wanted.kind.filter(|kind| !kind.is_empty()) else {
        return Err(AgentError::text("neither filesystem nor cmd says what to make"));
    };
    if !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte)) {
        return Err(AgentError::text(format!("{kind:?} is no name of a file system")));
    }
    let Some(maker) =
        [format!("mkfs.{kind}"), format!("mk{kind}")].into_iter().find(|name| (disks.has)(name))
    else {
        return Ok(Made::Warning(format!(
            "no {kind} is made on {device}: the image has no mkfs.{kind}; install what brings it, or take another"
        )));
    };
    let mut argv = vec![maker];
    if let Some(label) = wanted.label.filter(|label| !label.is_empty()) {
        argv.push(if matches!(kind, "vfat" | "fat" | "msdos") { "-n" } else { "-L" }.to_owned());
        argv.push(label.to_owned());
    }
    if wanted.overwrite || disks.kind(&device).as_deref() == Some("disk") {
        argv.extend(force(kind).map(str::to_owned));
    }
    argv.extend(wanted.options.iter().cloned());
    argv.push(device.clone());
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    program::must(&argv, None, program::LONG_PATIENCE)?;
    Ok(Made::Done(format!("{device} has a new {kind}")))
}

/// How a maker is told to do it whatever is there.
fn force(kind: &str) -> Option<&'static str> {
    let kind = kind.to_lowercase();
    match kind.as_str() {
        kind if kind.contains("ext") => Some("-F"),
        "btrfs" | "xfs" | "reiserfs" | "swap" => Some("-f"),
        _ => None,
    }
}

fn place(disks: &Disks<'_>, device: String, wanted: &Wanted<'_>) -> Result<Place, AgentError> {
    let partition = wanted.partition;
    let number = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    if number || partition.is_empty() {
        let device = if number { part(&device, partition) } else { device };
        if number && !block::is_block(disks.host, &device) {
            let text = format!("no file system is made on {device}, which is no block device");
            return Ok(Place::Stays(Made::Warning(text)));
        }
        let found = disks.file_system(&device)?;
        let same = found.label.as_deref() == wanted.label && found.kind.as_deref() == wanted.kind;
        return Ok(if same && !wanted.overwrite {
            Place::Stays(Made::Done(format!("{device} has the file system already")))
        } else {
            Place::Here(device)
        });
    }
    match partition.to_lowercase().as_str() {
        word @ ("auto" | "any") => search(disks, device, wanted, word == "auto"),
        "none" => Ok(Place::Here(device)),
        _ => Ok(Place::Stays(Made::Warning(format!(
            "no file system is made on {device}: partition is {partition:?}; write auto, any, none or a number"
        )))),
    }
}

/// `/dev/vdb1`, `/dev/nvme0n1p1`.
fn part(device: &str, number: &str) -> String {
    let between = if device.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
    format!("{device}{between}{number}")
}

/// The first partition without a file system, unless one with the right one comes before it. `by_label`: the
/// right one has the label, too.
fn search(
    disks: &Disks<'_>,
    device: String,
    wanted: &Wanted<'_>,
    by_label: bool,
) -> Result<Place, AgentError> {
    let mut raw_used = false;
    for node in disks.tree(&device)? {
        let found = disks.file_system(&node.path)?;
        let kind = found.kind.unwrap_or_default();
        if !by_label && wanted.replace == Some(kind.as_str()) {
            return Ok(Place::Here(node.path));
        }
        let label = found.label.as_deref().unwrap_or_default() == wanted.label.unwrap_or_default();
        if wanted.kind == Some(kind.as_str()) && (label || !by_label) {
            return Ok(Place::Stays(Made::Done(format!("{} has the file system already", node.path))));
        }
        match node.kind.as_str() {
            "disk" => raw_used |= !kind.is_empty(),
            "part" if kind.is_empty() => return Ok(Place::Here(node.path)),
            "part" => raw_used = true,
            _ => {}
        }
    }
    Ok(if raw_used {
        Place::Stays(Made::Warning(format!(
            "no file system is made on {device}: nothing on it is free; write overwrite with a partition's number, or replace_fs"
        )))
    } else {
        Place::Here(device)
    })
}

fn with_command(device: &str, command: &[String], wanted: &Wanted<'_>) -> Result<Made, AgentError> {
    let values = HashMap::from([
        ("label", wanted.label.unwrap_or("None")),
        ("filesystem", wanted.kind.unwrap_or("None")),
        ("device", device),
    ]);
    let argv: Vec<String> =
        command.iter().map(|word| filled(word, &values)).collect::<Option<_>>().ok_or_else(|| {
            AgentError::text(
                "cmd has a % that is none of %(label)s, %(filesystem)s and %(device)s; write %% for the sign itself",
            )
        })?;
    let mut argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    if wanted.shell {
        argv.splice(0..0, ["/bin/sh", "-c"]);
    }
    let done = program::ask(&argv, &[], None, program::LONG_PATIENCE)?;
    match done.code {
        Some(0) if wanted.overwrite || !wanted.options.is_empty() => Ok(Made::Warning(format!(
            "the file system of {device} is made by its cmd, and overwrite and extra_opts say nothing to that"
        ))),
        Some(0) => Ok(Made::Done(format!("{device} has what its cmd makes"))),
        // The command is user-data, and stays out of messages.
        _ => Err(AgentError::text(format!("its cmd failed: {}", done.why()))),
    }
}

/// Python's `text % values`.
fn filled(text: &str, values: &HashMap<&str, &str>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        filled.push_str(before);
        rest = if let Some(behind) = behind.strip_prefix('%') {
            filled.push('%');
            behind
        } else {
            let (name, behind) = behind.strip_prefix('(')?.split_once(')')?;
            filled.push_str(values.get(name)?);
            behind.strip_prefix('s')?
        };
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests;
