//! Values of templates, as Python has them.

use std::cell::RefCell;
use std::rc::Rc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::MISSING;
use super::tree::Macro;
use crate::value::{Kind, Value as Config};

/// Names and values, in order.
pub(super) type Names = IndexMap<String, Value>;

/// One value.
#[derive(Clone)]
pub(super) enum Value {
    /// A name that is not known.
    Missing(String),
    /// What an `if` without `else` gives: it prints as nothing.
    Nothing,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<RefCell<Vec<Value>>>),
    Tuple(Rc<Vec<Value>>),
    Map(Rc<RefCell<Names>>),
    /// `namespace()`: the one thing whose attributes may be set.
    Namespace(Rc<RefCell<Names>>),
    Macro(Rc<Macro>),
    /// A function of the language.
    Function(&'static str),
}

/// Levels of lists in lists that are printed or compared.
pub(super) const DEPTH: usize = 50;

impl Value {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    pub(super) fn map(names: Names) -> Self {
        Self::Map(Rc::new(RefCell::new(names)))
    }

    pub(super) fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::None,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::text(text.as_str()),
            Json::Array(items) => Self::list(items.iter().map(Self::from_json).collect()),
            Json::Object(members) => Self::map(
                members.iter().map(|(name, member)| (name.clone(), Self::from_json(member))).collect(),
            ),
        }
    }

    /// What tells a value that holds others from all others.
    pub(super) fn address(&self) -> Option<*const ()> {
        match self {
            Self::List(items) => Some(Rc::as_ptr(items).cast()),
            Self::Tuple(items) => Some(Rc::as_ptr(items).cast()),
            Self::Map(names) | Self::Namespace(names) => Some(Rc::as_ptr(names).cast()),
            _ => None,
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Nothing)
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Nothing | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.borrow().is_empty(),
            Self::Tuple(items) => !items.is_empty(),
            Self::Map(names) => !names.borrow().is_empty(),
            Self::Namespace(_) | Self::Macro(_) | Self::Function(_) => true,
        }
    }

    /// A number, where booleans are numbers too.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            #[allow(clippy::cast_precision_loss)]
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number.
    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Bool(value) => Some(i64::from(*value)),
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn equals(&self, other: &Self, depth: usize) -> bool {
        if depth > DEPTH {
            return false;
        }
        let lists = |one: &[Self], other: &[Self]| {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.equals(other, depth + 1))
        };
        match (self, other) {
            (Self::Missing(_) | Self::Nothing, Self::Missing(_) | Self::Nothing)
            | (Self::None, Self::None) => true,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::List(one), Self::List(other)) => {
                Rc::ptr_eq(one, other) || lists(&one.borrow(), &other.borrow())
            }
            (Self::Tuple(one), Self::Tuple(other)) => lists(one, other),
            (Self::Map(one), Self::Map(other)) => {
                let (one, other) = (one.borrow(), other.borrow());
                one.len() == other.len()
                    && one.iter().all(|(name, value)| {
                        other.get(name).is_some_and(|found| value.equals(found, depth + 1))
                    })
            }
            _ => matches!((self.number(), other.number()), (Some(one), Some(other)) if one == other),
        }
    }

    /// `str(value)`, at most `room` bytes; nothing when it is more or nested too deep.
    pub(super) fn print(&self, room: usize) -> Option<String> {
        match self {
            Self::Text(text) => (text.len() <= room).then(|| text.to_string()),
            Self::Nothing => Some(String::new()),
            _ => {
                let mut out = String::new();
                self.repr(room, 0, &mut out)?;
                Some(out)
            }
        }
    }

    fn repr(&self, room: usize, depth: usize, out: &mut String) -> Option<()> {
        if depth > DEPTH || out.len() > room {
            return None;
        }
        let items = |items: &[Self], out: &mut String| -> Option<()> {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                item.repr(room, depth + 1, out)?;
            }
            Some(())
        };
        match self {
            Self::Missing(_) | Self::Nothing if depth > 0 => out.push_str("Undefined"),
            Self::Missing(name) => {
                out.push_str(MISSING);
                out.push_str(name);
            }
            Self::Nothing => {}
            Self::None => out.push_str("None"),
            Self::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&crate::python_repr::float(*value)),
            Self::Text(text) if text.len() > room => return None,
            Self::Text(text) => out.push_str(&Config::new(Kind::Text(text.to_string())).to_python_repr()),
            Self::List(list) => {
                out.push('[');
                items(&list.borrow(), out)?;
                out.push(']');
            }
            Self::Tuple(tuple) => {
                out.push('(');
                items(tuple, out)?;
                out.push_str(if tuple.len() == 1 { ",)" } else { ")" });
            }
            Self::Map(names) => {
                out.push('{');
                for (index, (name, value)) in names.borrow().iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    Self::text(name.as_str()).repr(room, depth + 1, out)?;
                    out.push_str(": ");
                    value.repr(room, depth + 1, out)?;
                }
                out.push('}');
            }
            Self::Namespace(_) => out.push_str("<Namespace>"),
            Self::Macro(found) => out.push_str(&format!("<Macro '{}'>", found.name)),
            Self::Function(name) => out.push_str(&format!("<function {name}>")),
        }
        Some(())
    }
}
