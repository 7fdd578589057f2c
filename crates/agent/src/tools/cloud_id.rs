//! `cloud-id` (`cloudinit/cmd/cloud_id.py`): the cloud's name in one word.

use std::io::Write;

use serde_json::Value as Json;

use super::arguments::{Opt, flag, value};
use super::status::{Running, details};
use super::{World, Wrong, arguments};
use crate::instance_data::{OPEN, cloud_id};
use crate::python_json::dumps;

pub(super) const HELP: &str = "\
usage: cloud-id [-h] [-j] [-l] [-i FILE]

Tell the name of the cloud that this machine runs on.

  -j, --json                everything that is told of every cloud, as JSON
  -l, --long                the region, too
  -i, --instance-data FILE  read it from FILE
                            (/run/cloud-init/instance-data.json)

Exit status: 0 told, 1 not known, 2 cloud-init is disabled, 3 it has not run.
";

const OPTIONS: [Opt; 3] =
    [flag("json", Some('j')), flag("long", Some('l')), value("instance-data", Some('i'))];

pub(super) fn run(
    world: &World<'_>,
    arguments: &[String],
    out: &mut dyn Write,
    complain: &mut dyn Write,
) -> Result<u8, Wrong> {
    const UNKNOWN: &str = "unknown";
    let given = arguments::parse(&OPTIONS, 0, arguments).map_err(Wrong::Call)?;
    let running = details(world).map_err(Wrong::Machine)?.running;
    let code = match running {
        Running::Disabled => 2,
        Running::NotStarted => 3,
        Running::AtWork | Running::Done => 0,
    };
    if code != 0 {
        let _ = writeln!(out, "{}", running.word());
        return Ok(code);
    }
    let path = given.get("instance-data").unwrap_or(OPEN);
    let Ok(bytes) = std::fs::read(world.host.path(path)) else {
        let _ = writeln!(
            complain,
            "Error:\nFile not found '{path}'. Provide a path to instance data json file using --instance-data"
        );
        return Ok(1);
    };
    let Ok(Json::Object(mut data)) = serde_json::from_slice(&bytes) else {
        let _ = writeln!(complain, "Error:\nFile '{path}' is not valid json.");
        return Ok(1);
    };
    let mut v1 = match data.remove("v1") {
        Some(Json::Object(v1)) => v1,
        _ => serde_json::Map::new(),
    };
    let get = |name: &str| v1.get(name).map_or(UNKNOWN, |value| value.as_str().unwrap_or_default());
    let id = cloud_id(get("cloud_name"), get("region"), get("platform"));
    let text = if given.has("json") {
        let _ = writeln!(complain, "DEPRECATED: Use: cloud-init query v1");
        v1.insert("cloud_id".to_owned(), id.into());
        dumps(&Json::Object(v1), 1)
    } else if given.has("long") {
        let region = match v1.get("region") {
            None => UNKNOWN,
            Some(Json::Null) => "None",
            Some(other) => other.as_str().unwrap_or_default(),
        };
        format!("{id}\t{region}")
    } else {
        id
    };
    let _ = writeln!(out, "{text}");
    Ok(0)
}
