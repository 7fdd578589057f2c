//! logrotate's own settings, before all files that it includes.

use hardtack_guest::Set;
use hardtack_report::Place;

use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View};

const PATH: &str = "/etc/logrotate.conf";
/// So many are kept.
const KEPT: u32 = 4;
const OFTEN: [&str; 4] = ["hourly", "daily", "weekly", "monthly"];

pub(super) struct Rotate;

/// What is said of one thing.
enum Said<'t> {
    /// On this line, as it shall be.
    Well,
    /// On this line, otherwise.
    Badly(usize, &'t str),
    Nothing,
}

/// The things, each with the line that says it well.
const WANTED: [(&str, &str); 4] =
    [("weekly", "weekly"), ("rotate", "rotate 4"), ("compress", "compress"), ("create", "create 0640")];

/// The last line before the blocks of single logs that speaks of it; what an include brings is not global.
fn said<'t>(text: &'t str, thing: &str) -> Said<'t> {
    let mut last = Said::Nothing;
    let mut depth = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        let Some(word) = words.next() else { continue };
        if depth == 0 && !line.ends_with('{') {
            let more = words.next();
            let judged = match thing {
                "weekly" if OFTEN.contains(&word) || word == "yearly" => Some(OFTEN[..3].contains(&word)),
                "rotate" if word == "rotate" => {
                    Some(more.and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count >= KEPT))
                }
                "compress" if matches!(word, "compress" | "nocompress") => Some(word == "compress"),
                "create" if matches!(word, "create" | "nocreate") => Some(
                    word == "create"
                        && more
                            .and_then(|mode| u32::from_str_radix(mode, 8).ok())
                            .is_some_and(|mode| mode & !0o640 == 0),
                ),
                _ => None,
            };
            match judged {
                Some(true) => last = Said::Well,
                Some(false) => last = Said::Badly(index, line),
                None => {}
            }
        }
        depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
    }
    last
}

impl Measure for Rotate {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(mut content) = bench.stage.read_text(PATH)? else { return Ok(()) };
        for (thing, wanted) in WANTED {
            let mut lines: Vec<String> = content.lines().map(str::to_owned).collect();
            match said(&content, thing) {
                Said::Well => continue,
                Said::Badly(index, _) => wanted.clone_into(&mut lines[index]),
                Said::Nothing => {
                    // Options do not affect what was included before them; a commented one is where it belongs.
                    let commented = |line: &String| line.trim() == format!("#{wanted}");
                    let before =
                        |line: &String| line.trim_start().starts_with("include") || line.contains('{');
                    let end = lines.iter().position(before).unwrap_or(lines.len());
                    match lines[..end].iter().position(commented) {
                        Some(index) => wanted.clone_into(&mut lines[index]),
                        None => lines.insert(end, wanted.to_owned()),
                    }
                }
            }
            content = lines.join("\n") + "\n";
        }
        crate::conffile::edit(bench.stage, PATH, content, Set::default())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(content) = text(view.stage, PATH) else {
            return Ok(Finding::NotApplicable("the image has no logrotate".to_owned()));
        };
        let mut faults = Vec::new();
        for (thing, wanted) in WANTED {
            match said(&content, thing) {
                Said::Well => {}
                Said::Badly(index, line) => faults.push((
                    Place { path: PATH.to_owned(), line: Some(index + 1) },
                    format!("it says \"{line}\", not \"{wanted}\""),
                )),
                Said::Nothing => faults.push((Place::file(PATH), format!("it does not say \"{wanted}\""))),
            }
        }
        Ok(Finding::of(faults))
    }
}
