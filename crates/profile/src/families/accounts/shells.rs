//! What shells read when they start: file modes and time-outs.

use hardtack_report::Place;

use crate::{Bench, Error, Finding, Measure, View, merged};

/// Login shells read it; others that people start read [`BASHRC`] (bash alone).
pub(crate) const PROFILE_D: &str = "/etc/profile.d/60-hardtack.sh";
const BASHRC: [&str; 2] = ["/etc/bash.bashrc", "/etc/bashrc"];
const PROFILE: &str = "/etc/profile";
const DIRECTORY: &str = "/etc/profile.d";
const ROOTS: [&str; 4] = ["/root/.profile", "/root/.bash_profile", "/root/.bash_login", "/root/.bashrc"];

const UMASK: &str = "umask 027";
/// A variable that cannot be set a second time: whoever reads the file again would get an error, and dash would end. The
/// form inside is the one that checkers know; dash has no `declare`.
const TMOUT: [&str; 7] = [
    "if (unset TMOUT) 2>/dev/null; then",
    "if [ -n \"${BASH_VERSION:-}\" ]; then",
    "declare -xr TMOUT=900",
    "else",
    "TMOUT=900; readonly TMOUT; export TMOUT",
    "fi",
    "fi # of TMOUT",
];
const LONGEST: u32 = 900;

/// A statement with the file and line that it stands on.
struct Statement {
    text: String,
    place: Place,
}

/// The statements of a file, comments left out; `;` and `&&` end one.
fn statements(view: &View<'_>, path: &str) -> Vec<Statement> {
    let text = merged::text(view.stage, path).unwrap_or_default();
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = match line.find('#') {
            Some(at) if line[..at].is_empty() || line[..at].ends_with([' ', '\t', ';']) => &line[..at],
            _ => line,
        };
        for part in line.split(';').flat_map(|part| part.split("&&")) {
            let mut part = part.trim();
            for word in ["then ", "else ", "do ", "{ "] {
                part = part.strip_prefix(word).unwrap_or(part).trim_start();
            }
            if !part.is_empty() {
                let place = Place { path: path.to_owned(), line: Some(index + 1) };
                found.push(Statement { text: part.to_owned(), place });
            }
        }
    }
    found
}

/// The files that a login shell reads, in its order.
fn of_login(view: &View<'_>) -> Result<Vec<String>, Error> {
    let mut paths = vec![PROFILE.to_owned()];
    let names = merged::names(view.stage, DIRECTORY)?;
    paths.extend(
        names.into_iter().filter(|name| name.ends_with(".sh")).map(|name| format!("{DIRECTORY}/{name}")),
    );
    Ok(paths)
}

/// The mask of `umask 027` and `umask -S u=rwx,g=rx,o=`; `None` for what prints it, or a variable.
fn mask(statement: &str) -> Option<u32> {
    let mut words = statement.split_whitespace();
    if words.next() != Some("umask") {
        return None;
    }
    let word = words.find(|word| !word.starts_with('-'))?.trim_matches(['"', '\'']);
    if let Ok(mask) = u32::from_str_radix(word, 8) {
        return Some(mask & 0o777);
    }
    let mut mask = 0o777;
    for part in word.split(',') {
        let (who, bits) = part.split_once('=')?;
        let mut allowed = 0;
        for bit in bits.chars() {
            allowed |= match bit {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                _ => return None,
            };
        }
        for who in who.chars() {
            mask &= match who {
                'u' => !(allowed << 6),
                'g' => !(allowed << 3),
                'o' => !allowed,
                'a' => !(allowed * 0o111),
                _ => return None,
            };
        }
    }
    Some(mask)
}

/// Takes away at least what 027 takes.
fn is_strict(mask: u32) -> bool {
    mask & 0o027 == 0o027
}

/// What people's shells begin with.
pub(super) struct Umask;

impl Measure for Umask {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.line(PROFILE_D, 0o644, UMASK);
        if bench.settings.checker_friendly {
            for path in BASHRC {
                let Some(mut text) = bench.stage.read_text(path)? else { continue };
                if !text.lines().any(|line| mask(line.trim()).is_some_and(is_strict)) {
                    if !text.is_empty() && !text.ends_with('\n') {
                        text.push('\n');
                    }
                    text.push_str(UMASK);
                    text.push('\n');
                    crate::conffile::edit(bench.stage, path, text, hardtack_guest::Set::default())?;
                }
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut last = None;
        for path in of_login(view)? {
            for statement in statements(view, &path) {
                last = mask(&statement.text).map(|mask| (mask, statement)).or(last);
            }
        }
        let mut faults = Vec::new();
        match last {
            Some((mask, _)) if is_strict(mask) => {}
            Some((mask, statement)) => {
                faults.push((
                    statement.place,
                    format!("the last umask of login shells is {mask:03o}, not 027"),
                ));
            }
            None => {
                faults.push((Place::file(PROFILE_D), "login shells set no umask; 027 is wanted".to_owned()))
            }
        }
        for path in BASHRC {
            let loose = statements(view, path)
                .into_iter()
                .filter_map(|statement| Some((mask(&statement.text)?, statement)))
                .next_back()
                .filter(|(mask, _)| !is_strict(*mask));
            // RHEL's asks first whether it is in a login shell.
            if let Some((mask, statement)) = loose {
                faults.push((statement.place, format!("umask is {mask:03o}, not 027")));
            }
        }
        Ok(Finding::of(faults))
    }
}

/// What root's own files begin with.
pub(super) struct RootUmask;

impl Measure for RootUmask {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for path in ROOTS {
            let Some(old) = bench.stage.read_text(path)? else { continue };
            let mut text = String::new();
            for line in old.split_inclusive('\n') {
                let bare = line.trim();
                if mask(bare).is_some_and(|mask| !is_strict(mask)) {
                    text.push_str(&line.replacen(bare, UMASK, 1));
                } else {
                    text.push_str(line);
                }
            }
            if text != old {
                crate::conffile::edit(bench.stage, path, text, hardtack_guest::Set::default())?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        for path in ROOTS {
            for statement in statements(view, path) {
                if let Some(mask) = mask(&statement.text).filter(|mask| !is_strict(*mask)) {
                    faults.push((statement.place, format!("umask is {mask:03o}, not 027")));
                }
            }
        }
        Ok(Finding::of(faults))
    }
}

/// A file that sets TMOUT.
struct Set {
    place: Place,
    /// Seconds, the most of several; `None`: no time at all.
    value: Option<u32>,
    fixed: bool,
    exported: bool,
}

/// Shells that nobody types into end.
pub(super) struct Timeout;

impl Timeout {
    /// Where TMOUT is set: each file with what its statements come to.
    fn files(view: &View<'_>) -> Result<Vec<Set>, Error> {
        let mut paths = of_login(view)?;
        paths.extend(BASHRC.map(str::to_owned));
        let mut found = Vec::new();
        for path in paths {
            let (mut first, mut worst, mut fixed, mut exported) = (None, Some(1), false, false);
            for Statement { text, place } in statements(view, &path) {
                let mut words = text.split_whitespace();
                let command = words.clone().next().unwrap_or_default();
                let flags: String = words.clone().skip(1).take_while(|word| word.starts_with('-')).collect();
                let declares = matches!(command, "declare" | "typeset");
                let about = words.any(|word| word == "TMOUT" || word.starts_with("TMOUT="));
                if !about || matches!(command, "unset" | "(unset" | "if" | "[" | "test") {
                    continue;
                }
                fixed |= command == "readonly" || declares && flags.contains('r');
                exported |= command == "export" || declares && flags.contains('x');
                if let Some(value) = text.split_whitespace().find_map(|word| word.strip_prefix("TMOUT=")) {
                    first.get_or_insert(place);
                    let value = value.trim_matches(['"', '\'']).parse::<u32>().ok();
                    // Of several the longest counts; none, and what is not a number, is for ever.
                    worst =
                        worst.zip(value.filter(|value| *value > 0)).map(|(worst, value)| worst.max(value));
                }
            }
            if let Some(place) = first {
                found.push(Set { place, value: worst, fixed, exported });
            }
        }
        Ok(found)
    }
}

impl Measure for Timeout {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let elsewhere = {
            let view = bench.view()?;
            Self::files(&view)?.into_iter().any(|set| set.place.path != PROFILE_D)
        };
        // A second place could not set it any more: what the image has stays, and `check` tells whether it is enough.
        if !elsewhere {
            let line = TMOUT.join("\n");
            bench.line(PROFILE_D, 0o644, line);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let found = Self::files(view)?;
        let mut faults = Vec::new();
        for Set { place, value, fixed, exported } in &found {
            let what = match value {
                None => "TMOUT is no time",
                Some(value) if *value > LONGEST => "TMOUT is more than 900 s",
                Some(_) if !fixed => "TMOUT is not readonly: everybody can take it back",
                Some(_) if !exported => "TMOUT is not exported",
                Some(_) => continue,
            };
            faults.push((place.clone(), what.to_owned()));
        }
        match found.as_slice() {
            [] => faults.push((Place::file(PROFILE_D), "TMOUT is set nowhere; 900 s is wanted".to_owned())),
            [_] => {}
            [_, second, ..] => {
                faults.push((second.place.clone(), "TMOUT is set in a second place".to_owned()))
            }
        }
        Ok(Finding::of(faults))
    }
}
