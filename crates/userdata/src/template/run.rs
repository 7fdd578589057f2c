//! Rendering: every step and every byte is counted, so that no template takes more than its share.

use std::collections::HashMap;
use std::rc::Rc;

use super::builtin;
use super::tree::{Arguments, Expr, ExprKind, Filter, Macro, Node, Target};
use super::value::{DEPTH, Names, Value};
use crate::limits;

/// Steps that a template may take.
pub const STEPS: u64 = 200_000;

/// Bytes of all texts and lists that it may make, all together.
const BYTES: usize = limits::UNPACKED;

/// Calls within calls, expressions counted.
const LEVELS: usize = 120;

/// Why it does not go on.
pub(super) struct Stop {
    pub(super) message: String,
    pub(super) line: usize,
    pub(super) hint: Option<String>,
}

pub(super) type Outcome<T> = Result<T, Stop>;

pub(super) struct Run {
    root: Names,
    scopes: Vec<HashMap<String, Value>>,
    out: String,
    pub(super) steps: u64,
    bytes: usize,
    levels: usize,
    pub(super) grafted: usize,
    line: usize,
}

/// Arguments, evaluated.
#[derive(Default)]
pub(super) struct Given {
    pub(super) plain: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl Given {
    /// The argument at `index`, or of the name `name`.
    pub(super) fn get(&self, index: usize, name: &str) -> Option<&Value> {
        self.plain
            .get(index)
            .or_else(|| self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value))
    }
}

impl Run {
    pub(super) fn new(root: Names) -> Self {
        Self {
            root,
            scopes: vec![HashMap::new()],
            out: String::new(),
            steps: 0,
            bytes: 0,
            levels: 0,
            grafted: 0,
            line: 1,
        }
    }

    pub(super) fn render(mut self, nodes: &[Node]) -> Outcome<String> {
        self.nodes(nodes)?;
        Ok(self.out)
    }

    pub(super) fn stop<T>(&self, message: impl Into<String>) -> Outcome<T> {
        Err(Stop { message: message.into(), line: self.line, hint: None })
    }

    /// The name of `value` is not known, and more than printing is wanted of it.
    pub(super) fn unknown<T>(&self, value: &Value) -> Outcome<T> {
        let name = match value {
            Value::Missing(name) => name.as_str(),
            _ => "",
        };
        Err(Stop {
            message: format!("the instance data has nothing of the name `{name}`"),
            line: self.line,
            hint: Some("`cloud-init query --all` shows the names that there are".to_owned()),
        })
    }

    pub(super) fn step(&mut self) -> Outcome<()> {
        self.steps += 1;
        if self.steps > STEPS {
            self.stop(format!("the template takes more than {STEPS} steps"))
        } else {
            Ok(())
        }
    }

    /// Room for `bytes` more.
    pub(super) fn charge(&mut self, bytes: usize) -> Outcome<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES {
            self.stop(format!("the template makes more than {BYTES} bytes"))
        } else {
            Ok(())
        }
    }

    pub(super) fn text(&mut self, text: String) -> Outcome<Value> {
        self.charge(text.len())?;
        Ok(Value::text(text))
    }

    pub(super) fn tuple(&mut self, items: Vec<Value>) -> Outcome<Value> {
        self.charge(items.len().saturating_mul(size_of::<Value>()))?;
        for item in &items {
            self.admit(item, None)?;
        }
        Ok(Value::Tuple(Rc::new(items)))
    }

    pub(super) fn list(&mut self, items: Vec<Value>) -> Outcome<Value> {
        for item in &items {
            self.admit(item, None)?;
        }
        self.charge(items.len().saturating_mul(size_of::<Value>()))?;
        Ok(Value::list(items))
    }

    /// `str(value)`.
    pub(super) fn print(&mut self, value: &Value) -> Outcome<String> {
        let room = BYTES.saturating_sub(self.bytes);
        match value.print(room) {
            Some(text) => {
                self.charge(text.len())?;
                Ok(text)
            }
            None => self.stop("a value that is too long, or nested too deep, to be printed"),
        }
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        self.charge(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.levels >= LEVELS {
            return self.stop("nested too deep");
        }
        self.levels += 1;
        let outcome = inner(self);
        self.levels -= 1;
        outcome
    }

    fn nodes(&mut self, nodes: &[Node]) -> Outcome<()> {
        for node in nodes {
            self.step()?;
            self.deeper(|run| run.node(node))?;
        }
        Ok(())
    }

    /// What `nodes` print.
    fn captured(&mut self, nodes: &[Node]) -> Outcome<String> {
        let before = std::mem::take(&mut self.out);
        let outcome = self.nodes(nodes);
        let captured = std::mem::replace(&mut self.out, before);
        outcome.map(|()| captured)
    }

    fn scoped<T>(
        &mut self,
        names: HashMap<String, Value>,
        inner: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        self.scopes.push(names);
        let outcome = inner(self);
        self.scopes.pop();
        outcome
    }

    fn node(&mut self, node: &Node) -> Outcome<()> {
        match node {
            Node::Data(text) => self.write(text),
            Node::Print(expression) => {
                let value = self.eval(expression)?;
                let text = self.print(&value)?;
                self.out.push_str(&text);
                Ok(())
            }
            Node::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if self.eval(condition)?.is_true() {
                        return self.nodes(body);
                    }
                }
                self.nodes(otherwise)
            }
            Node::For { target, items, condition, body, otherwise } => {
                self.repeat(target, items, condition.as_ref(), body, otherwise)
            }
            Node::Set(target, expression) => {
                let value = self.eval(expression)?;
                self.assign(target, value)
            }
            Node::SetBlock(target, filters, body) => {
                let text = self.captured(body)?;
                let value = self.filtered(Value::text(text), filters)?;
                self.assign(target, value)
            }
            Node::With(names, body) => self.scoped(HashMap::new(), |run| {
                for (target, expression) in names {
                    let value = run.eval(expression)?;
                    run.assign(target, value)?;
                }
                run.nodes(body)
            }),
            Node::Macro(found) => {
                self.assign(&Target::Name(found.name.clone()), Value::Macro(Rc::clone(found)))
            }
            Node::Call(call, caller) => {
                let names = HashMap::from([("caller".to_owned(), Value::Macro(Rc::clone(caller)))]);
                let value = self.scoped(names, |run| run.eval(call))?;
                let text = self.print(&value)?;
                self.out.push_str(&text);
                Ok(())
            }
            Node::FilterBlock(filters, body) => {
                let text = self.captured(body)?;
                let value = self.filtered(Value::text(text), filters)?;
                let text = self.print(&value)?;
                self.out.push_str(&text);
                Ok(())
            }
            Node::Do(expression) => self.eval(expression).map(drop),
            Node::Block(body) => self.scoped(HashMap::new(), |run| run.nodes(body)),
        }
    }

    fn filtered(&mut self, mut value: Value, filters: &[Filter]) -> Outcome<Value> {
        for filter in filters {
            let given = self.arguments(&filter.arguments)?;
            value = builtin::filter(self, &filter.name, &value, &given)?;
        }
        Ok(value)
    }

    fn repeat(
        &mut self,
        target: &Target,
        items: &Expr,
        condition: Option<&Expr>,
        body: &[Node],
        otherwise: &[Node],
    ) -> Outcome<()> {
        let items = self.eval(items)?;
        let mut items = self.items(&items)?;
        if let Some(condition) = condition {
            let mut kept = Vec::new();
            for item in items {
                let keep = self.scoped(HashMap::new(), |run| {
                    run.assign(target, item.clone())?;
                    Ok(run.eval(condition)?.is_true())
                })?;
                if keep {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.nodes(otherwise);
        }
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        for (index, item) in items.iter().enumerate() {
            self.step()?;
            let at = i64::try_from(index).unwrap_or(i64::MAX);
            let neighbour = |index: Option<usize>| {
                let found = index.and_then(|index| items.get(index));
                found.cloned().unwrap_or_else(|| Value::Missing("None".to_owned()))
            };
            let names = Names::from_iter([
                ("index".to_owned(), Value::Int(at + 1)),
                ("index0".to_owned(), Value::Int(at)),
                ("revindex".to_owned(), Value::Int(length - at)),
                ("revindex0".to_owned(), Value::Int(length - at - 1)),
                ("first".to_owned(), Value::Bool(index == 0)),
                ("last".to_owned(), Value::Bool(index + 1 == items.len())),
                ("length".to_owned(), Value::Int(length)),
                ("previtem".to_owned(), neighbour(index.checked_sub(1))),
                ("nextitem".to_owned(), neighbour(Some(index + 1))),
            ]);
            let scope = HashMap::from([("loop".to_owned(), Value::map(names))]);
            self.scoped(scope, |run| {
                run.assign(target, item.clone())?;
                run.nodes(body)
            })?;
        }
        Ok(())
    }

    fn assign(&mut self, target: &Target, value: Value) -> Outcome<()> {
        match target {
            Target::Name(name) => {
                self.charge(name.len() + size_of::<Value>())?;
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.clone(), value);
                }
                Ok(())
            }
            Target::Attribute(name, attribute) => match self.lookup(name) {
                Value::Namespace(names) => {
                    self.charge(attribute.len() + size_of::<Value>())?;
                    self.admit(&value, Value::Namespace(Rc::clone(&names)).address())?;
                    names.borrow_mut().insert(attribute.clone(), value);
                    Ok(())
                }
                _ => self.stop(format!("`{name}` is no namespace: its attributes cannot be set")),
            },
            Target::Several(targets) => {
                let items = self.items(&value)?;
                if items.len() != targets.len() {
                    return self.stop(format!("{} values for {} names", items.len(), targets.len()));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
                Ok(())
            }
        }
    }

    fn lookup(&self, name: &str) -> Value {
        let local = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        match local.or_else(|| self.root.get(name)) {
            Some(value) => value.clone(),
            None => match builtin::FUNCTIONS.iter().find(|known| **known == name) {
                Some(known) => Value::Function(known),
                None => Value::Missing(name.to_owned()),
            },
        }
    }

    /// What a loop over `value` sees.
    pub(super) fn items(&mut self, value: &Value) -> Outcome<Vec<Value>> {
        let items: Vec<Value> = match value {
            Value::Missing(_) | Value::Nothing => Vec::new(),
            Value::List(items) => items.borrow().clone(),
            Value::Tuple(items) => items.to_vec(),
            Value::Map(names) => names.borrow().keys().map(|name| Value::text(name.as_str())).collect(),
            Value::Text(text) => {
                self.charge(text.len().saturating_mul(2 * size_of::<Value>()))?;
                text.chars().map(|character| Value::text(character.to_string())).collect()
            }
            _ => return self.stop("this value is no list"),
        };
        self.charge(items.len().saturating_mul(size_of::<Value>()))?;
        Ok(items)
    }

    pub(super) fn arguments(&mut self, arguments: &Arguments) -> Outcome<Given> {
        let mut given = Given::default();
        for argument in &arguments.plain {
            given.plain.push(self.eval(argument)?);
        }
        for (name, argument) in &arguments.named {
            given.named.push((name.clone(), self.eval(argument)?));
        }
        Ok(given)
    }

    fn eval(&mut self, expression: &Expr) -> Outcome<Value> {
        self.step()?;
        self.line = expression.line;
        self.deeper(|run| run.kind(&expression.kind))
    }

    fn all(&mut self, expressions: &[Expr]) -> Outcome<Vec<Value>> {
        expressions.iter().map(|expression| self.eval(expression)).collect()
    }

    fn kind(&mut self, kind: &ExprKind) -> Outcome<Value> {
        Ok(match kind {
            ExprKind::Name(name) => self.lookup(name),
            ExprKind::Text(text) => self.text(text.clone())?,
            ExprKind::Int(value) => Value::Int(*value),
            ExprKind::Float(value) => Value::Float(*value),
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::None => Value::None,
            ExprKind::List(items) => {
                let items = self.all(items)?;
                self.list(items)?
            }
            ExprKind::Tuple(items) => {
                let items = self.all(items)?;
                self.tuple(items)?
            }
            ExprKind::Map(members) => {
                let mut names = Names::new();
                for (key, value) in members {
                    let key = self.eval(key)?;
                    let key = self.print(&key)?;
                    let value = self.eval(value)?;
                    self.charge(2 * size_of::<Value>())?;
                    self.admit(&value, None)?;
                    names.insert(key, value);
                }
                Value::map(names)
            }
            ExprKind::Attribute(value, name) => {
                let value = self.eval(value)?;
                self.attribute(&value, name)?
            }
            ExprKind::Item(value, index) => {
                let value = self.eval(value)?;
                let index = self.eval(index)?;
                self.item(&value, &index)?
            }
            ExprKind::Slice(value, [from, to, by]) => {
                let value = self.eval(value)?;
                let mut part = |part: &Option<Box<Expr>>| -> Outcome<Option<i64>> {
                    match part {
                        Some(part) => Ok(self.eval(part)?.int()),
                        None => Ok(None),
                    }
                };
                let (from, to, by) = (part(from)?, part(to)?, part(by)?);
                builtin::slice(self, &value, from, to, by)?
            }
            ExprKind::Call(function, arguments) => self.call(function, arguments)?,
            ExprKind::Filter(value, filter) => {
                let value = self.eval(value)?;
                let given = self.arguments(&filter.arguments)?;
                builtin::filter(self, &filter.name, &value, &given)?
            }
            ExprKind::Test(value, test) => {
                let value = self.eval(value)?;
                let given = self.arguments(&test.arguments)?;
                Value::Bool(builtin::test(self, &test.name, &value, &given)?)
            }
            ExprKind::Not(value) => Value::Bool(!self.eval(value)?.is_true()),
            ExprKind::Negative(value) => match self.eval(value)? {
                Value::Float(value) => Value::Float(-value),
                value => match value.int().and_then(i64::checked_neg) {
                    Some(value) => Value::Int(value),
                    None if value.is_missing() => return self.unknown(&value),
                    None => return self.stop("`-` before something that is no number"),
                },
            },
            ExprKind::Positive(value) => match self.eval(value)? {
                Value::Missing(name) => return self.unknown(&Value::Missing(name)),
                value if value.number().is_some() => value,
                _ => return self.stop("`+` before something that is no number"),
            },
            ExprKind::And(one, other) => {
                let one = self.eval(one)?;
                if one.is_true() { self.eval(other)? } else { one }
            }
            ExprKind::Or(one, other) => {
                let one = self.eval(one)?;
                if one.is_true() { one } else { self.eval(other)? }
            }
            ExprKind::Compare(first, others) => {
                let mut left = self.eval(first)?;
                for (sign, right) in others {
                    let right = self.eval(right)?;
                    if !builtin::compare(self, sign, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            ExprKind::Operation(sign, one, other) => {
                let one = self.eval(one)?;
                let other = self.eval(other)?;
                builtin::operation(self, sign, &one, &other)?
            }
            ExprKind::Concat(items) => {
                let mut text = String::new();
                for item in items {
                    let item = self.eval(item)?;
                    text.push_str(&self.print(&item)?);
                }
                self.text(text)?
            }
            ExprKind::Condition(condition, value, otherwise) => {
                if self.eval(condition)?.is_true() {
                    self.eval(value)?
                } else {
                    match otherwise {
                        Some(otherwise) => self.eval(otherwise)?,
                        None => Value::Nothing,
                    }
                }
            }
        })
    }

    pub(super) fn attribute(&mut self, value: &Value, name: &str) -> Outcome<Value> {
        let found = match value {
            Value::Missing(_) | Value::Nothing => return self.unknown(value),
            Value::Map(names) | Value::Namespace(names) => names.borrow().get(name).cloned(),
            _ => None,
        };
        Ok(found.unwrap_or_else(|| Value::Missing(name.to_owned())))
    }

    pub(super) fn item(&mut self, value: &Value, index: &Value) -> Outcome<Value> {
        let at = |length: usize| {
            let index = index.int()?;
            let index = if index < 0 { index.checked_add(i64::try_from(length).ok()?)? } else { index };
            usize::try_from(index).ok()
        };
        let found = match value {
            Value::Missing(_) | Value::Nothing => return self.unknown(value),
            Value::List(items) => {
                let items = items.borrow();
                at(items.len()).and_then(|at| items.get(at).cloned())
            }
            Value::Tuple(items) => at(items.len()).and_then(|at| items.get(at).cloned()),
            Value::Text(text) => at(text.chars().count())
                .and_then(|at| text.chars().nth(at))
                .map(|character| Value::text(character.to_string())),
            Value::Map(names) => match index {
                Value::Text(name) => names.borrow().get(&**name).cloned(),
                _ => None,
            },
            _ => None,
        };
        match found {
            Some(found) => Ok(found),
            None => self.print(index).map(Value::Missing),
        }
    }

    fn call(&mut self, function: &Expr, arguments: &Arguments) -> Outcome<Value> {
        if let ExprKind::Attribute(value, name) = &function.kind {
            let value = self.eval(value)?;
            let given = self.arguments(arguments)?;
            if let Value::Missing(_) | Value::Nothing = value {
                return self.unknown(&value);
            }
            return builtin::method(self, &value, name, &given);
        }
        let function = self.eval(function)?;
        let given = self.arguments(arguments)?;
        match function {
            Value::Macro(found) => self.invoke(&found, given),
            Value::Function(name) => builtin::function(self, name, given),
            Value::Missing(_) | Value::Nothing => self.unknown(&function),
            _ => self.stop("this is nothing that can be called"),
        }
    }

    fn invoke(&mut self, found: &Rc<Macro>, given: Given) -> Outcome<Value> {
        if given.plain.len() > found.parameters.len() {
            return self.stop(format!("`{}` takes {} arguments", found.name, found.parameters.len()));
        }
        let mut names = HashMap::new();
        if let Some(caller) = self.scopes.last().and_then(|scope| scope.get("caller")) {
            names.insert("caller".to_owned(), caller.clone());
        }
        for (index, (name, default)) in found.parameters.iter().enumerate() {
            let value = match (given.get(index, name), default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => self.eval(default)?,
                (None, None) => Value::Missing(name.clone()),
            };
            names.insert(name.clone(), value);
        }
        if let Some((unknown, _)) =
            given.named.iter().find(|(name, _)| !found.parameters.iter().any(|(known, _)| known == name))
        {
            return self.stop(format!("`{}` has no argument `{unknown}`", found.name));
        }
        // A macro sees its arguments and what the template's top has; who is called sees what its
        // caller has.
        let hidden =
            if found.name == "caller" { Vec::new() } else { self.scopes.split_off(1.min(self.scopes.len())) };
        let outcome = self.scoped(names, |run| run.deeper(|run| run.captured(&found.body)));
        self.scopes.extend(hidden);
        outcome.map(Value::text)
    }

    /// Whether two values are equal, whose comparing is a step for each of their items.
    pub(super) fn equal(&mut self, one: &Value, other: &Value) -> Outcome<bool> {
        self.step()?;
        Ok(one.equals(other, DEPTH / 2))
    }
}
