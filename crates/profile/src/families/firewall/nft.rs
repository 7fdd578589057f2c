//! What nft(8) would make of files, as far as chains and their rules go.

use hardtack_guest::Stage;
use hardtack_report::Place;

use crate::Error;
use crate::merged::{self, names};

/// Longer files, more files and more statements are not looked at.
const FILE_LIMIT: u64 = 1 << 20;
const MOST_FILES: usize = 64;
const MOST_STATEMENTS: usize = 20_000;
const MOST_DEPTH: usize = 8;

/// One chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// "inet", "ip", "ip6".
    pub(super) family: String,
    pub(super) table: String,
    pub(super) name: String,
    /// "input", for a base chain of type filter.
    pub(super) hook: Option<String>,
    pub(super) drops: bool,
    pub(super) rules: Vec<Statement>,
    pub(super) place: Option<Place>,
}

/// One statement, with single blanks.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) place: Place,
}

/// All chains.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) chains: Vec<Chain>,
    /// Where all tables of everybody are taken away.
    pub(super) flush: Option<Place>,
    defines: Vec<(String, String)>,
    sets: Vec<Set>,
    statements: usize,
    files: usize,
}

/// A set with a name.
#[derive(Clone, Debug, Default)]
struct Set {
    family: String,
    table: String,
    name: String,
    elements: Option<Vec<String>>,
    /// Elements come while the machine runs.
    dynamic: bool,
}

/// A block that is open.
enum Block {
    Table(String, String),
    Chain(Box<Chain>),
    Set(Box<Set>),
    Other,
}

impl Rules {
    /// Reads these files one after the other, and what they include.
    pub(super) fn read(stage: &Stage<'_>, paths: &[String]) -> Result<Self, Error> {
        let mut rules = Self::default();
        for path in paths {
            rules.file(stage, path, 0)?;
        }
        Ok(rules)
    }

    /// The base chains of this hook.
    pub(super) fn at<'a>(&'a self, hook: &'a str) -> impl Iterator<Item = &'a Chain> {
        self.chains.iter().filter(move |chain| chain.hook.as_deref() == Some(hook))
    }

    /// What a set of the chain's table holds, if that stands in a file.
    pub(super) fn elements(&self, chain: &Chain, name: &str) -> Option<&[String]> {
        let is_it = |set: &&Set| set.name == name && set.family == chain.family && set.table == chain.table;
        self.sets.iter().rev().find(is_it).filter(|set| !set.dynamic)?.elements.as_deref()
    }

    /// The chain of this name beside another one.
    pub(super) fn beside(&self, chain: &Chain, name: &str) -> Option<&Chain> {
        let is_it = |one: &&Chain| one.name == name && one.family == chain.family && one.table == chain.table;
        self.chains.iter().find(is_it)
    }

    fn file(&mut self, stage: &Stage<'_>, path: &str, depth: usize) -> Result<(), Error> {
        self.files += 1;
        if depth > MOST_DEPTH || self.files > MOST_FILES {
            merged::overlooked(path, format!("{path}: files include each other without end"));
            return Ok(());
        }
        let Some(bytes) = merged::bytes(stage, path, FILE_LIMIT) else { return Ok(()) };
        for include in self.text(path, &String::from_utf8_lossy(&bytes)) {
            let path = if include.starts_with('/') { include } else { format!("/etc/{include}") };
            match path.rsplit_once("/*") {
                Some((directory, suffix)) if !directory.contains('*') => {
                    for name in names(stage, directory)?.iter().filter(|name| name.ends_with(suffix)) {
                        self.file(stage, &format!("{directory}/{name}"), depth + 1)?;
                    }
                }
                _ => self.file(stage, &path, depth + 1)?,
            }
        }
        Ok(())
    }

    /// Takes in a text; the files that it includes, which come behind it.
    fn text(&mut self, path: &str, text: &str) -> Vec<String> {
        let mut includes = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        let (mut statement, mut started, mut line) = (String::new(), 1, 1);
        let (mut inline, mut quoted, mut comment) = (0_u32, false, false);
        let mut previous = '\n';
        for c in text.chars().chain(['\n']) {
            let at = line;
            if c == '\n' {
                line += 1;
                comment = false;
                quoted = false;
            }
            if comment {
                continue;
            }
            match c {
                '"' => quoted = !quoted,
                '#' if !quoted => {
                    comment = true;
                    continue;
                }
                '{' if !quoted => {
                    let opened = if inline == 0 { block(&blocks, &statement, path, at) } else { None };
                    if let Some(opened) = opened {
                        blocks.push(opened);
                        statement.clear();
                        continue;
                    }
                    inline += 1;
                }
                '}' if !quoted && inline > 0 => inline -= 1,
                '}' if !quoted => {
                    self.statement(&mut blocks, &mut statement, path, started, &mut includes);
                    match blocks.pop() {
                        Some(Block::Chain(chain)) => self.chains.push(*chain),
                        Some(Block::Set(set)) => self.sets.push(*set),
                        _ => {}
                    }
                    continue;
                }
                '\n' if previous == '\\' => {
                    statement.pop();
                    statement.push(' ');
                    previous = ' ';
                    continue;
                }
                '\n' | ';' if !quoted && inline == 0 => {
                    self.statement(&mut blocks, &mut statement, path, started, &mut includes);
                    previous = c;
                    continue;
                }
                _ => {}
            }
            if statement.is_empty() {
                started = at;
            }
            if !(statement.is_empty() && c.is_whitespace()) {
                statement.push(if c == '\n' { ' ' } else { c });
            }
            previous = c;
        }
        includes
    }

    fn statement(
        &mut self,
        blocks: &mut [Block],
        statement: &mut String,
        path: &str,
        line: usize,
        includes: &mut Vec<String>,
    ) {
        let text = std::mem::take(statement).split_whitespace().collect::<Vec<_>>().join(" ");
        self.statements += 1;
        if self.statements > MOST_STATEMENTS {
            merged::overlooked(path, format!("{path}: more than {MOST_STATEMENTS} statements"));
            return;
        }
        if text.is_empty() {
            return;
        }
        let place = Place { path: path.to_owned(), line: Some(line) };
        match blocks.last_mut() {
            Some(Block::Chain(chain)) => chain.take(self.defined(&text), place),
            Some(Block::Set(set)) => {
                let text = self.defined(&text);
                match text.split_once('=') {
                    Some((key, list)) if key.trim() == "elements" => {
                        let list = list.trim().trim_start_matches('{').trim_end_matches('}').split(',');
                        let elements = list.map(|element| element.trim().to_owned());
                        set.elements = Some(elements.filter(|element| !element.is_empty()).collect());
                    }
                    _ => set.dynamic |= text.contains("dynamic"),
                }
            }
            Some(_) => {}
            None if text == "flush ruleset" => {
                self.chains.clear();
                self.flush = Some(place);
            }
            None => {
                let mut words = text.splitn(2, ' ');
                match (words.next(), words.next()) {
                    (Some("include"), Some(what)) => includes.push(what.trim_matches('"').to_owned()),
                    (Some("define" | "redefine"), Some(rest)) => {
                        if let Some((name, value)) = rest.split_once('=') {
                            self.defines.push((format!("${}", name.trim()), value.trim().to_owned()));
                        }
                    }
                    (Some("delete" | "flush" | "destroy"), Some(rest)) if rest.starts_with("table ") => {
                        let (family, table) = table(&rest[6..]);
                        self.chains.retain(|chain| chain.family != family || chain.table != table);
                    }
                    _ => {}
                }
            }
        }
    }

    fn defined(&self, text: &str) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        let value = |word: &str| {
            let found = self.defines.iter().rev().find(|(name, _)| name == word);
            found.map_or_else(|| word.to_owned(), |(_, value)| value.clone())
        };
        text.split(' ').map(value).collect::<Vec<_>>().join(" ")
    }
}

/// The block that begins with `head`, if it is one and not a list of values.
fn block(blocks: &[Block], head: &str, path: &str, line: usize) -> Option<Block> {
    let mut words = head.split_whitespace();
    let mut first = words.next()?;
    if first == "add" {
        first = words.next()?;
    }
    match (blocks.last(), first) {
        (None, "table") => {
            let rest: Vec<&str> = words.collect();
            let (family, table) = table(&rest.join(" "));
            Some(Block::Table(family, table))
        }
        (Some(Block::Table(family, table)), "set") => Some(Block::Set(Box::new(Set {
            family: family.clone(),
            table: table.clone(),
            name: words.next().unwrap_or_default().to_owned(),
            ..Set::default()
        }))),
        (Some(Block::Table(family, table)), "chain") => Some(Block::Chain(Box::new(Chain {
            family: family.clone(),
            table: table.clone(),
            name: words.next().unwrap_or_default().to_owned(),
            place: Some(Place { path: path.to_owned(), line: Some(line) }),
            ..Chain::default()
        }))),
        (_, "set" | "map" | "flowtable" | "counter" | "quota" | "limit" | "secmark" | "ct" | "synproxy")
            if !matches!(blocks.last(), Some(Block::Chain(_))) =>
        {
            Some(Block::Other)
        }
        _ => None,
    }
}

/// `[family] name`; the family is ip where nothing is said.
fn table(words: &str) -> (String, String) {
    match words.split_once(' ') {
        Some((family, name)) => (family.to_owned(), name.trim().to_owned()),
        None => ("ip".to_owned(), words.trim().to_owned()),
    }
}

impl Chain {
    fn take(&mut self, text: String, place: Place) {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["type", kind, "hook", hook, ..] => {
                self.hook = (*kind == "filter").then(|| (*hook).to_owned());
            }
            ["policy", policy] => self.drops = *policy == "drop",
            _ => self.rules.push(Statement { text, place }),
        }
    }

    /// It sees packets of IPv4.
    pub(super) fn is_v4(&self) -> bool {
        self.family == "inet" || self.family == "ip"
    }

    /// It sees packets of IPv6.
    pub(super) fn is_v6(&self) -> bool {
        self.family == "inet" || self.family == "ip6"
    }
}

impl Statement {
    /// What it does in the end: its last word.
    pub(super) fn verdict(&self) -> &str {
        self.text.rsplit(' ').next().unwrap_or_default()
    }

    /// It lets everything pass, whatever it is.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.text.as_str(), "accept" | "counter accept")
    }

    /// It is about this port of TCP.
    pub(super) fn is_about(&self, port: u16) -> bool {
        let Some((_, rest)) = self.text.split_once("dport ") else { return false };
        if rest.starts_with("!=") {
            return false;
        }
        let values = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest.split(' ').next().unwrap_or_default(),
        };
        values.split(',').map(str::trim).any(|value| match value.split_once('-') {
            Some((from, to)) => match (number(from), number(to)) {
                (Some(from), Some(to)) => (from..=to).contains(&port),
                _ => false,
            },
            None => number(value) == Some(port),
        })
    }
}

/// A port, also by the names that most rules use.
pub(super) fn number(word: &str) -> Option<u16> {
    match word.trim() {
        "ssh" => Some(22),
        "domain" => Some(53),
        "http" => Some(80),
        "https" => Some(443),
        digits => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;

    fn of(text: &str) -> Rules {
        let mut rules = Rules::default();
        rules.text("/etc/nftables.conf", text);
        rules
    }

    #[test]
    fn chains_rules_and_lists_are_told_apart() {
        let rules = of("#!/usr/sbin/nft -f\nflush ruleset\ndefine p = { 22,\n 2222 }\n\
                        table inet filter { # ours }\n  set a { type ipv4_addr; elements = { 10.0.0.1 } }\n\
                        \tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\
                        \t\tiif \"lo\" accept\n\t\ttcp dport $p log prefix \"a } b # c\" \\\n\t\taccept\n\t}\n\
                        chain named { counter drop }\n}\n");
        assert_eq!(rules.flush.as_ref().unwrap().line, Some(2));
        let input = rules.at("input").next().unwrap();
        assert!(input.drops && input.is_v4() && input.is_v6());
        let texts: Vec<&str> = input.rules.iter().map(|rule| rule.text.as_str()).collect();
        assert_eq!(texts, ["iif \"lo\" accept", "tcp dport { 22, 2222 } log prefix \"a } b # c\" accept"]);
        assert!(input.rules[1].is_about(2222) && !input.rules[1].is_about(23));
        assert_eq!((input.rules[1].verdict(), input.rules[1].place.line), ("accept", Some(10)));
        assert_eq!(rules.chains.len(), 2);
    }

    #[test]
    fn damage_ends_somewhere() {
        for text in ["}", "}}}{{{", "table inet a {", "\"", "table { chain {", "chain x { accept", "\\\n"] {
            let _ = of(text);
            let _ = of(&text.repeat(5000));
        }
    }

    #[test]
    fn a_table_that_is_deleted_is_gone() {
        let text = "table ip a { chain i { type filter hook input priority 0; } }\n";
        assert_eq!(of(&format!("{text}delete table ip a\n")).chains.len(), 0);
        assert_eq!(of(&format!("delete table ip a\n{text}")).chains.len(), 1);
    }
}
