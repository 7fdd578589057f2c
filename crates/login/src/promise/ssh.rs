//! sshd's part of a promise.

use super::{About, Found, Promise};
use crate::files::Files;
use crate::service::{self, Started};
use crate::sshd::{
    Config, Directive, MAIN_FILE, MatchBlock, Mismatch, Setting, Version, canonical, installed, mismatches,
    same_value,
};

/// What a `Match` block may not set to another value than the global one: which methods there are, and
/// whether root gets in. What [`KEPT`] holds comes on top.
const SENSITIVE: &[&str] = &[
    "AuthenticationMethods",
    "KbdInteractiveAuthentication",
    "ChallengeResponseAuthentication",
    "PermitRootLogin",
    "PubkeyAuthentication",
    "PasswordAuthentication",
    "PermitEmptyPasswords",
    "PAMServiceName",
];

/// Who holds a key: directives, their values where nothing sets them (sshd_config(5)), and whether any
/// other value than the image's is weaker, or only words that it does not have.
const KEPT: &[(&str, &str, Weaker)] = &[
    ("AuthorizedKeysFile", ".ssh/authorized_keys .ssh/authorized_keys2", Weaker::MoreWords),
    ("AuthorizedKeysCommand", "none", Weaker::Other),
    ("AuthorizedKeysCommandUser", "none", Weaker::Other),
    // Without them a certificate's own names count.
    ("AuthorizedPrincipalsFile", "none", Weaker::Changed),
    ("AuthorizedPrincipalsCommand", "none", Weaker::Changed),
    ("TrustedUserCAKeys", "none", Weaker::Other),
    // Keys that once were taken back.
    ("RevokedKeys", "none", Weaker::Gone),
    // Files of keys that others can write.
    ("StrictModes", "yes", Weaker::Other),
];

/// When another value is a weaker one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weaker {
    /// Whenever it is another one; but "none" and "yes" are the strictest.
    Other,
    /// Always.
    Changed,
    /// When it has words that the image's has not.
    MoreWords,
    /// When the image had one.
    Gone,
}

const OUT: &str = "take the line out";

/// The values of the directives that say who holds a key, however sshd is started here.
///
/// # Errors
/// A file cannot be read.
pub fn kept<F: Files>(files: &F) -> Result<Vec<(String, Vec<String>)>, F::Error> {
    let version = installed(files)?.unwrap_or(Version::UNKNOWN);
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for start in starts(files)? {
        let config = Config::load_started(files, version, &start.options, &start.file)?;
        for (keyword, ..) in KEPT {
            let lines = config.global(keyword);
            let value = lines.first().map(|line| line.words.join(" "));
            let Some(value) = value.filter(|_| canonical(keyword, version).is_some()) else { continue };
            match found.iter_mut().find(|(known, _)| known == keyword) {
                Some((_, values)) if values.contains(&value) => {}
                Some((_, values)) => values.push(value),
                None => found.push(((*keyword).to_owned(), vec![value])),
            }
        }
    }
    Ok(found)
}

/// The different ways in which sshd is started.
fn starts<F: Files>(files: &F) -> Result<Vec<Started>, F::Error> {
    let mut found: Vec<Started> = Vec::new();
    for start in service::all(files)? {
        let same = |known: &Started| {
            known.options == start.options && known.file == start.file && known.other == start.other
        };
        if !found.iter().any(same) {
            found.push(start);
        }
    }
    Ok(found)
}

pub(super) fn check<F: Files>(promise: &Promise, files: &F, found: &mut Found<'_>) -> Result<(), F::Error> {
    if promise.sshd.is_empty() {
        return Ok(());
    }
    let version = installed(files)?.unwrap_or(Version::UNKNOWN);
    let wanted: Vec<Directive> =
        promise.sshd.iter().map(|(keyword, value)| Directive::new(keyword, value)).collect();
    for start in starts(files)? {
        if let Some((program, place)) = &start.other {
            let what = format!(
                "{}: the unit starts {program} in place of sshd: nobody knows what that asks for",
                found.at(place)
            );
            found.add(About::Start, Some(place), what, OUT);
            continue;
        }
        let config = Config::load_started(files, version, &start.options, &start.file)?;
        Judge { promise, wanted: &wanted, start: &start, config: &config }.all(found);
    }
    Ok(())
}

struct Judge<'j> {
    promise: &'j Promise,
    wanted: &'j [Directive],
    start: &'j Started,
    config: &'j Config,
}

impl Judge<'_> {
    fn all(&self, found: &mut Found<'_>) {
        for setting in weakening(self.promise, self.config) {
            let block = setting.block.and_then(|block| self.config.blocks.get(block));
            let what = in_block(setting, block, found);
            found.add(About::Block, Some(&setting.place), what, OUT);
        }
        for problem in self.config.problems.iter().filter(|problem| problem.unknown_word.is_none()) {
            let what = format!("{}: {}", found.at(&problem.place), problem.what);
            found.add(About::Sshd, Some(&problem.place), what, OUT);
        }
        let mismatches = mismatches(self.config, self.wanted);
        let mismatches: Vec<&Mismatch> =
            mismatches.iter().filter(|mismatch| mismatch.block.is_none()).collect();
        // Another file as a whole: one sentence rather than one for each directive.
        if let Some(place) = self.start.named.as_ref().filter(|_| self.start.file != MAIN_FILE)
            && !mismatches.is_empty()
        {
            let what = format!(
                "{}: options for sshd (-o, -f) win over its configuration: it reads {}",
                found.at(place),
                self.start.file
            );
            found.add(About::Start, Some(place), what, "take the options out");
            return;
        }
        for mismatch in mismatches {
            self.mismatch(mismatch, found);
        }
        for (keyword, default, weaker) in KEPT.iter().filter(|_| keys_count(self.promise)) {
            let lines = self.config.global(keyword);
            let is = lines.first().map_or(*default, |line| line.value.as_str());
            let words: Vec<String> = lines.first().map_or_else(|| split(default), |line| line.words.clone());
            if !is_weaker(self.promise, keyword, default, *weaker, &words) {
                continue;
            }
            let was = self.was(keyword, default);
            match lines.first() {
                Some(line) => {
                    let what = format!(
                        "{}: {} {is} lets in holders of other keys than the image did ({was})",
                        found.at(&line.place),
                        line.written
                    );
                    self.add(line, what, found);
                }
                None => {
                    let what = format!("{keyword} {was} of the image is nowhere in force");
                    found.add(About::Sshd, None, what, "put the line back");
                }
            }
        }
        if let Some(service) =
            self.config.global("PAMServiceName").first().filter(|service| service.words != ["sshd"])
        {
            let place = found.at(&service.place);
            let what = format!("{place}: PAMServiceName {} leads past /etc/pam.d/sshd", service.value);
            self.add(service, what, found);
        }
    }

    fn was(&self, keyword: &str, default: &str) -> String {
        let kept = self.promise.kept.iter().find(|(known, _)| known == keyword);
        kept.map_or_else(|| default.to_owned(), |(_, values)| values.join(", "))
    }

    fn add(&self, line: &Setting, what: String, found: &mut Found<'_>) {
        let (about, hint) = match self.is_option(line) {
            true => (About::Start, "take the options out"),
            false => (About::Sshd, OUT),
        };
        found.add(about, Some(&line.place), what, hint);
    }

    /// A line of the command line, not of a file of sshd's.
    fn is_option(&self, line: &Setting) -> bool {
        self.start.options.iter().any(|(_, place)| *place == line.place)
    }

    fn mismatch(&self, mismatch: &Mismatch, found: &mut Found<'_>) {
        let Directive { keyword, value } = &mismatch.directive;
        match &mismatch.found {
            Some(line) if self.is_option(line) => {
                let what = format!(
                    "{}: options for sshd (-o, -f) win over its configuration: {} {} over {keyword} {value}",
                    found.at(&line.place),
                    line.written,
                    line.value
                );
                found.add(About::Start, Some(&line.place), what, "take the options out");
            }
            Some(line) => {
                let what = format!(
                    "{}: {} {} is read before {keyword} {value} and wins",
                    found.at(&line.place),
                    line.written,
                    line.value
                );
                let hint = "take the line out, or rename the file so that it sorts behind 00-hardtack.conf";
                found.add(About::Sshd, Some(&line.place), what, hint);
            }
            None => {
                let what = format!("{keyword} {value} is nowhere in force");
                found.add(About::Sshd, None, what, "");
            }
        }
    }
}

fn in_block(setting: &Setting, block: Option<&MatchBlock>, found: &Found<'_>) -> String {
    format!(
        "{}: {} {} in the block \"Match {}\"{} overrides the global value{}",
        found.at(&setting.place),
        setting.written,
        setting.value,
        block.map(|block| block.criteria.as_str()).unwrap_or_default(),
        block.map(|block| format!(" ({})", found.at(&block.place))).unwrap_or_default(),
        if setting.words.iter().any(|word| word == "any") {
            ", and AuthenticationMethods any beside it stops sshd from starting"
        } else {
            ""
        },
    )
}

/// Lines in `Match` blocks that the promise does not name, and that set something that matters to another
/// value.
pub(super) fn weakening<'c>(promise: &Promise, config: &'c Config) -> Vec<&'c Setting> {
    let version = config.version();
    let mut keywords: Vec<&str> = SENSITIVE.to_vec();
    keywords.extend(KEPT.iter().filter(|_| keys_count(promise)).map(|(keyword, ..)| *keyword));
    keywords.extend(promise.sshd.iter().map(|(keyword, _)| keyword.as_str()));
    let mut found: Vec<&Setting> = Vec::new();
    for keyword in keywords {
        let Some(known) = canonical(keyword, version) else { continue };
        let same_name = |other: &str| canonical(other, version).is_some_and(|other| other.name == known.name);
        let ours: Vec<&str> = promise
            .sshd
            .iter()
            .filter(|(keyword, _)| same_name(keyword))
            .map(|(_, value)| value.as_str())
            .collect();
        let global = config.global(keyword);
        let kept = KEPT.iter().find(|(kept, ..)| same_name(kept));
        for setting in config.overrides(keyword) {
            let criteria = setting.block.and_then(|block| config.blocks.get(block));
            let promised = promise.blocks.iter().any(|block| {
                criteria.is_some_and(|own| own.criteria == block.criteria)
                    && same_name(&block.keyword)
                    && same_value(known, &setting.words, &block.value)
            });
            let same = match (&ours[..], kept) {
                ([_, ..], _) => ours.iter().any(|value| {
                    setting.words.join(" ").eq_ignore_ascii_case(value)
                        || same_value(known, &setting.words, value)
                }),
                (_, Some((keyword, default, weaker))) => {
                    !is_weaker(promise, keyword, default, *weaker, &setting.words)
                }
                _ => {
                    global.first().is_some_and(|global| setting.words == global.words)
                        || (is_switch(known.name) && setting.value.eq_ignore_ascii_case("no"))
                }
            };
            let known = found.iter().any(|known| std::ptr::eq(*known, setting));
            if !promised && !same && !known && found.len() < super::MOST {
                found.push(setting);
            }
        }
    }
    found
}

/// Whether anybody is asked for a key.
fn keys_count(promise: &Promise) -> bool {
    let blocks = promise.blocks.iter().map(|block| (&block.keyword, &block.value));
    let mut methods = promise
        .sshd
        .iter()
        .map(|(keyword, value)| (keyword, value))
        .chain(blocks)
        .filter(|(keyword, _)| keyword.eq_ignore_ascii_case("AuthenticationMethods"))
        .peekable();
    methods.peek().is_none() || methods.any(|(_, value)| value.contains("publickey"))
}

/// Of these "no" is never weaker.
fn is_switch(keyword: &str) -> bool {
    matches!(keyword, "PermitRootLogin" | "PasswordAuthentication" | "PermitEmptyPasswords")
}

fn split(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Whether `words` let in holders of keys that the image's value did not.
fn is_weaker(promise: &Promise, keyword: &str, default: &str, weaker: Weaker, words: &[String]) -> bool {
    let recorded = promise.kept.iter().find(|(known, _)| known == keyword);
    let was: Vec<Vec<String>> = match recorded {
        Some((_, values)) => values.iter().map(|value| split(value)).collect(),
        None => vec![split(default)],
    };
    let strictest = [if keyword == "StrictModes" { "yes" } else { "none" }];
    let is_strictest = |words: &[String]| words.len() == 1 && words[0].eq_ignore_ascii_case(strictest[0]);
    let equal = was.iter().any(|was| was == words);
    match weaker {
        _ if equal => false,
        Weaker::Changed => true,
        // Whose rights the command has is no matter where there is none.
        Weaker::Other => !is_strictest(words) && !keyword.ends_with("CommandUser"),
        Weaker::MoreWords => {
            !is_strictest(words) && !words.iter().all(|word| was.iter().flatten().any(|known| known == word))
        }
        Weaker::Gone => recorded.is_some() && was.iter().any(|was| !is_strictest(was)),
    }
}
