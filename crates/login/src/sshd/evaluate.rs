//! What sshd would make of its configuration: Include, first value wins, Match blocks.
//!
//! Follows `process_server_config_line_depth` of servconf.c. sshd reads everything twice: once for
//! the global values, where `Match` lines (but `Match all`) switch lines off, and once per
//! connection, where only lines in matching blocks count; what those set replaces the global value.

use super::{BEGIN, DROP_IN, END, Kind, Version, include, keywords, pattern, value, words};
use crate::files::{Fault, Files, Kind as FileKind};

/// The main file.
pub const MAIN_FILE: &str = "/etc/ssh/sshd_config";

/// `SERVCONF_MAX_DEPTH`.
const DEPTH_LIMIT: usize = 16;

/// Files read in all, repeated ones counted; sshd has no such limit, but sixteen levels of two
/// Includes each would be 65536.
const FILE_LIMIT: usize = 2048;

/// A configuration file is no longer than this.
const SIZE_LIMIT: u64 = 1 << 20;

/// All of them together, repeated ones counted.
const ALL_LIMIT: usize = 16 << 20;

/// A place in a file of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path as sshd opens it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One line that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The word after aliases, as the manual spells it.
    pub keyword: &'static str,
    /// The word as written.
    pub written: String,
    /// The value split into words.
    pub words: Vec<String>,
    /// The value as written.
    pub value: String,
    /// Where it stands.
    pub place: Place,
    /// The block it belongs to, an index into [`Config::blocks`]; `None`: global.
    pub block: Option<usize>,
    /// It stands in our file, or between our marks.
    pub ours: bool,
}

/// A `Match` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchBlock {
    /// The criteria as written.
    pub criteria: String,
    words: Vec<String>,
    /// Where the line stands.
    pub place: Place,
    /// The block around the Include that brought this line in.
    parent: Option<usize>,
}

/// Something on which sshd stops, or that it only grumbles about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, one sentence.
    pub what: String,
    /// The word of a directive that this release should not know, and perhaps does all the same.
    pub unknown_word: Option<String>,
}

/// What is known of a connection when `Match` is decided. Unknown things match nothing.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The user's name.
    pub user: Option<String>,
    /// The names of all groups of the user.
    pub groups: Vec<String>,
    /// The client's name.
    pub host: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The server's address.
    pub local_address: Option<String>,
    /// The server's port.
    pub local_port: Option<u16>,
    /// An index into [`Config::blocks`]: what this one demands of names, addresses and ports is taken to be met, so
    /// that it matches whatever user of its own comes from there.
    pub from_block: Option<usize>,
}

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    version: Version,
    /// All lines that set something, in the order sshd reads them.
    pub settings: Vec<Setting>,
    /// All `Match` lines, in that order.
    pub blocks: Vec<MatchBlock>,
    /// The Include lines of the main file outside of blocks: their arguments, and how many of
    /// `settings` were read before.
    pub includes: Vec<(Vec<String>, usize)>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    files: usize,
    bytes: usize,
}

impl Config {
    /// Reads `/etc/ssh/sshd_config` and everything it includes. A missing main file is empty.
    ///
    /// # Errors
    /// A file cannot be read, or Includes go on without end.
    pub fn load<F: Files>(files: &F, version: Version) -> Result<Self, F::Error> {
        Self::load_from(files, version, MAIN_FILE)
    }

    pub(super) fn load_from<F: Files>(files: &F, version: Version, main: &str) -> Result<Self, F::Error> {
        Self::load_started(files, version, &[], main)
    }

    /// What sshd makes of `main` when it is started with `options`: the lines of its `-o`, and where each of
    /// them stands. They are read first, so they win.
    ///
    /// # Errors
    /// A file cannot be read, or Includes go on without end.
    pub fn load_started<F: Files>(
        files: &F,
        version: Version,
        options: &[(String, Place)],
        main: &str,
    ) -> Result<Self, F::Error> {
        let mut config = Self {
            version,
            settings: Vec::new(),
            blocks: Vec::new(),
            includes: Vec::new(),
            problems: Vec::new(),
            files: 0,
            bytes: 0,
        };
        for (text, place) in options {
            // Its Includes are none of the main file's.
            let mut state = FileState { outer: None, block: None, depth: 1, ours: false };
            if let Some(line) = words::line(text) {
                config.read_line(files, &line, place.clone(), &mut state)?;
            }
        }
        config.read_file(files, main, None, 0)?;
        config.check_any();
        Ok(config)
    }

    /// The lines that decide the global value: one, or all where lines add up. Empty: the default.
    #[must_use]
    pub fn global(&self, keyword: &str) -> Vec<&Setting> {
        self.deciding(keyword, |block| block.is_none_or(|block| self.is_always(block)))
    }

    /// The lines that decide the value for one connection.
    #[must_use]
    pub fn for_connection(&self, keyword: &str, connection: &Connection) -> Vec<&Setting> {
        // Of the second reading sshd takes over only what may stand in a block; `Match all` lets
        // everything stand in it.
        let taken_over = keywords::canonical(keyword, self.version)
            .is_some_and(|word| word.allowed_in_match(self.version));
        let matched = self.deciding(keyword, |block| {
            taken_over && block.is_some_and(|block| self.matches(block, connection, false))
        });
        if matched.is_empty() { self.global(keyword) } else { matched }
    }

    /// Lines in `Match` blocks (`Match all` too: it replaces the global value of a connection), none
    /// for words that take no effect there.
    pub fn overrides(&self, keyword: &str) -> impl Iterator<Item = &Setting> {
        let name = keywords::canonical(keyword, self.version)
            .filter(|keyword| keyword.allowed_in_match(self.version))
            .map(|keyword| keyword.name);
        self.settings.iter().filter(move |setting| setting.block.is_some() && Some(setting.keyword) == name)
    }

    /// The release whose rules were applied.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    fn deciding(&self, keyword: &str, counts: impl Fn(Option<usize>) -> bool) -> Vec<&Setting> {
        let Some(keyword) = keywords::canonical(keyword, self.version) else { return Vec::new() };
        let lines =
            self.settings.iter().filter(|setting| setting.keyword == keyword.name && counts(setting.block));
        if keyword.kind == Kind::Subsystem {
            let mut seen: Vec<&Setting> = Vec::new();
            for line in lines {
                if !seen.iter().any(|earlier| earlier.words.first() == line.words.first()) {
                    seen.push(line);
                }
            }
            return seen;
        }
        if keyword.adds_up() { lines.collect() } else { lines.take(1).collect() }
    }

    /// `Match all`, not inside another block: its lines are read as global ones too.
    fn is_always(&self, block: usize) -> bool {
        let block = &self.blocks[block];
        matches!(&block.words[..], [all] if all.eq_ignore_ascii_case("all"))
            && block.parent.is_none_or(|parent| self.is_always(parent))
    }

    fn matches(&self, index: usize, connection: &Connection, met: bool) -> bool {
        let block = &self.blocks[index];
        let met = met || connection.from_block == Some(index);
        block.parent.is_none_or(|parent| self.matches(parent, connection, met))
            && criteria_match(&block.words, connection, met)
    }

    fn read_file<F: Files>(
        &mut self,
        files: &F,
        file: &str,
        outer: Option<usize>,
        depth: usize,
    ) -> Result<(), F::Error> {
        self.files += 1;
        let Some(content) = files.read(file, SIZE_LIMIT)? else { return Ok(()) };
        self.bytes = self.bytes.saturating_add(content.len());
        if self.bytes > ALL_LIMIT {
            return Err(endless(&Place { file: file.to_owned(), line: 1 }).into());
        }
        // What sshd compares are bytes; what is not UTF-8 can only stand in comments and values.
        let text = String::from_utf8_lossy(&content);
        let mut state = FileState { outer, block: outer, depth, ours: file == DROP_IN };
        for (number, text) in text.split('\n').enumerate() {
            if depth == 0 && text.starts_with(BEGIN) {
                state.ours = true;
            } else if depth == 0 && text.starts_with(END) {
                state.ours = false;
            }
            let Some(line) = words::line(text) else { continue };
            let place = Place { file: file.to_owned(), line: number + 1 };
            self.read_line(files, &line, place, &mut state)?;
        }
        Ok(())
    }

    fn read_line<F: Files>(
        &mut self,
        files: &F,
        line: &words::Line<'_>,
        place: Place,
        state: &mut FileState,
    ) -> Result<(), F::Error> {
        let keyword = keywords::find(&line.keyword).filter(|keyword| keyword.known_to(self.version));
        let Some(keyword) = keyword else {
            let what =
                format!("OpenSSH {} does not know {:?} and does not start", self.version, line.keyword);
            // A release that is newer than the table may know more; one that is older than the word
            // has perhaps got it by a patch.
            let is_word = line.keyword.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let doubtful =
                is_word && (self.version > keywords::NEWEST || keywords::find(&line.keyword).is_some());
            let unknown_word = doubtful.then(|| line.keyword.to_string());
            self.problems.push(Problem { place, what, unknown_word });
            return Ok(());
        };
        let Some(words) = words::words(line.rest) else {
            self.problem(place, format!("{}: a quote is not closed; sshd does not start", keyword.name));
            return Ok(());
        };
        if words.is_empty() {
            self.problem(place, format!("{}: no value; sshd does not start", keyword.name));
            return Ok(());
        }
        match keyword.name {
            "Match" => {
                let words: Vec<String> = words.iter().flat_map(|word| split_criterion(word)).collect();
                if let Some(what) = criteria_fault(&words) {
                    self.problem(place.clone(), format!("Match: {what}; sshd does not start"));
                }
                self.blocks.push(MatchBlock {
                    criteria: line.rest.to_owned(),
                    words,
                    place,
                    parent: state.outer,
                });
                state.block = Some(self.blocks.len() - 1);
            }
            "Include" => {
                if state.block.is_none() && state.depth == 0 {
                    self.includes.push((words.clone(), self.settings.len()));
                }
                for argument in &words {
                    if include::is_doubtful(argument) {
                        self.problem(
                            place.clone(),
                            format!("Include {argument}: nobody can say here which files that names"),
                        );
                        continue;
                    }
                    for file in include::expand(files, argument)? {
                        let kind = files.kind(&file)?;
                        if kind.is_none() {
                            self.problem(
                                place.clone(),
                                format!("includes {file}, a link to nowhere; sshd does not start"),
                            );
                        } else if kind == Some(FileKind::Regular) {
                            if state.depth >= DEPTH_LIMIT || self.files >= FILE_LIMIT {
                                return Err(endless(&place).into());
                            }
                            self.read_file(files, &file, state.block, state.depth + 1)?;
                        }
                    }
                }
            }
            _ if keyword.without_effect(self.version) => {}
            _ => {
                let target = keywords::canonical(keyword.name, self.version).unwrap_or(keyword);
                let always = state.block.is_some_and(|block| self.is_always(block));
                if state.block.is_some() && !always && !keyword.allowed_in_match(self.version) {
                    let what =
                        format!("{} is not allowed in a Match block; sshd does not start", keyword.name);
                    self.problem(place.clone(), what);
                }
                // Of these kinds every value is known in every release.
                if matches!(keyword.kind, Kind::Flag | Kind::RootLogin | Kind::Methods)
                    && let Some(fault) = value::fault(keyword, line.rest, self.version)
                {
                    self.problem(place.clone(), format!("{}: {fault}; sshd does not start", keyword.name));
                }
                self.settings.push(Setting {
                    keyword: target.name,
                    written: line.keyword.to_string(),
                    words,
                    value: line.rest.to_owned(),
                    place,
                    block: state.block,
                    ours: state.ours,
                });
            }
        }
        Ok(())
    }

    fn problem(&mut self, place: Place, what: String) {
        self.problems.push(Problem { place, what, unknown_word: None });
    }

    /// `AuthenticationMethods any` next to, or after, another value stops the releases before 9.5
    /// or so from starting, in a `Match` block too (seen on 9.2).
    fn check_any(&mut self) {
        let mut problems = Vec::new();
        let mut methods = false;
        for setting in self.settings.iter().filter(|setting| setting.keyword == "AuthenticationMethods") {
            let any = setting.words.iter().any(|word| word == "any");
            if any && (methods || setting.words.len() > 1) {
                problems.push(setting.place.clone());
            }
            methods |= setting.block.is_none();
        }
        for place in problems {
            self.problem(
                place,
                "AuthenticationMethods any beside another value stops sshd from starting".to_owned(),
            );
        }
    }
}

/// Where the reader is in one file.
struct FileState {
    /// The block around the Include that named the file.
    outer: Option<usize>,
    /// The block that the next line belongs to.
    block: Option<usize>,
    depth: usize,
    ours: bool,
}

/// `user=bob` is `user bob` (before 8.7 by strdelim, again since 10).
fn split_criterion(word: &str) -> Vec<String> {
    const CRITERIA: &[&str] = &["user", "group", "host", "address", "localaddress", "localport", "rdomain"];
    match word.split_once('=') {
        Some((name, value)) if CRITERIA.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
            vec![name.to_owned(), value.to_owned()]
        }
        _ => vec![word.to_owned()],
    }
}

/// What sshd says about the criteria of a `Match` line that it cannot read.
fn criteria_fault(words: &[String]) -> Option<String> {
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.to_ascii_lowercase().as_str() {
            "all" if words.len() > 1 => return Some("\"all\" must stand alone".to_owned()),
            "all" | "invalid-user" => {}
            "user" | "group" | "host" | "address" | "localaddress" | "localport" | "rdomain" | "version" => {
                if rest.next().is_none_or(String::is_empty) {
                    return Some(format!("{word:?} has no argument"));
                }
            }
            _ => return Some(format!("{word:?} is no criterion")),
        }
    }
    None
}

/// Files that include each other.
fn endless(place: &Place) -> Fault {
    Fault {
        path: place.file.clone(),
        line: Some(place.line),
        what: format!(
            "Include goes deeper than {DEPTH_LIMIT} levels or names more than {FILE_LIMIT} files, as files do that \
             include each other; sshd would not start. Take the line out"
        ),
    }
}

/// `met`: what is not about the user matches.
fn criteria_match(words: &[String], connection: &Connection, met: bool) -> bool {
    let mut words = words.iter();
    let mut result = true;
    while let Some(criterion) = words.next() {
        match criterion.to_ascii_lowercase().as_str() {
            "all" => return true,
            // Nobody asks about users that do not exist.
            "invalid-user" => {
                result = false;
                continue;
            }
            _ => {}
        }
        let Some(argument) = words.next() else { return false };
        let in_list =
            |text: &Option<String>| text.as_deref().is_some_and(|text| pattern::in_list(text, argument));
        result &= match criterion.to_ascii_lowercase().as_str() {
            "user" => in_list(&connection.user),
            "group" => connection.groups.iter().any(|group| pattern::in_list(group, argument)),
            _ if met => true,
            "host" => connection.host.as_deref().is_some_and(|host| {
                pattern::in_list(&host.to_ascii_lowercase(), &argument.to_ascii_lowercase())
            }),
            "address" => connection
                .address
                .as_deref()
                .is_some_and(|address| pattern::address_in_list(address, argument)),
            "localaddress" => connection
                .local_address
                .as_deref()
                .is_some_and(|address| pattern::address_in_list(address, argument)),
            "localport" => connection.local_port.is_some_and(|port| argument.parse() == Ok(port)),
            _ => false,
        };
    }
    result
}
