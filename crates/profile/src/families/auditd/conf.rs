//! /etc/audit/auditd.conf: `key = value`, the last one counts, and words in any case.

use hardtack_guest::{Set, Stage};
use hardtack_report::Place;

use super::is_there;
use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View};

const PATH: &str = "/etc/audit/auditd.conf";

/// These keys have these values. It has no drop-ins, so the package's file is edited.
pub(super) struct Key {
    pub(super) id: &'static str,
    /// A key, what is written, and words that are as good; of a number, more is as good.
    pub(super) values: &'static [(&'static str, &'static str, &'static [&'static str])],
}

fn get(stage: &Stage<'_>, key: &str) -> Option<(String, usize)> {
    let text = text(stage, PATH)?;
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let (name, value) = line.split_once('=')?;
        (name.trim().eq_ignore_ascii_case(key)).then(|| (value.trim().to_owned(), index + 1))
    });
    lines.into_iter().fold(None, |_, found| Some(found))
}

fn is_good(found: &str, wanted: &str, others: &[&str]) -> bool {
    match (found.parse::<u64>(), wanted.parse::<u64>()) {
        (Ok(found), Ok(wanted)) => found >= wanted,
        _ => {
            found.eq_ignore_ascii_case(wanted) || others.iter().any(|other| found.eq_ignore_ascii_case(other))
        }
    }
}

impl Measure for Key {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for (key, wanted, others) in self.values {
            let Some(text) = text(bench.stage, PATH) else { break };
            if get(bench.stage, key).is_some_and(|(found, _)| is_good(&found, wanted, others)) {
                continue;
            }
            let line = format!("{key} = {wanted}");
            let mut is_set = false;
            let mut lines: Vec<&str> = Vec::new();
            for there in text.lines() {
                if there.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(key)) {
                    if !is_set {
                        lines.push(&line);
                    }
                    is_set = true;
                } else {
                    lines.push(there);
                }
            }
            if !is_set {
                lines.push(&line);
            }
            crate::conffile::edit(bench.stage, PATH, lines.join("\n") + "\n", Set::default())?;
        }
        if bench.stage.stat(PATH)?.is_none() {
            // The package brings the file; one that lay there before would be asked about.
            let mut body = format!("    [ -f {PATH} ] || {{ echo 'auditd is not there'; return 1; }}\n");
            for (key, wanted, _) in self.values {
                body += &format!("    sed -i 's/^{key} *=.*/{key} = {wanted}/' {PATH}\n");
                body += &format!(
                    "    grep -q '^{key} = {wanted}$' {PATH} || echo '{key} = {wanted}' >> {PATH}\n"
                );
            }
            body += "    auditctl --signal reload 2>/dev/null || service auditd reload >/dev/null 2>&1 || :";
            bench.first_boot(self.id, body);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !is_there(view) && view.stage.stat(PATH)?.is_none() {
            return Ok(view
                .at_first_boot(self.id, "auditd is not in the image yet; its file is edited when it comes"));
        }
        let mut faults = Vec::new();
        for (key, wanted, others) in self.values {
            match get(view.stage, key) {
                Some((found, _)) if is_good(&found, wanted, others) => {}
                Some((found, line)) => {
                    let place = Place { path: PATH.to_owned(), line: Some(line) };
                    faults.push((place, format!("{key} is {found}, not {wanted}")));
                }
                None => faults.push((Place::file(PATH), format!("{key} is not set; it shall be {wanted}"))),
            }
        }
        Ok(Finding::of(faults))
    }
}
