//! Filters of `Describe…` calls: all must hold, each by one of its values, with `*` and `?`.

use crate::refusal::Refusal;
use crate::world::Tags;

/// Whether everything holds. `field` gives the values of a filter's name; `None`: there is no such filter.
pub(crate) fn holds(
    filters: &[(String, Vec<String>)],
    tags: &Tags,
    field: impl Fn(&str) -> Option<Vec<String>>,
) -> Result<bool, Refusal> {
    for (name, wanted) in filters {
        let values = match name.strip_prefix("tag:") {
            Some(key) => tags.get(key).cloned().into_iter().collect(),
            None if name == "tag-key" => tags.keys().cloned().collect(),
            None => field(name).ok_or_else(|| {
                Refusal::bad("InvalidParameterValue", format!("The filter '{name}' is invalid"))
            })?,
        };
        let some = values.iter().any(|value| wanted.iter().any(|pattern| matches(pattern, value)));
        if !some {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `*` is anything, `?` one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || text.get(read) == Some(&wanted) => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((before, from)) => {
                    star = Some((before, from + 1));
                    at = before + 1;
                    read = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, wanted) in [
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("debian-12-*", "debian-12-amd64-1", true),
            ("x", "xy", false),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
