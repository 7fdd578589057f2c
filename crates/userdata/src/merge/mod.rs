//! Several parts become one configuration (`cloudinit/handlers/cloud_config.py`).
//!
//! * `mergers`: what `merge_how` says.
//! * `apply`: merging two values by it.
//! * `surprises`: warnings of what people do not expect of it.
//!
//! A part that cannot be merged is left out, and the others count. cloud-init keeps two kinds of those
//! apart: "error parts", which it lists in the merged file, and parts over which its code breaks, which it
//! lists nowhere.

mod apply;
mod mergers;
mod surprises;

pub(crate) use mergers::Mergers;

use crate::finding::{Finding, Place};
use crate::load::{self, BREAKS, load_config};
use crate::part::{Part, PartKind};
use crate::size::Size;
use crate::value::{Key, Kind, Map, Value};
use crate::{json_patch, limits, utf8};

/// Code of a part that holds nothing.
pub const EMPTY: &str = "empty-config";
/// Code of a `merge_how` that cannot be carried out.
pub const MERGE_HOW: &str = "merge-how";
/// Code of parts that are too much together.
pub const TOO_MUCH: &str = "too-much-config";

/// What the parts say together.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// The configuration. Each value has the place that it came from.
    pub config: Map,
    /// File names of the parts that are in it, in order.
    pub ok_parts: Vec<String>,
    /// File names of the parts that cloud-init lists as failed.
    pub error_parts: Vec<String>,
    /// What is wrong, and what is surprising.
    pub findings: Vec<Finding>,
}

/// Why a part is left out.
pub(crate) struct Refused {
    findings: Vec<Finding>,
    /// cloud-init lists it among the failed parts.
    listed: bool,
}

impl Refused {
    /// cloud-init lists the part as failed.
    pub(crate) fn listed(finding: Finding) -> Self {
        Self { findings: vec![finding], listed: true }
    }

    /// cloud-init's code breaks over the part.
    pub(crate) fn breaks(finding: Finding) -> Self {
        Self { findings: vec![finding], listed: false }
    }
}

impl From<Vec<Finding>> for Refused {
    fn from(findings: Vec<Finding>) -> Self {
        let listed = findings.first().is_none_or(|first| first.code != BREAKS);
        Self { findings, listed }
    }
}

/// Merges the cloud-config and JSON patch parts of `parts` in order; the others do not matter here.
#[must_use]
pub fn merge_parts(parts: &[Part]) -> Merged {
    let mut merged = Merged::default();
    let mut merging = Merging::default();
    for (index, part) in parts.iter().enumerate() {
        let outcome = match part.kind {
            PartKind::CloudConfig => merging.config(part, index, &mut merged.findings),
            PartKind::JsonPatch => merging.patch(part, index),
            _ => continue,
        };
        let filename = part.filename.replace(['\n', '\r', '\t'], " ").trim().to_owned();
        match outcome {
            Ok(()) => {
                merging.any = true;
                merging.names.push((index, filename.clone()));
                merged.ok_parts.push(filename);
            }
            Err(refused) => {
                merged.findings.extend(refused.findings);
                if refused.listed {
                    merged.error_parts.push(filename);
                }
            }
        }
    }
    match merging.buffer.map(|buffer| buffer.kind) {
        None => {}
        Some(Kind::Map(config)) => merged.config = config,
        Some(_) => {
            let message = "a JSON patch left no mapping: cloud-init ignores the whole configuration";
            merged.findings.push(Finding::error(load::ROOT, Place::default(), message));
        }
    }
    merged
}

/// What was merged so far.
#[derive(Default)]
struct Merging {
    buffer: Option<Value>,
    /// Whether any part is in it.
    any: bool,
    /// The parts that are in it.
    names: Vec<(usize, String)>,
    /// What was read in all, whatever became of it.
    spent: Size,
}

impl Merging {
    fn buffer(&mut self) -> Value {
        match self.buffer.take() {
            Some(buffer) if self.any => buffer,
            _ => Value::new(Kind::Map(Map::new())),
        }
    }

    /// Counts `size` in, unless that is too much.
    fn spend(&mut self, size: Size, place: Place) -> Result<(), Refused> {
        self.spent = self.spent.plus(size);
        if self.spent.fits(limits::YAML.nodes, limits::YAML.bytes) {
            return Ok(());
        }
        let message = format!(
            "the parts hold more than {} values or {} bytes of text together; this one and all behind it are \
             left out",
            limits::YAML.nodes,
            limits::YAML.bytes
        );
        Err(Refused::breaks(Finding::error(TOO_MUCH, place, message)))
    }

    fn config(&mut self, part: &Part, index: usize, findings: &mut Vec<Finding>) -> Result<(), Refused> {
        // Nothing is read any more behind a part that was too much.
        let place = Place { part: index, ..Place::default() };
        self.spend(Size::default(), place)?;
        let text = utf8::text(&part.payload, index).map_err(Refused::listed)?;
        let Some(mut config) = load_config(text, index)? else {
            let message = "this part is empty: cloud-init ignores it";
            let hint = "everything in it is a comment; write `key: value` lines";
            return Err(Refused::listed(Finding::warning(EMPTY, place, message).with_hint(hint)));
        };
        self.spend(Size::of_map(&config), place)?;
        let header = part.merge_type.as_deref().unwrap_or_default();
        let mergers = Mergers::of_part(&mut config, header, place)?;
        let buffer = self.buffer();
        let new = Value { place, kind: Kind::Map(config) };
        if mergers.breaks(&buffer, &new) {
            self.buffer = Some(buffer);
            let message = "`merge_how` asks to join values that do not go together (a text and a list)";
            return Err(Refused::breaks(Finding::error(MERGE_HOW, place, message)));
        }
        surprises::warn(&buffer, &new, &mergers, &self.names, findings);
        self.buffer = Some(mergers.merge(buffer, new));
        Ok(())
    }

    fn patch(&mut self, part: &Part, index: usize) -> Result<(), Refused> {
        let place = Place { part: index, ..Place::default() };
        self.spend(Size::default(), place)?;
        let text = utf8::text(&part.payload, index).map_err(Refused::listed)?;
        let patch = json_patch::parse(text, index)?;
        let buffer = self.buffer();
        self.spend(patch.size(), place)?;
        match patch.apply(buffer.clone(), limits::YAML.nodes) {
            Ok(patched) => {
                self.buffer = Some(patched);
                Ok(())
            }
            Err(finding) => {
                self.buffer = Some(buffer);
                Err(Refused::breaks(*finding))
            }
        }
    }
}

/// `merge_how`, or `merge_type` if that is missing or null, taken out of `config`
/// (`cloudinit/mergers/__init__.py`, `dict_extract_mergers`).
fn take_merge_how(config: &mut Map) -> Option<(Key, Value)> {
    for name in ["merge_how", "merge_type"] {
        if let Some((key, value)) = config.shift_remove_entry(&Key::text(name))
            && !value.is_null()
        {
            return Some((key, value));
        }
    }
    None
}
