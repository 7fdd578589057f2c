//! Keys of old releases (`convert_to_v3_apt_format`).

use hardtack_userdata::{Finding, Key, Kind, Map, Value};

use super::Failed;
use crate::reading::{self, get};

/// Old key, and what it is called below `apt`. That the ftp and https proxies are crossed is cloud-init's
/// way; `None` is part of a mirror.
const OLD: [(&str, Option<&str>); 11] = [
    ("apt_sources", Some("sources")),
    ("apt_mirror", None),
    ("apt_mirror_search", None),
    ("apt_mirror_search_dns", None),
    ("apt_proxy", Some("proxy")),
    ("apt_http_proxy", Some("http_proxy")),
    ("apt_ftp_proxy", Some("https_proxy")),
    ("apt_https_proxy", Some("ftp_proxy")),
    ("apt_preserve_sources_list", Some("preserve_sources_list")),
    ("apt_custom_sources_list", Some("sources_list")),
    ("add_apt_repo_match", Some("add_apt_repo_match")),
];

/// What stands below `apt`, or would, were the old keys written so.
pub(super) fn converted(config: &Map) -> Result<Map, Failed> {
    let mut old: Vec<(&str, Option<&str>, Value)> = Vec::new();
    for (name, new) in OLD {
        let Some(value) = get(config, name) else { continue };
        // An empty `apt_sources` is looked at before empty keys are dropped.
        if value.is_null() || (value.as_text() == Some("") && name != "apt_sources") {
            continue;
        }
        let value = if name == "apt_sources" { sources(value)? } else { value.clone() };
        old.push((name, new, value));
    }
    if let Some(value) = get(config, "apt").filter(|value| !value.is_null()) {
        let Some(apt) = value.as_map() else {
            return Err(Box::new(reading::wrong(value, "apt", "a mapping")));
        };
        for (name, new, value) in &old {
            let Some(known) = new.and_then(|new| get(apt, new)).filter(|known| !known.is_null()) else {
                continue;
            };
            if known.to_python_repr() != value.to_python_repr() {
                let place = reading::place(config, name);
                let message = format!("`{name}` and `apt.{}` say different things", new.unwrap_or_default());
                let finding = Finding::error(reading::UNUSABLE, place, message).at(*name);
                return Err(Box::new(finding.with_hint(format!("take out `{name}`"))));
            }
        }
        return Ok(apt.clone());
    }
    if let Some(value) = get(config, "apt")
        && old.is_empty()
    {
        return Err(Box::new(reading::wrong(value, "apt", "a mapping")));
    }
    let mut apt = Map::new();
    let mut mirror = Map::new();
    for (name, new, value) in old {
        match new {
            Some(new) => {
                apt.insert(Key::text(new), value);
            }
            None => {
                let inner = match name {
                    "apt_mirror" => "uri",
                    "apt_mirror_search" => "search",
                    _ => "search_dns",
                };
                mirror.insert(Key::text(inner), value);
            }
        }
    }
    if !mirror.is_empty() {
        let default = Value::new(Kind::List(vec![Value::new(Kind::Text("default".to_owned()))]));
        mirror.insert(Key::text("arches"), default);
        apt.insert(Key::text("primary"), Value::new(Kind::List(vec![Value::new(Kind::Map(mirror))])));
    }
    Ok(apt)
}

/// A list of sources as a mapping of file names to sources.
fn sources(value: &Value) -> Result<Value, Failed> {
    let list = match &value.kind {
        Kind::Map(_) => return Ok(value.clone()),
        Kind::List(list) => list,
        _ => return Err(Box::new(reading::wrong(value, "apt_sources", "a list of sources"))),
    };
    const FILE: &str = "cloud_config_sources.list";
    let mut map = Map::new();
    for (index, entry) in list.iter().enumerate() {
        let Some(fields) = entry.as_map() else {
            return Err(Box::new(reading::wrong(
                entry,
                &format!("apt_sources.{index}"),
                "a mapping with `source`",
            )));
        };
        let mut fields = fields.clone();
        let key = match get(&fields, "filename") {
            Some(name) => name.to_python_str(),
            None => {
                fields.insert(Key::text("filename"), Value::new(Kind::Text(FILE.to_owned())));
                format!("{FILE}_{index}")
            }
        };
        map.insert(Key::text(key), Value { place: entry.place, kind: Kind::Map(fields) });
    }
    Ok(Value { place: value.place, kind: Kind::Map(map) })
}
