//! Holds a configuration against the shapes.
//!
//! The verdict is jsonschema's (draft 4) with cloud-init's own `oneOf` and `anyOf`
//! (`cloudinit/config/schema.py`: `_oneOf`, `_anyOf`, `cloud_init_deepest_matches`); which of several
//! possible errors is told, and how, is ours.
//!
//! Where several shapes are possible, they are tried without a word first, then the one that was
//! most likely meant is told about. Shapes nest three such choices deep at most, so the work stays
//! within a small factor of the number of values.

use std::collections::HashSet;

use super::faults::Faults;
use super::fit::{fits, has, has_type, keeps, takes};
use super::path::Path;
use super::shape::{Keys, ListShape, MapShape, Others, Shape};
use super::{keys, message};
use crate::finding::{Finding, Place, Severity};
use crate::operator;
use crate::value::{Key, Kind, Map, Value};

/// How many findings are told.
const MOST: usize = 200;

/// Checks a whole configuration.
pub(super) fn check(tables: &[Keys], config: &Map, findings: &mut Vec<Finding>) {
    let mut checker = Checker {
        tables,
        findings: Vec::new(),
        path: Path::default(),
        quiet: false,
        untold: 0,
        untold_errors: 0,
    };
    for (key, value) in config {
        let shape = key.as_text().and_then(|name| lookup(tables, name));
        let before = checker.path.push_key(key);
        match shape {
            Some(shape) => {
                checker.check_field(shape, key, value);
            }
            // Our own key has its own check.
            None if key.as_text() == Some(operator::KEY) => {}
            None => checker.unknown_top_level(key),
        }
        checker.path.pop(before);
    }
    let (untold, errors) = (checker.untold, checker.untold_errors);
    let place = checker.findings.last().map(|last| last.place).unwrap_or_default();
    findings.append(&mut checker.findings);
    if untold > 0 {
        let mut more =
            Finding::error("more", place, format!("{untold} further findings, {errors} of them errors"))
                .with_hint("mend those above, then check again");
        if errors == 0 {
            more.severity = Severity::Warning;
        }
        findings.push(more);
    }
}

fn lookup<'t>(tables: &[&'t [(&'static str, Shape)]], name: &str) -> Option<&'t Shape> {
    tables.iter().find_map(|table| field(table, name))
}

fn field<'t>(fields: &'t [(&'static str, Shape)], name: &str) -> Option<&'t Shape> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, shape)| shape)
}

/// One run over a configuration.
struct Checker<'t> {
    tables: &'t [Keys],
    findings: Vec<Finding>,
    path: Path,
    /// Only the verdict counts: nothing is told.
    quiet: bool,
    /// Findings beyond [`MOST`], and the errors among them.
    untold: usize,
    untold_errors: usize,
}

impl Checker<'_> {
    /// Tells a finding about the value at the current path. The closure is only called when it is told.
    fn tell(&mut self, severity: Severity, finding: impl FnOnce(&Path) -> Finding) {
        if self.quiet {
            return;
        }
        if self.findings.len() >= MOST {
            self.untold_errors = self.untold_errors.saturating_add(usize::from(severity == Severity::Error));
            self.untold = self.untold.saturating_add(1);
            return;
        }
        let mut finding = finding(&self.path);
        if finding.path.is_empty() {
            finding.path.clone_from(&self.path.text);
        }
        self.findings.push(finding);
    }

    /// The verdict on a value, without a word.
    fn quietly(&mut self, shape: &Shape, value: &Value) -> Faults {
        let before = std::mem::replace(&mut self.quiet, true);
        let faults = self.check(shape, value);
        self.quiet = before;
        faults
    }

    fn check(&mut self, shape: &Shape, value: &Value) -> Faults {
        if let Shape::Old(old) = shape {
            self.tell(Severity::Warning, |path| message::deprecated_value(&path.text, old, value.place));
            return self.check(&old.shape, value);
        }
        if !takes(shape, &value.kind) {
            return self.wrong_type(shape, value);
        }
        match (shape, &value.kind) {
            (Shape::Kinds(shapes), kind) => match shapes.iter().find(|shape| takes(shape, kind)) {
                Some(taken)
                    if matches!(kind, Kind::List(_) | Kind::Map(_)) || !self.quietly(taken, value).any() =>
                {
                    self.check(taken, value)
                }
                // What else it could be is told, too.
                _ => self.bad_value(shape, value),
            },
            (Shape::OneOf(shapes), _) => self.check_one_of(shape, shapes, value),
            (Shape::AnyOf(shapes), _) => self.check_any_of(shape, shapes, value),
            (Shape::List(list), Kind::List(items)) => self.check_list(list, items, value.place),
            (Shape::Map(map), Kind::Map(entries)) => self.check_map(map, entries, value.place),
            _ if fits(shape, &value.kind) => Faults::NONE,
            _ => self.bad_value(shape, value),
        }
    }

    /// The value of a key, which may be deprecated as such.
    fn check_field(&mut self, shape: &Shape, key: &Key, value: &Value) -> Faults {
        let Shape::Old(old) = shape else { return self.check(shape, value) };
        self.tell(Severity::Warning, |path| message::deprecated_key(&path.text, old, key.place));
        self.check(&old.shape, value)
    }

    fn wrong_type(&mut self, shape: &Shape, value: &Value) -> Faults {
        // Cloud-init's `oneOf` overlooks everything about a mapping with a key `type`.
        if matches!(shape, Shape::OneOf(_)) && has_type(value) {
            self.tell(Severity::Warning, |path| {
                overlooked(message::wrong_type(&path.text, path.secrets > 0, shape, value))
            });
            return Faults::NONE;
        }
        self.tell(Severity::Error, |path| message::wrong_type(&path.text, path.secrets > 0, shape, value));
        Faults::HERE
    }

    fn bad_value(&mut self, shape: &Shape, value: &Value) -> Faults {
        self.tell(Severity::Error, |path| message::bad_value(&path.text, path.secrets > 0, shape, value));
        Faults::HERE
    }

    /// Cloud-init's `oneOf`: errors of the deepest values are told; but for a mapping with a key
    /// `type` only those about a key that ends in `type`, and when there is none, it is as good as
    /// valid.
    fn check_one_of(&mut self, shape: &Shape, shapes: &[Shape], value: &Value) -> Faults {
        let (told, untold_errors) = (self.findings.len(), self.untold_errors);
        let mut candidates = shapes.iter().filter(|shape| takes(shape, &value.kind));
        let (first, more) = (candidates.next(), candidates.next().is_some());
        let faults = match first {
            Some(only) if !more && matches!(value.kind, Kind::List(_) | Kind::Map(_)) => {
                self.check(only, value)
            }
            _ => {
                let fitting: Vec<&Shape> =
                    shapes.iter().filter(|shape| !self.quietly(shape, value).any()).collect();
                match fitting.as_slice() {
                    [only] => self.check(only, value),
                    [] => self.explain(shape, shapes, value),
                    _ => {
                        self.tell(Severity::Error, |path| message::several(&path.text, value.place));
                        return Faults::HERE;
                    }
                }
            }
        };
        if faults.any() && !faults.typed && has_type(value) {
            for finding in self.findings.iter_mut().skip(told) {
                if finding.severity == Severity::Error {
                    *finding = overlooked(finding.clone());
                }
            }
            self.untold_errors = untold_errors;
            return Faults::NONE;
        }
        faults
    }

    fn check_any_of(&mut self, shape: &Shape, shapes: &[Shape], value: &Value) -> Faults {
        let fitting = shapes.iter().find(|shape| !self.quietly(shape, value).any());
        match fitting {
            Some(fitting) => self.check(fitting, value),
            None => self.explain(shape, shapes, value).and(Faults::HERE),
        }
    }

    /// What is wrong with a value that fits none of several shapes; all faults of all of them count.
    fn explain(&mut self, shape: &Shape, shapes: &[Shape], value: &Value) -> Faults {
        let mut all = Faults::NONE;
        let mut best: Option<(usize, &Shape)> = None;
        for shape in shapes {
            let faults = self.quietly(shape, value);
            all = all.and(faults);
            // A mapping that says its type is held against the shape of that type.
            let weight = if names_type(shape, value) { 0 } else { faults.count };
            if takes(shape, &value.kind) && best.is_none_or(|(least, _)| weight < least) {
                best = Some((weight, shape));
            }
        }
        match (&value.kind, best) {
            (Kind::List(_), Some((_, best))) => {
                self.check(best, value);
            }
            (Kind::Map(entries), Some((weight, best))) => match entries.get(&Key::text("type")) {
                Some(named) if weight > 0 && type_choices(shapes).next().is_some() => {
                    let before = self.path.push("type", false);
                    let choices: Vec<&str> = type_choices(shapes).flatten().copied().collect();
                    self.tell(Severity::Error, |path| message::bad_choice(&path.text, &choices, named));
                    self.path.pop(before);
                }
                _ => {
                    self.check(best, value);
                }
            },
            _ => {
                self.bad_value(shape, value);
            }
        }
        all
    }

    fn check_list(&mut self, list: &ListShape, items: &[Value], place: Place) -> Faults {
        let mut faults = Faults::NONE;
        if items.len() < list.min || items.len() > list.max {
            self.tell(Severity::Error, |path| message::length(&path.text, list, items.len(), place));
            faults = Faults::HERE;
        }
        let mut seen: HashSet<(bool, &[u8])> = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let before = self.path.push_index(index);
            faults = faults.and(self.check(&list.items, item).under(None));
            // What else than text a list of different items holds is wrong already.
            let identity = match &item.kind {
                Kind::Text(text) => Some((true, text.as_bytes())),
                Kind::Bytes(bytes) => Some((false, bytes.as_slice())),
                _ => None,
            };
            if list.unique && identity.is_some_and(|identity| !seen.insert(identity)) {
                self.tell(Severity::Error, |path| message::duplicate(&path.text, path.secrets > 0, item));
                faults = faults.and(Faults::HERE);
            }
            self.path.pop(before);
        }
        faults
    }

    fn check_map(&mut self, map: &MapShape, entries: &Map, place: Place) -> Faults {
        let mut faults = Faults::NONE;
        for required in map.required {
            if !has(entries, required) {
                self.tell(Severity::Error, |path| message::missing(&path.text, required, place));
                faults = faults.and(Faults::HERE);
            }
        }
        if entries.len() < map.min {
            self.tell(Severity::Error, |path| message::empty_map(&path.text, map, place));
            faults = faults.and(Faults::HERE);
        }
        for (key, value) in entries {
            let before = self.path.push_key(key);
            faults = faults.and(self.check_entry(map, before.length, key, value));
            self.path.pop(before);
        }
        for rule in map.rules {
            if !keeps(rule, entries) {
                self.tell(Severity::Error, |path| message::rule(&path.text, rule, entries, place));
                faults = faults.and(Faults::HERE);
            }
        }
        faults
    }

    /// `above` is the length of the path to the mapping itself.
    fn check_entry(&mut self, map: &MapShape, above: usize, key: &Key, value: &Value) -> Faults {
        let name = key.as_text();
        if let Some(shape) = name.and_then(|name| field(map.fields, name)) {
            return self.check_field(shape, key, value).under(name);
        }
        match (map.others, name) {
            (Others::Any, _) => Faults::NONE,
            (Others::Each(shape), name) => self.check(shape, value).under(name),
            (Others::Named(pattern, shape) | Others::NamedOpen(pattern, shape), Some(name))
                if (pattern.matches)(name) =>
            {
                self.check(shape, value).under(Some(name))
            }
            (Others::NamedOpen(..), Some(_)) => Faults::NONE,
            (Others::Named(pattern, _), Some(_)) => {
                self.tell(Severity::Error, |path| keys::bad_key(path.above(above), pattern, key));
                Faults::HERE
            }
            (Others::Named(..) | Others::NamedOpen(..), None) => {
                self.tell(Severity::Error, |path| keys::key_not_text(path.above(above), key));
                Faults::HERE
            }
            (Others::Refused, _) => {
                let tables = self.tables;
                self.tell(Severity::Error, |path| {
                    keys::unknown_key(path.above(above), key, value.is_null(), map.fields, tables)
                });
                Faults::HERE
            }
        }
    }

    fn unknown_top_level(&mut self, key: &Key) {
        let tables = self.tables;
        self.tell(Severity::Error, |_| keys::unknown_top_level(key, tables));
    }
}

/// An error that cloud-init does not see, as a warning.
fn overlooked(mut finding: Finding) -> Finding {
    finding.severity = Severity::Warning;
    finding.message.push_str("; cloud-init's own check overlooks it, because of a key `type` there");
    finding
}

/// The texts that the shapes' fields `type` can be.
fn type_choices(shapes: &[Shape]) -> impl Iterator<Item = &'static [&'static str]> {
    shapes.iter().filter_map(|shape| match shape {
        Shape::Map(map) => match field(map.fields, "type") {
            Some(Shape::Choice(choices)) => Some(*choices),
            _ => None,
        },
        _ => None,
    })
}

/// Whether a mapping's `type` is that of the shape.
fn names_type(shape: &Shape, value: &Value) -> bool {
    let Some(name) = value.get("type").and_then(Value::as_text) else { return false };
    type_choices(std::slice::from_ref(shape)).any(|choices| choices.contains(&name))
}
