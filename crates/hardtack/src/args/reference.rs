//! The list of all commands and options, for people: a page made of clap's definitions, and compared with the one in docs/.
//! And the other way round: commands that pages, help texts and error messages show are ones that clap takes.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _, Parser as _};
use hardtack_tests::markdown::{Block, blocks, pages, programs, read};

use super::Cli;

const PAGE: &str = "docs/commands.md";

const HEAD: &str = "\
# All commands

Every command with its options, as `hardtack COMMAND --help` prints them. `hardtack man DIR` writes man pages of the same,
`hardtack completions bash|zsh|fish|elvish|powershell` what shells complete by. On a machine that was made with hardtack there is
[`hardtack-agent`](../README.md#commands).

This page is made of the definitions that the program reads its arguments by.
";

fn reference() -> String {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut page = HEAD.to_owned();
    let verbs = |command: &Command| -> Vec<Command> {
        command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect()
    };
    // Writing to a string cannot fail.
    page.push_str("\n| command | |\n|---|---|\n");
    let mut all = Vec::new();
    for verb in verbs(&command) {
        let inner = verbs(&verb);
        for verb in if inner.is_empty() { vec![verb] } else { inner } {
            let name = verb.get_bin_name().unwrap_or_default().to_owned();
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(page, "| [`{name}`](#{}) | {} |", name.replace(' ', "-"), cell(&about));
            all.push((name, verb));
        }
    }
    if let Some(text) = command.get_after_help() {
        let _ = write!(page, "\n```text\n{}\n```\n", text.to_string().trim());
    }
    for (name, mut verb) in all {
        let _ = write!(page, "\n## {name}\n\n");
        let about = verb.get_long_about().or(verb.get_about()).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "{}.", about.trim().trim_end_matches('.'));
        let usage = verb.render_usage().to_string();
        let usage: Vec<&str> = usage.trim_start_matches("Usage:").split_whitespace().collect();
        let _ = write!(page, "\n`{}`\n", usage.join(" "));
        options(&mut page, &verb);
        if let Some(text) = verb.get_after_long_help().or(verb.get_after_help()) {
            let _ = write!(page, "\n```text\n{}\n```\n", text.to_string().trim());
        }
    }
    page
}

/// Tables of arguments and options, one for each heading.
fn options(page: &mut String, verb: &Command) {
    let shown = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    let mut headings: Vec<Option<&str>> = Vec::new();
    for heading in verb.get_arguments().filter(shown).map(Arg::get_help_heading) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    headings.sort_by_key(Option::is_some);
    for heading in headings {
        let title = heading.map(|heading| format!("**{heading}**")).unwrap_or_default();
        let _ = write!(page, "\n| {title} | |\n|---|---|\n");
        for argument in
            verb.get_arguments().filter(shown).filter(|argument| argument.get_help_heading() == heading)
        {
            let _ = writeln!(page, "| {} | {} |", cell(&names(argument)), cell(&about(argument)));
        }
    }
}

fn names(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().join(" ");
    let takes = argument.get_action().takes_values();
    let mut names = Vec::new();
    names.extend(argument.get_short().map(|short| format!("`-{short}`")));
    names.extend(
        argument.get_visible_short_aliases().into_iter().flatten().map(|short| format!("`-{short}`")),
    );
    let longs = argument.get_long().into_iter().chain(argument.get_visible_aliases().into_iter().flatten());
    names.extend(longs.map(|long| format!("`--{long}`")));
    if names.is_empty() {
        return format!("`{values}`");
    }
    if takes && let Some(last) = names.last_mut() {
        last.insert_str(last.len() - 1, &format!(" {values}"));
    }
    names.join(", ")
}

fn about(argument: &Arg) -> String {
    let text = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.is_empty() && !text.ends_with('.') {
        text.push('.');
    }
    if argument.is_hide_possible_values_set() || !argument.get_action().takes_values() {
        return text;
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(text, " One of {}.", values.join(", "));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if !defaults.is_empty() && !argument.is_hide_default_value_set() {
        let _ = write!(text, " Default: {}.", defaults.join(", "));
    }
    text
}

/// What is between `<` and `>` is no HTML.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[test]
fn the_page_is_that_of_these_definitions() {
    hardtack_tests::markdown::assert_generated(PAGE, &reference(), "-p hardtack args::");
}

/// What of a page's block is a command of ours: lines that begin with its name, in whatever is no data.
fn commands(block: &Block) -> Vec<(usize, Vec<String>)> {
    if !["sh", "console", "text", ""].contains(&block.language()) || block.mark("shows").is_some() {
        return Vec::new();
    }
    let all = block.commands().into_iter();
    all.flat_map(|(line, text)| programs(&text).into_iter().map(move |words| (line, words)))
        .filter(|(_, words)| words[0] == "hardtack")
        .collect()
}

/// Every line of the README, the handbook and all help texts (which are on a page of the handbook) parses.
#[test]
fn every_command_that_pages_show_is_one() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        let text = read(&page);
        for (line, words) in blocks(&text).iter().flat_map(commands) {
            count += 1;
            if let Err(error) = Cli::try_parse_from(&words)
                && error.use_stderr()
            {
                wrong.push(format!("{}:{line}: {}\n{error}", page.display(), words.join(" ")));
            }
        }
        for (at, line) in text.lines().enumerate() {
            // What is run stands between fences, so that it is found.
            if line.starts_with("    hardtack ") {
                wrong.push(format!("{}:{}: an indented block: fence it", page.display(), at + 1));
            }
            // Verbs that are spoken of within a text.
            for verb in line.split("`hardtack ").skip(1) {
                let verb =
                    verb.split(|char: char| !char.is_ascii_alphanumeric() && char != '-').next().unwrap();
                let known = Cli::command().find_subcommand(verb).is_some();
                if !known && !verb.starts_with('-') && !["", "COMMAND", "supervise"].contains(&verb) {
                    wrong.push(format!("{}:{}: there is no `hardtack {verb}`", page.display(), at + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 200, "{count}");
}
