//! From what a data source said to the configuration that modules see: user-data over vendor-data over the
//! machine's own (`cloudinit/stages.py`, `consume_data`).
//!
//! Every stage reads it anew. What `#include` names is fetched in the network stage and kept for the others
//! ([`Kept`]), so that all of them see the same.

use std::path::PathBuf;

use hardtack_datasource::Found;
use hardtack_userdata::layers::{self, Vendor};
use hardtack_userdata::merge::{Merged, merge_parts};
use hardtack_userdata::split::{Fetch, SplitOptions, UserData, split};
use hardtack_userdata::{Map, Part, PartKind, Severity, yaml_out};

use crate::accounts::replace;
use crate::host::Host;
use crate::log::Log;

/// What was fetched for this boot.
const INCLUDES: &str = "/run/hardtack/includes";

/// Configuration and parts.
pub(crate) struct Configuration {
    /// The user-data, taken apart.
    pub(crate) user: UserData,
    /// Its configuration parts, merged.
    pub(crate) user_config: Merged,
    /// Parts of the vendor-data that may run.
    pub(crate) vendor_parts: Vec<Part>,
    /// Names and texts of the files for vendor configuration (`vendor-cloud-config.txt`).
    pub(crate) vendor_files: Vec<(&'static str, String)>,
    /// Everything, laid over each other.
    pub(crate) effective: Map,
}

impl Configuration {
    /// The parts of the user-data that count: none where it fails as a whole.
    pub(crate) fn parts(&self) -> &[Part] {
        if self.user.failed { &[] } else { &self.user.parts }
    }
}

/// Reads user-data and vendor-data of `found` over the machine's own `system`.
pub(crate) fn read(
    found: &Found,
    system: &Map,
    instance_data: &serde_json::Value,
    fetch: &dyn Fetch,
    log: &Log,
) -> Configuration {
    let options = SplitOptions {
        instance_data: Some(instance_data),
        fetch: Some(fetch),
        maybe_base64: found.maybe_base64,
        launch_index: found.known.launch_index,
    };
    let take = |name: &str, bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => split(name, bytes, &options),
        None => UserData::default(),
    };
    let user = if layers::userdata_allowed(system) {
        take("user-data", &found.user_data)
    } else {
        log.info("the image takes no user-data (`allow_userdata: false`)");
        UserData::default()
    };
    // cloud-init's modules see what it has dumped into `cloud-config.txt` and read again.
    let mut user_config = merge_parts(&user.parts);
    user_config.config = yaml_out::in_order(&user_config.config);
    let without_vendor = layers::effective(&[&user_config.config, system]);
    let mut vendor_parts = Vec::new();
    let mut vendor_configs: Vec<Merged> = Vec::new();
    let mut vendor_files = Vec::new();
    // The stronger one first.
    for (which, name, file, bytes) in [
        (Vendor::Second, "vendor-data2", "vendor2-cloud-config.txt", &found.vendor_data2),
        (Vendor::First, "vendor-data", "vendor-cloud-config.txt", &found.vendor_data),
    ] {
        // What fails as a whole takes the vendor's along: cloud-init gets no further.
        if bytes.is_none() || user.failed {
            continue;
        }
        if !layers::vendor_enabled(&without_vendor, which) {
            log.info(&format!("{name} is switched off by `{}`", which.key()));
            continue;
        }
        let disabled = layers::vendor_disabled_handlers(&without_vendor, which);
        let mut data = take(name, bytes);
        tell(name, &data, log);
        data.parts.retain(|part| !disabled.contains(&part.content_type));
        let mut merged = merge_parts(&data.parts);
        merged.config = yaml_out::in_order(&merged.config);
        vendor_files.push((file, cloud_config(&data.parts, &merged)));
        vendor_configs.push(merged);
        vendor_parts.append(&mut data.parts);
    }
    // User-data may be large: it is not held in memory more often than it must be.
    let effective = if vendor_configs.is_empty() && !user.failed {
        without_vendor
    } else {
        drop(without_vendor);
        let mut layered: Vec<&Map> = Vec::new();
        if !user.failed {
            layered.push(&user_config.config);
        }
        layered.extend(vendor_configs.iter().map(|merged| &merged.config));
        layered.push(system);
        layers::effective(&layered)
    };
    Configuration { user, user_config, vendor_parts, vendor_files, effective }
}

/// Errors and warnings of the containers, in the log.
fn tell(name: &str, data: &UserData, log: &Log) {
    for finding in data.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        log.warn(&format!("{name}: {}", finding.message));
    }
}

/// The header of cloud-init's `cloud-config.txt`, and the configuration below it.
pub(crate) fn cloud_config(parts: &[Part], merged: &Merged) -> String {
    let has_config =
        parts.iter().any(|part| matches!(part.kind, PartKind::CloudConfig | PartKind::JsonPatch));
    if !has_config {
        return String::new();
    }
    let mut text = "#cloud-config\n\n".to_owned();
    if !merged.ok_parts.is_empty() {
        text.push_str(&format!("# from {} files\n", merged.ok_parts.len()));
        for name in &merged.ok_parts {
            text.push_str(&format!("# {name}\n"));
        }
        text.push('\n');
    }
    for name in &merged.error_parts {
        text.push_str(&format!("# Cloud-config part ignored SCHEMA_ERROR: {name}\n"));
    }
    text.push_str(&format!("---\n{}...\n", yaml_out::dump(&merged.config)));
    text
}

/// Fetches in the network stage, and gives the same answers in the stages behind it.
pub(crate) struct Kept<'a> {
    directory: PathBuf,
    /// `None` in stages that fetch nothing.
    source: Option<&'a dyn Fetch>,
}

impl<'a> Kept<'a> {
    /// With a `source`: asks it and keeps what it says. Without: what was kept.
    pub(crate) fn new(host: &Host, source: Option<&'a dyn Fetch>) -> Self {
        if source.is_some() {
            let _ = std::fs::remove_dir_all(host.path(INCLUDES));
        }
        Self { directory: host.path(INCLUDES), source }
    }
}

impl Fetch for Kept<'_> {
    fn fetch(&self, url: &str, once: bool) -> Result<Vec<u8>, String> {
        use std::os::unix::fs::DirBuilderExt;
        let path = self.directory.join(crate::web::file_name(url));
        let Some(source) = self.source else {
            let kept =
                std::fs::read(&path).map_err(|_| "it was not fetched in the network stage".to_owned())?;
            return match kept.split_first() {
                Some((b'+', bytes)) => Ok(bytes.to_vec()),
                Some((_, text)) => Err(String::from_utf8_lossy(text).into_owned()),
                None => Err("it was not fetched in the network stage".to_owned()),
            };
        };
        let answer = source.fetch(url, once);
        let kept = match &answer {
            Ok(bytes) => [b"+", bytes.as_slice()].concat(),
            Err(text) => [b"-", text.as_bytes()].concat(),
        };
        let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        replace(&path, &kept, 0o600, None).map_err(|error| error.to_string())?;
        answer
    }
}
