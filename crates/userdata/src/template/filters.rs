//! Filters and tests (`jinja2/filters.py`, `jinja2/tests.py`), those of use in user-data.

use std::cmp::Ordering;
use std::rc::Rc;

use super::builtin::{compare, contains, order, pairs, percent, replace};
use super::run::{Given, Outcome, Run};
use super::value::{Names, Value};
use crate::python;

/// The filters that there are.
pub(super) const FILTERS: [&str; 44] = [
    "abs",
    "attr",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
    "batch",
];

/// The tests that there are.
pub(super) const TESTS: [&str; 34] = [
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
    "escaped",
    "notequalto",
];

pub(super) fn test(run: &mut Run, name: &str, value: &Value, given: &Given) -> Outcome<bool> {
    let argument = given.plain.first();
    let number = |run: &mut Run| match value.int() {
        Some(number) => Ok(number),
        None => run.stop(format!("the test `{name}` wants a whole number")),
    };
    Ok(match (name, argument) {
        ("defined", _) => !value.is_missing(),
        ("undefined", _) => value.is_missing(),
        ("none", _) => matches!(value, Value::None),
        ("boolean", _) => matches!(value, Value::Bool(_)),
        ("true", _) => matches!(value, Value::Bool(true)),
        ("false", _) => matches!(value, Value::Bool(false)),
        ("integer", _) => matches!(value, Value::Int(_)),
        ("float", _) => matches!(value, Value::Float(_)),
        ("number", _) => value.number().is_some(),
        ("string", _) => matches!(value, Value::Text(_)),
        ("mapping", _) => matches!(value, Value::Map(_)),
        ("escaped", _) => false,
        ("callable", _) => matches!(value, Value::Macro(_) | Value::Function(_)),
        ("iterable", _) => !matches!(value, Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_)),
        ("sequence", _) => {
            matches!(
                value,
                Value::Text(_) | Value::List(_) | Value::Tuple(_) | Value::Map(_) | Value::Missing(_)
            )
        }
        ("even", _) => number(run)? % 2 == 0,
        ("odd", _) => number(run)? % 2 != 0,
        ("lower", _) => {
            let text = run.print(value)?;
            text == text.to_lowercase() && text != text.to_uppercase()
        }
        ("upper", _) => {
            let text = run.print(value)?;
            text == text.to_uppercase() && text != text.to_lowercase()
        }
        ("filter", _) => matches!(value, Value::Text(name) if FILTERS.contains(&&**name)),
        ("test", _) => matches!(value, Value::Text(name) if TESTS.contains(&&**name)),
        ("divisibleby", Some(by)) => match by.int() {
            Some(by) if by != 0 => number(run)?.checked_rem(by) == Some(0),
            _ => return run.stop("`divisibleby` wants a whole number"),
        },
        ("in", Some(container)) => contains(run, value, container)?,
        ("sameas", Some(other)) => match (value, other) {
            (Value::List(one), Value::List(other)) => Rc::ptr_eq(one, other),
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Int(one), Value::Int(other)) => one == other,
            (Value::Text(one), Value::Text(other)) => one == other,
            (Value::None, Value::None) => true,
            _ => false,
        },
        ("eq" | "equalto", Some(other)) => compare(run, "==", value, other)?,
        ("ne" | "notequalto", Some(other)) => compare(run, "!=", value, other)?,
        ("lt" | "lessthan", Some(other)) => compare(run, "<", value, other)?,
        ("le", Some(other)) => compare(run, "<=", value, other)?,
        ("gt" | "greaterthan", Some(other)) => compare(run, ">", value, other)?,
        ("ge", Some(other)) => compare(run, ">=", value, other)?,
        _ => return run.stop(format!("the test `{name}` wants an argument")),
    })
}

pub(super) fn filter(run: &mut Run, name: &str, value: &Value, given: &Given) -> Outcome<Value> {
    match name {
        "default" | "d" => {
            let other = given.get(0, "default_value").cloned().unwrap_or_else(|| Value::text(""));
            let also_false = given.get(1, "boolean").is_some_and(Value::is_true);
            Ok(if value.is_missing() || (also_false && !value.is_true()) { other } else { value.clone() })
        }
        "upper" | "lower" | "title" | "capitalize" | "trim" | "string" | "safe" | "escape" | "e"
        | "urlencode" | "wordcount" | "indent" | "center" | "replace" | "format" | "truncate" => {
            text_filter(run, name, value, given)
        }
        "abs" | "int" | "float" | "round" => number_filter(run, name, value, given),
        "tojson" => {
            let mut out = String::new();
            super::to_json::write(run, value, 0, &mut out)?;
            run.text(out)
        }
        "length" | "count" => {
            let length = match value {
                Value::Text(text) => text.chars().count(),
                Value::List(items) => items.borrow().len(),
                Value::Tuple(items) => items.len(),
                Value::Map(names) => names.borrow().len(),
                Value::Missing(_) | Value::Nothing => 0,
                _ => return run.stop("this value has no length"),
            };
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        "attr" => match given.plain.first() {
            Some(Value::Text(_)) if matches!(value, Value::Map(_)) => Ok(Value::Missing("attr".to_owned())),
            Some(Value::Text(name)) => run.attribute(value, name),
            _ => run.stop("`attr` wants a name"),
        },
        "items" | "dictsort" => match value {
            Value::Map(names) => {
                let mut names: Vec<_> = names.borrow().clone().into_iter().collect();
                if name == "dictsort" {
                    names.sort_by_key(|(name, _)| name.to_lowercase());
                }
                let names: Names = names.into_iter().collect();
                run.list(pairs(&names))
            }
            value if value.is_missing() && name == "items" => run.list(Vec::new()),
            _ => run.stop(format!("`{name}` wants a mapping")),
        },
        _ => list_filter(run, name, value, given),
    }
}

fn text_filter(run: &mut Run, name: &str, value: &Value, given: &Given) -> Outcome<Value> {
    let text = run.print(value)?;
    let size = |index: usize, name: &str, default: usize| {
        given
            .get(index, name)
            .and_then(Value::int)
            .map_or(default, |size| usize::try_from(size).unwrap_or_default())
    };
    let changed = match name {
        "upper" => text.to_uppercase(),
        "lower" => text.to_lowercase(),
        "title" => title(&text),
        "capitalize" => capitalize(&text),
        "trim" => match given.get(0, "chars") {
            Some(Value::Text(set)) => text.trim_matches(|character| set.contains(character)).to_owned(),
            _ => python::strip(&text).to_owned(),
        },
        "escape" | "e" => {
            let mut out = text;
            for (sign, name) in
                [("&", "&amp;"), (">", "&gt;"), ("<", "&lt;"), ("'", "&#39;"), ("\"", "&#34;")]
            {
                out = out.replace(sign, name);
                run.charge(out.len())?;
            }
            out
        }
        "urlencode" => {
            run.charge(text.len().saturating_mul(3))?;
            let mut out = String::new();
            for byte in text.bytes() {
                match byte {
                    b'/' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
                    byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                    byte => out.push_str(&format!("%{byte:02X}")),
                }
            }
            out
        }
        "wordcount" => {
            let words = text.split(|character: char| !(character.is_alphanumeric() || character == '_'));
            let count = words.filter(|word| !word.is_empty()).count();
            return Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        }
        "indent" => {
            let blanks = match given.get(0, "width") {
                Some(Value::Text(text)) => text.to_string(),
                _ => {
                    let width = size(0, "width", 4);
                    run.charge(width)?;
                    " ".repeat(width)
                }
            };
            let first = given.get(1, "first").is_some_and(Value::is_true);
            let empty = given.get(2, "blank").is_some_and(Value::is_true);
            let mut out = String::new();
            for (index, line) in text.split('\n').enumerate() {
                run.charge(blanks.len())?;
                if index > 0 {
                    out.push('\n');
                }
                if (index > 0 || first) && (empty || !line.is_empty()) {
                    out.push_str(&blanks);
                }
                out.push_str(line);
            }
            out
        }
        "center" => {
            let width = size(0, "width", 80);
            run.charge(width)?;
            let missing = width.saturating_sub(text.chars().count());
            // The odd blank goes where Python puts it.
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
        }
        "truncate" => {
            let length = size(0, "length", 255);
            if text.chars().count() <= length.saturating_add(5) {
                text
            } else {
                let kept: String = text.chars().take(length.saturating_sub(3)).collect();
                let whole = given.get(1, "killwords").is_some_and(Value::is_true);
                let kept = if whole {
                    kept.as_str()
                } else {
                    kept.rsplit_once(' ').map_or(kept.as_str(), |(kept, _)| kept)
                };
                format!("{kept}...")
            }
        }
        "replace" => {
            let (Some(old), Some(new)) = (given.get(0, "old"), given.get(1, "new")) else {
                return run.stop("`replace` wants two texts");
            };
            let (old, new) = (run.print(old)?, run.print(new)?);
            let count =
                given.get(2, "count").and_then(Value::int).and_then(|count| usize::try_from(count).ok());
            return replace(run, &text, &old, &new, count);
        }
        "format" => return percent(run, &text, &given.plain),
        _ => text,
    };
    run.text(changed)
}

/// `str.title()` as Jinja has it: words are parted by blanks, hyphens and brackets.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for character in text.chars() {
        if start {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        start = python::is_space(character) || "-([{<".contains(character);
    }
    out
}

pub(super) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + &characters.as_str().to_lowercase()
}

fn number_filter(run: &mut Run, name: &str, value: &Value, given: &Given) -> Outcome<Value> {
    if value.is_missing() {
        return run.unknown(value);
    }
    let text = match value {
        Value::Text(text) => Some(python::strip(text).replace('_', "")),
        _ => None,
    };
    let read = text.as_deref().and_then(|text| text.parse::<f64>().ok()).or_else(|| value.number());
    match name {
        "int" => {
            let base = given
                .get(1, "base")
                .and_then(Value::int)
                .and_then(|base| u32::try_from(base).ok())
                .unwrap_or(10);
            let based = text.as_deref().filter(|_| (2..=36).contains(&base)).and_then(|text| {
                let digits = match base {
                    16 => text.trim_start_matches("0x"),
                    8 => text.trim_start_matches("0o"),
                    2 => text.trim_start_matches("0b"),
                    _ => text,
                };
                i64::from_str_radix(digits, base).ok()
            });
            #[allow(clippy::cast_possible_truncation)]
            let number = based
                .or_else(|| value.int())
                .or_else(|| read.filter(|read| read.is_finite()).map(|read| read as i64));
            Ok(number.map(Value::Int).or_else(|| given.get(0, "default").cloned()).unwrap_or(Value::Int(0)))
        }
        "float" => Ok(read
            .map(Value::Float)
            .or_else(|| given.get(0, "default").cloned())
            .unwrap_or(Value::Float(0.0))),
        "abs" => match value {
            Value::Float(value) => Ok(Value::Float(value.abs())),
            _ => match value.int().and_then(i64::checked_abs) {
                Some(value) => Ok(Value::Int(value)),
                None => run.stop("`abs` wants a number"),
            },
        },
        _ => {
            let Some(number) = value.number() else { return run.stop("`round` wants a number") };
            let digits = given.get(0, "precision").and_then(Value::int).unwrap_or_default().clamp(-300, 300);
            let factor = 10_f64.powi(i32::try_from(digits).unwrap_or_default());
            let scaled = number * factor;
            let rounded = match given.get(1, "method") {
                Some(Value::Text(method)) if &**method == "ceil" => scaled.ceil(),
                Some(Value::Text(method)) if &**method == "floor" => scaled.floor(),
                // As Python does: the decimal digits of the number decide, not what a multiplication makes
                // of them.
                _ => match usize::try_from(digits) {
                    Ok(digits) => {
                        return Ok(Value::Float(format!("{number:.digits$}").parse().unwrap_or(number)));
                    }
                    Err(_) => scaled.round_ties_even(),
                },
            };
            Ok(Value::Float(rounded / factor))
        }
    }
}

fn list_filter(run: &mut Run, name: &str, value: &Value, given: &Given) -> Outcome<Value> {
    let mut items = run.items(value)?;
    let attribute = |run: &mut Run, item: &Value, path: &str| -> Outcome<Value> {
        let mut item = item.clone();
        for piece in path.split('.') {
            item = match piece.parse::<i64>() {
                Ok(index) => run.item(&item, &Value::Int(index))?,
                Err(_) => run.item(&item, &Value::text(piece))?,
            };
        }
        Ok(item)
    };
    let by = match given.named.iter().find(|(name, _)| name == "attribute") {
        Some((_, Value::Text(path))) => Some(path.to_string()),
        Some((_, Value::Int(index))) => Some(index.to_string()),
        _ => None,
    };
    match name {
        "list" => run.list(items),
        "first" => Ok(items.into_iter().next().unwrap_or_else(|| Value::Missing("None".to_owned()))),
        "last" => Ok(items.pop().unwrap_or_else(|| Value::Missing("None".to_owned()))),
        "reverse" => {
            items.reverse();
            if let Value::Text(text) = value {
                run.text(text.chars().rev().collect())
            } else {
                run.list(items)
            }
        }
        "join" => {
            let between = match given.get(0, "d") {
                Some(between) => run.print(between)?,
                None => String::new(),
            };
            let mut out = String::new();
            for (index, item) in items.iter().enumerate() {
                let item = match &by {
                    Some(path) => attribute(run, item, path)?,
                    None => item.clone(),
                };
                let text = run.print(&item)?;
                run.charge(between.len())?;
                if index > 0 {
                    out.push_str(&between);
                }
                out.push_str(&text);
            }
            run.text(out)
        }
        "sum" => {
            let mut sum = given.get(1, "start").cloned().unwrap_or(Value::Int(0));
            for item in &items {
                let item = match &by {
                    Some(path) => attribute(run, item, path)?,
                    None => item.clone(),
                };
                sum = super::builtin::operation(run, "+", &sum, &item)?;
            }
            Ok(sum)
        }
        "min" | "max" | "sort" | "unique" => {
            let exact = given.get(usize::from(name == "sort"), "case_sensitive").is_some_and(Value::is_true);
            let mut keyed = Vec::new();
            for item in items {
                let key = match &by {
                    Some(path) => attribute(run, &item, path)?,
                    None => item.clone(),
                };
                let key = match key {
                    Value::Text(text) if !exact => Value::text(text.to_lowercase()),
                    key => key,
                };
                run.charge(2 * size_of::<Value>())?;
                keyed.push((key, item));
            }
            let reverse = name == "sort" && given.get(0, "reverse").is_some_and(Value::is_true);
            arranged(run, name, keyed, reverse)
        }
        "batch" => {
            let size = given
                .plain
                .first()
                .and_then(Value::int)
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or_default();
            if size == 0 {
                return run.stop("`batch` wants a number");
            }
            let batches = items.chunks(size).map(|items| Value::list(items.to_vec())).collect();
            run.list(batches)
        }
        "map" => {
            let mut out = Vec::new();
            let inner = match given.plain.first() {
                Some(Value::Text(name)) if FILTERS.contains(&&**name) => Some(name.to_string()),
                Some(_) => return run.stop("`map` names a filter that is not known"),
                None if by.is_some() => None,
                None => return run.stop("`map` wants the name of a filter, or an attribute"),
            };
            let rest =
                Given { plain: given.plain.iter().skip(1).cloned().collect(), named: given.named.clone() };
            for item in &items {
                out.push(match (&inner, &by) {
                    (Some(name), _) if name != "map" => filter(run, name, item, &rest)?,
                    (None, Some(path)) => {
                        let found = attribute(run, item, path)?;
                        match given.named.iter().find(|(name, _)| name == "default") {
                            Some((_, default)) if found.is_missing() => default.clone(),
                            _ => found,
                        }
                    }
                    _ => return run.stop("`map` within `map`"),
                });
            }
            run.list(out)
        }
        _ => {
            // select, reject, selectattr, rejectattr.
            let of_attribute = name.ends_with("attr");
            let mut arguments = given.plain.iter();
            let path = match of_attribute.then(|| arguments.next()).flatten() {
                Some(path) => Some(run.print(path)?),
                None if of_attribute => return run.stop(format!("`{name}` wants an attribute")),
                None => None,
            };
            let check = match arguments.next() {
                Some(Value::Text(check)) if TESTS.contains(&&**check) => Some(check.to_string()),
                Some(_) => return run.stop(format!("`{name}` names a test that is not known")),
                None => None,
            };
            let rest = Given { plain: arguments.cloned().collect(), named: Vec::new() };
            let mut kept = Vec::new();
            for item in items {
                let looked = match &path {
                    Some(path) => attribute(run, &item, path)?,
                    None => item.clone(),
                };
                let passes = match &check {
                    Some(check) => test(run, check, &looked, &rest)?,
                    None => looked.is_true(),
                };
                if passes == name.starts_with("select") {
                    kept.push(item);
                }
            }
            run.list(kept)
        }
    }
}

/// Items by their keys.
fn arranged(run: &mut Run, name: &str, keyed: Vec<(Value, Value)>, reverse: bool) -> Outcome<Value> {
    match name {
        "unique" => {
            let mut seen: Vec<Value> = Vec::new();
            let mut kept = Vec::new();
            for (key, item) in keyed {
                let mut known = false;
                for earlier in &seen {
                    known = known || run.equal(earlier, &key)?;
                }
                if !known {
                    seen.push(key);
                    kept.push(item);
                }
            }
            run.list(kept)
        }
        "sort" => {
            let mut keyed = keyed;
            let mut trouble = None;
            keyed.sort_by(|(one, _), (other, _)| {
                let found = order(run, one, other).unwrap_or_else(|stop| {
                    trouble.get_or_insert(stop);
                    Ordering::Equal
                });
                if reverse { found.reverse() } else { found }
            });
            match trouble {
                Some(stop) => Err(stop),
                None => run.list(keyed.into_iter().map(|(_, item)| item).collect()),
            }
        }
        _ => {
            let mut best: Option<(Value, Value)> = None;
            for (key, item) in keyed {
                let better = match &best {
                    None => true,
                    Some((known, _)) => {
                        let found = order(run, &key, known)?;
                        if name == "min" { found.is_lt() } else { found.is_gt() }
                    }
                };
                if better {
                    best = Some((key, item));
                }
            }
            Ok(best.map_or_else(|| Value::Missing("None".to_owned()), |(_, item)| item))
        }
    }
}
