//! `grub.cfg`: a small shell, read far enough to know every kernel and initramfs that an entry can
//! load on any of its branches.
//!
//! Facts: GRUB manual, "Writing full configuration files directly"; `util/grub.d/*.in`. Variables
//! are taken with every value that is assigned anywhere in the file; conditions are not evaluated.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Found, Level, Raw};

/// Blocks within blocks; grub-mkconfig's deepest output has six.
const DEPTH: usize = 40;
/// Values of one variable, and ways through one entry.
const WAYS: usize = 64;
/// Functions calling functions.
const CALLS: usize = 4;
/// Statements run altogether; the calls of functions multiply.
const STEPS: usize = 1_000_000;

type Fault = (usize, String);

/// Reads a configuration that lies in `directory`.
///
/// # Errors
/// The line, and what is wrong with it.
pub(crate) fn parse(text: &str, directory: &str) -> Result<Found, Fault> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0 };
    let body = parser.block(&[], 0)?;
    let mut program = Program::default();
    program.values.insert("prefix".to_owned(), BTreeSet::from([directory.to_owned()]));
    program.values.insert("config_directory".to_owned(), BTreeSet::from([directory.to_owned()]));
    program.collect(&body);
    let mut found = Found::default();
    program.entry("", &body, &mut found)?;
    // What was chosen for the next boot alone is no default.
    found.default = program.defaults.into_iter().rfind(|value| value != "$next_entry");
    Ok(found)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Variable(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The line, where in the text, and what it is made of.
    Word(usize, Range<usize>, Vec<Part>),
    End,
}

/// Splits into words and statement ends (line break or `;`).
///
/// # Errors
/// A quote that is not closed.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut line = 1;
    let mut word: Option<Vec<Part>> = None;
    let mut start = (1, 0);
    fn push(word: &mut Option<Vec<Part>>, c: char) {
        let parts = word.get_or_insert_default();
        if let Some(Part::Text(text)) = parts.last_mut() {
            text.push(c);
        } else {
            parts.push(Part::Text(c.to_string()));
        }
    }
    let mut quote: Option<char> = None;
    while let Some((at, c)) = chars.next() {
        if word.is_none() {
            start = (line, at);
        }
        if c == '\n' {
            line += 1;
        }
        let done = |parts| Token::Word(start.0, start.1..at, parts);
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => push(&mut word, c),
            (_, '\\') => match chars.next() {
                Some((_, '\n')) => line += 1,
                Some((_, next)) => push(&mut word, next),
                None => {}
            },
            (_, '$') => {
                let braced = chars.next_if(|(_, c)| *c == '{').is_some();
                let mut name = String::new();
                while let Some((_, next)) =
                    chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || matches!(c, '_' | '?'))
                {
                    name.push(next);
                }
                if braced {
                    chars.next_if(|(_, c)| *c == '}');
                }
                if name.is_empty() {
                    push(&mut word, '$');
                } else {
                    word.get_or_insert_default().push(Part::Variable(name));
                }
            }
            (Some(_), c) => push(&mut word, c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            (None, '\n' | ';') => {
                tokens.extend(word.take().map(done));
                tokens.push(Token::End);
            }
            (None, c) if c.is_whitespace() => tokens.extend(word.take().map(done)),
            (None, c) => push(&mut word, c),
        }
    }
    if let Some(quote) = quote {
        return Err((start.0, format!("the {quote} here is not closed")));
    }
    tokens.extend(word.map(|parts| Token::Word(start.0, start.1..text.len(), parts)));
    tokens.push(Token::End);
    Ok(tokens)
}

#[derive(Clone, Debug)]
enum Statement {
    Command {
        line: usize,
        words: Vec<Vec<Part>>,
    },
    /// One of these runs; an `if` without `else` has an empty one.
    Either(Vec<Vec<Statement>>),
    Function {
        name: String,
        body: Vec<Statement>,
    },
    Menu {
        level: Level,
        body: Vec<Statement>,
        kind: Menu,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Menu {
    Entry,
    Submenu,
    /// Takes no place among those that are counted.
    Hidden,
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

/// The text of a word without variables.
pub(super) fn plain(word: &[Part]) -> Option<&str> {
    match word {
        [Part::Text(text)] => Some(text),
        [] => Some(""),
        _ => None,
    }
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        match self.tokens.get(self.at)? {
            Token::Word(.., parts) => plain(parts),
            Token::End => None,
        }
    }

    fn line(&self) -> usize {
        let before = self.tokens.get(..=self.at).unwrap_or(self.tokens);
        before
            .iter()
            .rev()
            .find_map(|token| if let Token::Word(line, ..) = token { Some(*line) } else { None })
            .unwrap_or(1)
    }

    /// Statements up to one of `ends`, which is consumed; without ends, up to the end of the file.
    fn block(&mut self, ends: &[&str], depth: usize) -> Result<Vec<Statement>, Fault> {
        if depth > DEPTH {
            return Err((self.line(), format!("blocks within more than {DEPTH} blocks")));
        }
        let mut body = Vec::new();
        loop {
            match self.tokens.get(self.at) {
                None if ends.is_empty() => return Ok(body),
                None => {
                    return Err((
                        self.line(),
                        format!("the file ends where {} was expected", ends.join(" or ")),
                    ));
                }
                Some(Token::End) => self.at += 1,
                Some(Token::Word(..)) => {
                    if let Some(word) = self.peek()
                        && ends.contains(&word)
                    {
                        self.at += 1;
                        return Ok(body);
                    }
                    body.extend(self.statement(depth)?);
                }
            }
        }
    }

    fn statement(&mut self, depth: usize) -> Result<Option<Statement>, Fault> {
        let line = self.line();
        match self.peek() {
            Some("if") => self.conditional(depth).map(Some),
            Some("for" | "while" | "until") => {
                let list = self.words_until(&["do"]);
                let body = self.block(&["done"], depth + 1)?;
                // `for x in a b`: x has each of these values.
                let mut all = Vec::new();
                if let [first, name, _in, values @ ..] = &list[..]
                    && plain(first) == Some("for")
                    && let Some(name) = plain(name)
                {
                    for value in values {
                        let mut assignment = vec![Part::Text(format!("{name}="))];
                        assignment.extend(value.iter().cloned());
                        all.push(Statement::Command {
                            line,
                            words: vec![vec![Part::Text("set".to_owned())], assignment],
                        });
                    }
                }
                all.extend(body);
                Ok(Some(Statement::Either(vec![all, Vec::new()])))
            }
            Some("function") => {
                let header = self.words_until(&["{"]);
                let name = header.get(1).and_then(|word| plain(word)).unwrap_or_default().to_owned();
                let body = self.block(&["}"], depth + 1)?;
                Ok(Some(Statement::Function { name, body }))
            }
            Some(word @ ("menuentry" | "submenu" | "hiddenentry")) => {
                let kind = match word {
                    "submenu" => Menu::Submenu,
                    "hiddenentry" => Menu::Hidden,
                    _ => Menu::Entry,
                };
                let header = self.words_until(&["{"]);
                let level = level(&header);
                let body = self.block(&["}"], depth + 1)?;
                Ok(Some(Statement::Menu { level, body, kind }))
            }
            Some("{") => {
                self.at += 1;
                let body = self.block(&["}"], depth + 1)?;
                Ok(Some(Statement::Either(vec![body])))
            }
            _ => {
                let words = self.words_until(&[]);
                Ok((!words.is_empty()).then_some(Statement::Command { line, words }))
            }
        }
    }

    fn conditional(&mut self, depth: usize) -> Result<Statement, Fault> {
        let mut branches = Vec::new();
        loop {
            self.words_until(&["then"]);
            // Ends of blocks are told apart by what stood before `at` moved on.
            branches.push(self.block(&["elif", "else", "fi"], depth + 1)?);
            match self.before() {
                Some("elif") => {}
                Some("else") => {
                    branches.push(self.block(&["fi"], depth + 1)?);
                    return Ok(Statement::Either(branches));
                }
                _ => {
                    branches.push(Vec::new());
                    return Ok(Statement::Either(branches));
                }
            }
        }
    }

    fn before(&self) -> Option<&'a str> {
        match self.tokens.get(self.at.checked_sub(1)?)? {
            Token::Word(.., parts) => plain(parts),
            Token::End => None,
        }
    }

    /// The words of the statement; with `stops`, also those of the next ones up to a stop.
    fn words_until(&mut self, stops: &[&str]) -> Vec<Vec<Part>> {
        let mut words = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match token {
                Token::End if stops.is_empty() => break,
                Token::End => {}
                Token::Word(.., parts) => {
                    if let Some(text) = plain(parts)
                        && stops.contains(&text)
                    {
                        break;
                    }
                    words.push(parts.clone());
                }
            }
        }
        words
    }
}

/// Title and name of a menu entry, by the words of its header.
fn level(header: &[Vec<Part>]) -> Level {
    let mut id = String::new();
    for (index, word) in header.iter().enumerate() {
        // "--id x", and what grub-mkconfig writes for the same.
        let takes = plain(word) == Some("--id")
            || matches!(&word[..], [Part::Variable(name)] if name == "menuentry_id_option");
        if takes && let Some(next) = header.get(index + 1) {
            id = show(next);
        } else if let Some(given) = plain(word).and_then(|text| text.strip_prefix("--id=")) {
            given.clone_into(&mut id);
        }
    }
    Level { index: 0, title: header.get(1).map(|word| show(word)).unwrap_or_default(), id }
}

/// The word as it would be written in double quotes.
pub(super) fn show(word: &[Part]) -> String {
    let mut shown = String::new();
    for (index, part) in word.iter().enumerate() {
        match part {
            Part::Text(text) => shown.push_str(text),
            Part::Variable(name) => {
                // A letter behind it would be one of its name.
                let braced = matches!(word.get(index + 1), Some(Part::Text(text))
                    if text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
                shown.push_str(&if braced { format!("${{{name}}}") } else { format!("${name}") });
            }
        }
    }
    shown
}

#[derive(Default)]
struct Program {
    values: BTreeMap<String, BTreeSet<String>>,
    functions: BTreeMap<String, Vec<Statement>>,
    /// What `default` is set to, in order.
    defaults: Vec<String>,
    steps: Cell<usize>,
}

/// One way through an entry, so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    line: usize,
    kernel: String,
    options: String,
    initrds: Vec<String>,
}

impl Program {
    /// Notes all functions, and all values of all variables.
    fn collect(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Function { name, body } => {
                    self.collect(body);
                    self.functions.insert(name.clone(), body.clone());
                }
                Statement::Either(branches) => branches.iter().for_each(|body| self.collect(body)),
                Statement::Menu { body, .. } => self.collect(body),
                Statement::Command { words, .. } => self.assign(words),
            }
        }
    }

    fn assign(&mut self, words: &[Vec<Part>]) {
        let word = match words {
            [word] => word,
            [set, word] if plain(set) == Some("set") => word,
            _ => return,
        };
        let Some((Part::Text(first), rest)) = word.split_first() else { return };
        let Some((name, value)) = first.split_once('=') else { return };
        if name == "default" {
            self.defaults.push(value.to_owned() + &show(rest));
        }
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return;
        }
        let mut parts = vec![Part::Text(value.to_owned())];
        parts.extend_from_slice(rest);
        let values = self.expand(&parts);
        let known = self.values.entry(name.to_owned()).or_default();
        for value in values {
            if known.len() < WAYS {
                known.insert(value);
            }
        }
    }

    /// All texts that a word can be; an unknown variable stays as `$name`.
    fn expand(&self, word: &[Part]) -> Vec<String> {
        let mut texts = vec![String::new()];
        for part in word {
            let choices: Vec<String> = match part {
                Part::Text(text) => vec![text.clone()],
                Part::Variable(name) => match self.values.get(name) {
                    Some(values) => values.iter().cloned().collect(),
                    None => vec![format!("${name}")],
                },
            };
            texts = texts
                .iter()
                .flat_map(|text| choices.iter().map(move |choice| format!("{text}{choice}")))
                // A variable whose value grows with each use must not grow for ever.
                .filter(|text| text.len() <= 4096)
                .take(WAYS)
                .collect();
        }
        texts
    }

    /// Runs a menu entry (or the top of the file), and those within it.
    fn entry(&self, title: &str, body: &[Statement], found: &mut Found) -> Result<(), Fault> {
        let ways = self.run(body, BTreeSet::from([Way::default()]), found, 0)?;
        for way in ways {
            if !way.kernel.is_empty() {
                found.raw.push(Raw {
                    line: way.line,
                    title: title.to_owned(),
                    kernel: way.kernel,
                    initrds: way.initrds,
                    options: way.options,
                    menu: found.menu.clone(),
                });
            }
        }
        Ok(())
    }

    fn run(
        &self,
        body: &[Statement],
        mut ways: BTreeSet<Way>,
        found: &mut Found,
        calls: usize,
    ) -> Result<BTreeSet<Way>, Fault> {
        for statement in body {
            self.steps.set(self.steps.get() + ways.len().max(1));
            if self.steps.get() > STEPS {
                return Err((1, format!("more than {STEPS} statements to run")));
            }
            match statement {
                Statement::Function { .. } => {}
                Statement::Menu { level, body, kind } => {
                    // A submenu's own commands run before its entries; none of both leaks out.
                    let title = if *kind == Menu::Submenu { "" } else { &level.title };
                    let count = match found.counts.last_mut() {
                        Some(count) => count,
                        None => {
                            found.counts.push(0);
                            &mut found.counts[0]
                        }
                    };
                    let index = *count;
                    *count += usize::from(*kind != Menu::Hidden);
                    found.menu.push(Level { index, ..level.clone() });
                    found.counts.push(0);
                    self.entry(title, body, found)?;
                    found.counts.pop();
                    found.menu.pop();
                }
                Statement::Either(branches) => {
                    let mut after = BTreeSet::new();
                    for branch in branches {
                        after.extend(self.run(branch, ways.clone(), found, calls)?);
                    }
                    ways = after;
                }
                Statement::Command { line, words } => {
                    ways = self.command(*line, words, ways, found, calls)?;
                }
            }
            if ways.len() > WAYS {
                let line = ways.iter().map(|way| way.line).max().unwrap_or(1);
                return Err((line, format!("more than {WAYS} ways through one boot entry")));
            }
        }
        Ok(ways)
    }

    fn command(
        &self,
        line: usize,
        words: &[Vec<Part>],
        ways: BTreeSet<Way>,
        found: &mut Found,
        calls: usize,
    ) -> Result<BTreeSet<Way>, Fault> {
        let Some((name, arguments)) = words.split_first() else { return Ok(ways) };
        let Some(name) = plain(name) else { return Ok(ways) };
        let mut files =
            arguments.iter().skip_while(|word| plain(word).is_some_and(|text| text.starts_with("--")));
        match name {
            "linux" | "linux16" | "linuxefi" => {
                let Some(kernel) = files.next() else { return Ok(ways) };
                let options: Vec<String> = files.map(|word| self.expand(word).join(" ")).collect();
                let options = options.join(" ");
                let kernels = self.expand(kernel);
                // Whatever was loaded before is forgotten.
                Ok(kernels
                    .into_iter()
                    .map(|kernel| Way { line, kernel, options: options.clone(), initrds: Vec::new() })
                    .collect())
            }
            "initrd" | "initrd16" | "initrdefi" => {
                let mut files: Vec<&Vec<Part>> = files.collect();
                // A word that is one unset variable is nothing.
                files.retain(
                    |word| !matches!(&word[..], [Part::Variable(name)] if !self.values.contains_key(name)),
                );
                Ok(self.load(&files, ways))
            }
            // Xen: the first module is the kernel, the second its initramfs.
            "module" | "module2" | "xen_module" => {
                let Some(file) = files.next() else { return Ok(ways) };
                let options = files.map(|word| show(word)).collect::<Vec<_>>().join(" ");
                let mut after = BTreeSet::new();
                for way in ways {
                    for name in self.expand(file) {
                        let mut way = way.clone();
                        if way.kernel.is_empty() {
                            (way.line, way.kernel, way.options) = (line, name, options.clone());
                        } else {
                            way.initrds.push(name);
                        }
                        after.insert(way);
                    }
                }
                Ok(after)
            }
            "blscfg" => {
                found.reads_entries = true;
                Ok(ways)
            }
            "chainloader" => {
                for word in files {
                    found.chained.extend(self.expand(word));
                }
                Ok(ways)
            }
            name => match self.functions.get(name) {
                Some(body) if calls < CALLS => self.run(body, ways, found, calls + 1),
                _ => Ok(ways),
            },
        }
    }

    fn load(&self, files: &[&Vec<Part>], ways: BTreeSet<Way>) -> BTreeSet<Way> {
        let mut ways = ways;
        // A new `initrd` command replaces what an earlier one loaded.
        ways = ways.into_iter().map(|way| Way { initrds: Vec::new(), ..way }).collect();
        for file in files {
            let names = self.expand(file);
            ways = ways
                .iter()
                .flat_map(|way| {
                    names.iter().map(move |name| {
                        let mut way = way.clone();
                        way.initrds.push(name.clone());
                        way
                    })
                })
                .take(WAYS + 1)
                .collect();
        }
        ways
    }
}
