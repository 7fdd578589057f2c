//! Typographic quotes: for YAML and for a shell they are letters like any other.

use super::walk::{self, What};
use super::{Report, shown, trap};
use crate::value::Map;

/// What word processors and web pages make of `"` and `'`.
const QUOTES: &[char] = &['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»'];

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    walk::each(config, &mut |spot| {
        let (text, place) = match spot.what {
            What::Key(key) => (key.as_text(), key.place),
            What::Scalar(value) => (value.as_text(), value.place),
        };
        let Some(text) = text else { return };
        let (what, found) = if is_quoted(text) {
            ("YAML", text)
        } else if matches!(spot.top, "bootcmd" | "runcmd") {
            let Some(word) = text.split_ascii_whitespace().find(|word| is_quote_of_shell(word)) else {
                return;
            };
            ("a shell", word)
        } else {
            return;
        };
        let secret = spot.is_secret || spot.top == "chpasswd";
        let shown = if secret { "this value".to_owned() } else { shown(found) };
        report.tell(trap(
            "typographic-quotes",
            report.within("typographic-quotes", place, found),
            spot.path,
            format!("{shown} has typographic quotes around it, which are no quotes for {what}: they stay where they are"),
            "write straight ones, \" or '",
        ));
    });
}

/// All of it stands in such quotes.
fn is_quoted(text: &str) -> bool {
    let mut rest = text.trim().chars();
    let ends = (rest.next(), rest.next_back());
    let inner = rest.as_str();
    matches!(ends, (Some(first), Some(last)) if QUOTES.contains(&first) && QUOTES.contains(&last))
        && !inner.contains(QUOTES)
        && !inner.contains('\n')
}

/// A word that begins with a quote, or an option's value that does.
fn is_quote_of_shell(word: &str) -> bool {
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    value.starts_with(['“', '”', '„', '‘', '’', '‚'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_all_of_it() {
        for text in ["“nginx”", "‘curl’", " „x“ ", "”a”", "“”"] {
            assert!(is_quoted(text), "{text}");
        }
        for text in ["\"x\"", "“a” and “b”", "“", "", "say “hello”", "x’", "it’s"] {
            assert!(!is_quoted(text), "{text}");
        }
    }

    #[test]
    fn quotes_of_a_shell() {
        assert!(is_quote_of_shell("“hello”") && is_quote_of_shell("--name=‘x"));
        assert!(!is_quote_of_shell("it’s") && !is_quote_of_shell("\"x\"") && !is_quote_of_shell("a”"));
    }
}
