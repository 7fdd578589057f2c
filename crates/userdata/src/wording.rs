//! Words of other people in messages.

use crate::{redact, secrets};

/// Characters that are shown.
const SHOWN: usize = 60;
/// Characters in which secrets are looked for: what makes one of them may stand behind it.
const READ: usize = 1000;

/// `text` in backquotes: its first line, and not too much of it. What looks like a secret is covered.
pub(crate) fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let read = line.char_indices().nth(READ).map_or(line, |(end, _)| line.get(..end).unwrap_or_default());
    let mut covered = String::new();
    let mut at = 0;
    for mask in secrets::masks(read) {
        if mask.start >= at {
            covered.push_str(read.get(at..mask.start).unwrap_or_default());
            covered.push_str(redact::REDACTED);
        }
        at = at.max(mask.end);
    }
    covered.push_str(read.get(at..).unwrap_or_default());
    let short: String = covered.chars().take(SHOWN).collect();
    let whole = short.len() == covered.len() && read.len() >= text.trim_end().len();
    let more = if whole { "" } else { "…" };
    format!("`{short}{more}`")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn one_line_without_secrets() {
        for (text, wanted) in [
            ("abc", "`abc`"),
            ("abc\n", "`abc`"),
            ("abc\ndef", "`abc…`"),
            ("echo root:geheim | chpasswd", "`echo root:<redacted> | chpasswd`"),
            ("https://me:geheim@x/y?token=geheim", "`https://me:<redacted>@x/y?token=<redacted>`"),
        ] {
            assert_eq!(shown(text), wanted);
        }
        let long = shown(&format!("{}| chpasswd", "x:geheim ".repeat(20)));
        assert!(long.ends_with("…`") && !long.contains("geheim"), "{long}");
    }
}
