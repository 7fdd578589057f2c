//! The stage before the network: seeds on disks and in directories, the network's configuration, the name.

use hardtack_datasource::Local;

use super::Done;
use super::state::State;
use crate::devices::Devices;
use crate::error::AgentError;
use crate::host::Host;
use crate::identity::{self, Question};
use crate::instance;
use crate::log::Log;
use crate::machine::Tree;
use crate::network_setup;
use crate::record::{self, Record};
use crate::system_config;

/// Runs it.
pub(crate) fn run(host: &Host, log: &Log) -> Result<Done, AgentError> {
    let machine = Tree::new(host.path("/"));
    let system = system_config::read(&machine, log);
    log.configure(host, &system, "init");
    // The report is one boot's.
    let _ = std::fs::remove_file(host.path(record::PATH));
    let mut record = Record::load(host);
    let devices = Devices::new(host.path("/"));
    let question = Question { host, devices: &devices, system: &system, log };
    let identified = identity::identify(&question);
    let off = identity::switched_off(&identified);
    identity::note(host, &identified, off.is_some());
    if let Some(why) = off {
        log.info(why);
        return Ok(Done { off: true, ..Done::default() });
    }
    let known = instance::cached(host);
    // Files for the network that are another machine's may bind to cards that this one has not.
    let moved = known.is_some() && !network_setup::is_of_this_machine(host);
    identity::note_moved(host, moved);
    let Some(found) = identity::local(&question, &identified) else {
        log.info("no seed on this machine");
        // A machine that has an identity has its network, too. Whose copy it is, and what network that had, counts
        // for nothing before somebody confirms it.
        if known.is_none() || moved {
            network_setup::apply(host, devices.machine(), &system, None, log);
        }
        record.save(host)?;
        return Ok(Done::default());
    };
    let adopted = instance::adopt(host, found, log)?;
    if adopted.is_new || known.is_none() || moved {
        network_setup::apply(host, devices.machine(), &system, Some(&adopted.found), log);
        network_setup::show(host, log);
    }
    record.instance_id.clone_from(&adopted.found.instance_id);
    record.datasource.clone_from(&adopted.found.shown);
    // Includes wait for the network: user-data counts from the next stage on.
    let early = adopted.found.known.early;
    let fetch = crate::web::Includes::new(host);
    let fetch: Option<&dyn hardtack_userdata::split::Fetch> = if early { Some(&fetch) } else { None };
    let mut state = State::new(host, machine, &system, adopted.found, fetch, log);
    if let Err(error) = state.publish() {
        log.warn(&error.to_string());
    }
    let mut errors = super::modules::run(&state.run(log), hardtack_modules::Stage::Local, &mut record);
    if early {
        // `dsmode: local`: the network stage has nothing left to do.
        errors.extend(super::network::consume(host, &mut state, &mut record, log)?);
    }
    record.save(host)?;
    Ok(Done { datasource: Some(state.datasource()), errors, off: false })
}
