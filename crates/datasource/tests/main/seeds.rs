//! NoCloud seeds and config drives against cloud-init's own data sources (`data/seeds.py` makes the cases).

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_datasource::found::Network;
use hardtack_datasource::metadata::BASE64_MARK;
use hardtack_datasource::seed::{Mode, Seed};
use hardtack_datasource::{BlockDevice, Local, config_drive, nocloud};
use hardtack_http::{Error, Request, Response, Transport};
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

/// As in instance-data.json, where bytes are base64 without their mark.
pub(crate) fn unmarked(value: &Json) -> Json {
    match value {
        Json::String(text) => json!(text.strip_prefix(BASE64_MARK).unwrap_or(text)),
        Json::Array(items) => items.iter().map(unmarked).collect(),
        Json::Object(map) => map.iter().map(|(key, value)| (key.clone(), unmarked(value))).collect(),
        other => other.clone(),
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
        "metadata": unmarked(&found.metadata),
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

/// A server of some files; what it does not have it refuses, but for the address that is down at first.
struct Server {
    files: BTreeMap<&'static str, &'static str>,
    down: std::sync::Mutex<u32>,
}

impl Transport for Server {
    fn send(&self, request: &Request<'_>) -> Result<Response, Error> {
        let mut down = self.down.lock().unwrap();
        if *down > 0 {
            *down -= 1;
            return Ok(Response { status: 503, headers: Vec::new(), body: Vec::new() });
        }
        let body = self.files.get(request.url);
        Ok(Response {
            status: if body.is_some() { 200 } else { 404 },
            headers: Vec::new(),
            body: body.copied().unwrap_or_default().into(),
        })
    }
}

fn pending(line: &str, serial: &str) -> nocloud::Outcome {
    let tree = Tree::new().with("/sys/class/dmi/id/product_serial", format!("{serial}\n"));
    let made = Made { tree, devices: Vec::new() };
    let config = Map::new();
    let question = nocloud::Question { local: &made, command_line: line, container: false, config: &config };
    nocloud::read(&question)
}

#[test]
fn the_rest_of_a_seed_comes_over_the_network() {
    let server = |down: u32| Server {
        files: BTreeMap::from([
            ("http://10.0.0.1/x-SN7/meta-data", "instance-id: far\nlocal-hostname: far\n"),
            ("http://10.0.0.1/x-SN7/user-data", "#cloud-config\n{}\n"),
            ("http://10.0.0.1/half/meta-data", "instance-id: half\n"),
            ("http://10.0.0.1/q?f=user-data", "#q\n"),
            ("http://10.0.0.1/q?f=meta-data", "[]\n"),
            ("http://10.0.0.1/q?f=vendor-data", "#v\n"),
            ("http://10.0.0.1/q?f=network-config", "version: 2\n"),
        ]),
        down: std::sync::Mutex::new(down),
    };
    let fetch = |outcome: nocloud::Outcome, server: &Server, attempts: u32| {
        let nocloud::Outcome::NeedsNetwork(pending) = outcome else { panic!("{outcome:?}") };
        let mut left = attempts;
        pending.fetch(server, &mut || {
            left = left.saturating_sub(1);
            left > 0
        })
    };
    let line = "ro ds=nocloud;s=http://10.0.0.1/x-__dmi.system-serial-number__;h=near";
    let nocloud::Outcome::Found(seed) = fetch(pending(line, "SN7"), &server(2), 9) else { panic!() };
    // What the command line says of the metadata is stronger.
    assert_eq!(seed.found.known.local_hostname.as_deref(), Some("near"));
    assert_eq!(seed.found.instance_id, "far");
    assert_eq!(seed.found.user_data.as_deref(), Some(&b"#cloud-config\n{}\n"[..]));
    assert_eq!(seed.found.vendor_data, None);
    let wanted = "DataSourceNoCloudNet [seed=cmdline,http://10.0.0.1/x-SN7]";
    assert_eq!((seed.found.shown.as_str(), seed.mode), (wanted, Mode::Network));

    let nocloud::Outcome::Found(seed) =
        fetch(pending("", "ds=nocloud;s=http://10.0.0.1/q?f=%s"), &server(0), 1)
    else {
        panic!()
    };
    assert_eq!(seed.found.instance_id, "nocloud");
    assert_eq!(seed.found.network, Some(Network::Yaml("version: 2\n".to_owned())));
    assert_eq!(seed.found.vendor_data.as_deref(), Some(&b"#v\n"[..]));

    for (line, down, why) in [
        ("ds=nocloud;s=http://10.0.0.1/half", 0, "status 404"),
        ("ds=nocloud;s=http://10.0.0.1/x-SN7", 9, "status 503"),
        ("ds=nocloud;s=ftp://10.0.0.1/x", 0, "ftp"),
    ] {
        let outcome = fetch(pending(line, ""), &server(down), 2);
        assert!(matches!(&outcome, nocloud::Outcome::Unusable(said) if said.contains(why)), "{outcome:?}");
    }
}

#[test]
fn an_address_that_nobody_vouches_for_is_not_asked() {
    let disk = Tree::new().with("/meta-data", "seedfrom: http://10.0.0.1/\n").with("/user-data", "");
    let device = BlockDevice {
        path: "/dev/vdb".to_owned(),
        file_system: "vfat".to_owned(),
        label: "cidata".to_owned(),
        ..BlockDevice::default()
    };
    let made = Made { tree: Tree::new(), devices: vec![(device, Some(disk))] };
    let ask = |line: &str, config: &str| {
        let Kind::Map(config) = Value::load(config, 0).unwrap().kind else { panic!() };
        let question =
            nocloud::Question { local: &made, command_line: line, container: false, config: &config };
        nocloud::read(&question)
    };
    assert!(matches!(ask("", "{}"), nocloud::Outcome::Unusable(_)));
    assert!(matches!(ask("ro", "{datasource_list: [NoCloud, None]}"), nocloud::Outcome::Unusable(_)));
    for (line, config) in [
        ("ci.ds=NoCloud", "{}"),
        ("ds=nocloud-net", "{}"),
        ("", "{datasource_list: [NoCloud]}"),
        ("", "{datasource: {NoCloud: {seedfrom: 'http://10.0.0.1/'}}}"),
    ] {
        assert!(matches!(ask(line, config), nocloud::Outcome::NeedsNetwork(_)), "{line} {config}");
    }
}

#[test]
fn the_id_that_tells_that_nothing_changed() {
    let seeded = Tree::new().with("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: 7\n");
    assert_eq!(nocloud::quick_instance_id(&seeded, "ds=nocloud;i=line").as_deref(), Some("line"));
    assert_eq!(nocloud::quick_instance_id(&seeded, "ro").as_deref(), Some("7"));
    assert_eq!(nocloud::quick_instance_id(&Tree::new(), "ro"), None);
}

/// What a drive injects stays in memory: there is an end to it.
#[test]
fn a_config_drive_injects_no_more_than_fits() {
    let drive = |count: usize| {
        let path = "/openstack/latest/meta_data.json";
        let items: Vec<Json> = (0..count)
            .map(|number| json!({"path": format!("/f{number}"), "content_path": "/content/0000"}))
            .collect();
        let metadata = json!({"uuid": "i-1", "files": items}).to_string();
        let tree = Tree::new().with(path, metadata).with("/openstack/content/0000", vec![b'x'; 1 << 20]);
        let device = BlockDevice {
            path: "/dev/vdb".to_owned(),
            file_system: "iso9660".to_owned(),
            label: "config-2".to_owned(),
            ..BlockDevice::default()
        };
        config_drive::read(&Made { tree: Tree::new(), devices: vec![(device, Some(tree))] }, &Map::new())
    };
    assert!(matches!(drive(4), config_drive::Outcome::Found(seed) if seed.found.files.len() == 4));
    let config_drive::Outcome::None(notes) = drive(5) else { panic!("five times 1 MiB are taken") };
    assert!(notes.iter().any(|note| note.contains("more than 4 MiB")), "{notes:?}");
}
