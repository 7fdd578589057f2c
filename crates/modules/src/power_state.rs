//! Halting, powering off or rebooting at the end (`config/cc_power_state_change.py`; `shutdown_command` in
//! `cloudinit/distros/__init__.py`).

use hardtack_userdata::{Finding, Kind, Map, Value, truth};

use crate::action::Action;
use crate::live;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::sizes::python_float;

/// `power_state_change`: the last module of all.
pub const MODULE: Module = Module {
    name: "power_state_change",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &["power_state"],
    run: plan,
};

/// What is to happen when everything else is done.
#[derive(Clone, Debug)]
pub struct PowerState {
    /// `shutdown -r now` and the like.
    pub argv: Vec<String>,
    /// Seconds for which the agent's own end is waited for.
    pub timeout: f64,
    /// Whether it happens.
    pub condition: Condition,
}

/// Whether it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Known already.
    Fixed(bool),
    /// A line for a shell: exit status 0 says yes, 1 no, anything else no with a warning.
    Shell(String),
    /// A program with arguments, likewise.
    Program(Vec<String>),
}

/// Reads `power_state`; `None` when there is none.
///
/// # Errors
/// What keeps the machine running: cloud-init warns and does not change the power state.
pub fn load(config: &Map) -> Result<Option<PowerState>, Finding> {
    let Some(value) = get(config, "power_state").filter(|value| !value.is_null()) else { return Ok(None) };
    let Some(map) = value.as_map() else {
        return Err(wrong(value, "power_state", "`power_state` is no mapping")
            .with_hint("write power_state: {mode: reboot}"));
    };
    let mode = get(map, "mode").map(Value::to_python_str);
    let option = match mode.as_deref() {
        Some("halt") => "-H",
        Some("poweroff") => "-P",
        Some("reboot") => "-r",
        _ => {
            let found = mode.map_or_else(|| "is missing".to_owned(), |mode| format!("is {mode:?}"));
            let at = get(map, "mode").unwrap_or(value);
            return Err(wrong(at, "power_state.mode", &format!("`power_state.mode` {found}"))
                .with_hint("write halt, poweroff or reboot"));
        }
    };
    let mut argv = vec!["shutdown".to_owned(), option.to_owned()];
    argv.push(match get(map, "delay") {
        None => "now".to_owned(),
        Some(delay) if delay.as_text() == Some("now") => "now".to_owned(),
        Some(delay) => match minutes(delay) {
            Some(minutes) => format!("+{minutes}"),
            None => {
                let message = format!(
                    "`power_state.delay` is {:?}, which is no number of minutes",
                    delay.to_python_str()
                );
                return Err(wrong(delay, "power_state.delay", &message)
                    .with_hint("write now, or minutes as in \"+5\""));
            }
        },
    });
    if let Some(message) = get(map, "message").filter(|message| truth::truthy(message)) {
        let Some(text) = message.as_text() else {
            let found = format!("`power_state.message` is {}, not text", reading::described(message));
            return Err(wrong(message, "power_state.message", &found).with_hint("put it in quotes"));
        };
        argv.push(text.to_owned());
    }
    let timeout = match get(map, "timeout") {
        None => 30.0,
        Some(timeout) => match seconds(timeout) {
            Some(seconds) => seconds,
            None => {
                let found = format!(
                    "`power_state.timeout` is {:?}, which is no number of seconds",
                    timeout.to_python_str()
                );
                return Err(wrong(timeout, "power_state.timeout", &found));
            }
        },
    };
    let condition = match get(map, "condition") {
        None => Condition::Fixed(true),
        Some(condition) => match &condition.kind {
            Kind::Bool(value) => Condition::Fixed(*value),
            Kind::Text(line) => Condition::Shell(line.clone()),
            Kind::List(words) => Condition::Program(words.iter().map(Value::to_python_str).collect()),
            _ => {
                let found = format!("`power_state.condition` is {}", reading::described(condition));
                return Err(wrong(condition, "power_state.condition", &found)
                    .with_hint("write true, false, a shell line, or a list of words"));
            }
        },
    };
    Ok(Some(PowerState { argv, timeout, condition }))
}

fn wrong(value: &Value, path: &str, found: &str) -> Finding {
    Finding::warning(reading::SKIPPED, value.place, format!("{found}: the machine just goes on running"))
        .at(path)
}

/// `int(value)`.
fn minutes(value: &Value) -> Option<i128> {
    match &value.kind {
        Kind::Bool(value) => Some(i128::from(*value)),
        Kind::Int(value) => Some(*value),
        #[allow(clippy::cast_possible_truncation)]
        Kind::Float(value) if value.is_finite() && value.abs() < 1e15 => Some(*value as i128),
        Kind::Text(text) => {
            let plain = text.trim();
            let digits = plain.strip_prefix(['+', '-']).unwrap_or(plain);
            let grouped =
                digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()));
            if grouped { plain.replace('_', "").parse().ok() } else { None }
        }
        _ => None,
    }
}

/// `float(value)`.
fn seconds(value: &Value) -> Option<f64> {
    match &value.kind {
        Kind::Bool(value) => Some(f64::from(u8::from(*value))),
        #[allow(clippy::cast_precision_loss)]
        Kind::Int(value) => Some(*value as f64),
        Kind::Float(value) => Some(*value),
        Kind::Text(text) => python_float(text),
        _ => None,
    }
}

fn plan(request: &Request<'_>) -> Outcome {
    let state = match load(request.config) {
        Ok(None) => return Outcome::default(),
        Ok(Some(state)) => state,
        Err(finding) => return Outcome::failed(finding),
    };
    let mut details =
        vec![("run".to_owned(), state.argv.join(" ")), ("timeout".to_owned(), format!("{}", state.timeout))];
    // The words themselves, since a message has blanks.
    details.extend(state.argv.iter().map(|word| ("word".to_owned(), word.clone())));
    match state.condition {
        Condition::Fixed(false) => {
            let note = "power_state.condition is false: the machine goes on running".to_owned();
            return Outcome { notes: vec![note], ..Outcome::default() };
        }
        Condition::Fixed(true) => {}
        Condition::Shell(line) => details.push(("condition-shell".to_owned(), line)),
        Condition::Program(words) => {
            details.extend(words.into_iter().map(|word| ("condition-word".to_owned(), word)));
        }
    }
    Outcome { actions: vec![Action::Live { what: live::POWER_STATE, details }], ..Outcome::default() }
}
