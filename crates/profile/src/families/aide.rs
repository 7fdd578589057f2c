//! AIDE: what the files of the image are, written down before anybody could change them.
//!
//! The database is made offline, behind everything else, and with a configuration of its own: the package's has rules
//! that only the running machine can evaluate. It keeps no inode and no time, which copies of an image change, and of
//! what the first boot writes only owner and mode.

mod database;

use hardtack_guest::{Set, Stage};
use hardtack_report::Place;

use crate::merged::{names, text};
use crate::packages::Wanted;
use crate::{Bench, Error, Finding, Level, Measure, Rule, View, units};

/// Our configuration, which the package's programs are told to use.
const CONF: &str = "/etc/hardtack/aide.conf";
const DEFAULT: &str = "/etc/default/aide";
const DATABASE: &str = "/var/lib/aide/aide.db";
/// The lines of the benchmark, for those who use the package's configuration.
const TOOLS_CONF: &str = "/etc/aide/aide.conf.d/10_hardtack_audit_tools";
const TOOLS: [&str; 6] = ["auditctl", "auditd", "ausearch", "aureport", "autrace", "augenrules"];
const TOOL_ATTRIBUTES: &str = "p+i+n+u+g+s+b+acl+xattrs+sha512";

const PACKAGES: Wanted = Wanted(&["aide", "aide-common"]);

/// Whether the image's database is made here: the first numbers of the versions whose format was compared with what the
/// real program writes.
fn is_known(view: &View<'_>) -> bool {
    let text = view.package("aide").ok().flatten().map(ToString::to_string).unwrap_or_default();
    text.starts_with("0.18.") || text.starts_with("0.19.")
}

/// The package, its configuration and a database.
struct Installed;

impl Measure for Installed {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        PACKAGES.apply(bench)?;
        bench.file(CONF, 0o644, include_str!("aide/aide.conf"));
        if let Some(content) = text(bench.stage, DEFAULT) {
            crate::conffile::edit(bench.stage, DEFAULT, told(&content), Set::default())?;
        }
        if is_known(&bench.view()?) {
            bench.aide = true;
        } else {
            bench.first_boot("aide-installed", include_str!("aide/first-boot.sh"));
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        match PACKAGES.check(view)? {
            Finding::Pass => {}
            other => return Ok(other),
        }
        if !is_known(view) {
            return Ok(view.at_first_boot("aide-installed", "aide makes its own database there"));
        }
        let there = view.stage.stat(DATABASE)?;
        Ok(match there {
            Some(there) if there.size > 0 => Finding::Pass,
            _ => Finding::fail_at(DATABASE, "aide has no database: nothing to compare with"),
        })
    }

    fn is_late(&self) -> bool {
        true
    }

    fn installs(&self, view: &View<'_>) -> &'static [&'static str] {
        PACKAGES.installs(view)
    }
}

/// /etc/default/aide with our configuration.
fn told(content: &str) -> String {
    let line = format!("CONFIG=\"{CONF}\"");
    let is_it = |there: &str| there.trim_start().starts_with("CONFIG=");
    if content.lines().any(is_it) {
        content.lines().map(|there| format!("{}\n", if is_it(there) { &line } else { there })).collect()
    } else {
        format!("{content}\n{line}\n")
    }
}

/// Writes the database of what is staged; a sentence where it does not hold all of it.
pub(crate) fn write(stage: &mut Stage<'_>) -> Result<Option<String>, Error> {
    let is_whole = database::write(stage)?;
    Ok((!is_whole).then(|| {
        "AIDE's database takes 200000 paths, not more than 32 directories deep, and the image has more of them: \
         AIDE tells the rest as new files"
            .to_owned()
    }))
}

/// It runs every day.
struct Timer;

const UNIT: &str = "dailyaidecheck.timer";
const CRON: [&str; 3] = ["/etc/cron.daily/aide", "/etc/cron.daily/dailyaidecheck", "/etc/cron.d/aide"];

impl Measure for Timer {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        units::enable(bench, UNIT, "timers.target")?;
        let missing = units::file(bench.stage, UNIT)?.is_none();
        if missing && !CRON.iter().any(|path| bench.stage.stat(path).is_ok_and(|there| there.is_some())) {
            bench.first_boot(
                "aide-timer",
                format!(
                    "    systemctl enable --now {UNIT} >/dev/null 2>&1 || [ -x {} ]",
                    CRON.join(" ] || [ -e ")
                ),
            );
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let timers = [UNIT, "aidecheck.timer", "aide-check.timer"];
        for timer in timers {
            if !units::enabled(view.stage, timer)?.is_empty() {
                return Ok(Finding::Pass);
            }
        }
        if CRON.iter().any(|path| view.stage.stat(path).is_ok_and(|there| there.is_some())) {
            return Ok(Finding::Pass);
        }
        Ok(view.at_first_boot("aide-timer", "aide is not in the image yet; its timer comes with it"))
    }
}

/// The programs of auditd are watched.
struct AuditTools;

impl Measure for AuditTools {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if bench.stage.stat("/etc/aide")?.is_none() {
            // The package brings the directory; a file in it is no conffile of its.
            bench.stage.mkdir("/etc/aide", Set::all(0o755, 0, 0))?;
        }
        for tool in TOOLS {
            bench.line(TOOLS_CONF, 0o644, format!("/usr/sbin/{tool} {TOOL_ATTRIBUTES}"));
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let directory = "/etc/aide/aide.conf.d";
        let mut files = vec!["/etc/aide/aide.conf".to_owned(), "/etc/aide.conf".to_owned()];
        files.extend(names(view.stage, directory)?.into_iter().map(|name| format!("{directory}/{name}")));
        let lines: Vec<String> = files
            .iter()
            .filter_map(|file| text(view.stage, file))
            .flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
            .collect();
        let mut faults = Vec::new();
        for tool in TOOLS {
            let is_watched = |line: &String| {
                let Some((path, attributes)) = line.split_once(char::is_whitespace) else { return false };
                let words: Vec<&str> = attributes.trim().split('+').collect();
                [format!("/usr/sbin/{tool}"), format!("/sbin/{tool}")]
                    .iter()
                    .any(|it| path.trim_end_matches('$') == it)
                    && TOOL_ATTRIBUTES.split('+').all(|word| words.contains(&word))
            };
            if !lines.iter().any(is_watched) {
                faults.push((
                    Place::file(TOOLS_CONF),
                    format!("no line watches {tool} with {TOOL_ATTRIBUTES}"),
                ));
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "aide-installed",
        "6.3.1",
        Level::One,
        "AIDE is installed, and has a database of the image's files",
        "what somebody changes is seen only by who knows what was there before",
        &Installed,
    ),
    Rule::new(
        "aide-timer",
        "6.3.2",
        Level::One,
        "AIDE looks every day",
        "a database that nobody compares with tells nothing",
        &Timer,
    ),
    Rule::new(
        "aide-audit-tools",
        "6.3.3",
        Level::One,
        "AIDE watches the programs of auditd",
        "who replaces them hides what he does",
        &AuditTools,
    ),
];
