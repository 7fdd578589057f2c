//! Putting directives where they win.
//!
//! Where the main file includes `/etc/ssh/sshd_config.d/*.conf` early enough they go into a drop-in
//! that sorts first; elsewhere into a marked block at the top of the main file (`Match` lines into
//! one at its end, because a block there would swallow what follows). Both are made of sections,
//! one for each step, and written again as a whole: a second build changes nothing.

use hardtack_login::sshd::{
    BEGIN, Config, DROP_IN, Directive, END, MAIN_FILE, Place, Version, canonical, could_match, line,
    same_value,
};

use crate::{Error, Set, Stage};

const SECTION: &str = "# hardtack: section ";
const OVERRIDDEN: &str = "# hardtack: override: ";
const HEADER: &str = "# Made by hardtack; the next build writes it again.";
/// The section that must come last.
const MATCH: &str = "match";

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

/// Whether an earlier run has written this section.
///
/// # Errors
/// The files cannot be read.
pub fn has_section(stage: &Stage<'_>, section: &str) -> Result<bool, Error> {
    let line = format!("{SECTION}{section}");
    for path in [MAIN_FILE, DROP_IN] {
        if stage.read_text(path)?.is_some_and(|text| text.lines().any(|there| there == line)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says what `section` of the drop-in says once more at the top of the main file, for whoever reads that alone. Words of
/// which several lines add up are not repeated. The next [`write_section`] takes it out again.
///
/// # Errors
/// The files cannot be read or written.
pub fn repeat_in_main(stage: &mut Stage<'_>, version: Version, section: &str) -> Result<(), Error> {
    let Some(main) = stage.read_text(MAIN_FILE)? else { return Ok(()) };
    let mut managed = Managed::default();
    managed.read(&stage.read_text(DROP_IN)?.unwrap_or_default());
    managed.sections.retain(|(name, _)| name == section);
    for (_, lines) in &mut managed.sections {
        lines.retain(|text| {
            let keyword = line(text).and_then(|line| canonical(&line.keyword, version));
            keyword.is_some_and(|keyword| !keyword.adds_up())
        });
    }
    let text = managed.around(&split_main(&main).1);
    if text != main {
        stage.write(MAIN_FILE, text, Set::default())?;
    }
    Ok(())
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
        .find(|(arguments, _)| arguments.iter().any(|argument| could_match(argument, DROP_IN)));
    let Some((_, before)) = included else { return false };
    managed.directives().all(|directive| {
        let Some(keyword) = canonical(&directive.keyword, version) else { return true };
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
            .filter_map(|text| line(text))
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
