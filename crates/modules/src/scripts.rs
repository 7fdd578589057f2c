//! Scripts that are parts of the user-data: where they are kept, and when they run
//! (`cloudinit/handlers/shell_script.py`, `shell_script_by_frequency.py`, `boot_hook.py`;
//! `cloudinit/config/cc_scripts_*.py`; `cloudinit/subp.py`, `runparts`).
//!
//! cloud-init writes them when it takes user-data apart, before all modules, and runs boothooks at
//! that moment: here that is the module [`CONSUME`]. The others are run by their modules in the final
//! stage, each directory in the order of names; one that fails does not keep the next from running.

use hardtack_userdata::{Finding, Kind, Part, PartKind};

use crate::action::{Action, Content};
use crate::commands::instance_id;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{UNUSABLE, described, get};

/// Name of what happens before all modules.
pub const CONSUME: &str = "consume_data";

const INSTANCE: &str = "/var/lib/cloud/instance";
const SCRIPTS: &str = "/var/lib/cloud/scripts";

/// What happens before all modules.
pub const CONSUMER: Module =
    Module { name: CONSUME, stage: Stage::Network, frequency: Frequency::Always, keys: &[], run: consume };

/// `scripts_user`.
pub const USER: Module = Module {
    name: "scripts_user",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &["runcmd"],
    run: user,
};

/// `scripts_per_boot`.
pub const PER_BOOT: Module = Module {
    name: "scripts_per_boot",
    stage: Stage::Final,
    frequency: Frequency::Always,
    keys: &[],
    run: per_boot,
};

/// `scripts_per_instance`.
pub const PER_INSTANCE: Module = Module {
    name: "scripts_per_instance",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &[],
    run: per_instance,
};

/// `scripts_per_once`.
pub const PER_ONCE: Module = Module {
    name: "scripts_per_once",
    stage: Stage::Final,
    frequency: Frequency::Once,
    keys: &[],
    run: per_once,
};

/// `scripts_vendor`.
pub const VENDOR: Module = Module {
    name: "scripts_vendor",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &["vendor_data"],
    run: vendor,
};

/// Writes the scripts among the parts, and runs boothooks, in the order of the parts.
#[must_use]
pub fn consume(request: &Request<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for part in request.parts {
        let Some((path, text)) = script(part) else { continue };
        let text = match text {
            Ok(text) => text,
            Err(finding) => {
                outcome.findings.push(finding);
                continue;
            }
        };
        outcome.actions.push(Action::Write {
            path: path.clone(),
            content: Content::open(text),
            mode: Some(0o700),
            owner: None,
        });
        if part.kind == PartKind::Boothook {
            outcome.actions.push(Action::Run {
                argv: vec![path],
                stdin: None,
                environment: instance_id(request),
                optional: true,
            });
        }
    }
    outcome
}

/// Path and text of a part that is a script.
fn script(part: &Part) -> Option<(String, Result<Vec<u8>, Finding>)> {
    let directory = match part.kind {
        PartKind::Script => format!("{INSTANCE}/scripts"),
        PartKind::Boothook => format!("{INSTANCE}/boothooks"),
        PartKind::ScriptPerBoot => format!("{SCRIPTS}/per-boot"),
        PartKind::ScriptPerInstance => format!("{SCRIPTS}/per-instance"),
        PartKind::ScriptPerOnce => format!("{SCRIPTS}/per-once"),
        _ => return None,
    };
    // Only these take the last name of a path.
    let by_frequency = !matches!(part.kind, PartKind::Script | PartKind::Boothook);
    let name = match part.filename.rsplit_once('/') {
        Some((_, name)) if by_frequency => name,
        _ => part.filename.as_str(),
    };
    let text = unix_lines(&part.payload);
    let text = if part.kind == PartKind::Boothook {
        let text = text.strip_prefix(b"#cloud-boothook".as_slice()).unwrap_or(&text);
        text.trim_ascii_start().to_vec()
    } else {
        text
    };
    let name = clean_name(name);
    if matches!(name.as_str(), "" | "." | "..") {
        let finding = Finding::error(
            "no-file-name",
            hardtack_userdata::Place::default(),
            format!("no file can be called {:?}: the script of that part is not run", part.filename),
        )
        .with_hint("use letters, digits and `_-.()` in the part's file name");
        return Some((directory, Err(finding)));
    }
    Some((format!("{directory}/{name}"), Ok(text)))
}

/// `util.clean_filename`.
#[must_use]
pub fn clean_name(name: &str) -> String {
    name.replace('/', "_")
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || "_-.()".contains(*character))
        .collect()
}

/// `util.dos2unix`: all lines, if the first one ends as in DOS.
#[must_use]
pub fn unix_lines(text: &[u8]) -> Vec<u8> {
    let first = text.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let dos = first > 0 && first.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'\r');
    if !dos {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte != b'\r' || bytes.peek() != Some(&&b'\n') {
            out.push(*byte);
        }
    }
    out
}

/// The module `scripts_user`: scripts of the user-data and `runcmd`.
#[must_use]
pub fn user(request: &Request<'_>) -> Outcome {
    let mut names = names_of(request, PartKind::Script);
    if get(request.config, "runcmd").is_some_and(|value| crate::commands::shellify(value, "runcmd").is_ok()) {
        names.push("runcmd".to_owned());
    }
    run_parts(request, &format!("{INSTANCE}/scripts"), names, &[])
}

/// The module `scripts_per_boot`.
#[must_use]
pub fn per_boot(request: &Request<'_>) -> Outcome {
    let names = names_of(request, PartKind::ScriptPerBoot);
    run_parts(request, &format!("{SCRIPTS}/per-boot"), names, &[])
}

/// The module `scripts_per_instance`.
#[must_use]
pub fn per_instance(request: &Request<'_>) -> Outcome {
    let names = names_of(request, PartKind::ScriptPerInstance);
    run_parts(request, &format!("{SCRIPTS}/per-instance"), names, &[])
}

/// The module `scripts_per_once`.
#[must_use]
pub fn per_once(request: &Request<'_>) -> Outcome {
    let names = names_of(request, PartKind::ScriptPerOnce);
    run_parts(request, &format!("{SCRIPTS}/per-once"), names, &[])
}

/// The module `scripts_vendor`: scripts of the vendor-data, with `vendor_data.prefix` before each.
#[must_use]
pub fn vendor(request: &Request<'_>) -> Outcome {
    let prefix = match get(request.config, "vendor_data").and_then(|value| value.get("prefix")) {
        None => Vec::new(),
        Some(value) => match &value.kind {
            Kind::Null => Vec::new(),
            Kind::Text(text) => vec![text.clone()],
            Kind::List(items) => items.iter().map(hardtack_userdata::Value::to_python_str).collect(),
            _ => {
                let message = format!("`vendor_data.prefix` is {}, not text or a list", described(value));
                let finding = Finding::error(UNUSABLE, value.place, message).at("vendor_data.prefix");
                return Outcome::failed(finding);
            }
        },
    };
    run_parts(request, &format!("{INSTANCE}/scripts/vendor"), Vec::new(), &prefix)
}

fn names_of(request: &Request<'_>, kind: PartKind) -> Vec<String> {
    let parts = request.parts.iter().filter(|part| part.kind == kind);
    parts.filter_map(|part| Some(script(part)?.0.rsplit_once('/')?.1.to_owned())).collect()
}

/// Runs the programs of `directory` in the order of their names. `names` are those that this run has
/// put there, beside what the machine has.
fn run_parts(request: &Request<'_>, directory: &str, names: Vec<String>, prefix: &[String]) -> Outcome {
    let mut names = names;
    let is_there = |name: &String| request.machine.list(&format!("{directory}/{name}")).is_empty();
    names.extend(request.machine.list(directory).into_iter().filter(is_there));
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Outcome::default();
    }
    let mut details = vec![("directory".to_owned(), directory.to_owned())];
    details.extend(prefix.iter().map(|word| ("prefix".to_owned(), word.clone())));
    Outcome {
        actions: vec![Action::Live { what: "run-parts", details }],
        notes: vec![format!("in this order: {}", names.join(", "))],
        ..Outcome::default()
    }
}
