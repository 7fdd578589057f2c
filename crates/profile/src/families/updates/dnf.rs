//! dnf-automatic(8).

use hardtack_guest::Set;
use hardtack_report::Place;

use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, Packages, View, units};

const PATH: &str = "/etc/dnf/automatic.conf";
const TIMER: &str = "dnf-automatic.timer";
const RULE: &str = "dnf-automatic";
const WANTED: [(&str, &str); 2] = [("upgrade_type", "security"), ("apply_updates", "yes")];

pub(super) struct Automatic;

/// The last assignment in `[commands]`: its line from 0, and the value.
fn set<'t>(text: &'t str, key: &str) -> Option<(usize, &'t str)> {
    let mut inside = false;
    let mut last = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[commands]";
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            last = Some((index, value.trim()));
        }
    }
    last
}

impl Measure for Automatic {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if bench.stage.stat("/usr/bin/dnf")?.is_none() {
            return Ok(());
        }
        let Some(content) = bench.stage.read_text(PATH)? else {
            if bench.settings.packages == Packages::FirstBoot {
                bench.first_boot(RULE, include_str!("dnf.sh"));
            }
            return Ok(());
        };
        let mut lines: Vec<String> = content.lines().map(str::to_owned).collect();
        for (key, value) in WANTED {
            let text = lines.join("\n");
            let line = format!("{key} = {value}");
            match set(&text, key) {
                Some((_, there)) if there == value => {}
                Some((index, _)) => lines[index] = line,
                None => {
                    let section = lines.iter().position(|line| line.trim() == "[commands]");
                    let at = section.unwrap_or_else(|| {
                        lines.push("[commands]".to_owned());
                        lines.len() - 1
                    });
                    lines.insert(at + 1, line);
                }
            }
        }
        crate::conffile::edit(bench.stage, PATH, lines.join("\n") + "\n", Set::default())?;
        units::install(bench, TIMER)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if view.stage.stat("/usr/bin/dnf")?.is_none() {
            return Ok(Finding::NotApplicable("the image has no dnf".to_owned()));
        }
        let Some(text) = text(view.stage, PATH) else {
            return Ok(match view.settings.packages {
                Packages::None => Finding::Exception("packages are not installed on request".to_owned()),
                Packages::Repository => Finding::fail("not installed: dnf-automatic"),
                Packages::FirstBoot => view.at_first_boot(RULE, "dnf installs dnf-automatic, and enables it"),
            });
        };
        let mut faults = Vec::new();
        for (key, value) in WANTED {
            match set(&text, key) {
                Some((_, there)) if there == value => {}
                Some((index, there)) => faults.push((
                    Place { path: PATH.to_owned(), line: Some(index + 1) },
                    format!("{key} is {there}, not {value}"),
                )),
                None => faults.push((Place::file(PATH), format!("{key} is not set; it shall be {value}"))),
            }
        }
        if units::enabled(view.stage, TIMER)?.is_empty() {
            faults.push((Place::file("/etc/systemd/system"), format!("{TIMER} is not enabled")));
        }
        Ok(Finding::of(faults))
    }
}
