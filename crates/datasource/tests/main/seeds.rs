//! NoCloud seeds and config drives against cloud-init's own data sources (`data/seeds.py` makes the cases).

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_datasource::found::Network;
use hardtack_datasource::seed::{Mode, Seed};
use hardtack_datasource::{BlockDevice, Local, config_drive, nocloud};
use hardtack_modules::Machine;
use hardtack_modules::testing::Tree;
use hardtack_userdata::{Kind, Map, Value};
use serde_json::{Value as Json, json};

struct Made {
    tree: Tree,
    devices: Vec<(BlockDevice, Option<Tree>)>,
}

impl Local for Made {
    fn machine(&self) -> &dyn Machine {
        &self.tree
    }

    fn block_devices(&self) -> Vec<BlockDevice> {
        self.devices.iter().map(|(device, _)| device.clone()).collect()
    }

    fn with_files(&self, device: &BlockDevice, work: &mut dyn FnMut(&dyn Machine)) -> io::Result<()> {
        let (_, tree) = self.devices.iter().find(|(known, _)| known == device).unwrap();
        work(tree.as_ref().ok_or(io::ErrorKind::InvalidData)?);
        Ok(())
    }
}

fn tree(mut tree: Tree, files: &Json) -> Tree {
    for (path, content) in files.as_object().into_iter().flatten() {
        let bytes = match content.as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => STANDARD.decode(content["b64"].as_str().unwrap()).unwrap(),
        };
        tree = tree.with(path, bytes);
    }
    tree
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn made(case: &Json, media: &Tree) -> Made {
    let mut files = if case["media"] == true { media.clone() } else { Tree::new() };
    files = tree(files, &case["files"]);
    if let Some(serial) = case["serial"].as_str() {
        files = files.with("/sys/class/dmi/id/product_serial", format!("{serial}\n"));
    }
    let devices = case["devices"].as_array().into_iter().flatten().map(|device| {
        let shown = BlockDevice {
            path: text(&device["path"]),
            file_system: text(&device["type"]),
            label: text(&device["label"]),
            boot_label: text(&device["boot_label"]),
            uuid: String::new(),
        };
        (shown, (device["broken"] != true).then(|| tree(Tree::new(), &device["files"])))
    });
    Made { tree: files, devices: devices.collect() }
}

fn raw(bytes: Option<&Vec<u8>>) -> Json {
    bytes.filter(|bytes| !bytes.is_empty()).map_or(Json::Null, |bytes| json!(STANDARD.encode(bytes)))
}

/// A list of parts reaches us as an archive of them.
fn archive(value: &Json) -> Json {
    match value["list"].as_array() {
        Some(list) => json!(STANDARD.encode(format!("#cloud-config-archive\n{}\n", json!(list)))),
        None => value.clone(),
    }
}

/// Numbers may be floats or not, nothing else.
fn shown(seed: &Seed) -> Json {
    let found = &seed.found;
    let network = match &found.network {
        Some(Network::OpenStack(json)) => json.clone(),
        Some(Network::Yaml(text)) => hardtack_userdata::json::value(&Value::load(text, 0).unwrap()),
        None => Json::Null,
    };
    let files: BTreeMap<&str, Json> =
        found.files.iter().map(|file| (file.path.as_str(), json!(STANDARD.encode(&file.content)))).collect();
    json!({
        "shown": found.shown,
        "mode": if seed.mode == Mode::Local { "local" } else { "net" },
        "cloud_name": found.cloud_name,
        "platform": found.platform,
        "subplatform": found.subplatform,
        "instance_id": found.instance_id,
        "metadata": found.metadata,
        "user_data": raw(found.user_data.as_ref()),
        "vendor_data": raw(found.vendor_data.as_ref()),
        "vendor_data2": raw(found.vendor_data2.as_ref()),
        "network": network,
        "files": files,
        "public_keys": found.known.public_keys,
        "zone": found.known.availability_zone,
    })
}

#[test]
fn as_cloud_init_reads_them() {
    let mut wrong = Vec::new();
    let mut count = 0;
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/seeds.jsonl");
    let cases = std::fs::read_to_string(cases).unwrap();
    let mut lines = cases.lines();
    let first: Json = serde_json::from_str(lines.next().unwrap()).unwrap();
    let media = tree(Tree::new(), &first["media"]);
    for line in lines {
        let mut case: Json = serde_json::from_str(line).unwrap();
        let made = made(&case, &media);
        let config = match Value::load(&case["config"].to_string(), 0).unwrap().kind {
            Kind::Map(map) => map,
            _ => Map::new(),
        };
        let found = if case["source"] == "NoCloud" {
            let outcome = nocloud::read(&nocloud::Question {
                local: &made,
                command_line: case["line"].as_str().unwrap_or_default(),
                container: false,
                config: &config,
            });
            match outcome {
                nocloud::Outcome::Found(seed) => shown(&seed),
                other => json!(format!("{other:?}")),
            }
        } else {
            match config_drive::read(&made, &config) {
                config_drive::Outcome::Found(seed) => shown(&seed),
                other => json!(format!("{other:?}")),
            }
        };
        let wanted = case["wanted"].take();
        count += 1;
        if wanted["error"].is_string() {
            if found.is_object() {
                wrong.push(format!("{line}\n  we: {found}"));
            }
            continue;
        }
        // Of the network in the old language, only that there is one.
        let old = wanted["interfaces"] == true && wanted["network"].is_null();
        for (key, value) in wanted.as_object().unwrap() {
            let ours = &found[key];
            let same = match key.as_str() {
                "interfaces" => true,
                "network" if old => ours["version"] == 1,
                "vendor_data" | "vendor_data2" => *ours == archive(value),
                _ => ours == value,
            };
            if !same {
                wrong.push(format!("{line}\n  {key}: we {ours}, cloud-init {value}\n  {found}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 500, "{count}");
}
