//! `#include` and `#include-once`: a list of places whose content is user-data too
//! (`cloudinit/user_data.py`, `_do_include`).

use crate::{limits, python};

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What to get: a URL, `file:///…` or an absolute path.
    pub(crate) url: String,
    /// What was got earlier on this instance is good enough.
    pub(crate) once: bool,
    /// The line that names it, from 1.
    pub(crate) line: usize,
    /// The column in characters, from 1.
    pub(crate) column: usize,
    /// The first byte of the name.
    pub(crate) start: usize,
}

/// What `text` names. A line that starts with `#include` or `#include-once` also says how the lines
/// behind it are got; other lines with `#` in front are comments.
pub(crate) fn places(text: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut once = false;
    for (index, (start, line)) in python::lines(text).enumerate() {
        // One more than there may be, which is told when it is one too many.
        if places.len() > limits::PARTS {
            break;
        }
        let rest = if let Some(rest) = after(line, "#include-once") {
            once = true;
            rest
        } else if let Some(rest) = after(line, "#include") {
            once = false;
            rest
        } else {
            line
        };
        let url = python::strip(rest);
        if !rest.starts_with('#') && !url.is_empty() {
            let before = line.find(url).unwrap_or_default();
            let column = line.get(..before).unwrap_or_default().chars().count() + 1;
            places.push(Place { url: url.to_owned(), once, line: index + 1, column, start: start + before });
        }
    }
    places
}

/// What follows `word`, whose case does not matter, without white space before it.
fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let start = line.get(..word.len())?;
    start
        .eq_ignore_ascii_case(word)
        .then(|| line.get(word.len()..).unwrap_or_default().trim_start_matches(python::is_space))
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn one_line_one_place() {
        let text = "#include http://a\n# note\n  http://b  \n\n#Include-Once\nhttp://c\n#include\n/d\n #include http://e";
        let found: Vec<_> =
            places(text).into_iter().map(|place| (place.url, place.once, place.line)).collect();
        let wanted = [
            ("http://a", false, 1),
            ("http://b", false, 3),
            ("http://c", true, 6),
            ("/d", false, 8),
            ("#include http://e", false, 9),
        ];
        assert_eq!(found, wanted.map(|(url, once, line)| (url.to_owned(), once, line)));
    }
}
