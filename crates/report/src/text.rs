//! For people at a terminal.

use crate::visible::{one_line, visible};
use crate::{Control, Outcome, Place, Verdict};

/// What the reader's terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether colours are welcome.
    pub color: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 80, color: false }
    }
}

/// The columns of the outcome, and the space behind them.
const INDENT: usize = 6;
/// So many facts of one control are told; JSON has them all.
const MOST_FACTS: usize = 12;

pub(crate) fn render(verdict: &Verdict, look: Look) -> String {
    let mut text = String::new();
    for control in &verdict.controls {
        line(control, look, &mut text);
    }
    for note in &verdict.notes {
        wrapped("note: ", &visible(note), look.width, &mut text);
    }
    // What helps against several is told once.
    let mut helps: Vec<&str> = Vec::new();
    for control in verdict.controls.iter().filter(|control| control.outcome == Outcome::Fail) {
        if !control.help.is_empty() && !helps.contains(&control.help.as_str()) {
            helps.push(&control.help);
        }
    }
    for help in helps {
        wrapped("→ ", &visible(help), look.width, &mut text);
    }
    let counts = verdict.counts();
    let said = match (verdict.passed(), verdict.controls.is_empty()) {
        (_, true) => "nothing to look at".to_owned(),
        (true, _) => format!("{} passed", counts.pass),
        (false, _) => format!("{} failed, {} passed", counts.fail, counts.pass),
    };
    let aside: String = [
        (counts.exception, "left alone on purpose"),
        (counts.first_boot, "left to the first boot"),
        (counts.not_applicable, "not applicable"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, words)| format!(", {number} {words}"))
    .collect();
    let image = one_line(&verdict.image);
    wrapped("", &format!("{image}: {said}{aside}"), look.width, &mut text);
    text
}

fn line(control: &Control, look: Look, text: &mut String) {
    let word = control.outcome.word();
    let (on, off) = match (look.color, control.outcome) {
        (false, _) => ("", ""),
        (true, Outcome::Pass) => ("\u{1b}[32m", "\u{1b}[0m"),
        (true, Outcome::Fail) => ("\u{1b}[1;31m", "\u{1b}[0m"),
        (true, Outcome::FirstBoot) => ("\u{1b}[33m", "\u{1b}[0m"),
        (true, Outcome::NotApplicable | Outcome::Exception) => ("\u{1b}[2m", "\u{1b}[0m"),
    };
    let gap = " ".repeat(INDENT.saturating_sub(word.len()));
    let room = look.width.saturating_sub(INDENT).max(20);
    text.push_str(&format!("{on}{word}{off}{gap}{}\n", cut(&one_line(&control.id), room)));
    if control.outcome == Outcome::Pass {
        return;
    }
    let indent = " ".repeat(INDENT);
    if control.outcome == Outcome::Fail && !control.title.is_empty() {
        // A benchmark's number, and what was to hold: the id alone does not tell either.
        wrapped(&indent, &format!("wanted: {}", visible(&control.title)), look.width, text);
    }
    let facts = facts(control);
    for fact in facts.iter().take(MOST_FACTS) {
        wrapped(&indent, &visible(fact), look.width, text);
    }
    if facts.len() > MOST_FACTS {
        text.push_str(&format!("{indent}and {} more\n", facts.len() - MOST_FACTS));
    }
}

/// The facts, each behind its place where it does not name it itself; places without a fact of their own at the end.
fn facts(control: &Control) -> Vec<String> {
    let facts: Vec<&str> = control.why.lines().collect();
    if control.outcome != Outcome::Fail {
        return facts.into_iter().map(str::to_owned).collect();
    }
    if facts.len() == control.places.len() {
        let with_place = |(place, fact): (&Place, &&str)| match fact.contains(&place.path) {
            true => (*fact).to_owned(),
            false => format!("{place}: {fact}"),
        };
        return control.places.iter().zip(&facts).map(with_place).collect();
    }
    let unnamed = control.places.iter().filter(|place| !control.why.contains(&place.path));
    let unnamed = unnamed.map(|place| format!("at {place}"));
    facts.iter().map(|fact| (*fact).to_owned()).chain(unnamed).collect()
}

/// `text` behind `head`, in lines of at most `width` columns; a word that is longer is cut into pieces.
pub fn wrapped(head: &str, text: &str, width: usize, out: &mut String) {
    let mut head = head.to_owned();
    let indent = " ".repeat(head.chars().count());
    let room = width.saturating_sub(indent.len()).max(20);
    let mut line = String::new();
    let mut length = 0;
    let mut put = |line: &mut String, out: &mut String| {
        out.push_str(&head);
        head.clone_from(&indent);
        out.push_str(line);
        out.push('\n');
        line.clear();
    };
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() > room {
            put(&mut line, out);
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        while word.len() > room {
            let rest = word.split_off(room);
            line.extend(word);
            put(&mut line, out);
            word = rest;
        }
        length += word.len();
        line.extend(word);
    }
    if !line.is_empty() {
        put(&mut line, out);
    }
}

/// The start of `text`, with a mark where the rest was left out.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}
