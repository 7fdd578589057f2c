//! `/etc/fstab` (`config/cc_mounts.py`).

use std::collections::{BTreeSet, HashSet};

use hardtack_userdata::{Finding, Kind, Map, Value};

use crate::action::Action;
use crate::devices::{Devices, is_metadata_name};
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::swap;
use crate::system::{read_text, systemd, try_run, write_guarded};

/// `mounts`.
pub const MODULE: Module = Module {
    name: "mounts",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["device_aliases", "mount_default_fields", "mounts", "swap"],
    run: plan,
};

const PATH: &str = "/etc/fstab";
/// What marks a line as ours; such lines are dropped before ours are written.
const COMMENT: &str = "comment=cloudconfig";

/// A field of a line as Python has it: what is no text breaks the module once the line is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Field {
    Text(String),
    Null,
    /// Something of `mount_default_fields` that is no text, as `str()` writes it.
    Other(String),
}

impl Field {
    fn of(value: &Value) -> Self {
        match &value.kind {
            Kind::Null => Self::Null,
            Kind::Text(text) => Self::Text(text.clone()),
            _ => Self::Other(value.to_python_str()),
        }
    }

    fn shown(&self) -> &str {
        match self {
            Self::Text(text) | Self::Other(text) => text,
            Self::Null => "None",
        }
    }
}

/// A line of the configuration with its place.
struct Line<'a> {
    fields: Vec<Field>,
    from: Option<&'a Value>,
}

/// Lines of the old `/etc/fstab`.
struct Old {
    /// Those that stay.
    kept: Vec<String>,
    /// Their first words.
    devices: BTreeSet<String>,
    /// Those of an earlier instance.
    dropped: Vec<String>,
}

fn parse(text: &str) -> Old {
    let mut old = Old { kept: Vec::new(), devices: BTreeSet::new(), dropped: Vec::new() };
    for line in text.lines() {
        if line.contains(COMMENT) {
            old.dropped.push(line.to_owned());
        } else if let Some(first) = line.split_whitespace().next() {
            old.devices.insert(unescape(first));
            old.kept.push(line.to_owned());
        }
    }
    old
}

fn escape(field: &str) -> String {
    field.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}

fn unescape(field: &str) -> String {
    field.replace("\\012", "\n").replace("\\011", "\t").replace("\\040", " ").replace("\\134", "\\")
}

type Failed = Box<Finding>;

fn plan(request: &Request<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    match lines(request, &mut outcome) {
        Ok(lines) => {
            if let Err(finding) = finish(request, lines, &mut outcome) {
                outcome.findings.push(*finding);
            }
        }
        Err(finding) => outcome.findings.push(*finding),
    }
    outcome
}

fn defaults(request: &Request<'_>) -> (String, Result<Vec<Field>, Failed>) {
    let options = if systemd(request.machine, request.distro) {
        "defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev"
    } else {
        "defaults,nobootwait"
    };
    let fields = match get(request.config, "mount_default_fields") {
        Some(value) => match &value.kind {
            Kind::List(items) => Ok(items.iter().map(Field::of).collect()),
            // Python takes a text for a list of its characters.
            Kind::Text(text) => Ok(text.chars().map(|field| Field::Text(field.to_string())).collect()),
            _ => Err(Box::new(
                reading::wrong(value, "mount_default_fields", "a list of six fields")
                    .with_hint("for example [null, null, auto, \"defaults,nofail\", \"0\", \"2\"]"),
            )),
        },
        None => {
            let text = |text: &str| Field::Text(text.to_owned());
            Ok(vec![Field::Null, Field::Null, text("auto"), text(options), text("0"), text("2")])
        }
    };
    (options.to_owned(), fields)
}

/// The lines of the configuration and those that cloud-init adds by itself, in order.
fn lines<'a>(request: &Request<'a>, outcome: &mut Outcome) -> Result<Vec<Line<'a>>, Failed> {
    let (options, fields) = defaults(request);
    let fields = fields?;
    let old = parse(&read_text(request.machine, PATH).unwrap_or_default());
    let aliases = aliases(request.config)?;
    let devices = Devices { machine: request.machine, facts: request.facts, aliases };
    let known = |name: &str| Ok(devices.resolve(name)?.filter(|device| !old.devices.contains(device)));
    let mut lines = configured(request.config, &fields, &known, outcome)?;
    let unknown_devices = request.facts.devices.is_empty() && request.facts.instance_id.is_none();
    if unknown_devices {
        let waiting: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.fields.first())
            .map(Field::shown)
            .filter(|name| is_metadata_name(name))
            .collect();
        if !waiting.is_empty() {
            outcome.notes.push(format!("which device is {} is known on the cloud only", waiting.join(", ")));
        }
    }
    let text = |text: &str| Field::Text(text.to_owned());
    let own = [
        ["ephemeral0", "/mnt", "auto", options.as_str(), "0", "2"],
        ["swap", "none", "swap", "sw", "0", "0"],
    ];
    let mut added = Vec::new();
    for line in own {
        let Some((name, rest)) = line.split_first() else { continue };
        let Some(device) = known(name)? else { continue };
        if lines.iter().any(|line| line.fields.first() == Some(&Field::Text(device.clone()))) {
            continue;
        }
        let mut fields = vec![Field::Text(device)];
        fields.extend(rest.iter().map(|field| text(field)));
        added.push(Line { fields, from: None });
    }
    lines.extend(added);
    without_absent(lines)
}

fn aliases(config: &Map) -> Result<Option<&Map>, Failed> {
    match get(config, "device_aliases") {
        Some(value) if hardtack_userdata::truth::truthy(value) => match value.as_map() {
            Some(map) => Ok(Some(map)),
            None => Err(Box::new(reading::wrong(value, "device_aliases", "a mapping of names to devices"))),
        },
        _ => Ok(None),
    }
}

/// The rows of `mounts`, with names resolved and short ones filled up.
fn configured<'a>(
    config: &'a Map,
    defaults: &[Field],
    known: &dyn Fn(&str) -> Result<Option<String>, Failed>,
    outcome: &mut Outcome,
) -> Result<Vec<Line<'a>>, Failed> {
    let Some(value) = get(config, "mounts") else { return Ok(Vec::new()) };
    let hint = "write rows like - [/dev/vdb, /data, ext4, \"defaults,nofail\", \"0\", \"2\"]";
    let rows: &[Value] = match &value.kind {
        Kind::List(rows) => rows,
        Kind::Text(_) | Kind::Map(_) | Kind::Set(_) | Kind::Bytes(_) => {
            let message = format!(
                "`mounts` is {}, where a list of rows belongs: nothing is mounted",
                reading::described(value)
            );
            outcome
                .findings
                .push(Finding::warning(reading::SKIPPED, value.place, message).at("mounts").with_hint(hint));
            return Ok(Vec::new());
        }
        _ => return Err(Box::new(reading::wrong(value, "mounts", "a list of rows").with_hint(hint))),
    };
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let path = format!("mounts.{index}");
        let Some(items) = row.as_list() else {
            let message =
                format!("this row of `mounts` is {}, not a list, and is left out", reading::described(row));
            outcome
                .findings
                .push(Finding::warning(reading::SKIPPED, row.place, message).at(path).with_hint(hint));
            continue;
        };
        let Some(first) = items.first() else {
            let message = "this row of `mounts` is empty, and none is written for it";
            return Err(Box::new(
                Finding::error(reading::UNUSABLE, row.place, message).at(path).with_hint(hint),
            ));
        };
        let name = first.to_python_str();
        let mut fields = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let resolved = if at == 0 { known(&name)? } else { None };
            fields.push(match (resolved, &item.kind) {
                (Some(device), _) => Field::Text(device),
                (None, Kind::Null) => match defaults.get(at) {
                    Some(field) => field.clone(),
                    None => {
                        let message = format!("field {} of this row is null, and has no default", at + 1);
                        let finding = Finding::error(reading::UNUSABLE, item.place, message).at(path);
                        return Err(Box::new(finding.with_hint(hint)));
                    }
                },
                (None, _) => Field::Text(item.to_python_str()),
            });
        }
        fields.extend(defaults.get(fields.len()..).unwrap_or_default().iter().cloned());
        lines.push(Line { fields, from: Some(row) });
    }
    Ok(lines)
}

/// Leaves out rows without a mount point, and those before them of the same device.
fn without_absent(lines: Vec<Line<'_>>) -> Result<Vec<Line<'_>>, Failed> {
    let mut absent: HashSet<Field> = HashSet::new();
    let mut kept = Vec::new();
    for line in lines.into_iter().rev() {
        let (Some(first), Some(second)) = (line.fields.first(), line.fields.get(1)) else {
            return Err(too_short(&line));
        };
        if *second == Field::Null || absent.contains(first) {
            absent.insert(first.clone());
        } else {
            kept.push(line);
        }
    }
    kept.reverse();
    Ok(kept)
}

fn too_short(line: &Line<'_>) -> Failed {
    let place = line.from.map(|row| row.place).unwrap_or_default();
    let message = "a row of `mounts` has fewer fields than /etc/fstab needs, and `mount_default_fields` does not fill it up";
    Box::new(
        Finding::error(reading::UNUSABLE, place, message)
            .at("mounts")
            .with_hint("give `mount_default_fields` six fields, or leave it out"),
    )
}

/// Marks the lines as ours, adds the swap file, and writes everything.
fn finish(request: &Request<'_>, mut lines: Vec<Line<'_>>, outcome: &mut Outcome) -> Result<(), Failed> {
    for line in &mut lines {
        let Some(options) = line.fields.get(3) else { return Err(too_short(line)) };
        let marked = Field::Text(format!("{},{COMMENT}", options.shown()));
        if let Some(options) = line.fields.get_mut(3) {
            *options = marked;
        }
    }
    if let Some(file) = swap::plan(request, outcome) {
        let fields = [file.as_str(), "none", "swap", "sw", "0", "0"];
        lines.push(Line {
            fields: fields.iter().map(|field| Field::Text((*field).to_owned())).collect(),
            from: None,
        });
    }
    if lines.is_empty() {
        return Ok(());
    }
    let mut written = Vec::new();
    let mut directories: indexmap::IndexSet<String> = indexmap::IndexSet::new();
    let mut has_swap = false;
    for line in &lines {
        let mut texts = Vec::new();
        for (at, field) in line.fields.iter().enumerate() {
            match field {
                Field::Text(text) if at < 2 => texts.push(escape(text)),
                Field::Text(text) => texts.push(text.clone()),
                Field::Null | Field::Other(_) => {
                    let message = format!(
                        "field {} of `mount_default_fields` is {}, not text: /etc/fstab is not written",
                        at + 1,
                        field.shown()
                    );
                    let place = reading::place(request.config, "mount_default_fields");
                    let finding =
                        Finding::error(reading::UNUSABLE, place, message).at("mount_default_fields");
                    return Err(Box::new(finding.with_hint("put it in quotes")));
                }
            }
        }
        has_swap |= line.fields.get(2).is_some_and(|kind| kind.shown() == "swap");
        if let Some(Field::Text(directory)) = line.fields.get(1)
            && directory.starts_with('/')
        {
            directories.insert(directory.clone());
        }
        written.push(texts.join("\t"));
    }
    for directory in &directories {
        if !request.machine.exists(directory) {
            outcome.actions.push(Action::Directory { path: directory.clone(), mode: 0o755, owner: None });
        }
    }
    let old = parse(&read_text(request.machine, PATH).unwrap_or_default());
    let mut all = old.kept.clone();
    all.extend(written.iter().cloned());
    outcome.actions.push(write_guarded(PATH, all.join("\n") + "\n"));
    if has_swap {
        outcome.actions.push(try_run(["swapon", "-a"]));
    }
    let plain = |line: &String| line.replace('\t', " ");
    let adds: BTreeSet<String> = written.iter().map(plain).collect();
    let drops: BTreeSet<String> = old.dropped.iter().map(plain).collect();
    let mounted = mounted(request);
    if adds != drops || directories.iter().any(|directory| !mounted.contains(directory)) {
        outcome.actions.push(try_run(["mount", "-a"]));
        if systemd(request.machine, request.distro) {
            outcome.actions.push(try_run(["systemctl", "daemon-reload"]));
        }
    }
    Ok(())
}

/// Where something is mounted now.
fn mounted(request: &Request<'_>) -> BTreeSet<String> {
    read_text(request.machine, "/proc/mounts")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // cloud-init asks for the text that /proc/mounts has, with blanks escaped.
            (words.len() == 6).then(|| words.get(1).map(|word| (*word).to_owned())).flatten()
        })
        .collect()
}
