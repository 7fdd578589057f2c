//! Completions and man pages against the definitions, and with the programs that read them.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command as Program, Stdio};

use clap::ValueEnum as _;
use clap_complete::Shell;

use super::*;

/// The whole names of all verbs that are shown, the program's own among them.
fn names(command: &Command, name: &str, found: &mut BTreeSet<String>) {
    found.insert(name.to_owned());
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        names(verb, &format!("{name}-{}", verb.get_name()), found);
    }
}

#[test]
fn every_verb_has_its_page() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("man1");
    man(&ManArgs { to: to.clone() }).unwrap();
    let files: BTreeSet<String> = std::fs::read_dir(&to)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".1", ""))
        .collect();
    let mut verbs = BTreeSet::new();
    names(&Cli::command(), "hardtack", &mut verbs);
    assert_eq!(files, verbs);
    assert!(verbs.contains("hardtack-user-data-check") && !verbs.contains("hardtack-relay"), "{verbs:?}");
    for name in &verbs {
        let page = std::fs::read_to_string(to.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{name}: {page}");
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    let page = std::fs::read_to_string(to.join("hardtack-build.1")).unwrap();
    assert!(page.contains("\\-\\-set"), "{page}");
}

#[test]
fn every_shell_completes_every_verb() {
    for shell in Shell::value_variants() {
        let mut text = Vec::new();
        clap_complete::generate(*shell, &mut shown(), "hardtack", &mut text);
        let text = String::from_utf8(text).unwrap();
        for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(text.contains(verb.get_name()), "{shell}: {}", verb.get_name());
        }
    }
}
/// What `shell` completes by, in a file.
fn script(shell: Shell, directory: &Path) -> std::path::PathBuf {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown(), "hardtack", &mut text);
    let path = directory.join(shell.to_string());
    std::fs::write(&path, text).unwrap();
    path
}

/// What a program prints that must end well and complain of nothing; `None`, said aloud, where it is not on this machine.
fn printed(program: &mut Program) -> Option<String> {
    let output = match program.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: {} is not on this machine", program.get_program().display());
            return None;
        }
        output => output.unwrap(),
    };
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{program:?}: {}: {complaints}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Every verb that is shown, with the words that lead to it.
fn verbs(command: &Command, before: &[&str], found: &mut Vec<(Vec<String>, Command)>) {
    let words: Vec<&str> = before.iter().copied().chain([command.get_name()]).collect();
    found.push((words.iter().map(ToString::to_string).collect(), command.clone()));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        verbs(verb, &words, found);
    }
}

/// The options of a verb that are shown, as they are written.
fn options(verb: &Command) -> Vec<String> {
    let shown = verb.get_arguments().filter(|argument| !argument.is_hide_set());
    shown.filter_map(|argument| argument.get_long()).map(|long| format!("--{long}")).collect()
}

#[test]
fn bash_completes_verbs_options_and_values() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    verbs(&Cli::command(), &[], &mut all);
    let mut lines = format!("source {}\n", script(Shell::Bash, directory.path()).display());
    lines.push_str(
        "try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
           _hardtack hardtack \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"
           echo \"${COMPREPLY[*]}\"; }\n",
    );
    for (words, _) in &all {
        let words = words.join(" ");
        let _ = writeln!(lines, "try {words} --\ntry {words} \"\"");
    }
    lines.push_str("try hardtack bui\ntry hardtack convert --format \"\"\ntry hardtack user-data che\n");
    let Some(printed) = printed(Program::new("bash").args(["--norc", "-c", &lines])) else { return };
    let answers: Vec<BTreeSet<&str>> =
        printed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(answers.len(), all.len() * 2 + 3, "{printed}");
    for ((words, verb), answers) in all.iter().zip(answers.chunks(2)) {
        for option in options(verb) {
            assert!(answers[0].contains(option.as_str()), "{words:?}: {option}: {:?}", answers[0]);
        }
        for inner in verb.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(
                answers[1].contains(inner.get_name()),
                "{words:?}: {}: {:?}",
                inner.get_name(),
                answers[1]
            );
        }
    }
    let last = &answers[all.len() * 2..];
    assert!(last[0].contains("build") && last[0].len() == 1, "{last:?}");
    assert!(last[1].contains("raw") && last[1].contains("qcow2"), "{last:?}");
    assert!(last[2].contains("check"), "{last:?}");
    // Verbs that only the program itself uses.
    assert!(!answers[1].contains("relay") && answers[1].contains("launch"), "{:?}", answers[1]);
}

#[test]
fn zsh_takes_its_completions() {
    let directory = tempfile::tempdir().unwrap();
    let path = script(Shell::Zsh, directory.path());
    std::fs::rename(path, directory.path().join("_hardtack")).unwrap();
    let lines = format!(
        "fpath=({0} $fpath); autoload -U compinit; compinit -u -d {0}/dump; autoload +X _hardtack; echo $_comps[hardtack]",
        directory.path().display()
    );
    let Some(printed) = printed(Program::new("zsh").args(["-f", "-c", &lines])) else { return };
    assert_eq!(printed.trim(), "_hardtack");
}

#[test]
fn fish_completes_verbs_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let path = script(Shell::Fish, directory.path());
    let lines = format!(
        "source {}; complete -C 'hardtack bui'; complete -C 'hardtack build --sour'; complete -C 'hardtack user-data che'",
        path.display()
    );
    let mut fish = Program::new("fish");
    fish.args(["--no-config", "-c", &lines]).env("HOME", directory.path());
    let Some(printed) = printed(&mut fish) else { return };
    for word in ["build", "--source", "check"] {
        assert!(printed.lines().any(|line| line.split('\t').next() == Some(word)), "{word}: {printed}");
    }
}

/// groff complains of nothing, with all of its warnings on; man shows each page, and each option is on it.
#[test]
fn man_pages_are_read_without_a_complaint() {
    let directory = tempfile::tempdir().unwrap();
    man(&ManArgs { to: directory.path().to_owned() }).unwrap();
    let mut all = Vec::new();
    verbs(&Cli::command(), &[], &mut all);
    for (words, verb) in all {
        let page = directory.path().join(format!("{}.1", words.join("-")));
        let groff = printed(
            Program::new("groff").args(["-ww", "-K", "utf8", "-man", "-Tutf8", "-rLL=100n", "-z"]).arg(&page),
        );
        let mut man = Program::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&page)
            .env("MANWIDTH", "100")
            .env("LC_ALL", "C.UTF-8");
        let (Some(_), Some(shown)) = (groff, printed(&mut man)) else { return };
        for option in options(&verb) {
            assert!(shown.contains(&option), "{words:?}: {option}: {shown}");
        }
    }
}
