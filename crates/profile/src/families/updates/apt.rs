//! APT: keys, repositories, signatures, updates that install themselves.

use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use super::apt_conf::{AptConf, is_yes};
use super::sources::sources;
use crate::merged::names;
use crate::packages::Wanted;
use crate::{Bench, Error, Finding, Measure, Packages, View, units, uses};

const SIGNATURES: &str = "/etc/apt/apt.conf.d/zz-hardtack-signatures";
const UPGRADES: &str = "/etc/apt/apt.conf.d/zz-hardtack-upgrades";
const TIMERS: [&str; 2] = ["apt-daily.timer", "apt-daily-upgrade.timer"];
const PACKAGE: Wanted = Wanted(&["unattended-upgrades"]);
const OVERLAY: &str = "overlayroot throws away what an update writes: each boot would download it again; \
                       build the image anew instead";

/// What each of these names turns off is a signature, or who one talks to.
const DANGEROUS: [&str; 4] = [
    "APT::Get::AllowUnauthenticated",
    "Acquire::AllowInsecureRepositories",
    "Acquire::AllowWeakRepositories",
    "Acquire::AllowDowngradeToInsecureRepositories",
];

fn has_apt(stage: &Stage<'_>) -> Result<bool, Error> {
    Ok(stage.stat("/usr/bin/apt-get")?.is_some() || stage.stat("/etc/apt")?.is_some())
}

fn without() -> Finding {
    Finding::NotApplicable("the image has no APT".to_owned())
}

pub(super) struct Keys;

impl Measure for Keys {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !has_apt(view.stage)? {
            return Ok(without());
        }
        let mut paths: Vec<String> = vec!["/etc/apt/trusted.gpg".to_owned()];
        for directory in ["/etc/apt/trusted.gpg.d", "/etc/apt/keyrings", "/usr/share/keyrings"] {
            paths.push(directory.to_owned());
            paths.extend(names(view.stage, directory)?.into_iter().map(|name| format!("{directory}/{name}")));
        }
        let mut faults = Vec::new();
        for source in sources(view.stage)? {
            for path in source.option("signed-by").unwrap_or_default().split([' ', ',']) {
                if path.starts_with('/') {
                    if view.stage.stat(path)?.is_none() {
                        let place = Place { path: source.path.clone(), line: Some(source.line) };
                        faults.push((place, format!("the key {path} is not there")));
                    }
                    paths.push(path.to_owned());
                }
            }
        }
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            let Some(there) = view.stage.stat(&path)? else { continue };
            if there.uid != 0 || there.mode & 0o022 != 0 && there.kind != FileType::Special {
                let what = format!("others than root can change it: {:04o}, owner {}", there.mode, there.uid);
                faults.push((Place::file(path), what));
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) struct Repositories;

impl Measure for Repositories {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !has_apt(view.stage)? {
            return Ok(without());
        }
        let sources = sources(view.stage)?;
        let mut faults = Vec::new();
        for source in &sources {
            for name in ["trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure"] {
                if source.option(name).is_some_and(is_yes) {
                    let place = Place { path: source.path.clone(), line: Some(source.line) };
                    faults.push((place, format!("{name} is yes: it needs no signature")));
                }
            }
        }
        // Testing and unstable have no version, and no such suite.
        let is_release =
            view.facts.version.is_some() && matches!(view.facts.os.as_deref(), Some("debian" | "ubuntu"));
        let secure = sources.iter().any(|source| {
            source.suites.iter().any(|suite| suite.ends_with("-security") || suite.ends_with("/updates"))
                || source.uris.iter().any(|uri| uri.contains("security.debian.org"))
        });
        if is_release && !secure && !sources.is_empty() {
            faults.push((Place::file("/etc/apt/sources.list"), "no source of security updates".to_owned()));
        }
        if sources.is_empty() && faults.is_empty() {
            return Ok(Finding::NotApplicable("the image has no sources of APT".to_owned()));
        }
        Ok(Finding::of(faults))
    }
}

pub(super) struct Signatures;

impl Measure for Signatures {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if has_apt(bench.stage)? {
            let mut content = "// Made by hardtack for a hardening profile.\n".to_owned();
            for name in DANGEROUS {
                content.push_str(&format!("{name} \"false\";\n"));
            }
            bench.file(SIGNATURES, 0o644, content);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !has_apt(view.stage)? {
            return Ok(without());
        }
        let conf = AptConf::read(view.stage)?;
        let mut faults = Vec::new();
        // `APT::Get::AllowUnauthenticated` is also asked for as `Binary::apt::APT::Get::…`.
        for (name, value) in DANGEROUS.iter().flat_map(|name| conf.ending(name)) {
            if is_yes(&value.value) {
                let place = Place { path: value.path.clone(), line: Some(value.line) };
                faults.push((place, format!("{name} is \"{}\"", value.value)));
            }
        }
        for (name, value) in ["Verify-Peer", "Verify-Host"].iter().flat_map(|name| conf.ending(name)) {
            if name.starts_with("acquire::https") && !is_yes(&value.value) {
                let place = Place { path: value.path.clone(), line: Some(value.line) };
                faults.push((place, format!("{name} is \"{}\"", value.value)));
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) struct Applied;

impl Measure for Applied {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let installs = bench.settings.packages == Packages::FirstBoot && !is_overlaid(&bench.view()?);
        let word = if installs { "packages_upgrade" } else { "packages_pending" };
        bench.first_boot("updates-applied", format!("    {word}"));
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(view.at_first_boot(
            "updates-applied",
            "the package manager installs, or counts, the updates that wait",
        ))
    }
}

/// What is written to the root goes to a layer that the next boot throws away.
fn is_overlaid(view: &View<'_>) -> bool {
    uses::overlayroot(view).is_some()
}

pub(super) struct Unattended;

impl Measure for Unattended {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if !has_apt(bench.stage)? || is_overlaid(&bench.view()?) {
            return Ok(());
        }
        let content = "// Made by hardtack for a hardening profile.\n\
                       APT::Periodic::Enable \"1\";\n\
                       APT::Periodic::Update-Package-Lists \"1\";\n\
                       APT::Periodic::Unattended-Upgrade \"1\";\n";
        bench.file(UPGRADES, 0o644, content);
        for timer in TIMERS {
            units::install(bench, timer)?;
        }
        PACKAGE.apply(bench)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !has_apt(view.stage)? {
            return Ok(without());
        }
        if is_overlaid(view) {
            return Ok(Finding::Exception(OVERLAY.to_owned()));
        }
        let conf = AptConf::read(view.stage)?;
        let mut faults = Vec::new();
        for key in ["Update-Package-Lists", "Unattended-Upgrade"] {
            let name = format!("APT::Periodic::{key}");
            match conf.get(&name) {
                // Days, or with a letter other times: 0 is never.
                Some(set) if set.value != "0" => {}
                Some(set) => {
                    let place = Place { path: set.path.clone(), line: Some(set.line) };
                    faults.push((place, format!("{name} is \"{}\"", set.value)));
                }
                None => faults.push((Place::file(UPGRADES), format!("{name} is set nowhere"))),
            }
        }
        if let Some(set) = conf.get("APT::Periodic::Enable").filter(|set| !is_yes(&set.value)) {
            let place = Place { path: set.path.clone(), line: Some(set.line) };
            faults.push((place, format!("APT::Periodic::Enable is \"{}\"", set.value)));
        }
        for timer in TIMERS {
            let there = units::is_masked(view.stage, timer)? || units::file(view.stage, timer)?.is_some();
            if there && units::enabled(view.stage, timer)?.is_empty() {
                faults.push((Place::file("/etc/systemd/system"), format!("{timer} is not enabled")));
            }
        }
        if faults.is_empty() { PACKAGE.check(view) } else { Ok(Finding::of(faults)) }
    }

    fn installs(&self, view: &View<'_>) -> &'static [&'static str] {
        let wanted = has_apt(view.stage).unwrap_or_default() && !is_overlaid(view);
        if wanted { PACKAGE.0 } else { &[] }
    }
}
