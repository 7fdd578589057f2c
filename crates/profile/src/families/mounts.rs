//! Partitions and mount options.
//!
//! An offline build cannot make partitions: rules that want one are exceptions of all profiles, and the options of those
//! that are there are set. /tmp and /dev/shm are in memory, and what fstab says of them is done by every init.

mod fstab;
mod source;
mod table;

use hardtack_guest::Set;
use hardtack_report::Place;

use crate::uses;
use crate::{Bench, Error, Finding, Measure, View, units};
use fstab::Fstab;
use source::Source;

pub(super) use table::RULES;

const TMP: &str = "/tmp";
const SHM: &str = "/dev/shm";
/// Half of the memory, which is what tmpfs takes by itself: small machines give another one.
const TMP_SIZE: &str = "50%";
/// systemd mounts /dev/shm with these (src/shared/mount-setup.c), and so did what was before it.
const SHM_OPTIONS: [&str; 2] = ["nosuid", "nodev"];

/// It is a file system in memory.
struct Memory(&'static str);

impl Memory {
    fn options(&self, bench: &Bench<'_, '_>) -> Vec<String> {
        if self.0 == SHM {
            return SHM_OPTIONS.map(str::to_owned).to_vec();
        }
        let size = bench.settings.tmp_size.as_deref().unwrap_or(TMP_SIZE);
        vec!["mode=1777".to_owned(), format!("size={size}")]
    }
}

impl Measure for Memory {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if let Some(size) = &bench.settings.tmp_size
            && !is_size(size)
        {
            return Err(Error::Refused {
                rule: "mount-tmp",
                what: format!("{size:?} is no size of a file system in memory"),
                hint: "give a share of the memory, as 25%, or 512m, 2g".to_owned(),
            });
        }
        source::unmask(bench.stage, self.0)?;
        let path = source::really(bench.stage, self.0);
        let options = self.options(bench);
        let mut fstab = Fstab::read(bench.stage)?;
        let unit = matches!(source::of(bench.stage, self.0)?.first(), Some(Source { unit: true, .. }));
        if fstab.of(path).is_empty() && (!unit || bench.settings.tmp_size.is_some() && self.0 == TMP) {
            fstab.add("tmpfs", path, "tmpfs", &options);
        } else if let Some(size) = options.iter().find(|option| option.starts_with("size="))
            && bench.settings.tmp_size.is_some()
        {
            fstab.set(path, &[size]);
        }
        fstab.write(bench.stage)?;
        live(bench, self.id(), path, &[]);
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if source::of(view.stage, self.0)?.is_empty() {
            let what =
                format!("{} is no file system of its own: no line, and no unit that mounts it", self.0);
            return Ok(Finding::fail_at(fstab::PATH, what));
        }
        Ok(view.failed_at_first_boot(self.id()).unwrap_or(Finding::Pass))
    }
}

impl Memory {
    fn id(&self) -> &'static str {
        if self.0 == SHM { "mount-shm" } else { "mount-tmp" }
    }
}

/// `50%`, `512m`: what tmpfs(5) takes.
fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(['%', 'k', 'm', 'g', 'K', 'M', 'G']);
    !digits.is_empty()
        && text.len() - digits.len() <= 1
        && digits.len() < 16
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// What is mounted there has these options.
struct Options {
    id: &'static str,
    path: &'static str,
    options: &'static [&'static str],
    /// Containers and snaps are below it: they need devices and programs of other users.
    holds_containers: bool,
}

impl Options {
    const fn new(id: &'static str, path: &'static str, options: &'static [&'static str]) -> Self {
        Self { id, path, options, holds_containers: false }
    }

    fn exception(&self, view: &View<'_>) -> Option<String> {
        if !self.holds_containers {
            return None;
        }
        let user = uses::found(view, uses::CONTAINERS).or_else(|| uses::found(view, uses::SNAPS))?;
        Some(format!(
            "{user} keeps file systems below {}, in which devices and set-user-ID programs work",
            self.path
        ))
    }
}

impl Measure for Options {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if self.holds_containers && self.exception(&bench.view()?).is_some() {
            return Ok(());
        }
        let path = source::really(bench.stage, self.path);
        let sources = source::of(bench.stage, self.path)?;
        let mut fstab = Fstab::read(bench.stage)?;
        match sources.first() {
            None => return Ok(()),
            // The administrator's own unit is used in place of what fstab says.
            Some(Source { unit: true, place, .. }) if place.path.starts_with("/etc/") => {
                source::set(bench.stage, &place.path.clone(), self.options)?;
            }
            Some(_) if !fstab.of(path).is_empty() => fstab.set(path, self.options),
            // A package's unit, or what is mounted without being asked for: fstab comes before both.
            Some(source) if self.options.iter().all(|option| fstab::has(&source.options, option)) => {}
            Some(source) => {
                let mut options = source.options.clone();
                fstab::merge(&mut options, self.options);
                fstab.add("tmpfs", path, "tmpfs", &options);
            }
        }
        fstab.write(bench.stage)?;
        live(bench, self.id, path, self.options);
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let sources = source::of(view.stage, self.path)?;
        if sources.is_empty() {
            return Ok(Finding::NotApplicable(format!("{} is no file system of its own", self.path)));
        }
        if let Some(reason) = self.exception(view) {
            return Ok(Finding::Exception(reason));
        }
        let mut faults = Vec::new();
        for source in sources {
            for option in self.options.iter().filter(|option| !fstab::has(&source.options, option)) {
                faults.push((source.place.clone(), format!("{} is mounted without {option}", self.path)));
            }
        }
        if faults.is_empty()
            && let Some(failed) = view.failed_at_first_boot(self.id)
        {
            return Ok(failed);
        }
        Ok(Finding::of(faults))
    }
}

/// Looks at the running machine's mounts.
fn live(bench: &mut Bench<'_, '_>, id: &'static str, path: &str, options: &[&str]) {
    let mut body = format!(
        "    is=\n    while read -r _ at _ options _; do\n        [ \"$at\" = {path} ] && is=\",$options,\"\n    done \
         < /proc/self/mounts\n    [ -n \"$is\" ] || {{ echo '{path} is no file system of its own'; return 1; }}\n"
    );
    for option in options {
        body.push_str(&format!(
            "    case $is in *,{option},*) ;; *) echo '{path} is mounted without {option}'; return 1 ;; esac\n"
        ));
    }
    bench.first_boot(id, body);
}

/// It is a partition of its own.
struct Partition(&'static str);

impl Measure for Partition {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(if source::of(view.stage, self.0)?.is_empty() {
            Finding::fail_at(fstab::PATH, format!("{} is no partition of its own", self.0))
        } else {
            Finding::Pass
        })
    }
}

/// Nothing is started from what the boot loader reads.
struct Boot;

const BOOT: [&str; 4] = ["/boot", "/boot/efi", "/efi", "/boot/firmware"];

impl Boot {
    fn wanted(kind: &str) -> &'static [&'static str] {
        // FAT keeps no modes: everybody could read the menu.
        if matches!(kind, "vfat" | "msdos") {
            &["nodev", "nosuid", "noexec", "umask=0077"]
        } else {
            &["nodev", "nosuid", "noexec"]
        }
    }
}

impl Measure for Boot {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let mut fstab = Fstab::read(bench.stage)?;
        for path in BOOT {
            if let Some(kind) = fstab.of(path).first().map(|entry| entry.kind.clone()) {
                fstab.set(path, Self::wanted(&kind));
            }
        }
        fstab.write(bench.stage)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let fstab = match Fstab::read(view.stage) {
            Ok(fstab) => fstab,
            Err(error) => return Ok(Finding::fail_at(fstab::PATH, error.to_string())),
        };
        let mut faults = Vec::new();
        let mut any = false;
        for path in BOOT {
            for entry in fstab.of(path) {
                any = true;
                let wanted = Self::wanted(&entry.kind).iter();
                for option in wanted.filter(|option| !fstab::has(&entry.options, option)) {
                    faults.push((entry.place(), format!("{path} is mounted without {option}")));
                }
            }
        }
        if !any {
            return Ok(Finding::NotApplicable("no file system of the boot loader's is mounted".to_owned()));
        }
        Ok(Finding::of(faults))
    }
}

/// Users see their own processes only.
struct HidePid;

const LOGIND: &str = "/etc/systemd/system/systemd-logind.service.d/60-hardtack.conf";
const POLKIT: &str = "/etc/systemd/system/polkit.service.d/60-hardtack.conf";
/// Who sees all of them: `adm` reads the logs, too.
const GROUP: &str = "adm";

impl HidePid {
    fn is_hidden(options: &[String]) -> bool {
        ["2", "invisible", "4", "ptraceable"]
            .iter()
            .any(|value| fstab::has(options, &format!("hidepid={value}")))
    }
}

impl Measure for HidePid {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let group = crate::merged::text(bench.stage, "/etc/group").unwrap_or_default();
        let id = group.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == GROUP).then(|| fields.nth(1)?.parse::<u32>().ok()).flatten()
        });
        let Some(id) = id else {
            return Err(Error::Refused {
                rule: "mount-proc-hidepid",
                what: format!("/etc/group has no group {GROUP}, which goes on seeing all processes"),
                hint: "make it, or leave this control out".to_owned(),
            });
        };
        let mut fstab = Fstab::read(bench.stage)?;
        let hidden = [format!("gid={id}"), "hidepid=2".to_owned()];
        if fstab.of("/proc").is_empty() {
            fstab.add("proc", "/proc", "proc", &["nosuid", "nodev", "noexec"].map(str::to_owned));
        }
        fstab.set("/proc", &hidden.each_ref().map(String::as_str));
        fstab.write(bench.stage)?;
        // Without them logind and polkit know nobody's session.
        for (unit, path) in [("systemd-logind.service", LOGIND), ("polkit.service", POLKIT)] {
            if units::file(bench.stage, unit)?.is_some() {
                bench.line(path, 0o644, "[Service]");
                bench.line(path, 0o644, format!("SupplementaryGroups={GROUP}"));
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let sources = source::of(view.stage, "/proc")?;
        let mut faults: Vec<(Place, String)> = sources
            .iter()
            .filter(|source| !Self::is_hidden(&source.options))
            .map(|source| (source.place.clone(), "/proc is mounted without hidepid=2".to_owned()))
            .collect();
        if sources.is_empty() {
            faults.push((Place::file(fstab::PATH), "no line for /proc, with hidepid=2".to_owned()));
        }
        Ok(Finding::of(faults))
    }
}

/// Writes the text of a file that is there, or a new one of root's.
fn write(stage: &mut hardtack_guest::Stage<'_>, path: &str, text: String) -> Result<(), Error> {
    Ok(stage.write(path, text, Set::default())?)
}

#[cfg(test)]
mod tests;
