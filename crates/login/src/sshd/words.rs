//! One line of sshd_config: `strdelim` for the keyword, `argv_split` for the rest (misc.c).

use std::borrow::Cow;

/// A line with something on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The first word.
    pub keyword: Cow<'a, str>,
    /// What follows it, blanks trimmed, quotes and comment still in.
    pub rest: &'a str,
}

/// Splits the keyword off; `None` for an empty line, a comment, and what sshd passes over in silence (a quote in
/// the keyword that is not closed).
#[must_use]
pub fn line(text: &str) -> Option<Line<'_>> {
    // For sshd a line ends at its first NUL.
    let text = text.split('\0').next().unwrap_or_default();
    let text = text.trim_end_matches(|c| blank(c) || c == '\x0c');
    let (mut keyword, mut rest) = delimited(text)?;
    // Blanks in front of it, and one "=" or a pair of quotes as well.
    if keyword.is_empty() {
        (keyword, rest) = delimited(rest)?;
    }
    if keyword.is_empty() || keyword.starts_with('#') {
        return None;
    }
    Some(Line { keyword, rest })
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// `strdelim`: up to a blank, a quote's end or one `=`.
fn delimited(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(end) = text.find(|c| blank(c) || matches!(c, '"' | '=')) else { return Some((text.into(), "")) };
    let (before, from) = text.split_at(end);
    let after = from.get(1..).unwrap_or_default();
    if from.starts_with('"') {
        // The quote is taken out, wherever it stands in the word.
        let (inside, rest) = after.split_once('"')?;
        return Some((format!("{before}{inside}").into(), rest.trim_start_matches(blank)));
    }
    let rest = after.trim_start_matches(blank);
    let rest = match rest.strip_prefix('=') {
        Some(rest) if !from.starts_with('=') => rest.trim_start_matches(blank),
        _ => rest,
    };
    Some((before.into(), rest))
}

/// Splits into words; quotes and backslashes taken off, a comment at the start of a word ends the
/// line. `None`: a quote is not closed.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(words),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', _) => {
                    let escaped = chars.next_if(|next| {
                        matches!(next, '\'' | '"' | '\\') || (quote.is_none() && *next == ' ')
                    });
                    word.push(escaped.unwrap_or('\\'));
                }
                (' ' | '\t', None) => break,
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_end_at_blanks_quotes_and_one_equals_sign() {
        for (text, keyword, rest) in [
            ("UsePAM yes", "UsePAM", "yes"),
            ("\t UsePAM=yes \r", "UsePAM", "yes"),
            ("UsePAM = yes", "UsePAM", "yes"),
            ("UsePAM == yes", "UsePAM", "= yes"),
            ("\"UsePAM\" yes", "UsePAM", "yes"),
            ("Use\"PAM\" no", "UsePAM", "no"),
            ("\"\"UsePAM no", "UsePAM", "no"),
            ("=UsePAM no", "UsePAM", "no"),
            (" =UsePAM no", "UsePAM", "no"),
            ("UsePAM no\0 yes", "UsePAM", "no"),
            ("Banner\"/etc/issue net\"", "Banner/etc/issue net", ""),
            ("UsePAM", "UsePAM", ""),
        ] {
            assert_eq!(line(text), Some(Line { keyword: keyword.into(), rest }), "{text:?}");
        }
        assert_eq!(line("\"UsePAM no"), None);
        assert_eq!(line("\0UsePAM no"), None);
        assert_eq!(line("  # UsePAM yes"), None);
        assert_eq!(line(" \t"), None);
    }

    #[test]
    fn words_lose_quotes_and_comments() {
        for (text, wanted) in [
            ("a b\tc", Some(vec!["a", "b", "c"])),
            ("\"a b\" c # d", Some(vec!["a b", "c"])),
            ("a#b", Some(vec!["a#b"])),
            ("a\\ b 'c\\'d'", Some(vec!["a b", "c'd"])),
            ("\"open", None),
            ("# nothing", Some(vec![])),
        ] {
            let wanted: Option<Vec<String>> =
                wanted.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(words(text), wanted, "{text:?}");
        }
    }
}
