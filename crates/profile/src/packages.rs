//! Packages that rules want, or want gone.
//!
//! Maintainer scripts run on the machine, so the first boot installs and removes by the image's own package manager;
//! with [`Packages::Repository`] the build does it before, in the recipe's step `packages`, which asks [`wanted`].

use hardtack_guest::Stage;

use crate::merged::names;
use crate::{Bench, Error, Finding, Measure, Packages, Profile, View};

/// Where the recipe's step `packages` leaves what the first boot installs: `NAME_VERSION_ARCHITECTURE.deb`.
const SPOOL: &str = "/var/lib/hardtack/packages";

const LEFT_OUT: &str = "packages are not installed or removed, as the settings of the profile say";

/// What RPM distributions call packages of Debian's: only these are asked for there.
const RPM: &[(&str, &str)] = &[
    ("aide", "aide"),
    ("auditd", "audit"),
    ("chrony", "chrony"),
    ("libpam-google-authenticator", "google-authenticator"),
    ("libpam-pwquality", "libpwquality"),
    ("nftables", "nftables"),
    ("rsyslog", "rsyslog"),
    ("sudo", "sudo"),
    ("systemd-timesyncd", "chrony"),
];

/// These packages are there.
pub(crate) struct Wanted(pub(crate) &'static [&'static str]);

/// None of these packages is there. The names are Debian's: on other images it says nothing.
pub(crate) struct Unwanted(pub(crate) &'static [&'static str]);

impl Measure for Wanted {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let view = bench.view()?;
        let missing = self.missing(&view)?;
        if bench.settings.packages == Packages::FirstBoot && !missing.is_empty() {
            // All of them, whatever is there by now: a second build writes the same.
            let names = named(&view, self.0).join(" ");
            bench.first_boot(key("install", self.0), format!("    packages_add {names}"));
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if named(view, self.0).is_empty() {
            return Ok(foreign());
        }
        let missing = self.missing(view)?;
        if missing.is_empty() {
            return Ok(Finding::Pass);
        }
        let missing: Vec<&str> = missing.into_iter().filter(|name| !is_spooled(view.stage, name)).collect();
        if missing.is_empty() {
            return Ok(Finding::FirstBoot(format!("{} wait in {SPOOL}", self.0.join(" "))));
        }
        Ok(match view.settings.packages {
            Packages::None => Finding::Exception(LEFT_OUT.to_owned()),
            Packages::Repository => Finding::fail(format!("not installed: {}", missing.join(" "))),
            Packages::FirstBoot => view.at_first_boot(
                &key("install", self.0),
                &format!("{} installs {}", manager(view), named(view, &missing).join(" ")),
            ),
        })
    }

    fn installs(&self, _: &View<'_>) -> &'static [&'static str] {
        self.0
    }
}

impl Wanted {
    /// What is not there; what the image's RPM database has is known at first boot only.
    fn missing(&self, view: &View<'_>) -> Result<Vec<&'static str>, Error> {
        let wanted = self.0.iter().copied();
        if view.has_dpkg() {
            return Ok(wanted.filter(|name| !view.has_package(name)).collect());
        }
        Ok(wanted.filter(|name| rpm(view, name).is_some()).collect())
    }
}

impl Measure for Unwanted {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let view = bench.view()?;
        if bench.settings.packages != Packages::None && self.0.iter().any(|name| view.has_package(name)) {
            let body = format!("    packages_remove {}", self.0.join(" "));
            bench.first_boot(key("remove", self.0), body);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !view.has_dpkg() {
            return Ok(foreign());
        }
        let there: Vec<&str> = self.0.iter().copied().filter(|name| view.has_package(name)).collect();
        if there.is_empty() {
            return Ok(Finding::Pass);
        }
        Ok(match view.settings.packages {
            Packages::None => Finding::Exception(LEFT_OUT.to_owned()),
            Packages::Repository | Packages::FirstBoot => {
                view.at_first_boot(&key("remove", self.0), &format!("apt-get removes {}", there.join(" ")))
            }
        })
    }

    fn removes(&self) -> &'static [&'static str] {
        self.0
    }
}

/// What a profile wants installed, and removed, that is not yet so; each once.
#[must_use]
pub fn wanted(profile: &Profile, view: &View<'_>) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut install, mut remove) = (Vec::new(), Vec::new());
    for (rule, exception) in profile.selected(view.is_ubuntu()) {
        if exception.is_none() {
            install.extend(rule.measure.installs(view).iter().filter(|name| !view.has_package(name)));
            remove.extend(rule.measure.removes().iter().filter(|name| view.has_package(name)));
        }
    }
    for names in [&mut install, &mut remove] {
        names.sort_unstable();
        names.dedup();
    }
    (install, remove)
}

/// Under what the first boot keeps how it went.
fn key(what: &str, names: &[&str]) -> String {
    format!("{what}-{}", names.join("-"))
}

/// What this image's package manager calls them, as far as it knows them.
fn named<'n>(view: &View<'_>, names: &[&'n str]) -> Vec<&'n str> {
    if view.has_dpkg() {
        return names.to_vec();
    }
    names.iter().filter_map(|name| rpm(view, name)).collect()
}

fn rpm(view: &View<'_>, name: &str) -> Option<&'static str> {
    let has = |path: &str| view.stage.stat(path).is_ok_and(|there| there.is_some());
    let image = has("/usr/bin/rpm") || has("/bin/rpm");
    RPM.iter().find(|(debian, _)| image && *debian == name).map(|(_, name)| *name)
}

fn manager(view: &View<'_>) -> &'static str {
    if view.has_dpkg() { "apt-get" } else { "the package manager" }
}

/// The package waits in the image for the first boot.
pub(crate) fn is_spooled(stage: &Stage<'_>, name: &str) -> bool {
    let is_its = |file: &String| {
        file.ends_with(".deb") && file.split_once('_').is_some_and(|(package, _)| package == name)
    };
    names(stage, SPOOL).is_ok_and(|files| files.iter().any(is_its))
}

fn foreign() -> Finding {
    Finding::NotApplicable("the image has no package database of dpkg".to_owned())
}

#[cfg(test)]
mod tests {
    use hardtack_guest::{MemoryTree, Stage};

    use super::{Unwanted, Wanted};
    use crate::{Bench, Finding, Measure, Packages, Settings, View};

    const STATUS: &str = "Package: sudo\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
                          Package: telnet\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n\
                          Package: nis\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n";

    fn debian() -> MemoryTree {
        MemoryTree::new().file("/var/lib/dpkg/status", STATUS)
    }

    fn done(tree: &MemoryTree, measure: &dyn Measure, packages: Packages) -> (Finding, Option<String>) {
        let settings = Settings { packages, ..Settings::default() };
        let mut stage = Stage::new(tree);
        let mut bench = Bench::new(&mut stage, &settings, 0, &[]);
        measure.apply(&mut bench).unwrap();
        bench.finish().unwrap();
        let finding = measure.check(&View::new(&stage, &settings).unwrap()).unwrap();
        (finding, stage.read_text(crate::first_boot::SCRIPT).unwrap())
    }

    #[test]
    fn what_is_there_is_not_installed_again() {
        assert_eq!(done(&debian(), &Wanted(&["sudo"]), Packages::FirstBoot), (Finding::Pass, None));
        assert_eq!(done(&debian(), &Unwanted(&["nis"]), Packages::FirstBoot), (Finding::Pass, None));
    }

    #[test]
    fn the_first_boot_installs_and_removes() {
        let (finding, script) = done(&debian(), &Wanted(&["sudo", "auditd"]), Packages::FirstBoot);
        assert_eq!(finding, Finding::FirstBoot("apt-get installs auditd".to_owned()));
        let script = script.unwrap();
        assert!(script.contains("\n    packages_add sudo auditd\n"), "{script}");
        assert!(script.contains("\nlook install-sudo-auditd rule_install_sudo_auditd\n"), "{script}");
        let (finding, script) =
            done(&debian(), &Unwanted(&["telnet", "inetutils-telnet"]), Packages::FirstBoot);
        assert_eq!(finding, Finding::FirstBoot("apt-get removes telnet".to_owned()));
        assert!(script.unwrap().contains("    packages_remove telnet inetutils-telnet\n"));
    }

    #[test]
    fn what_waits_in_the_image_needs_nothing_more() {
        let tree = debian().file("/var/lib/hardtack/packages/auditd_1%3a3.0.9-1_amd64.deb", "");
        let (finding, script) = done(&tree, &Wanted(&["auditd"]), Packages::Repository);
        assert!(matches!(finding, Finding::FirstBoot(_)), "{finding:?}");
        assert_eq!(script, None);
    }

    #[test]
    fn settings_leave_them_out_or_to_the_build() {
        let (finding, script) = done(&debian(), &Wanted(&["auditd"]), Packages::None);
        assert!(matches!(finding, Finding::Exception(_)) && script.is_none(), "{finding:?}");
        let (finding, script) = done(&debian(), &Wanted(&["auditd"]), Packages::Repository);
        assert_eq!((finding, script), (Finding::fail("not installed: auditd"), None));
    }

    #[test]
    fn an_image_of_rpm_is_asked_by_its_own_names() {
        let tree = MemoryTree::new().file("/usr/bin/rpm", "");
        let (finding, script) = done(&tree, &Wanted(&["auditd", "audispd-plugins"]), Packages::FirstBoot);
        assert_eq!(finding, Finding::FirstBoot("the package manager installs audit".to_owned()));
        assert!(script.unwrap().contains("    packages_add audit\n"));
        let (finding, script) = done(&tree, &Wanted(&["apparmor"]), Packages::FirstBoot);
        assert!(matches!(finding, Finding::NotApplicable(_)) && script.is_none(), "{finding:?}");
    }
}
