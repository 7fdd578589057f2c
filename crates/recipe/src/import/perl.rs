//! Expressions of `--edit`: substitutions of Perl as what the step `edit` takes. Anything else would be a program.

use super::ImportError;

/// `s/match/with/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Substitution {
    /// A regular expression.
    pub(super) pattern: String,
    /// The replacement; `${1}` is a group, `$$` a dollar sign.
    pub(super) with: String,
}

/// Reads one or several substitutions with semicolons between them.
pub(super) fn substitutions(expression: &str) -> Result<Vec<Substitution>, ImportError> {
    let refuse = |what: &str| {
        ImportError::new(format!("`{expression}`: {what}"))
            .hint("substitutions are taken (s/match/with/, with g and i): write others as a step `edit`, or as `--run`")
    };
    let mut found = Vec::new();
    let mut rest = expression.trim();
    while !rest.is_empty() {
        let body = rest.strip_prefix('s').ok_or_else(|| refuse("no program of Perl is run"))?;
        let open = body.chars().next().ok_or_else(|| refuse("the substitution does not end"))?;
        if open.is_alphanumeric() || open.is_whitespace() || open == '_' {
            return Err(refuse("no program of Perl is run"));
        }
        let (pattern, after) =
            part(&body[open.len_utf8()..], open).ok_or_else(|| refuse("the substitution does not end"))?;
        // `s{a}{b}`: the second part has delimiters of its own.
        let (with, after) = if closing(open) == open {
            part(after, open)
        } else {
            let after = after.trim_start();
            let open = after.chars().next().unwrap_or('/');
            part(after.get(open.len_utf8()..).unwrap_or_default(), open)
        }
        .ok_or_else(|| refuse("the substitution does not end"))?;
        let end = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (flags, after) = after.split_at(end);
        if let Some(flag) = flags.chars().find(|flag| !"gim".contains(*flag)) {
            return Err(refuse(&format!("the flag `{flag}` is not known here")));
        }
        let after = after.trim_start();
        rest = match after.strip_prefix(';') {
            Some(more) => more.trim_start(),
            None if after.is_empty() => after,
            None => return Err(refuse("no program of Perl is run")),
        };
        let case = if flags.contains('i') { "(?i)" } else { "" };
        let pattern = unquoted(&pattern, open);
        // The step replaces every match of a line. Without `g` it is the first one: all before it is matched, too, as a
        // group of its own, which moves the others by two.
        let alone = flags.contains('g') || (pattern.starts_with('^') && !pattern.contains('|'));
        let shift = if alone { 0 } else { 2 };
        let with = replacement(&unquoted(&with, open), shift).map_err(refuse_owned(expression))?;
        found.push(if alone {
            Substitution { pattern: format!("{case}{pattern}"), with }
        } else {
            Substitution { pattern: format!("{case}^(.*?)({pattern})"), with: format!("${{1}}{with}") }
        });
    }
    if found.is_empty() {
        return Err(refuse("there is nothing in it"));
    }
    Ok(found)
}

fn refuse_owned(expression: &str) -> impl Fn(String) -> ImportError + '_ {
    move |what| {
        ImportError::new(format!("`{expression}`: {what}")).hint("write it as a step `edit` of a recipe")
    }
}

fn closing(open: char) -> char {
    match open {
        '{' => '}',
        '(' => ')',
        '[' => ']',
        '<' => '>',
        other => other,
    }
}

/// The text up to the delimiter that is not behind a backslash, and what follows it. Brackets are counted.
fn part(text: &str, open: char) -> Option<(String, &str)> {
    let close = closing(open);
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, letter) in text.char_indices() {
        if quoted {
            quoted = false;
        } else if letter == '\\' {
            quoted = true;
        } else if letter == close && depth == 0 {
            return Some((text[..at].to_owned(), &text[at + letter.len_utf8()..]));
        } else if letter == close {
            depth -= 1;
        } else if letter == open {
            depth += 1;
        }
    }
    None
}

/// A delimiter behind a backslash is the delimiter.
fn unquoted(text: &str, open: char) -> String {
    if open == '\\' { text.to_owned() } else { text.replace(&format!("\\{open}"), &open.to_string()) }
}

/// Perl's replacement in the words of the recipe; groups have numbers that are larger by `shift`.
fn replacement(text: &str, shift: u32) -> Result<String, String> {
    let group = |digits: &str| -> Result<String, String> {
        let number: u32 = digits.parse().map_err(|_| format!("there is no group {digits}"))?;
        Ok(format!("${{{}}}", number.saturating_add(shift)))
    };
    let mut out = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => return Err("a line's end in the replacement makes two lines of one".to_owned()),
                Some('t') => out.push('\t'),
                Some(digit) if digit.is_ascii_digit() => out.push_str(&group(&digit.to_string())?),
                Some(other) if other.is_ascii_alphanumeric() => {
                    return Err(format!("`\\{other}` is not known here"));
                }
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            '$' => match letters.peek().copied() {
                Some('&') => {
                    letters.next();
                    out.push_str(&group("0")?);
                }
                Some('{') | Some('0'..='9') => {
                    let braced = letters.next_if_eq(&'{').is_some();
                    let mut name = String::new();
                    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                        name.push(digit);
                    }
                    if name.is_empty() || (braced && letters.next_if_eq(&'}').is_none()) {
                        return Err("only groups by their numbers are known here".to_owned());
                    }
                    out.push_str(&group(&name)?);
                }
                Some(other) if other.is_alphabetic() || other == '_' => {
                    return Err("a variable of Perl is not known here".to_owned());
                }
                _ => out.push_str("$$"),
            },
            '@' if letters.peek().is_some_and(|next| next.is_alphabetic()) => {
                return Err("an array of Perl is not known here; a plain `@` is `\\@`".to_owned());
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(expression: &str) -> (String, String) {
        let mut all = substitutions(expression).unwrap();
        assert_eq!(all.len(), 1);
        let one = all.remove(0);
        (one.pattern, one.with)
    }

    #[test]
    fn substitutions_are_read_with_any_delimiter() {
        assert_eq!(one("s/^#?Port .*/Port 2222/"), ("^#?Port .*".into(), "Port 2222".into()));
        assert_eq!(one("s,/old/(a),/new/$1,g"), ("/old/(a)".into(), "/new/${1}".into()));
        assert_eq!(one("s{a{2}}{b}gi;"), ("(?i)a{2}".into(), "b".into()));
        assert_eq!(one(r"s/^a\/b(c)/\1\$x/"), ("^a/b(c)".into(), "${1}$$x".into()));
        assert_eq!(substitutions("s/a/b/; s/c/d/").unwrap().len(), 2);
    }

    #[test]
    fn without_g_the_first_match_of_a_line_is_meant() {
        let (pattern, with) = one("s/(a)b/<$1$&>/");
        assert_eq!((pattern.as_str(), with.as_str()), ("^(.*?)((a)b)", "${1}<${3}${2}>"));
        let regex = regex::Regex::new(&pattern).unwrap();
        assert_eq!(regex.replace_all("xababab", with.as_str()), "x<aab>abab");
    }

    #[test]
    fn programs_are_not_run() {
        for expression in [
            "",
            "s/a/b",
            "system(\"id\")",
            "s/a/b/e",
            "s/a/b/; system('id')",
            "s/a/$x/",
            r"s/a/\n/",
            "y/a/b/",
            "s a b ",
        ] {
            assert!(substitutions(expression).is_err(), "{expression}");
        }
    }
}
