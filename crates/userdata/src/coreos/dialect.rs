//! Which configuration is in the dialect, and what is read of it.

use super::decode::{self, underscored};
use super::model::CloudConfig;
use super::{content, flow, shape, validate};
use crate::finding::{Finding, Place};
use crate::limits;
use crate::value::{Key, Map};

/// Whether `config` is in coreos-cloudinit's dialect: it has the top-level key `coreos`.
#[must_use]
pub fn is_coreos(config: &Map) -> bool {
    config.contains_key(&Key::text("coreos"))
}

/// What of `config` is left to cloud-init's modules: everything that coreos-cloudinit does not know.
#[must_use]
pub fn rest(config: &Map) -> Map {
    let known = |key: &Key| {
        key.as_text().is_some_and(|name| {
            let name = underscored(name);
            shape::CLOUD_CONFIG.iter().any(|field| field.name == name)
        })
    };
    config.iter().filter(|(key, _)| !known(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Checks the cloud-config `text`, which is the payload of the part with the index `part`, as
/// coreos-cloudinit does. Call it when [`is_coreos`].
///
/// Places count from the text as written, addresses not yet in it.
pub fn check(text: &str, part: usize, findings: &mut Vec<Finding>) {
    findings.extend(validate::findings(text, part));
}

impl CloudConfig {
    /// Reads the cloud-config `text`, addresses already in it, the payload of the part `part`. What
    /// makes coreos-cloudinit refuse the whole of it is an error, and then nothing is set.
    pub fn read(text: &str, part: usize, findings: &mut Vec<Finding>) -> Self {
        match read(text, part) {
            Ok(config) => config,
            Err(faults) => {
                findings.extend(faults);
                Self::default()
            }
        }
    }

    /// Adds `other`, the configuration of a later part: lists are joined, and of what is there once the
    /// first value stays.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        fn first<T: Default + PartialEq>(mine: &mut T, other: T) {
            if *mine == T::default() {
                *mine = other;
            }
        }
        first(&mut self.hostname, other.hostname);
        first(&mut self.manage_etc_hosts, other.manage_etc_hosts);
        self.users.extend(other.users);
        self.ssh_authorized_keys.extend(other.ssh_authorized_keys);
        self.write_files.extend(other.write_files);
        let (mine, other) = (&mut self.coreos, other.coreos);
        first(&mut mine.etcd, other.etcd);
        first(&mut mine.etcd2, other.etcd2);
        first(&mut mine.fleet, other.fleet);
        first(&mut mine.flannel, other.flannel);
        first(&mut mine.locksmith, other.locksmith);
        first(&mut mine.oem, other.oem);
        first(&mut mine.update, other.update);
        mine.units.extend(other.units);
        self
    }
}

fn read(text: &str, part: usize) -> Result<CloudConfig, Vec<Finding>> {
    let node = hardtack_yaml::Document::compose("", text, limits::YAML)
        .map_err(|errors| validate::yaml_findings(&errors, part))?;
    if let Some(refused) = flow::refused(text, &node) {
        return Err(vec![refused.finding(part)]);
    }
    let typed = decode::decode(&node, shape::CLOUD_CONFIG)
        .map_err(|fault| vec![Finding::error("yaml", Place { part, span: fault.span }, fault.message)])?;
    let mut config = CloudConfig::from(typed);
    let mut left = limits::UNPACKED;
    for (index, file) in config.write_files.iter_mut().enumerate() {
        let encoding = std::mem::take(&mut file.encoding);
        let decoded = content::decode(&file.content, &encoding).filter(|content| content.len() <= left);
        let Some(content) = decoded else {
            let place = Place { part, span: validate::span_of(&node, &["write_files", &index.to_string()]) };
            return Err(vec![validate::encoding_finding(place, index, &encoding)]);
        };
        left -= content.len();
        file.content = content;
    }
    Ok(config)
}
