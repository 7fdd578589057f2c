//! Which entry starts when nobody chooses.
//!
//! Facts: GRUB manual, "default" and "Booting once-only"; `grub-core/normal/menu.c`
//! (`get_entry_number`); UAPI group, "Boot Loader Specification", sorting; `loader.conf(5)`;
//! `blscfg.c` of Fedora's GRUB.

use std::cmp::Ordering;

use super::{Boot, BootEntry, Language, text};
use crate::glob::matches;
use crate::{Error, Stage};

/// The entries of each boot loader's default.
pub(super) fn find(stage: &Stage<'_>, boot: &Boot) -> Result<Vec<usize>, Error> {
    let mut found = Vec::new();
    let mut entries_shown = false;
    let all = || boot.configurations.iter().zip(&boot.languages).zip(&boot.choices);
    for ((path, language), choice) in all() {
        let mine = |entry: &BootEntry| {
            entry.origin.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with(':'))
        };
        let own: Vec<usize> = (0..boot.entries.len()).filter(|index| mine(&boot.entries[*index])).collect();
        match language {
            Language::Grub => {
                let wanted = match choice.default.as_deref() {
                    Some("$saved_entry") => saved(stage, "saved_entry")?.unwrap_or_default(),
                    Some(default) => default.to_owned(),
                    // Fedora's says it in a file that is read first, by which it is the saved one.
                    None if choice.reads_entries => saved(stage, "saved_entry")?.unwrap_or_default(),
                    None => String::new(),
                };
                if choice.reads_entries {
                    entries_shown = true;
                    found.extend(specified(stage, boot, &wanted, Specified::ByGrub)?);
                } else {
                    found.extend(in_menu(boot, &own, &wanted));
                }
            }
            Language::Legacy => {
                let wanted = match choice.default.as_deref() {
                    Some("saved") => {
                        let file = text(stage, "/boot/grub/default")?.unwrap_or_default();
                        file.lines().next().unwrap_or_default().trim().to_owned()
                    }
                    Some(default) => default.to_owned(),
                    None => String::new(),
                };
                found.extend(in_menu(boot, &own, &wanted));
            }
            Language::Extlinux => {
                let wanted = choice.default.as_deref().unwrap_or_default();
                let named = own.iter().find(|index| boot.entries[**index].title == wanted);
                found.extend(named.or(own.first()));
            }
            Language::Entry => {}
        }
    }
    if !entries_shown {
        let mut pattern = String::new();
        for esp in super::ESP {
            let Some(text) = text(stage, &format!("{esp}/loader/loader.conf"))? else { continue };
            let default = text.lines().rev().find_map(|line| line.trim().strip_prefix("default"));
            pattern = default.map(|value| value.trim().to_owned()).unwrap_or_default();
            break;
        }
        found.extend(specified(stage, boot, &pattern, Specified::BySystemd)?);
    }
    found.dedup();
    Ok(found)
}

/// The value of a variable in GRUB's environment block.
pub(super) fn saved(stage: &Stage<'_>, name: &str) -> Result<Option<String>, Error> {
    for path in ["/boot/grub2/grubenv", "/boot/grub/grubenv"] {
        let Some(text) = text(stage, path)? else { continue };
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            return Ok(Some(value.to_owned()));
        }
    }
    Ok(None)
}

/// `1>2`, a title, a name, or several of them with `>` between menus. What does not lead anywhere is
/// the first entry.
fn in_menu(boot: &Boot, own: &[usize], wanted: &str) -> Vec<usize> {
    let parts: Vec<&str> = if wanted.is_empty() { Vec::new() } else { wanted.split('>').collect() };
    let is = |index: usize| {
        let menu = &boot.entries[index].menu;
        parts.len() <= menu.len()
            && parts.iter().zip(menu).all(|(part, level)| match part.trim().parse::<usize>() {
                Ok(number) => number == level.index,
                Err(_) => *part == level.title || *part == level.id,
            })
    };
    let place = |index: usize| boot.entries[index].menu.iter().map(|level| level.index).collect::<Vec<_>>();
    let first = own.iter().copied().filter(|index| is(*index)).min_by_key(|index| place(*index));
    let first = match first {
        Some(first) if !parts.is_empty() => Some(first),
        _ => own.iter().copied().min_by_key(|index| place(*index)),
    };
    let Some(first) = first else { return Vec::new() };
    own.iter().copied().filter(|index| place(*index) == place(first)).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Specified {
    ByGrub,
    BySystemd,
}

/// What sorts an entry of the boot loader specification.
struct Key {
    index: usize,
    id: String,
    sort: String,
    version: String,
}

fn specified(stage: &Stage<'_>, boot: &Boot, wanted: &str, by: Specified) -> Result<Option<usize>, Error> {
    let mut keys = Vec::new();
    for (index, entry) in boot.entries.iter().enumerate() {
        let Some((path, _)) = entry.origin.rsplit_once(':') else { continue };
        let known = boot.configurations.iter().position(|known| known == path);
        if known.map(|at| boot.languages[at]) != Some(Language::Entry) {
            continue;
        }
        let text = text(stage, path)?.unwrap_or_default();
        let field = |name: &str| {
            let value =
                text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix([' ', '\t']));
            value.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        let id = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".conf").to_owned();
        keys.push(Key { index, id, sort: field("sort-key"), version: field("version") });
    }
    keys.sort_by(|one, other| match by {
        // Fedora's GRUB compares file names as versions, the newest first.
        Specified::ByGrub => newest(&one.id, &other.id),
        Specified::BySystemd => match (one.sort.is_empty(), other.sort.is_empty()) {
            (false, true) => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, false) => one.sort.cmp(&other.sort).then_with(|| newest(&one.version, &other.version)),
            (true, true) => Ordering::Equal,
        }
        .then_with(|| newest(&one.id, &other.id)),
    });
    let named = match (by, wanted) {
        (_, "") => None,
        (Specified::ByGrub, wanted) => match wanted.parse::<usize>() {
            Ok(number) => keys.get(number),
            Err(_) => keys.iter().find(|key| key.id == wanted || boot.entries[key.index].title == wanted),
        },
        (Specified::BySystemd, wanted) => keys
            .iter()
            .find(|key| [key.id.clone(), format!("{}.conf", key.id)].iter().any(|id| matches(wanted, id))),
    };
    Ok(named.or(keys.first()).map(|key| key.index))
}

/// Which comes first where the newest does.
fn newest(one: &str, other: &str) -> Ordering {
    segments(other).cmp(segments(one))
}

/// A part of a version, as RPM takes it apart (`rpmvercmp`): runs of digits and of letters, with a
/// tilde before everything, also before the end.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Letters(&'a str),
    /// Its length without leading zeros, and the digits.
    Digits(usize, &'a str),
}

fn segments(text: &str) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = text;
    let mut ended = false;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '~');
        let Some(first) = rest.chars().next() else {
            return (!std::mem::replace(&mut ended, true)).then_some(Segment::End);
        };
        let is = |c: char| match first {
            '~' => false,
            first if first.is_ascii_digit() => c.is_ascii_digit(),
            _ => c.is_ascii_alphabetic(),
        };
        let end = rest.char_indices().skip(1).find(|(_, c)| !is(*c)).map_or(rest.len(), |(at, _)| at);
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(match first {
            '~' => Segment::Tilde,
            first if first.is_ascii_digit() => {
                let digits = run.trim_start_matches('0');
                Segment::Digits(digits.len(), digits)
            }
            _ => Segment::Letters(run),
        })
    })
}

#[cfg(test)]
mod tests;
