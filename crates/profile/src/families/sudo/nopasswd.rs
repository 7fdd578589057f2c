//! Rules that let people become root without a password.

use hardtack_guest::{Set, Stage};
use hardtack_report::Place;

use super::sudoers::{Sudoers, has_tag};
use crate::people::{Person, everybody, in_image};
use crate::{Bench, Error, Finding, Measure, View, cloud};

/// What cloud-init's default user may do.
pub(crate) const CLOUD: &str = "/etc/cloud/cloud.cfg.d/99-zz-hardtack-sudo.cfg";
const TAG: &str = "NOPASSWD";
const ALONE: &str = "nobody who may use sudo has a password: without NOPASSWD nobody could become root (the mfa step with \
                     a password for a user makes it possible)";

/// No rule says NOPASSWD, and cloud-init writes none. Left alone where nobody would be root any more.
pub(super) struct NoPasswd;

/// Somebody who has a password and may become root, by a rule of sudo or as the distributions have it.
fn is_admin(person: &Person, sudoers: &Sudoers) -> bool {
    let usual = ["sudo", "wheel", "admin"];
    let in_group = |name: &str| person.groups.iter().any(|group| group == name);
    let ruled = sudoers.rules.iter().filter_map(|(_, rule)| rule.split_whitespace().next());
    let named = |word: &str| word == person.name || word.strip_prefix('%').is_some_and(in_group);
    !person.is_root
        && person.password
        && (person.sudo || usual.iter().any(|group| in_group(group)) || ruled.into_iter().any(named))
}

/// Whether anybody could still become root where sudo asks everybody.
pub(super) fn somebody_asked(bench: &Bench<'_, '_>) -> Result<bool, Error> {
    let sudoers = Sudoers::read(bench.stage)?;
    Ok(everybody(bench)?.iter().any(|person| is_admin(person, &sudoers)))
}

impl Measure for NoPasswd {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if !somebody_asked(bench)? {
            bench.notes.push(format!("sudo-nopasswd is left alone: {ALONE}"));
            return Ok(());
        }
        for path in Sudoers::read(bench.stage)?.files {
            let Some(text) = bench.stage.read_text(&path)? else { continue };
            let asked = without_tag(&text);
            if asked != text {
                bench.stage.write(&path, asked, Set::default())?;
            }
        }
        if cloud::is_there(bench.stage)? {
            let lines = ["system_info:", "  default_user:", "    sudo: ['ALL=(ALL:ALL) ALL']"];
            cloud::drop_in(bench, CLOUD, &lines.map(str::to_owned))?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if view.stage.stat(super::MAIN)?.is_none() && !cloud::is_there(view.stage)? {
            return Ok(Finding::NotApplicable("the image has no sudo".to_owned()));
        }
        let faults = faults(view.stage)?;
        let sudoers = Sudoers::read(view.stage)?;
        if !faults.is_empty() && !in_image(view.stage, 0)?.iter().any(|one| is_admin(one, &sudoers)) {
            return Ok(Finding::Exception(ALONE.to_owned()));
        }
        Ok(Finding::of(faults))
    }
}

fn faults(stage: &Stage<'_>) -> Result<Vec<(Place, String)>, Error> {
    let mut faults = Vec::new();
    if stage.stat(super::MAIN)?.is_some() {
        let rules = Sudoers::read(stage)?.rules.into_iter().filter(|(_, rule)| has_tag(rule, TAG));
        faults.extend(rules.map(|(place, rule)| (place, format!("{rule}: asks for no password"))));
    }
    if cloud::is_there(stage)? {
        let user = cloud::default_user(stage, "")?;
        if let Some((rules, path)) = user.sudo
            && rules.iter().any(|rule| has_tag(rule, TAG))
        {
            faults.push((
                Place::file(path),
                "cloud-init lets its default user become root without a password".to_owned(),
            ));
        }
    }
    Ok(faults)
}

/// The text without the tag; comments stay as they are.
fn without_tag(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("# ") || !has_tag(line, TAG) {
            out.push_str(line);
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(TAG) {
            let word =
                before.bytes().next_back().is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_');
            out.push_str(before);
            match after.trim_start().strip_prefix(':').filter(|_| word) {
                Some(after) => rest = after.trim_start_matches([' ', '\t']),
                None => {
                    out.push_str(TAG);
                    rest = after;
                }
            }
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_tag;

    #[test]
    fn the_tag_is_taken_out() {
        let text =
            "# x ALL=(ALL) NOPASSWD: ALL\na ALL=(ALL) NOPASSWD : ALL, NOPASSWD:SETENV: /bin/x\nb ALL=ALL\n";
        assert_eq!(
            without_tag(text),
            "# x ALL=(ALL) NOPASSWD: ALL\na ALL=(ALL) ALL, SETENV: /bin/x\nb ALL=ALL\n"
        );
    }
}
