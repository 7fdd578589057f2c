//! `cloud-init status` (`cloudinit/cmd/status.py`): whether the boot's work is done, what failed, and the exit
//! statuses that scripts act on: 0 for done, 1 for an error, 2 for done with warnings.

use std::io::Write;
use std::thread;
use std::time::Duration;

use hardtack_modules::system::rfc2822;
use hardtack_userdata::{Kind, Value, yaml_out};
use serde_json::{Map, Value as Json, json};

use super::arguments::{Opt, Takes, flag};
use super::{World, Wrong, arguments};
use crate::host::Host;
use crate::instance::RUN;
use crate::python_json::dumps;

pub(super) const HELP: &str = "\
usage: cloud-init status [-h] [--format {json,tabular,yaml}] [-l] [-w]

Tell how far cloud-init's work on this boot is.

  --format {json,tabular,yaml}  how it is written (tabular)
  -l, --long                    tell stages, errors and warnings, too
  -w, --wait                    come back when it is done

Exit status: 0 done or not begun, 1 failed, 2 done with warnings.
";

const OPTIONS: [Opt; 3] = [
    Opt { long: "format", short: None, takes: Takes::One(&["json", "tabular", "yaml"]) },
    flag("long", Some('l')),
    flag("wait", Some('w')),
];

/// Somebody switched cloud-init off for good.
const DISABLED: &str = "/etc/cloud/cloud-init.disabled";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    NotStarted,
    AtWork,
    Done,
    Disabled,
}

impl Running {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::AtWork => "running",
            Self::Done => "done",
            Self::Disabled => "disabled",
        }
    }
}

/// How well it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Healthy,
    Degraded,
    Error,
}

/// Everything that is told.
pub(super) struct Details {
    pub(super) running: Running,
    condition: Condition,
    boot_status_code: &'static str,
    description: String,
    errors: Vec<Json>,
    /// By level, in the order in which the stages tell them.
    recoverable: Vec<(String, Vec<Json>)>,
    last_update: String,
    datasource: Json,
    v1: Map<String, Json>,
}

pub(super) fn run(world: &World<'_>, arguments: &[String], out: &mut dyn Write) -> Result<u8, Wrong> {
    let given = arguments::parse(&OPTIONS, 0, arguments).map_err(Wrong::Call)?;
    let format = given.get("format").unwrap_or("tabular");
    let mut details = details(world).map_err(Wrong::Machine)?;
    if given.has("wait") {
        while matches!(details.running, Running::NotStarted | Running::AtWork) {
            if format == "tabular" {
                let _ = out.write_all(b".").and_then(|()| out.flush());
            }
            details = self::details(world).map_err(Wrong::Machine)?;
            thread::sleep(PAUSE);
        }
    }
    let text = match format {
        "json" => dumps(&details.json(), 2) + "\n",
        "yaml" => yaml(&details.json()) + "\n",
        _ => details.tabular(given.has("long")),
    };
    let _ = out.write_all(text.as_bytes());
    Ok(match details.condition {
        Condition::Healthy => 0,
        Condition::Error => 1,
        Condition::Degraded => 2,
    })
}

impl Details {
    /// The word for all, and the longer one.
    fn words(&self) -> (&'static str, String) {
        let running = self.running.word();
        match (self.condition, self.running) {
            (Condition::Error, _) => ("error", format!("error - {running}")),
            (Condition::Degraded, Running::Done | Running::AtWork) => {
                (running, format!("degraded {running}"))
            }
            _ => (running, running.to_owned()),
        }
    }

    fn json(&self) -> Json {
        let (status, extended) = self.words();
        let mut all = Map::new();
        for (name, value) in [
            ("datasource", self.datasource.clone()),
            ("boot_status_code", self.boot_status_code.into()),
            ("status", status.into()),
            ("extended_status", extended.into()),
            ("detail", self.description.as_str().into()),
            ("errors", json!(self.errors)),
            ("recoverable_errors", self.recoverable.iter().cloned().collect::<Json>()),
            ("last_update", self.last_update.as_str().into()),
        ] {
            all.insert(name.to_owned(), value);
        }
        all.extend(self.v1.clone());
        Json::Object(all)
    }

    fn tabular(&self, long: bool) -> String {
        let (status, extended) = self.words();
        let mut text = format!("status: {status}\n");
        if !long {
            return text;
        }
        text.push_str(&format!("extended_status: {extended}\nboot_status_code: {}\n", self.boot_status_code));
        if !self.last_update.is_empty() {
            text.push_str(&format!("last_update: {}\n", self.last_update));
        }
        text.push_str(&format!("detail: {}\nerrors:", self.description));
        if self.errors.is_empty() {
            text.push_str(" []");
        }
        for error in &self.errors {
            text.push_str(&format!("\n\t- {}", shown(error)));
        }
        text.push_str("\nrecoverable_errors:");
        if self.recoverable.is_empty() {
            text.push_str(" {}");
        }
        for (level, messages) in &self.recoverable {
            text.push_str(&format!("\n{level}:"));
            if messages.is_empty() {
                text.push_str("\n\t- ");
            }
            for message in messages {
                text.push_str(&format!("\n\t- {}", shown(message).replace('\n', " ")));
            }
        }
        text + "\n"
    }
}

fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What is known now.
pub(super) fn details(world: &World<'_>) -> Result<Details, String> {
    let host = world.host;
    let (code, why) = enabled(world);
    let path = format!("{RUN}/status.json");
    let mut v1 = Map::new();
    let is_there = host.exists(&path);
    if is_there {
        let status: Option<Json> =
            host.read(&path).ok().flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(Json::Object(mut status)) = status else {
            return Err(format!("{path} is no JSON object: another boot makes it anew"));
        };
        v1 = match status.remove("v1") {
            None => Map::new(),
            Some(Json::Object(v1)) => v1,
            Some(_) => return Err(format!("{path}: `v1` is no JSON object: another boot makes it anew")),
        };
    }
    let latest = latest(&v1);
    let (mut errors, recoverable) = errors(&v1);
    let mut condition = match (errors.is_empty(), recoverable.is_empty()) {
        (false, _) => Condition::Error,
        (true, false) => Condition::Degraded,
        (true, true) => Condition::Healthy,
    };
    let mut description = match v1.get("datasource").and_then(Json::as_str).filter(|name| !name.is_empty()) {
        Some(datasource) => datasource.to_owned(),
        None => match v1.get("stage").and_then(Json::as_str).filter(|stage| !stage.is_empty()) {
            Some(stage) => format!("Running in stage: {stage}"),
            None => why,
        },
    };
    let mut running = if code.starts_with("disabled") {
        Running::Disabled
    } else if is_there && !host.exists(&format!("{RUN}/result.json")) {
        Running::AtWork
    } else if latest > 0.0 {
        Running::Done
    } else {
        Running::NotStarted
    };
    if running == Running::AtWork && systemd(host) && unit_failed(world) {
        running = Running::Done;
        condition = Condition::Error;
        "Failed due to systemd unit failure".clone_into(&mut description);
        errors.push(
            "Failed due to systemd unit failure. Ensure all cloud-init services are enabled, and check \
             'systemctl' or 'journalctl' for more information."
                .into(),
        );
    }
    let datasource = match v1.remove("datasource") {
        None => "".into(),
        Some(Json::String(name)) => {
            let first = name.split(' ').next().unwrap_or_default();
            first.to_lowercase().replace("datasource", "").into()
        }
        Some(other) => other,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let last_update = if latest > 0.0 { rfc2822(latest as u64) } else { String::new() };
    Ok(Details {
        running,
        condition,
        boot_status_code: code,
        description,
        errors,
        recoverable,
        last_update,
        datasource,
        v1,
    })
}

/// Whether cloud-init is to run on this boot: a word for programs, and a sentence.
fn enabled(world: &World<'_>) -> (&'static str, String) {
    let host = world.host;
    let line = host.first_line("/proc/cmdline").unwrap_or_default();
    let says = |wanted: &str| line.split_whitespace().any(|word| word == wanted);
    let (code, why) = if !systemd(host) {
        ("enabled-by-sysvinit", "Cloud-init enabled on sysvinit")
    } else if says("cloud-init=enabled") {
        ("enabled-by-kernel-command-line", "Cloud-init enabled by kernel command line cloud-init=enabled")
    } else if host.exists(DISABLED) {
        return ("disabled-by-marker-file", format!("Cloud-init disabled by {DISABLED}"));
    } else if says("cloud-init=disabled") {
        ("disabled-by-kernel-command-line", "Cloud-init disabled by kernel parameter cloud-init=disabled")
    } else if world.environment.contains("cloud-init=disabled")
        || (world.systemctl)(&["show-environment"]).is_some_and(|text| text.contains("cloud-init=disabled"))
    {
        (
            "disabled-by-environment-variable",
            "Cloud-init disabled by environment variable KERNEL_CMDLINE=cloud-init=disabled",
        )
    } else if host.exists(&format!("{RUN}/disabled")) {
        ("disabled-by-generator", "Cloud-init disabled by cloud-init-generator")
    } else if host.exists(&format!("{RUN}/enabled")) {
        ("enabled-by-generator", "Cloud-init enabled by systemd cloud-init-generator")
    } else {
        ("unknown", "Systemd generator may not have run yet.")
    };
    (code, why.to_owned())
}

/// Whether systemd is what runs the machine.
fn systemd(host: &Host) -> bool {
    host.path("/run/systemd/system").symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// When something was last noted, by the clock that the file has.
fn latest(v1: &Map<String, Json>) -> f64 {
    let times = v1.values().filter_map(Json::as_object).flat_map(|stage| {
        ["start", "finished"].into_iter().filter_map(|name| stage.get(name).and_then(Json::as_f64))
    });
    times.fold(0.0, f64::max)
}

/// Errors of all stages, and warnings by their levels.
fn errors(v1: &Map<String, Json>) -> (Vec<Json>, Vec<(String, Vec<Json>)>) {
    let mut errors = Vec::new();
    let mut recoverable: Vec<(String, Vec<Json>)> = Vec::new();
    // serde_json's maps are sorted, as `get_errors` sorts.
    for stage in v1.values().filter_map(Json::as_object) {
        errors.extend(stage.get("errors").and_then(Json::as_array).into_iter().flatten().cloned());
        let levels = stage.get("recoverable_errors").and_then(Json::as_object).into_iter().flatten();
        for (level, messages) in levels {
            let messages = messages.as_array().cloned().unwrap_or_default();
            match recoverable.iter_mut().find(|(known, _)| known == level) {
                Some((_, known)) => known.extend(messages),
                None => recoverable.push((level.clone(), messages)),
            }
        }
    }
    (errors, recoverable)
}

/// Whether one of the units has failed or was taken out, so that nothing more will come.
fn unit_failed(world: &World<'_>) -> bool {
    for unit in [
        "cloud-final.service",
        "cloud-config.service",
        "cloud-init-network.service",
        "cloud-init-local.service",
        "cloud-init-main.service",
    ] {
        let asked = ["show", "--property=ActiveState,UnitFileState,SubState,MainPID", unit];
        // Without an answer nothing is known, and that is no failure.
        let Some(text) = (world.systemctl)(&asked) else { return false };
        let get = |name: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.find(|(key, _)| key.trim() == name).map_or("", |(_, value)| value.trim())
        };
        if !get("UnitFileState").starts_with("enabled") && get("UnitFileState") != "static" {
            return true;
        }
        match (get("ActiveState"), get("SubState")) {
            ("active", "exited") => {}
            ("failed", _) => return true,
            (active, "failed") if active != "active" => return true,
            // Still at work, or its turn has not come.
            _ => return false,
        }
    }
    false
}

/// A document with its markers (`cloudinit/safeyaml.py`, `dumps`).
fn yaml(value: &Json) -> String {
    let members = match Value::load_json(&value.to_string(), 0).map(|value| value.kind) {
        Ok(Kind::Map(members)) => members,
        _ => hardtack_userdata::Map::new(),
    };
    format!("---\n{}...\n", yaml_out::dump(&members))
}
