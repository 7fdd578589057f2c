//! Python's functions on text, where Rust's do something else: cloud-init cuts lines, words and columns
//! with them. Those that reading user-data needs, too, are in [`hardtack_userdata::python`].

use hardtack_userdata::python;
pub use hardtack_userdata::python::{is_space, strip};

/// `str.split()`.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// `str.split(None, count)`: at most `count` words, and the rest as it is.
#[must_use]
pub fn split_words(text: &str, count: usize) -> Vec<&str> {
    let mut rest = text.trim_start_matches(is_space);
    let mut words = Vec::new();
    while !rest.is_empty() && words.len() < count {
        let (word, behind) = match rest.find(is_space) {
            Some(at) => (rest.get(..at).unwrap_or(rest), rest.get(at..).unwrap_or_default()),
            None => (rest, ""),
        };
        words.push(word);
        rest = behind.trim_start_matches(is_space);
    }
    if !rest.is_empty() {
        words.push(rest);
    }
    words
}

/// `str.splitlines()`: lines end at more characters than `\n`.
#[must_use]
pub fn lines(text: &str) -> Vec<&str> {
    python::lines(text).map(|(_, line)| line).collect()
}

/// `str.center(width)`: of an odd rest the left side gets more where `width` is odd.
#[must_use]
pub fn center(text: &str, width: usize) -> String {
    let length = text.chars().count();
    let rest = width.saturating_sub(length);
    let left = rest / 2 + (rest & width & 1);
    format!("{}{text}{}", " ".repeat(left), " ".repeat(rest - left))
}

/// `os.path.abspath()` for somebody whose working directory is `/`. (Python keeps two slashes at the
/// begin; for Linux they are one.)
#[must_use]
pub fn absolute_path(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            _ => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_python_cuts_them() {
        assert_eq!(split_words("  a  b c  d ", 2), ["a", "b", "c  d "]);
        assert_eq!(split_words("a ", 1), ["a"]);
        assert_eq!(split_words("  ", 1), Vec::<&str>::new());
        assert_eq!(split_words("a\u{1c}b", 1), ["a", "b"]);
    }

    #[test]
    fn columns_are_centered_as_python_centers_them() {
        for (text, width, expected) in
            [("a", 4, " a  "), ("a", 5, "  a  "), ("ab", 5, "  ab "), ("abc", 2, "abc")]
        {
            assert_eq!(center(text, width), expected);
        }
    }

    #[test]
    fn paths_become_absolute() {
        for (path, expected) in
            [("a/b", "/a/b"), ("/a/../../b/", "/b"), ("//a/./b", "/a/b"), ("/", "/"), ("..", "/")]
        {
            assert_eq!(absolute_path(path), expected);
        }
    }
}
