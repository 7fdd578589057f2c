//! Why a recipe was not taken: all findings at once.

use std::fmt;

use hardtack_yaml::{Diagnostic, Severity, Span};

use super::reader::Source;

/// Whose fault a finding is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The recipe is wrong, or a variable that it names is unset: exit code 2.
    Usage,
    /// A file that the recipe names cannot be read: exit code 4.
    LocalIo,
}

/// All findings in a recipe, with the texts that they are about.
pub struct LoadError {
    sources: Vec<Source>,
    /// With the number of the file; places count from its beginning.
    findings: Vec<(Class, usize, Diagnostic)>,
}

impl LoadError {
    pub(super) fn new(sources: Vec<Source>, findings: Vec<(Class, Diagnostic)>) -> Self {
        let mut findings: Vec<_> = findings
            .into_iter()
            .map(|(class, diagnostic)| {
                let (index, diagnostic) = local(&sources, diagnostic);
                (class, index, diagnostic)
            })
            .collect();
        findings.sort_by_key(|(_, index, diagnostic)| (*index, diagnostic.span));
        Self { sources, findings }
    }

    /// The findings, sorted by position.
    pub fn findings(&self) -> impl Iterator<Item = (Class, &Diagnostic)> {
        self.findings.iter().map(|(class, _, diagnostic)| (*class, diagnostic))
    }

    /// [`Class::Usage`] if any finding is, else [`Class::LocalIo`].
    #[must_use]
    pub fn class(&self) -> Class {
        let errors = self.findings.iter().filter(|(.., diagnostic)| diagnostic.severity == Severity::Error);
        errors.map(|(class, ..)| *class).min().unwrap_or(Class::Usage)
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
        let findings: Vec<(usize, &Diagnostic)> =
            self.findings.iter().map(|(_, index, diagnostic)| (*index, diagnostic)).collect();
        pictures(&self.sources, &findings)
    }
}

/// The pictures of all `warnings`, whose places are of [`Source::base`].
pub(super) fn render_warnings(sources: &[Source], warnings: &[Diagnostic]) -> (Vec<Diagnostic>, String) {
    let mut found: Vec<(usize, Diagnostic)> =
        warnings.iter().map(|warning| local(sources, warning.clone())).collect();
    found.sort_by_key(|(index, warning)| (*index, warning.span));
    let told: Vec<(usize, &Diagnostic)> = found.iter().map(|(index, warning)| (*index, warning)).collect();
    let text = pictures(sources, &told);
    (found.into_iter().map(|(_, warning)| warning).collect(), text)
}

/// The finding with places that count from the beginning of its file, and the file's number.
fn local(sources: &[Source], mut diagnostic: Diagnostic) -> (usize, Diagnostic) {
    let find = |start: usize| sources.iter().rposition(|source| source.base <= start).unwrap_or_default();
    let base = |index: usize| sources.get(index).map_or(0, |source| source.base);
    let back = |span: Span, base: usize| Span {
        start: span.start.saturating_sub(base),
        end: span.end.saturating_sub(base),
        ..span
    };
    let own = find(diagnostic.span.start);
    diagnostic.span = back(diagnostic.span, base(own));
    let mut elsewhere = String::new();
    diagnostic.related.retain_mut(|(span, words)| {
        let index = find(span.start);
        if index != own {
            // A picture shows one file.
            let file = sources.get(index).map_or("", |source| source.name.as_str());
            elsewhere += &format!(" ({words}: {file}:{}:{})", span.line, span.column);
            return false;
        }
        *span = back(*span, base(own));
        true
    });
    diagnostic.message += &elsewhere;
    (own, diagnostic)
}

fn pictures(sources: &[Source], findings: &[(usize, &Diagnostic)]) -> String {
    let mut out = String::new();
    for (index, source) in sources.iter().enumerate() {
        let own: Vec<Diagnostic> = findings
            .iter()
            .filter(|(of, _)| *of == index)
            .map(|(_, diagnostic)| (*diagnostic).clone())
            .collect();
        if own.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out += &hardtack_yaml::render_masked(&source.text, &own, &source.masks);
    }
    out
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
