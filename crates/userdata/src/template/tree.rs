//! What templates are made of.

use std::rc::Rc;

#[derive(Debug)]
pub(super) enum Node {
    Data(String),
    Print(Expr),
    If(Vec<(Expr, Vec<Node>)>, Vec<Node>),
    For { target: Target, items: Expr, condition: Option<Expr>, body: Vec<Node>, otherwise: Vec<Node> },
    Set(Target, Expr),
    SetBlock(Target, Vec<Filter>, Vec<Node>),
    With(Vec<(Target, Expr)>, Vec<Node>),
    Macro(Rc<Macro>),
    Call(Expr, Rc<Macro>),
    FilterBlock(Vec<Filter>, Vec<Node>),
    Do(Expr),
    Block(Vec<Node>),
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<Expr>)>,
    pub(super) body: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    Name(String),
    Attribute(String, String),
    Several(Vec<Target>),
}

/// An expression, and the line that it stands in.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) line: usize,
    pub(super) kind: ExprKind,
}

#[derive(Debug)]
pub(super) enum ExprKind {
    Name(String),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    None,
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Arguments),
    Filter(Box<Expr>, Filter),
    Test(Box<Expr>, Filter),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(&'static str, Expr)>),
    Operation(&'static str, Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    Condition(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
}

/// A filter or test by name.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) arguments: Arguments,
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) plain: Vec<Expr>,
    pub(super) named: Vec<(String, Expr)>,
}
