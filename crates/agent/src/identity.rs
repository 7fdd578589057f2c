//! Who this machine is: what data sources say, what an earlier boot knew.

use hardtack_datasource::{Found, Source};
use hardtack_userdata::Map;

use crate::host::Host;
use crate::instance;
use crate::log::Log;
use crate::machine::Tree;

/// What a seed on the machine says.
pub(crate) fn local(_host: &Host, _machine: &Tree, _system: &Map, _log: &Log) -> Option<Found> {
    None
}

/// What a metadata service says; what this or an earlier boot knows already; or nothing.
pub(crate) fn network(host: &Host, _machine: &Tree, _system: &Map, log: &Log) -> Found {
    if let Some(found) = instance::cached(host) {
        return found;
    }
    log.warn("no data source was found: the machine keeps to what its image says");
    nothing()
}

/// What holds without any data source (`cloudinit/sources/DataSourceNone.py`).
fn nothing() -> Found {
    Found {
        source: Source::None,
        shown: "DataSourceNone".to_owned(),
        cloud_name: "none".to_owned(),
        platform: "none".to_owned(),
        subplatform: "config".to_owned(),
        instance_id: "iid-datasource-none".to_owned(),
        metadata: serde_json::Value::Null,
        extra: serde_json::Value::Null,
        user_data: None,
        vendor_data: None,
        vendor_data2: None,
        network: None,
        files: Vec::new(),
        maybe_base64: false,
        known: Default::default(),
        notes: Vec::new(),
    }
}
