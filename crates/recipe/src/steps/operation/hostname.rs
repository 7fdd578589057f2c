//! `hostname`: the machine's name, where the image's distribution keeps it.

use hardtack_guest::{OsRelease, Set};

use super::At;
use crate::{Context, StepError};

const HOSTNAME: &str = "/etc/hostname";
const HOSTS: &str = "/etc/hosts";
const PRETTY: &str = "/etc/machine-info";
/// Old Red Hat systems have it among other settings.
const NETWORK: &str = "/etc/sysconfig/network";
/// SUSE's place before systemd, and a link to the other one since.
const SUSE: &str = "/etc/HOSTNAME";
/// Read late, so that the image's own settings do not undo it.
const CLOUD: &str = "/etc/cloud/cloud.cfg.d/96-hardtack-hostname.cfg";
const CLOUD_TEXT: &str = "# The recipe's hostname stays. Written by hardtack; a new build replaces it.\n\
                          preserve_hostname: true\n";

/// Where a system keeps its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `/etc/hostname`, and the old name in `/etc/hosts`.
    Debian,
    /// `/etc/hostname`.
    Usual,
    /// `HOSTNAME=` in `/etc/sysconfig/network`.
    OldRedHat,
    /// `/etc/HOSTNAME`.
    Suse,
}

pub(super) fn set(at: &At, name: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let family = family(at, cx)?;
    match family {
        Family::Debian => {
            let old = cx.stage.read_text(HOSTNAME)?.unwrap_or_default();
            let old = old.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
            hosts(old.unwrap_or_default(), name, cx)?;
            file(HOSTNAME, name, cx)?;
        }
        Family::Usual => file(HOSTNAME, name, cx)?,
        Family::OldRedHat => setting(NETWORK, "HOSTNAME", name, true, cx)?,
        Family::Suse => {
            let has_systemd = has_systemd(cx)?;
            if has_systemd {
                file(HOSTNAME, name, cx)?;
            }
            if !has_systemd || cx.stage.lstat(SUSE)?.is_some() {
                file(SUSE, name, cx)?;
            }
        }
    }
    // A name for people that says another one; none is made.
    setting(PRETTY, "PRETTY_HOSTNAME", name, false, cx)?;
    cloud_init(at, cx)
}

fn family(at: &At, cx: &Context<'_, '_>) -> Result<Family, StepError> {
    let text = match cx.stage.read_text("/etc/os-release")? {
        Some(text) => Some(text),
        None => cx.stage.read_text("/usr/lib/os-release")?,
    };
    let Some(release) = text.map(|text| OsRelease::parse(&text)) else {
        // Red Hat's came with release 7.
        if cx.stage.stat("/etc/redhat-release")?.is_some() || cx.stage.stat("/etc/system-release")?.is_some()
        {
            return Ok(Family::OldRedHat);
        }
        if cx.stage.stat("/etc/debian_version")?.is_some() {
            return Ok(Family::Debian);
        }
        return Err(unknown(at, "without /etc/os-release"));
    };
    let ids: Vec<&str> = std::iter::once(release.id()).chain(release.id_like()).collect();
    let is = |names: &[&str]| ids.iter().any(|id| names.contains(id));
    let major = release.get("VERSION_ID").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if is(&["debian", "ubuntu", "kali", "raspbian"]) {
        return Ok(Family::Debian);
    }
    if ids.iter().any(|id| *id == "suse" || id.starts_with("opensuse") || matches!(*id, "sles" | "sled")) {
        return Ok(Family::Suse);
    }
    let old = match release.id() {
        "fedora" => major.is_some_and(|major| major < 18),
        // Amazon Linux 1 counts years, as that of 2023 does.
        "amzn" => major.is_some_and(|major| (2011..2019).contains(&major)),
        "rhel" | "centos" | "scientific" | "ol" => major.is_some_and(|major| major < 7),
        _ => false,
    };
    if old {
        return Ok(Family::OldRedHat);
    }
    let known = [
        "fedora",
        "rhel",
        "centos",
        "scientific",
        "ol",
        "rocky",
        "almalinux",
        "amzn",
        "openEuler",
        "openeuler",
        "kylin",
        "neokylin",
        "anolis",
        "mariner",
        "azurelinux",
        "alpine",
        "arch",
        "archlinux",
        "manjaro",
        "void",
    ];
    // Whatever it is called: systemd reads /etc/hostname.
    if is(&known) || has_systemd(cx)? {
        return Ok(Family::Usual);
    }
    Err(unknown(at, release.id()))
}

fn unknown(at: &At, what: &str) -> StepError {
    at.refused(format!("the image's distribution ({what}) is not known: where it keeps its name is neither"))
        .hint("write the file by step `write`")
}

fn has_systemd(cx: &Context<'_, '_>) -> Result<bool, StepError> {
    for path in ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"] {
        if cx.stage.stat(path)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn file(path: &str, name: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    // Comments of the file's and the name's letters alike: only another name is another file.
    Ok(cx.stage.write(path, format!("{name}\n"), Set::default())?)
}

/// `KEY=value` of a shell's file. Where there is no such line, one is added if `add`.
fn setting(path: &str, key: &str, value: &str, add: bool, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(old) = cx.stage.read_text(path)? else {
        if add {
            cx.stage.write(path, format!("{key}={value}\n"), Set::default())?;
        }
        return Ok(());
    };
    let mut found = false;
    let mut new = String::with_capacity(old.len() + 64);
    for line in old.split_inclusive('\n') {
        let is_it = line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with('='));
        if is_it && !found {
            new.push_str(&format!("{key}={value}\n"));
        } else if !is_it {
            new.push_str(line);
        }
        found |= is_it;
    }
    if !found && add {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&format!("{key}={value}\n"));
    }
    if new != old {
        cx.stage.write(path, new, Set::default())?;
    }
    Ok(())
}

/// The old name's places in /etc/hosts are the new one's. A name that comes twice in a line stands once.
fn hosts(old: &str, new: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(text) = cx.stage.read_text(HOSTS)? else { return Ok(()) };
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let (old_short, new_short) = (short(old), short(new));
    // This name is not the machine's, whatever /etc/hostname says.
    let is_local = |name: &str| name.is_empty() || name == "localhost" || name.starts_with("localhost.");
    let renamed = |name: &str| -> Option<String> {
        match name {
            "unassigned-hostname" => Some(new_short.clone()),
            "unassigned-hostname.unassigned-domain" => Some(new.to_owned()),
            _ if is_local(name) || is_local(old) => None,
            _ if name == old => Some(new.to_owned()),
            _ if name == old_short => Some(new_short.clone()),
            _ => None,
        }
    };
    let mut changed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, comment) = line.find('#').map_or((line, ""), |at| line.split_at(at));
        let words: Vec<&str> = body.split_whitespace().collect();
        if !words.iter().skip(1).any(|word| renamed(word).is_some_and(|new| new != *word)) {
            changed.push_str(line);
            continue;
        }
        let mut names: Vec<String> = Vec::new();
        for word in &words[1..] {
            let name = renamed(word).unwrap_or_else(|| (*word).to_owned());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        changed.push_str(&format!("{}\t{}", words[0], names.join(" ")));
        if !comment.is_empty() {
            changed.push(' ');
        }
        changed.push_str(if comment.is_empty() && line.ends_with('\n') { "\n" } else { comment });
    }
    if changed != text {
        cx.stage.write(HOSTS, changed, Set::default())?;
    }
    Ok(())
}

/// Where cloud-init would give the machine the name of its data source at every boot, it is told not to.
fn cloud_init(at: &At, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    if cx.stage.stat("/usr/bin/cloud-init")?.is_none()
        || cx.stage.stat("/etc/cloud/cloud-init.disabled")?.is_some()
    {
        return Ok(());
    }
    cx.stage.write(CLOUD, CLOUD_TEXT, Set::all(0o644, 0, 0))?;
    cx.info(at.name, format!("cloud-init keeps the name: {CLOUD} says `preserve_hostname: true`"));
    for entry in cx.stage.list("/etc/cloud/cloud.cfg.d")? {
        let path = format!("/etc/cloud/cloud.cfg.d/{}", entry.name);
        if !entry.name.ends_with(".cfg") || path.as_str() <= CLOUD {
            continue;
        }
        let text = cx.stage.read_text(&path)?.unwrap_or_default();
        let config: serde_yaml::Value = serde_yaml::from_str(&text).unwrap_or(serde_yaml::Value::Null);
        if config["preserve_hostname"].as_bool() == Some(false) {
            let text = format!(
                "{path} says `preserve_hostname: false` and is read later: cloud-init renames the machine"
            );
            cx.warn(at.name, text);
        }
    }
    Ok(())
}
