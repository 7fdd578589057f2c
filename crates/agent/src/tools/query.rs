//! `cloud-init query` (`cloudinit/cmd/query.py`): what is known about the instance, for scripts. Others than
//! root get what is for everybody.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hardtack_userdata::gunzip;
use hardtack_userdata::limits;
use hardtack_userdata::template;
use hardtack_userdata::template::variables::{alias, lifted, variables};
use serde_json::{Map, Value as Json};

use super::arguments::{Opt, flag, value};
use super::{World, Wrong, arguments};
use crate::host::Host;
use crate::instance::LINK;
use crate::instance_data::{COMBINED, OPEN, REDACTED, SENSITIVE, read};
use crate::python_json::dumps;

pub(super) const HELP: &str = "\
usage: cloud-init query [-h] [-d] [-i FILE] [-l] [-u FILE] [-v FILE] [-a]
                        [-f FORMAT] [varname]

Tell what is known about this instance, as JSON. A value that is text is
written as it is, one that is neither text nor JSON as ci-b64: and base64.

  varname                   which value: v1.local_hostname, ds.meta_data,
                            userdata, vendordata...
  -a, --all                 all of them
  -l, --list-keys           only the names below varname, or at the top
  -f, --format FORMAT       a Jinja template that is filled in:
                            '{{ v1.cloud_name }}'
  -i, --instance-data FILE  read FILE instead of
                            /run/cloud-init/instance-data.json
  -u, --user-data FILE      read FILE instead of
                            /var/lib/cloud/instance/user-data.txt
  -v, --vendor-data FILE    read FILE instead of
                            /var/lib/cloud/instance/vendor-data.txt
  -d, --debug               changes nothing here
";

const OPTIONS: [Opt; 7] = [
    flag("debug", Some('d')),
    value("instance-data", Some('i')),
    flag("list-keys", Some('l')),
    value("user-data", Some('u')),
    value("vendor-data", Some('v')),
    flag("all", Some('a')),
    value("format", Some('f')),
];

pub(super) fn run(
    world: &World<'_>,
    arguments: &[String],
    out: &mut dyn Write,
    complain: &mut dyn Write,
) -> Result<u8, Wrong> {
    let given = arguments::parse(&OPTIONS, 1, arguments).map_err(Wrong::Call)?;
    let name = given.words.first().map(String::as_str).filter(|name| !name.is_empty());
    let format = given.get("format").filter(|format| !format.is_empty());
    let answer = if name.is_none() && format.is_none() && !given.has("list-keys") && !given.has("all") {
        let _ = complain.write_all(HELP.as_bytes());
        Err("expected one of --all, --format, --list-keys or the name of a value".to_owned())
    } else {
        data(world, given.get("instance-data"), given.get("user-data"), given.get("vendor-data"), complain)
            .and_then(|data| match format {
                Some(format) => render(format, &data, complain),
                None => look_up(&data, name, given.has("list-keys")),
            })
    };
    match answer {
        Ok(text) => {
            let _ = writeln!(out, "{text}");
            Ok(0)
        }
        Err(sentence) => {
            let _ = writeln!(complain, "cloud-init query: {sentence}");
            Ok(1)
        }
    }
}

/// Instance data with user-data, vendor-data and the configuration beside it.
fn data(
    world: &World<'_>,
    from: Option<&str>,
    user: Option<&str>,
    vendor: Option<&str>,
    complain: &mut dyn Write,
) -> Result<Map<String, Json>, String> {
    let host = world.host;
    let path = match from {
        Some(path) => path,
        None if world.is_root && host.exists(SENSITIVE) => SENSITIVE,
        None => {
            if world.is_root {
                let _ =
                    writeln!(complain, "cloud-init query: {SENSITIVE} is missing: {OPEN} is read instead");
            }
            OPEN
        }
    };
    let bytes = std::fs::read(host.path(path)).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => format!("{path} cannot be read: try sudo"),
        _ => format!("{path} cannot be read: {error}"),
    })?;
    let Ok(Json::Object(mut data)) = serde_json::from_slice(&bytes) else {
        return Err(format!("{path} is no JSON object"));
    };
    let (user_default, vendor_default) = (format!("{LINK}/user-data.txt"), format!("{LINK}/vendor-data.txt"));
    let user = user.unwrap_or(&user_default);
    let vendor = vendor.unwrap_or(&vendor_default);
    for (name, path) in [("userdata", user), ("vendordata", vendor)] {
        let value = if world.is_root { text(host, path) } else { hidden(path) };
        data.insert(name.to_owned(), value);
    }
    let combined = if world.is_root { read(host, COMBINED).unwrap_or(Json::Null) } else { hidden(COMBINED) };
    data.insert("combined_cloud_config".to_owned(), combined);
    Ok(data)
}

fn hidden(path: &str) -> Json {
    format!("<{REDACTED}> file:{path}").into()
}

/// A file's text, unpacked if it is none; a missing one is empty.
fn text(host: &Host, path: &str) -> Json {
    let bytes = std::fs::read(host.path(path)).unwrap_or_default();
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return text.into(),
        Err(error) => error.into_bytes(),
    };
    let unpacked =
        gunzip::gunzip(&bytes, limits::UNPACKED).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    unpacked.unwrap_or_else(|| format!("ci-b64:{}", BASE64.encode(&bytes))).into()
}

fn render(format: &str, data: &Map<String, Json>, complain: &mut dyn Write) -> Result<String, String> {
    let template = format!("## template: jinja\n{format}");
    let rendered =
        template::render(&template, &Json::Object(data.clone())).map_err(|error| error.to_string())?;
    let missing: Vec<String> = rendered
        .split_whitespace()
        .flat_map(|word| word.split(template::MISSING).skip(1))
        .map(|name| format!("'{name}'"))
        .collect();
    if !missing.is_empty() {
        let _ = writeln!(complain, "cloud-init query: there is nothing of the name {}", missing.join(", "));
    }
    if rendered.is_empty() { Err("the template renders to nothing".to_owned()) } else { Ok(rendered) }
}

/// A value, all of them, or the names below.
fn look_up(data: &Map<String, Json>, name: Option<&str>, names_only: bool) -> Result<String, String> {
    let mut found = Json::Object(lifted(&Json::Object(data.clone())).into_iter().collect());
    if let Some(name) = name {
        let mut aliases: Json = Json::Object(variables(&Json::Object(data.clone())).into_iter().collect());
        let mut walked = String::new();
        for piece in name.split('.') {
            aliases = aliases.as_object_mut().and_then(|map| map.remove(piece)).ok_or_else(|| {
                if walked.is_empty() {
                    format!("there is no {name:?}; `cloud-init query --list-keys` shows what there is")
                } else {
                    format!("{walked:?} has no {piece:?}")
                }
            })?;
            if let Json::Object(mut map) = found {
                // What has an operator in its name may be asked for by another one.
                let key = match map.contains_key(piece) {
                    true => Some(piece.to_owned()),
                    false => map.keys().find(|key| alias(key) == piece).cloned(),
                };
                found = key.and_then(|key| map.remove(&key)).unwrap_or(Json::Null);
            }
            if !walked.is_empty() {
                walked.push('.');
            }
            walked.push_str(piece);
        }
    }
    if names_only {
        let Some(map) = found.as_object() else {
            return Err(format!("{:?} has no names below it", name.unwrap_or_default()));
        };
        let mut names: Vec<&str> = map.keys().map(String::as_str).collect();
        names.sort_unstable();
        return Ok(names.join("\n"));
    }
    Ok(match found {
        Json::String(text) => text,
        other => dumps(&other, 1),
    })
}
