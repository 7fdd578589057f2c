//! What Debian's `pam-auth-update --package --enable NAME` does, without running it.
//!
//! A translation of the Perl script of libpam-runtime (1.1.8 of Ubuntu 14.04 to 1.7 of Debian 13):
//! profiles, the difference between `/etc/pam.d/common-*` and `/var/lib/pam/*` as local options,
//! the new common-* with recounted jumps, and the new `/var/lib/pam/*`. What depends on the release
//! (checksums of the boilerplate, two details of profiles) is read from the image's own script.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};
use regex::Regex;

use crate::{Error, FileType, Set, Stage};

/// The tool.
pub const TOOL: &str = "/usr/sbin/pam-auth-update";
/// Where its profiles are.
pub const PROFILES: &str = "/usr/share/pam-configs";

const CONFIGURATION: &str = "/etc/pam.d";
const STATE: &str = "/var/lib/pam";
const TEMPLATES: &str = "/usr/share/pam";
const TYPES: [&str; 5] = ["auth", "account", "password", "session", "session-noninteractive"];

const PRIMARY: &str = "# here are the per-package modules (the \"Primary\" block)";
const FALLBACK: &str = "# here's the fallback if no module succeeds";
const ADDITIONAL: &str = "# and here are more per-package modules (the \"Additional\" block)";
const END: &str = "# end of pam-auth-update config";

/// Why the tool would leave the stacks alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmanaged {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is there.
    pub what: String,
}

/// What came of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The stacks are what the tool would have made.
    Done,
    /// The tool would refuse; nothing was changed.
    Unmanaged(Unmanaged),
}

/// Regenerates the common-* stacks with the profile `enable` (already in [`PROFILES`]) switched on.
///
/// # Errors
/// A file cannot be read or written.
pub fn update(stage: &mut Stage<'_>, enable: &str) -> Result<Outcome, Error> {
    let script = String::from_utf8_lossy(&stage.read(TOOL)?.unwrap_or_default()).into_owned();
    let profiles = Profiles::load(stage, &script)?;
    let mut difference = match Difference::read(stage)? {
        Ok(difference) => difference,
        Err(unmanaged) => return Ok(Outcome::Unmanaged(unmanaged)),
    };
    let seen = stage.read(&format!("{STATE}/seen"))?.unwrap_or_default();
    let seen = String::from_utf8_lossy(&seen).into_owned();
    let seen: BTreeSet<&str> = seen.lines().collect();
    let enabled = profiles.enabled(&difference.modules, &seen, enable);
    if !enabled.iter().any(|name| name == enable) {
        return Ok(Outcome::Unmanaged(Unmanaged {
            path: format!("{PROFILES}/{enable}"),
            line: None,
            what: "another profile conflicts with it".to_owned(),
        }));
    }

    let mut written = vec![(format!("{STATE}/seen"), profiles.sorted.join("\n") + "\n")];
    for kind in TYPES {
        let path = format!("{CONFIGURATION}/common-{kind}");
        let template = template(stage, &path, kind, &script)?;
        let options = difference.options.entry(kind).or_default();
        let Some(text) = render(&template, kind, &profiles, &enabled, options) else {
            let what = "the comments that pam-auth-update works between are not all there".to_owned();
            return Ok(Outcome::Unmanaged(Unmanaged { path, line: None, what }));
        };
        written.push((path, text));
        written.push((format!("{STATE}/{kind}"), saved(kind, &profiles, &enabled)));
    }
    for (path, text) in written {
        stage.write(&path, text, Set::default())?;
    }
    Ok(Outcome::Done)
}

/// The profiles of the image.
struct Profiles {
    by_name: BTreeMap<String, Profile>,
    /// Names, high priority first, then backwards by name.
    sorted: Vec<String>,
}

#[derive(Default)]
struct Profile {
    fields: BTreeMap<String, String>,
    conflicts: BTreeSet<String>,
    disabled: bool,
}

impl Profile {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn priority(&self) -> i64 {
        let text = self.field("Priority").trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
        text[..end].parse().unwrap_or(0)
    }

    /// `parse_pam_profile` of the script.
    fn parse(text: &str, script: &str) -> Self {
        let mut profile = Self::default();
        let mut current = String::new();
        for line in text.split_inclusive('\n') {
            if let Some((name, value)) = header(line) {
                current = name.strip_suffix("-Final").unwrap_or(name).to_owned();
                if current == "Conflicts" {
                    profile.conflicts.extend(value.split(", ").map(str::to_owned));
                } else {
                    profile.fields.insert(current.clone(), value.to_owned());
                }
                continue;
            }
            let line = line.trim();
            let field = profile.fields.entry(current.clone()).or_default();
            if !line.is_empty() && line != "0" {
                field.push('\n');
                field.push_str(line);
            }
            // Since 1.3 or so: profiles of modules that are gone are passed over.
            if script.contains("@invalid_modules") && field.contains("pam_tally") {
                profile.disabled = true;
            }
            *field = field.trim_start().to_owned();
        }
        let interactive_only = profile.fields.get("Session-Interactive-Only");
        // Debian 13 looks at the value, older releases at the field's being there.
        let by_value = script.contains("{'Session-Interactive-Only'} ne 'yes'");
        if interactive_only.is_none_or(|value| by_value && value != "yes") {
            for suffix in ["-Type", "", "-Initial"] {
                if let Some(value) = profile.fields.get(&format!("Session{suffix}")).cloned() {
                    profile.fields.insert(format!("Session-noninteractive{suffix}"), value);
                }
            }
        }
        profile
    }
}

/// `^(\S+):\s+(.*)\s*$`; the line end counts as the blank that must follow the colon.
fn header(line: &str) -> Option<(&str, &str)> {
    let end = line.find(char::is_whitespace)?;
    let name = line[..end].strip_suffix(':')?;
    if name.is_empty() {
        return None;
    }
    Some((name, line[end..].trim_start().trim_end_matches('\n')))
}

impl Profiles {
    fn load(stage: &Stage<'_>, script: &str) -> Result<Self, Error> {
        let mut by_name = BTreeMap::new();
        for entry in stage.list(PROFILES)? {
            let hidden = entry.name.ends_with('~')
                || (entry.name.len() > 2 && entry.name.starts_with('#') && entry.name.ends_with('#'));
            let path = format!("{PROFILES}/{}", entry.name);
            let file = stage.stat(&path)?.is_some_and(|found| found.kind == FileType::Regular);
            if hidden || !file {
                continue;
            }
            let text = stage.read(&path)?.unwrap_or_default();
            let profile = Profile::parse(&String::from_utf8_lossy(&text), script);
            if !profile.disabled {
                by_name.insert(entry.name, profile);
            }
        }
        let mut profiles = Self { sorted: by_name.keys().cloned().collect(), by_name };
        let mut sorted = std::mem::take(&mut profiles.sorted);
        profiles.sort(&mut sorted);
        profiles.sorted = sorted;
        Ok(profiles)
    }

    fn sort(&self, names: &mut [String]) {
        let priority = |name: &String| self.by_name.get(name).map_or(0, Profile::priority);
        names.sort_by(|a, b| priority(b).cmp(&priority(a)).then_with(|| b.cmp(a)));
    }

    fn enabled(&self, modules: &[String], seen: &BTreeSet<&str>, enable: &str) -> Vec<String> {
        let mut enabled: Vec<String> =
            modules.iter().filter(|name| self.by_name.contains_key(*name)).cloned().collect();
        enabled.extend(self.sorted.iter().filter(|name| *name == enable).cloned());
        enabled.extend(
            self.sorted
                .iter()
                .filter(|name| self.by_name[*name].field("Default") == "yes" && !seen.contains(name.as_str()))
                .cloned(),
        );
        self.sort(&mut enabled);
        enabled.dedup();
        let mut at = 0;
        while let Some(name) = enabled.get(at) {
            let conflicts = &self.by_name[name].conflicts;
            let kept: Vec<String> =
                enabled.iter().filter(|other| !conflicts.contains(*other)).cloned().collect();
            enabled = kept;
            at += 1;
        }
        enabled
    }

    /// The lines of a profile for `kind` ("Auth"): the initial form when it comes first.
    fn lines(&self, name: &str, kind: &str, first: bool) -> &str {
        let profile = &self.by_name[name];
        let initial = profile.field(&format!("{kind}-Initial"));
        if first && !initial.is_empty() { initial } else { profile.field(kind) }
    }

    /// The profiles of a block in order, with their lines.
    fn block<'p>(
        &'p self,
        enabled: &'p [String],
        kind: &str,
        in_block: impl Fn(&str) -> bool,
    ) -> Vec<(&'p str, &'p str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for name in enabled {
            let block = self.by_name[name].field(&format!("{kind}-Type"));
            if !block.is_empty() && in_block(block) {
                found.push((name, self.lines(name, kind, found.is_empty())));
            }
        }
        found
    }
}

fn capitalised(kind: &str) -> String {
    let mut chars = kind.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// Options that the administrator added to or took from lines, by line ("required pam_x.so").
#[derive(Default)]
struct Options {
    added: BTreeMap<String, BTreeSet<String>>,
    removed: BTreeMap<String, BTreeSet<String>>,
}

struct Difference {
    modules: Vec<String>,
    options: BTreeMap<&'static str, Options>,
}

/// A line's control and module, and its options.
fn split_line(line: &str) -> Option<(String, Vec<String>)> {
    let pattern = Regex::new(r"^((?:\[[^\]]+\]|\w+)\s+\S+)\s*(.*)").ok()?;
    let captures = pattern.captures(line)?;
    let options = captures[2].split_whitespace().map(str::to_owned).collect();
    Some((captures[1].to_owned(), options))
}

/// Takes the target out of a jump: `[success=2 …]` and `[success=end …]` become `[success= …]`.
fn without_targets(line: &str, end_too: bool) -> String {
    let mut text = line.to_owned();
    let mut patterns = vec![r"(\[[^0-9]*)[0-9]+(.*\])"];
    if end_too {
        patterns.push(r"(\[.*)end(.*\])");
    }
    for pattern in patterns {
        if let Ok(pattern) = Regex::new(pattern) {
            text = pattern.replace_all(&text, "$1$2").into_owned();
        }
    }
    text
}

impl Difference {
    /// `diff_profiles` of the script.
    fn read(stage: &Stage<'_>) -> Result<Result<Self, Unmanaged>, Error> {
        let mut difference = Self { modules: Vec::new(), options: BTreeMap::new() };
        for kind in TYPES {
            let path = format!("{STATE}/{kind}");
            let unmanaged = |path: &str, line: Option<usize>, what: &str| {
                Ok(Err(Unmanaged { path: path.to_owned(), line, what: what.to_owned() }))
            };
            let Some(saved) = stage.read(&path)? else {
                return unmanaged(&path, None, "is missing: pam-auth-update has never made these stacks");
            };
            let saved = String::from_utf8_lossy(&saved).into_owned();
            let mut module = String::new();
            let mut known = std::collections::VecDeque::new();
            for line in saved.lines() {
                if let Some(name) = line.strip_prefix("Module: ") {
                    module = name.to_owned();
                } else if let Some(parts) = split_line(&without_targets(line, true)) {
                    known.push_back((module.clone(), parts));
                }
            }

            let path = format!("{CONFIGURATION}/common-{kind}");
            let Some(current) = stage.read(&path)? else { return unmanaged(&path, None, "is missing") };
            let current = String::from_utf8_lossy(&current).into_owned();
            let facility = kind.trim_end_matches("-noninteractive");
            let options = difference.options.entry(kind).or_default();
            let mut state = 0;
            for (index, line) in current.lines().enumerate() {
                match state {
                    0 if line.starts_with(PRIMARY) => state = 1,
                    1 if line.starts_with(FALLBACK) => state = 2,
                    2 if line.starts_with(ADDITIONAL) => state = 3,
                    3 if line.starts_with(END) => break,
                    0 | 2 => {}
                    _ => {
                        let text = without_facility(line, facility);
                        let text = without_targets(text, false);
                        let mut found = false;
                        while let Some((name, (head, mut before))) = known.pop_front() {
                            let Some(rest) = text.strip_prefix(&head) else { continue };
                            found = true;
                            difference.modules.push(name);
                            for option in rest.split_whitespace() {
                                let count = before.len();
                                before.retain(|other| other != option);
                                if before.len() == count {
                                    options.added.entry(head.clone()).or_default().insert(option.to_owned());
                                }
                            }
                            options.removed.entry(head).or_default().extend(before);
                            break;
                        }
                        if !found {
                            return unmanaged(&path, Some(index + 1), "this line was edited by hand");
                        }
                    }
                }
            }
            if state < 3 {
                return unmanaged(&path, None, "the comments that pam-auth-update works between are gone");
            }
        }
        Ok(Ok(difference))
    }
}

fn without_facility<'l>(line: &'l str, facility: &str) -> &'l str {
    match line.strip_prefix(facility) {
        Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim_start(),
        _ => line,
    }
}

/// The file to work from: the one in the image, or the package's where only the managed parts of
/// the image's differ from a release of the package.
fn template(stage: &Stage<'_>, path: &str, kind: &str, script: &str) -> Result<String, Error> {
    let current = stage.read(path)?.unwrap_or_default();
    let current = String::from_utf8_lossy(&current).into_owned();
    let sum = Md5::digest(boilerplate(&current).as_bytes());
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    if checksums(script, kind).any(|known| known == sum)
        && let Some(original) = stage.read(&format!("{TEMPLATES}/common-{kind}"))?
    {
        return Ok(String::from_utf8_lossy(&original).into_owned());
    }
    Ok(current)
}

/// The script's `%md5sums` for one stack.
fn checksums<'s>(script: &'s str, kind: &str) -> impl Iterator<Item = &'s str> {
    let start = script.find("%md5sums").unwrap_or(script.len());
    let table = script[start..].split_once(");").map_or("", |(table, _)| table);
    let list = table.split_once(&format!("'{kind}' =>")).map_or("", |(_, rest)| rest);
    let list = list.split_once(']').map_or("", |(list, _)| list);
    list.split('\'').filter(|word| word.len() == 32)
}

/// The file without what stands between the markers.
fn boilerplate(text: &str) -> String {
    let mut kept = String::new();
    let mut state = 0;
    for line in text.split_inclusive('\n') {
        let (keep, next) = match state {
            0 => (true, usize::from(line.starts_with(PRIMARY))),
            1 => (line.starts_with(FALLBACK), 1 + usize::from(line.starts_with(FALLBACK))),
            2 => (true, 2 + usize::from(line.starts_with(ADDITIONAL))),
            3 => (line.starts_with(END), 3 + usize::from(line.starts_with(END))),
            _ => (true, state),
        };
        if keep {
            kept.push_str(line);
        }
        state = next;
    }
    kept
}

/// `create_from_template` of the script; `None` when the markers are not all there.
fn render(
    template: &str,
    kind: &str,
    profiles: &Profiles,
    enabled: &[String],
    options: &mut Options,
) -> Option<String> {
    let capital = capitalised(kind);
    let facility = kind.trim_end_matches("-noninteractive");
    let mut text = String::new();
    let mut state = 0;
    for line in template.split_inclusive('\n') {
        let skipped = match state {
            1 => !line.starts_with(FALLBACK),
            3 => !line.starts_with(END),
            _ => false,
        };
        if skipped {
            continue;
        }
        text.push_str(line);
        let block = match state {
            0 if line.starts_with(PRIMARY) => "Primary",
            2 if line.starts_with(ADDITIONAL) => "Additional",
            0 | 2 | 4 => continue,
            _ => {
                state += 1;
                continue;
            }
        };
        state += 1;
        let modules = profiles.block(enabled, &capital, |found| found == block);
        let lines = modules.iter().flat_map(|(_, lines)| lines.lines()).collect::<Vec<_>>();
        let mut count = i64::try_from(lines.len()).unwrap_or(0);
        if block == "Additional" {
            count -= 1;
        } else if count == 0 {
            text.push_str(&format!("{facility}\t[default=1]\t\t\tpam_permit.so\n"));
        }
        for line in lines {
            text.push_str(&format!("{facility}\t{}\n", merged(line, options, count)));
            count -= 1;
        }
    }
    (state >= 4).then_some(text)
}

/// `merge_one_line` of the script: the jump's target and the administrator's options.
fn merged(line: &str, options: &mut Options, count: i64) -> String {
    let Some((head, words)) = split_line(line) else { return line.to_owned() };
    let head = head.replace("end", &count.to_string());
    let key = without_targets(&head, false);
    let added = options.added.entry(key.clone()).or_default();
    let removed = options.removed.entry(key).or_default();
    let mut kept: Vec<String> = Vec::new();
    for word in words {
        added.remove(&word);
        if !removed.contains(&word) {
            kept.push(word);
        }
    }
    kept.extend(added.iter().cloned());
    format!("{head} {}", kept.join(" "))
}

/// What goes to `/var/lib/pam/KIND`.
fn saved(kind: &str, profiles: &Profiles, enabled: &[String]) -> String {
    let capital = capitalised(kind);
    let mut text = String::new();
    for block in ["Primary", "Additional"] {
        let other = if block == "Primary" { "Additional" } else { "Primary" };
        let modules = profiles.block(enabled, &capital, |found| found != other);
        if modules.is_empty() && block == "Primary" {
            text.push_str("Module: null\n[default=1]\t\t\tpam_permit.so\n");
        }
        for (name, lines) in modules.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            text.push_str(&format!("Module: {name}\n{lines}\n"));
        }
    }
    text
}

#[cfg(test)]
#[path = "auth_update_tests.rs"]
mod tests;
