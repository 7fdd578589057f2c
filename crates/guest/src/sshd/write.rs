//! Putting directives where they win, and finding those that do not.
//!
//! Where the main file includes `/etc/ssh/sshd_config.d/*.conf` early enough they go into a drop-in
//! that sorts first; elsewhere into a marked block at the top of the main file (`Match` lines into
//! one at its end, because a block there would swallow what follows). Both are made of sections,
//! one for each step, and written again as a whole: a second build changes nothing.

use super::{Config, Kind, MAIN_FILE, Place, Setting, Version, include, keywords, words};
use crate::{Error, Set, Stage};

/// Our drop-in. `0` sorts before everything that distributions and cloud-init write.
pub const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-hardtack.conf";

pub(super) const BEGIN: &str = "# hardtack: begin";
pub(super) const END: &str = "# hardtack: end";
const SECTION: &str = "# hardtack: section ";
const OVERRIDDEN: &str = "# hardtack: override: ";
const HEADER: &str = "# Made by hardtack; the next build writes it again.";
/// The section that must come last.
const MATCH: &str = "match";

/// A directive to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// As it is to be written.
    pub keyword: String,
    /// As it is to be written.
    pub value: String,
}

impl Directive {
    /// `keyword value`.
    #[must_use]
    pub fn new(keyword: impl Into<String>, value: impl Into<String>) -> Self {
        Self { keyword: keyword.into(), value: value.into() }
    }
}

/// Where directives went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Into [`DROP_IN`].
    DropIn,
    /// To the top of the main file.
    Top,
}

impl Placement {
    /// The path written to.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::DropIn => DROP_IN,
            Self::Top => MAIN_FILE,
        }
    }
}

/// A directive that does not get its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What was wanted.
    pub directive: Directive,
    /// The line that decides instead; `None`: nothing sets it (our own line is not read).
    pub found: Option<Setting>,
    /// The `Match` line of the block that the line stands in.
    pub block: Option<Place>,
}

/// Writes one section (`directives`), and the lines of the closing `Match` section when given.
/// Other sections stay as they are. An empty list takes the section away.
///
/// # Errors
/// The files cannot be read or written.
pub fn write_section(
    stage: &mut Stage<'_>,
    version: Version,
    section: &str,
    directives: &[Directive],
    match_lines: Option<&[String]>,
) -> Result<Placement, Error> {
    let main = stage.read_text(MAIN_FILE)?;
    let (mut managed, rest) = split_main(main.as_deref().unwrap_or_default());
    if let Some(text) = stage.read_text(DROP_IN)? {
        managed.read(&text);
    }
    managed.set(section, directives.iter().map(|d| format!("{} {}", d.keyword, d.value)).collect());
    if let Some(lines) = match_lines {
        managed.set(MATCH, lines.to_vec());
    }

    let config = Config::load(stage, version)?;
    if drop_in_wins(&config, version, &managed) {
        if main.as_deref().is_some_and(|main| main != rest) {
            stage.write(MAIN_FILE, rest, Set::default())?;
        }
        stage.write(DROP_IN, managed.drop_in(), Set::default())?;
        return Ok(Placement::DropIn);
    }
    stage.remove(DROP_IN)?;
    stage.write(MAIN_FILE, managed.around(&rest), Set::default())?;
    Ok(Placement::Top)
}

/// The drop-in is read as a global file, and no line of the main file before that sets one of ours
/// to something else. (A line of another file that is read earlier is for people to decide on.)
fn drop_in_wins(config: &Config, version: Version, managed: &Managed) -> bool {
    if version < Version::INCLUDE {
        return false;
    }
    let included = config
        .includes
        .iter()
        .find(|(arguments, _)| arguments.iter().any(|argument| include::could_match(argument, DROP_IN)));
    let Some((_, before)) = included else { return false };
    managed.directives().all(|directive| {
        let Some(keyword) = keywords::canonical(&directive.keyword, version) else { return true };
        !config.settings[..*before].iter().any(|setting| {
            setting.keyword == keyword.name
                && setting.block.is_none()
                && !setting.ours
                && setting.place.file == MAIN_FILE
                && !keyword.adds_up()
                && !same_value(keyword, &setting.words, &directive.value)
        })
    })
}

/// What of `directives` does not hold, globally or in some `Match` block that is not ours.
#[must_use]
pub fn mismatches(config: &Config, directives: &[Directive]) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for directive in directives {
        let Some(keyword) = keywords::canonical(&directive.keyword, config.version()) else { continue };
        if keyword.without_effect(config.version()) {
            continue;
        }
        if let Some(winner) = global_mismatch(config, keyword, directive, directives) {
            found.push(Mismatch { directive: directive.clone(), found: winner.cloned(), block: None });
        }
        for setting in config.overrides(keyword.name) {
            if !setting.ours && !same_value(keyword, &setting.words, &directive.value) {
                let block = setting.block.map(|block| config.blocks[block].place.clone());
                found.push(Mismatch { directive: directive.clone(), found: Some(setting.clone()), block });
            }
        }
    }
    found
}

/// `Some(winner)` when the directive does not hold.
fn global_mismatch<'c>(
    config: &'c Config,
    keyword: &keywords::Keyword,
    directive: &Directive,
    all: &[Directive],
) -> Option<Option<&'c Setting>> {
    let lines = config.global(keyword.name);
    let holds = |setting: &&&Setting| same_value(keyword, &setting.words, &directive.value);
    match keyword.kind {
        // Lists that only add: one more line of somebody else's takes nothing away.
        Kind::Patterns if matches!(keyword.name, "AcceptEnv" | "DenyUsers" | "DenyGroups") => {
            lines.iter().find(holds).is_none().then(|| lines.first().copied())
        }
        Kind::Subsystem => {
            let name = words::words(&directive.value).and_then(|words| words.into_iter().next());
            let same_name = |setting: &&&Setting| setting.words.first() == name.as_ref();
            let first = lines.iter().find(same_name).copied();
            if first.is_none_or(|first| !holds(&&first)) {
                return Some(first);
            }
            // A second definition stopped sshd until 9.5.
            let rival = config.settings.iter().find(|setting| {
                setting.keyword == keyword.name && setting.words.first() == name.as_ref() && !setting.ours
            });
            (config.version() < Version::new(9, 5)).then_some(rival).flatten().map(Some)
        }
        // Lists in which every line counts: all of them must be wanted.
        Kind::Port | Kind::Repeat | Kind::Patterns => {
            let wanted = |setting: &&&Setting| {
                all.iter().any(|other| {
                    keywords::canonical(&other.keyword, config.version()).map(|k| k.name)
                        == Some(keyword.name)
                        && same_value(keyword, &setting.words, &other.value)
                })
            };
            let stranger = lines.iter().find(|setting| !wanted(setting)).copied();
            if stranger.is_some() {
                return Some(stranger);
            }
            lines.iter().find(holds).is_none().then_some(None)
        }
        _ => match lines.first() {
            Some(first) if holds(&first) => None,
            winner => Some(winner.copied()),
        },
    }
}

fn same_value(keyword: &keywords::Keyword, found: &[String], wanted: &str) -> bool {
    let wanted = words::words(wanted).unwrap_or_default();
    let fold = |word: &String| {
        let word = if keyword.value_ignores_case() { word.to_ascii_lowercase() } else { word.clone() };
        if keyword.kind == Kind::RootLogin && word == "without-password" {
            "prohibit-password".to_owned()
        } else {
            word
        }
    };
    found.iter().map(fold).eq(wanted.iter().map(fold))
}

/// Turns one line of one file into a comment that says why.
///
/// # Errors
/// The file cannot be read or written, or has no such line.
pub fn comment_out(stage: &mut Stage<'_>, place: &Place) -> Result<(), Error> {
    let text =
        stage.read_text(&place.file)?.ok_or_else(|| Error::Missing { path: place.file.as_str().into() })?;
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let line =
        place.line.checked_sub(1).and_then(|index| lines.get_mut(index)).ok_or_else(|| Error::Content {
            path: place.file.as_str().into(),
            line: Some(place.line),
            what: "the file has no such line any more".to_owned(),
        })?;
    *line = format!("{OVERRIDDEN}{}", line.trim_start());
    stage.write(&place.file, lines.join("\n"), Set::default())
}

/// Whether a line is one that this module wrote.
#[must_use]
pub fn is_ours(setting: &Setting) -> bool {
    setting.ours
}

/// Our sections, in the order of their names ("match" last).
#[derive(Debug, Default)]
struct Managed {
    sections: Vec<(String, Vec<String>)>,
}

impl Managed {
    fn read(&mut self, text: &str) {
        let mut name: Option<&str> = None;
        for line in text.lines() {
            if let Some(section) = line.strip_prefix(SECTION) {
                name = Some(section.trim());
                self.set(section.trim(), Vec::new());
                self.sections.push((section.trim().to_owned(), Vec::new()));
            } else if line.starts_with(BEGIN) || line.starts_with(END) {
                name = None;
            } else if let Some(name) = name
                && !line.trim().is_empty()
                && let Some((_, lines)) = self.sections.iter_mut().find(|(known, _)| known == name)
            {
                lines.push(line.to_owned());
            }
        }
        self.sort();
    }

    fn set(&mut self, name: &str, lines: Vec<String>) {
        self.sections.retain(|(known, _)| known != name);
        if !lines.is_empty() {
            self.sections.push((name.to_owned(), lines));
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.sections.sort_by_key(|(name, _)| (name == MATCH, name.clone()));
    }

    /// The global lines as directives.
    fn directives(&self) -> impl Iterator<Item = Directive> {
        self.sections
            .iter()
            .filter(|(name, _)| name != MATCH)
            .flat_map(|(_, lines)| lines)
            .filter_map(|line| words::line(line))
            .map(|line| Directive::new(line.keyword, line.rest))
    }

    fn render(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        for (name, lines) in self.sections.iter().filter(|(name, lines)| wanted(name) && !lines.is_empty()) {
            text.push_str(&format!("{SECTION}{name}\n"));
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }

    fn drop_in(&self) -> String {
        format!("{HEADER}\n{}", self.render(|_| true))
    }

    fn around(&self, rest: &str) -> String {
        let global = self.render(|name| name != MATCH);
        let blocks = self.render(|name| name == MATCH);
        let mut text = String::new();
        if !global.is_empty() {
            text.push_str(&format!("{BEGIN}\n{HEADER}\n{global}{END}\n"));
        }
        text.push_str(rest);
        if !blocks.is_empty() {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&format!("{BEGIN}\n{blocks}{END}\n"));
        }
        text
    }
}

/// Takes our blocks out of the main file.
fn split_main(text: &str) -> (Managed, String) {
    let mut managed = Managed::default();
    let (mut ours, mut rest) = (String::new(), String::new());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with(BEGIN) {
            inside = true;
        }
        if inside {
            ours.push_str(line)
        } else {
            rest.push_str(line)
        }
        if inside && line.starts_with(END) {
            inside = false;
        }
    }
    managed.read(&ours);
    (managed, rest)
}
