//! What lies in people's homes.

use std::collections::HashSet;

use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use super::database::{Line, PASSWD, TOLD, first_person, is_person, lines, login_defs};
use crate::key_file::{self, Form};
use crate::{Bench, Error, Finding, Measure, View, merged};

const LOGIN_DEFS: &str = "/etc/login.defs";
const HOME_MODE: &str = "HOME_MODE";
/// A file of keys is no longer.
const KEYS_LIMIT: u64 = 1 << 20;
/// Names in a home that are looked at.
const NAMES: usize = 500;

/// Homes of people.
fn homes(stage: &Stage<'_>) -> Result<Vec<Line>, Error> {
    let first = first_person(stage);
    let people = lines(stage, PASSWD)?.into_iter().filter(|user| is_person(user, first));
    Ok(people.filter(|user| user.field(5).len() > 1).collect())
}

/// Nobody else looks into people's homes.
pub(super) struct Homes;

impl Measure for Homes {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        // Older tools complain about a word that they do not know.
        if bench.stage.read_text(LOGIN_DEFS)?.is_some_and(|text| text.contains(HOME_MODE)) {
            let good = |said: &str| u32::from_str_radix(said, 8).is_ok_and(|mode| mode & !0o750 == 0);
            key_file::set(bench.stage, Form::Blank, LOGIN_DEFS, (HOME_MODE, "0750"), false, &good)?;
        }
        for user in homes(bench.stage)? {
            let home = user.field(5);
            if let Some(found) = bench.stage.stat(home)?.filter(|found| Some(found.uid) == user.id())
                && found.mode & 0o777 & !0o750 != 0
            {
                bench.stage.set_mode(home, found.mode & !0o027)?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        for user in homes(view.stage)? {
            let home = user.field(5);
            let place = || Place::file(home);
            match view.stage.stat(home)? {
                None => faults.push(user.fault(format!("has the home {home}, which is missing"))),
                Some(found) if found.kind != FileType::Directory => {
                    faults.push(user.fault(format!("has the home {home}, which is no directory")));
                }
                Some(found) => {
                    if Some(found.uid) != user.id() {
                        faults.push((
                            place(),
                            format!("{home} belongs to user {}, not {}", found.uid, user.name()),
                        ));
                    }
                    if found.mode & 0o777 & !0o750 != 0 {
                        faults.push((place(), format!("the mode of {home} is {:04o}, not 0750", found.mode)));
                    }
                }
            }
        }
        if let Some(mode) = login_defs(view.stage, HOME_MODE)
            && u32::from_str_radix(&mode, 8).is_ok_and(|mode| mode & !0o750 != 0)
        {
            faults.push((Place::file(LOGIN_DEFS), format!("new homes get the mode {mode}, not 0750")));
        }
        faults.truncate(TOLD);
        Ok(Finding::of(faults))
    }
}

/// Files of homes that give others a way in, or tell them secrets.
pub(super) struct Dotfiles;

impl Measure for Dotfiles {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        let root = lines(view.stage, PASSWD)?.into_iter().filter(|user| user.name() == "root");
        for user in root.chain(homes(view.stage)?) {
            let home = user.field(5);
            for name in merged::names(view.stage, home).unwrap_or_default().into_iter().take(NAMES) {
                let path = format!("{home}/{name}");
                let Some(found) = view.stage.lstat(&path)?.filter(|_| name.starts_with('.')) else {
                    continue;
                };
                if found.kind != FileType::Regular {
                    continue;
                }
                let mode = found.mode;
                let what = match name.as_str() {
                    ".forward" => "sends mail elsewhere".to_owned(),
                    ".rhosts" | ".shosts" => "lets others in without a password".to_owned(),
                    ".netrc" if mode & 0o177 != 0 => {
                        format!("holds passwords, and its mode is {mode:04o}, not 0600")
                    }
                    name if name.ends_with("_history") && mode & 0o077 != 0 => {
                        format!("tells what was typed, and its mode is {mode:04o}, not 0600")
                    }
                    _ if mode & 0o022 != 0 => format!("can be written by others ({mode:04o})"),
                    _ => continue,
                };
                faults.push((Place::file(&path), format!("{path} {what}")));
            }
        }
        faults.truncate(TOLD);
        Ok(Finding::of(faults))
    }
}

/// Keys that let somebody in.
pub(super) struct Keys;

/// A key that everybody has: vagrant's first one.
const VAGRANT: &str = "AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzI";

impl Measure for Keys {
    /// Which keys an image shall have is its owner's to say: those of its users are told, and do not fail. What fails is
    /// what nobody meant: homes of nobody, keys of build tools.
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let users = lines(view.stage, PASSWD)?;
        let mut owned: Vec<&str> = users.iter().map(|user| user.field(5).trim_end_matches('/')).collect();
        owned.retain(|home| !home.is_empty());
        let known: HashSet<String> = owned
            .iter()
            .map(|home| Ok(view.stage.resolve(home)?.to_string()))
            .collect::<Result<_, Error>>()?;
        let mut all: Vec<String> = known.iter().cloned().collect();
        all.push("/root".to_owned());
        all.extend(merged::names(view.stage, "/home")?.into_iter().map(|name| format!("/home/{name}")));
        all.sort();
        all.dedup();
        let (mut faults, mut told) = (Vec::new(), Vec::new());
        for home in all {
            for name in ["authorized_keys", "authorized_keys2"] {
                let path = format!("{home}/.ssh/{name}");
                let keys = keys(view.stage, &path);
                if keys.is_empty() {
                    continue;
                }
                let place = |line: usize| Place { path: path.clone(), line: Some(line) };
                if !known.contains(&home) {
                    faults.push((
                        place(keys[0].0),
                        format!("{home} is nobody's home, and keys are left in it"),
                    ));
                }
                for (line, key) in &keys {
                    let comment = key.split_whitespace().next_back().unwrap_or_default();
                    let what = if key.contains(VAGRANT) {
                        "everybody has the private half of this key (vagrant)"
                    } else if comment.starts_with("packer_") || comment == "packer" {
                        "this key was made for a build (packer)"
                    } else {
                        continue;
                    };
                    faults.push((place(*line), what.to_owned()));
                }
                told.push(format!("{path} ({})", keys.len()));
            }
        }
        faults.truncate(TOLD);
        Ok(match (faults.is_empty(), told.is_empty()) {
            (false, _) => Finding::of(faults),
            (true, true) => Finding::Pass,
            (true, false) => {
                told.truncate(TOLD);
                Finding::Exception(format!(
                    "keys of the image's users, which whoever builds it means: {}",
                    told.join(", ")
                ))
            }
        })
    }
}

/// The lines of keys, with their numbers.
fn keys(stage: &Stage<'_>, path: &str) -> Vec<(usize, String)> {
    let bytes = merged::bytes(stage, path, KEYS_LIMIT).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim().to_owned()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect()
}
