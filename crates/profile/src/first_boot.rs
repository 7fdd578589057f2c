//! What only the running machine can do or know: a script in the image, and what it found.
//!
//! The script runs once, when the machine is up. Each rule is a function of it; what they came to stands in
//! [`RECORD`], a line each: the rule, `pass` or `fail`, and what it printed, with tabs between.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hardtack_guest::Stage;
use hardtack_inspect::facts::Init;

use crate::own_file::OwnFiles;
use crate::{Error, Finding, units};

/// The script.
pub(crate) const SCRIPT: &str = "/usr/lib/hardtack/profile-first-boot";
/// What starts it under systemd.
pub(crate) const UNIT: &str = "/etc/systemd/system/hardtack-profile.service";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/hardtack-profile.service";
/// What starts it under Upstart.
pub(crate) const JOB: &str = "/etc/init/hardtack-profile.conf";
/// What it found.
const RECORD: &str = "/var/lib/hardtack/profile.tsv";
/// The record has a line for each rule.
const RECORD_LIMIT: u64 = 1 << 20;

const HEAD: &str = include_str!("first_boot/head.sh");
const TAIL: &str = include_str!("first_boot/tail.sh");
const SYSTEMD: &str = include_str!("first_boot/hardtack-profile.service");
const UPSTART: &str = include_str!("first_boot/hardtack-profile.conf");

/// The script, as far as it was asked for.
#[derive(Default)]
pub(crate) struct Script(Vec<(String, String)>);

impl Script {
    /// Two rules may ask for the same, which is done once.
    pub(crate) fn add(&mut self, rule: String, body: String) {
        if !self.0.iter().any(|(there, _)| *there == rule) {
            self.0.push((rule, body));
        }
    }

    pub(crate) fn into_files(
        self,
        files: &mut OwnFiles,
        stage: &mut Stage<'_>,
        init: Option<Init>,
    ) -> Result<(), Error> {
        if self.0.is_empty() {
            if stage.read_link(WANTS).ok().flatten().is_some() {
                stage.remove(WANTS)?;
            }
            return Ok(());
        }
        if init == Some(Init::Sysv) {
            let names: Vec<&str> = self.0.iter().map(|(rule, _)| rule.as_str()).collect();
            let first = names.first().and_then(|name| crate::rule(name)).map_or("profile", |rule| rule.id);
            return Err(units::no_starter(first, "what is left to the first boot", &names.join(", ")));
        }
        let mut text = HEAD.to_owned();
        let mut calls = String::new();
        for (rule, body) in self.0 {
            let name = function(&rule);
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}() {{\n{}\n}}\n\n", body.trim_end());
            let _ = writeln!(calls, "look {rule} {name}");
        }
        text.push_str(&calls);
        text.push_str(TAIL);
        files.whole(SCRIPT, 0o700, text);
        if units::is_upstart(stage)? {
            files.whole(JOB, 0o644, UPSTART.to_owned());
        } else {
            files.whole(UNIT, 0o644, SYSTEMD.to_owned());
            stage.symlink(WANTS, UNIT)?;
        }
        Ok(())
    }
}

/// A rule's name as the shell can have it.
fn function(rule: &str) -> String {
    format!("rule_{}", rule.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

/// What the first boot found, and what it is told to look at.
#[derive(Debug, Default)]
pub(crate) struct Record {
    found: BTreeMap<String, (bool, String)>,
    asked: Vec<String>,
}

impl Record {
    pub(crate) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut record = Self::default();
        if let Some(bytes) = stage.read_limited(RECORD, RECORD_LIMIT).ok().flatten() {
            for line in String::from_utf8_lossy(&bytes).lines() {
                let mut parts = line.splitn(3, '\t');
                if let (Some(rule), Some(word)) = (parts.next(), parts.next()) {
                    let text = parts.next().unwrap_or_default().to_owned();
                    record.found.insert(rule.to_owned(), (word == "pass", text));
                }
            }
        }
        if let Some(bytes) = stage.read_limited(SCRIPT, RECORD_LIMIT).ok().flatten() {
            let text = String::from_utf8_lossy(&bytes);
            let looks = text.lines().filter_map(|line| line.strip_prefix("look ")?.split(' ').next());
            record.asked = looks.map(str::to_owned).collect();
        }
        Ok(record)
    }

    pub(crate) fn failed(&self, rule: &str) -> Option<Finding> {
        let (_, text) = self.found.get(rule).filter(|(passed, _)| !passed)?;
        Some(Finding::fail_at(RECORD, format!("at first boot: {text}")))
    }

    pub(crate) fn finding(&self, rule: &str, what: &str) -> Finding {
        if let Some(failed) = self.failed(rule) {
            return failed;
        }
        match self.found.get(rule) {
            Some(_) => Finding::Pass,
            None if self.asked.iter().any(|asked| asked == rule) => Finding::FirstBoot(what.to_owned()),
            None => Finding::fail(format!("nothing in the image does it at first boot: {what}")),
        }
    }
}
