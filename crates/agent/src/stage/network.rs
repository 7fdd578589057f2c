//! The stage with the network and before logins: metadata services, user-data, accounts, keys, disks.

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
use crate::user_data::cloud_config;

/// Runs it.
pub(crate) fn run(host: &Host, log: &Log) -> Result<Done, AgentError> {
    let machine = Tree::new(host.path("/"));
    let system = system_config::read(&machine, log);
    let mut record = Record::load(host);
    let found = crate::identity::network(host, &machine, &system, log);
    let adopted = instance::adopt(host, found)?;
    record.instance_id.clone_from(&adopted.found.instance_id);
    record.datasource.clone_from(&adopted.found.shown);
    let fetch = crate::web::Includes::new(host);
    let state = State::new(host, machine, &system, adopted.found, Some(&fetch), log);
    keep(host, &state)?;
    let mut errors = Vec::new();
    if state.configuration.user.failed {
        errors.push("Consuming user data failed!".to_owned());
    } else {
        errors.extend(modules::run(&state.run(log), hardtack_modules::Stage::Network, &mut record));
    }
    record.save(host)?;
    Ok(Done { datasource: Some(state.datasource()), errors })
}

/// The files that other software reads: user-data as it came, and the configuration that it makes.
fn keep(host: &Host, state: &State) -> Result<(), AgentError> {
    let put = |name: &str, bytes: &[u8]| {
        crate::accounts::replace(&host.path(&format!("{}/{name}", instance::LINK)), bytes, 0o600, None)
    };
    let none = Vec::new();
    put("user-data.txt", state.found.user_data.as_ref().unwrap_or(&none))?;
    put("vendor-data.txt", state.found.vendor_data.as_ref().unwrap_or(&none))?;
    put("vendor-data2.txt", state.found.vendor_data2.as_ref().unwrap_or(&none))?;
    let configuration = &state.configuration;
    put("cloud-config.txt", cloud_config(&configuration.user.parts, &configuration.user_config).as_bytes())
}
