//! Errors with their place, and the picture of the line.
//!
//! The picture follows rustc's: message, place, line with carets, hint. It is plain text of at most
//! [`WIDTH`] columns; control characters and the like are escaped, since the text is other
//! people's and the picture goes to a terminal.

use std::fmt::Write as _;
use std::ops::Range;

/// No line of a picture is wider than this.
pub const WIDTH: usize = 100;

/// What stands in a picture instead of a masked part of the line.
const MASK: &str = "<redacted>";

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte behind the last one.
    pub end: usize,
    /// Line of `start`, from 1.
    pub line: usize,
    /// Column of `start` in characters, from 1.
    pub column: usize,
}

impl Span {
    /// The bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The text is refused.
    Error,
    /// The text is taken, but this is probably not meant.
    Warning,
}

/// One finding in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One lower-case sentence.
    pub message: String,
    /// The text's name, as the user gave it.
    pub file: String,
    /// Where.
    pub span: Span,
    /// What to do.
    pub hint: Option<String>,
    /// Other places that matter, each with a few words.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error.
    pub fn error(file: impl Into<String>, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            file: file.into(),
            span,
            hint: None,
            related: Vec::new(),
        }
    }

    /// A warning.
    pub fn warning(file: impl Into<String>, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, span, message) }
    }

    /// With a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With another place.
    #[must_use]
    pub fn with_related(mut self, span: Span, words: impl Into<String>) -> Self {
        self.related.push((span, words.into()));
        self
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.span.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.span.column
    }
}

/// The pictures of all `diagnostics`, sorted by position. `text` is what they were found in.
#[must_use]
pub fn render(text: &str, diagnostics: &[Diagnostic]) -> String {
    render_masked(text, diagnostics, &[])
}

/// As [`render`], with the byte ranges `masks` of `text` shown as `<redacted>`.
#[must_use]
pub fn render_masked(text: &str, diagnostics: &[Diagnostic], masks: &[Range<usize>]) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    let mut masks: Vec<Range<usize>> = masks.iter().filter(|mask| mask.start < mask.end).cloned().collect();
    masks.sort_by_key(|mask| mask.start);
    let mut out = String::new();
    for (index, diagnostic) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        draw(text, diagnostic, &masks, &mut out);
    }
    out
}

fn draw(text: &str, diagnostic: &Diagnostic, masks: &[Range<usize>], out: &mut String) {
    let label = match diagnostic.severity {
        Severity::Error => "error: ",
        Severity::Warning => "warning: ",
    };
    wrap(label, &diagnostic.message, out);
    let widest = diagnostic.related.iter().map(|(span, _)| span.line).chain([diagnostic.span.line]).max();
    let gutter = widest.unwrap_or_default().to_string().len();
    picture(text, &diagnostic.file, diagnostic.span, gutter, masks, out);
    for (span, words) in &diagnostic.related {
        wrap(&format!("{:gutter$} = note: ", ""), words, out);
        picture(text, &diagnostic.file, *span, gutter, masks, out);
    }
    if let Some(hint) = &diagnostic.hint {
        wrap(&format!("{:gutter$} = hint: ", ""), hint, out);
    }
}

fn picture(text: &str, file: &str, span: Span, gutter: usize, masks: &[Range<usize>], out: &mut String) {
    // A path keeps its end, which says more.
    let place = clip_start(
        &escape(file),
        WIDTH.saturating_sub(gutter + 5 + span.line.to_string().len() + span.column.to_string().len() + 2),
    );
    let _ = writeln!(out, "{:gutter$}--> {place}:{}:{}", "", span.line, span.column);
    let room = WIDTH - gutter - 3;
    let (line, carets) = excerpt(text, span, masks, room);
    let _ = writeln!(out, "{:gutter$} |", "");
    let _ = writeln!(out, "{}", format!("{:>gutter$} | {line}", span.line).trim_end());
    let _ = writeln!(out, "{:gutter$} | {carets}", "");
}

/// The line of `span` and the carets under it, both at most `room` columns wide.
fn excerpt(text: &str, span: Span, masks: &[Range<usize>], room: usize) -> (String, String) {
    let start = floor(text, span.start);
    let head = text.get(..start).unwrap_or_default();
    let from = head.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let to = text.get(start..).and_then(|rest| rest.find(['\n', '\r'])).map_or(text.len(), |at| start + at);
    // Cells: what each character is drawn as, with the byte that it comes from.
    let mut cells: Vec<(usize, String, usize)> = Vec::new();
    let mut skip_to = from;
    let line = text.get(from..to).unwrap_or_default();
    // A line of megabytes is looked at only around the place.
    let window = floor(text, start.saturating_sub(4 * WIDTH).max(from));
    let mut taken = 0;
    for (offset, character) in line.char_indices() {
        let at = from + offset;
        if at < window || at < skip_to {
            continue;
        }
        let (shown, next) = match masks.iter().find(|mask| mask.contains(&at)) {
            Some(mask) => (MASK.to_owned(), mask.end),
            None => (escape_char(character), at + character.len_utf8()),
        };
        skip_to = next;
        let wide = shown.chars().map(width).sum();
        cells.push((at, shown, wide));
        taken += 1;
        if taken > 10 * WIDTH {
            break;
        }
    }
    let end = span.end.min(to).max(start + 1);
    // Columns before, and of, the marked part.
    let first = cells.partition_point(|(at, ..)| *at < start).min(cells.len());
    let first = if cells.get(first).is_none_or(|(at, ..)| *at != start)
        && first > 0
        && masks.iter().any(|mask| mask.contains(&start))
    {
        first - 1
    } else {
        first
    };
    let last = cells.partition_point(|(at, ..)| *at < end).max(first + 1).min(cells.len().max(first));
    let mut left = 0;
    let before = |left: usize| -> usize { cells.iter().take(first).skip(left).map(|(.., wide)| wide).sum() };
    let whole: usize = cells.iter().map(|(.., wide)| wide).sum();
    let cut_left = window > from;
    if whole > room || cut_left {
        // Keep what is marked in view, with some of what stands before it.
        while left < first && before(left) > room / 2 {
            left += 1;
        }
    }
    let mut shown = String::new();
    let mut columns = 0;
    let mut caret_from = None;
    let mut caret_count = 0;
    if left > 0 || cut_left {
        shown.push_str("...");
        columns += 3;
    }
    for (index, (_, text, wide)) in cells.iter().enumerate().skip(left) {
        let more = index + 1 < cells.len();
        if columns + wide + if more { 3 } else { 0 } > room {
            shown.push_str("...");
            break;
        }
        if index >= first && index < last {
            caret_from.get_or_insert(columns);
            caret_count += wide;
        }
        shown.push_str(text);
        columns += wide;
    }
    let caret_from = caret_from.unwrap_or(columns).min(room - 1);
    let carets = format!("{:caret_from$}{}", "", "^".repeat(caret_count.clamp(1, room - caret_from)));
    (shown, carets)
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn wrap(label: &str, words: &str, out: &mut String) {
    let indent = label.chars().count();
    let mut column = indent;
    out.push_str(label);
    let escaped = escape(words);
    for (index, word) in escaped.split(' ').enumerate() {
        let mut wide: usize = word.chars().map(width).sum();
        let mut word = word;
        if index > 0 {
            if column + 1 + wide > WIDTH && column > indent {
                let _ = write!(out, "\n{:indent$}", "");
                column = indent;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        while column + wide > WIDTH {
            let fits = word.char_indices().nth(WIDTH - column).map_or(word.len(), |(at, _)| at);
            // Characters may be two columns wide: then half as many fit.
            let fits = if wide > word.chars().count() {
                word.char_indices().nth(((WIDTH - column) / 2).max(1)).map_or(word.len(), |(at, _)| at)
            } else {
                fits
            };
            let (now, later) = word.split_at(fits);
            let _ = write!(out, "{now}");
            if later.is_empty() {
                wide = 0;
                word = "";
                break;
            }
            let _ = write!(out, "\n{:indent$}", "");
            column = indent;
            word = later;
            wide = word.chars().map(width).sum();
        }
        out.push_str(word);
        column += wide;
    }
    out.push('\n');
}

fn clip_start(text: &str, room: usize) -> String {
    let wide: usize = text.chars().map(width).sum();
    if wide <= room {
        return text.to_owned();
    }
    let mut tail: Vec<char> = Vec::new();
    let mut columns = 3;
    for character in text.chars().rev() {
        columns += width(character);
        if columns > room {
            break;
        }
        tail.push(character);
    }
    format!("...{}", tail.into_iter().rev().collect::<String>())
}

/// `text` with everything escaped that could move the cursor, change direction or hide.
#[must_use]
pub fn escape(text: &str) -> String {
    text.chars().map(escape_char).collect()
}

fn escape_char(character: char) -> String {
    match character {
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        // No-break spaces, which look like spaces and are none, and what is not seen at all.
        '\u{a0}'
        | '\u{ad}'
        | '\u{2007}'
        | '\u{202f}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => format!("\\u{{{:x}}}", u32::from(character)),
        control if control.is_control() => format!("\\x{:02x}", u32::from(control)),
        other => other.to_string(),
    }
}

/// Columns that a terminal gives to `character`: East Asian wide and emoji two, marks none.
#[must_use]
pub fn width(character: char) -> usize {
    match u32::from(character) {
        0x300..=0x36f
        | 0x483..=0x489
        | 0x591..=0x5bd
        | 0x610..=0x61a
        | 0x64b..=0x65f
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xa960..=0xa97f
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
