//! Files of shell assignments, as under `/etc/sysconfig` (`cloudinit/distros/rhel_util.py`,
//! `cloudinit/distros/parsers/sys_conf.py`). Lines that are not changed stay as they are; cloud-init
//! writes all of them anew, with the same meaning.

use crate::machine::Facts;
use crate::system;

/// The value of the last line that sets `name`.
#[must_use]
pub fn get(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| {
            let value = value.trim();
            ['"', '\'']
                .iter()
                .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
                .unwrap_or(value)
                .to_owned()
        })
        .next_back()
}

/// The file with `pairs` set; with cloud-init's line above it when there was none. Empty values change
/// nothing.
#[must_use]
pub fn with(old: Option<&str>, pairs: &[(&str, &str)], facts: &Facts) -> String {
    let mut lines: Vec<String> = old.unwrap_or_default().lines().map(str::to_owned).collect();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        let line = format!("{name}={}", quoted(value));
        let known =
            lines.iter_mut().rfind(|line| line.split_once('=').is_some_and(|(key, _)| key.trim() == *name));
        match known {
            Some(known) => *known = line,
            None => lines.push(line),
        }
    }
    if old.is_none() {
        lines.insert(0, system::header("Created", facts));
    }
    lines.join("\n") + "\n"
}

/// A value with blanks in quotes.
fn quoted(value: &str) -> String {
    let in_quotes = value.len() > 1 && value.starts_with(['"', '\'']) && value.ends_with(['"', '\'']);
    if in_quotes || !value.contains([' ', '\t', '\r', '\n']) {
        value.to_owned()
    } else if value.contains('$') {
        format!("\"{value}\"")
    } else {
        format!("'{}'", value.replace('\'', "'\"'\"'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_replaced_or_added() {
        let facts = Facts { now: Some(12), ..Facts::default() };
        assert_eq!(
            with(Some("# c\nA=1\nB=2\n"), &[("A", "x y"), ("C", "3")], &facts),
            "# c\nA='x y'\nB=2\nC=3\n"
        );
        assert_eq!(
            with(None, &[("LANG", "C")], &facts),
            "# Created by cloud-init v. 26.2 on Thu, 01 Jan 1970 00:00:12 +0000\nLANG=C\n"
        );
        assert_eq!(get("A=1\nA=\"two\"\n", "A").as_deref(), Some("two"));
    }
}
