//! Actions on a root directory made of files, for tests.

#![allow(clippy::unwrap_used)]

use hardtack_datasource::Found;
use hardtack_modules::{Distro, Facts};
use hardtack_userdata::{Kind, Map, Value};

use super::Execution;
use crate::host::Host;
use crate::log::Log;
use crate::record::Record;

/// Where what programs print goes in tests.
pub(crate) const OUTPUT: &str = "/var/log/output.log";

pub(crate) fn map(yaml: &str) -> Map {
    match Value::load(yaml, 0).unwrap().kind {
        Kind::Map(map) => map,
        _ => Map::new(),
    }
}

pub(crate) fn found() -> Found {
    serde_json::from_value(serde_json::json!({
        "source": "NoCloud", "shown": "", "cloud_name": "", "platform": "", "subplatform": "", "instance_id": "i-1",
        "metadata": {}, "extra": null, "user_data": null, "vendor_data": null, "vendor_data2": null, "network": null,
        "files": [], "maybe_base64": false, "known": hardtack_datasource::found::Known::default(), "notes": [],
    }))
    .unwrap()
}

struct Nobody;

impl hardtack_http::Transport for Nobody {
    fn send(
        &self,
        request: &hardtack_http::Request<'_>,
    ) -> Result<hardtack_http::Response, hardtack_http::Error> {
        Err(hardtack_http::Error::Url { url: request.url.to_owned(), why: "nobody is there".to_owned() })
    }
}

/// Does `work` as the module `module` with the configuration `yaml`. Returns the report and what was told.
pub(crate) fn with(
    host: &Host,
    yaml: &str,
    module: &'static str,
    work: impl FnOnce(&mut Execution<'_>),
) -> (Record, Vec<String>) {
    let log = Log::open(host);
    log.configure(host, &map(&format!("output: {{all: '>> {OUTPUT}'}}")), "final");
    let mut record = Record::default();
    let config = map(yaml);
    let mut execution = Execution {
        host,
        machine: &crate::machine::Tree::new(host.path("")),
        distro: &Distro::default(),
        facts: &Facts::default(),
        config: &config,
        found: &found(),
        log: &log,
        web: &Nobody,
        record: &mut record,
        module,
        passwords: Vec::new(),
    };
    work(&mut execution);
    let told = log.told().into_iter().map(|(_, text)| text).collect();
    (record, told)
}
