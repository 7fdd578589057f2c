//! Main files of packages that say `KEY value` or `key = value`: the least is changed, and comments stay.

use hardtack_guest::{Set, Stage};

use crate::Error;
use crate::merged::Assignment;

/// How a file separates keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `KEY value`: login.defs(5).
    Blank,
    /// `KEY=value`: /etc/default.
    Shell,
    /// `key = value`, or `key` alone: pwquality.conf(5), faillock.conf(5).
    Equals,
}

impl Form {
    fn line(self, key: &str, value: &str) -> String {
        match self {
            Self::Equals if value.is_empty() => key.to_owned(),
            Self::Blank => format!("{key}\t{value}"),
            Self::Shell => format!("{key}={value}"),
            Self::Equals => format!("{key} = {value}"),
        }
    }

    /// Key and value of a line; a key alone has an empty value.
    pub(crate) fn split(self, line: &str) -> Option<(&str, &str)> {
        let line = match self {
            // A comment is a whole line there.
            Self::Blank | Self::Shell => line.trim(),
            Self::Equals => line.split('#').next().unwrap_or_default().trim(),
        };
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (key, value) = match self {
            Self::Blank => line.split_once(char::is_whitespace).unwrap_or((line, "")),
            Self::Shell | Self::Equals => line.split_once('=').unwrap_or((line, "")),
        };
        let value = value.trim();
        let bare = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        Some((key.trim_end(), bare('"').or_else(|| bare('\'')).unwrap_or(value)))
    }
}

/// All that a text says of `key`, in its order.
pub(crate) fn all(form: Form, path: &str, text: &str, key: &str) -> Vec<Assignment> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let (name, value) = form.split(line)?;
            (name == key).then(|| Assignment {
                value: value.to_owned(),
                path: path.to_owned(),
                line: index + 1,
            })
        })
        .collect()
}

/// Every line of `key` that is not `good` gets this value; where there is none the line goes to the end, behind what
/// the package says of it. A missing file is made only with `make`.
pub(crate) fn set(
    stage: &mut Stage<'_>,
    form: Form,
    path: &str,
    (key, value): (&str, &str),
    make: bool,
    good: &dyn Fn(&str) -> bool,
) -> Result<(), Error> {
    let old = match stage.read_text(path)? {
        Some(old) => old,
        None if make => String::new(),
        None => return Ok(()),
    };
    let mut found = false;
    let mut text = String::new();
    for line in old.split_inclusive('\n') {
        match form.split(line) {
            Some((name, said)) if name == key => {
                found = true;
                if good(said) {
                    text.push_str(line);
                } else {
                    text.push_str(&form.line(key, value));
                    text.push('\n');
                }
            }
            _ => text.push_str(line),
        }
    }
    if !found {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&form.line(key, value));
        text.push('\n');
    }
    if text != old {
        let set = if old.is_empty() { crate::bench::root(0o644) } else { Set::default() };
        crate::conffile::edit(stage, path, text, set)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hardtack_guest::{MemoryTree, Stage};

    use super::*;

    #[test]
    fn comments_stay_and_what_is_good_enough_too() {
        let tree = MemoryTree::new()
            .file("/etc/login.defs", "# PASS_MAX_DAYS	1\nPASS_MAX_DAYS	99999\nUMASK		077\n")
            .file("/etc/default/useradd", "# INACTIVE=-1\nSHELL=/bin/sh");
        let mut stage = Stage::new(&tree);
        let never = |_: &str| false;
        set(&mut stage, Form::Blank, "/etc/login.defs", ("PASS_MAX_DAYS", "365"), false, &never).unwrap();
        set(&mut stage, Form::Blank, "/etc/login.defs", ("UMASK", "027"), false, &|said| said == "077")
            .unwrap();
        set(&mut stage, Form::Shell, "/etc/default/useradd", ("INACTIVE", "45"), false, &never).unwrap();
        set(&mut stage, Form::Shell, "/etc/default/nothing", ("INACTIVE", "45"), false, &never).unwrap();
        let text = |path: &str| stage.read_text(path).unwrap().unwrap();
        assert_eq!(text("/etc/login.defs"), "# PASS_MAX_DAYS	1\nPASS_MAX_DAYS	365\nUMASK		077\n");
        assert_eq!(text("/etc/default/useradd"), "# INACTIVE=-1\nSHELL=/bin/sh\nINACTIVE=45\n");
        assert_eq!(stage.stat("/etc/default/nothing").unwrap(), None);
    }

    #[test]
    fn the_three_forms_are_read() {
        assert_eq!(Form::Equals.split(" even_deny_root # x"), Some(("even_deny_root", "")));
        assert_eq!(Form::Equals.split("deny=5"), Some(("deny", "5")));
        assert_eq!(Form::Blank.split("UMASK\t\t022"), Some(("UMASK", "022")));
        assert_eq!(Form::Blank.split("ENV_PATH \"a b\""), Some(("ENV_PATH", "a b")));
        assert_eq!(Form::Shell.split("#X=1"), None);
        assert_eq!(all(Form::Shell, "/x", "A=1\nB=2\nA=3\n", "A").len(), 2);
    }
}
