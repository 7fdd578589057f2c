//! A table that fits: columns as wide as their texts, the widest broken into lines where there is no room. Nothing is
//! cut off.

use crate::text::tame;

/// Spaces between columns.
const BETWEEN: usize = 2;
/// Less is no column.
const LEAST: usize = 12;

/// Lines of a table of `rows`, with `head` above it, indented by `indent`, not wider than `width` where that can be.
pub(super) fn table(head: &[&str], rows: &[Vec<String>], indent: usize, width: usize) -> String {
    let head: Vec<String> = head.iter().map(|&text| text.to_owned()).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(&head).chain(rows).map(|row| row.iter().map(|cell| tame(cell)).collect()).collect();
    let columns = head.len();
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| length(cell)).max();
    let mut widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let room = width.saturating_sub(indent + BETWEEN * columns.saturating_sub(1));
    loop {
        let sum: usize = widths.iter().sum();
        let Some(over) = sum.checked_sub(room).filter(|over| *over > 0) else { break };
        // The widest gives way, as far as the second widest and not further.
        let Some(most) = widths.iter().copied().max().filter(|most| *most > LEAST) else { break };
        let next = widths.iter().copied().filter(|width| *width < most).max().unwrap_or(0).max(LEAST);
        let count = widths.iter().filter(|width| **width == most).count();
        let each = over.div_ceil(count).min(most - next).max(1);
        for width in widths.iter_mut().filter(|width| **width == most) {
            *width -= each;
        }
    }
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<Vec<String>> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| wrapped(row.get(column).map_or("", String::as_str), *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for index in 0..height {
            let mut line = " ".repeat(indent);
            for (cell, width) in cells.iter().zip(&widths) {
                let text = cell.get(index).map_or("", String::as_str);
                line.push_str(text);
                line.push_str(&" ".repeat(width.saturating_sub(length(text)) + BETWEEN));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// `text` in lines of at most `width`, broken behind spaces, commas, hyphens, dots and slashes where there are any.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width {
        let good = |index: &usize| matches!(rest.get(*index - 1), Some(' ' | ',' | '-' | '.' | '/'));
        // A break near the beginning leaves more empty than it is worth.
        let at = (width / 2..=width).rev().filter(|index| *index > 0).find(good).unwrap_or(width);
        let line: String = rest.drain(..at).collect();
        lines.push(line.trim_end().to_owned());
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_and_nothing_is_lost() {
        let rows = vec![
            vec![
                "i-0123456789abcdef0".to_owned(),
                "ec2-203-0-113-25.compute-1.amazonaws.com".to_owned(),
                "x".repeat(90),
            ],
            vec!["a".to_owned(), String::new(), "b\u{1b}".to_owned()],
        ];
        let text = table(&["ID", "PUBLIC", "WHAT"], &rows, 2, 80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.matches('x').count(), 90, "{text}");
        let joined: String = text.split_whitespace().collect();
        assert!(joined.contains("i-0123456789abcdef0") && joined.ends_with("ab?"), "{text}");
        let wide = table(&["ID", "PUBLIC", "WHAT"], &rows, 2, 200);
        assert_eq!(wide.lines().count(), 3, "{wide}");
        assert_eq!(table(&["A"], &[], 0, 1), "A\n");
    }

    #[test]
    fn breaks_are_behind_signs() {
        assert_eq!(wrapped("aaaa bbbb", 6), ["aaaa", "bbbb"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("", 0), [""]);
    }
}
