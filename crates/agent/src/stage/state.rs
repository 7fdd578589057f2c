//! What every stage stands on: the machine, its identity, its configuration.

use hardtack_datasource::Found;
use hardtack_modules::schedule::Schedule;
use hardtack_modules::{Distro, Facts};
use hardtack_userdata::Map;
use hardtack_userdata::split::Fetch;

use super::modules::Run;
use crate::error::AgentError;
use crate::host::Host;
use crate::instance;
use crate::instance_data;
use crate::key_report;
use crate::log::Log;
use crate::machine::Tree;
use crate::record::Record;
use crate::system_config;
use crate::user_data::{self, Configuration, Kept};

/// Everything but what changes while modules run.
pub(crate) struct State {
    host: Host,
    machine: Tree,
    /// What the image and the kernel's command line say.
    system: Map,
    pub(crate) distro: Distro,
    pub(crate) facts: Facts,
    pub(crate) found: Found,
    instance_data: serde_json::Value,
    pub(crate) configuration: Configuration,
    web: Box<dyn hardtack_http::Transport>,
}

impl State {
    /// The state in a stage behind the network's, which has kept what it needs.
    pub(crate) fn of_earlier_stage(host: &Host, log: &Log) -> Result<Self, AgentError> {
        let instance = instance::load(host).ok_or_else(|| {
            AgentError::text("no data source was found in the stages before, so there is nothing to apply")
        })?;
        let machine = Tree::new(host.path("/"));
        let system = system_config::read(&machine, log);
        let mut state = Self::new(host, machine, &system, instance.found, None, log);
        state.let_go();
        Ok(state)
    }

    /// The state for `found`; with `fetch` what user-data includes is fetched, without it is what was kept.
    pub(crate) fn new(
        host: &Host,
        machine: Tree,
        system: &Map,
        found: Found,
        fetch: Option<&dyn Fetch>,
        log: &Log,
    ) -> Self {
        let distro = Distro::read(&machine);
        let running = crate::running::facts(host);
        let said = found.facts();
        let addresses = said.addresses.clone().or(running.addresses);
        let facts = Facts {
            uptime: running.uptime,
            memory: running.memory,
            free: running.free,
            now: running.now,
            devices: running.devices,
            addresses,
            ..said
        };
        let kept = Kept::new(host, fetch);
        let instance_data = instance_data::value(&found, &machine, &distro, system);
        let configuration = user_data::read(&found, system, &instance_data, &kept, log);
        log.hide_secrets(&configuration.effective);
        Self {
            host: host.clone(),
            machine,
            system: system.clone(),
            distro,
            facts,
            found,
            instance_data,
            configuration,
            web: crate::web::transport(host),
        }
    }

    /// What modules run with.
    pub(crate) fn run<'a>(&'a self, log: &'a Log) -> Run<'a> {
        Run {
            host: &self.host,
            machine: &self.machine,
            distro: &self.distro,
            facts: &self.facts,
            found: &self.found,
            configuration: &self.configuration,
            log,
            web: self.web.as_ref(),
            now: crate::now(),
        }
    }

    /// As the status shows it.
    pub(crate) fn datasource(&self) -> String {
        self.found.shown.clone()
    }

    /// Runs the modules of `stage`; what became of everything joins the report, which is saved. Returns what failed.
    pub(crate) fn modules(
        &self,
        stage: hardtack_modules::Stage,
        record: &mut Record,
        log: &Log,
    ) -> Result<Vec<String>, AgentError> {
        let failures = super::modules::run(&self.run(log), stage, record);
        self.report(record)?;
        Ok(failures)
    }

    /// Brings the report up to date, and saves it.
    pub(crate) fn report(&self, record: &mut Record) -> Result<(), AgentError> {
        let schedule = Schedule::new(&self.configuration.effective, &self.machine, &self.distro, &self.facts);
        key_report::update(record, &self.configuration, &schedule, &self.distro);
        record.save(&self.host)
    }

    /// Whether the machine's owner wants no data source.
    pub(crate) fn is_switched_to_none(&self) -> bool {
        crate::identity::is_switched_to_none(&self.system)
    }

    /// What other software reads of this instance.
    pub(crate) fn publish(&mut self) -> Result<(), AgentError> {
        let data = std::mem::take(&mut self.instance_data);
        instance_data::write(&self.host, &data)?;
        drop(data);
        instance_data::write_combined(&self.host, &self.configuration.effective, &self.system)
    }

    /// Lets go of what was only read from: user-data may be large, and modules look at its parts.
    pub(super) fn let_go(&mut self) {
        self.instance_data = serde_json::Value::Null;
        self.configuration.user.text = None;
        self.found.user_data = None;
        self.found.vendor_data = None;
        self.found.vendor_data2 = None;
    }

    /// Output and log files as the configuration wants them.
    pub(crate) fn direct_output(&self, log: &Log, stage: &str) {
        log.configure(&self.host, &self.configuration.effective, stage);
    }
}
