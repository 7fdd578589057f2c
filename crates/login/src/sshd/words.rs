//! One line of sshd_config: `strdelim` for the keyword, `argv_split` for the rest (misc.c).

/// A line with something on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The first word.
    pub keyword: &'a str,
    /// What follows it, blanks trimmed, quotes and comment still in.
    pub rest: &'a str,
}

/// Splits the keyword off; `None` for an empty line or a comment.
#[must_use]
pub fn line(text: &str) -> Option<Line<'_>> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let text = text.trim_start_matches(blank).trim_end_matches(|c| blank(c) || c == '\x0c');
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let (keyword, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
        return Some(Line { keyword, rest: rest.trim_start_matches(blank) });
    }
    let end = text.find(|c| blank(c) || matches!(c, '"' | '=')).unwrap_or(text.len());
    let (keyword, rest) = text.split_at(end);
    // One `=`, with blanks on either side.
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start_matches(blank);
    Some(Line { keyword, rest })
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
            ("Banner\"/etc/issue net\"", "Banner", "\"/etc/issue net\""),
            ("UsePAM", "UsePAM", ""),
        ] {
            assert_eq!(line(text), Some(Line { keyword, rest }), "{text:?}");
        }
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
