//! Words of the kernel's command line: every entry that can be picked has them, and those that come later get them.

use hardtack_guest::bootloader::{self, BootEntry, Edited, Word};
use hardtack_report::Place;

use crate::merged::{files, text};
use crate::{Bench, Error, Finding, Measure, View};

const DEFAULTS: &str = "/etc/default/grub";
const DROP_INS: &str = "/etc/default/grub.d";

/// These words are on the kernel's command line.
pub(super) struct Words {
    pub(super) words: &'static [&'static str],
    /// They are AppArmor's: images with SELinux, or without AppArmor's packages, are none of their business.
    pub(super) apparmor: bool,
}

impl Words {
    fn words(&self) -> Vec<Word> {
        self.words.iter().map(|word| Word::from(*word)).collect()
    }

    fn is_foreign(&self, view: &View<'_>) -> Result<bool, Error> {
        Ok(self.apparmor && (!view.has_dpkg() || view.facts.exists("/etc/selinux/config")?))
    }
}

impl Measure for Words {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if self.apparmor && self.is_foreign(&bench.view()?)? {
            return Ok(());
        }
        let edited = bootloader::set_words(bench.stage, &self.words(), &[])?;
        tell(bench, &edited);
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if self.is_foreign(view)? {
            return Ok(Finding::NotApplicable("the image is not made for AppArmor".to_owned()));
        }
        // A menu that cannot be understood is one that nobody knows what it starts.
        let (boot, edited) =
            match (bootloader::read(view.stage), bootloader::check_words(view.stage, &self.words(), &[])) {
                (Ok(boot), Ok(edited)) => (boot, edited),
                (Err(error), _) | (_, Err(error)) => return Ok(Finding::fail(error.to_string())),
            };
        if boot.entries.is_empty() && edited.refused.is_empty() && edited.entries.is_empty() {
            return Ok(Finding::NotApplicable("nothing in the image starts a kernel".to_owned()));
        }
        let no_kernel = !boot.entries.is_empty() && boot.entries.iter().all(|entry| entry.kernel.is_none());
        if no_kernel && edited.refused.iter().all(|refused| !refused.why.can_boot()) {
            let faults = boot.entries.iter().map(|entry| {
                (
                    place(entry),
                    format!("{:?}: its kernel {} is not in the image", entry.title, entry.kernel_name),
                )
            });
            return Ok(Finding::of(faults.collect()));
        }
        let mut faults = Vec::new();
        for entry in boot.entries.iter().filter(|entry| entry.kernel.is_some()) {
            if edited.refused.iter().any(|refused| refused.origin == entry.origin) {
                continue;
            }
            let missing = self.words.iter().filter(|word| !has(entry, word));
            faults.extend(
                missing.map(|word| (place(entry), format!("{:?} starts without {word}", entry.title))),
            );
        }
        if faults.is_empty() && text(view.stage, DEFAULTS).is_some() {
            let mut sources = vec![DEFAULTS.to_owned()];
            sources.extend(files(view.stage, &[DROP_INS], ".cfg")?);
            let text: String = sources.iter().filter_map(|path| text(view.stage, path)).collect();
            let lines = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
            let is_there =
                |word: &str| lines().any(|line| line.split([' ', '\t', '"', '\'']).any(|part| part == word));
            for word in self.words.iter().filter(|word| !is_there(word)) {
                faults.push((Place::file(DEFAULTS), format!("entries of the next kernel would lack {word}")));
            }
        }
        if !faults.is_empty() {
            return Ok(Finding::of(faults));
        }
        // An entry whose kernel is not there cannot be started, as far as this image goes.
        let gone = |origin: &str| {
            boot.entries.iter().any(|entry| {
                entry.origin == origin
                    && entry.kernel.is_none()
                    && !self.words.iter().all(|word| has(entry, word))
            })
        };
        let left: Vec<String> = edited
            .refused
            .iter()
            .filter(|refused| refused.why.can_boot() || gone(&refused.origin))
            .map(ToString::to_string)
            .collect();
        Ok(if left.is_empty() { Finding::Pass } else { Finding::Exception(left.join("; ")) })
    }
}

/// None of these words is on any command line, now or with the next kernel.
pub(in crate::families) fn remove(bench: &mut Bench<'_, '_>, words: &[&str]) -> Result<(), Error> {
    let words: Vec<Word> = words.iter().map(|word| Word::from(*word)).collect();
    let edited = bootloader::set_words(bench.stage, &[], &words)?;
    tell(bench, &edited);
    Ok(())
}

/// The entries that have one of these words.
pub(in crate::families) fn having(view: &View<'_>, words: &[&str]) -> Result<Vec<(Place, String)>, Error> {
    let boot = match bootloader::read(view.stage) {
        Ok(boot) => boot,
        Err(error) => return Ok(vec![(Place::file("/boot"), error.to_string())]),
    };
    let mut found = Vec::new();
    for entry in &boot.entries {
        let there = words.iter().filter(|word| has(entry, word));
        found.extend(there.map(|word| (place(entry), format!("{:?} starts with {word}", entry.title))));
    }
    Ok(found)
}

/// What could not be edited is told once.
fn tell(bench: &mut Bench<'_, '_>, edited: &Edited) {
    for refused in edited.refused.iter().filter(|refused| refused.why.can_boot()) {
        let note = format!("the kernel's command line stays as it is at {refused}");
        if !bench.notes.contains(&note) {
            bench.notes.push(note);
        }
    }
}

/// Of a parameter that stands twice the last one counts; `-` and `_` are the same in its name.
fn has(entry: &BootEntry, word: &str) -> bool {
    let split = |text: &str| match text.split_once('=') {
        Some((key, value)) => (key.replace('-', "_"), Some(value.to_owned())),
        None => (text.replace('-', "_"), None),
    };
    let (key, value) = split(word);
    let mut words = entry.options.split_whitespace().map(split).rev();
    words.find(|(there, _)| *there == key).is_some_and(|(_, there)| there == value)
}

fn place(entry: &BootEntry) -> Place {
    match entry.origin.rsplit_once(':') {
        Some((path, line)) => Place { path: path.to_owned(), line: line.parse().ok() },
        None => Place::file(&entry.origin),
    }
}
