//! `grub.cfg` and what is written in its language, edited where it stands.

use std::collections::BTreeSet;

use super::super::grub::{self, Part, Token, plain, show};
use super::super::is_no_linux;
use super::line::{Edit, edits, patch};
use super::{OPTIONS_VARIABLE, Work};

/// A command of a script: its words, and where they are.
pub(crate) struct Command<'a> {
    pub(crate) line: usize,
    pub(crate) words: Vec<(std::ops::Range<usize>, &'a [Part])>,
}

/// The commands of a script, whatever block they stand in.
pub(crate) fn commands(tokens: &[Token]) -> Vec<Command<'_>> {
    let mut commands = Vec::new();
    let mut current: Option<Command<'_>> = None;
    for token in tokens {
        match token {
            Token::End => commands.extend(current.take()),
            Token::Word(line, span, parts) => {
                // After these the next word is a command's name.
                if matches!(plain(parts), Some("then" | "else" | "do" | "{" | "if" | "while" | "until")) {
                    commands.extend(current.take());
                    continue;
                }
                current
                    .get_or_insert(Command { line: *line, words: Vec::new() })
                    .words
                    .push((span.clone(), parts));
            }
        }
    }
    commands.extend(current);
    commands
}

/// `name=value` with what is in it, of an assignment.
fn assignment(
    words: &[(std::ops::Range<usize>, &[Part])],
) -> Option<(std::ops::Range<usize>, String, String)> {
    let (span, word) = match words {
        [word] => word,
        [(_, set), word] if plain(set) == Some("set") => word,
        _ => return None,
    };
    let (name, value) = match word.first()? {
        Part::Text(first) => first.split_once('=')?,
        Part::Variable(_) => return None,
    };
    // A dollar sign that is text would become a variable when it is written anew.
    if word.iter().any(|part| matches!(part, Part::Text(text) if text.contains(['$', '"', '\\']))) {
        return None;
    }
    let value: String = value.to_owned() + &show(&word[1..]);
    Some((span.clone(), name.to_owned(), value))
}

/// The variables that stand on their own among a kernel's options.
fn option_variables(commands: &[Command<'_>]) -> BTreeSet<String> {
    let mut names = BTreeSet::from([OPTIONS_VARIABLE.to_owned()]);
    for command in commands {
        if is_linux(command).is_some() {
            names.extend(command.words.iter().skip(2).filter_map(|(_, word)| match word {
                [Part::Variable(name)] => Some(name.clone()),
                _ => None,
            }));
        }
    }
    names
}

/// The index of the kernel among the words, if it is a command that loads one.
fn is_linux(command: &Command<'_>) -> Option<usize> {
    let name = plain(command.words.first()?.1)?;
    let is_option = |word: &[Part]| plain(word).is_some_and(|text| text.starts_with("--"));
    let kernel = (1..command.words.len()).find(|index| !is_option(command.words[*index].1))?;
    matches!(name, "linux" | "linux16" | "linuxefi" | "module" | "module2" | "xen_module").then_some(kernel)
}

impl Work<'_, '_> {
    /// The script from byte `from` on, edited.
    pub(super) fn script(
        &mut self,
        path: &str,
        text: &str,
        environment: &BTreeSet<String>,
        from: usize,
    ) -> String {
        let body = &text[from..];
        let lines_before = text[..from].matches('\n').count();
        // The boot loader stops there as well.
        let Ok(tokens) = grub::tokens(body) else { return text.to_owned() };
        let commands = commands(&tokens);
        let variables = option_variables(&commands);
        let defined: BTreeSet<String> = commands
            .iter()
            .filter_map(|command| assignment(&command.words))
            .map(|(_, name, _)| name)
            .filter(|name| name == OPTIONS_VARIABLE)
            .chain(environment.iter().cloned())
            .collect();
        let mut all: Vec<Edit> = Vec::new();
        // Xen: the first module after the hypervisor is the kernel.
        let mut hypervisor = false;
        for command in &commands {
            let name = command.words.first().and_then(|(_, word)| plain(word)).unwrap_or_default();
            if let Some((span, name, value)) = assignment(&command.words)
                && variables.contains(&name)
            {
                let new = self.wanted.line(&value, name == OPTIONS_VARIABLE);
                if new != value {
                    all.push((span, format!("{name}=\"{new}\"")));
                }
                continue;
            }
            if matches!(name, "multiboot" | "multiboot2" | "xen_hypervisor") {
                hypervisor = true;
                continue;
            }
            let Some(kernel) = is_linux(command) else { continue };
            if name.contains("module") && !std::mem::take(&mut hypervisor) {
                continue;
            }
            let (kernel_span, kernel_word) = &command.words[kernel];
            let line = command.line + lines_before;
            if is_no_linux(&show(kernel_word)) || !self.may_edit(path, line) {
                continue;
            }
            let options = &command.words[kernel + 1..];
            let texts: Vec<String> = options.iter().map(|(_, word)| show(word)).collect();
            let words: Vec<&str> = texts.iter().map(String::as_str).collect();
            let grow = !options
                .iter()
                .any(|(_, word)| matches!(word, [Part::Variable(name)] if defined.contains(name)));
            let changes = self.wanted.changes(&words, grow);
            let spans: Vec<_> = options.iter().map(|(span, _)| span.clone()).collect();
            let edits = edits(body, kernel_span.end, &spans, &words, changes);
            let grown: usize = edits.iter().map(|(_, new)| new.len()).sum();
            let length: usize = texts.iter().map(|text| text.len() + 1).sum();
            if edits.is_empty() || self.check_length(path, line, &" ".repeat(length + grown)) {
                all.extend(edits);
            }
        }
        let new = patch(body, all);
        format!("{}{new}", &text[..from])
    }
}
