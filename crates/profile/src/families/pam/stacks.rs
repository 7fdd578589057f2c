//! What PAM's shared stacks say, and how an image makes them.

use hardtack_guest::pam::{Facility, Step, TOOL, steps};
use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use crate::{Error, Finding};

/// Where modules lie; below them the directory `security`.
const LIBRARIES: [&str; 4] = ["/usr/lib", "/lib", "/usr/lib64", "/lib64"];
/// A module is no larger.
const LARGEST_MODULE: u64 = 4 << 20;

/// Modules that ask for a new password, so that one behind them may say `use_authtok`.
const PROMPTS: [&str; 5] =
    ["pam_pwquality.so", "pam_cracklib.so", "pam_passwdqc.so", "pam_pwhistory.so", "pam_unix.so"];

/// What is wrong with a stack: the number of the line's step, where it is about one, and a sentence.
pub(super) type Faults = Vec<(Option<usize>, String)>;

/// Who makes the shared stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    /// Debian's pam-auth-update: common-*.
    Debian,
    /// common-* without the tool.
    Hand,
    /// authselect: system-auth and password-auth.
    Authselect,
    /// Nobody that is known here.
    Nobody,
}

/// Who makes them here.
pub(super) fn maker(stage: &Stage<'_>) -> Result<Maker, Error> {
    if stage.stat("/etc/pam.d/common-auth")?.is_some() {
        return Ok(if stage.stat(TOOL)?.is_some() { Maker::Debian } else { Maker::Hand });
    }
    let has_stack = stage.stat("/etc/pam.d/system-auth")?.is_some();
    let tool = stage.stat("/usr/bin/authselect")?.is_some();
    Ok(if has_stack && tool { Maker::Authselect } else { Maker::Nobody })
}

/// The finding where there are no stacks that are read here.
pub(super) fn foreign() -> Finding {
    Finding::NotApplicable(
        "the image has neither the stacks of pam-auth-update (/etc/pam.d/common-*) nor those of authselect"
            .to_owned(),
    )
}

/// The shared services of a kind.
fn services(maker: Maker, facility: Facility) -> &'static [&'static str] {
    match (maker, facility) {
        (Maker::Nobody, _) => &[],
        (Maker::Authselect, _) => &["system-auth", "password-auth"],
        (_, Facility::Auth) => &["common-auth"],
        (_, Facility::Account) => &["common-account"],
        (_, Facility::Password) => &["common-password"],
        (_, Facility::Session) => &["common-session"],
    }
}

/// The stacks of a kind, each with the name of its service; a damaged one is a sentence with its place.
pub(super) fn read(
    stage: &Stage<'_>,
    maker: Maker,
    facility: Facility,
) -> Vec<(&'static str, Result<Vec<Step>, String>)> {
    services(maker, facility)
        .iter()
        .map(|service| (*service, steps(stage, service, facility).map_err(|error| error.to_string())))
        .collect()
}

/// Judges every stack of a kind by `look`, which tells what is wrong and on which line.
pub(super) fn judge(
    stage: &Stage<'_>,
    facility: Facility,
    look: &dyn Fn(&[Step]) -> Faults,
) -> Result<Finding, Error> {
    let maker = maker(stage)?;
    if maker == Maker::Nobody {
        return Ok(foreign());
    }
    let mut faults = Vec::new();
    for (service, found) in read(stage, maker, facility) {
        let whole = || Place::file(format!("/etc/pam.d/{service}"));
        match found {
            Err(what) => faults.push((whole(), what)),
            Ok(steps) => {
                for (index, what) in look(&steps) {
                    let place = index.and_then(|index| steps.get(index)).map_or_else(whole, place);
                    faults.push((place, what));
                }
            }
        }
    }
    Ok(Finding::of(faults))
}

pub(super) fn place(step: &Step) -> Place {
    Place { path: step.file.clone(), line: Some(step.line) }
}

/// The first line of a module.
pub(super) fn position(steps: &[Step], module: &str) -> Option<usize> {
    steps.iter().position(|step| step.module == module)
}

/// Whether a line before `index` asks for the new password, or has it from one that did.
pub(super) fn asked_before(steps: &[Step], index: usize) -> bool {
    steps[..index].iter().any(|step| PROMPTS.contains(&step.module.as_str()))
}

/// The value of `name=` on a line; the last one counts.
pub(super) fn option<'s>(step: &'s Step, name: &str) -> Option<&'s str> {
    step.arguments.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// Whether the word stands on a line.
pub(super) fn says(step: &Step, word: &str) -> bool {
    step.arguments.iter().any(|argument| argument == word)
}

/// The file of a module of PAM.
pub(super) fn module(stage: &Stage<'_>, name: &str) -> Result<Option<String>, Error> {
    for base in LIBRARIES {
        if !stage.stat(base)?.is_some_and(|found| found.kind == FileType::Directory) {
            continue;
        }
        let mut folders = vec![format!("{base}/security")];
        let multiarch = stage.list(base)?.into_iter().filter(|entry| entry.name.contains("-linux-gnu"));
        folders.extend(multiarch.map(|entry| format!("{base}/{}/security", entry.name)));
        for folder in folders {
            let path = format!("{folder}/{name}");
            if stage.stat(&path)?.is_some_and(|found| found.kind == FileType::Regular) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Whether a program or module holds these bytes: what it was built with.
pub(crate) fn holds(stage: &Stage<'_>, path: &str, word: &str) -> bool {
    let bytes = stage.read_limited(path, LARGEST_MODULE).ok().flatten().unwrap_or_default();
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}
