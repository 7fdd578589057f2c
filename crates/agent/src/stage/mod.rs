//! The four stages of a boot, as cloud-init has them: `local` before the network, `network` with it and before
//! logins, `config` and `final` after (`cloudinit/cmd/main.py`).

mod local;
mod modules;
mod network;
mod state;

use hardtack_datasource::Source;

use crate::banner;
use crate::error::AgentError;
use crate::host::Host;
use crate::instance;
use crate::key_report;
use crate::log::Log;
use crate::network_cards;
use crate::record::Record;
use crate::status::Status;

pub(crate) use state::State;

/// What user-data's programs make is for others to read, as under cloud-init; what is ours alone says so.
const PROGRAMS: rustix::fs::Mode = rustix::fs::Mode::from_raw_mode(0o022);

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Local,
    Network,
    Config,
    Final,
}

impl Stage {
    /// The stage that `word` names.
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word {
            "local" => Some(Self::Local),
            "network" => Some(Self::Network),
            "config" => Some(Self::Config),
            "final" => Some(Self::Final),
            _ => None,
        }
    }

    /// Its key in `status.json`.
    pub(crate) fn status_name(self) -> &'static str {
        match self {
            Self::Local => "init-local",
            Self::Network => "init",
            Self::Config => "modules-config",
            Self::Final => "modules-final",
        }
    }
}

/// What a stage came to.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// `DataSourceNoCloud [seed=/dev/vdb]`, once it is known.
    pub(crate) datasource: Option<String>,
    /// What failed, for `status.json`.
    pub(crate) errors: Vec<String>,
    /// Nothing is wanted of this boot's stages.
    pub(crate) off: bool,
}

/// Runs one stage. An error is one of the agent's own; what user-data asked for and failed is in the status.
pub(crate) fn run(host: &Host, stage: Stage) -> Result<(), AgentError> {
    rustix::process::umask(PROGRAMS);
    if let Some(why) = disabled(host, stage) {
        crate::journal::say(&format!("nothing is done: {why}"));
        return Ok(());
    }
    let made = instance::directories(host);
    crate::config::directory(host, crate::config::RUNTIME)?;
    let log = Log::open(host);
    if let Err(error) = made {
        log.error(&error.to_string());
    }
    let status = Status::begin(host, stage, uptime(host));
    let status = status.map_err(|error| log.error(&error.to_string())).ok();
    log.output(banner::line(stage, crate::now(), uptime(host)).as_bytes());
    let done = match stage {
        Stage::Local => local::run(host, &log),
        Stage::Network => network::run(host, &log),
        Stage::Final if is_login_only(host) => Err(AgentError::text(
            "the overlay is not in force, and on_failure is login-only: this stage is left out",
        )),
        Stage::Config | Stage::Final => behind(host, stage, &log),
    };
    let done = done.unwrap_or_else(|error| {
        log.error(&error.to_string());
        Done { errors: vec![error.to_string()], ..Done::default() }
    });
    if let Some(status) = status {
        if done.off {
            return status.forget(host);
        }
        status.finish(host, uptime(host), done.datasource.as_deref(), &done.errors, &log.told())?;
    }
    Ok(())
}

fn is_login_only(host: &Host) -> bool {
    crate::config::load(host).is_ok_and(|config| crate::overlay::is_login_only(host, &config))
}

/// The stages `config` and `final`: modules on what the network stage has found.
fn behind(host: &Host, stage: Stage, log: &Log) -> Result<Done, AgentError> {
    let state = State::of_earlier_stage(host, log)?;
    let (which, name) = match stage {
        Stage::Config => (hardtack_modules::Stage::Config, "config"),
        _ => (hardtack_modules::Stage::Final, "final"),
    };
    state.direct_output(log, name);
    let mut record = Record::load(host);
    if stage == Stage::Config {
        network_cards::settle(host, &mut record, log);
    }
    let errors = state.modules(which, &mut record, log)?;
    if stage == Stage::Final
        && let Some(summary) = key_report::summary(&record)
    {
        log.output(summary.as_bytes());
    }
    if stage == Stage::Final && state.found.source == Source::None && !state.is_switched_to_none() {
        log.warn("Used fallback datasource");
    }
    Ok(Done { datasource: Some(state.datasource()), errors, off: false })
}

/// Runs one module, as `cloud-init single` does; `None` when there is none of that name.
pub(crate) fn single(
    host: &Host,
    name: &str,
    frequency: Option<hardtack_modules::Frequency>,
) -> Result<Option<Vec<String>>, AgentError> {
    rustix::process::umask(PROGRAMS);
    crate::config::directory(host, crate::config::RUNTIME)?;
    let log = Log::open(host);
    let state = State::of_earlier_stage(host, &log)?;
    let mut record = Record::load(host);
    let failures = modules::single(&state.run(&log), name, frequency, &mut record);
    record.save(host)?;
    Ok(failures)
}

/// Runs the module `name` on `state`; `None` when there is none of that name.
pub(crate) fn single_module(
    state: &State,
    log: &Log,
    name: &str,
    record: &mut Record,
) -> Option<Vec<String>> {
    modules::single(&state.run(log), name, None, record)
}

/// Seconds since the kernel started; 0 where it does not say.
fn uptime(host: &Host) -> f64 {
    crate::running::uptime(host).unwrap_or_default()
}

/// Why nothing is to be done, if somebody said so (`systemd/cloud-init-generator.tmpl`).
fn disabled(host: &Host, stage: Stage) -> Option<String> {
    const NOTE: &str = "/run/cloud-init/disabled";
    if stage != Stage::Local && host.exists(NOTE) {
        return Some(format!("the local stage has left {NOTE}"));
    }
    const FILE: &str = "/etc/cloud/cloud-init.disabled";
    if host.exists(FILE) {
        return Some(format!("{FILE} exists"));
    }
    let line = host.first_line("/proc/cmdline").unwrap_or_default();
    let word = line.split_whitespace().rev().find_map(|word| word.strip_prefix("cloud-init="));
    (word == Some("disabled")).then(|| "the kernel's command line says cloud-init=disabled".to_owned())
}
