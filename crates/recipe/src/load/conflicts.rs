//! Steps that contradict each other, as far as the recipe alone tells. Every finding shows both
//! places. (What only the image can tell, the steps find when they run.)

use hardtack_guest::GuestPath;
use hardtack_yaml::{Span, did_you_mean};

use super::reader::Reader;
use super::{files, mfa, sshd, user};
use crate::model::generalize::GeneralizeStep;
use crate::model::operation::Operation;
use crate::model::{
    AgentStep, BootStep, CloudAgentsStep, Factor, FileAction, FileOp, FindDisk, MfaStep, OverlayrootStep,
    PackagesStep, Password, SerialConsoleStep,
};

/// A step that was read, with the places that matter here.
pub(super) enum Placed {
    Packages(PackagesStep),
    User(user::Placed),
    Mfa(mfa::Placed),
    Overlayroot(OverlayrootStep),
    SerialConsole(SerialConsoleStep),
    Boot(BootStep),
    Sshd(sshd::Placed),
    Files(Vec<files::Placed>),
    Operation(Operation),
    Generalize(GeneralizeStep),
    CloudAgents(CloudAgentsStep),
    Agent(AgentStep),
}

/// Reports all contradictions among `steps`, which hold together. What is missing is told where these are all
/// (`complete`): others may hold besides, as long as the image is not known.
pub(super) fn find(reader: &mut Reader<'_>, steps: &[(Span, Placed)], complete: bool) {
    repeated(reader, steps);
    directives(reader, steps);
    against_mfa(reader, steps);
    against_recovery(reader, steps);
    let ops: Vec<&files::Placed> = steps
        .iter()
        .filter_map(|(_, step)| if let Placed::Files(ops) = step { Some(ops) } else { None })
        .flatten()
        .collect();
    file_operations(reader, &ops);
    over_drop_in(reader, steps, &ops);
    if complete {
        missing(reader, steps);
    }
}

fn report(reader: &mut Reader<'_>, second: Span, message: String, first: Span, words: &str) {
    let diagnostic = reader.diagnostic(second, message).with_related(first, words);
    reader.report(diagnostic);
}

/// Steps that stand once: the same again is let go, something else is not.
fn repeated(reader: &mut Reader<'_>, steps: &[(Span, Placed)]) {
    for (index, (span, step)) in steps.iter().enumerate() {
        for (first, earlier) in &steps[..index] {
            let message = match (earlier, step) {
                (Placed::User(a), Placed::User(b))
                    if a.step.name == b.step.name && !a.step.name.is_empty() =>
                {
                    format!(
                        "a second step `user` for `{}`; one step says everything about a user",
                        a.step.name
                    )
                }
                (Placed::Mfa(a), Placed::Mfa(b)) if a != b => {
                    "a second step `mfa` that says something else".to_owned()
                }
                (Placed::Overlayroot(a), Placed::Overlayroot(b)) if a != b => {
                    "a second step `overlayroot` that says something else".to_owned()
                }
                (Placed::CloudAgents(a), Placed::CloudAgents(b)) if a != b => {
                    "a second step `cloud-agents` that says something else".to_owned()
                }
                (Placed::SerialConsole(a), Placed::SerialConsole(b)) if a != b => {
                    "a second step `serial-console` that says something else".to_owned()
                }
                (Placed::Agent(a), Placed::Agent(b)) if a != b => {
                    "a second step `agent` that says something else".to_owned()
                }
                (Placed::Sshd(a), Placed::Sshd(b))
                    if a.step.match_blocks != b.step.match_blocks && both_set(a, b) =>
                {
                    "two steps `sshd` want different things of `Match` blocks".to_owned()
                }
                _ => continue,
            };
            report(reader, *span, message, *first, "the first one is here");
            break;
        }
    }
}

fn both_set(a: &sshd::Placed, b: &sshd::Placed) -> bool {
    !a.step.directives.is_empty() && !b.step.directives.is_empty()
}

/// All directives of all `sshd` steps: name, value, place.
fn all_directives(steps: &[(Span, Placed)]) -> impl Iterator<Item = (&str, &str, Span, usize)> {
    steps.iter().enumerate().flat_map(|(index, (_, step))| {
        let placed = if let Placed::Sshd(placed) = step { Some(placed) } else { None };
        placed.into_iter().flat_map(move |placed| {
            let pairs = placed.step.directives.iter().zip(&placed.spans);
            pairs.map(move |((name, value), span)| (name.as_str(), value.as_str(), *span, index))
        })
    })
}

/// The name that newer releases give to a directive.
fn modern(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication".to_owned(),
        other => other.to_owned(),
    }
}

/// The same directive in two `sshd` steps, or under its old and its new name.
fn directives(reader: &mut Reader<'_>, steps: &[(Span, Placed)]) {
    let all: Vec<_> = all_directives(steps).collect();
    for (index, (name, value, span, step)) in all.iter().enumerate() {
        let adds_up = hardtack_guest::sshd::find(name).is_some_and(|keyword| keyword.adds_up());
        let clash = all[..index].iter().find(|(before, other, _, earlier)| {
            modern(before) == modern(name)
                && !other.eq_ignore_ascii_case(value)
                && (!adds_up || earlier != step)
                && (earlier != step || before != name)
        });
        if let Some((before, other, first, _)) = clash
            && !adds_up
        {
            let message =
                format!("`{name} {value}` contradicts `{before} {other}`: sshd takes the first one only");
            report(reader, *span, message, *first, "the other one is here");
        }
    }
}

/// What the `mfa` step decides is not for the `sshd` step to decide otherwise.
fn against_mfa(reader: &mut Reader<'_>, steps: &[(Span, Placed)]) {
    let Some((mfa_span, mfa)) = steps
        .iter()
        .find_map(|(span, step)| if let Placed::Mfa(mfa) = step { Some((*span, &mfa.step)) } else { None })
    else {
        return;
    };
    let publickey = mfa.factors.contains(&Factor::Publickey);
    let methods = if publickey { "publickey,keyboard-interactive" } else { "keyboard-interactive" };
    let all: Vec<_> = all_directives(steps)
        .map(|(name, value, span, _)| (name.to_owned(), value.to_owned(), span))
        .collect();
    for (name, value, span) in all {
        let wanted = match modern(&name).as_str() {
            "authenticationmethods" => methods,
            "usepam" | "kbdinteractiveauthentication" => "yes",
            "pubkeyauthentication" if publickey => "yes",
            "permitemptypasswords" | "passwordauthentication" => "no",
            "denyusers" => {
                denied(reader, mfa, mfa_span, &value, span);
                continue;
            }
            "allowusers" => {
                allowed(reader, mfa, mfa_span, &value, span);
                continue;
            }
            _ => continue,
        };
        if !value.eq_ignore_ascii_case(wanted) {
            let message = format!("`{name} {value}` contradicts step `mfa`, which needs `{name} {wanted}`");
            let diagnostic = reader
                .diagnostic(span, message)
                .with_related(mfa_span, "step `mfa` is here")
                .with_hint(format!("leave `{name}` out: step `mfa` sets it"));
            reader.report(diagnostic);
        }
    }
}

/// The account of `recovery` is made like that of a step `user`, and must be nobody else's.
fn against_recovery(reader: &mut Reader<'_>, steps: &[(Span, Placed)]) {
    for (_, step) in steps {
        let Placed::Mfa(mfa::Placed { account: Some(account), .. }) = step else { continue };
        for (span, other) in steps {
            if let Placed::User(user) = other
                && user.step.name == account.user.name
            {
                let name = &account.user.name;
                let diagnostic = reader
                    .diagnostic(account.span, format!("`recovery` makes `{name}`, which has a step `user`"))
                    .with_related(*span, "step `user` is here")
                    .with_hint("give the recovery account a name of its own, or take the step out");
                reader.report(diagnostic);
            }
        }
    }
}

fn denied(reader: &mut Reader<'_>, mfa: &MfaStep, mfa_span: Span, value: &str, span: Span) {
    for user in value.split_whitespace() {
        if mfa.users.iter().any(|listed| listed == user) {
            let message = format!("`DenyUsers {user}` contradicts step `mfa`, which lets `{user}` in");
            report(reader, span, message, mfa_span, "step `mfa` is here");
        }
    }
}

fn allowed(reader: &mut Reader<'_>, mfa: &MfaStep, mfa_span: Span, value: &str, span: Span) {
    // Patterns and `user@host` are for the evaluation of the whole configuration.
    let plain = value.split_whitespace().all(|word| !word.contains(['*', '?', '!', '@']));
    for user in &mfa.users {
        if plain && !value.split_whitespace().any(|word| word == user) {
            let message = format!("`AllowUsers` leaves `{user}` out, and step `mfa` lets `{user}` in");
            let mut diagnostic =
                reader.diagnostic(span, message).with_related(mfa_span, "step `mfa` is here");
            let others = value.split_whitespace().filter(|word| !mfa.users.iter().any(|user| user == word));
            if let Some(near) = did_you_mean(user, others) {
                diagnostic = diagnostic.with_hint(format!("it has `{near}`; one of the two may be misspelt"));
            }
            reader.report(diagnostic);
        }
    }
}

/// Two operations whose results cannot both hold.
fn file_operations(reader: &mut Reader<'_>, ops: &[&files::Placed]) {
    let ops: Vec<(&files::Placed, GuestPath)> =
        ops.iter().map(|placed| (*placed, GuestPath::new(placed.op.action.path()))).collect();
    for (index, (later, below)) in ops.iter().enumerate() {
        for (earlier, above) in &ops[..index] {
            if let Some(reason) = clash((&earlier.op, above), (&later.op, below)) {
                let path = later.op.action.path();
                let message = format!(
                    "`{} {path}` contradicts `{} {}`: {reason}",
                    later.op.action.name(),
                    earlier.op.action.name(),
                    earlier.op.action.path()
                );
                report(reader, later.span, message, earlier.span, "the other one is here");
                break;
            }
        }
    }
}

/// The drop-in for sshd is written anew by its steps; what a `files` step puts there would be lost.
fn over_drop_in(reader: &mut Reader<'_>, steps: &[(Span, Placed)], ops: &[&files::Placed]) {
    let writer = steps.iter().find_map(|(span, step)| match step {
        Placed::Mfa(_) => Some((*span, "mfa")),
        Placed::Sshd(_) => Some((*span, "sshd")),
        _ => None,
    });
    let Some((span, step)) = writer else { return };
    let drop_in = GuestPath::new(hardtack_guest::sshd::DROP_IN);
    for op in ops.iter().filter(|op| GuestPath::new(op.op.action.path()) == drop_in) {
        let path = op.op.action.path();
        let message = format!("`{} {path}` contradicts step `{step}`, which writes it", op.op.action.name());
        let diagnostic = reader
            .diagnostic(op.span, message)
            .with_related(span, format!("step `{step}` is here"))
            .with_hint("say it in a step `sshd`, or in a file of another name");
        reader.report(diagnostic);
    }
}

fn clash(
    (earlier, first): (&FileOp, &GuestPath),
    (later, second): (&FileOp, &GuestPath),
) -> Option<&'static str> {
    use FileAction::{Append, Copy, Link, Mkdir, Remove, Replace, Write};
    let (a, b) = (&earlier.action, &later.action);
    if first != second {
        // Only what is certain: something below a path that is not a directory, or is removed.
        return match (a, b) {
            (_, Remove { .. }) if first.starts_with(second) && !matches!(a, Remove { .. }) => {
                Some("what the one makes the other removes")
            }
            (Write { .. } | Copy { .. } | Append { .. } | Replace { .. }, _)
                if second.starts_with(first) && !matches!(b, Remove { .. }) =>
            {
                Some("a file has nothing below it")
            }
            (_, Write { .. } | Copy { .. } | Append { .. } | Replace { .. })
                if first.starts_with(second) && !matches!(a, Remove { .. }) =>
            {
                Some("a file has nothing below it")
            }
            _ => None,
        };
    }
    let differ = |condition: bool, reason| condition.then_some(reason);
    match (a, b) {
        (Write { .. } | Copy { .. }, Write { .. } | Copy { .. }) => {
            differ(!same_file(a, b), "one path, two contents, modes or owners")
        }
        (Mkdir { mode: m, owner: o, .. }, Mkdir { mode, owner, .. }) => differ(
            conflicting(*m, *mode) || conflicting(o.as_ref(), owner.as_ref()),
            "one directory, two modes or owners",
        ),
        (Link { target: a, .. }, Link { target: b, .. }) => differ(a != b, "one link, two targets"),
        (Remove { .. }, Remove { .. }) | (Append { .. } | Replace { .. }, Append { .. } | Replace { .. }) => {
            None
        }
        (Write { .. } | Copy { .. }, Append { .. } | Replace { .. }) => None,
        (Append { .. } | Replace { .. }, Write { .. } | Copy { .. }) => {
            Some("the whole content replaces what was changed")
        }
        (Remove { .. }, _) | (_, Remove { .. }) => Some("the path cannot be both there and not there"),
        (Mkdir { .. }, _) | (_, Mkdir { .. }) => Some("one path cannot be a directory and something else"),
        (Link { .. }, _) | (_, Link { .. }) => Some("one path cannot be a link and a file"),
    }
}

/// Both set, and not to the same.
fn conflicting<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

fn same_file(a: &FileAction, b: &FileAction) -> bool {
    fn parts(action: &FileAction) -> Option<(&[u8], Option<u32>, &Option<String>)> {
        match action {
            FileAction::Write { content, mode, owner, .. } => Some((content.text.as_bytes(), *mode, owner)),
            FileAction::Copy { content, mode, owner, .. } => Some((content, *mode, owner)),
            _ => None,
        }
    }
    parts(a) == parts(b)
}

/// What is needed, and what is allowed and probably forgotten.
fn missing(reader: &mut Reader<'_>, steps: &[(Span, Placed)]) {
    if steps.iter().any(|(_, step)| matches!(step, Placed::Agent(_))) {
        return;
    }
    for (span, step) in steps {
        let made = match step {
            Placed::User(user) => Some((&user.step, user.password.unwrap_or(*span))),
            Placed::Mfa(mfa) => mfa.account.as_ref().map(|account| (&account.user, account.span)),
            _ => None,
        };
        if let Some((user, at)) = made
            && matches!(user.password, Some(Password::Random(_)))
        {
            let message =
                format!("the password of `{}` is made by the agent, and the recipe has none", user.name);
            reader.error_hint(at, message, "add `- agent: {}`");
        }
        if let Placed::Overlayroot(overlay) = step
            && matches!(overlay.find, Some(FindDisk::Ebs(_)))
        {
            let message = "`ebs` is asked of the disks by the agent, and the recipe has none";
            reader.error_hint(*span, message, "add `- agent: {}`, or give the disk by `serial`");
        }
        if matches!(step, Placed::Mfa(_)) {
            reader.warn(
                *span,
                "step `mfa` without step `agent`: nothing enrols the users at first boot",
                "add `- agent: {}`, or enrol the image with `hardtack enroll` before it is built",
            );
        }
    }
}
