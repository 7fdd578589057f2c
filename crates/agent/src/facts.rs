//! Facts about this boot that the block tells: names, clock, host keys.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;

const PATIENCE: Duration = Duration::from_secs(10);
/// A machine that is emulated and busy takes a minute for an RSA key.
const KEY_PATIENCE: Duration = Duration::from_secs(150);

/// The kernel's name for this boot.
pub(crate) fn boot_id(host: &Host) -> String {
    host.first_line("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// Whom the data source said this machine to be, where the agent has asked it in this boot.
pub(crate) const SAID: &str = "/run/hardtack/instance-id";

/// The cloud's name for this machine, from cloud-init's notes of this boot.
///
/// Without a data source cloud-init notes `iid-datasource-none` or a placeholder; that is no name.
pub(crate) fn instance_id(host: &Host) -> Option<String> {
    named(
        host,
        &["/run/cloud-init/.instance-id", "/run/cloud-init/instance-id", "/var/lib/cloud/data/instance-id"],
    )
}

/// The same, if a data source has said it in this boot: what an earlier boot knew does not count. `by_agent`: the
/// agent has looked for the data source, not cloud-init.
pub(crate) fn instance_id_said(host: &Host, by_agent: bool) -> Option<String> {
    if by_agent {
        return named(host, &[SAID]);
    }
    named(host, &["/run/cloud-init/.instance-id", "/run/cloud-init/instance-id"])
}

fn named(host: &Host, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| host.first_line(path)).filter(|id| {
        id.len() <= 128
            && id.bytes().all(|byte| byte.is_ascii_graphic())
            && !matches!(id.to_ascii_lowercase().as_str(), "iid-datasource-none" | "no_previous_instance_id")
    })
}

/// The address that the cloud says others reach the machine at, from cloud-init's notes. The
/// machine's own address is often behind a translation and would send people astray.
pub(crate) fn public_address(host: &Host) -> Option<String> {
    let notes: serde_json::Value =
        serde_json::from_slice(&host.read("/run/cloud-init/instance-data.json").ok()??).ok()?;
    let ds = notes.get("ds")?;
    // EC2's stands under the name that the service has for it.
    let metadata = ds.get("meta_data").or_else(|| ds.get("meta-data"))?;
    ["public-ipv4", "public_ipv4"]
        .iter()
        .find_map(|key| metadata.get(key)?.as_str())
        .and_then(|text| text.parse::<std::net::Ipv4Addr>().ok())
        .map(|address| address.to_string())
}

/// The host name that the kernel has.
pub(crate) fn hostname(host: &Host) -> String {
    host.first_line("/proc/sys/kernel/hostname")
        .filter(|name| name != "(none)")
        .or_else(|| host.first_line("/etc/hostname"))
        .unwrap_or_else(|| "localhost".to_owned())
}

/// The public host keys as OpenSSH lays them down, by type.
pub(crate) fn host_keys(host: &Host) -> Vec<String> {
    host.names("/etc/ssh")
        .into_iter()
        .filter(|name| name.starts_with("ssh_host_") && name.ends_with("_key.pub"))
        .filter_map(|name| host.first_line(&format!("/etc/ssh/{name}")))
        .collect()
}

/// Makes host keys where there are none: cloud images come without, cloud-init makes them, and
/// where it does not run SSH would not start. True when some were made.
pub(crate) fn make_host_keys(host: &Host) -> bool {
    if !host_keys(host).is_empty() || !host.is_live() || !host.exists("/usr/bin/ssh-keygen") {
        return false;
    }
    // The public halves are for everybody to read.
    let ours = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let made = output("ssh-keygen", &["-A"], KEY_PATIENCE).is_some();
    rustix::process::umask(ours);
    made
}

/// Whether the clock is synchronised; `None` when nothing here can tell.
///
/// systemd-timesyncd leaves a file. For chrony and ntpd the kernel knows, and timedatectl (of the
/// image, if it has it) asks it.
pub(crate) fn clock_synchronised(host: &Host) -> Option<bool> {
    if host.exists("/run/systemd/timesync/synchronized") {
        return Some(true);
    }
    if !host.is_live() {
        return None;
    }
    // "System clock synchronized: yes"; before systemd 239 "NTP synchronized: yes".
    let text = output("timedatectl", &["status"], PATIENCE)?;
    text.lines().find_map(|line| match line.trim().split_once("synchronized: ")?.1 {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    })
}

/// What a small program of the image prints; `None` when it is missing, fails or takes too long.
pub(crate) fn output(program: &str, arguments: &[&str], patience: Duration) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < patience => thread::sleep(Duration::from_millis(50)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut text = String::new();
    // What it says fits into the pipe, or it would not have ended.
    child.stdout.take()?.take(64 << 10).read_to_string(&mut text).ok()?;
    status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::new(directory.path());
        (directory, host)
    }

    #[test]
    fn names_come_from_where_the_system_keeps_them() {
        let (_directory, found) = host(&[
            ("proc/sys/kernel/random/boot_id", "2f6b\n"),
            ("proc/sys/kernel/hostname", "(none)\n"),
            ("etc/hostname", "vm\n"),
            ("var/lib/cloud/data/instance-id", "i-0123\n"),
            ("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA root@vm\n"),
            ("etc/ssh/ssh_host_ed25519_key", "private\n"),
            ("run/systemd/timesync/synchronized", ""),
            ("run/cloud-init/instance-data.json", r#"{"ds":{"meta_data":{"public-ipv4":"203.0.113.7"}}}"#),
        ]);
        assert_eq!(boot_id(&found), "2f6b");
        assert_eq!(hostname(&found), "vm");
        assert_eq!(instance_id(&found).as_deref(), Some("i-0123"));
        assert_eq!(host_keys(&found), ["ssh-ed25519 AAAA root@vm"]);
        assert_eq!(clock_synchronised(&found), Some(true));
        assert_eq!(public_address(&found).as_deref(), Some("203.0.113.7"));
    }

    #[test]
    fn what_is_missing_is_said_to_be() {
        let (_directory, found) = host(&[("var/lib/cloud/data/instance-id", "iid-datasource-none\n")]);
        assert_eq!(instance_id(&found), None);
        assert_eq!(hostname(&found), "localhost");
        assert!(host_keys(&found).is_empty());
        assert_eq!(clock_synchronised(&found), None);
        assert_eq!(public_address(&found), None);
    }
}
