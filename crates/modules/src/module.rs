//! What a module is.

use hardtack_userdata::{Finding, Map, Part};

use crate::action::Action;
use crate::machine::{Distro, Facts, Machine};

/// When a module runs (`config/cloud.cfg.tmpl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before the network: identity, disks.
    Local,
    /// With the network, before logins are possible (`cloud_init_modules`).
    Network,
    /// Beside the start of other services (`cloud_config_modules`).
    Config,
    /// Last (`cloud_final_modules`).
    Final,
}

/// How often a module runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// At every boot.
    Always,
    /// Once for every instance-id.
    Instance,
    /// Once in the life of a machine.
    Once,
}

/// What a module is told.
pub struct Request<'a> {
    /// The effective configuration.
    pub config: &'a Map,
    /// All parts of the user-data, scripts included.
    pub parts: &'a [Part],
    /// The machine.
    pub machine: &'a dyn Machine,
    /// What it runs.
    pub distro: &'a Distro,
    /// What only the cloud or the running system knows.
    pub facts: &'a Facts,
}

/// What a module answers.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What is to be done, in order.
    pub actions: Vec<Action>,
    /// What is wrong. After an error the actions before it are still carried out, as cloud-init
    /// does, and the module counts as failed.
    pub findings: Vec<Finding>,
    /// What a person who reads the plan should know: what it depends on, what is left out.
    pub notes: Vec<String>,
    /// True when an action that fails does not keep the ones behind it from being done: the module
    /// counts as failed at its end (`cc_set_passwords`).
    pub keep_going: bool,
}

/// A module.
pub struct Module {
    /// Its name without `cc_`: `write_files`.
    pub name: &'static str,
    /// When it runs.
    pub stage: Stage,
    /// How often.
    pub frequency: Frequency,
    /// Top-level keys that it reads.
    pub keys: &'static [&'static str],
    /// What it does. Called also when none of its keys is there: some modules act by default.
    pub run: fn(&Request<'_>) -> Outcome,
}
