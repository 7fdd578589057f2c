//! The tags of what a run makes: the caller's, the journal's, and the digest of the inputs.

use crate::fingerprint;
use crate::journal::Journal;

/// `tags` with the journal's and the inputs'; a name comes once, and the journal's win.
pub fn with_journal(tags: &[(String, String)], journal: &Journal) -> Vec<(String, String)> {
    let mut all = journal.tags();
    let inputs = journal.header().inputs;
    if !inputs.is_empty() {
        all.push((fingerprint::TAG.to_owned(), inputs));
    }
    add(all, tags)
}

/// `tags` with the journal's alone: of what is made of secrets, a digest might let somebody guess them.
pub fn of_journal(tags: &[(String, String)], journal: &Journal) -> Vec<(String, String)> {
    add(journal.tags(), tags)
}

fn add(mut all: Vec<(String, String)>, tags: &[(String, String)]) -> Vec<(String, String)> {
    for (name, value) in tags {
        if !all.iter().any(|(have, _)| have == name) {
            all.push((name.clone(), value.clone()));
        }
    }
    all
}

/// The value of a tag.
pub fn value<'a>(tags: &'a [(String, String)], name: &str) -> Option<&'a str> {
    tags.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}
