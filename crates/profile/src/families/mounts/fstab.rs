//! /etc/fstab, edited so that comments, columns and all other lines stay as they are.

use std::ops::Range;

use hardtack_guest::{Stage, fstab};
use hardtack_report::Place;

use crate::Error;

pub(super) const PATH: &str = "/etc/fstab";

/// The table.
pub(super) struct Fstab {
    text: String,
    changed: bool,
}

/// A line of it.
pub(super) struct Entry {
    /// From 1.
    pub(super) line: usize,
    pub(super) mount: String,
    pub(super) kind: String,
    pub(super) options: Vec<String>,
    /// Where the options stand in the text; empty, behind the type, where there are none.
    span: Range<usize>,
}

impl Entry {
    pub(super) fn place(&self) -> Place {
        Place { path: PATH.to_owned(), line: Some(self.line) }
    }
}

impl Fstab {
    /// One that is not there is an empty one; one that is no text cannot be kept as it is.
    pub(super) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        Ok(Self { text: stage.read_text(PATH)?.unwrap_or_default(), changed: false })
    }

    /// The lines for a mount point, in order. What is shown at a second place (`bind`) is no file system of its own.
    pub(super) fn of(&self, mount: &str) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.mount == mount).collect()
    }

    fn entries(&self) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut start = 0;
        for (index, line) in self.text.split_inclusive('\n').enumerate() {
            let spans = fstab::spans(line.trim_end_matches(['\n', '\r']));
            let field =
                |at: usize| spans.get(at).and_then(|span| line.get(span.clone())).map(fstab::unescape);
            if let (Some(mount), Some(kind)) = (field(1), field(2)) {
                let options = field(3).unwrap_or_default();
                let options: Vec<String> =
                    options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect();
                let span = match (spans.get(3), spans.get(2)) {
                    (Some(span), _) => span.clone(),
                    (None, Some(kind)) => kind.end..kind.end,
                    (None, None) => 0..0,
                };
                let mount = if mount == "/" { mount } else { mount.trim_end_matches('/').to_owned() };
                if !options.iter().any(|option| option == "bind" || option == "rbind") {
                    let span = start + span.start..start + span.end;
                    found.push(Entry { line: index + 1, mount, kind, options, span });
                }
            }
            start += line.len();
        }
        found
    }

    /// Gives all lines of a mount point these options.
    pub(super) fn set(&mut self, mount: &str, wanted: &[&str]) {
        // From behind: what stands before stays where it is.
        for entry in self.of(mount).into_iter().rev() {
            let mut options = entry.options.clone();
            merge(&mut options, wanted);
            if options == entry.options {
                continue;
            }
            // Blanks in a value stand there as `\040`.
            let text = options.join(",").replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011");
            let gap = if entry.span.is_empty() { " " } else { "" };
            self.text.replace_range(entry.span, &format!("{gap}{text}"));
            self.changed = true;
        }
    }

    /// A line more, behind all others.
    pub(super) fn add(&mut self, device: &str, mount: &str, kind: &str, options: &[String]) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push_str(&format!("{device} {mount} {kind} {} 0 0\n", options.join(",")));
        self.changed = true;
    }

    pub(super) fn write(self, stage: &mut Stage<'_>) -> Result<(), Error> {
        if self.changed { super::write(stage, PATH, self.text) } else { Ok(()) }
    }
}

/// What an option takes back, and by what it is taken back.
fn opposite(option: &str) -> Option<&'static str> {
    Some(match option {
        "nodev" => "dev",
        "nosuid" => "suid",
        "noexec" => "exec",
        _ => return None,
    })
}

/// Adds options behind the others; what says otherwise goes.
pub(super) fn merge(options: &mut Vec<String>, wanted: &[&str]) {
    for option in wanted {
        if has(options, option) {
            continue;
        }
        let key = option.split_once('=').map(|(key, _)| format!("{key}="));
        options.retain(|there| {
            opposite(option) != Some(there.as_str())
                && there != option
                && key.as_deref().is_none_or(|key| !there.starts_with(key))
        });
        options.push((*option).to_owned());
    }
    if options.len() > 1 {
        // It says that there are no others.
        options.retain(|option| option != "defaults");
    }
}

/// Whether it is in force: the last one of those that say something about it counts.
pub(super) fn has(options: &[String], wanted: &str) -> bool {
    let key = wanted.split_once('=').map(|(key, _)| format!("{key}="));
    let about = |option: &&String| {
        *option == wanted
            || opposite(wanted) == Some(option.as_str())
            || key.as_deref().is_some_and(|key| option.starts_with(key))
    };
    options.iter().rev().find(about).is_some_and(|option| option == wanted)
}
