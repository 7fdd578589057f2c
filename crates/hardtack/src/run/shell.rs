//! `hardtack completions` and its kin.

use std::io::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::error::CliError;

/// Prints completions for a shell.
pub(crate) fn completions(arguments: &CompletionsArgs) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "hardtack", &mut text);
    std::io::stdout().write_all(&text).map_err(CliError::stream)?;
    Ok(0)
}

/// Writes man pages of all verbs.
pub(crate) fn man(arguments: &ManArgs) -> Result<u8, CliError> {
    let directory = &arguments.to;
    std::fs::create_dir_all(directory).map_err(|error| CliError::io(directory, "make", error))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    // Verbs within verbs get their whole names.
    command.build();
    pages(&command, "hardtack", directory)?;
    Ok(0)
}

/// The page of `command`, whose whole name is `name`, and those of the verbs within it.
fn pages(command: &Command, name: &str, directory: &Path) -> Result<(), CliError> {
    let path = directory.join(format!("{name}.1"));
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.clone()).title(name);
    page.render(&mut text).map_err(|error| CliError::io(&path, "write", error))?;
    std::fs::write(&path, text).map_err(|error| CliError::io(&path, "write", error))?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        pages(verb, &format!("{name}-{}", verb.get_name()), directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

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
            clap_complete::generate(*shell, &mut Cli::command(), "hardtack", &mut text);
            let text = String::from_utf8(text).unwrap();
            for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
                assert!(text.contains(verb.get_name()), "{shell}: {}", verb.get_name());
            }
        }
    }
}
