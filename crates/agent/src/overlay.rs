//! What `/` really is, and whether it is what the image promises.
//!
//! overlayroot that fails leaves a plain root and a line on the console, and the boot goes on. So
//! the promise is checked here, from the kernel's own tables: /proc/self/mountinfo (proc(5)), and
//! for the disk below the overlay /sys/dev/block and the device mapper's attributes there. A dm
//! device that cryptsetup made has a UUID that begins with `CRYPT-`.

use hardtack_credentials::{AgentConfig, OverlayConfig};

use crate::host::Host;

/// How deep device-mapper devices may be stacked before we stop looking.
const STACK: usize = 8;

/// The root file system as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root {
    /// `crypt`, `tmpfs` or `device`; `None`: no overlay.
    pub(crate) overlay: Option<&'static str>,
    /// The disk that holds what is written (`/dev/vdb`).
    pub(crate) device: Option<String>,
    /// The name of the encrypted mapping.
    mapname: Option<String>,
}

/// One line of mountinfo.
struct Mount<'a> {
    device: &'a str,
    point: String,
    kind: &'a str,
    source: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let device = left.nth(2)?;
        let point = unescape(left.nth(1)?);
        let mut right = right.split(' ');
        Some(Self {
            device,
            point,
            kind: right.next()?,
            source: right.next()?,
            options: right.next().unwrap_or_default(),
        })
    }

    fn option(&self, key: &str) -> Option<String> {
        self.options.split(',').find_map(|option| option.strip_prefix(key)?.strip_prefix('=')).map(unescape)
    }
}

/// Looks at `/`.
pub(crate) fn root(host: &Host) -> Root {
    let text = host.read_text("/proc/self/mountinfo").ok().flatten().unwrap_or_default();
    let mounts: Vec<Mount<'_>> = text.lines().filter_map(Mount::parse).collect();
    // The last mount on a point is the one that is seen.
    let Some(top) = mounts.iter().rev().find(|mount| mount.point == "/") else {
        return Root::default();
    };
    let upper = match top.kind {
        "overlay" | "overlayfs" => top.option("upperdir"),
        // The older driver: br:/media/root-rw/overlay=rw:…
        "aufs" => Some("/media/root-rw".to_owned()),
        _ => None,
    };
    let Some(upper) = upper else {
        return Root::default();
    };
    // dracut's is a link: /run/overlayfs leads to a directory of the mounted disk.
    let upper = match std::fs::read_link(host.path(&upper)) {
        Ok(target) if target.is_absolute() => target.display().to_string(),
        _ => upper,
    };
    let below = mounts
        .iter()
        .filter(|mount| mount.point != "/" && is_under(&upper, &mount.point))
        .max_by_key(|mount| mount.point.len());
    let Some(below) = below else {
        // An overlay whose upper layer is nowhere to be seen proves nothing.
        return Root { overlay: Some("device"), ..Root::default() };
    };
    if matches!(below.kind, "tmpfs" | "ramfs") {
        return Root { overlay: Some("tmpfs"), ..Root::default() };
    }
    let sys = format!("/sys/dev/block/{}", below.device);
    let encrypted = host.first_line(&format!("{sys}/dm/uuid")).is_some_and(|uuid| uuid.starts_with("CRYPT-"));
    if encrypted {
        return Root {
            overlay: Some("crypt"),
            device: disk_below(host, &sys),
            mapname: host.first_line(&format!("{sys}/dm/name")),
        };
    }
    Root { overlay: Some("device"), device: Some(below.source.to_owned()), mapname: None }
}

/// Follows `slaves` down to the disk or partition.
fn disk_below(host: &Host, sys: &str) -> Option<String> {
    let mut name = single(host.names(&format!("{sys}/slaves")))?;
    for _ in 0..STACK {
        match single(host.names(&format!("/sys/class/block/{name}/slaves"))) {
            Some(next) => name = next,
            None => break,
        }
    }
    // In sysfs a slash of a device's name is written "!".
    Some(format!("/dev/{}", name.replace('!', "/")))
}

fn single(names: Vec<String>) -> Option<String> {
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Some(name),
        Err(_) => None,
    }
}

/// Whether the root is as promised; the error says what is wrong, for the console.
pub(crate) fn check(host: &Host, promised: &OverlayConfig, found: &Root) -> Result<(), String> {
    let is = match found.overlay {
        None => "a plain file system".to_owned(),
        Some(kind) => match &found.device {
            Some(device) => format!("an overlay ({kind}) on {device}"),
            None => format!("an overlay ({kind})"),
        },
    };
    if found.overlay != Some(promised.mode.as_str()) {
        return Err(format!("/ should be an overlay ({}) and is {is}", promised.mode));
    }
    if promised.mode == "crypt"
        && !promised.mapname.is_empty()
        && found.mapname.as_deref() != Some(&promised.mapname)
    {
        return Err(format!(
            "/ should be above /dev/mapper/{} and is above /dev/mapper/{}",
            promised.mapname,
            found.mapname.as_deref().unwrap_or("?")
        ));
    }
    let (Some(wanted), Some(device)) = (promised.device.as_deref(), found.device.as_deref()) else {
        return Ok(());
    };
    if promised.mode == "tmpfs" || same_device(host, wanted, device) {
        return Ok(());
    }
    Err(format!("/ should be written to {wanted} and is {is}"))
}

/// Where the initramfs has left in one line why there is no overlay.
const REASON: &str = "/run/initramfs/hardtack-overlay";

/// What is wrong with the root, for people; `None`: nothing, or nothing is promised.
pub(crate) fn wrong(host: &Host, config: &AgentConfig, found: &Root) -> Option<String> {
    let wrong = check(host, config.overlay.as_ref()?, found).err()?;
    Some(match host.first_line(REASON) {
        Some(reason) => format!("{wrong}: {reason}"),
        None => wrong,
    })
}

/// As [`wrong`], where nobody may be let in then. A recipe that halts such a machine in the initramfs does not
/// want it to go on here either.
pub(crate) fn barred(host: &Host, config: &AgentConfig, found: &Root) -> Option<String> {
    let goes_on = |promised: &OverlayConfig| matches!(promised.on_failure.as_str(), "plain" | "login-only");
    if config.overlay.as_ref().is_some_and(goes_on) { None } else { wrong(host, config, found) }
}

/// Whether the root is wrong and the recipe then wants logins and nothing else.
pub(crate) fn is_login_only(host: &Host, config: &AgentConfig) -> bool {
    config.overlay.as_ref().is_some_and(|promised| promised.on_failure == "login-only")
        && wrong(host, config, &root(host)).is_some()
}

/// `vdb`, `/dev/vdb`, links to it. A label or UUID names a file system that formatting the disk has
/// wiped, so it can be compared only while udev still shows it.
fn same_device(host: &Host, wanted: &str, found: &str) -> bool {
    let wanted = match wanted.split_once('=') {
        Some(("LABEL", label)) => format!("/dev/disk/by-label/{label}"),
        Some(("UUID", uuid)) => format!("/dev/disk/by-uuid/{uuid}"),
        Some(("PARTLABEL", label)) => format!("/dev/disk/by-partlabel/{label}"),
        Some(("PARTUUID", uuid)) => format!("/dev/disk/by-partuuid/{uuid}"),
        _ if wanted.starts_with('/') => wanted.to_owned(),
        _ => format!("/dev/{wanted}"),
    };
    if wanted == found {
        return true;
    }
    let real = |path: &str| host.path(path).canonicalize().ok();
    match (real(&wanted), real(found)) {
        (Some(wanted), Some(found)) => wanted == found,
        (None, _) => wanted.starts_with("/dev/disk/by-label/") || wanted.starts_with("/dev/disk/by-uuid/"),
        _ => false,
    }
}

fn is_under(path: &str, point: &str) -> bool {
    path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Blanks and the like are written `\040` in mountinfo.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal =
            tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        if let Some(digits) = octal {
            let value = digits.iter().fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            bytes.push(u8::try_from(value).unwrap_or(b'?'));
            rest = tail.get(3..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
