//! Fields of shadow(5). Only of accounts that have a password: an expired one keeps its user out, also with a key, and
//! who has no password cannot give themselves a new one.

use hardtack_guest::accounts::set_field;
use hardtack_guest::{READ_LIMIT, Stage};
use hardtack_report::Place;

use crate::{Bench, Error, Finding, Measure, View};

pub(super) const SHADOW: &str = "/etc/shadow";
const DAY: i64 = 24 * 60 * 60;

/// A field, and what it shall be.
pub(super) struct Aging {
    /// From 0.
    pub(super) field: usize,
    pub(super) what: &'static str,
    pub(super) value: &'static str,
    pub(super) good: fn(&str) -> bool,
}

/// A line of shadow.
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    pub(super) fields: Vec<String>,
}

impl Line {
    pub(super) fn field(&self, index: usize) -> &str {
        self.fields.get(index).map_or("", String::as_str)
    }

    pub(super) fn place(&self) -> Place {
        Place { path: SHADOW.to_owned(), line: Some(self.number) }
    }

    /// It has a password that somebody can give, if it has not expired.
    pub(super) fn has_password(&self) -> bool {
        self.field(1).starts_with('$')
            || (self.field(1).len() == 13 && !self.field(1).starts_with(['!', '*']))
    }
}

pub(super) fn lines(stage: &Stage<'_>) -> Result<Vec<Line>, Error> {
    let bytes = stage.read_limited(SHADOW, READ_LIMIT)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate().filter(|(_, line)| line.contains(':'));
    Ok(lines
        .map(|(index, line)| Line { number: index + 1, fields: line.split(':').map(str::to_owned).collect() })
        .collect())
}

pub(super) fn set(bench: &mut Bench<'_, '_>, aging: &Aging) -> Result<(), Error> {
    for line in lines(bench.stage)? {
        if line.has_password() && !(aging.good)(line.field(aging.field)) {
            set_field(bench.stage, line.field(0), aging.field, aging.value)?;
        }
    }
    Ok(())
}

pub(super) fn faults(stage: &Stage<'_>, aging: &Aging) -> Result<Vec<(Place, String)>, Error> {
    let lines = lines(stage)?.into_iter();
    let bad = lines.filter(|line| line.has_password() && !(aging.good)(line.field(aging.field)));
    Ok(bad
        .map(|line| {
            let said = if line.field(aging.field).is_empty() { "nothing" } else { line.field(aging.field) };
            (line.place(), format!("{}: {} is {said}, not {}", line.field(0), aging.what, aging.value))
        })
        .collect())
}

/// No password was changed in the future, and none must be changed at the first login.
pub(super) struct Changed;

impl Measure for Changed {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let today = bench.epoch.div_euclid(DAY);
        if today <= 0 {
            return Ok(());
        }
        for line in lines(bench.stage)? {
            // Without a day nothing ages.
            let never = line.field(2).is_empty();
            if line.has_password() && (never || line.field(2).parse::<i64>().is_ok_and(|day| day > today)) {
                set_field(bench.stage, line.field(0), 2, &today.to_string())?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        // No clock here: who changes a password writes below /etc.
        let Some(there) = view.stage.stat(SHADOW)? else {
            return Ok(Finding::NotApplicable(format!("the image has no {SHADOW}")));
        };
        let youngest = ["/etc", "/var/log", "/var/lib/dpkg/status", "/etc/os-release"]
            .iter()
            .filter_map(|path| view.stage.stat(path).ok().flatten())
            .fold(there.mtime, |youngest, other| youngest.max(other.mtime));
        // What is staged has no time yet.
        let last = if youngest == 0 { i64::MAX } else { youngest.div_euclid(DAY) + 1 };
        let mut faults = Vec::new();
        for line in lines(view.stage)?.into_iter().filter(Line::has_password) {
            let (name, day) = (line.field(0), line.field(2));
            if day.is_empty() {
                faults.push((line.place(), format!("{name}: nothing says when the password was changed")));
            } else if day.parse::<i64>().is_ok_and(|day| day > last.max(FIRST_DAY)) {
                faults.push((
                    line.place(),
                    format!("{name}: the password was changed on day {day}, after the image"),
                ));
            }
        }
        Ok(Finding::of(faults))
    }
}

/// File times may be set back for reproducible images: before this day, 2025-01-01, nothing is the future.
const FIRST_DAY: i64 = 20_089;

/// root has no password, or a strong one.
pub(super) struct Root;

impl Measure for Root {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let lines = lines(view.stage)?;
        let Some(root) = lines.iter().find(|line| line.field(0) == "root") else {
            return Ok(Finding::fail_at(SHADOW, "root has no line"));
        };
        let field = root.field(1);
        let strong = ["$y$", "$6$", "$7$", "$gy$", "$2b$"].iter().any(|start| field.starts_with(start));
        Ok(match field.chars().next() {
            Some('!' | '*') => Finding::Pass,
            Some(_) if strong => Finding::Pass,
            Some(_) => Finding::of(vec![(root.place(), "root's password has a weak hash".to_owned())]),
            None => Finding::of(vec![(root.place(), "root needs no password".to_owned())]),
        })
    }
}
