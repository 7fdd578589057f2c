//! Typed access to the nodes of a recipe. Every misfit becomes a finding and reading goes on.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hardtack_yaml::{Diagnostic, Kind, Node, Span, Value, did_you_mean};

use super::error::{Class, LoadError};
use super::host::{FILE_LIMIT, HostFiles};
use crate::model::Content;

/// Reads one recipe and gathers what is wrong with it.
pub struct Reader<'a> {
    /// The recipe's files; the first one is the one that is built.
    sources: Vec<Source>,
    /// The file that is being read: its directory is where relative paths start.
    current: usize,
    /// Secret texts that were put together; see [`Reader::keep`].
    kept: Vec<String>,
    /// Where text stands that came from outside of a file, and may be meant as a number.
    pub(super) loose: HashSet<usize>,
    /// Where a value stands for one that could not be had, which was told.
    pub(super) wrong: HashSet<usize>,
    env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) files: &'a dyn HostFiles,
    pub(super) findings: Vec<(Class, Diagnostic)>,
    pub(super) warnings: Vec<Diagnostic>,
    /// Parts of the text that no picture may show.
    pub(super) masks: Vec<Range<usize>>,
    /// A step `mfa` stands in the recipe.
    pub(super) asks_for_codes: bool,
}

/// One file of a recipe. Places in it start at `base`, so that a place tells its file.
pub(super) struct Source {
    /// As the user knows it.
    pub(super) name: String,
    path: PathBuf,
    /// The path without detours.
    plain: PathBuf,
    pub(super) text: String,
    pub(super) base: usize,
    /// Parts of the text that no picture may show.
    pub(super) masks: Vec<Range<usize>>,
}

impl Source {
    fn new(path: &Path, plain: &Path, text: &str, base: usize) -> Self {
        Self {
            name: path.to_string_lossy().into_owned(),
            path: path.to_path_buf(),
            plain: plain.to_path_buf(),
            text: text.to_owned(),
            base,
            masks: Vec::new(),
        }
    }

    /// The file that a place is in.
    pub(super) fn of(sources: &[Self], start: usize) -> Option<&Self> {
        sources.iter().rev().find(|source| source.base <= start)
    }
}

/// The settings of one mapping, all keys known, none twice.
pub struct Fields<'n> {
    what: String,
    pairs: Vec<(&'n str, &'n Node, &'n Node)>,
    /// Keys that a misspelt one is probably meant for.
    meant: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.pairs.iter().find(|(name, ..)| *name == key).map(|(.., value)| *value)
    }

    /// Where the key `key` stands.
    pub(super) fn key_span(&self, key: &str) -> Option<Span> {
        self.pairs.iter().find(|(name, ..)| *name == key).map(|(_, key, _)| key.span)
    }

    /// All pairs in the order written: name, key, value.
    pub fn pairs(&self) -> &[(&'n str, &'n Node, &'n Node)] {
        &self.pairs
    }
}

impl<'a> Reader<'a> {
    /// Reads `text`, whose file is `path`. `env` and `files` are asked for what it refers to.
    pub fn new(
        path: &Path,
        text: &str,
        env: &'a dyn Fn(&str) -> Option<String>,
        files: &'a dyn HostFiles,
    ) -> Self {
        Self {
            sources: vec![Source::new(path, path, text, 0)],
            current: 0,
            kept: Vec::new(),
            loose: HashSet::new(),
            wrong: HashSet::new(),
            env,
            files,
            findings: Vec::new(),
            warnings: Vec::new(),
            masks: Vec::new(),
            asks_for_codes: false,
        }
    }

    /// All of the text; none, and a finding, where it is no YAML.
    pub fn document(&mut self) -> Option<Node> {
        super::include::parse(self, 0)
    }

    /// What was read, if nothing was wrong with it.
    ///
    /// # Errors
    /// All findings, with their places.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, LoadError> {
        let (sources, findings, _) = self.into_sources();
        match read {
            Some(read) if findings.is_empty() => Ok(read),
            _ => Err(LoadError::new(sources, findings)),
        }
    }

    /// A diagnostic that is no finding yet.
    pub(super) fn diagnostic(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.file_at(span), span, message)
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.wrong.contains(&diagnostic.span.start) {
            return;
        }
        self.findings.push((Class::Usage, diagnostic));
    }

    /// Something is wrong there.
    pub fn error(&mut self, span: Span, message: impl Into<String>) {
        let diagnostic = self.diagnostic(span, message);
        self.report(diagnostic);
    }

    /// The same, with what to do about it.
    pub fn error_hint(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        let diagnostic = self.diagnostic(span, message).with_hint(hint);
        self.report(diagnostic);
    }

    pub(super) fn warn(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.warnings.push(Diagnostic::warning(self.file_at(span), span, message).with_hint(hint));
    }

    /// A file of the host that cannot be had.
    pub(super) fn local(&mut self, span: Span, path: &Path, error: &io::Error) {
        let message = match error.kind() {
            io::ErrorKind::NotFound => format!("{}: no such file or directory", path.display()),
            io::ErrorKind::IsADirectory => {
                format!("{}: is a directory, and a file is needed", path.display())
            }
            _ => format!("{}: {error}", path.display()),
        };
        let hint = "relative paths start from the recipe's directory";
        let hint = (error.kind() == io::ErrorKind::NotFound).then(|| hint.to_owned());
        self.local_hint(span, message, hint);
    }

    /// Something of the host is not as it is needed.
    pub(super) fn local_hint(&mut self, span: Span, message: String, hint: Option<String>) {
        let mut diagnostic = self.diagnostic(span, message);
        if let Some(hint) = hint {
            diagnostic = diagnostic.with_hint(hint);
        }
        self.findings.push((Class::LocalIo, diagnostic));
    }

    /// Where a path of the recipe is on the host.
    pub fn host_path(&self, text: &str) -> PathBuf {
        let directory = self.sources.get(self.current).and_then(|source| source.path.parent());
        directory.unwrap_or(Path::new("")).join(text)
    }

    /// One more file; `plain` is its path for comparison.
    pub(super) fn add_source(&mut self, path: &Path, plain: &Path, text: &str) -> usize {
        let base = self.sources.last().map_or(0, |last| last.base + last.text.len() + 2);
        self.sources.push(Source::new(path, plain, text, base));
        self.sources.len() - 1
    }

    /// Reading goes on in this file.
    pub(super) fn enter(&mut self, source: usize) {
        self.current = source;
    }

    /// A file's name, text, and the place of its first byte.
    pub(super) fn source(&self, index: usize) -> (&str, &str, usize) {
        self.sources.get(index).map_or(("", "", 0), |source| (&source.name, &source.text, source.base))
    }

    /// Where a file is on the host.
    pub(super) fn path_of(&self, index: usize) -> &Path {
        self.sources.get(index).map_or(Path::new(""), |source| &source.path)
    }

    /// True for a file that was read already.
    pub(super) fn has_source(&self, plain: &Path) -> bool {
        self.sources.iter().any(|source| source.plain == plain)
    }

    /// How many files there are.
    pub(super) fn source_count(&self) -> usize {
        self.sources.len()
    }

    /// The files, with what no picture of them may show; nothing can be read afterwards.
    pub(super) fn into_sources(self) -> (Vec<Source>, Vec<(Class, Diagnostic)>, Vec<Diagnostic>) {
        let mut sources = self.sources;
        for source in &mut sources {
            let masks = self.masks.iter().filter(|mask| mask.start >= source.base);
            source.masks =
                masks.map(|mask| mask.start - source.base..mask.end.saturating_sub(source.base)).collect();
            source.masks.extend(super::secrets::textual(&source.text));
        }
        (sources, self.findings, self.warnings)
    }

    pub(super) fn file_at(&self, span: Span) -> String {
        Source::of(&self.sources, span.start).map_or_else(String::new, |source| source.name.clone())
    }

    /// Keeps a secret, and gives the name under which [`Reader::variable`] finds it: one that no
    /// environment variable has.
    pub(super) fn keep(&mut self, text: String) -> String {
        self.kept.push(text);
        format!("={}", self.kept.len() - 1)
    }

    /// The settings in `node`; `what` names it in messages ("step `mfa`").
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&'static str],
    ) -> Option<Fields<'n>> {
        let mut fields = self.open_fields(node, what, known)?;
        for (name, key, _) in &fields.pairs {
            if !known.contains(name) {
                self.unknown(key.span, "key", name, what, known);
                fields.meant.extend(did_you_mean(name, known.iter().copied()));
            }
        }
        Some(fields)
    }

    /// As [`Reader::fields`], with keys that are not listed let through.
    pub fn open_fields<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&'static str],
    ) -> Option<Fields<'n>> {
        if node.is_null() {
            return Some(Fields { what: what.to_owned(), pairs: Vec::new(), meant: Vec::new() });
        }
        let Some(pairs) = node.as_mapping() else {
            let message = format!("{what} takes a mapping, found {}", node.describe());
            let hint = if known.is_empty() {
                "write `key: value`".to_owned()
            } else {
                format!("its keys are {}", list(known))
            };
            self.error_hint(node.span, message, hint);
            return None;
        };
        for (first, again) in node.duplicate_keys() {
            let message = format!("the key `{}` stands twice in {what}", again.text().unwrap_or_default());
            let diagnostic =
                self.diagnostic(again.span, message).with_related(first.span, "the first one is here");
            self.report(diagnostic);
        }
        let mut named: Vec<(&str, &Node, &Node)> = Vec::new();
        for (key, value) in pairs {
            match key.text() {
                Some(name) if !named.iter().any(|(before, ..)| *before == name) => {
                    named.push((name, key, value))
                }
                Some(_) => {}
                None => self.error(key.span, format!("a key of {what} is {}, not a word", key.describe())),
            }
        }
        Some(Fields { what: what.to_owned(), pairs: named, meant: Vec::new() })
    }

    pub(super) fn unknown(&mut self, span: Span, kind: &str, word: &str, what: &str, known: &[&str]) {
        let message = format!("unknown {kind} `{word}` in {what}");
        let hint = match did_you_mean(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", list(known)),
        };
        self.error_hint(span, message, hint);
    }

    /// The value of a key that must be there.
    pub fn required<'n>(&mut self, fields: &Fields<'n>, key: &'static str, at: Span) -> Option<&'n Node> {
        let value = fields.get(key);
        if value.is_none() && !fields.meant.contains(&key) {
            self.error(at, format!("{} needs the key `{key}`", fields.what));
        }
        value
    }

    /// Text: quoted, or plain and not anything else in YAML.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match (node.value(), node.text()) {
            (Ok(Value::Text), Some(text)) => Some(text),
            (Err(reason), Some(_)) => {
                self.error(node.span, format!("`{what}` takes text: {reason}"));
                None
            }
            (_, Some(text)) if self.loose.contains(&node.span.start) => Some(text),
            (Err(_), None) if node.get("env").is_some() => {
                let message = format!("`{what}` is no place for a secret: everybody can see it");
                let hint = "for what is none, use a variable: `vars: {name: {env: NAME}}`, `{var: name}`";
                self.error_hint(node.span, message, hint);
                None
            }
            _ => {
                let message = format!("`{what}` takes text, found {}", node.describe());
                let scalar = node.as_scalar().is_some_and(|scalar| !scalar.text.is_empty());
                let mut diagnostic = self.diagnostic(node.span, message);
                if scalar {
                    diagnostic = diagnostic.with_hint("put it in quotes");
                }
                self.report(diagnostic);
                None
            }
        }
    }

    /// Text that no message shows.
    pub(super) fn hidden(&mut self, node: &Node, what: &str) -> Option<String> {
        self.mask(node);
        match (node.value(), node.text()) {
            (Ok(Value::Text), Some(text)) => Some(text.to_owned()),
            _ => {
                self.error_hint(node.span, format!("`{what}` takes text"), "put it in quotes");
                None
            }
        }
    }

    /// Text that is not empty and of one line.
    pub fn line<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.text(node, what)?;
        if text.is_empty() {
            self.error(node.span, format!("`{what}` is empty"));
            return None;
        }
        if text.contains(|character: char| character.is_control()) {
            self.error(node.span, format!("`{what}` holds a line break or another control character"));
            return None;
        }
        Some(text)
    }

    /// A boolean.
    pub(super) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.value() {
            Ok(Value::Bool(value)) => Some(value),
            _ => {
                self.error(node.span, format!("`{what}` takes true or false, found {}", node.describe()));
                None
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn number(
        &mut self,
        node: &Node,
        what: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        if let Ok(Value::Int(value)) = node.value()
            && let Ok(value) = u32::try_from(value)
            && range.contains(&value)
        {
            return Some(value);
        }
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        self.error(node.span, format!("`{what}` takes {wanted}, found {}", node.describe()));
        None
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let Some(text) = node.text().filter(|_| node.tag.is_none()) else {
            self.error(
                node.span,
                format!("`{what}` takes {}, found {}", alternatives(&names), node.describe()),
            );
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let message = format!("`{what}` takes {}, found {}", alternatives(&names), node.describe());
        // The words themselves are in the message.
        match did_you_mean(text, names.iter().copied()) {
            Some(near) => self.error_hint(node.span, message, format!("did you mean `{near}`?")),
            None => self.error(node.span, message),
        }
        None
    }

    /// The items of a list; a single value is a list of one.
    pub(super) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::Sequence(items) => items,
            _ if node.is_null() => {
                self.error(node.span, format!("`{what}` takes a list, found nothing"));
                &[]
            }
            _ => std::slice::from_ref(node),
        }
    }

    /// A host file's content; what cannot be read is a finding.
    pub(super) fn read(&mut self, text: &str, span: Span) -> Option<Vec<u8>> {
        let path = self.host_path(text);
        let content = self.files.read(&path, FILE_LIMIT);
        self.told(content, &path, span)
    }

    fn told(&mut self, content: io::Result<Vec<u8>>, path: &Path, span: Span) -> Option<Vec<u8>> {
        match content {
            Ok(content) => Some(content),
            Err(error) => {
                self.local(span, path, &error);
                None
            }
        }
    }

    /// A value given as text, `{env: NAME}` or `{file: PATH}`. Only the first is no secret.
    /// `first_line` takes a file's first line instead of all of it.
    pub(super) fn content(&mut self, node: &Node, what: &str, first_line: bool) -> Option<Content> {
        if node.as_mapping().is_none() {
            return self.text(node, what).map(|text| Content { text: text.to_owned(), secret: false });
        }
        let text = self.elsewhere(node, what, first_line)?;
        Some(Content { text, secret: true })
    }

    /// A value given as `{env: NAME}` or `{file: PATH}`.
    pub(super) fn elsewhere(&mut self, node: &Node, what: &str, first_line: bool) -> Option<String> {
        const KEYS: &[&str] = &["env", "file"];
        let fields = self.fields(node, &format!("`{what}`"), KEYS)?;
        match (fields.get("env"), fields.get("file")) {
            (Some(name), None) => self.variable(name),
            (None, Some(path)) => self.file_text(path, first_line),
            _ => {
                self.error(node.span, format!("`{what}` takes one of `{{env: NAME}}` and `{{file: PATH}}`"));
                None
            }
        }
    }

    /// An environment variable's value.
    pub(super) fn variable(&mut self, node: &Node) -> Option<String> {
        let name = self.line(node, "env")?;
        let kept = name.strip_prefix('=').and_then(|index| self.kept.get(index.parse::<usize>().ok()?));
        if let Some(kept) = kept {
            return Some(kept.clone());
        }
        let plausible = !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plausible {
            self.error(node.span, format!("`{name}` is not the name of an environment variable"));
            return None;
        }
        let value = (self.env)(name);
        if value.is_none() {
            let message = format!("the environment variable {name} is not set");
            self.error_hint(node.span, message, asked_for(name));
        }
        value
    }

    /// A host file's text, or its first line without the end.
    pub(super) fn file_text(&mut self, node: &Node, first_line: bool) -> Option<String> {
        let name = self.line(node, "file")?;
        let path = self.host_path(name);
        let content = self.files.read_secret(&path, FILE_LIMIT);
        let bytes = self.told(content, &path, node.span)?;
        let Ok(mut text) = String::from_utf8(bytes) else {
            self.error(node.span, format!("{}: is not UTF-8 text", self.host_path(name).display()));
            return None;
        };
        if first_line {
            let end = text.find('\n').unwrap_or(text.len());
            text.truncate(end);
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Some(text)
    }

    /// Hides a value from all pictures.
    pub(super) fn mask(&mut self, node: &Node) {
        self.masks.push(node.span.range());
    }
}

/// How a variable gets its value.
pub(super) fn asked_for(name: &str) -> String {
    format!("`read -rs {name} && export {name}` asks for it; no history has it then")
}

/// "`a`, `b` and `c`"
pub(super) fn list(words: &[&str]) -> String {
    join(words, "and")
}

/// "`a`, `b` or `c`"
pub(super) fn alternatives(words: &[&str]) -> String {
    join(words, "or")
}

fn join(words: &[&str], last_word: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {last_word} {last}", rest.join(", ")),
    }
}
