//! The stage with the network and before logins: metadata services, user-data, accounts, keys, disks.

use hardtack_datasource::clock::Clock;
use hardtack_datasource::settings::Settings;
use hardtack_datasource::{Local, Source};
use hardtack_http::Transport;
use hardtack_modules::Frequency;

use super::Done;
use super::state::State;
use crate::addresses;
use crate::devices::Devices;
use crate::error::AgentError;
use crate::host::Host;
use crate::identity::{self, Question};
use crate::instance;
use crate::log::Log;
use crate::machine::Tree;
use crate::network_cards;
use crate::network_setup;
use crate::record::Record;
use crate::system_config;
use crate::user_data::cloud_config;

/// Runs it.
pub(crate) fn run(host: &Host, log: &Log) -> Result<Done, AgentError> {
    network_setup::settle_netplan(host, log);
    log.output(addresses::tables(host).as_bytes());
    let web = crate::web::transport(host);
    with(host, log, web.as_ref(), &identity::Running::start())
}

/// The stage with the network `web`, by `clock`.
fn with(host: &Host, log: &Log, web: &dyn Transport, clock: &dyn Clock) -> Result<Done, AgentError> {
    let machine = Tree::new(host.path("/"));
    let system = system_config::read(&machine, log);
    log.configure(host, &system, "init");
    let mut record = Record::load(host);
    let devices = Devices::new(host.path("/"));
    let question = Question { host, devices: &devices, system: &system, log };
    let identified = identity::identify(&question);
    let mut found = identity::network(&question, &identified, web, clock);
    if identity::is_seeded(host) && found.known.early {
        log.info("the local stage has done it all, as `dsmode: local` in the seed wants it");
        return Ok(Done::default());
    }
    if found.source == Source::Ec2 && found.network.is_none() {
        found.network = network_setup::of_ec2(host, &found, &Settings::read(&system));
    }
    let adopted = instance::adopt(host, found, log)?;
    if adopted.is_new && adopted.found.network.is_some() && !identity::is_seeded(host) {
        // The network is up as it is, and whoever waits for a login needs it. The other cards follow behind SSH.
        network_cards::keep(host);
        let plan = network_setup::apply(host, devices.machine(), &system, Some(&adopted.found), log);
        network_cards::owe(host, &plan, log);
    }
    network_setup::show(host, log);
    record.instance_id.clone_from(&adopted.found.instance_id);
    record.datasource.clone_from(&adopted.found.shown);
    let fetch = crate::web::Includes::new(host);
    let mut state = State::new(host, machine, &system, adopted.found, Some(&fetch), log);
    warn(state.publish(), log);
    let errors = consume(host, &mut state, &mut record, log)?;
    Ok(Done { datasource: Some(state.datasource()), errors, off: false })
}

/// Keeps what others read of the user-data, and runs the modules. Returns what failed.
pub(super) fn consume(
    host: &Host,
    state: &mut State,
    record: &mut Record,
    log: &Log,
) -> Result<Vec<String>, AgentError> {
    warn(keep(host, state), log);
    state.let_go();
    warn(write_files(host, state), log);
    state.direct_output(log, "init");
    if state.configuration.user.failed {
        log.error("the user-data fails as a whole: nothing of it is applied, but SSH comes up");
        // cloud-init stops here, and nobody gets in. They count as not run: the user-data may be whole at the next boot.
        for name in ["users_groups", "ssh"] {
            super::modules::single(&state.run(log), name, Some(Frequency::Always), record);
        }
        state.report(record)?;
        return Ok(vec!["Consuming user data failed!".to_owned()]);
    }
    state.modules(hardtack_modules::Stage::Network, record, log)
}

/// What only others would read is no reason to stop.
fn warn(done: Result<(), AgentError>, log: &Log) {
    if let Err(error) = done {
        log.warn(&error.to_string());
    }
}

/// Files that a config drive brings (`cloudinit/sources/DataSourceConfigDrive.py`, `write_injected_files`).
///
/// Once for an instance: at its next boot they are the machine's own, and may have been changed.
fn write_files(host: &Host, state: &State) -> Result<(), AgentError> {
    const DONE: &str = "config_drive_files";
    if state.found.files.is_empty() || instance::has_run(host, DONE, Frequency::Instance) {
        return Ok(());
    }
    instance::take(host, DONE, Frequency::Instance, crate::now())?;
    for file in &state.found.files {
        let full = host.path(&file.path);
        if let Some(above) = full.parent() {
            std::fs::create_dir_all(above).map_err(|error| AgentError::io("create", above, error))?;
        }
        crate::accounts::replace(&full, &file.content, 0o660, None)?;
    }
    Ok(())
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
    for (name, text) in &configuration.vendor_files {
        put(name, text.as_bytes())?;
    }
    put("cloud-config.txt", cloud_config(configuration.parts(), &configuration.user_config).as_bytes())
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;

#[cfg(test)]
mod injected {
    #![allow(clippy::unwrap_used)]
    use hardtack_datasource::found::File;
    use hardtack_userdata::Map;

    use super::*;

    #[test]
    fn a_disk_that_takes_nothing_keeps_nobody_out() {
        let tree = crate::testing::Tree::new();
        let host = tree.host();
        instance::directories(&host).unwrap();
        // Where directories are wanted: root would write into one that is read-only.
        std::fs::remove_dir(host.path("/var/lib/cloud/instances")).unwrap();
        std::fs::write(host.path("/var/lib/cloud/instances"), "").unwrap();
        let log = Log::open(&host);
        let adopted = instance::adopt(&host, crate::execute::testing::found(), &log).unwrap();
        assert!(adopted.is_new);
        let known = instance::load(&host).unwrap();
        assert_eq!(known.found, adopted.found);
        assert!(log.told().iter().any(|(_, text)| text.contains("for this boot alone")), "{:?}", log.told());
    }

    #[test]
    fn what_a_config_drive_injects_is_written_once_for_an_instance() {
        let tree = crate::testing::Tree::new();
        let host = tree.host();
        instance::directories(&host).unwrap();
        let log = Log::open(&host);
        let mut found = crate::execute::testing::found();
        found.files = vec![File { path: "/etc/injected/file".to_owned(), content: b"first".to_vec() }];
        let found = instance::adopt(&host, found, &log).unwrap().found;
        let state = State::new(&host, Tree::new(host.path("/")), &Map::new(), found, None, &log);
        write_files(&host, &state).unwrap();
        assert_eq!(tree.read("etc/injected/file"), "first");
        std::fs::write(host.path("/etc/injected/file"), "changed").unwrap();
        write_files(&host, &state).unwrap();
        assert_eq!(tree.read("etc/injected/file"), "changed");
    }
}
