//! Texts of others: names, descriptions and keys are anybody's to choose.

/// `text` without characters that a terminal obeys or that turn the direction of what is read.
pub(crate) fn tame(text: &str) -> String {
    let wild = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if wild(c) { '?' } else { c }).collect()
}

/// An account of others: the last four digits tell it from the next one, and a picture may be passed on. What is no
/// number (`amazon-elb`) is nobody's secret.
pub(crate) fn masked(account: &str) -> String {
    let digits: Vec<char> = account.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 5 || account.chars().any(|c| c.is_ascii_alphabetic()) {
        return account.to_owned();
    }
    let last: String = digits.iter().skip(digits.len() - 4).collect();
    format!("…{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_hidden_and_names_are_not() {
        assert_eq!(masked("123456789012"), "…9012");
        assert_eq!(masked("1234-5678-9012"), "…9012");
        assert_eq!(masked("amazon-elb"), "amazon-elb");
        assert_eq!(masked(""), "");
        assert_eq!(masked("12"), "12");
    }

    #[test]
    fn a_terminal_obeys_nobody() {
        assert_eq!(tame("a\u{1b}[2Jb\u{202e}c\n"), "a?[2Jb?c?");
    }
}
