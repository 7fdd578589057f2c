//! What repositories have given, in words: all of it, and as much as fits a terminal.

use super::Coming;

/// Somebody named the package.
pub(super) const ASKED: &str = "asked for";
/// The hardening profile wants it.
pub(super) const OF_PROFILE: &str = "the profile's";
/// It is brought up to date.
pub(super) const UPGRADE: &str = "upgrade";
/// So many are shown with their reasons; of more only the names, by reason.
const WITH_REASONS: usize = 12;
/// Columns of a line.
const WIDTH: usize = 100;

/// All of it on one line, and the same for people.
pub(crate) fn told(coming: &[Coming]) -> (String, String) {
    let kib = |size: u64| size.div_ceil(1024);
    let plural = if coming.len() == 1 { "" } else { "s" };
    let sum = kib(coming.iter().map(|one| one.size).sum());
    let head = format!("{} package{plural} from repositories, {sum} KiB:", coming.len());
    let full: Vec<String> =
        coming.iter().map(|one| format!("{} ({}; {} KiB)", one.label, one.why, kib(one.size))).collect();
    let text = format!("{head} {}", full.join(", "));
    let mut shown = head;
    if coming.len() <= WITH_REASONS {
        wrap(&mut shown, "", &full);
        return (text, shown);
    }
    let known = [(ASKED, "asked for: "), (OF_PROFILE, "the profile's: "), (UPGRADE, "upgrades: ")];
    let of = |fits: &dyn Fn(&str) -> bool| -> Vec<String> {
        coming.iter().filter(|one| fits(&one.why)).map(|one| one.label.clone()).collect()
    };
    for (why, words) in known {
        wrap(&mut shown, words, &of(&|found| found == why));
    }
    wrap(&mut shown, "needed by others: ", &of(&|found| known.iter().all(|(why, _)| *why != found)));
    (text, shown)
}

/// Adds `items` behind `words` on lines of their own.
fn wrap(text: &mut String, words: &str, items: &[String]) {
    let mut line = format!("  {words}");
    let mut width = line.chars().count();
    for (index, item) in items.iter().enumerate() {
        let comma = if index + 1 < items.len() { "," } else { "" };
        let next = item.chars().count() + comma.len();
        if index > 0 && width + 1 + next > WIDTH {
            text.push_str(&format!("\n{line}"));
            line = if words.is_empty() { "  " } else { "    " }.to_owned();
            width = line.len();
        } else if index > 0 {
            line.push(' ');
            width += 1;
        }
        line.push_str(&format!("{item}{comma}"));
        width += next;
    }
    if !items.is_empty() {
        text.push_str(&format!("\n{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DebFile;

    fn coming(name: &str, why: &str) -> Coming {
        Coming {
            deb: DebFile { name: format!("{name}.deb"), path: format!("/{name}.deb").into() },
            label: format!("{name} 1.0"),
            why: why.to_owned(),
            automatic: false,
            size: 2048,
        }
    }

    #[test]
    fn few_packages_come_with_their_reasons() {
        let (text, shown) = told(&[coming("app", ASKED), coming("lib", "app needs lib (>= 1)")]);
        let wanted = "app 1.0 (asked for; 2 KiB), lib 1.0 (app needs lib (>= 1); 2 KiB)";
        assert_eq!(text, format!("2 packages from repositories, 4 KiB: {wanted}"));
        assert_eq!(shown, format!("2 packages from repositories, 4 KiB:\n  {wanted}"));
    }

    #[test]
    fn many_packages_are_names_on_lines_that_fit() {
        let mut all = vec![coming("app", ASKED), coming("auditd", OF_PROFILE)];
        all.extend((0..60).map(|number| coming(&format!("library{number}"), "app needs it")));
        let (text, shown) = told(&all);
        assert!(!text.contains('\n') && text.contains("library59 1.0 (app needs it; 2 KiB)"), "{text}");
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            &lines[..3],
            [
                "62 packages from repositories, 124 KiB:",
                "  asked for: app 1.0",
                "  the profile's: auditd 1.0"
            ]
        );
        assert!(lines[3].starts_with("  needed by others: library0 1.0, library1 1.0,"), "{shown}");
        assert!(lines.len() < 18 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{shown}");
        assert!((0..60).all(|number| shown.contains(&format!("library{number} 1.0"))), "{shown}");
    }
}
