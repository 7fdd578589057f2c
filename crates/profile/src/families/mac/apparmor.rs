//! AppArmor's profiles, as its parser loads them: all files of /etc/apparmor.d, none of those that have a link of their
//! name in `disable`, and without enforcing those that have one in `force-complain`.

use hardtack_guest::{FileType, Set, Stage};
use hardtack_report::Place;

use crate::merged::{names, text};
use crate::{Bench, Error, Finding, Measure, View, units};

const DIRECTORY: &str = "/etc/apparmor.d";
const DISABLE: &str = "/etc/apparmor.d/disable";
const FORCE: &str = "/etc/apparmor.d/force-complain";
const PARSERS: [&str; 2] = ["/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"];
/// What packages of Debian and Ubuntu turn off when they are installed.
const LEFT_OUT: [&str; 5] = [
    "usr.sbin.rsyslogd",
    "usr.bin.firefox",
    "usr.bin.thunderbird",
    "usr.lib.libreoffice.program.oosplash",
    "usr.lib.libreoffice.program.soffice.bin",
];
/// No profiles, but parts of such.
const PARTS: [&str; 7] = ["abi", "abstractions", "cache", "disable", "force-complain", "local", "tunables"];
/// More files than this are not looked into.
const MOST_FILES: usize = 4096;

/// No profile is turned off.
pub(super) struct Profiles;

const LIVE: &str = "    on=
    read -r on < /sys/module/apparmor/parameters/enabled
    [ \"$on\" = Y ] || { echo 'the kernel runs without AppArmor'; return 1; }
    grep -q . /sys/kernel/security/apparmor/profiles || { echo 'no profile is loaded'; return 1; }";

impl Measure for Profiles {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for name in turned_off(bench.stage)? {
            bench.stage.remove(&format!("{DISABLE}/{name}"))?;
        }
        if bench.view()?.has_dpkg() {
            bench.first_boot("apparmor-profiles", LIVE);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if let Some(nothing) = absent(view) {
            return Ok(nothing);
        }
        let mut faults = Vec::new();
        for name in turned_off(view.stage)? {
            faults.push((
                Place::file(format!("{DISABLE}/{name}")),
                format!("the profile {name} is turned off"),
            ));
        }
        if units::is_masked(view.stage, "apparmor.service")? {
            let place = Place::file("/etc/systemd/system/apparmor.service");
            faults.push((place, "apparmor.service is masked: no profile is loaded".to_owned()));
        }
        if faults.is_empty()
            && let Some(failed) = view.failed_at_first_boot("apparmor-profiles")
        {
            return Ok(failed);
        }
        Ok(Finding::of(faults))
    }
}

fn absent(view: &View<'_>) -> Option<Finding> {
    let there = PARSERS.iter().any(|path| view.facts.exists(path).unwrap_or(false));
    (!there).then(|| Finding::NotApplicable("AppArmor is not in the image".to_owned()))
}

fn turned_off(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let names = names(stage, DISABLE)?.into_iter();
    Ok(names.filter(|name| !LEFT_OUT.contains(&name.as_str()) && !is_left_by_dpkg(name)).collect())
}

/// What the parser passes over (rc.apparmor.functions).
fn is_left_by_dpkg(name: &str) -> bool {
    let endings =
        [".dpkg-new", ".dpkg-old", ".dpkg-dist", ".dpkg-bak", ".dpkg-remove", ".rpmnew", ".rpmsave", "~"];
    name.starts_with('.') || name == "README" || endings.iter().any(|ending| name.ends_with(ending))
}

/// No profile only complains.
pub(super) struct Enforce;

const LIVE_ENFORCE: &str =
    "    complaining=$(grep '(complain)$' /sys/kernel/security/apparmor/profiles | grep -v '^snap')
    [ -z \"$complaining\" ] || { echo \"$complaining\"; return 1; }";

impl Measure for Enforce {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for name in names(bench.stage, FORCE)? {
            bench.stage.remove(&format!("{FORCE}/{name}"))?;
        }
        for path in profiles(bench.stage)? {
            let Some(old) = text(bench.stage, &path) else { continue };
            let new: String = old
                .split_inclusive('\n')
                .map(|line| enforced(line).unwrap_or_else(|| line.to_owned()))
                .collect();
            if new != old {
                bench.stage.write(&path, new, Set::default())?;
            }
        }
        if bench.view()?.has_dpkg() {
            bench.first_boot("apparmor-enforce", LIVE_ENFORCE);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if let Some(nothing) = absent(view) {
            return Ok(nothing);
        }
        let mut faults = Vec::new();
        for name in names(view.stage, FORCE)? {
            faults
                .push((Place::file(format!("{FORCE}/{name}")), format!("the profile {name} only complains")));
        }
        for path in profiles(view.stage)? {
            for (index, line) in text(view.stage, &path).unwrap_or_default().lines().enumerate() {
                if enforced(line).is_some() {
                    let place = Place { path: path.clone(), line: Some(index + 1) };
                    faults.push((place, format!("a profile only complains: {}", line.trim())));
                }
            }
        }
        if faults.is_empty()
            && let Some(failed) = view.failed_at_first_boot("apparmor-enforce")
        {
            return Ok(failed);
        }
        Ok(Finding::of(faults))
    }
}

/// The files that hold profiles, and those one directory below, which they include.
fn profiles(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let off = names(stage, DISABLE)?;
    let mut found = Vec::new();
    for name in names(stage, DIRECTORY)? {
        if is_left_by_dpkg(&name) || PARTS.contains(&name.as_str()) || off.contains(&name) {
            continue;
        }
        let path = format!("{DIRECTORY}/{name}");
        match stage.lstat(&path)?.map(|there| there.kind) {
            Some(FileType::Directory) => {
                found.extend(names(stage, &path)?.into_iter().map(|name| format!("{path}/{name}")));
            }
            _ => found.push(path),
        }
        if found.len() > MOST_FILES {
            break;
        }
    }
    Ok(found)
}

/// The line without the flag `complain`, if it is the head of a profile with it: `NAME flags=(complain) {`.
fn enforced(line: &str) -> Option<String> {
    let code = line.split_once(" #").map_or(line, |(code, _)| code);
    let head = code.trim_end().strip_suffix('{')?;
    if head.trim_start().starts_with('#') {
        return None;
    }
    let (open, close) = (head.rfind('(')?, head.rfind(')')?);
    let flags: Vec<&str> =
        head.get(open + 1..close)?.split([',', ' ']).filter(|flag| !flag.is_empty()).collect();
    if !flags.contains(&"complain") {
        return None;
    }
    let rest: Vec<&str> = flags.into_iter().filter(|flag| *flag != "complain").collect();
    let after = line.get(close + 1..)?;
    if !rest.is_empty() {
        return Some(format!("{}({}){after}", head.get(..open)?, rest.join(",")));
    }
    let before = head.get(..open)?.trim_end();
    let before = before.strip_suffix('=').map_or(before, |before| {
        let before = before.trim_end();
        before.strip_suffix("flags").unwrap_or(before)
    });
    Some(format!("{}{after}", before.trim_end()))
}

#[cfg(test)]
mod tests {
    use hardtack_guest::MemoryTree;

    use super::enforced;
    use crate::testing::carry_out;
    use crate::{Finding, Settings};

    #[test]
    fn heads_of_profiles_lose_one_flag() {
        for (line, wanted) in [
            ("/usr/bin/x flags=(complain) {\n", Some("/usr/bin/x {\n")),
            (
                "profile x /usr/bin/x flags=(attach_disconnected, complain) { # c\n",
                Some("profile x /usr/bin/x flags=(attach_disconnected) { # c\n"),
            ),
            ("  ^hat flags = (complain,audit) {\n", Some("  ^hat flags = (audit) {\n")),
            ("profile y (complain) {\n", Some("profile y {\n")),
            ("profile z flags=(unconfined) {\n", None),
            ("# profile z flags=(complain) {\n", None),
            ("  mount options=(complain) /x,\n", None),
            (") complain ( {", None),
        ] {
            assert_eq!(enforced(line).as_deref(), wanted, "{line}");
        }
    }

    #[test]
    fn profiles_are_on_and_enforced() {
        let tree = MemoryTree::new()
            .file("/sbin/apparmor_parser", "")
            .file(
                "/var/lib/dpkg/status",
                "Package: apparmor\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n",
            )
            .link("/etc/apparmor.d/disable/usr.sbin.rsyslogd", "/etc/apparmor.d/usr.sbin.rsyslogd")
            .link("/etc/apparmor.d/disable/usr.sbin.ntpd", "/etc/apparmor.d/usr.sbin.ntpd")
            .link("/etc/apparmor.d/force-complain/usr.sbin.sssd", "/etc/apparmor.d/usr.sbin.sssd")
            .file("/etc/apparmor.d/usr.sbin.rsyslogd", "profile r flags=(complain) {\n}\n")
            .file("/etc/apparmor.d/abstractions/x", "profile r flags=(complain) {\n}\n")
            .file(
                "/etc/apparmor.d/sbin.dhclient",
                "#include <tunables/global>\n/sbin/dhclient flags=(complain) {\n  /x r,\n}\n",
            );
        let ids = ["apparmor-profiles", "apparmor-enforce"];
        let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
        let Finding::Fail { places, .. } = &before[0] else { panic!("{before:?}") };
        assert_eq!(places.len(), 1, "{places:?}");
        assert_eq!(places[0].path, "/etc/apparmor.d/disable/usr.sbin.ntpd");
        let Finding::Fail { places, .. } = &before[1] else { panic!("{before:?}") };
        assert_eq!(places.len(), 2, "{places:?}");
        assert_eq!(places[1].line, Some(2));
        assert_eq!(after, [Finding::Pass, Finding::Pass]);
        let script = stage.read_text(crate::first_boot::SCRIPT).unwrap().unwrap();
        assert!(script.contains("look apparmor-enforce"), "{script}");
    }

    #[test]
    fn images_without_it_are_passed_over() {
        let tree = MemoryTree::new();
        let (_, after, stage) =
            carry_out(&tree, &Settings::default(), &["apparmor-profiles", "apparmor-enforce"]);
        assert!(after.iter().all(|found| matches!(found, Finding::NotApplicable(_))), "{after:?}");
        assert!(stage.edits().unwrap().is_empty());
    }
}
