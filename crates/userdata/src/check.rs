//! Everything that can be told about a piece of user-data, in one call: the host's `check` and the
//! agent ask the same one.

use crate::finding::{Finding, Severity};
use crate::part::Part;
use crate::split::{self, SplitOptions, UserData};
use crate::value::Map;
use crate::{merge, schema};

/// How user-data is looked at.
#[derive(Clone, Copy, Default)]
pub struct CheckOptions<'a> {
    /// How it is taken apart.
    pub split: SplitOptions<'a>,
}

/// What a piece of user-data is, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The parts, and the texts that findings count in.
    pub data: UserData,
    /// What all cloud-config parts amount to.
    pub config: Map,
    /// What is wrong, in the order of the file.
    pub findings: Vec<Finding>,
    /// Those of them that keep a part, or all of it, from being read.
    pub unread: Vec<Finding>,
}

impl Report {
    /// True when nothing is wrong that user-data is refused for.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning)
    }

    /// Adds findings of others, and puts all in order.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        self.sort();
    }

    fn sort(&mut self) {
        // What is about the file as a whole comes first.
        let part = |finding: &Finding| finding.place.part.wrapping_add(1);
        self.findings.sort_by(|one, other| {
            (part(one), one.place.span.start).cmp(&(part(other), other.place.span.start))
        });
        self.findings.dedup();
    }
}

/// Looks at the user-data `bytes`; `name` is the file's name for messages.
#[must_use]
pub fn check(name: &str, bytes: &[u8], options: &CheckOptions<'_>) -> Report {
    let data = split::split(name, bytes, &options.split);
    let mut unread = data.findings.clone();
    let merged = merge::merge_parts(&data.parts);
    unread.extend(merged.findings);
    let config = merged.config;
    let mut findings = unread.clone();
    look(&config, &data.parts, &mut findings);
    let mut report = Report { data, config, findings, unread };
    report.sort();
    report
}

/// What is wrong with the configuration, in its own dialect.
fn look(config: &Map, _parts: &[Part], findings: &mut Vec<Finding>) {
    schema::check(config, findings);
}
