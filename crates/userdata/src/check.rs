//! Everything that can be told about a piece of user-data, in one call: the host's `check` and the
//! agent ask the same one.

use crate::finding::{Finding, Severity};
use crate::load::load_config;
use crate::part::{Part, PartKind};
use crate::split::{self, SplitOptions, UserData};
use crate::value::{Key, Kind, Map, Value};
use crate::{coreos, merge, operator, schema, traps};

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
        let mut findings = std::mem::take(&mut self.findings);
        findings.sort_by_cached_key(|finding| {
            let diagnostic = self.diagnostic(finding);
            (diagnostic.file, diagnostic.span.line, diagnostic.span.column)
        });
        findings.dedup();
        self.findings = findings;
    }
}

/// Looks at the user-data `bytes`; `name` is the file's name for messages.
#[must_use]
pub fn check(name: &str, bytes: &[u8], options: &CheckOptions<'_>) -> Report {
    let data = split::split(name, bytes, &options.split);
    let mut unread = data.findings.clone();
    let merged = merge::merge_parts(&data.parts);
    unread.extend(merged.findings.into_iter().filter(|finding| !data.is_told(finding)));
    let config = merged.config;
    let mut findings = unread.clone();
    findings.extend(traps::too_large(bytes.len()));
    look(&config, &data.parts, &mut findings);
    let mut report = Report { data, config, findings, unread };
    report.sort();
    report
}

/// What is wrong with the configuration, in its own dialect.
fn look(config: &Map, parts: &[Part], findings: &mut Vec<Finding>) {
    let (secrets, wrong) = operator::totp(config);
    findings.extend(wrong);
    findings.extend(operator::in_the_clear(&secrets));
    if !coreos::is_coreos(config) {
        schema::check(config, findings);
        check_merging(parts, findings);
        traps::look(config, parts, findings);
        return;
    }
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| part.kind == PartKind::CloudConfig) {
        coreos::check(&String::from_utf8_lossy(&part.payload), index, findings);
    }
    // One file may speak both dialects. Keys that neither knows were told already, as warnings.
    let rest = coreos::rest(config);
    let known = |key: &Key| key.as_text().is_some_and(schema::is_known_key);
    let mut rest: Map = rest.into_iter().filter(|(key, _)| known(key)).collect();
    schema::check(&rest, findings);
    // Traps ask whether the dialect is spoken.
    rest.insert(Key::text("coreos"), Value::new(Kind::Null));
    traps::look(&rest, parts, findings);
}

/// What the parts say of merging, which the merged configuration does not hold any more. What merging
/// itself has refused was told.
fn check_merging(parts: &[Part], findings: &mut Vec<Finding>) {
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| part.kind == PartKind::CloudConfig) {
        let text = String::from_utf8_lossy(&part.payload);
        let refused = |told: &Finding| told.code == merge::MERGE_HOW && told.severity == Severity::Error;
        let told = findings.iter().any(|told| refused(told) && told.place.part == index);
        if told || !text.contains("merge_") {
            continue;
        }
        if let Ok(Some(config)) = load_config(&text, index) {
            schema::check_merging(&config, findings);
        }
    }
}
