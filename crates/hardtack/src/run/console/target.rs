//! What a word of the command line means: a file where there is one, else an instance.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hardtack_launch::Selection;

use crate::args::ConsoleArgs;
use crate::error::{CliError, LOCAL_IO};

/// What is to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A log; `-` is standard input.
    File(&'a Path),
    /// Instances, as far as their names tell.
    Instances,
}

/// What the targets are.
///
/// # Errors
/// There is neither such a file nor can it be an instance; a file among several.
pub(super) fn kind(targets: &[PathBuf]) -> Result<Kind<'_>, CliError> {
    for target in targets {
        let file = target.as_os_str() == "-"
            || !std::fs::metadata(target).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let several = targets.len() > 1;
        if file && !several {
            return Ok(Kind::File(target));
        }
        if selection(target).is_ok() {
            continue;
        }
        let name = target.display().to_string();
        if file {
            return Err(CliError::usage(format!(
                "{name} is a file, and of several targets all are instances"
            ))
            .hint("read one file at a time"));
        }
        let text = format!(
            "{name:?} is neither a file nor an instance: there is no such file, and an instance is an \
                            id as i-0123456789abcdef0, tag:KEY=VALUE, or asg:GROUP"
        );
        return Err(CliError::new(LOCAL_IO, text));
    }
    Ok(Kind::Instances)
}

/// The instances that a target means.
pub(super) fn selection(target: &Path) -> Result<Selection, CliError> {
    Ok(Selection::parse(&target.display().to_string())?)
}

/// Options that make no sense for a file.
pub(super) fn check_file(arguments: &ConsoleArgs, path: &Path) -> Result<(), CliError> {
    let name = path.display();
    if arguments.wait {
        return Err(CliError::usage(format!("--wait is for instances, and {name} is a file")));
    }
    if arguments.known_hosts.is_some() && arguments.host.is_none() {
        return Err(CliError::usage(format!(
            "--known-hosts needs --host: {name} does not say where the machine is"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn files_come_first_and_what_is_neither_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let id = directory.path().join("i-0123456789abcdef0");
        std::fs::write(&id, "").unwrap();
        assert_eq!(kind(std::slice::from_ref(&id)).unwrap(), Kind::File(&id));
        assert_eq!(kind(&paths(&["-"])).unwrap(), Kind::File(Path::new("-")));
        for name in ["i-0123456789abcdef0", "tag:Name=web", "asg:workers", "i-0abc1234"] {
            assert_eq!(kind(&paths(&[name])).unwrap(), Kind::Instances, "{name}");
        }
        assert_eq!(kind(&paths(&["i-0abc1234", "tag:a"])).unwrap(), Kind::Instances);
        let neither = kind(&paths(&["no/serial.log"])).unwrap_err();
        assert!(neither.exit_code() == 4 && neither.report().contains("neither a file nor an instance"));
        for several in [vec![id, "i-0abc1234".into()], paths(&["i-0abc1234", "-"])] {
            let error = kind(&several).unwrap_err();
            assert!(error.exit_code() == 2, "{}", error.report());
        }
    }
}
