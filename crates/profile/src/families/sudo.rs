//! Becoming somebody else: sudo and su.

mod nopasswd;
mod su;
mod sudoers;
#[cfg(test)]
mod tests;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Version;
use hardtack_report::Place;

use crate::bench::root;
use crate::packages::Wanted;
use crate::{Bench, Error, Finding, Level, Measure, Rule, View};
use nopasswd::NoPasswd;
use su::SuGroup;
use sudoers::{MAIN, Setting, Sudoers};

pub(crate) use nopasswd::CLOUD as CLOUD_SUDO;

/// Ours. sudo passes over names with a dot.
pub(crate) const PATH: &str = "/etc/sudoers.d/60-hardtack";
const DIRECTORY: &str = "/etc/sudoers.d";
/// What keeps the log from growing without end.
pub(crate) const ROTATE: &str = "/etc/logrotate.d/hardtack-sudo";
const LOG: &str = "/var/log/sudo.log";
/// The first release that uses a terminal of its own unasked.
const PTY_BY_DEFAULT: &str = "1.9.14";
/// Minutes.
const LONGEST: f64 = 15.0;

/// A line of ours, in a directory that is read.
fn line(bench: &mut Bench<'_, '_>, line: &str) -> Result<(), Error> {
    if bench.stage.stat(DIRECTORY)?.is_none() {
        bench.stage.mkdir(DIRECTORY, root(0o750))?;
    }
    // A main file that reads no directory is rare, and everything of ours would be lost there.
    if let Some(text) = bench.stage.read_text(MAIN)? {
        let read = Sudoers::read(bench.stage)?;
        let includes =
            |line: &str| line.trim_start_matches(['#', '@']).split_whitespace().eq(["includedir", DIRECTORY]);
        if !read.files.iter().any(|path| path.starts_with("/etc/sudoers.d/")) && !text.lines().any(includes) {
            let text = format!("{}\n#includedir {DIRECTORY}\n", text.trim_end_matches('\n'));
            crate::conffile::edit(bench.stage, MAIN, text, hardtack_guest::Set::default())?;
        }
    }
    bench.line(PATH, 0o440, line);
    Ok(())
}

/// What sudo reads, unless there is none.
fn read(view: &View<'_>) -> Result<Result<Sudoers, Finding>, Error> {
    if view.stage.stat(MAIN)?.is_none() {
        return Ok(Err(Finding::NotApplicable("the image has no sudo".to_owned())));
    }
    Ok(Ok(Sudoers::read(view.stage)?))
}

/// A `Defaults` line, and which values will do.
struct Default {
    line: &'static str,
    faults: fn(&Sudoers, &Stage<'_>, &View<'_>) -> Vec<(Place, String)>,
}

impl Measure for Default {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        line(bench, self.line)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let sudoers = match read(view)? {
            Ok(sudoers) => sudoers,
            Err(finding) => return Ok(finding),
        };
        let mut faults = sudoers.faults.clone();
        faults.extend((self.faults)(&sudoers, view.stage, view));
        Ok(Finding::of(faults))
    }
}

fn fault(setting: &Setting, what: &str) -> (Place, String) {
    (setting.place.clone(), what.to_owned())
}

fn pty(sudoers: &Sudoers, _: &Stage<'_>, view: &View<'_>) -> Vec<(Place, String)> {
    let off = |setting: &&Setting| setting.value.is_none();
    let mut faults: Vec<_> = sudoers
        .scoped("use_pty")
        .filter(off)
        .map(|one| fault(one, "use_pty is switched off for some"))
        .collect();
    let new = Version::parse(PTY_BY_DEFAULT).ok();
    let by_default = matches!((view.package("sudo"), new), (Ok(Some(have)), Some(new)) if *have >= new);
    match sudoers.global("use_pty") {
        Some(one) if one.value.is_none() => faults.push(fault(one, "use_pty is switched off")),
        None if !by_default => faults.push((Place::file(MAIN), "use_pty is set nowhere".to_owned())),
        _ => {}
    }
    faults
}

fn log(sudoers: &Sudoers, stage: &Stage<'_>, _: &View<'_>) -> Vec<(Place, String)> {
    let mut faults: Vec<_> = sudoers
        .scoped("logfile")
        .filter(|one| one.value.is_none())
        .map(|one| fault(one, "no log is kept for some"))
        .collect();
    match sudoers.global("logfile").map(|one| (one, one.value.as_deref().unwrap_or_default())) {
        Some((_, path)) if path.starts_with('/') => {
            let directory = "/etc/logrotate.d";
            let rotated = crate::merged::names(stage, directory).unwrap_or_default().iter().any(|name| {
                crate::merged::text(stage, &format!("{directory}/{name}"))
                    .is_some_and(|text| text.contains(path))
            });
            if !rotated {
                faults.push((Place::file(directory), format!("nothing rotates {path}: it fills the disk")));
            }
        }
        Some((one, _)) => faults.push(fault(one, "logfile is switched off")),
        None => faults.push((Place::file(MAIN), "logfile is set nowhere".to_owned())),
    }
    faults
}

fn timeout(sudoers: &Sudoers, _: &Stage<'_>, _: &View<'_>) -> Vec<(Place, String)> {
    let long = |one: &&Setting| {
        one.value
            .as_deref()
            .is_some_and(|text| !text.parse::<f64>().is_ok_and(|time| (0.0..=LONGEST).contains(&time)))
    };
    let all = sudoers.scoped("timestamp_timeout").chain(sudoers.global("timestamp_timeout"));
    let what = |one: &Setting| {
        let value = one.value.as_deref().unwrap_or_default();
        fault(one, &format!("timestamp_timeout is {value} minutes; wanted: 0 to {LONGEST}"))
    };
    // sudo's own is 5, Debian's 15.
    all.filter(long).map(what).collect()
}

/// The log, and what rotates it.
struct Log;

const LOGFILE: Default = Default { line: "Defaults logfile=\"/var/log/sudo.log\"", faults: log };

impl Measure for Log {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let rotate = format!(
            "# Made by hardtack for a hardening profile; the next build writes it again.\n{LOG} {{\n\tmonthly\n\trotate \
             12\n\tcompress\n\tdelaycompress\n\tmissingok\n\tnotifempty\n\tcreate 0600 root root\n}}\n"
        );
        bench.file(ROTATE, 0o644, rotate);
        LOGFILE.apply(bench)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        LOGFILE.check(view)
    }
}

/// Nobody is let through unasked.
struct Authenticate;

impl Measure for Authenticate {
    /// A switch for all is turned back, if anybody could still become root. One for some is a decision of theirs: it is
    /// told, and taken out by hand.
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let sudoers = Sudoers::read(bench.stage)?;
        let mut all = sudoers.settings.iter().filter(|one| one.name == "authenticate" && !one.scoped);
        if !all.any(|one| one.value.is_none()) {
            return Ok(());
        }
        if !nopasswd::somebody_asked(bench)? {
            bench
                .notes
                .push("sudo-authenticate is left alone: nobody who may use sudo has a password".to_owned());
            return Ok(());
        }
        line(bench, "Defaults authenticate")
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let sudoers = match read(view)? {
            Ok(sudoers) => sudoers,
            Err(finding) => return Ok(finding),
        };
        let last = sudoers.global("authenticate").into_iter();
        let off = sudoers.scoped("authenticate").chain(last).filter(|one| one.value.is_none());
        Ok(Finding::of(off.map(|one| fault(one, "authenticate is switched off")).collect()))
    }
}

/// What rules allow whom is nobody's business.
struct DirectoryMode;

impl Measure for DirectoryMode {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.restrict(DIRECTORY, 0o750)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(there) = view.stage.stat(DIRECTORY)? else {
            return Ok(Finding::NotApplicable(format!("there is no {DIRECTORY}")));
        };
        let mut faults = Vec::new();
        if (there.uid, there.gid) != (0, 0) {
            faults.push((
                Place::file(DIRECTORY),
                format!("belongs to {}:{}, not to root", there.uid, there.gid),
            ));
        }
        if there.mode & 0o7777 & !0o750 != 0 {
            let what = format!("has the mode {:04o}; at most 0750", there.mode & 0o7777);
            faults.push((Place::file(DIRECTORY), what));
        }
        Ok(Finding::of(faults))
    }
}

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule::new("sudo-installed", "5.2.1", Level::One, "sudo is installed",
        "who becomes root leaves a trace under their own name",
        &Wanted(&["sudo"])).baseline(),
    Rule::new("sudo-pty", "5.2.2", Level::One, "commands of sudo have a terminal of their own",
        "a program left behind cannot type into the terminal of whoever called it",
        &Default { line: "Defaults use_pty", faults: pty }).baseline(),
    Rule::new("sudo-log", "5.2.3", Level::One, "sudo keeps a log of its own, and it is rotated",
        "what was done as root stands in one place",
        &Log),
    Rule::new("sudo-nopasswd", "5.2.4", Level::Two, "nobody becomes root without a password",
        "whoever takes over a session would have the whole machine",
        &NoPasswd),
    Rule::new("sudo-authenticate", "5.2.5", Level::One, "sudo asks everybody",
        "a switch that lets people through unasked is easily forgotten",
        &Authenticate).baseline(),
    Rule::new("sudo-timeout", "5.2.6", Level::One, "sudo asks again after 15 minutes",
        "an open session that nobody watches is not root's for ever",
        &Default { line: "Defaults timestamp_timeout=15", faults: timeout }),
    Rule::new("sudo-dir-mode", "", Level::None, "only root reads the rules of sudo",
        "they tell whose account is worth taking over",
        &DirectoryMode).baseline(),
    Rule::new("su-group", "5.2.7", Level::One, "nobody but root uses su",
        "sudo asks who somebody is, and keeps it; su only asks for root's password",
        &SuGroup),
];
