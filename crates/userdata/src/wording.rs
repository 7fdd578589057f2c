//! Words of other people in messages.

/// `text` in backquotes: its first line, and not too much of it.
pub(crate) fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(60).collect();
    let more = if short.len() < text.trim_end().len() { "…" } else { "" };
    format!("`{short}{more}`")
}
