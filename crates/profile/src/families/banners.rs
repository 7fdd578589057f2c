//! What people read before and after they log in.
//!
//! agetty replaces what follows a backslash in /etc/issue (`\r` is the kernel's release), sshd shows /etc/issue.net as it
//! is, and pam_motd shows /etc/motd and what the programs of /etc/update-motd.d print.

mod text;

use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use crate::bench::root;
use crate::merged::{self, names};
use crate::packages::Unwanted;
use crate::{Bench, Error, Finding, Level, Measure, Rule, View};

const MOTD: &str = "/etc/motd";
const ISSUE: &str = "/etc/issue";
const ISSUE_NET: &str = "/etc/issue.net";
/// Programs that print more of it.
const DYNAMIC: &str = "/etc/update-motd.d";
/// Ubuntu's news: fetched over the network.
const NEWS: &str = "/etc/default/motd-news";

/// A file with our banner.
struct Banner {
    rule: &'static str,
    path: &'static str,
}

impl Measure for Banner {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let banner = text::wanted(bench.settings);
        let refused = |what: String| Error::Refused {
            rule: self.rule,
            what: format!("the banner of the profile's settings {what}"),
            hint: "take plain words that say whose machine it is and that its use is watched".to_owned(),
        };
        if let Some(what) = text::fault(&banner, &systems(bench.stage)?) {
            return Err(refused(what));
        }
        if text::key_words(&banner) < text::ENOUGH {
            bench.notes.push(format!(
                "{}: the banner has {} of the words that lynis looks for; it wants {}",
                self.rule,
                text::key_words(&banner),
                text::ENOUGH
            ));
        }
        // A link into /usr or /run would be written through.
        if bench.stage.lstat(self.path)?.is_some_and(|there| there.kind != FileType::Regular) {
            bench.stage.remove(self.path)?;
        }
        let mode = bench.stage.stat(self.path)?.map_or(0o644, |there| there.mode & 0o644);
        crate::conffile::edit(bench.stage, self.path, banner, root(mode))
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(found) = merged::text(view.stage, self.path) else {
            return Ok(Finding::fail_at(self.path, "is not there, or no text"));
        };
        if let Some(what) = text::fault(&found, &systems(view.stage)?) {
            return Ok(Finding::fail_at(self.path, what));
        }
        let ours = view.settings.banner.is_some() && found == text::wanted(view.settings);
        if !ours && text::key_words(&found) < text::ENOUGH {
            return Ok(Finding::fail_at(
                self.path,
                "does not say whose machine it is and that its use is watched",
            ));
        }
        Ok(Finding::Pass)
    }
}

/// By which names the image's system would be told.
fn systems(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let facts = hardtack_inspect::facts::Facts::with_packages(stage, None)?;
    Ok(facts.os.into_iter().collect())
}

/// /etc/motd tells nothing about the system, and neither do programs.
struct Motd;

/// Programs that pam_motd runs, links included.
fn programs(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for name in names(stage, DYNAMIC)? {
        let path = format!("{DYNAMIC}/{name}");
        // A link to nowhere is run by nobody; a damaged one is passed over.
        let there = stage.stat(&path).ok().flatten();
        if there.is_some_and(|there| there.kind == FileType::Regular && there.mode & 0o111 != 0) {
            found.push(path);
        }
    }
    Ok(found)
}

fn news(stage: &Stage<'_>) -> Option<(usize, String)> {
    let text = merged::text(stage, NEWS)?;
    let on =
        |line: &str| line.trim().strip_prefix("ENABLED=").is_some_and(|value| value.trim_matches('"') != "0");
    text.lines().enumerate().find(|(_, line)| on(line)).map(|(index, line)| (index + 1, line.to_owned()))
}

impl Measure for Motd {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for path in programs(bench.stage)? {
            let Some(there) = bench.stage.stat(&path)? else { continue };
            bench.stage.set_mode(&path, there.mode & 0o7777 & !0o111)?;
        }
        // Those of packages that are finished on the machine come only then.
        bench.first_boot(
            "motd-text",
            format!(
                "    for file in {DYNAMIC}/*; do\n        \
                 if [ -f \"$file\" ] && [ -x \"$file\" ]; then chmod a-x \"$file\" || return 1; fi\n    done"
            ),
        );
        if news(bench.stage).is_some() {
            let text = merged::text(bench.stage, NEWS).unwrap_or_default();
            let off = |line: &str| {
                if line.trim().starts_with("ENABLED=") { "ENABLED=0".to_owned() } else { line.to_owned() }
            };
            let text: Vec<String> = text.lines().map(off).collect();
            crate::conffile::edit(bench.stage, NEWS, text.join("\n") + "\n", hardtack_guest::Set::default())?;
        }
        // A link into /run is made new at every boot, by the programs above.
        if is_link(bench.stage)? {
            return Ok(());
        }
        let systems = systems(bench.stage)?;
        if merged::text(bench.stage, MOTD).is_some_and(|found| text::fault(&found, &systems).is_some()) {
            crate::conffile::edit(bench.stage, MOTD, "", hardtack_guest::Set::default())?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        if !is_link(view.stage)?
            && let Some(found) = merged::text(view.stage, MOTD)
            && let Some(what) = text::fault(&found, &systems(view.stage)?)
        {
            faults.push((Place::file(MOTD), what));
        }
        for path in programs(view.stage)? {
            faults.push((Place::file(path), "prints what it likes at every login".to_owned()));
        }
        if let Some((line, what)) = news(view.stage) {
            faults.push((
                Place { path: NEWS.to_owned(), line: Some(line) },
                format!("{what}: news are fetched"),
            ));
        }
        Ok(Finding::of(faults))
    }
}

fn is_link(stage: &Stage<'_>) -> Result<bool, Error> {
    Ok(stage.lstat(MOTD)?.is_some_and(|there| there.kind == FileType::Symlink))
}

/// Root's, and nobody else writes it.
struct Mode(&'static str);

impl Measure for Mode {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let there = bench.stage.lstat(self.0)?;
        match there.filter(|there| there.kind == FileType::Regular) {
            Some(there) => bench.restrict(self.0, there.mode & 0o644),
            None => Ok(()),
        }
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(there) = view.stage.lstat(self.0)? else { return Ok(Finding::Pass) };
        let mut faults = Vec::new();
        if there.kind == FileType::Symlink {
            return Ok(Finding::NotApplicable(format!("{} is a link, made new at every boot", self.0)));
        }
        if (there.uid, there.gid) != (0, 0) {
            faults
                .push((Place::file(self.0), format!("belongs to {}:{}, not to root", there.uid, there.gid)));
        }
        if there.mode & 0o7777 & !0o644 != 0 {
            let what = format!("has the mode {:04o}; at most 0644", there.mode & 0o7777);
            faults.push((Place::file(self.0), what));
        }
        Ok(Finding::of(faults))
    }
}

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule::new("motd-text", "1.6.1", Level::One, "what people read after the login tells nothing about the system",
        "its name and release tell which holes to try",
        &Motd).baseline(),
    Rule::new("issue-text", "1.6.2", Level::One, "the console shows a banner, and nothing about the system",
        "whoever comes is told whose machine this is, and not which holes to try",
        &Banner { rule: "issue-text", path: ISSUE }).baseline(),
    Rule::new("issue-net-text", "1.6.3", Level::One, "the network's banner tells nothing about the system",
        "whoever comes is told whose machine this is, and not which holes to try",
        &Banner { rule: "issue-net-text", path: ISSUE_NET }).baseline(),
    Rule::new("motd-mode", "1.6.4", Level::One, "only root writes /etc/motd",
        "people do what they read there",
        &Mode(MOTD)).baseline(),
    Rule::new("issue-mode", "1.6.5", Level::One, "only root writes /etc/issue",
        "people do what they read there",
        &Mode(ISSUE)).baseline(),
    Rule::new("issue-net-mode", "1.6.6", Level::One, "only root writes /etc/issue.net",
        "people do what they read there",
        &Mode(ISSUE_NET)).baseline(),
    Rule::new("gdm-absent", "1.7.1", Level::Two, "there is no graphical login",
        "a server has no display; GNOME's manager is much code that runs as root",
        &Unwanted(&["gdm3"])),
];

#[cfg(test)]
mod tests;
