//! journald's configuration.

use hardtack_guest::Stage;
use hardtack_report::Place;

use super::rsyslog::is_chosen;
use crate::merged::{Ini, files, text};
use crate::{Bench, Error, Finding, Measure, View, units};

/// Debian 13 has a drop-in `syslog.conf`, which comes behind all numbers.
const DROP_IN: &str = "/etc/systemd/journald.conf.d/zz-hardtack.conf";
const UNIT: &str = "systemd-journald.service";
/// More than this, kept free, leaves nothing for logs on disks of 8 GB, as clouds have them.
const MOST_FREE: u64 = 4 << 30;

/// A line of our drop-in.
fn set(bench: &mut Bench<'_, '_>, key: &str, value: &str) -> Result<(), Error> {
    if has(bench.stage)? {
        bench.line(DROP_IN, 0o644, "[Journal]");
        bench.line(DROP_IN, 0o644, format!("{key}={value}"));
    }
    Ok(())
}

/// The image has journald.
pub(super) fn has(stage: &Stage<'_>) -> Result<bool, Error> {
    Ok(stage.stat("/usr/lib/systemd/systemd-journald")?.is_some()
        || stage.stat("/lib/systemd/systemd-journald")?.is_some())
}

fn without() -> Finding {
    Finding::NotApplicable("the image has no journald".to_owned())
}

/// Judges the value in force of a key; `None` where nothing sets it.
fn judge(
    view: &View<'_>,
    key: &str,
    holds: impl Fn(Option<&str>) -> bool,
    wanted: &str,
) -> Result<Finding, Error> {
    if !has(view.stage)? {
        return Ok(without());
    }
    let ini = Ini::systemd(view.stage, "journald")?;
    let there = ini.get("Journal", key);
    if holds(there.map(|there| there.value.as_str())) {
        return Ok(Finding::Pass);
    }
    Ok(Finding::of(vec![match there {
        Some(there) => (
            Place { path: there.path.clone(), line: Some(there.line) },
            format!("{key} is {}, not {wanted}", there.value),
        ),
        None => (Place::file(DROP_IN), format!("{key} is set nowhere; it shall be {wanted}")),
    }]))
}

/// What systemd takes for no (`parse_boolean`).
fn is_no(value: &str) -> bool {
    ["0", "no", "n", "false", "f", "off"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_yes(value: &str) -> bool {
    ["1", "yes", "y", "true", "t", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

pub(super) struct On;

impl Measure for On {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        units::install(bench, UNIT)?;
        units::install(bench, "systemd-journald.socket")
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !has(view.stage)? {
            return Ok(without());
        }
        let mut faults = Vec::new();
        for unit in [UNIT, "systemd-journald.socket"] {
            if units::is_masked(view.stage, unit)? {
                faults
                    .push((Place::file(format!("/etc/systemd/system/{unit}")), format!("{unit} is masked")));
            }
        }
        Ok(Finding::of(faults))
    }
}

/// tmpfiles.d(5) sets what journald's directories get.
pub(super) struct Tmpfiles;

const TMPFILES: [&str; 5] = [
    "/etc/tmpfiles.d",
    "/run/tmpfiles.d",
    "/usr/local/lib/tmpfiles.d",
    "/usr/lib/tmpfiles.d",
    "/lib/tmpfiles.d",
];

impl Measure for Tmpfiles {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !has(view.stage)? {
            return Ok(without());
        }
        let mut faults = Vec::new();
        for file in files(view.stage, &TMPFILES, ".conf")? {
            for (index, line) in text(view.stage, &file).unwrap_or_default().lines().enumerate() {
                let mut words = line.split_whitespace();
                let (Some(kind), Some(path), Some(mode)) = (words.next(), words.next(), words.next()) else {
                    continue;
                };
                let path = path.trim_matches('"');
                let is_ours = ["/var/log/journal", "/run/log/journal"].iter().any(|of| path.starts_with(of));
                if line.starts_with('#') || !is_ours || !kind.starts_with(['z', 'Z', 'd', 'D', 'f', 'F', 'm'])
                {
                    continue;
                }
                // With `~` the bits are masked by what a file has; 0640 for directories is 0750 for them.
                let bits = u32::from_str_radix(mode.trim_start_matches([':', '~']), 8).unwrap_or(0);
                let of_files = path.contains(".journal") || kind.starts_with('Z') && !mode.contains('~');
                let too_much = if of_files { bits & 0o037 } else { bits & 0o022 };
                if too_much != 0 {
                    let place = Place { path: file.clone(), line: Some(index + 1) };
                    faults.push((place, format!("{path} gets mode {mode}; logs shall have 0640 at most")));
                }
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) struct Rotation;

impl Measure for Rotation {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        // journald.conf(5) knows no percentages; by itself it keeps to 10 % of the disk and leaves 15 % free.
        for (key, value) in [("SystemMaxUse", "200M"), ("RuntimeMaxUse", "50M"), ("MaxFileSec", "1month")] {
            set(bench, key, value)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let bounded = |value: Option<&str>| value.and_then(bytes).is_some_and(|bytes| bytes > 0);
        let rotated = |value: Option<&str>| value.is_some_and(|value| !is_no(value));
        let small =
            |value: Option<&str>| value.is_none_or(|value| bytes(value).is_some_and(|b| b <= MOST_FREE));
        for finding in [
            judge(view, "SystemMaxUse", bounded, "a size such as 200M")?,
            judge(view, "MaxFileSec", rotated, "a time such as 1month")?,
            judge(view, "SystemKeepFree", small, "4G at most: more keeps no log on a small disk")?,
        ] {
            if finding != Finding::Pass {
                return Ok(finding);
            }
        }
        Ok(Finding::Pass)
    }
}

/// A size of systemd's: `200M`, to the base 1024.
fn bytes(value: &str) -> Option<u64> {
    let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = value.split_at(digits);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Exactly one system keeps the logs, and gets them.
pub(super) struct OneSystem;

impl Measure for OneSystem {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut found = Vec::new();
        for unit in
            ["rsyslog.service", "syslog-ng.service", "inetutils-syslogd.service", "busybox-syslogd.service"]
        {
            if let Some(path) = units::enabled(view.stage, unit)?.into_iter().next() {
                found.push((Place::file(path), format!("{unit} is enabled")));
            }
        }
        if found.len() > 1 {
            return Ok(Finding::of(found));
        }
        if found.is_empty() && !has(view.stage)? {
            return Ok(Finding::fail("nothing keeps logs: no journald, and no syslog service is enabled"));
        }
        if !found.is_empty() && has(view.stage)? {
            let ini = Ini::systemd(view.stage, "journald")?;
            let kept = ini.get("Journal", "ForwardToSyslog").is_none_or(|value| !is_no(&value.value));
            if !kept && !super::rsyslog::reads_journal(view.stage)? {
                return Ok(Finding::fail("journald hands nothing to the syslog service that is enabled"));
            }
        }
        Ok(Finding::Pass)
    }
}

/// Looked at only where somebody enforces it.
pub(super) struct Upload;

impl Measure for Upload {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let ini = Ini::systemd(view.stage, "journal-upload")?;
        let mut faults = Vec::new();
        for key in ["URL", "ServerKeyFile", "ServerCertificateFile", "TrustedCertificateFile"] {
            if ini.get("Upload", key).is_none() {
                faults
                    .push((Place::file("/etc/systemd/journal-upload.conf"), format!("{key} is set nowhere")));
            }
        }
        if units::enabled(view.stage, "systemd-journal-upload.service")?.is_empty() {
            let what = "systemd-journal-upload.service is not enabled".to_owned();
            faults.push((Place::file("/etc/systemd/system"), what));
        }
        Ok(Finding::of(faults))
    }
}

pub(super) struct Forward;

impl Measure for Forward {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let value = if is_chosen(bench.stage)? { "yes" } else { "no" };
        set(bench, "ForwardToSyslog", value)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let (wanted, holds): (_, fn(&str) -> bool) =
            if is_chosen(view.stage)? { ("yes", is_yes) } else { ("no", is_no) };
        judge(view, "ForwardToSyslog", |value| value.is_some_and(holds), wanted)
    }
}

pub(super) struct Compress;

impl Measure for Compress {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        set(bench, "Compress", "yes")
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        // It is by itself, and a size says from when on.
        judge(view, "Compress", |value| value.is_none_or(|value| !is_no(value)), "yes")
    }
}

pub(super) struct Storage;

impl Measure for Storage {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        set(bench, "Storage", "persistent")
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        judge(view, "Storage", |value| value == Some("persistent"), "persistent")
    }
}
