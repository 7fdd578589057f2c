//! What the checks say: coreos-cloudinit's entries, each with our finding.

use crate::finding::{Finding, Severity};

/// How bad an entry is, to coreos-cloudinit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// What does not work.
    Error,
    /// What is probably not meant.
    Warning,
    /// What is good to know.
    Info,
}

impl Grade {
    /// coreos-cloudinit's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// Ours.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Error => Severity::Error,
            Self::Warning | Self::Info => Severity::Warning,
        }
    }
}

/// One entry, as `coreos-cloudinit -validate` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How bad it is.
    pub grade: Grade,
    /// Its line, from 1; 0 where coreos-cloudinit does not find one.
    pub line: usize,
    /// What it says.
    pub message: String,
    /// The same with a place and a hint.
    pub finding: Option<Finding>,
}

/// All entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the rules, and within one in the order of the text (coreos-cloudinit's is at
    /// random within a mapping).
    pub entries: Vec<Entry>,
    /// True when coreos-cloudinit's checks break off behind these entries: it cannot compare an
    /// empty value, a list or a mapping with the values of an option.
    pub broken_off: bool,
    /// What the checks would have found behind that.
    pub beyond: Vec<Finding>,
    /// Entries beyond [`Report::LIMIT`].
    pub untold: usize,
}

impl Report {
    /// More entries are counted, and not kept.
    pub const LIMIT: usize = 1000;

    /// Whether another entry would be kept; it is counted if not.
    pub(super) fn has_room(&mut self) -> bool {
        let room = self.entries.len() + self.beyond.len() < Self::LIMIT;
        self.untold += usize::from(!room);
        room
    }

    pub(super) fn add(&mut self, grade: Grade, line: usize, message: String, finding: Finding) {
        let finding = Finding { severity: grade.severity(), ..finding };
        if self.broken_off {
            self.beyond.push(finding);
            return;
        }
        let finding = Some(finding);
        self.entries.push(Entry { grade, line, message, finding });
    }

    /// An entry that says nothing to people.
    pub(super) fn note(&mut self, grade: Grade, line: usize, message: &str) {
        self.entries.push(Entry { grade, line, message: message.to_owned(), finding: None });
    }
}
