//! JSON patches (`#cloud-config-jsonp`, RFC 6902) as python-jsonpatch 1.34 carries them out
//! (`jsonpatch.py`, `jsonpointer.py`): all operations or none.

use hardtack_yaml::shorten;

use crate::equal::same;
use crate::finding::{Finding, Place};
use crate::json_text;
use crate::merge::Refused;
use crate::size::Size;
use crate::value::{Key, Kind, Map, Value};

/// Code of a patch that cannot be applied.
pub(crate) const CODE: &str = "json-patch";

/// What stands at the head of the part, before the JSON.
const PREFIX: &str = "#cloud-config-jsonp";

/// Items that may be moved to make room, by all operations of one patch.
const WORK: usize = 200_000_000;

/// A patch whose shape is right.
pub(crate) struct Patch {
    operations: Vec<Operation>,
}

struct Operation {
    place: Place,
    action: Action,
    path: Pointer,
    from: Option<Result<Pointer, String>>,
    value: Option<Value>,
}

#[derive(Clone, Copy)]
enum Action {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

#[derive(Clone, PartialEq, Eq)]
struct Pointer {
    parts: Vec<String>,
}

/// The last step of a pointer in the collection that it was found to lead to.
enum Step<'a> {
    Root,
    Member(&'a mut Map, &'a str),
    Item(&'a mut Vec<Value>, usize),
    /// `-`: behind the last item.
    End(&'a mut Vec<Value>),
}

/// The patch in `text`, which is the part `part`.
pub(crate) fn parse(text: &str, part: usize) -> Result<Patch, Refused> {
    let lead = text.len() - text.trim_start().len();
    let prefixed = text.get(lead..).unwrap_or_default().starts_with(PREFIX);
    let skipped = if prefixed { lead + PREFIX.len() } else { lead };
    let root = json_text::parse(text, skipped, part).map_err(|finding| Refused::listed(*finding))?;
    let place = root.place;
    let Kind::List(items) = root.kind else {
        return Err(broken(place, "a JSON patch is a list of operations".to_owned()));
    };
    let operations = items.into_iter().map(operation).collect::<Result<_, _>>()?;
    Ok(Patch { operations })
}

fn failed(place: Place, message: String) -> Box<Finding> {
    let finding = Finding::error(CODE, place, format!("{message}; nothing of this patch is applied"));
    Box::new(finding)
}

fn broken(place: Place, message: String) -> Refused {
    Refused::breaks(*failed(place, message))
}

fn operation(item: Value) -> Result<Operation, Refused> {
    let place = item.place;
    let Kind::Map(mut members) = item.kind else {
        return Err(broken(place, "an operation of a JSON patch is an object".to_owned()));
    };
    let mut member = |name: &str| members.swap_remove(&Key::text(name));
    let Some(action) = member("op") else {
        return Err(broken(place, "this operation has no `op`".to_owned()));
    };
    let action = match action.as_text() {
        Some("add") => Action::Add,
        Some("remove") => Action::Remove,
        Some("replace") => Action::Replace,
        Some("move") => Action::Move,
        Some("copy") => Action::Copy,
        Some("test") => Action::Test,
        _ => {
            let message = "`op` is one of add, remove, replace, move, copy, test".to_owned();
            return Err(broken(action.place, message));
        }
    };
    let pointer = |value: Value| match value.as_text() {
        Some(text) => Pointer::parse(text),
        None => Err("a path is a text".to_owned()),
    };
    let Some(path) = member("path") else {
        return Err(broken(place, "this operation has no `path`".to_owned()));
    };
    let path_place = path.place;
    let path = pointer(path).map_err(|message| broken(path_place, message))?;
    Ok(Operation { place, action, path, from: member("from").map(pointer), value: member("value") })
}

impl Patch {
    /// What it adds at most, copies apart.
    pub(crate) fn size(&self) -> Size {
        let values = self.operations.iter().filter_map(|operation| operation.value.as_ref());
        values.map(Size::of).fold(Size::default(), Size::plus)
    }

    /// `document` with all operations carried out; copies may add `room` values.
    pub(crate) fn apply(self, document: Value, room: usize) -> Result<Value, Box<Finding>> {
        let mut document = document;
        let mut budget = Budget { room, work: WORK };
        for operation in self.operations {
            let place = operation.place;
            operation.apply(&mut document, &mut budget).map_err(|message| failed(place, message))?;
        }
        Ok(document)
    }
}

/// What is left of what a patch may cost.
struct Budget {
    room: usize,
    work: usize,
}

impl Budget {
    fn work(&mut self, items: usize) -> Result<(), String> {
        self.work = self.work.checked_sub(items).ok_or("the patch moves too many items")?;
        Ok(())
    }

    fn copy(&mut self, value: &Value) -> Result<(), String> {
        let size = Size::of(value);
        let cost = size.nodes.saturating_add(size.bytes / 16);
        self.room = self.room.checked_sub(cost).ok_or("the patch copies too much")?;
        Ok(())
    }
}

impl Operation {
    fn apply(self, document: &mut Value, budget: &mut Budget) -> Result<(), String> {
        let value = || self.value.clone().ok_or_else(|| "this operation has no `value`".to_owned());
        match self.action {
            Action::Add => self.path.add(document, value()?, budget),
            Action::Remove => self.path.remove(document, budget).map(drop),
            Action::Replace => self.path.replace(document, value()?),
            Action::Move => {
                let from = self.from.ok_or("this operation has no `from`")??;
                if self.path != from && self.path.parts.starts_with(&from.parts) {
                    return Err("a value cannot be moved into itself".to_owned());
                }
                if from.parts.is_empty() {
                    return Ok(());
                }
                if self.path == from {
                    return from.existing(document).map(drop);
                }
                let value = from.remove(document, budget)?;
                self.path.add(document, value, budget)
            }
            Action::Copy => {
                let from = self.from.ok_or("this operation has no `from`")??;
                let value = from.existing(document)?;
                budget.copy(value)?;
                let value = value.clone();
                self.path.add(document, value, budget)
            }
            Action::Test => {
                let found = self.path.existing(document)?;
                let wanted = self.value.as_ref().ok_or("this operation has no `value`")?;
                if same(found, wanted) {
                    Ok(())
                } else {
                    Err(format!("the test of `{}` fails", self.path.shown()))
                }
            }
        }
    }
}

impl Pointer {
    fn parse(text: &str) -> Result<Self, String> {
        let mut after = text.split('~').skip(1);
        if after.any(|rest| !rest.starts_with(['0', '1'])) {
            let text = shorten(text);
            return Err(format!("`{text}`: `~` in a path is followed by 0 or 1"));
        }
        let mut parts = text.split('/');
        if parts.next() != Some("") {
            let text = shorten(text);
            return Err(format!("`{text}`: a path starts with `/`"));
        }
        Ok(Self { parts: parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect() })
    }

    fn shown(&self) -> String {
        let whole: String = self.parts.iter().take(40).map(|part| format!("/{}", shorten(part))).collect();
        shorten(&whole)
    }

    fn missing(&self) -> String {
        format!("there is no `{}`", self.shown())
    }

    /// The index that a part means in a list.
    fn index(part: &str) -> Result<usize, String> {
        let plain = part == "0" || (!part.starts_with('0') && !part.is_empty());
        let digits = plain && part.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| part.parse().unwrap_or(usize::MAX))
            .ok_or_else(|| format!("`{}` is no index of a list", shorten(part)))
    }

    /// `to_last`.
    fn step<'a>(&'a self, document: &'a mut Value) -> Result<Step<'a>, String> {
        let Some((last, way)) = self.parts.split_last() else { return Ok(Step::Root) };
        let mut at = document;
        for part in way {
            at = match &mut at.kind {
                Kind::Map(map) => map.get_mut(&Key::text(part.as_str())),
                Kind::List(items) => items.get_mut(Self::index(part)?),
                _ => None,
            }
            .ok_or_else(|| self.missing())?;
        }
        match &mut at.kind {
            Kind::Map(map) => Ok(Step::Member(map, last)),
            Kind::List(items) => {
                if last == "-" {
                    return Ok(Step::End(items));
                }
                Ok(Step::Item(items, Self::index(last)?))
            }
            _ => Err(format!("`{}` leads into a single value", self.shown())),
        }
    }

    fn existing<'a>(&self, document: &'a Value) -> Result<&'a Value, String> {
        let mut at = document;
        for part in &self.parts {
            at = match &at.kind {
                Kind::Map(map) => map.get(&Key::text(part.as_str())),
                Kind::List(items) => items.get(Self::index(part)?),
                _ => None,
            }
            .ok_or_else(|| self.missing())?;
        }
        Ok(at)
    }

    fn add(&self, document: &mut Value, value: Value, budget: &mut Budget) -> Result<(), String> {
        match self.step(document)? {
            Step::Root => {
                *document = value;
                return Ok(());
            }
            Step::Member(map, name) => {
                map.insert(Key { place: value.place, kind: Kind::Text(name.to_owned()) }, value);
            }
            Step::End(items) => items.push(value),
            Step::Item(items, index) if index <= items.len() => {
                budget.work(items.len() - index)?;
                items.insert(index, value);
            }
            Step::Item(items, _) => {
                return Err(format!(
                    "`{}` is beyond the list, which has {} items",
                    self.shown(),
                    items.len()
                ));
            }
        }
        Ok(())
    }

    fn remove(&self, document: &mut Value, budget: &mut Budget) -> Result<Value, String> {
        match self.step(document)? {
            Step::Root => Err("the whole configuration cannot be removed".to_owned()),
            Step::End(_) => Err("`-` names no item that there is".to_owned()),
            Step::Member(map, name) => {
                budget.work(map.len())?;
                map.shift_remove(&Key::text(name)).ok_or_else(|| self.missing())
            }
            Step::Item(items, index) if index < items.len() => {
                budget.work(items.len() - index)?;
                Ok(items.remove(index))
            }
            Step::Item(..) => Err(self.missing()),
        }
    }

    fn replace(&self, document: &mut Value, value: Value) -> Result<(), String> {
        let slot = match self.step(document)? {
            Step::Root => {
                *document = value;
                return Ok(());
            }
            Step::End(_) => return Err("`-` names no item that there is".to_owned()),
            Step::Member(map, name) => map.get_mut(&Key::text(name)),
            Step::Item(items, index) => items.get_mut(index),
        };
        *slot.ok_or_else(|| self.missing())? = value;
        Ok(())
    }
}
