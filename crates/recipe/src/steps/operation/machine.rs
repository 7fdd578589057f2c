//! The local time, and SELinux labels.

use hardtack_guest::{FileContexts, FileType, GuestPath, Op, Set};

use super::{At, MOST_PATHS};
use crate::{Context, StepError};

const ZONES: &str = "/usr/share/zoneinfo";
const LOCALTIME: &str = "/etc/localtime";
/// Debian's and others' file with the zone's name: where the image has it, both agree.
const TIMEZONE: &str = "/etc/timezone";
/// What a time zone's file begins with (tzfile(5)).
const MAGIC: &[u8] = b"TZif";
/// The largest has 3.5 kB.
const ZONE_LIMIT: u64 = 1 << 20;

/// `timezone`.
pub(super) fn timezone(at: &At, zone: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let path = format!("{ZONES}/{zone}");
    let Some(found) = cx.stage.stat(&path)? else {
        let hint = if super::is_directory(ZONES, cx)? {
            "look into /usr/share/zoneinfo of the image"
        } else {
            "the image has no time zones: install its package tzdata first"
        };
        return Err(at.absent(format!("the image has no time zone {zone} ({path})")).hint(hint));
    };
    let place = cx.stage.resolve(&path)?;
    let is_zone = found.kind == FileType::Regular
        && place.starts_with(&cx.stage.resolve(ZONES)?)
        && cx.stage.read_limited(&path, ZONE_LIMIT)?.is_some_and(|content| content.starts_with(MAGIC));
    if !is_zone {
        return Err(at.refused(format!("{path} ({place}) is no time zone")));
    }
    cx.stage.symlink(LOCALTIME, &path)?;
    if cx.stage.lstat(TIMEZONE)?.is_some_and(|found| found.kind == FileType::Regular) {
        cx.stage.write(TIMEZONE, format!("{zone}\n"), Set::default())?;
    }
    Ok(())
}

const RELABEL: &str = "/.autorelabel";
const LABEL: &str = "security.selinux";
/// What the running system mounts there has its own labels.
const MOUNTED: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];

/// `selinux-relabel`: every file has a label of the image's own policy. One that has another label
/// keeps it: somebody may have given it.
pub(super) fn relabel(at: &At, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(config) = cx.stage.read_text("/etc/selinux/config")? else {
        return Err(at
            .absent("the image has no SELinux: /etc/selinux/config is missing")
            .hint("`optional: true` passes it over"));
    };
    let value = |key: &str| {
        let mut lines = config.lines().filter_map(|line| line.trim_start().split_once('='));
        lines.rfind(|(found, _)| found.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim().to_owned())
    };
    let disabled = value("SELINUX").is_some_and(|mode| mode.eq_ignore_ascii_case("disabled"));
    let contexts = if disabled { None } else { contexts(cx)? };
    let Some(contexts) = contexts else {
        cx.stage.write(RELABEL, Vec::new(), Set::default())?;
        let reason = if disabled { "SELinux is disabled" } else { "its policy's labels cannot be read" };
        let text =
            format!("at first boot: the guest labels its files ({RELABEL}), for {reason} in the image");
        cx.info(at.name, text);
        return Ok(());
    };
    cx.stage.set_group(Some((Op::Xattr, "SELinux labels".to_owned())));
    let done = label_all(at, &contexts, cx);
    cx.stage.set_group(None);
    done
}

fn contexts(cx: &Context<'_, '_>) -> Result<Option<FileContexts>, StepError> {
    Ok(FileContexts::of_stage(cx.stage)?)
}

fn label_all(at: &At, contexts: &FileContexts, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let mut pending = vec![GuestPath::root()];
    let mut seen = 0_usize;
    while let Some(path) = pending.pop() {
        seen += 1;
        if seen > MOST_PATHS {
            return Err(at.refused(format!("the image has more than {MOST_PATHS} paths")));
        }
        let Some(found) = cx.stage.lstat(path.as_str())? else { continue };
        let labels = cx.stage.xattrs(path.as_str())?;
        if !labels.iter().any(|(name, value)| name == LABEL && !value.is_empty())
            && let Some(label) = contexts.label(&path, found.kind)
        {
            let value = [label.as_bytes(), &[0]].concat();
            cx.stage.set_xattr(path.as_str(), LABEL, &value)?;
        }
        if found.kind == FileType::Directory && !MOUNTED.contains(&path.as_str()) {
            pending.extend(cx.stage.list(path.as_str())?.iter().map(|entry| path.join(&entry.name)));
        }
    }
    Ok(())
}
