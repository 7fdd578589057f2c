//! From tokens to what a template is made of (`jinja2/parser.py`).

use std::rc::Rc;

use super::lexer::{self, Token, Trouble};
use super::tree::{Arguments, Expr, ExprKind, Filter, Macro, Node, Target};

/// Operations in a row.
const CHAIN: usize = 40;

/// Levels of expressions and blocks.
const NESTING: usize = 40;

/// The template `text`.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Trouble> {
    let tokens = lexer::tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let (nodes, end) = parser.nodes(&[])?;
    match end {
        None => Ok(nodes),
        Some(word) => parser.trouble(format!("`{word}` belongs to nothing here")),
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [(Token<'a>, usize)],
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, Trouble>;

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> &Token<'a> {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    fn trouble<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(Trouble { message: message.into(), line: self.line() })
    }

    fn is_sign(&self, wanted: &str) -> bool {
        matches!(self.peek(), Token::Sign(sign) if *sign == wanted)
    }

    fn is_name(&self, wanted: &str) -> bool {
        matches!(self.peek(), Token::Name(name) if *name == wanted)
    }

    fn take_sign(&mut self, wanted: &str) -> bool {
        let is = self.is_sign(wanted);
        self.at += usize::from(is);
        is
    }

    fn take_name(&mut self, wanted: &str) -> bool {
        let is = self.is_name(wanted);
        self.at += usize::from(is);
        is
    }

    fn sign(&mut self, wanted: &str) -> Parsed<()> {
        if self.take_sign(wanted) { Ok(()) } else { self.trouble(format!("`{wanted}` is missing")) }
    }

    fn name(&mut self) -> Parsed<String> {
        match self.peek() {
            Token::Name(name) => {
                let name = (*name).to_owned();
                self.at += 1;
                Ok(name)
            }
            _ => self.trouble("a name is missing"),
        }
    }

    fn block_end(&mut self) -> Parsed<()> {
        if *self.peek() == Token::BlockEnd {
            self.at += 1;
            Ok(())
        } else {
            self.trouble("`%}` is missing")
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= NESTING {
            return self.trouble("nested too deep");
        }
        self.depth += 1;
        let outcome = inner(self);
        self.depth -= 1;
        outcome
    }

    /// Nodes up to a tag that starts with one of `ends`, which is left behind its word.
    fn nodes(&mut self, ends: &[&str]) -> Parsed<(Vec<Node>, Option<String>)> {
        let mut nodes = Vec::new();
        loop {
            match self.peek().clone() {
                Token::End => {
                    return if ends.is_empty() {
                        Ok((nodes, None))
                    } else {
                        self.trouble(format!("`{}` is missing", ends.last().unwrap_or(&"")))
                    };
                }
                Token::Data(text) => {
                    self.at += 1;
                    nodes.push(Node::Data(text.to_owned()));
                }
                Token::PrintBegin => {
                    self.at += 1;
                    let expression = self.tuple()?;
                    if *self.peek() != Token::PrintEnd {
                        return self.trouble("`}}` is missing");
                    }
                    self.at += 1;
                    nodes.push(Node::Print(expression));
                }
                _ => {
                    self.at += 1;
                    let word = self.name()?;
                    if ends.contains(&word.as_str()) {
                        return Ok((nodes, Some(word)));
                    }
                    if word.starts_with("end") || word.starts_with("el") {
                        return self.trouble(format!("`{word}` belongs to nothing here"));
                    }
                    let node = self.deeper(|parser| parser.statement(&word))?;
                    nodes.push(node);
                }
            }
        }
    }

    /// The nodes of a block that ends with `end`.
    fn body(&mut self, end: &str) -> Parsed<Vec<Node>> {
        self.block_end()?;
        let (nodes, _) = self.nodes(&[end])?;
        Ok(nodes)
    }

    fn statement(&mut self, word: &str) -> Parsed<Node> {
        let node = match word {
            "if" => return self.condition(),
            "for" => return self.repetition(),
            "set" => {
                let target = self.target(true)?;
                if self.take_sign("=") {
                    Node::Set(target, self.tuple()?)
                } else {
                    let filters = self.filters()?;
                    Node::SetBlock(target, filters, self.body("endset")?)
                }
            }
            "with" => {
                let mut names = Vec::new();
                while *self.peek() != Token::BlockEnd {
                    if !names.is_empty() {
                        self.sign(",")?;
                    }
                    let target = self.target(false)?;
                    self.sign("=")?;
                    names.push((target, self.expression()?));
                }
                Node::With(names, self.body("endwith")?)
            }
            "macro" => {
                let name = self.name()?;
                let parameters = self.parameters()?;
                let body = self.body("endmacro")?;
                Node::Macro(Rc::new(Macro { name, parameters, body }))
            }
            "call" => {
                let parameters = if self.is_sign("(") { self.parameters()? } else { Vec::new() };
                let call = self.expression()?;
                let body = self.body("endcall")?;
                Node::Call(call, Rc::new(Macro { name: "caller".to_owned(), parameters, body }))
            }
            "filter" => {
                let mut filters = vec![self.filter()?];
                filters.extend(self.filters()?);
                Node::FilterBlock(filters, self.body("endfilter")?)
            }
            "do" => Node::Do(self.tuple()?),
            "block" => {
                let name = self.name()?;
                let body = self.body("endblock")?;
                self.take_name(&name);
                Node::Block(body)
            }
            "include" | "import" | "from" | "extends" => {
                return self.trouble(format!("`{word}` names other templates, and there are none"));
            }
            _ => return self.trouble(format!("the tag `{word}` is not known")),
        };
        self.block_end()?;
        Ok(node)
    }

    fn condition(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        let mut condition = self.tuple()?;
        loop {
            self.block_end()?;
            let (body, end) = self.nodes(&["elif", "else", "endif"])?;
            branches.push((condition, body));
            match end.as_deref() {
                Some("elif") => condition = self.tuple()?,
                Some("else") => {
                    let otherwise = self.body("endif")?;
                    self.block_end()?;
                    return Ok(Node::If(branches, otherwise));
                }
                _ => {
                    self.block_end()?;
                    return Ok(Node::If(branches, Vec::new()));
                }
            }
        }
    }

    fn repetition(&mut self) -> Parsed<Node> {
        let target = self.target(false)?;
        if !self.take_name("in") {
            return self.trouble("`in` is missing");
        }
        let items = self.tuple_without_condition()?;
        let condition = if self.take_name("if") { Some(self.expression()?) } else { None };
        if self.is_name("recursive") {
            return self.trouble("recursive loops are not rendered here");
        }
        self.block_end()?;
        let (body, end) = self.nodes(&["else", "endfor"])?;
        let otherwise = if end.as_deref() == Some("else") { self.body("endfor")? } else { Vec::new() };
        self.block_end()?;
        Ok(Node::For { target, items, condition, body, otherwise })
    }

    fn target(&mut self, attributes: bool) -> Parsed<Target> {
        let mut targets = Vec::new();
        let mut several = false;
        loop {
            let target = if self.take_sign("(") {
                let inner = self.deeper(|parser| parser.target(attributes))?;
                self.sign(")")?;
                inner
            } else {
                let name = self.name()?;
                if attributes && self.take_sign(".") {
                    Target::Attribute(name, self.name()?)
                } else {
                    Target::Name(name)
                }
            };
            targets.push(target);
            if !self.take_sign(",") {
                break;
            }
            several = true;
            if !matches!(self.peek(), Token::Name(name) if *name != "in") && !self.is_sign("(") {
                break;
            }
        }
        match (several, targets.pop()) {
            (false, Some(only)) => Ok(only),
            (_, last) => Ok(Target::Several(targets.into_iter().chain(last).collect())),
        }
    }

    fn parameters(&mut self) -> Parsed<Vec<(String, Option<Expr>)>> {
        self.sign("(")?;
        let mut parameters = Vec::new();
        while !self.take_sign(")") {
            if !parameters.is_empty() {
                self.sign(",")?;
            }
            let name = self.name()?;
            let default = if self.take_sign("=") { Some(self.expression()?) } else { None };
            parameters.push((name, default));
        }
        Ok(parameters)
    }

    fn filters(&mut self) -> Parsed<Vec<Filter>> {
        let mut filters = Vec::new();
        while self.take_sign("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn filter(&mut self) -> Parsed<Filter> {
        let mut name = self.name()?;
        while self.take_sign(".") {
            name = format!("{name}.{}", self.name()?);
        }
        if !super::builtin::FILTERS.contains(&name.as_str()) {
            return self.trouble(format!("the filter `{name}` is not known"));
        }
        let arguments = if self.is_sign("(") { self.arguments()? } else { Arguments::default() };
        Ok(Filter { name, arguments })
    }

    fn arguments(&mut self) -> Parsed<Arguments> {
        self.sign("(")?;
        let mut arguments = Arguments::default();
        let mut first = true;
        while !self.take_sign(")") {
            if !first {
                self.sign(",")?;
                if self.take_sign(")") {
                    break;
                }
            }
            first = false;
            let named = matches!(
                (self.tokens.get(self.at), self.tokens.get(self.at + 1)),
                (Some((Token::Name(_), _)), Some((Token::Sign("="), _)))
            );
            if named {
                let name = self.name()?;
                self.at += 1;
                arguments.named.push((name, self.expression()?));
            } else {
                arguments.plain.push(self.expression()?);
            }
        }
        Ok(arguments)
    }

    /// One expression, or several with commas between them.
    fn tuple(&mut self) -> Parsed<Expr> {
        let line = self.line();
        let first = self.expression()?;
        self.tuple_from(first, line, Self::expression)
    }

    fn tuple_without_condition(&mut self) -> Parsed<Expr> {
        let line = self.line();
        let first = self.deeper(Self::or)?;
        self.tuple_from(first, line, |parser| parser.deeper(Self::or))
    }

    fn tuple_from(
        &mut self,
        first: Expr,
        line: usize,
        item: impl Fn(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take_sign(",") {
            if matches!(self.peek(), Token::BlockEnd | Token::PrintEnd | Token::Sign(")")) {
                break;
            }
            items.push(item(self)?);
        }
        Ok(Expr { line, kind: ExprKind::Tuple(items) })
    }

    fn expression(&mut self) -> Parsed<Expr> {
        self.deeper(|parser| {
            let mut value = parser.or()?;
            while parser.is_name("if") {
                let line = parser.line();
                parser.at += 1;
                let condition = parser.or()?;
                let otherwise =
                    if parser.take_name("else") { Some(Box::new(parser.expression()?)) } else { None };
                let kind = ExprKind::Condition(Box::new(condition), Box::new(value), otherwise);
                value = Expr { line, kind };
            }
            Ok(value)
        })
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.take_name("or") {
            let right = self.and()?;
            left = Expr { line: left.line, kind: ExprKind::Or(Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.not()?;
        while self.take_name("and") {
            let right = self.not()?;
            left = Expr { line: left.line, kind: ExprKind::And(Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Expr> {
        let line = self.line();
        if self.take_name("not") {
            let inner = self.deeper(Self::not)?;
            return Ok(Expr { line, kind: ExprKind::Not(Box::new(inner)) });
        }
        let left = self.sum()?;
        let mut others = Vec::new();
        loop {
            let sign = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|sign| self.is_sign(sign));
            let sign = if let Some(sign) = sign {
                self.at += 1;
                sign
            } else if self.take_name("in") {
                "in"
            } else if self.is_name("not")
                && matches!(self.tokens.get(self.at + 1), Some((Token::Name("in"), _)))
            {
                self.at += 2;
                "not in"
            } else {
                break;
            };
            others.push((sign, self.sum()?));
        }
        if others.is_empty() {
            return Ok(left);
        }
        Ok(Expr { line, kind: ExprKind::Compare(Box::new(left), others) })
    }

    fn binary(
        &mut self,
        signs: &[&'static str],
        operand: impl Fn(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        let mut left = operand(self)?;
        // A chain of operations is as deep as it is long.
        let mut length = 0;
        while let Some(sign) = signs.iter().find(|sign| self.is_sign(sign)) {
            length += 1;
            if length > CHAIN {
                return self.trouble("too many operations in one expression");
            }
            self.at += 1;
            let right = operand(self)?;
            left = Expr { line: left.line, kind: ExprKind::Operation(sign, Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.binary(&["+", "-"], Self::concat)
    }

    fn concat(&mut self) -> Parsed<Expr> {
        let first = self.product()?;
        if !self.is_sign("~") {
            return Ok(first);
        }
        let line = first.line;
        let mut items = vec![first];
        while self.take_sign("~") {
            items.push(self.product()?);
        }
        Ok(Expr { line, kind: ExprKind::Concat(items) })
    }

    fn product(&mut self) -> Parsed<Expr> {
        self.binary(&["*", "//", "/", "%"], |parser| parser.binary(&["**"], |parser| parser.unary(true)))
    }

    fn unary(&mut self, with_filter: bool) -> Parsed<Expr> {
        let line = self.line();
        let inner = if self.take_sign("-") {
            let inner = self.deeper(|parser| parser.unary(false))?;
            Expr { line, kind: ExprKind::Negative(Box::new(inner)) }
        } else if self.take_sign("+") {
            let inner = self.deeper(|parser| parser.unary(false))?;
            Expr { line, kind: ExprKind::Positive(Box::new(inner)) }
        } else {
            self.primary()?
        };
        self.postfix(inner, with_filter)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let line = self.line();
        let token = self.peek().clone();
        self.at += 1;
        let kind = match token {
            Token::Name("true" | "True") => ExprKind::Bool(true),
            Token::Name("false" | "False") => ExprKind::Bool(false),
            Token::Name("none" | "None") => ExprKind::None,
            Token::Name(name) => ExprKind::Name(name.to_owned()),
            Token::Text(mut text) => {
                while let Token::Text(more) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                ExprKind::Text(text)
            }
            Token::Int(value) => ExprKind::Int(value),
            Token::Float(value) => ExprKind::Float(value),
            Token::Sign("(") => {
                if self.take_sign(")") {
                    ExprKind::Tuple(Vec::new())
                } else {
                    let inner = self.tuple()?;
                    self.sign(")")?;
                    return Ok(inner);
                }
            }
            Token::Sign("[") => {
                let mut items = Vec::new();
                while !self.take_sign("]") {
                    if !items.is_empty() {
                        self.sign(",")?;
                        if self.take_sign("]") {
                            break;
                        }
                    }
                    items.push(self.expression()?);
                }
                ExprKind::List(items)
            }
            Token::Sign("{") => {
                let mut members = Vec::new();
                while !self.take_sign("}") {
                    if !members.is_empty() {
                        self.sign(",")?;
                        if self.take_sign("}") {
                            break;
                        }
                    }
                    let key = self.expression()?;
                    self.sign(":")?;
                    members.push((key, self.expression()?));
                }
                ExprKind::Map(members)
            }
            _ => {
                self.at -= 1;
                return self.trouble("an expression is missing");
            }
        };
        Ok(Expr { line, kind })
    }

    fn postfix(&mut self, mut value: Expr, with_filter: bool) -> Parsed<Expr> {
        let mut length = 0;
        // Behind a filter or test there are only more of them, and calls.
        let mut filtered = false;
        loop {
            length += 1;
            if length > CHAIN {
                return self.trouble("too many operations in one expression");
            }
            let line = value.line;
            let inner = |value| Box::new(value);
            let kind = if !filtered && self.take_sign(".") {
                match self.peek().clone() {
                    Token::Int(index) => {
                        self.at += 1;
                        let index = Expr { line, kind: ExprKind::Int(index) };
                        ExprKind::Item(inner(value), Box::new(index))
                    }
                    _ => ExprKind::Attribute(inner(value), self.name()?),
                }
            } else if !filtered && self.take_sign("[") {
                self.subscript(value)?
            } else if self.is_sign("(") {
                ExprKind::Call(inner(value), self.arguments()?)
            } else if with_filter && self.take_sign("|") {
                filtered = true;
                ExprKind::Filter(inner(value), self.filter()?)
            } else if with_filter && self.take_name("is") {
                filtered = true;
                self.test(value)?
            } else {
                return Ok(value);
            };
            value = Expr { line, kind };
        }
    }

    fn subscript(&mut self, value: Expr) -> Parsed<ExprKind> {
        let mut parts: [Option<Box<Expr>>; 3] = [None, None, None];
        let mut count = 0;
        let mut colons = 0;
        while !self.take_sign("]") {
            if self.take_sign(":") {
                colons += 1;
                count += 1;
            } else if let Some(part) = parts.get_mut(count).filter(|part| part.is_none()) {
                *part = Some(Box::new(self.expression()?));
            } else {
                return self.trouble("`]` is missing");
            }
        }
        match (colons, parts) {
            (0, [Some(index), None, None]) => Ok(ExprKind::Item(Box::new(value), index)),
            (1 | 2, parts) => Ok(ExprKind::Slice(Box::new(value), parts)),
            _ => self.trouble("an index is missing"),
        }
    }

    fn test(&mut self, value: Expr) -> Parsed<ExprKind> {
        let negated = self.take_name("not");
        let line = value.line;
        let name = self.name()?;
        if !super::builtin::TESTS.contains(&name.as_str()) {
            return self.trouble(format!("the test `{name}` is not known"));
        }
        let arguments = if self.is_sign("(") {
            self.arguments()?
        } else {
            let follows = match self.peek() {
                Token::Name(name) => !matches!(*name, "else" | "or" | "and" | "is" | "if" | "in" | "not"),
                Token::Text(_) | Token::Int(_) | Token::Float(_) | Token::Sign("[" | "{") => true,
                _ => false,
            };
            let mut arguments = Arguments::default();
            if follows {
                let argument = self.primary()?;
                arguments.plain.push(self.postfix(argument, false)?);
            }
            arguments
        };
        let kind = ExprKind::Test(Box::new(value), Filter { name, arguments });
        Ok(match negated {
            true => ExprKind::Not(Box::new(Expr { line, kind })),
            false => kind,
        })
    }
}
