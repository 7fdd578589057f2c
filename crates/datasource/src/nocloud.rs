//! NoCloud: a seed on the command line, in SMBIOS, in a directory, in the system's configuration, on a disk
//! (`cloudinit/sources/DataSourceNoCloud.py`).

mod gather;
mod remote;

use hardtack_modules::Machine;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Key, Kind, Map, Value, kernel_command_line, layers};

use self::gather::{Gathered, Stop};
pub use self::remote::Pending;
use crate::found::{Found, Known, Network, Source};
use crate::local::Local;
use crate::seed::{self, Mode, Seed};
use crate::{dmi, interfaces, metadata};

/// Where seeds are looked for, the first one wins. The last two are Ubuntu Core's, before they are mounted over
/// the others.
pub const DIRECTORIES: [&str; 4] = [
    "/var/lib/cloud/seed/nocloud",
    "/var/lib/cloud/seed/nocloud-net",
    "/writable/system-data/var/lib/cloud/seed/nocloud",
    "/writable/system-data/var/lib/cloud/seed/nocloud-net",
];

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The machine.
    pub local: &'a dyn Local,
    /// The kernel's command line; in a container that of process 1.
    pub command_line: &'a str,
    /// In a container SMBIOS is the host's and not asked.
    pub container: bool,
    /// The system's configuration.
    pub config: &'a Map,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// There is no seed.
    None,
    /// There is one.
    Found(Box<Seed>),
    /// There is the address of one, for which the network is needed.
    NeedsNetwork(Box<Pending>),
    /// There is one that is not used, and why.
    Unusable(String),
}

/// Looks everywhere.
#[must_use]
pub fn read(question: &Question<'_>) -> Outcome {
    let gathered = match gather::gather(question) {
        Ok(gathered) => gathered,
        Err(Stop(why)) => return Outcome::Unusable(why),
    };
    if gathered.places.is_empty() {
        return Outcome::None;
    }
    let Some(from) = gathered.metadata.get(&Key::text("seedfrom")) else {
        return finish(gathered, question.local.machine(), "DataSourceNoCloud");
    };
    let Some(from) = from.as_text() else {
        return Outcome::Unusable("the seed's seedfrom is no text".to_owned());
    };
    let substituted = |from: &str| {
        dmi::substitute(from, &|name| match question.container {
            true => None,
            false => dmi::value(question.local.machine(), name),
        })
    };
    if from.starts_with('/') || from.starts_with("file://") {
        let from = substituted(from);
        let machine = question.local.machine();
        let mut fetch = |address: &str| {
            let path = address.strip_prefix("file:").unwrap_or(address);
            // Behind two slashes stands a host's name, which counts for nothing.
            let path = match path.strip_prefix("//") {
                Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
                None => path,
            };
            let path = path.split(['?', '#']).next().unwrap_or_default();
            machine.read(path).ok_or_else(|| format!("there is no file {path}"))
        };
        return match remote::add(gathered, &from, &mut fetch) {
            Ok(gathered) => finish(gathered, machine, "DataSourceNoCloud"),
            Err(why) => Outcome::Unusable(why),
        };
    }
    if !["http://", "https://", "ftp://", "ftps://"].iter().any(|scheme| from.starts_with(scheme)) {
        return Outcome::Unusable(
            "the seed's seedfrom starts with none of /, file://, http://, https://, ftp:// and ftps://"
                .to_owned(),
        );
    }
    if !is_named(question) {
        return Outcome::Unusable(
            "the seed names an address in the network, which counts only when the kernel's command line or the \
             machine's serial number says ds=nocloud, or the system's configuration has the seedfrom"
                .to_owned(),
        );
    }
    let from = substituted(from);
    let has_lxd = question.local.machine().exists("/dev/lxd/sock");
    Outcome::NeedsNetwork(Box::new(Pending { gathered, from, has_lxd }))
}

/// `DataSourceNoCloudNet.ds_detect`: whether somebody who may says that this is NoCloud.
fn is_named(question: &Question<'_>) -> bool {
    let named = |text: &str| matches!(data_source(text).to_lowercase().as_str(), "nocloud" | "nocloud-net");
    let serial = || dmi::value(question.local.machine(), "system-serial-number").unwrap_or_default();
    let list = question.config.get(&Key::text("datasource_list")).and_then(Value::as_list);
    let only = list.is_some_and(|list| matches!(list, [one] if one.as_text() == Some("NoCloud")));
    named(question.command_line)
        || only
        || (!question.container && named(&serial()))
        || settings(question.config).get(&Key::text("seedfrom")).is_some_and(truthy)
}

/// `parse_cmdline_or_dmi`: what `ds=`, `ci.ds=` or `ci.datasource=` names, in this order.
fn data_source(text: &str) -> &str {
    let value = |key: &str| {
        let mut words = text.split(hardtack_userdata::python::is_space);
        words.find_map(|word| {
            let value = word.strip_prefix(key)?.split(';').next()?;
            (!value.is_empty()).then_some(value)
        })
    };
    value("ds=").or_else(|| value("ci.ds=")).or_else(|| value("ci.datasource=")).unwrap_or_default()
}

/// `datasource: {NoCloud: …}`.
fn settings(config: &Map) -> Map {
    let all = config.get(&Key::text("datasource")).and_then(|all| all.get("NoCloud")).and_then(Value::as_map);
    all.cloned().unwrap_or_default()
}

/// The instance-id that the command line or a seed directory gives, without looking at disks: what tells at
/// the next boot that nothing has changed (`_quick_read_instance_id`).
#[must_use]
pub fn quick_instance_id(machine: &dyn Machine, command_line: &str) -> Option<String> {
    let of_line = kernel_command_line::nocloud(command_line).unwrap_or_default();
    if let Some((_, id)) = of_line.into_iter().find(|(key, _)| key == "instance-id") {
        return id;
    }
    DIRECTORIES.iter().find_map(|directory| {
        let bytes = machine.read(&format!("{directory}/meta-data"))?;
        let value = Value::load_bytes(&bytes, 0).ok()?;
        Some(value.get("instance-id")?.to_python_str())
    })
}

fn finish(gathered: Gathered, machine: &dyn Machine, class: &str) -> Outcome {
    complete(gathered, machine.exists("/dev/lxd/sock"), class)
}

fn complete(mut gathered: Gathered, has_lxd: bool, class: &str) -> Outcome {
    let defaults = [("instance-id", "nocloud"), ("dsmode", "net")];
    let defaults: Map = defaults
        .map(|(key, value)| (Key::text(key), Value::new(Kind::Text(value.to_owned()))))
        .into_iter()
        .collect();
    let metadata = layers::effective(&[&gathered.metadata, &defaults]);
    let Some(mode) = seed::mode([metadata.get(&Key::text("dsmode"))], &mut gathered.notes) else {
        return Outcome::Unusable("the seed says dsmode: disabled".to_owned());
    };
    let places = gathered.places.join(",");
    let shown_mode = if mode == Mode::Local { "[dsmode=local]" } else { "" };
    let network = match gathered.network {
        Some(text) => Some(Network::Yaml(text)),
        None => metadata::text(&metadata, "network-interfaces")
            .map(|text| Network::Yaml(interfaces::to_network_config(&text))),
    };
    let id = metadata.get(&Key::text("instance-id")).map(Value::to_python_str);
    let region = metadata.get(&Key::text("region")).filter(|region| truthy(region));
    let found = Found {
        source: Source::NoCloud,
        shown: format!("{class} [seed={places}]{shown_mode}"),
        cloud_name: metadata::cloud_name(&metadata, "unknown"),
        platform: if has_lxd { "lxd" } else { "nocloud" }.to_owned(),
        subplatform: seed::subplatform(&places),
        instance_id: id.unwrap_or_else(|| "nocloud".to_owned()),
        extra: serde_json::Value::Null,
        user_data: gathered.user_data,
        vendor_data: gathered.vendor_data,
        vendor_data2: None,
        network,
        files: Vec::new(),
        maybe_base64: false,
        known: Known {
            local_hostname: metadata::local_hostname(&metadata),
            public_keys: metadata::public_keys(metadata.get(&Key::text("public-keys"))),
            region: region.map(Value::to_python_str),
            availability_zone: metadata::availability_zone(&metadata),
            launch_index: metadata::launch_index(&metadata),
            early: mode == Mode::Local,
            ..Known::default()
        },
        notes: gathered.notes,
        metadata: metadata::map_to_json(&metadata),
    };
    Outcome::Found(Box::new(Seed { found, mode }))
}
