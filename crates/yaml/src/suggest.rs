//! "Did you mean": the nearest known word.

/// The candidate nearest to `word`, if it is near enough to be what was meant: at most a third of
/// the letters wrong (swapped neighbours count once), case ignored.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        let allowed = (word.len().max(letters.len()) / 3).max(1);
        let distance = distance(&word, &letters);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edit distance with transpositions (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let mut least =
                (above[column] + usize::from(a != b)).min(above[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        let known = ["users", "scope", "factors", "console", "others", "seal", "totp", "match"];
        for (word, wanted) in [
            ("user", Some("users")),
            ("factor", Some("factors")),
            ("facotrs", Some("factors")),
            ("Scope", Some("scope")),
            ("consol", Some("console")),
            ("tpot", None),
            ("sael", Some("seal")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(word, known), wanted, "{word}");
        }
    }
}
