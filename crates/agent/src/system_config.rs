//! What the image and the kernel's command line configure, below user-data and vendor-data
//! (`cloudinit/stages.py`, `fetch_base_config`; `cloudinit/util.py`, `read_conf_with_confd`,
//! `read_conf_from_cmdline`).

use hardtack_modules::Machine;
use hardtack_userdata::{Kind, Map, Value, kernel_command_line, layers};

use crate::log::Log;

/// The image's configuration.
const MAIN: &str = "/etc/cloud/cloud.cfg";
/// Its drop-ins, the last of which wins.
const DROP_INS: &str = "/etc/cloud/cloud.cfg.d";
/// What this boot adds.
const RUNTIME: &str = "/run/cloud-init/cloud.cfg";

/// The configuration of the machine itself.
pub(crate) fn read(machine: &dyn Machine, log: &Log) -> Map {
    let line = command_line(machine);
    let mut layers = vec![parse("the kernel's command line", &kernel_command_line::cloud_config(&line), log)];
    layers.extend(file(machine, RUNTIME, log));
    let drop_ins: Vec<String> =
        machine.list(DROP_INS).into_iter().filter(|name| name.ends_with(".cfg")).collect();
    for name in drop_ins.iter().rev() {
        layers.extend(file(machine, &format!("{DROP_INS}/{name}"), log));
    }
    layers.extend(file(machine, MAIN, log));
    layers::effective(&layers.iter().collect::<Vec<_>>())
}

/// `/proc/cmdline`, one line.
pub(crate) fn command_line(machine: &dyn Machine) -> String {
    let bytes = machine.read("/proc/cmdline").unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn file(machine: &dyn Machine, path: &str, log: &Log) -> Option<Map> {
    let bytes = machine.read(path)?;
    Some(parse(path, &String::from_utf8_lossy(&bytes), log))
}

/// A mapping, or nothing and a warning.
fn parse(name: &str, text: &str, log: &Log) -> Map {
    if text.trim().is_empty() {
        return Map::new();
    }
    match Value::load(text, 0).map(|value| value.kind) {
        Ok(Kind::Map(map)) => map,
        Ok(Kind::Null) => Map::new(),
        Ok(_) => {
            log.warn(&format!("{name}: not a mapping, so nothing of it counts"));
            Map::new()
        }
        Err(findings) => {
            let message = findings.first().map_or_else(String::new, |finding| finding.message.clone());
            log.warn(&format!("{name}: {message}; nothing of it counts"));
            Map::new()
        }
    }
}
