//! The stage before the network: seeds on disks and in directories, the network's configuration, the name.

use super::Done;
use super::modules;
use super::state::State;
use crate::error::AgentError;
use crate::host::Host;
use crate::instance;
use crate::log::Log;
use crate::machine::Tree;
use crate::record::Record;
use crate::system_config;

/// Runs it.
pub(crate) fn run(host: &Host, log: &Log) -> Result<Done, AgentError> {
    let machine = Tree::new(host.path("/"));
    let system = system_config::read(&machine, log);
    // The report is one boot's.
    let _ = std::fs::remove_file(host.path(crate::record::PATH));
    let mut record = Record::load(host);
    let Some(found) = crate::identity::local(host, &machine, &system, log) else {
        log.info("no seed on this machine");
        record.save(host)?;
        return Ok(Done::default());
    };
    let adopted = instance::adopt(host, found)?;
    record.instance_id.clone_from(&adopted.found.instance_id);
    record.datasource.clone_from(&adopted.found.shown);
    let state = State::new(host, machine, &system, adopted.found, None, log);
    let errors = modules::run(&state.run(log), hardtack_modules::Stage::Local, &mut record);
    record.save(host)?;
    Ok(Done { datasource: Some(state.datasource()), errors })
}
