//! What user-data is made of: parts, each with a type and a place in the file that it came from.

use hardtack_yaml::Span;

/// What a part is, by its MIME type (`cloudinit/handlers/__init__.py`, `INCLUSION_TYPES_MAP`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// `text/cloud-config`: YAML, merged with the others.
    CloudConfig,
    /// `text/cloud-config-jsonp`: a JSON patch on what was merged so far.
    JsonPatch,
    /// `text/x-shellscript`: runs once an instance, last.
    Script,
    /// `text/x-shellscript-per-boot`.
    ScriptPerBoot,
    /// `text/x-shellscript-per-instance`.
    ScriptPerInstance,
    /// `text/x-shellscript-per-once`.
    ScriptPerOnce,
    /// `text/cloud-boothook`: runs at every boot, first.
    Boothook,
    /// `text/part-handler`: Python code for cloud-init. Reported, never run.
    PartHandler,
    /// `text/jinja2`: a template that could not be rendered here, for want of instance data.
    Template,
    /// `text/x-include-url` that was not followed.
    Include,
    /// `text/x-include-once-url` that was not followed.
    IncludeOnce,
    /// Anything else: nobody handles it.
    Unhandled,
}

/// One piece of user-data, encodings undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its MIME type as cloud-init tells it: `text/cloud-config`.
    pub content_type: String,
    /// Its file name, or `part-001`…
    pub filename: String,
    /// `Launch-Index`, as written: only the instance with that index takes the part.
    pub launch_index: Option<String>,
    /// `Merge-Type` or `X-Merge-Type` of its header: how it is merged into those before.
    pub merge_type: Option<String>,
    /// The content.
    pub payload: Vec<u8>,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a part's payload stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file as the user named it; with the part's name behind it where lines do not count from
    /// the file's begin: `user-data.mime (part-002)`.
    pub file: String,
    /// Lines of the file before the payload's first one.
    pub lines_before: usize,
    /// Columns before the payload's lines (an archive's block scalars are indented).
    pub columns_before: usize,
}

impl Origin {
    /// A file that is its own payload.
    pub fn file(name: impl Into<String>) -> Self {
        Self { file: name.into(), ..Self::default() }
    }

    /// The file's name and the place in it of `span`, which counts from the payload's begin. The
    /// bytes of the span stay those of the payload.
    #[must_use]
    pub fn locate(&self, span: Span) -> (String, Span) {
        let line = span.line.saturating_add(self.lines_before);
        let column = span.column.saturating_add(self.columns_before);
        (self.file.clone(), Span { line, column, ..span })
    }
}
