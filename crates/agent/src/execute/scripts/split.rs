//! Where the entries of `runcmd` and `bootcmd` begin and end, and whether each stands on its own.
//!
//! cloud-init makes one script of them, so an entry may begin what another one ends (`if true; then`, a here-document,
//! a backslash at the end of a line). Such scripts run as a whole. The others run with marks between their
//! entries, in the same shell, on the same lines:
//!
//! ```sh
//! MARK() { \command \echo "… $1 $2" >/proc/PID/fd/N; return "$2"; }   # in place of #!/bin/sh
//! first entry
//! { MARK 0 "$?" && :; } 2>/dev/null; second entry
//! { MARK 1 "$?" && :; } 2>/dev/null
//! ```
//!
//! Why so: `MARK n "$?" && :` leaves `$?` as it was, and never ends a shell with `set -e`, since the first half of an
//! and-list is exempt. The lines keep their numbers, which shells put before their messages. `/proc/PID/fd/N`
//! is the agent's own end of the pipe that output goes to, opened for one mark and closed again: marks come in order
//! with the output, and no program inherits anything. What `set -x` would say of a mark is thrown away.

use hardtack_modules::commands;
use hardtack_userdata::{Kind, Value};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place in the list.
    pub(super) index: usize,
    /// Its text in the script.
    pub(super) text: String,
}

/// Words that look at the script itself, its functions, its lines as they are read, or what the shell does between
/// two commands. Such scripts run as they are.
const LOOKING: [&str; 19] = [
    "$0",
    "${0",
    "$_",
    "${_",
    "BASH",
    "FUNCNAME",
    "alias",
    "declare",
    "typeset",
    "DEBUG",
    "RETURN",
    "verbose",
    "PS4",
    "ulimit",
    "hardtack",
    "functrace",
    "history",
    "noexec",
    "xpg_echo",
];

/// The entries of `value`, in order; `None` when they are no commands.
pub(super) fn entries(value: &Value, name: &str) -> Option<Vec<Entry>> {
    let texts = commands::commands(value, name).ok()?;
    let present = value.as_list()?.iter().enumerate().filter(|(_, item)| !matches!(item.kind, Kind::Null));
    let entries: Vec<Entry> =
        present.zip(&texts).map(|((index, _), text)| Entry { index, text: text.clone() }).collect();
    (entries.len() == texts.len()).then_some(entries)
}

/// Whether marks between these entries change nothing, as far as their text tells. What the shell's grammar tells
/// is asked of the shell itself ([`probes`]).
pub(super) fn may_be_marked(entries: &[Entry]) -> bool {
    entries.iter().all(|entry| {
        let text = &entry.text;
        let open_end = text.len() - text.trim_end_matches('\\').len();
        !text.contains('\0')
            && !text.contains('\r')
            && open_end.is_multiple_of(2)
            && !LOOKING.iter().any(|word| text.contains(word))
            && !sets_v(text)
    })
}

/// `set -v` prints lines as they are read, and `set -n` ends all of it.
fn sets_v(text: &str) -> bool {
    let words: Vec<&str> = text.split([' ', '\t', '\n', ';', '&', '|', '(', ')']).collect();
    words.iter().enumerate().any(|(at, word)| {
        *word == "set"
            && words
                .iter()
                .skip(at + 1)
                .take_while(|word| word.starts_with(['-', '+']) && **word != "--")
                .any(|word| word.contains('v'))
    })
}

/// Scripts for `sh -n`: each with whether the shell must find it right. The first holds every entry twice, between
/// braces and between `if` and `fi`, so that none can end what it did not begin. A here-document swallows what
/// comes, and any shell finds that right: so such an entry, with a parenthesis behind it, must be wrong.
pub(super) fn probes(entries: &[Entry]) -> Vec<(String, bool)> {
    let mut all = String::new();
    let mut probes = Vec::new();
    for Entry { text, .. } in entries {
        all.push_str(&format!("{{ :\n{text}\n}}\nif :; then :\n{text}\nfi\n"));
        if text.contains("<<") {
            probes.push((format!("{text}\n)\n"), false));
        }
    }
    probes.insert(0, (all, true));
    probes
}

/// The script with marks. `nonce` is a word that nobody can guess; `pipe` is where marks are written.
pub(super) fn marked(entries: &[Entry], nonce: &str, pipe: &str) -> String {
    let function = format!("hardtack_{nonce}");
    // The first character is U+001E, as printf would be too much to ask of every shell.
    let mut script =
        format!("{function}() {{ \\command \\echo \"\x1e{nonce} $1 $2\" >{pipe}; return \"$2\"; }}\n");
    for (number, Entry { text, .. }) in entries.iter().enumerate() {
        if number > 0 {
            script.push_str(&mark(&function, number - 1));
            // `;` and nothing behind it but the end of the line is right.
            script.push_str("; ");
        }
        script.push_str(text);
        script.push('\n');
    }
    if let Some(last) = entries.len().checked_sub(1) {
        script.push_str(&mark(&function, last));
        script.push('\n');
    }
    script
}

fn mark(function: &str, number: usize) -> String {
    format!("{{ {function} {number} \"$?\" && :; }} 2>/dev/null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry { index: 0, text: text.to_owned() }
    }

    #[test]
    fn what_looks_at_the_script_is_left_alone() {
        for text in ["echo hi", "set -ex", "echo 'a b' \\\\", "# no more", "set -- -v", "set +e; ls -v"] {
            assert!(may_be_marked(&[entry(text)]), "{text}");
        }
        for text in
            ["echo $0", "echo a \\", "set -xv", "set -e -v", "trap x DEBUG", "alias ll='ls -l'", "a\0"]
        {
            assert!(!may_be_marked(&[entry("true"), entry(text)]), "{text}");
        }
    }
}
