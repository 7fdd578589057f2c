//! Parts of a recipe's text that no picture of a line may show.

use std::ops::Range;

/// Byte ranges that look like secrets, found without parsing (the text may not be YAML): what
/// follows `password:`, `hash:` or `pass:`, unless it is a mapping, crypt(3) hashes, and private keys.
pub(super) fn textual(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        for key in ["password", "passwd", "hash", "pass"] {
            keyed(line, from, key, &mut found);
        }
        hashes(line, from, &mut found);
        identities(line, from, &mut found);
        from += line.len();
    }
    private_keys(text, &mut found);
    found
}

/// Identities of age(1), one word each.
fn identities(line: &str, from: usize, found: &mut Vec<Range<usize>>) {
    let upper = line.to_ascii_uppercase();
    for (at, _) in upper.match_indices("AGE-SECRET-KEY-") {
        let rest = &upper[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
        found.push(from + at..from + at + end);
    }
}

/// Everything from the first line of a private key to its last, or to the end.
fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let mut start = None;
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let marked = |word: &str| line.find(word).filter(|_| line.contains("PRIVATE KEY"));
        start = start.or(marked("-----BEGIN").map(|at| from + at));
        from += line.len();
        if marked("-----END").is_some()
            && let Some(start) = start.take()
        {
            found.push(start..from);
        }
    }
    found.extend(start.map(|start| start..text.len()));
}

fn keyed(line: &str, from: usize, key: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in line.match_indices(key) {
        let before = line[..at].chars().next_back();
        let rest = line[at + key.len()..].trim_start_matches(['"', '\'']);
        let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
        let Some(value) = value.filter(|_| before.is_none_or(|c| !c.is_alphanumeric() && c != '_')) else {
            continue;
        };
        if value.starts_with(['{', '*']) || value.trim_end_matches(['}', ']', '\n', '\r', ' ']) == "random" {
            continue;
        }
        let start = line.len() - value.len();
        let quote = value.chars().next().filter(|c| ['"', '\''].contains(c));
        let length = match quote {
            Some(quote) => value[1..].find(quote).map_or(value.trim_end().len(), |end| end + 2),
            None => value.find([',', '}', '\n', '\r']).unwrap_or(value.len()),
        };
        found.push(from + start..from + start + length);
    }
}

fn hashes(line: &str, from: usize, found: &mut Vec<Range<usize>>) {
    let mut next = 0;
    for (at, _) in line.match_indices('$') {
        if at < next {
            continue;
        }
        let rest = &line[at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "$./=".contains(c))).unwrap_or(rest.len());
        let id = rest[1..].find('$').unwrap_or(0);
        if (1..=4).contains(&id) && end > 20 {
            found.push(from + at..from + at + end);
            next = at + end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_secret_is_found() {
        for (text, wanted) in [
            ("a: 1\npassword: hunter2\n", vec!["hunter2"]),
            ("- user: {password: \"hun,ter\", x: y}\n", vec!["\"hun,ter\""]),
            ("- overlayroot: {pass: hunter2, dev: x}\n", vec!["hunter2"]),
            ("password: {env: NAME}\n", vec![]),
            (
                "password: {hash: \"$6$salt$abcdefghijklmnopqrstuv\"}\n",
                vec!["\"$6$salt$abcdefghijklmnopqrstuv\"", "$6$salt$abcdefghijklmnopqrstuv"],
            ),
            ("  - allow_clear_pass: true\n", vec![]),
            ("x: $1 and $2\n", vec![]),
            ("- user: {name: a, password: random}\n", vec![]),
            ("[AGE-SECRET-KEY-1QQQ, age1x]\n", vec!["AGE-SECRET-KEY-1QQQ"]),
            (
                "- |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  b3Bl\n  -----END OPENSSH PRIVATE KEY-----\n- b\n",
                vec!["-----BEGIN OPENSSH PRIVATE KEY-----\n  b3Bl\n  -----END OPENSSH PRIVATE KEY-----\n"],
            ),
            (
                "- \"-----BEGIN RSA PRIVATE KEY-----\n  MII\n",
                vec!["-----BEGIN RSA PRIVATE KEY-----\n  MII\n"],
            ),
            ("- -----BEGIN PUBLIC KEY-----\n", vec![]),
        ] {
            let found: Vec<&str> = textual(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, wanted, "{text}");
        }
    }
}
