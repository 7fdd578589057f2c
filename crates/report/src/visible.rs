//! Text of images and recipes, made harmless for whoever looks at it.

/// `text` with everything that is not seen, or that changes how the rest is seen, written out as
/// `\u{202e}`: control characters and escape sequences, overrides of the direction of writing,
/// characters without width, and what XML 1.0 has no place for. Line breaks and tabs stay.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unseen(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same on one line.
pub(crate) fn one_line(text: &str) -> String {
    let shown: Vec<String> = text.lines().map(|line| visible(line).replace('\t', " ")).collect();
    shown.join("; ")
}

fn is_unseen(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // Marks, embeddings, overrides and isolates (Unicode, UAX #9), and their Arabic relative.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // No width; other line breaks; tags.
        '\u{00ad}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_written_out() {
        assert_eq!(visible("a\u{1b}[31mb\u{202e}c\u{0}\r\n\td"), "a\\u{1b}[31mb\\u{202e}c\\u{0}\\u{d}\n\td");
        assert_eq!(visible("schön 日本 \u{ffff}"), "schön 日本 \\u{ffff}");
        assert_eq!(one_line("a\r\nb\tc"), "a; b c");
    }
}
