//! `cloud-init clean` (`cloudinit/cmd/clean.py`): the next boot is a first one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hardtack_userdata::{Key, Kind, Map, Value};

use super::arguments::{Opt, Takes, flag};
use super::{World, Wrong, arguments};
use crate::accounts::replace;
use crate::host::Host;
use crate::instance::CLOUD;
use crate::log::Log;
use crate::machine::Tree;
use crate::system_config;

pub(super) const HELP: &str = "\
usage: cloud-init clean [-h] [-l] [--machine-id] [-r] [-s]
                        [-c {all,ssh_config,network,datasource,fstab} ...]

Forget what was done for this instance, so that the next boot does it again.

  -l, --logs        remove the logs, too
  --machine-id      make the next boot give the machine a new id
  -r, --reboot      reboot at the end
  -s, --seed        remove /var/lib/cloud/seed, too
  -c, --configs ... remove files that were made for the network or for SSH's
                    server, or lines that were put into /etc/fstab
";

const OPTIONS: [Opt; 5] = [
    flag("logs", Some('l')),
    flag("machine-id", None),
    flag("reboot", Some('r')),
    flag("seed", Some('s')),
    Opt {
        long: "configs",
        short: Some('c'),
        takes: Takes::Some(&["all", "ssh_config", "network", "datasource", "fstab"]),
    },
];

/// Files for the network that are made: directory, begin and end of their names.
const NETWORK: [(&str, &str, &str); 6] = [
    ("/etc/netplan", "50-cloud-init.yaml", ""),
    ("/etc/NetworkManager/conf.d", "99-cloud-init.conf", ""),
    ("/etc/NetworkManager/conf.d", "30-cloud-init-ip6-addr-gen-mode.conf", ""),
    ("/etc/NetworkManager/system-connections", "cloud-init-", ".nmconnection"),
    ("/etc/systemd/network", "10-cloud-init-", ".network"),
    ("/etc/network/interfaces.d", "50-cloud-init.cfg", ""),
];
const SSH: &str = "/etc/ssh/sshd_config.d/50-cloud-init.conf";
const FSTAB: &str = "/etc/fstab";
/// In every line that was put there.
const FSTAB_MARK: &str = "comment=cloudconfig";
/// Programs of others that clean, too.
const PROGRAMS: &str = "/etc/cloud/clean.d";
/// The agent's own logs.
const LOGS: [&str; 2] = ["/var/log/cloud-init.log", "/var/log/cloud-init-output.log"];

pub(super) fn run(world: &World<'_>, arguments: &[String], complain: &mut dyn Write) -> Result<u8, Wrong> {
    let given = arguments::parse(&OPTIONS, 0, arguments).map_err(Wrong::Call)?;
    let host = world.host;
    let configs = given.all("configs");
    let asked = |what: &str| configs.iter().any(|known| *known == what || *known == "all");
    if given.has("logs") {
        remove_logs(host);
    }
    if asked("network") {
        for (directory, begin, end) in NETWORK {
            for name in host.names(directory) {
                let is_it = if end.is_empty() {
                    name == begin
                } else {
                    name.starts_with(begin) && name.ends_with(end)
                };
                if is_it {
                    let _ = fs::remove_file(host.path(&format!("{directory}/{name}")));
                }
            }
        }
    }
    if asked("ssh_config") {
        let _ = fs::remove_file(host.path(SSH));
    }
    if asked("fstab") {
        clean_fstab(host).map_err(Wrong::Machine)?;
    }
    let outcome = if host.path(CLOUD).is_dir() {
        remove_state(host, given.has("seed")).and_then(|()| run_programs(host))
    } else {
        let _ = writeln!(complain, "Artifacts already cleaned.");
        Ok(())
    };
    if given.has("machine-id") {
        let id = "/etc/machine-id";
        if host.exists("/run/systemd/system") {
            replace(&host.path(id), b"uninitialized\n", 0o444, None)
                .map_err(|error| Wrong::Machine(error.to_string()))?;
        } else {
            let _ = fs::remove_file(host.path(id));
        }
    }
    outcome.map_err(Wrong::Machine)?;
    if given.has("reboot") && host.is_live() {
        let status = Command::new("shutdown").args(["-r", "now"]).stdin(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(Wrong::Machine("`shutdown -r now` failed: reboot by hand".to_owned()));
        }
    }
    Ok(0)
}

/// The logs that the image's configuration names, and ours; rotated ones, too.
fn remove_logs(host: &Host) {
    let config = system_config::read(&Tree::new(host.path("/")), &Log::default());
    let mut logs: Vec<String> = LOGS.iter().map(|log| (*log).to_owned()).collect();
    logs.extend(configured_logs(&config));
    for log in logs {
        let Some((directory, name)) = log.rsplit_once('/').filter(|(_, name)| !name.is_empty()) else {
            continue;
        };
        for known in host.names(directory) {
            let path = host.path(&format!("{directory}/{known}"));
            // A log may be a device, which stays.
            if known.starts_with(name) && path.is_file() {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// `def_log_file`, and the files that `output` writes or pipes into.
fn configured_logs(config: &Map) -> Vec<String> {
    let mut logs = Vec::new();
    let get = |key: &str| config.get(&Key::text(key));
    logs.extend(get("def_log_file").and_then(Value::as_text).map(str::to_owned));
    let output = get("output").and_then(|output| output.get("all"));
    let formats: Vec<&Value> = match output {
        Some(Value { kind: Kind::List(items), .. }) => items.iter().collect(),
        Some(Value { kind: Kind::Map(map), .. }) => map.values().collect(),
        other => other.into_iter().collect(),
    };
    for format in formats.into_iter().filter_map(Value::as_text) {
        let Some(target) = format.strip_prefix('|').or_else(|| format.strip_prefix('>')) else { continue };
        let words: Vec<&str> = target.trim_start_matches('>').split_whitespace().collect();
        match words.as_slice() {
            [file] | ["tee", "-a", file, ..] => logs.push((*file).to_owned()),
            _ => {}
        }
    }
    logs.retain(|log| log.starts_with('/'));
    logs
}

fn clean_fstab(host: &Host) -> Result<(), String> {
    let path = host.path(FSTAB);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let kept: String = text.split_inclusive('\n').filter(|line| !line.contains(FSTAB_MARK)).collect();
    if kept == text {
        return Ok(());
    }
    use std::os::unix::fs::MetadataExt;
    let before = path.metadata().ok();
    let mode = before.as_ref().map_or(0o644, |metadata| metadata.mode() & 0o7777);
    let owner = before.map(|metadata| (metadata.uid(), metadata.gid()));
    replace(&path, kept.as_bytes(), mode, owner).map_err(|error| error.to_string())
}

/// Everything in /var/lib/cloud but hidden files and, unless `seed`, the seed.
fn remove_state(host: &Host, seed: bool) -> Result<(), String> {
    for name in host.names(CLOUD) {
        if name.starts_with('.') || (name == "seed" && !seed) {
            continue;
        }
        let path = host.path(&format!("{CLOUD}/{name}"));
        remove(&path).map_err(|error| format!("could not remove {}: {error}", path.display()))?;
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn run_programs(host: &Host) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    if !host.is_live() {
        return Ok(());
    }
    let mut failed = Vec::new();
    for name in host.names(PROGRAMS) {
        let path = host.path(&format!("{PROGRAMS}/{name}"));
        let is_program =
            path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        if is_program && !Command::new(&path).status().is_ok_and(|status| status.success()) {
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("{PROGRAMS}: {} failed", failed.join(", "))) }
}
