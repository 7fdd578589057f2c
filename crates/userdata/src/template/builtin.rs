//! What the language brings along: operators, functions, and Python's methods.

use std::cmp::Ordering;
use std::rc::Rc;

use super::run::{Given, Outcome, Run};
use super::value::{DEPTH, Names, Value};
use crate::python;

pub(super) use super::filters::{FILTERS, TESTS, filter, test};

/// Functions.
pub(super) const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// The longest range (`jinja2/sandbox.py`, `MAX_RANGE`).
const RANGE: i64 = 100_000;

pub(super) fn function(run: &mut Run, name: &str, given: Given) -> Outcome<Value> {
    if name == "range" {
        let numbers: Option<Vec<i64>> = given.plain.iter().map(Value::int).collect();
        let (from, to, by) = match numbers.as_deref() {
            Some([to]) => (0, *to, 1),
            Some([from, to]) => (*from, *to, 1),
            Some([from, to, by]) if *by != 0 => (*from, *to, *by),
            _ => return run.stop("`range` wants one to three whole numbers"),
        };
        let mut items = Vec::new();
        let mut at = from;
        while (by > 0 && at < to) || (by < 0 && at > to) {
            if i64::try_from(items.len()).unwrap_or(RANGE) >= RANGE {
                return run.stop("a range of more than 100000 numbers");
            }
            items.push(Value::Int(at));
            let Some(next) = at.checked_add(by) else { break };
            at = next;
        }
        return run.list(items);
    }
    let mut names = Names::new();
    match given.plain.as_slice() {
        [] => {}
        [Value::Map(first)] => names.extend(first.borrow().clone()),
        _ => return run.stop(format!("`{name}` wants names and values")),
    }
    names.extend(given.named);
    run.charge(names.len().saturating_mul(64))?;
    for value in names.values() {
        run.admit(value, None)?;
    }
    let names = Rc::new(std::cell::RefCell::new(names));
    Ok(if name == "namespace" { Value::Namespace(names) } else { Value::Map(names) })
}

pub(super) fn order(run: &mut Run, one: &Value, other: &Value) -> Outcome<Ordering> {
    order_within(run, one, other, 0)
}

fn order_within(run: &mut Run, one: &Value, other: &Value, depth: usize) -> Outcome<Ordering> {
    for value in [one, other] {
        if value.is_missing() {
            return run.unknown(value);
        }
    }
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            return order_items(run, &one.borrow(), &other.borrow(), depth);
        }
        (Value::Tuple(one), Value::Tuple(other)) => return order_items(run, one, other, depth),
        _ => {}
    }
    let found = match (one, other) {
        (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
        (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
        _ => match (one.number(), other.number()) {
            (Some(one), Some(other)) => one.partial_cmp(&other),
            _ => None,
        },
    };
    match found {
        Some(found) => Ok(found),
        None => run.stop("two values that cannot be compared"),
    }
}

/// The first items that differ decide, then the lengths: `options.items()|sort` sorts pairs.
fn order_items(run: &mut Run, one: &[Value], other: &[Value], depth: usize) -> Outcome<Ordering> {
    if depth >= DEPTH {
        return run.stop("two values that cannot be compared");
    }
    for (one, other) in one.iter().zip(other) {
        if !run.equal(one, other)? {
            return order_within(run, one, other, depth + 1);
        }
    }
    Ok(one.len().cmp(&other.len()))
}

pub(super) fn contains(run: &mut Run, item: &Value, container: &Value) -> Outcome<bool> {
    match (container, item) {
        (Value::Text(text), Value::Text(item)) => Ok(text.contains(&**item)),
        (Value::Map(names), Value::Text(item)) => Ok(names.borrow().contains_key(&**item)),
        (Value::Map(_), _) => Ok(false),
        (Value::Text(_), _) => run.stop("`in` a text wants a text"),
        _ => {
            for found in run.items(container)? {
                if run.equal(&found, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

pub(super) fn compare(run: &mut Run, sign: &str, one: &Value, other: &Value) -> Outcome<bool> {
    Ok(match sign {
        "==" => run.equal(one, other)?,
        "!=" => !run.equal(one, other)?,
        "in" => contains(run, one, other)?,
        "not in" => !contains(run, one, other)?,
        "<" => order(run, one, other)?.is_lt(),
        "<=" => order(run, one, other)?.is_le(),
        ">" => order(run, one, other)?.is_gt(),
        _ => order(run, one, other)?.is_ge(),
    })
}

pub(super) fn operation(run: &mut Run, sign: &str, one: &Value, other: &Value) -> Outcome<Value> {
    if sign == "-" && matches!(one, Value::Missing(_)) {
        return match (one, other) {
            (Value::Missing(one), Value::Missing(other)) => run.stop(format!(
                "`{one}-{other}` is a subtraction of names that are not known; `{one}_{other}` may be meant"
            )),
            _ => run.unknown(one),
        };
    }
    for value in [one, other] {
        if value.is_missing() && !(sign == "%" && matches!(one, Value::Text(_))) {
            return run.unknown(value);
        }
    }
    match (sign, one, other) {
        ("+", Value::Text(one), Value::Text(other)) => {
            run.charge(one.len().saturating_add(other.len()))?;
            return Ok(Value::text(format!("{one}{other}")));
        }
        ("+", Value::List(one), Value::List(other)) => {
            let items = one.borrow().iter().chain(other.borrow().iter()).cloned().collect();
            return run.list(items);
        }
        ("+", Value::Tuple(one), Value::Tuple(other)) => {
            return run.tuple(one.iter().chain(other.iter()).cloned().collect());
        }
        ("*", Value::Text(text), count) | ("*", count, Value::Text(text)) => {
            let Some(count) = count.int() else { return run.stop("`*` wants a text and a whole number") };
            let count = usize::try_from(count).unwrap_or_default();
            run.charge(text.len().saturating_mul(count))?;
            return Ok(Value::text(text.repeat(count)));
        }
        ("*", Value::List(items), count) | ("*", count, Value::List(items)) => {
            let Some(count) = count.int() else { return run.stop("`*` wants a list and a whole number") };
            let count = usize::try_from(count).unwrap_or_default();
            let length = items.borrow().len();
            run.charge(length.saturating_mul(count).saturating_mul(size_of::<Value>()))?;
            let items = items.borrow();
            let repeated = if length == 0 {
                Vec::new()
            } else {
                items.iter().cycle().take(length * count).cloned().collect()
            };
            return Ok(Value::list(repeated));
        }
        ("%", Value::Text(text), other) => {
            let items = match other {
                Value::Tuple(items) => items.to_vec(),
                other => vec![other.clone()],
            };
            return percent(run, text, &items);
        }
        _ => {}
    }
    if let (Some(one), Some(other)) = (one.int(), other.int())
        && sign != "/"
    {
        let exact = match sign {
            "+" => one.checked_add(other),
            "-" => one.checked_sub(other),
            "*" => one.checked_mul(other),
            "//" | "%" if other == 0 => return run.stop("a division by zero"),
            "//" => one
                .checked_div_euclid(other)
                .map(|_| one.div_euclid(other) - i64::from(other < 0 && one.rem_euclid(other) != 0)),
            "%" => one
                .checked_rem(other)
                .map(|rest| if rest != 0 && (rest < 0) != (other < 0) { rest + other } else { rest }),
            _ => match u32::try_from(other) {
                Ok(power) => one.checked_pow(power),
                #[allow(clippy::cast_precision_loss)]
                Err(_) => return Ok(Value::Float((one as f64).powf(other as f64))),
            },
        };
        return match exact {
            Some(value) => Ok(Value::Int(value)),
            None => run.stop("a number that is too large"),
        };
    }
    let (Some(one), Some(other)) = (one.number(), other.number()) else {
        return run.stop(format!("`{sign}` between values that it does not take"));
    };
    if matches!(sign, "/" | "//" | "%") && other == 0.0 {
        return run.stop("a division by zero");
    }
    Ok(Value::Float(match sign {
        "+" => one + other,
        "-" => one - other,
        "*" => one * other,
        "/" => one / other,
        "//" => (one / other).floor(),
        "%" => one - other * (one / other).floor(),
        _ => one.powf(other),
    }))
}

/// `'%s' % items`, as far as `%s`, `%d`, `%r` and `%%` go.
pub(super) fn percent(run: &mut Run, text: &str, items: &[Value]) -> Outcome<Value> {
    let mut out = String::new();
    let mut items = items.iter();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let kind = characters.next();
        if kind == Some('%') {
            out.push('%');
            continue;
        }
        let Some(item) = items.next() else { return run.stop("more `%` than values") };
        match kind {
            Some('s') => out.push_str(&run.print(item)?),
            #[allow(clippy::cast_possible_truncation)]
            Some('d' | 'i') => match (item.int(), item.number()) {
                (Some(number), _) => out.push_str(&number.to_string()),
                (None, Some(number)) => out.push_str(&(number as i64).to_string()),
                _ => return run.stop("`%d` wants a number"),
            },
            Some('r') => {
                let quoted = Value::Tuple(Rc::new(vec![item.clone()]));
                let text = run.print(&quoted)?;
                out.push_str(
                    text.strip_prefix('(').and_then(|text| text.strip_suffix(",)")).unwrap_or(&text),
                );
            }
            _ => return run.stop("only %s, %d and %r are formatted here"),
        }
        run.charge(0)?;
    }
    if items.next().is_some() {
        return run.stop("more values than `%`");
    }
    run.text(out)
}

/// `value[from:to:by]`.
pub(super) fn slice(
    run: &mut Run,
    value: &Value,
    from: Option<i64>,
    to: Option<i64>,
    by: Option<i64>,
) -> Outcome<Value> {
    if value.is_missing() {
        return run.unknown(value);
    }
    let items = run.items(value)?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let by = by.unwrap_or(1);
    if by == 0 {
        return run.stop("a slice by steps of zero");
    }
    let (least, most) = if by > 0 { (0, length) } else { (-1, length - 1) };
    let place = |at: Option<i64>, default: i64| match at {
        None => default,
        Some(at) => (if at < 0 { at.saturating_add(length) } else { at }).clamp(least, most),
    };
    let (mut at, end) =
        if by > 0 { (place(from, 0), place(to, length)) } else { (place(from, length - 1), place(to, -1)) };
    let mut kept = Vec::new();
    while (by > 0 && at < end) || (by < 0 && at > end) {
        kept.extend(usize::try_from(at).ok().and_then(|at| items.get(at).cloned()));
        at = at.saturating_add(by);
    }
    match value {
        Value::Text(_) => {
            let mut text = String::new();
            for item in &kept {
                if let Value::Text(item) = item {
                    text.push_str(item);
                }
            }
            run.text(text)
        }
        Value::Tuple(_) => Ok(Value::Tuple(Rc::new(kept))),
        _ => run.list(kept),
    }
}

pub(super) fn method(run: &mut Run, value: &Value, name: &str, given: &Given) -> Outcome<Value> {
    match value {
        Value::Text(text) => of_text(run, text, name, given),
        Value::Map(names) => {
            let found = match (name, given.plain.as_slice()) {
                ("get", [key, rest @ ..]) => {
                    let key = run.print(key)?;
                    let found = names.borrow().get(&key).cloned();
                    return Ok(found.or_else(|| rest.first().cloned()).unwrap_or(Value::None));
                }
                ("keys", []) => names.borrow().keys().map(|key| Value::text(key.as_str())).collect(),
                ("values", []) => names.borrow().values().cloned().collect(),
                ("items", []) => pairs(&names.borrow()),
                ("update", [Value::Map(more)]) => {
                    let more = more.borrow().clone();
                    run.charge(more.len().saturating_mul(64))?;
                    for item in more.values() {
                        run.admit(item, value.address())?;
                    }
                    names.borrow_mut().extend(more);
                    return Ok(Value::None);
                }
                ("cycle", [_, ..]) if names.borrow().contains_key("revindex0") => {
                    let index = names.borrow().get("index0").and_then(Value::int).unwrap_or_default();
                    let index = usize::try_from(index).unwrap_or_default() % given.plain.len();
                    return Ok(given.plain.get(index).cloned().unwrap_or(Value::None));
                }
                _ => return run.stop(format!("a mapping has no method `{name}`")),
            };
            run.list(found)
        }
        Value::List(items) => of_list(run, items, name, given),
        _ => run.stop(format!("there is no method `{name}` here")),
    }
}

/// Names and values as pairs.
pub(super) fn pairs(names: &Names) -> Vec<Value> {
    let pair = |(name, value): (&String, &Value)| {
        Value::Tuple(Rc::new(vec![Value::text(name.as_str()), value.clone()]))
    };
    names.iter().map(pair).collect()
}

fn of_list(
    run: &mut Run,
    items: &Rc<std::cell::RefCell<Vec<Value>>>,
    name: &str,
    given: &Given,
) -> Outcome<Value> {
    let holder = Value::List(Rc::clone(items)).address();
    match (name, given.plain.as_slice()) {
        ("append", [item]) => {
            run.charge(size_of::<Value>())?;
            run.admit(item, holder)?;
            items.borrow_mut().push(item.clone());
        }
        ("extend", [more]) => {
            let more = run.items(more)?;
            for item in &more {
                run.admit(item, holder)?;
            }
            items.borrow_mut().extend(more);
        }
        ("insert", [at, item]) => {
            run.charge(size_of::<Value>())?;
            run.admit(item, holder)?;
            let mut items = items.borrow_mut();
            let at = usize::try_from(at.int().unwrap_or_default()).unwrap_or_default().min(items.len());
            items.insert(at, item.clone());
        }
        ("pop", []) => {
            let last = items.borrow_mut().pop();
            return last.map_or_else(|| run.stop("`pop` of an empty list"), Ok);
        }
        ("reverse", []) => items.borrow_mut().reverse(),
        ("count" | "index", [item]) => {
            let mut count = 0;
            for (at, found) in run.items(&Value::List(Rc::clone(items)))?.iter().enumerate() {
                if run.equal(found, item)? {
                    if name == "index" {
                        return Ok(Value::Int(i64::try_from(at).unwrap_or(i64::MAX)));
                    }
                    count += 1;
                }
            }
            return if name == "index" {
                run.stop("`index` of an item that is not there")
            } else {
                Ok(Value::Int(count))
            };
        }
        _ => return run.stop(format!("a list has no method `{name}`")),
    }
    Ok(Value::None)
}

fn of_text(run: &mut Run, text: &Rc<str>, name: &str, given: &Given) -> Outcome<Value> {
    let argument = |index: usize| match given.plain.get(index) {
        Some(Value::Text(text)) => Some(Rc::clone(text)),
        _ => None,
    };
    let chars = |text: &str, set: Option<Rc<str>>| -> Box<dyn Fn(char) -> bool> {
        let _ = text;
        match set {
            Some(set) => Box::new(move |character| set.contains(character)),
            None => Box::new(python::is_space),
        }
    };
    let index = |at: Option<usize>| {
        at.map_or(-1, |at| {
            i64::try_from(text.get(..at).unwrap_or_default().chars().count()).unwrap_or(i64::MAX)
        })
    };
    let all = |check: fn(char) -> bool| Value::Bool(!text.is_empty() && text.chars().all(check));
    let changed = match (name, argument(0)) {
        ("upper", _) => text.to_uppercase(),
        ("lower", _) => text.to_lowercase(),
        ("title", _) => super::filters::title(text),
        ("capitalize", _) => super::filters::capitalize(text),
        ("strip", set) => text.trim_matches(&*chars(text, set)).to_owned(),
        ("lstrip", set) => text.trim_start_matches(&*chars(text, set)).to_owned(),
        ("rstrip", set) => text.trim_end_matches(&*chars(text, set)).to_owned(),
        ("removeprefix", Some(start)) => text.strip_prefix(&*start).unwrap_or(text).to_owned(),
        ("removesuffix", Some(end)) => text.strip_suffix(&*end).unwrap_or(text).to_owned(),
        ("replace", Some(old)) => {
            let Some(new) = argument(1) else { return run.stop("`replace` wants two texts") };
            let count = given.plain.get(2).and_then(Value::int).and_then(|count| usize::try_from(count).ok());
            return replace(run, text, &old, &new, count);
        }
        ("zfill", None) => {
            let width = given.plain.first().and_then(Value::int).unwrap_or_default();
            let zeros = usize::try_from(width).unwrap_or_default().saturating_sub(text.chars().count());
            run.charge(zeros)?;
            let digits = text.trim_start_matches(['+', '-']);
            format!("{}{}{digits}", text.strip_suffix(digits).unwrap_or_default(), "0".repeat(zeros))
        }
        ("join", _) => {
            let items = match given.plain.first() {
                Some(items) => run.items(items)?,
                None => return run.stop("`join` wants a list"),
            };
            let mut out = String::new();
            for (at, item) in items.iter().enumerate() {
                let Value::Text(item) = item else { return run.stop("`join` wants texts") };
                run.charge(item.len() + text.len())?;
                if at > 0 {
                    out.push_str(text);
                }
                out.push_str(item);
            }
            out
        }
        ("startswith", Some(start)) => return Ok(Value::Bool(text.starts_with(&*start))),
        ("endswith", Some(end)) => return Ok(Value::Bool(text.ends_with(&*end))),
        ("find", Some(part)) => return Ok(Value::Int(index(text.find(&*part)))),
        ("rfind", Some(part)) => return Ok(Value::Int(index(text.rfind(&*part)))),
        ("index" | "rindex", Some(part)) => {
            let at = if name == "index" { text.find(&*part) } else { text.rfind(&*part) };
            return if at.is_some() {
                Ok(Value::Int(index(at)))
            } else {
                run.stop("`index` of a text that is not there")
            };
        }
        ("count", Some(part)) => {
            return Ok(Value::Int(i64::try_from(text.matches(&*part).count()).unwrap_or(i64::MAX)));
        }
        ("isdigit" | "isnumeric" | "isdecimal", _) => return Ok(all(char::is_numeric)),
        ("isalpha", _) => return Ok(all(char::is_alphabetic)),
        ("isalnum", _) => return Ok(all(char::is_alphanumeric)),
        ("isspace", _) => return Ok(all(python::is_space)),
        ("islower", _) => {
            return Ok(Value::Bool(**text == *text.to_lowercase() && **text != *text.to_uppercase()));
        }
        ("isupper", _) => {
            return Ok(Value::Bool(**text == *text.to_uppercase() && **text != *text.to_lowercase()));
        }
        ("splitlines", _) => {
            let lines: Vec<Value> = python::lines(text).map(|(_, line)| Value::text(line)).collect();
            run.charge(text.len())?;
            return run.list(lines);
        }
        ("partition" | "rpartition", Some(part)) => {
            run.charge(text.len())?;
            let found = if name == "partition" { text.split_once(&*part) } else { text.rsplit_once(&*part) };
            let items = match found {
                Some((before, after)) => [before, &*part, after],
                None if name == "partition" => [&**text, "", ""],
                None => ["", "", &**text],
            };
            return Ok(Value::Tuple(Rc::new(items.into_iter().map(Value::text).collect())));
        }
        ("split" | "rsplit", separator) => return split(run, text, name == "rsplit", separator, given),
        ("format", _) => return format(run, text, given),
        _ => return run.stop(format!("a text has no method `{name}`, as far as templates go here")),
    };
    run.text(changed)
}

/// `text.replace(old, new)`, where the result is counted before it is made.
pub(super) fn replace(
    run: &mut Run,
    text: &str,
    old: &str,
    new: &str,
    count: Option<usize>,
) -> Outcome<Value> {
    let found = text.matches(old).count().min(count.unwrap_or(usize::MAX));
    run.charge(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::text(text.replacen(old, new, found)))
}

fn split(
    run: &mut Run,
    text: &str,
    right: bool,
    separator: Option<Rc<str>>,
    given: &Given,
) -> Outcome<Value> {
    let most = given.get(1, "maxsplit").and_then(Value::int).and_then(|most| usize::try_from(most).ok());
    let most = most.map_or(usize::MAX, |most| most.saturating_add(1));
    let mut items: Vec<&str> = match (&separator, right) {
        (Some(separator), _) if separator.is_empty() => return run.stop("`split` at an empty text"),
        (Some(separator), false) => text.splitn(most, &**separator).collect(),
        (Some(separator), true) => text.rsplitn(most, &**separator).collect(),
        (None, false) if most < usize::MAX => {
            let mut items = Vec::new();
            let mut rest = text.trim_start_matches(python::is_space);
            while !rest.is_empty() {
                let cut = if items.len() + 1 < most { rest.split_once(python::is_space) } else { None };
                let (item, after) = cut.unwrap_or((rest, ""));
                items.push(item);
                rest = after.trim_start_matches(python::is_space);
            }
            items
        }
        (None, _) => text.split(python::is_space).filter(|item| !item.is_empty()).collect(),
    };
    if right && separator.is_some() {
        items.reverse();
    }
    run.charge(text.len())?;
    run.list(items.into_iter().map(Value::text).collect())
}

/// `'{} {0} {name}'.format(…)`, without what may stand behind a name.
fn format(run: &mut Run, text: &str, given: &Given) -> Outcome<Value> {
    let mut out = String::new();
    let mut rest = text;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(rest.get(..at).unwrap_or_default());
        let tail = rest.get(at..).unwrap_or_default();
        if let Some((sign, after)) =
            ["{{", "}}"].iter().find_map(|sign| Some((sign, tail.strip_prefix(sign)?)))
        {
            out.push_str(sign.get(..1).unwrap_or_default());
            rest = after;
            continue;
        }
        let Some((name, after)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) else {
            return run.stop("a brace in a format that is not closed");
        };
        let value = if name.is_empty() {
            next += 1;
            given.plain.get(next - 1)
        } else {
            name.parse()
                .ok()
                .and_then(|index: usize| given.plain.get(index))
                .or_else(|| given.get(usize::MAX, name))
        };
        let Some(value) = value.cloned() else { return run.stop("a format names a value that is not given") };
        out.push_str(&run.print(&value)?);
        rest = after;
    }
    out.push_str(rest);
    run.text(out)
}
