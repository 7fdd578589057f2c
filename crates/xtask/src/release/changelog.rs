//! Debian's changelog of `CHANGELOG.md`.

/// The longest line that lintian does not complain of.
const WIDTH: usize = 78;

/// The entry of a version: the section of the project's changelog that has its name, else what is not released yet.
pub(super) fn entry(
    changes: &str,
    upstream: &str,
    version: &str,
    maintainer: &str,
    date: &str,
) -> Result<String, String> {
    let section = section(changes, upstream)
        .or_else(|| section(changes, "Unreleased"))
        .ok_or_else(|| format!("CHANGELOG.md has neither `## {upstream}` nor `## Unreleased`"))?;
    let mut text = format!("hardtack ({version}) unstable; urgency=medium\n\n");
    for item in items(&section) {
        wrap(&item, &mut text);
    }
    text.push_str(&format!("\n -- {maintainer}  {date}\n"));
    Ok(text)
}

/// The lines below `## NAME`, with or without a date behind it.
fn section<'a>(changes: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let is_ours =
        |line: &str| line.strip_prefix("## ").and_then(|title| title.split(' ').next()) == Some(name);
    let mut lines = changes.lines().skip_while(|line| !is_ours(line));
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with("## ")).collect())
}

/// Each list item as one line of plain words.
fn items(section: &[&str]) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in section {
        match (line.strip_prefix("- "), items.last_mut()) {
            (Some(first), _) => items.push(first.trim().to_owned()),
            (None, Some(item)) if line.starts_with("  ") => {
                item.push(' ');
                item.push_str(line.trim());
            }
            _ => {}
        }
    }
    items.iter().map(|item| item.replace("**", "").replace('`', "")).collect()
}

/// `  * An item,` and its other lines below its first word.
fn wrap(item: &str, text: &mut String) {
    let mut line = String::from("  *");
    for word in item.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 4 {
            text.push_str(&line);
            text.push('\n');
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGES: &str =
        "# Changes\n\n## Unreleased\n\n- New: `a`,\n  **b**.\n\n## 0.1.0 (2026-11-22)\n\n- First.\n";

    #[test]
    fn the_section_of_the_version_is_taken_else_what_is_not_released() {
        let of = |version: &str| {
            entry(
                CHANGES,
                version,
                &format!("{version}-1"),
                "A B <a@b.org>",
                "Sun, 22 Nov 2026 10:15:00 +0000",
            )
        };
        assert_eq!(
            of("0.1.0").as_deref(),
            Ok(
                "hardtack (0.1.0-1) unstable; urgency=medium\n\n  * First.\n\n -- A B <a@b.org>  Sun, 22 Nov 2026 10:15:00 +0000\n"
            )
        );
        assert!(of("0.2.0").is_ok_and(|text| text.contains("\n  * New: a, b.\n\n -- ")));
        assert!(entry("# Changes\n", "1", "1-1", "", "").is_err_and(|error| error.contains("`## 1`")));
    }

    #[test]
    fn long_items_are_wrapped_below_their_first_word() {
        let mut text = String::new();
        wrap(&"word ".repeat(30), &mut text);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(
            text.starts_with("  * word ")
                && text.lines().nth(1).is_some_and(|line| line.starts_with("    word"))
        );
    }
}
