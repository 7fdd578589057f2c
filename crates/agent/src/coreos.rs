//! The dialect of CoreOS in user-data, beside a cloud-init that knows nothing of it.
//!
//! In companion mode cloud-init has found the instance and its user-data and applied what it understands. What is left
//! is coreos-cloudinit's part: with a section `coreos:` in the user-data all of that dialect is applied, as
//! [`hardtack_modules::coreos`] has it. Without one nothing is done, and nothing is said.

use hardtack_datasource::Found;
use hardtack_modules::coreos::MODULES;
use hardtack_userdata::{Map, coreos};

use crate::error::AgentError;
use crate::host::Host;
use crate::log::Log;
use crate::machine::Tree;
use crate::record::Record;
use crate::stage::{State, single_module};
use crate::{facts, identity, instance_data};

/// User-data as cloud-init has received it.
const USER_DATA: &str = "/var/lib/cloud/instance/user-data.txt";
/// What cloud-init knows of the instance; for root only.
const INSTANCE_DATA: &str = "/run/cloud-init/instance-data-sensitive.json";

/// Applies the section, if there is one.
pub(crate) fn run(host: &Host) -> Result<(), AgentError> {
    let Some(user_data) = host.read(USER_DATA)? else { return Ok(()) };
    // What the section's programs make is for others to read.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let found = found(host, user_data);
    let log = Log::open(host);
    let fetch = crate::web::Includes::new(host);
    let state = State::new(host, Tree::new(host.path("/")), &Map::new(), found, Some(&fetch), &log);
    if !coreos::is_coreos(&state.configuration.user_config.config) {
        return Ok(());
    }
    let mut record = Record::load(host);
    let mut failures = Vec::new();
    for module in MODULES {
        failures.extend(single_module(&state, &log, module.name, &mut record).unwrap_or_default());
    }
    // Of the other keys cloud-init would have to tell.
    record.save(host)?;
    match failures.len() {
        0 => Ok(()),
        _ => Err(AgentError::text(format!(
            "the section `coreos` of the user-data: {}; the rest is in /run/hardtack/report.json",
            failures.join("; ")
        ))),
    }
}

/// The instance, as cloud-init tells it.
fn found(host: &Host, user_data: Vec<u8>) -> Found {
    let mut found = identity::nothing();
    if let Some(id) = facts::instance_id(host) {
        found.instance_id = id;
    }
    found.user_data = Some(user_data);
    let notes = instance_data::read(host, INSTANCE_DATA).unwrap_or_default();
    let metadata = ["meta_data", "meta-data", "metadata"]
        .iter()
        .find_map(|name| notes.get("ds")?.get(name))
        .unwrap_or(&serde_json::Value::Null);
    let text = |name: &str| {
        let value = metadata.get(name).or_else(|| metadata.get(name.replace('-', "_")));
        value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    // In the order of `Known::addresses`.
    found.known.addresses =
        [text("public-ipv4"), text("local-ipv4"), text("public-ipv6"), text("local-ipv6")];
    found.known.local_hostname = Some(text("local-hostname")).filter(|name| !name.is_empty());
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn host(user_data: &str) -> (tempfile::TempDir, Host) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("var/lib/cloud/instance/user-data.txt", user_data),
            (
                "run/cloud-init/instance-data-sensitive.json",
                r#"{"ds":{"meta_data":{"local-ipv4":"10.1.2.3","public-ipv4":"203.0.113.9"}}}"#,
            ),
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
        ] {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::new(directory.path());
        (directory, host)
    }

    const FILE: &str =
        "write_files:\n- {path: /etc/peer, permissions: 0640, content: \"$private_ipv4:7001\"}\n";

    #[test]
    fn the_dialect_is_applied_with_the_addresses_of_the_metadata() {
        let (root, host) = host(&format!("#cloud-config\ncoreos: {{}}\n{FILE}"));
        run(&host).unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join("etc/peer")).unwrap(), "10.1.2.3:7001");
        let environment = std::fs::read_to_string(root.path().join("etc/environment")).unwrap();
        assert!(environment.contains("COREOS_PUBLIC_IPV4=203.0.113.9\n"), "{environment}");
        let record = Record::load(&host);
        assert!(
            record.modules.iter().any(|module| module.module == "coreos_files" && module.state == "done")
        );
    }

    #[test]
    fn other_user_data_is_cloud_inits_alone() {
        for text in [format!("#cloud-config\n{FILE}"), "#!/bin/sh\necho coreos:\n".to_owned(), String::new()]
        {
            let (root, host) = host(&text);
            run(&host).unwrap();
            assert!(!root.path().join("etc/peer").exists() && !root.path().join("run/hardtack").exists());
        }
    }
}
