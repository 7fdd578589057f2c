//! The section `[Service]` of a unit and its drop-ins: command lines, and the variables in them.
//!
//! From systemd.service(5), "COMMAND LINES", and systemd.exec(5), "Environment".

use super::LARGEST;
use crate::files::{self, Fault, Files};
use crate::sshd::Place;

/// Words and bytes of a command line with its variables filled in: more are nobody's, and a hostile image could have
/// them.
const WORDS: usize = 4096;
const LINE: usize = 128 << 10;

/// Settings that put other files where sshd looks (systemd.exec(5)).
const ELSEWHERE: &[&str] = &[
    "RootDirectory",
    "RootImage",
    "BindPaths",
    "BindReadOnlyPaths",
    "TemporaryFileSystem",
    "MountImages",
    "ExtensionImages",
    "ExtensionDirectories",
];

/// What `[Service]` says.
#[derive(Default)]
pub(super) struct Service {
    /// `ExecStart` and its kin.
    pub(super) commands: Vec<(String, String, Place)>,
    /// A drop-in says something of `ExecStart`.
    pub(super) changed: bool,
    /// `EnvironmentFile`.
    /// Something that makes sshd see other files than those that are looked at here, and where.
    pub(super) elsewhere: Option<(String, Place)>,
    pub(super) files: Vec<String>,
    /// Name, value, and where it stands; the last one of a name counts.
    pub(super) variables: Vec<(String, String, Place)>,
}

impl Service {
    /// Takes what a unit or a drop-in says; they come in the order in which systemd reads them.
    pub(super) fn read(&mut self, file: &str, text: &str) {
        let mut inside = false;
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let mut line = line.trim().to_owned();
            while line.ends_with('\\') {
                line.pop();
                let Some((_, next)) = lines.next() else { break };
                let next = next.trim();
                // Comments between the parts of a line are passed over.
                if next.starts_with(['#', ';']) {
                    line.push('\\');
                } else {
                    line.push(' ');
                    line.push_str(next);
                }
            }
            if line.starts_with('[') {
                inside = line == "[Service]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside && !line.starts_with(['#', ';']))
            else {
                continue;
            };
            let (value, place) = (value.trim(), Place { file: file.to_owned(), line: number + 1 });
            match key.trim() {
                key @ ("ExecStart" | "ExecStartPre" | "ExecStartPost" | "ExecReload" | "ExecStop"
                | "ExecStopPost" | "ExecCondition") => {
                    self.changed |= key == "ExecStart" && file.contains(".d/");
                    if value.is_empty() {
                        self.commands.retain(|(known, ..)| known != key);
                    } else {
                        // %% is one: no specifier matters here.
                        self.commands.push((key.to_owned(), value.replace("%%", "%"), place));
                    }
                }
                key if ELSEWHERE.contains(&key) => {
                    self.elsewhere = (!value.is_empty()).then(|| (format!("{key}={value}"), place));
                }
                "EnvironmentFile" if value.contains(['*', '?', '[']) => {
                    self.elsewhere = Some((format!("EnvironmentFile={value}"), place));
                }
                "EnvironmentFile" if value.is_empty() => self.files.clear(),
                "EnvironmentFile" => self.files.push(value.to_owned()),
                "Environment" if value.is_empty() => self.variables.clear(),
                "Environment" => {
                    for word in words(&value.replace("%%", "%")) {
                        if let Some((name, value)) = word.split_once('=') {
                            self.variables.push((name.to_owned(), value.to_owned(), place.clone()));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// `NAME=value` lines of an `EnvironmentFile`.
    pub(super) fn take_variables<F: Files>(&mut self, files: &F, path: &str) -> Result<(), F::Error> {
        let bytes = files::content(files, path, LARGEST)?;
        for (number, line) in assignments(&String::from_utf8_lossy(&bytes)) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.trim().trim_start_matches("export ").trim().to_owned();
            let place = Place { file: path.to_owned(), line: number };
            self.variables.push((name, words(value).join(" "), place));
        }
        Ok(())
    }

    /// `$NAME` becomes the words of its value, `${NAME}` stands for it in one word.
    pub(super) fn expand(&self, command: &str, at: &Place) -> Result<Vec<(String, Place)>, Fault> {
        let value = |name: &str| self.variables.iter().rev().find(|(known, ..)| known == name);
        let mut found: Vec<(String, Place)> = Vec::new();
        let mut size = 0_usize;
        for word in words(command) {
            let known = found.len();
            match word.strip_prefix('$').filter(|name| !name.starts_with(['{', '$'])) {
                Some(name) => {
                    let Some((_, value, place)) = value(name) else { continue };
                    found.extend(words(value).into_iter().take(WORDS + 1).map(|word| (word, place.clone())));
                }
                None => found.extend(self.fill(&word, at)),
            }
            size += found.iter().skip(known).map(|(word, _)| word.len()).sum::<usize>();
            if found.len() > WORDS || size > LINE {
                let what = format!("the command line has more than {WORDS} words or {LINE} bytes");
                return Err(Fault { path: at.file.clone(), line: Some(at.line), what });
            }
        }
        Ok(found)
    }

    /// A word with each `${NAME}` in it filled in; none where it is nothing but one that is not set.
    fn fill(&self, word: &str, at: &Place) -> Option<(String, Place)> {
        let (mut text, mut place, mut rest) = (String::new(), at.clone(), word);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            text.push_str(before);
            if let Some((_, value, own)) = self.variables.iter().rev().find(|(known, ..)| known == name) {
                text.push_str(value);
                place = own.clone();
            }
            rest = behind;
            if text.len() > LINE {
                break;
            }
        }
        text.push_str(rest);
        (!text.is_empty()).then_some((text, place))
    }
}

/// The lines of a file of variables, comments left out: quotes hold line ends, and a backslash before one takes it
/// away (systemd.exec(5), `EnvironmentFile=`).
fn assignments(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut whole = line.trim().to_owned();
        if whole.starts_with(['#', ';']) || !whole.contains('=') {
            continue;
        }
        let (mut quote, mut escaped) = (None, false);
        let mut rest = whole.split_once('=').map(|(_, value)| value).unwrap_or_default().to_owned();
        loop {
            for c in rest.chars() {
                match (quote, c) {
                    _ if escaped => escaped = false,
                    (Some('"') | None, '\\') => escaped = true,
                    (Some(open), c) if c == open => quote = None,
                    (None, '"' | '\'') => quote = Some(c),
                    _ => {}
                }
            }
            if !escaped && quote.is_none() {
                break;
            }
            let Some((_, next)) = lines.next() else { break };
            if std::mem::take(&mut escaped) {
                whole.pop();
            } else {
                whole.push(' ');
            }
            next.trim_end().clone_into(&mut rest);
            whole.push_str(&rest);
        }
        found.push((number + 1, whole));
    }
    found
}

/// Words with quotes around some of them, and C's escapes in them.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut word, mut some, mut quote) = (String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '\\') => {
                word.push(escaped(&mut chars));
                some = true;
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, some) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if some {
                    found.push(std::mem::take(&mut word));
                    some = false;
                }
            }
            (None, c) => {
                word.push(c);
                some = true;
            }
        }
    }
    if some {
        found.push(word);
    }
    found
}

/// What a backslash makes of what follows it.
fn escaped(chars: &mut std::str::Chars<'_>) -> char {
    match chars.next() {
        Some('x') => {
            let digits: String = chars.clone().take(2).collect();
            match u8::from_str_radix(&digits, 16) {
                Ok(byte) => {
                    chars.nth(1);
                    char::from(byte)
                }
                Err(_) => 'x',
            }
        }
        Some('s') => ' ',
        Some('t') => '\t',
        Some(c) => c,
        None => '\\',
    }
}
