//! Version 1 of the config drive: three files, and the user's data in `meta.js`
//! (`cloudinit/sources/helpers/openstack.py`: `ConfigDriveReader.read_v1`).

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Key, Kind, Map, Value, python};

use super::{Drive, Failed, json_object};
use crate::metadata;
use crate::openstack_tree::Tree;

pub(super) fn read(read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Drive, Failed> {
    let (interfaces, meta, keys) =
        (read("etc/network/interfaces"), read("meta.js"), read("root/.ssh/authorized_keys"));
    if interfaces.is_none() && meta.is_none() && keys.is_none() {
        return Err(Failed::Absent);
    }
    let meta = match meta {
        None => Map::new(),
        Some(bytes) => {
            json_object(&bytes).ok_or_else(|| Failed::Broken("meta.js is no JSON object".to_owned()))?
        }
    };
    // As in cloud-init, a file's content is bytes and a missing file an empty text.
    let content = |bytes: Option<Vec<u8>>| Value::new(bytes.map_or(Kind::Text(String::new()), Kind::Bytes));
    let value = |text: &str| Value::new(Kind::Text(text.to_owned()));
    let injected = String::from_utf8_lossy(keys.as_deref().unwrap_or_default()).into_owned();
    let mut whole = Map::new();
    metadata::set(&mut whole, "network_config", content(interfaces));
    metadata::set(&mut whole, "meta_js", Value::new(Kind::Map(meta.clone())));
    metadata::set(&mut whole, "authorized_keys", content(keys));
    // Keys in meta.js win over those that were put into the image.
    let lines = match meta.get(&Key::text("public-keys")) {
        Some(given) if truthy(given) => match given.as_text() {
            Some(text) => text.to_owned(),
            None => return Err(Failed::Broken("the public-keys of meta.js are no text".to_owned())),
        },
        Some(_) => String::new(),
        None => injected,
    };
    if !lines.is_empty() {
        let lines = python::lines(&lines).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|(_, line)| value(line)).collect();
        metadata::set(&mut whole, "public-keys", Value::new(Kind::List(lines)));
    }
    if let Some(id) = meta.get(&Key::text("instance-id")) {
        metadata::set(&mut whole, "instance-id", id.clone());
    }
    let user_data =
        meta.get(&Key::text("user-data")).and_then(Value::as_text).filter(|text| !text.is_empty());
    let tree = Tree {
        version: "1".to_owned(),
        metadata: whole,
        user_data: user_data.map(|text| text.as_bytes().to_vec()),
        vendor_data: None,
        vendor_data2: None,
        network: None,
        interfaces: None,
        files: Vec::new(),
        dsmode: meta.get(&Key::text("dsmode")).cloned(),
        random_seed: None,
        notes: Vec::new(),
    };
    Ok(Drive { version: 1, tree, ec2: Map::new() })
}
