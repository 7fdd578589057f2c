//! What is known about the instance, as templates, `cloud-init query` and other software read it
//! (`cloudinit/sources/__init__.py`: `persist_instance_data`, `process_instance_metadata`,
//! `redact_sensitive_keys`; `cloudinit/stages.py`: the combined configuration; `cloudinit/util.py`:
//! `system_info`).
//!
//! `/run/cloud-init/instance-data-sensitive.json` is root's, `instance-data.json` is everybody's and has a
//! sentence where a secret would be. Two things differ from cloud-init's: `python_version` is that of the image's
//! Python, `3.11`, or empty, and platforms are told without the version of libc.

use std::os::unix::fs::symlink;

use hardtack_datasource::metadata::{BASE64_MARK, map_to_json};
use hardtack_datasource::{Found, Source};
use hardtack_modules::{Distro, Machine, hostname};
use hardtack_userdata::Map;
use serde_json::{Map as Object, Value as Json, json};

use crate::accounts::replace_unsynced;
use crate::error::AgentError;
use crate::host::Host;
use crate::instance::{CLOUD, RUN};
use crate::python_json::dumps;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "redacted for non-root user";
/// For everybody.
pub(crate) const OPEN: &str = "/run/cloud-init/instance-data.json";
/// For root.
pub(crate) const SENSITIVE: &str = "/run/cloud-init/instance-data-sensitive.json";
/// User-data over vendor-data over the image's configuration, for root.
pub(crate) const COMBINED: &str = "/run/cloud-init/combined-cloud-config.json";

/// Keys, or paths of keys, that only root may see (`sensitive_metadata_keys`).
const SECRET: [&str; 10] = [
    "combined_cloud_config",
    "merged_cfg",
    "merged_system_cfg",
    "security-credentials",
    "userdata",
    "user-data",
    "user_data",
    "vendordata",
    "vendor-data",
    "ds/vendor_data",
];
/// Deeper than what any reader of metadata lets through.
const DEPTH: usize = 128;

/// Everything that is known: what templates are rendered with, and what [`write`] writes. `system` is the
/// configuration of the image and of the kernel's command line.
pub(crate) fn value(found: &Found, machine: &dyn Machine, distro: &Distro, system: &Map) -> Json {
    let system = with_builtin(map_to_json(system));
    let documented = |text: &str| {
        let mut config = system.clone();
        config.insert("_doc".to_owned(), text.into());
        Json::Object(config)
    };
    let info = system_info(machine, distro);
    let mut whole = Object::new();
    whole.insert("ds".to_owned(), data_source(found));
    whole.insert("merged_cfg".to_owned(), documented("deprecated: merged_system_cfg holds the same"));
    let text = "/etc/cloud/cloud.cfg, its drop-ins and the kernel's command line together";
    whole.insert("merged_system_cfg".to_owned(), documented(text));
    whole.insert("v1".to_owned(), standard(found, machine, &info));
    whole.insert("sys_info".to_owned(), info);
    let mut base64 = Vec::new();
    let mut secret = Vec::new();
    catalogue(&mut whole, "", 0, &mut base64, &mut secret);
    base64.sort_unstable();
    secret.sort_unstable();
    whole.insert("base64_encoded_keys".to_owned(), json!(base64));
    whole.insert("sensitive_keys".to_owned(), json!(secret));
    Json::Object(whole)
}

/// Writes both files and `cloud-id`.
pub(crate) fn write(host: &Host, value: &Json) -> Result<(), AgentError> {
    let id = value.get("v1").and_then(|v1| v1.get("cloud_id")).and_then(Json::as_str).unwrap_or("none");
    cloud_id_file(host, id)?;
    put(host, SENSITIVE, value, 0o600)?;
    put(host, OPEN, &redacted(value), 0o644)
}

/// Writes the configuration that holds, `combined`, and notes besides what only `system` says of the machine.
pub(crate) fn write_combined(host: &Host, combined: &Map, system: &Map) -> Result<(), AgentError> {
    let info = with_builtin(map_to_json(system)).remove("system_info").unwrap_or(Json::Null);
    let mut whole = with_builtin(map_to_json(combined));
    whole.insert("_doc".to_owned(), "user-data over vendor-data over the image's configuration".into());
    whole.insert("system_info".to_owned(), info.clone());
    whole.insert("features".to_owned(), features());
    put(host, COMBINED, &Json::Object(whole), 0o600)?;
    let Some(mut known) = read(host, SENSITIVE) else { return Ok(()) };
    if let Some(known) = known.as_object_mut() {
        known.insert("system_info".to_owned(), info);
        known.insert("features".to_owned(), features());
    }
    put(host, SENSITIVE, &known, 0o600)
}

/// A JSON file of ours; user-data may make it larger than what [`Host::read`] takes.
pub(crate) fn read(host: &Host, path: &str) -> Option<Json> {
    serde_json::from_slice(&std::fs::read(host.path(path)).ok()?).ok()
}

fn put(host: &Host, path: &str, value: &Json, mode: u32) -> Result<(), AgentError> {
    replace_unsynced(&host.path(path), (dumps(value, 1) + "\n").as_bytes(), mode)
}

/// What cloud-init takes where nothing is configured (`cloudinit/settings.py`, `CFG_BUILTIN`), below `config`.
fn with_builtin(config: Json) -> Object<String, Json> {
    let sources =
        [Source::NoCloud, Source::ConfigDrive, Source::Ec2, Source::OpenStack, Source::Gce, Source::None];
    let mut builtin = json!({
        "datasource_list": sources.map(Source::list_name),
        "def_log_file": "/var/log/cloud-init.log",
        "log_cfgs": [],
        "syslog_fix_perms": ["syslog:adm", "root:adm", "root:wheel", "root:root"],
        "system_info": {
            "distro": "ubuntu",
            "network": { "renderers": null },
            "paths": {
                "cloud_dir": CLOUD,
                "docs_dir": "/usr/share/doc/cloud-init/",
                "templates_dir": "/etc/cloud/templates/",
            },
        },
        "vendor_data": { "enabled": true, "prefix": [] },
        "vendor_data2": { "enabled": true, "prefix": [] },
    });
    lay(&mut builtin, config);
    match builtin {
        Json::Object(config) => config,
        _ => Object::new(),
    }
}

/// Mappings are merged, everything else of `over` wins.
fn lay(below: &mut Json, over: Json) {
    match (below, over) {
        (Json::Object(below), Json::Object(over)) => {
            for (key, value) in over {
                match below.get_mut(&key) {
                    Some(known) => lay(known, value),
                    None => {
                        below.insert(key, value);
                    }
                }
            }
        }
        (below, over) => *below = over,
    }
}

/// What cloud-init calls its features, with the values that this program behaves by
/// (`cloudinit/features.py`).
fn features() -> Json {
    json!({
        "DEPRECATION_INFO_BOUNDARY": "devel",
        "ERROR_ON_USER_DATA_FAILURE": true,
        "EXPIRE_APPLIES_TO_HASHED_USERS": true,
        "MANUAL_NETWORK_WAIT": true,
        "NETPLAN_CONFIG_ROOT_READ_ONLY": true,
        "NOCLOUD_SEED_URL_APPEND_FORWARD_SLASH": true,
        "STRIP_INVALID_MTU": false,
    })
}

/// What is below `ds`: the metadata by the name that the data source has for it.
fn data_source(found: &Found) -> Json {
    let name = match found.source {
        Source::Ec2 => "meta-data",
        Source::OpenStack => "metadata",
        _ => "meta_data",
    };
    let mut ds = Object::new();
    ds.insert(name.to_owned(), found.metadata.clone());
    if let Json::Object(extra) = &found.extra {
        ds.extend(extra.clone());
    }
    if matches!(found.source, Source::Ec2 | Source::OpenStack) {
        ds.remove("user-data");
        ds.remove("vendor-data");
    }
    ds.insert("_doc".to_owned(), "what is below `ds` differs from cloud to cloud, and may change".into());
    Json::Object(ds)
}

/// The same for every cloud.
fn standard(found: &Found, machine: &dyn Machine, info: &Json) -> Json {
    let known = &found.known;
    let facts = found.facts();
    let (local_hostname, _) = hostname::names_of_cloud(&facts, machine);
    let region = known.region.as_deref();
    json!({
        "_beta_keys": ["subplatform"],
        "availability-zone": known.availability_zone,
        "availability_zone": known.availability_zone,
        "cloud-name": found.cloud_name,
        "cloud_id": cloud_id(&found.cloud_name, region.unwrap_or_default(), &found.platform),
        "cloud_name": found.cloud_name,
        "distro": info["dist"][0],
        "distro_release": info["dist"][2],
        "distro_version": info["dist"][1],
        "instance-id": found.instance_id,
        "instance_id": found.instance_id,
        "kernel_release": info["uname"][2],
        "local-hostname": local_hostname,
        "local_hostname": local_hostname,
        "machine": info["uname"][4],
        "platform": found.platform,
        "public_ssh_keys": known.public_keys,
        "python_version": info["python"],
        "region": region,
        "subplatform": found.subplatform,
        "system_platform": info["platform"],
        "variant": info["variant"],
    })
}

/// The cloud's name for people (`canonical_cloud_id`): regions in China and the government's are their own.
pub(crate) fn cloud_id(cloud_name: &str, region: &str, platform: &str) -> String {
    const UNKNOWN: &str = "unknown";
    let name = match cloud_name {
        "" | UNKNOWN => None,
        name => Some(name),
    };
    let own = match name {
        Some("aws") if region.starts_with("cn-") => Some("aws-china"),
        Some("aws") if region.starts_with("us-gov-") => Some("aws-gov"),
        Some("azure") if region.starts_with("china") => Some("azure-china"),
        _ => None,
    };
    own.or(name).unwrap_or(platform).to_owned()
}

/// Kernel and distribution.
fn system_info(machine: &dyn Machine, distro: &Distro) -> Json {
    let uname = rustix::system::uname();
    let field = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let (system, release) = (field(uname.sysname()), field(uname.release()));
    let architecture = field(uname.machine());
    let name = if distro.id == "rhel" { "redhat" } else { &distro.id };
    let flavour = match distro.id.as_str() {
        id if id.contains("sles") || id.contains("suse") => architecture.clone(),
        "alpine" | "photon" | "virtuozzo" => pretty_name(machine),
        _ => distro.codename.clone(),
    };
    json!({
        "dist": [name, distro.version, flavour],
        "platform": format!("{system}-{release}-{architecture}"),
        "python": python(machine),
        "release": release,
        "system": system,
        "uname": [system, field(uname.nodename()), release, field(uname.version()), architecture, ""],
        "variant": distro.variant,
    })
}

fn pretty_name(machine: &dyn Machine) -> String {
    let bytes = machine.read("/etc/os-release").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
}

/// `3.11`, the newest Python of the image: what templates make the names of packages and directories of.
fn python(machine: &dyn Machine) -> String {
    let names = machine.list("/usr/bin");
    let minors = names.iter().filter_map(|name| name.strip_prefix("python3.")?.parse::<u16>().ok());
    minors.max().map_or_else(String::new, |minor| format!("3.{minor}"))
}

/// Takes the marks of bytes away, and notes where they were and where secrets are.
fn catalogue(
    map: &mut Object<String, Json>,
    above: &str,
    depth: usize,
    base64: &mut Vec<String>,
    secret: &mut Vec<String>,
) {
    if depth > DEPTH {
        map.clear();
        return;
    }
    for (key, value) in map.iter_mut() {
        let path = if above.is_empty() { key.clone() } else { format!("{above}/{key}") };
        if is_secret(key, &path) {
            secret.push(path.clone());
        }
        match value {
            Json::String(text) if text.starts_with(BASE64_MARK) => {
                *text = text.replace(BASE64_MARK, "");
                base64.push(path);
            }
            Json::Object(inner) => catalogue(inner, &path, depth + 1, base64, secret),
            _ => {}
        }
    }
}

fn is_secret(key: &str, path: &str) -> bool {
    SECRET.contains(&key.to_lowercase().as_str()) || SECRET.contains(&path.to_lowercase().as_str())
}

/// The same without secrets. By the keys themselves and not by `sensitive_keys`, whose paths lead nowhere when
/// a key has a `/` in its name.
fn redacted(value: &Json) -> Json {
    fn walk(map: &Object<String, Json>, above: &str) -> Json {
        let members = map.iter().map(|(key, value)| {
            let path = if above.is_empty() { key.clone() } else { format!("{above}/{key}") };
            let value = match value {
                _ if is_secret(key, &path) => REDACTED.into(),
                Json::Object(inner) => walk(inner, &path),
                other => other.clone(),
            };
            (key.clone(), value)
        });
        Json::Object(members.collect())
    }
    value.as_object().map_or(Json::Null, |map| walk(map, ""))
}

/// `cloud-id-NAME`, and the link `cloud-id` to it.
fn cloud_id_file(host: &Host, id: &str) -> Result<(), AgentError> {
    // The metadata may name the cloud as it likes.
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let name: String = id.chars().map(|c| if plain(c) { c } else { '_' }).take(100).collect();
    let target = format!("{RUN}/cloud-id-{name}");
    replace_unsynced(&host.path(&target), format!("{id}\n").as_bytes(), 0o644)?;
    let link = host.path(&format!("{RUN}/cloud-id"));
    if let Ok(before) = std::fs::read_link(&link) {
        let before = before.to_string_lossy();
        if before == target {
            return Ok(());
        }
        // That of another cloud: the image was moved.
        if before.starts_with(&format!("{RUN}/cloud-id-")) && !before.contains("..") {
            let _ = std::fs::remove_file(host.path(&before));
        }
    }
    let _ = std::fs::remove_file(&link);
    symlink(&target, &link).map_err(|error| AgentError::io("link", &link, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::machine::Tree as Files;
    use crate::testing::Tree;
    use hardtack_datasource::found::Known;

    fn found(metadata: Json) -> Found {
        Found {
            source: Source::NoCloud,
            shown: "DataSourceNoCloud [seed=/dev/vdb]".to_owned(),
            cloud_name: "unknown".to_owned(),
            platform: "nocloud".to_owned(),
            subplatform: "config-disk (/dev/vdb)".to_owned(),
            instance_id: "i-1".to_owned(),
            metadata,
            extra: Json::Null,
            user_data: Some(b"#cloud-config\n".to_vec()),
            vendor_data: None,
            vendor_data2: None,
            network: None,
            files: Vec::new(),
            maybe_base64: false,
            known: Known {
                local_hostname: Some("vm.example.org".to_owned()),
                public_keys: vec!["ssh-ed25519 AAAA a".to_owned()],
                region: Some("r1".to_owned()),
                ..Known::default()
            },
            notes: Vec::new(),
        }
    }

    fn sample() -> Json {
        json!({
            "dsmode": "net", "instance-id": "i-1", "local-hostname": "vm.example.org",
            "nested": { "bin": "ci-b64:aGn/" }, "public-keys": ["ssh-ed25519 AAAA a"], "region": "r1",
            "user-data": "hunter2", "a/b": { "user_data": "hunter2" },
        })
    }

    fn made(tree: &Tree, found: &Found) -> Json {
        let machine = Files::new(tree.host().path("/"));
        let config =
            hardtack_userdata::Value::load("password: hunter2\nvendor_data: {enabled: false}\n", 0).unwrap();
        let hardtack_userdata::Kind::Map(system) = config.kind else { panic!("no mapping") };
        value(found, &machine, &Distro::read(&machine), &system)
    }

    fn tree() -> Tree {
        Tree::new()
            .directory("run/cloud-init")
            .file("usr/bin/python3.9", "")
            .file("usr/bin/python3.11", "")
            .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n")
    }

    /// Keys as `DataSourceNoCloud` of cloud-init 26.2 writes them for this seed.
    #[test]
    fn the_names_are_those_of_cloud_init() {
        let value = made(&tree(), &found(sample()));
        let names = |value: &Json| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(
            names(&value),
            "base64_encoded_keys ds merged_cfg merged_system_cfg sensitive_keys sys_info v1"
        );
        assert_eq!(
            names(&value["v1"]),
            "_beta_keys availability-zone availability_zone cloud-name cloud_id cloud_name distro \
             distro_release distro_version instance-id instance_id kernel_release local-hostname \
             local_hostname machine platform public_ssh_keys python_version region subplatform \
             system_platform variant"
        );
        assert_eq!(names(&value["sys_info"]), "dist platform python release system uname variant");
        assert_eq!(names(&value["ds"]), "_doc meta_data");
        assert_eq!(value["base64_encoded_keys"], json!(["ds/meta_data/nested/bin"]));
        assert_eq!(value["ds"]["meta_data"]["nested"]["bin"], "aGn/");
        assert_eq!(
            value["sensitive_keys"],
            json!([
                "ds/meta_data/a/b/user_data",
                "ds/meta_data/user-data",
                "merged_cfg",
                "merged_system_cfg"
            ])
        );
        assert_eq!(value["v1"]["cloud_id"], "nocloud");
        assert_eq!(value["v1"]["local_hostname"], "vm");
        assert_eq!(value["v1"]["availability_zone"], Json::Null);
        assert_eq!(value["v1"]["python_version"], "3.11");
        assert_eq!(value["sys_info"]["dist"], json!(["debian", "12", "bookworm"]));
        assert_eq!(value["merged_system_cfg"]["vendor_data"], json!({"enabled": false, "prefix": []}));
    }

    #[test]
    fn only_root_reads_secrets() {
        let tree = tree();
        let host = tree.host();
        write(&host, &made(&tree, &found(sample()))).unwrap();
        let mode = |path: &str| tree.metadata(path).permissions().mode() & 0o777;
        assert_eq!(mode("run/cloud-init/instance-data.json"), 0o644);
        assert_eq!(mode("run/cloud-init/instance-data-sensitive.json"), 0o600);
        assert!(!tree.read("run/cloud-init/instance-data.json").contains("hunter2"));
        assert_eq!(tree.read("run/cloud-init/instance-data-sensitive.json").matches("hunter2").count(), 4);
        let open: Json = serde_json::from_str(&tree.read("run/cloud-init/instance-data.json")).unwrap();
        assert_eq!(open["merged_cfg"], REDACTED);
        assert_eq!(open["ds"]["meta_data"]["user-data"], REDACTED);
        let empty = hardtack_userdata::Map::new();
        write_combined(&host, &empty, &empty).unwrap();
        assert_eq!(mode("run/cloud-init/combined-cloud-config.json"), 0o600);
        let after: Json =
            serde_json::from_str(&tree.read("run/cloud-init/instance-data-sensitive.json")).unwrap();
        assert_eq!(after["features"]["MANUAL_NETWORK_WAIT"], true);
        assert!(after["system_info"]["paths"].is_object());
    }

    #[test]
    fn the_clouds_name_is_a_file_and_stays_in_its_directory() {
        let tree = tree();
        let host = tree.host();
        write(&host, &json!({ "v1": { "cloud_id": "nocloud" } })).unwrap();
        let link = |host: &Host| std::fs::read_link(host.path("/run/cloud-init/cloud-id")).unwrap();
        assert_eq!(link(&host).to_str(), Some("/run/cloud-init/cloud-id-nocloud"));
        assert_eq!(tree.read("run/cloud-init/cloud-id-nocloud"), "nocloud\n");
        write(&host, &json!({ "v1": { "cloud_id": "../../etc/x" } })).unwrap();
        assert_eq!(link(&host).to_str(), Some("/run/cloud-init/cloud-id-.._.._etc_x"));
        assert!(!host.exists("/run/cloud-init/cloud-id-nocloud"));
    }

    #[test]
    fn some_regions_are_clouds_of_their_own() {
        for (name, region, platform, wanted) in [
            ("aws", "cn-north-1", "ec2", "aws-china"),
            ("aws", "us-gov-west-1", "ec2", "aws-gov"),
            ("aws", "eu-west-1", "ec2", "aws"),
            ("azure", "chinaeast", "azure", "azure-china"),
            ("unknown", "cn-north-1", "ec2", "ec2"),
            ("", "", "nocloud", "nocloud"),
        ] {
            assert_eq!(cloud_id(name, region, platform), wanted);
        }
    }
}
