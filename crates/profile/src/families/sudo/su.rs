//! su, for members of a group that has none.

use hardtack_guest::pam::{Entry, Facility, parse};
use hardtack_guest::{Set, Stage, accounts};
use hardtack_report::Place;

use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View};

const SU: &str = "/etc/pam.d/su";
/// Without members: su is root's then, and sudo everybody's.
const GROUP: &str = "nosugroup";

/// pam_wheel asks for a group that nobody is in. Root comes before it (pam_rootok).
pub(super) struct SuGroup;

impl Measure for SuGroup {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(text) = bench.stage.read_text(SU)? else { return Ok(()) };
        if accounts::group_id(bench.stage, GROUP)?.is_none() {
            accounts::add_system_group(bench.stage, GROUP)?;
        }
        if wheel(&text, bench.stage)?.is_err() {
            crate::conffile::edit(bench.stage, SU, with_line(&text), Set::default())?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(text) = text(view.stage, SU) else {
            return Ok(Finding::NotApplicable("the image has no su".to_owned()));
        };
        Ok(match wheel(&text, view.stage)? {
            Ok(()) => Finding::Pass,
            Err((line, what)) => Finding::of(vec![(Place { path: SU.to_owned(), line }, what)]),
        })
    }
}

type Fault = (Option<usize>, String);

/// Whether su asks for an empty group before anything else lets somebody through.
fn wheel(text: &str, stage: &Stage<'_>) -> Result<Result<(), Fault>, Error> {
    for line in parse(text) {
        let Entry::Module { facility: Facility::Auth, control, module, arguments } = &line.entry else {
            continue;
        };
        let name = module.rsplit('/').next().unwrap_or_default();
        if name != "pam_wheel.so" {
            // Root itself; anything else that is enough comes too early.
            if (control == "sufficient" && name != "pam_rootok.so") || control.starts_with('[') {
                return Ok(Err((Some(line.number), format!("{name} lets people through before pam_wheel"))));
            }
            continue;
        }
        let has = |word: &str| arguments.iter().any(|argument| argument == word);
        if !matches!(control.as_str(), "required" | "requisite") || has("deny") || has("trust") {
            continue;
        }
        let group = arguments.iter().find_map(|word| word.strip_prefix("group="));
        let Some(group) = group.filter(|_| has("use_uid")) else {
            return Ok(Err((Some(line.number), "pam_wheel lacks use_uid or group=".to_owned())));
        };
        return Ok(match members(group, stage)? {
            None => Err((Some(line.number), format!("there is no group {group}"))),
            Some(members) if members.is_empty() => Ok(()),
            Some(members) => Err((Some(line.number), format!("{group} has members: {}", members.join(", ")))),
        });
    }
    Ok(Err((None, "no line asks for a group (pam_wheel.so)".to_owned())))
}

/// Who is in the group, by either file; `None`: there is no such group.
fn members(name: &str, stage: &Stage<'_>) -> Result<Option<Vec<String>>, Error> {
    let Some(gid) = accounts::group_id(stage, name)? else { return Ok(None) };
    let group = text(stage, "/etc/group").unwrap_or_default();
    let line = group.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name);
    let list = line.and_then(|fields| fields.get(3).copied()).unwrap_or_default();
    let mut members: Vec<String> = list.split(',').map(str::to_owned).filter(|one| !one.is_empty()).collect();
    members.extend(accounts::users(stage)?.into_iter().filter(|user| user.gid == gid).map(|user| user.name));
    Ok(Some(members))
}

/// Our line behind root's, or at the top.
fn with_line(text: &str) -> String {
    let ours = format!("auth       required   pam_wheel.so use_uid group={GROUP}");
    let mut lines: Vec<&str> = text.lines().filter(|line| *line != ours).collect();
    let is_root = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() >= 3 && words[..2] == ["auth", "sufficient"] && words[2].ends_with("pam_rootok.so")
    };
    let at = lines.iter().position(is_root).map_or(0, |at| at + 1);
    lines.insert(at, &ours);
    lines.join("\n") + "\n"
}
