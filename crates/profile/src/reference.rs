//! The list of all controls, for people.

use std::fmt::Write as _;

use crate::{Level, Rule, TAILORINGS, families};

const HEAD: &str = "\
# Controls

All controls of the [profiles](profiles.md), in the order of the benchmarks. The numbers are those of the CIS benchmarks of
Debian 12 (1.1.0) and Ubuntu 24.04 (1.0.0), which agree. `b` is `baseline`, `1` is `cis-1`, `2` is `cis-2`; a `-` is done only
where a recipe enforces it. *left alone*: no profile does it, and why; a recipe's `enforce` does.

This page is made of the controls themselves.
";

/// All controls as a page in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for (title, rules) in families::ALL {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {title}\n\n| control | CIS | in | holds | why |\n|---|---|---|---|---|\n");
        for rule in *rules {
            let left = rule.exception.map(|why| format!(" *left alone*: {why}")).unwrap_or_default();
            let why = format!("{}{left}", rule.reason);
            let cells = [rule.title, &why].map(|text| text.replace('|', "\\|"));
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                rule.id,
                rule.cis,
                profiles(rule),
                cells[0],
                cells[1]
            );
        }
    }
    page.push_str("\n## Tailorings\n\n");
    for tailoring in TAILORINGS {
        let _ = write!(page, "`{}`: {}\n\n", tailoring.name, tailoring.about);
        for (control, reason) in tailoring.exceptions {
            let _ = writeln!(page, "- `{control}`: {reason}");
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn profiles(rule: &Rule) -> &'static str {
    match (rule.baseline, rule.level) {
        (true, _) => "b 1 2",
        (false, Level::One) => "1 2",
        (false, Level::Two) => "2",
        (false, Level::DebianOne) => "1 2 (Ubuntu 2)",
        (false, Level::UbuntuOne) => "2 (Ubuntu 1 2)",
        (false, Level::None) => "-",
    }
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn the_page_is_that_of_these_controls() {
        hardtack_tests::markdown::assert_generated("docs/controls.md", &reference(), "-p hardtack-profile");
    }
}
