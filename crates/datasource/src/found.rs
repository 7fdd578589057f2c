//! What a data source said, in a form that survives a reboot.

use hardtack_modules::Facts;
use hardtack_userdata::coreos::{Addresses, generated};
use serde::{Deserialize, Serialize};

/// The data sources that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A seed on a disk, in a directory, on the kernel's command line.
    NoCloud,
    /// OpenStack's disk.
    ConfigDrive,
    /// AWS, Eucalyptus and those like them.
    Ec2,
    /// OpenStack's service.
    OpenStack,
    /// Google's.
    Gce,
    /// Nothing.
    None,
}

impl Source {
    /// The name in `datasource_list`.
    #[must_use]
    pub fn list_name(self) -> &'static str {
        match self {
            Self::NoCloud => "NoCloud",
            Self::ConfigDrive => "ConfigDrive",
            Self::Ec2 => "Ec2",
            Self::OpenStack => "OpenStack",
            Self::Gce => "GCE",
            Self::None => "None",
        }
    }

    /// The name of cloud-init's class: `DataSourceEc2`, which status files and the final message show.
    #[must_use]
    pub fn class_name(self) -> &'static str {
        match self {
            Self::NoCloud => "DataSourceNoCloud",
            Self::ConfigDrive => "DataSourceConfigDrive",
            Self::Ec2 => "DataSourceEc2Local",
            Self::OpenStack => "DataSourceOpenStack",
            Self::Gce => "DataSourceGCE",
            Self::None => "DataSourceNone",
        }
    }
}

/// What a data source said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Which one.
    pub source: Source,
    /// As cloud-init's status and final message show it: `DataSourceNoCloud [seed=/dev/vdb]`.
    pub shown: String,
    /// `nocloud`, `aws`, `openstack`: `v1.cloud_name` of the instance data.
    pub cloud_name: String,
    /// `nocloud`, `ec2`, `openstack`: `v1.platform`.
    pub platform: String,
    /// `seed-dir (/var/lib/cloud/seed/nocloud)`, `metadata (http://169.254.169.254)`: `v1.subplatform`.
    pub subplatform: String,
    /// The instance's id, checked.
    pub instance_id: String,
    /// The metadata as cloud-init has it at `ds.meta_data`.
    pub metadata: serde_json::Value,
    /// What else cloud-init has below `ds`, beside `meta_data`: `dynamic` of EC2 and the like. Null or a map.
    pub extra: serde_json::Value,
    /// The user-data as it came, out of no wrapping.
    #[serde(with = "bytes")]
    pub user_data: Option<Vec<u8>>,
    /// Vendor-data as it came.
    #[serde(with = "bytes")]
    pub vendor_data: Option<Vec<u8>>,
    /// The second vendor-data (OpenStack's dynamic one).
    #[serde(with = "bytes")]
    pub vendor_data2: Option<Vec<u8>>,
    /// The network configuration that came along.
    pub network: Option<Network>,
    /// Files to write, path and content (ConfigDrive's injected ones).
    pub files: Vec<File>,
    /// True when user-data may be base64 as a whole and is to be taken out of it (EC2).
    pub maybe_base64: bool,
    /// What modules want to know, as far as the data source knows it.
    pub known: Known,
    /// What a person should know: a seed without `meta-data`, a server that answered nonsense first.
    pub notes: Vec<String>,
}

/// A network configuration and its language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Network {
    /// cloud-init's own, version 1 or 2, as YAML text.
    Yaml(String),
    /// OpenStack's `network_data.json`.
    OpenStack(serde_json::Value),
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// All of it.
    #[serde(with = "whole")]
    pub content: Vec<u8>,
}

/// The part of [`Facts`] that a data source knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// `local-hostname`.
    pub local_hostname: Option<String>,
    /// Login keys.
    pub public_keys: Vec<String>,
    /// `ephemeral0` → `sdb`.
    pub block_devices: std::collections::BTreeMap<String, String>,
    /// Region.
    pub region: Option<String>,
    /// Availability zone.
    pub availability_zone: Option<String>,
    /// `random_seed`.
    #[serde(with = "bytes")]
    pub random_seed: Option<Vec<u8>>,
    /// `ami-launch-index` and the like: which instance of a launch this is.
    pub launch_index: Option<i64>,
    /// What `$public_ipv4`, `$private_ipv4`, `$public_ipv6`, `$private_ipv6` mean; empty where unknown.
    pub addresses: [String; 4],
    /// `dsmode: local`: what the user-data asks for is done before there is a network.
    pub early: bool,
}

impl Found {
    /// The name of cloud-init's class. It has several for some sources, by when they are read: `DataSourceEc2`,
    /// `DataSourceEc2Local`.
    #[must_use]
    pub fn class_name(&self) -> &str {
        let name = self.shown.split(' ').next().unwrap_or_default();
        if name.starts_with("DataSource") { name } else { self.source.class_name() }
    }

    /// What modules are told; facts about the running system are the caller's to add.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let known = &self.known;
        Facts {
            instance_id: Some(self.instance_id.clone()),
            datasource: Some(self.shown.clone()),
            local_hostname: known.local_hostname.clone(),
            public_keys: known.public_keys.clone(),
            block_devices: known.block_devices.clone(),
            region: known.region.clone(),
            availability_zone: known.availability_zone.clone(),
            random_seed: known.random_seed.clone(),
            cloud_name: Some(self.cloud_name.clone()),
            addresses: self.addresses(),
            ..Facts::default()
        }
    }

    /// The addresses that are known. What is `None` may be in `/etc/environment`; if it is not there either,
    /// coreos-cloudinit puts nothing in its place ([`Found::addresses_or`]).
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let [public_ipv4, private_ipv4, public_ipv6, private_ipv6] =
            self.known.addresses.clone().map(|address| Some(address).filter(|address| !address.is_empty()));
        Addresses { public_ipv4, private_ipv4, public_ipv6, private_ipv6 }
    }

    /// The addresses as a running machine has them: those that are known, or else those of `environment`, the
    /// text of `/etc/environment`, or else nothing.
    #[must_use]
    pub fn addresses_or(&self, environment: &str) -> Addresses {
        let nothing = || Some(String::new());
        self.addresses().or(generated::addresses(environment)).or(Addresses {
            public_ipv4: nothing(),
            private_ipv4: nothing(),
            public_ipv6: nothing(),
            private_ipv6: nothing(),
        })
    }
}

/// Bytes as base64 in JSON.
mod whole {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

/// The same, where there may be none.
mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(serde::de::Error::custom)).transpose()
    }
}
