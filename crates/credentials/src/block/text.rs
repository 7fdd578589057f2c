//! Plain text for consoles: 7-bit, at most 80 columns.

/// Columns of a console.
pub(super) const COLUMNS: usize = 80;

/// Replaces what a 7-bit console cannot show, or what could be taken for a marker line.
pub(super) fn plain(text: &str) -> String {
    let printable: String =
        text.chars().map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect();
    printable.replace("-----", "- - -")
}

/// Breaks text at blanks into lines of at most `width` columns; longer words go on in the next line. What a 7-bit
/// console cannot show, or what could be taken for one of the block's markers, is replaced.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_after(text, width, width)
}

/// As [`wrap`], with another width for the first line.
fn wrap_after(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let width = |lines: &Vec<String>| if lines.is_empty() { first } else { others };
    for word in plain(&text.replace(['\n', '\t'], " ")).split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        if !line.is_empty() && line.len() + 1 + word.len() > width(&lines) {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > width(&lines) {
            // `plain` made the text ASCII: every index is a boundary.
            let (head, tail) = word.split_at(width(&lines));
            lines.push(head.to_owned());
            word = tail;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// `head` followed by wrapped text, the lines after the first indented by `indent`.
pub(super) fn paragraph(head: &str, text: &str, indent: usize, lines: &mut Vec<String>) {
    let pad = " ".repeat(indent);
    let first = COLUMNS - head.len().min(COLUMNS / 2);
    for (index, line) in wrap_after(text, first, COLUMNS - indent).into_iter().enumerate() {
        lines.push(if index == 0 { format!("{head}{line}") } else { format!("{pad}{line}") });
    }
}

/// Makes JSON 7-bit: everything above is written as `\uXXXX`, DEL too.
pub(super) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_end_at_blanks_and_long_words_go_on() {
        let text = "debian line 1 of the secret file is not a base32 secret of at least 80 bits: no login\nwith a code";
        let lines = [
            "debian line 1 of the secret file is not a base32 secret of at least",
            "80 bits: no login with a code",
        ];
        assert_eq!(wrap(text, 69), lines);
        let long = wrap(&"x".repeat(200), 69);
        assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [69, 69, 62]);
    }
}
