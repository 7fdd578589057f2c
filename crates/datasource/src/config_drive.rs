//! OpenStack's disk (`cloudinit/sources/DataSourceConfigDrive.py`).

mod old;

use hardtack_modules::Machine;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Key, Kind, Map, Value, layers};
use serde_json::{Value as Json, json};

use crate::found::{Found, Known, Network, Source};
use crate::local::{BlockDevice, Local};
use crate::openstack_tree::{self, Error, Tree};
use crate::seed::{self, Mode, Seed};
use crate::{interfaces, metadata};

/// Where a drive's files may be, besides disks.
pub const DIRECTORIES: [&str; 2] = ["/var/lib/cloud/seed/config_drive", "/config-drive"];

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// There is none. What looked like one is told.
    None(Vec<String>),
    /// There is one.
    Found(Box<Seed>),
    /// There is one that is not used, and why.
    Unusable(String),
}

/// What a drive says.
struct Drive {
    /// 2, or 1 for the oldest.
    version: u8,
    tree: Tree,
    /// EC2's `meta-data.json` beside it.
    ec2: Map,
}

/// Why there is none.
enum Failed {
    /// It is none.
    Absent,
    /// It is one, and broken.
    Broken(String),
}

/// Looks in the directories, then on the disks.
#[must_use]
pub fn read(local: &dyn Local, config: &Map) -> Outcome {
    let machine = local.machine();
    let mut notes = Vec::new();
    for directory in DIRECTORIES {
        if !machine.exists(directory) || machine.read(directory).is_some() {
            continue;
        }
        match drive(machine, directory) {
            Ok(drive) => return finish(drive, directory, config, notes),
            Err(Failed::Absent) => notes.push(format!("{directory} holds no config drive")),
            Err(Failed::Broken(why)) => return Outcome::Unusable(format!("{directory}: {why}")),
        }
    }
    for device in candidates(local, config) {
        let mut read = Err(Failed::Absent);
        let mounted = local.with_files(&device, &mut |files| read = drive(files, ""));
        let path = &device.path;
        match (mounted, read) {
            (Err(error), _) if is_labelled(&device) => {
                notes.push(format!("{path} cannot be mounted: {error}"))
            }
            (Err(_), _) | (_, Err(Failed::Absent)) => {}
            (_, Err(Failed::Broken(why))) => notes.push(format!("{path}: {why}")),
            (_, Ok(drive)) => return finish(drive, path, config, notes),
        }
    }
    Outcome::None(notes)
}

fn is_labelled(device: &BlockDevice) -> bool {
    matches!(device.label.as_str(), "config-2" | "CONFIG-2")
}

/// Those with the label first, then all disks that are no partitions; the last disk first.
fn candidates(local: &dyn Local, config: &Map) -> Vec<BlockDevice> {
    let list = config.get(&Key::text("datasource_list")).and_then(Value::as_list).unwrap_or_default();
    let ibm = list.iter().any(|name| name.as_text() == Some("IBMCloud"));
    let machine = local.machine();
    let is_partition = |device: &BlockDevice| {
        let name = device.path.strip_prefix("/dev/").unwrap_or(&device.path);
        machine.exists(&format!("/sys/class/block/{name}/partition"))
    };
    let mut devices = local.block_devices();
    devices.sort_by(|one, other| other.path.cmp(&one.path));
    // IBM's own disk has the same label.
    devices.retain(|device| !(ibm && is_labelled(device) && device.uuid == "9796-932E"));
    let (mut labelled, others): (Vec<_>, Vec<_>) = devices.into_iter().partition(is_labelled);
    let disk = |device: &BlockDevice| matches!(device.file_system.as_str(), "vfat" | "iso9660");
    labelled.extend(others.into_iter().filter(|device| disk(device) && !is_partition(device)));
    labelled
}

fn drive(machine: &dyn Machine, directory: &str) -> Result<Drive, Failed> {
    let read = |path: &str| machine.read(&format!("{directory}/{path}"));
    let mut fetch = |path: &str| -> Result<Option<Vec<u8>>, std::convert::Infallible> {
        if path == "openstack" {
            let names = machine.list(&format!("{directory}/openstack"));
            return Ok(Some(names.join("\n").into_bytes()));
        }
        Ok(read(path))
    };
    let tree = match openstack_tree::read(&mut fetch) {
        Ok(tree) => tree,
        Err(Error::Missing { .. }) => return old::read(&read),
        Err(error @ Error::Broken { .. }) => return Err(Failed::Broken(error.to_string())),
        Err(Error::Fetch { source, .. }) => match source {},
    };
    let ec2 = match read("ec2/latest/meta-data.json") {
        None => Map::new(),
        Some(bytes) => json_object(&bytes)
            .ok_or_else(|| Failed::Broken("ec2/latest/meta-data.json is no JSON object".to_owned()))?,
    };
    Ok(Drive { version: 2, tree, ec2 })
}

fn json_object(bytes: &[u8]) -> Option<Map> {
    match Value::load_json(std::str::from_utf8(bytes).ok()?, 0).ok()?.kind {
        Kind::Map(map) => Some(map),
        _ => None,
    }
}

fn finish(drive: Drive, place: &str, config: &Map, mut notes: Vec<String>) -> Outcome {
    let Drive { version, tree, ec2 } = drive;
    notes.extend(tree.notes);
    let default: Map = [(Key::text("instance-id"), Value::new(Kind::Text("iid-dsconfigdrive".to_owned())))]
        .into_iter()
        .collect();
    let metadata = layers::effective(&[&tree.metadata, &default]);
    let settings = config.get(&Key::text("datasource")).and_then(|all| all.get("ConfigDrive"));
    let configured = settings.and_then(|settings| settings.get("dsmode"));
    let Some(mode) = seed::mode([tree.dsmode.as_ref(), configured], &mut notes) else {
        return Outcome::Unusable(format!("the config drive {place} says dsmode: disabled"));
    };
    let network_json = tree.network.as_ref().map(metadata::to_json);
    let network = match (&network_json, tree.interfaces) {
        (Some(json), _) => Some(Network::OpenStack(json.clone())),
        (None, Some(text)) => Some(Network::Yaml(interfaces::to_network_config(&text))),
        (None, None) => None,
    };
    let keys = if version == 1 { "public-keys" } else { "public_keys" };
    let mapping = ec2.get(&Key::text("block-device-mapping")).and_then(Value::as_map);
    let devices = mapping.into_iter().flatten();
    let devices =
        devices.filter_map(|(name, device)| Some((name.as_text()?.to_owned(), device.as_text()?.to_owned())));
    let id = metadata.get(&Key::text("instance-id")).map(Value::to_python_str).unwrap_or_default();
    let region = metadata.get(&Key::text("region")).filter(|region| truthy(region));
    let shown_mode = if mode == Mode::Local { "local" } else { "net" };
    let ec2_json = if version == 1 { Json::Null } else { metadata::map_to_json(&ec2) };
    let found = Found {
        source: Source::ConfigDrive,
        shown: format!("DataSourceConfigDrive [{shown_mode},ver={version}][source={place}]"),
        cloud_name: metadata::cloud_name(&metadata, "configdrive"),
        platform: "configdrive".to_owned(),
        subplatform: seed::subplatform(place),
        instance_id: id,
        extra: json!({ "network_json": network_json, "ec2_metadata": ec2_json }),
        user_data: tree.user_data,
        vendor_data: tree.vendor_data,
        vendor_data2: tree.vendor_data2,
        network,
        files: tree.files,
        maybe_base64: false,
        known: Known {
            local_hostname: metadata::local_hostname(&metadata),
            public_keys: metadata::public_keys(metadata.get(&Key::text(keys))),
            block_devices: devices.collect(),
            early: mode == Mode::Local,
            region: region.map(Value::to_python_str),
            availability_zone: metadata::availability_zone(&metadata),
            random_seed: tree.random_seed,
            launch_index: metadata::launch_index(&metadata),
            ..Known::default()
        },
        notes,
        metadata: metadata::map_to_json(&metadata),
    };
    Outcome::Found(Box::new(Seed { found, mode }))
}
