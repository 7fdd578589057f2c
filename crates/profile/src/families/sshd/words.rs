//! Directives with a value of their own.

use hardtack_guest::sshd::{Config, Keyword, Setting, Version, find, same_value, seconds};

use super::server::{Fault, deciding, installed, judge, known, nowhere, place, set, version};
use crate::{Bench, Error, Finding, Measure, View};

/// Which values will do.
#[derive(Clone, Copy)]
pub(super) enum Good {
    /// The one that is written.
    Same,
    /// One of these words.
    One(&'static [&'static str]),
    /// A number in this range.
    Number(u32, u32),
    /// A time in this range of seconds.
    Time(u64, u64),
    /// MaxStartups: no more than these.
    Startups([u32; 3]),
    /// Anything but this word.
    Not(&'static str),
}

/// A directive.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub(super) keyword: &'static str,
    /// What is written.
    pub(super) value: &'static str,
    pub(super) good: Good,
    /// What sshd does where nothing sets it.
    pub(super) default: &'static str,
    /// Only releases before this one: newer ones have something better.
    pub(super) before: Option<Version>,
}

/// One directive, `no` or `yes`, and what it is where nothing sets it.
pub(super) const fn word(keyword: &'static str, value: &'static str, default: &'static str) -> Word {
    Word { keyword, value, good: Good::Same, default, before: None }
}

/// One for which other values will do as well.
pub(super) const fn range(
    keyword: &'static str,
    value: &'static str,
    good: Good,
    default: &'static str,
) -> Word {
    Word { keyword, value, good, default, before: None }
}

impl Word {
    pub(super) const fn before(self, major: u32, minor: u32) -> Self {
        Self { before: Some(Version::new(major, minor)), ..self }
    }

    fn applies(&self, version: Version) -> bool {
        known(self.keyword, version).is_some() && self.before.is_none_or(|before| version < before)
    }

    fn is_good(&self, keyword: &Keyword, words: &[String]) -> bool {
        let first = words.first().map_or("", String::as_str);
        match self.good {
            Good::Same => same_value(keyword, words, self.value),
            Good::One(list) => list.iter().any(|one| first.eq_ignore_ascii_case(one)),
            Good::Number(low, high) => first.parse().is_ok_and(|number: u32| (low..=high).contains(&number)),
            Good::Time(low, high) => seconds(first).is_some_and(|time| (low..=high).contains(&time)),
            Good::Startups(most) => {
                startups(first).is_some_and(|found| found.iter().zip(most).all(|(a, b)| *a <= b))
            }
            Good::Not(bad) => !first.eq_ignore_ascii_case(bad),
        }
    }

    fn wanted(&self) -> String {
        match self.good {
            Good::Number(low, high) if low != high => format!("{low} to {high}"),
            Good::Time(low, high) => format!("{low} to {high} seconds"),
            Good::One(list) => list.join(" or "),
            Good::Startups([start, rate, full]) => format!("at most {start}:{rate}:{full}"),
            Good::Not(bad) => format!("anything but {bad}"),
            Good::Same | Good::Number(..) => self.value.to_owned(),
        }
    }

    fn faults(&self, config: &Config) -> Vec<Fault> {
        let Some(keyword) = find(self.keyword) else { return Vec::new() };
        let (global, blocks) = deciding(config, self.keyword);
        let mut faults = Vec::new();
        if let Some(line) = global.first() {
            if !self.is_good(keyword, &line.words) {
                faults.push(self.fault(line, ""));
            }
        } else if !self.is_good(keyword, &[self.default.to_owned()]) {
            let what = format!(
                "{} is set nowhere, and is {} then; wanted: {}",
                self.keyword,
                self.default,
                self.wanted()
            );
            faults.push((nowhere(), what));
        }
        for line in blocks.into_iter().filter(|line| !self.is_good(keyword, &line.words)) {
            let block = line.block.map_or("", |block| config.blocks[block].criteria.as_str());
            faults.push(self.fault(line, &format!(" for Match {block}")));
        }
        faults
    }

    fn fault(&self, line: &Setting, whom: &str) -> Fault {
        (place(&line.place), format!("{} is {}{whom}; wanted: {}", self.keyword, line.value, self.wanted()))
    }
}

/// These directives get their way, in `Match` blocks, too.
pub(super) struct Words(pub(super) &'static [Word]);

impl Measure for Words {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(version) = installed(bench)? else { return Ok(()) };
        for word in self.0.iter().filter(|word| word.applies(version)) {
            set(bench, version, word.keyword, word.value);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if let Ok(Some(version)) = version(view.stage)
            && !self.0.iter().any(|word| word.applies(version))
        {
            return Ok(Finding::NotApplicable(format!(
                "OpenSSH {version} does not know {}",
                self.0[0].keyword
            )));
        }
        judge(view, |config| {
            let words = self.0.iter().filter(|word| word.applies(config.version()));
            Ok(words.flat_map(|word| word.faults(config)).collect())
        })
    }
}

/// `10` is `10:100:10`.
fn startups(text: &str) -> Option<[u32; 3]> {
    let numbers: Vec<u32> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers[..] {
        [all] => Some([all, 0, all]),
        [start, rate, full] => Some([start, rate, full]),
        _ => None,
    }
}
