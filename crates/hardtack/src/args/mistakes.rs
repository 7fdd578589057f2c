//! What clap says of a mistyped command line, in the order that helps.

use clap::error::{ContextKind, ContextValue};

/// The nearest verb comes first (clap has it last), and nobody is told how to pass a misspelt option as a value.
pub(crate) fn corrected(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::Strings(mut near)) = error.remove(ContextKind::SuggestedSubcommand) {
        near.reverse();
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
    }
    let long = matches!(
        error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(argument)) if argument.starts_with("--")
    );
    if long && let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| !tip.to_string().contains(" as a value, use "));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;
    use super::*;

    fn said(line: &str) -> String {
        let error =
            Cli::try_parse_from(line.split_whitespace()).err().unwrap_or_else(|| panic!("taken: {line}"));
        corrected(error).to_string()
    }

    #[test]
    fn the_nearest_verb_comes_first() {
        let text = said("hardtack bulid");
        assert!(text.contains("some similar subcommands exist: 'build', "), "{text}");
        assert!(said("hardtack zzzz").contains("unrecognized subcommand 'zzzz'"));
    }

    #[test]
    fn a_misspelt_option_is_no_value() {
        for (line, near) in [
            ("hardtack build r.yaml --souce a --output b", "'--source'"),
            ("hardtack plan r.yaml a --jsn", "'--json'"),
            ("hardtack build r.yaml --debss", ""),
        ] {
            let text = said(line);
            assert!(text.contains("unexpected argument '--") && text.contains(near), "{text}");
            assert!(!text.contains("as a value"), "{text}");
        }
        // What may be a value still is told so.
        assert!(said("hardtack plan r.yaml -9").contains("as a value, use '-- -9'"));
    }
}
