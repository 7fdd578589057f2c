//! What may have been meant by a name that there is not.

use std::cmp::Reverse;

/// Names that are told.
const MOST: usize = 8;

/// A line that lists names, those that are like `wanted` first; `none` where there are no names.
pub(crate) fn list(wanted: &str, names: &[String], none: &str) -> String {
    let lower = wanted.to_lowercase();
    let mut sorted: Vec<(usize, Reverse<usize>, &String)> = names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| {
            let other = name.to_lowercase();
            let within = !lower.is_empty() && (other.contains(&lower) || lower.contains(&other));
            // Of those that are as far away, those that begin alike: the end is what is mistyped.
            let alike = lower.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
            (if within { 0 } else { distance(&lower, &other) }, Reverse(alike), name)
        })
        .collect();
    sorted.sort();
    sorted.dedup();
    if sorted.is_empty() {
        return none.to_owned();
    }
    let shown: Vec<&str> = sorted.iter().take(MOST).map(|(_, _, name)| name.as_str()).collect();
    let more = sorted.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("there are {}{more}", shown.join(", "))
}

/// Letters to change, add or leave out, of names that are not absurdly long.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(128).collect();
    let mut row: Vec<usize> = (0..=one.len()).collect();
    for (index, letter) in other.chars().take(128).enumerate() {
        let mut before = index;
        let mut left = index + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (position, mine) in one.iter().enumerate() {
            let Some(cell) = row.get_mut(position + 1) else { break };
            let changed = before + usize::from(*mine != letter);
            before = *cell;
            left = changed.min(before + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_first() {
        assert_eq!((distance("kitten", "sitting"), distance("", "ab"), distance("a", "a")), (3, 2, 0));
        let names: Vec<String> = ["db", "web-1", "wbe", "ops"].map(str::to_owned).to_vec();
        assert_eq!(list("web", &names, "none"), "there are web-1, wbe, db, ops");
        assert_eq!(list("web", &[], "there is none"), "there is none");
        let many: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
        assert!(list("n1", &many, "").ends_with("and 12 more"));
    }
}
