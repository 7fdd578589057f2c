//! Why a recipe was not taken: all findings at once.

use std::fmt;
use std::ops::Range;

use hardtack_yaml::{Diagnostic, Severity};

/// Whose fault a finding is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The recipe is wrong, or a variable that it names is unset: exit code 2.
    Usage,
    /// A file that the recipe names cannot be read: exit code 4.
    LocalIo,
}

/// All findings in a recipe, with the text that they are about.
pub struct LoadError {
    text: String,
    masks: Vec<Range<usize>>,
    findings: Vec<(Class, Diagnostic)>,
}

impl LoadError {
    pub(super) fn new(text: &str, masks: Vec<Range<usize>>, mut findings: Vec<(Class, Diagnostic)>) -> Self {
        findings.sort_by_key(|(_, diagnostic)| diagnostic.span);
        Self { text: text.to_owned(), masks, findings }
    }

    /// The findings, sorted by position.
    pub fn findings(&self) -> impl Iterator<Item = (Class, &Diagnostic)> {
        self.findings.iter().map(|(class, diagnostic)| (*class, diagnostic))
    }

    /// [`Class::Usage`] if any finding is, else [`Class::LocalIo`].
    #[must_use]
    pub fn class(&self) -> Class {
        let errors = self.findings.iter().filter(|(_, diagnostic)| diagnostic.severity == Severity::Error);
        errors.map(|(class, _)| *class).min().unwrap_or(Class::Usage)
    }

    /// 2 or 4.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.class() {
            Class::Usage => 2,
            Class::LocalIo => 4,
        }
    }

    /// The picture of every finding: plain text, at most 100 columns, secrets masked.
    #[must_use]
    pub fn render(&self) -> String {
        let diagnostics: Vec<Diagnostic> =
            self.findings.iter().map(|(_, diagnostic)| diagnostic.clone()).collect();
        hardtack_yaml::render_masked(&self.text, &diagnostics, &self.masks)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render().trim_end())
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may hold secrets; the picture has them masked.
        write!(f, "LoadError({self})")
    }
}

impl std::error::Error for LoadError {}
