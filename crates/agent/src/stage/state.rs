//! What every stage stands on: the machine, its identity, its configuration.

use hardtack_datasource::Found;
use hardtack_modules::{Distro, Facts, Machine};
use hardtack_userdata::Map;
use hardtack_userdata::split::Fetch;

use super::modules::Run;
use crate::error::AgentError;
use crate::host::Host;
use crate::instance;
use crate::log::Log;
use crate::machine::Tree;
use crate::system_config;
use crate::user_data::{self, Configuration, Kept};

/// Everything but what changes while modules run.
pub(crate) struct State {
    host: Host,
    machine: Tree,
    pub(crate) distro: Distro,
    pub(crate) facts: Facts,
    pub(crate) found: Found,
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
        Ok(Self::new(host, machine, &system, instance.found, None, log))
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
        let facts = found.facts();
        let kept = Kept::new(host, fetch);
        let configuration = user_data::read(&found, system, &serde_json::Value::Null, &kept, log);
        Self {
            host: host.clone(),
            machine,
            distro,
            facts,
            found,
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

    /// The machine.
    pub(crate) fn machine(&self) -> &dyn Machine {
        &self.machine
    }
}
