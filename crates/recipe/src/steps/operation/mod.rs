//! The operations of virt-customize, on the stage.
//!
//! Most describe a state and do nothing where it holds. Those that are events (something is moved,
//! copied, deleted, edited once) leave a [record](record) in the image, so that building it again
//! changes nothing. Links are followed inside the image only.

mod account;
mod event;
mod hostname;
mod machine;
pub(in crate::steps) mod record;
mod result;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod unpack;

use std::collections::BTreeSet;

use hardtack_guest::{FileType, GuestPath, Set, accounts, glob};

use crate::model::Content;
use crate::model::operation::{Action, Operation, TaskStep};
use crate::steps::tasks::{self, NewTask, Work};
use crate::{Context, StepError};
use record::Records;

/// A file that holds a secret and did not exist before.
const SECRET_MODE: u32 = 0o600;
/// So many paths below one directory are emptied or labelled.
const MOST_PATHS: usize = 1 << 20;

/// The operations of one run: they share the record, and know of each other.
pub struct Session<'r> {
    operations: &'r [Operation],
    /// The record, and the operations whose result a later one took away in an earlier build.
    known: Option<(Records, BTreeSet<usize>)>,
}

impl<'r> Session<'r> {
    /// For these operations, in the order written.
    #[must_use]
    pub fn new(operations: &'r [Operation]) -> Self {
        Self { operations, known: None }
    }

    /// The order in which they are carried out: as written, `firstboot` and its kin behind the others.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let is_late = |index: &usize| matches!(self.operations.get(*index).map(|one| &one.action), Some(Action::Task(task)) if task.late);
        let (late, mut order): (Vec<usize>, Vec<usize>) = (0..self.operations.len()).partition(is_late);
        order.extend(late);
        order
    }

    /// Carries one out.
    ///
    /// # Errors
    /// When it cannot be done, with its line in the recipe.
    pub fn apply(&mut self, index: usize, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
        let Some(operation) = self.operations.get(index) else { return Ok(()) };
        if self.known.is_none() {
            let records = Records::load(cx)?;
            // All of them at once: what is recorded of a result is without them, whichever comes first.
            self.operations
                .iter()
                .filter_map(|one| one.action.content())
                .for_each(|content| hide(content, cx));
            let taken = records.taken(self.operations, cx)?;
            self.known = Some((records, taken));
        }
        let Some((records, taken)) = &mut self.known else { return Ok(()) };
        if taken.contains(&index) {
            return Ok(());
        }
        let digest = record::digest(self.operations, index);
        let at = At { line: operation.line, name: operation.name };
        match one(&at, operation, &digest, records, cx) {
            Err(error) if operation.optional && is_absence(&error) => {
                let why = plain(&error);
                cx.info(operation.name, at.say(&format!("is passed over: {why}")));
                cx.passed_over = Some(why);
                Ok(())
            }
            done => done.map_err(|error| error.within(operation.name)),
        }
    }

    /// Writes the record. To be called behind the last step: what was copied or moved is recorded as it
    /// is in the end.
    ///
    /// # Errors
    /// When the image cannot take it.
    pub fn finish(self, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
        let Some((mut records, _)) = self.known else { return Ok(()) };
        for (index, operation) in self.operations.iter().enumerate() {
            if matches!(operation.action, Action::Copy { .. } | Action::Move { .. }) {
                records.seal(&record::digest(self.operations, index), cx)?;
            }
        }
        records.store(cx)
    }
}

fn one(
    at: &At,
    operation: &Operation,
    digest: &str,
    records: &mut Records,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    match &operation.action {
        Action::AppendLine { path, line } => text::append(at, path, line, cx),
        Action::Chmod { path, mode } => {
            at.existing(path, cx)?;
            Ok(cx.stage.set_mode(path, *mode)?)
        }
        Action::Chown { path, owner } => {
            let found = at.existing(path, cx)?;
            let (uid, gid) = at.owner(owner, (found.uid, found.gid), cx)?;
            // The owner of what a link leads to, as chown(2).
            let path = cx.stage.resolve(path)?;
            Ok(cx.stage.set_owner(path.as_str(), uid, gid)?)
        }
        Action::Copy { from, to } => event::copy(at, from, to, digest, records, cx),
        Action::CopyIn { tree, to, mode, owner, .. } => unpack::copy_in(at, tree, to, *mode, owner, cx),
        Action::Delete { pattern } => event::delete(at, pattern, digest, records, cx),
        Action::Edit { path, pattern, with, expect } => {
            let edit = text::Edit { path, pattern, with, expect: *expect };
            text::edit(at, &edit, digest, records, cx)
        }
        Action::Hostname { name } => hostname::set(at, name, cx),
        Action::Link { target, paths } => paths.iter().try_for_each(|path| link(at, target, path, cx)),
        Action::Mkdir { path } => {
            if let Some(found) = cx.stage.stat(path)?.filter(|found| found.kind != FileType::Directory) {
                let what = format!("{path} is {} in the image, not a directory", found.kind.describe());
                return Err(at.refused(what));
            }
            Ok(cx.stage.mkdir(path, Set::default())?)
        }
        Action::Move { from, to } => event::relocate(at, from, to, digest, records, cx),
        Action::Password { user, password } => account::password(at, user, password, cx),
        Action::Scrub { path } => event::scrub(at, path, digest, records, cx),
        Action::SelinuxRelabel => machine::relabel(at, cx),
        Action::SshInject { user, keys } => account::ssh_inject(at, user, keys, cx),
        Action::TarIn { entries, to, .. } => unpack::tar_in(at, entries, to, cx),
        Action::Task(step) => task(at.name, step, cx),
        Action::Timezone { zone } => machine::timezone(at, zone, cx),
        Action::Touch { path } => text::touch(at, path, cx),
        Action::Truncate { path } => text::truncate(at, path, cx),
        Action::TruncateRecursive { path } => text::truncate_below(at, path, cx),
        Action::Upload { origin, content, to, mode, owner } => {
            let mut to = to.clone();
            if is_directory(&to, cx)? {
                let name = origin.rsplit('/').next().unwrap_or_default();
                to = format!("{}/{name}", to.trim_end_matches('/'));
            }
            let owner = at.owner(owner, (0, 0), cx)?;
            let set = Set { mode: Some(*mode), owner: Some(owner) };
            at.writable(&to, cx)?;
            Ok(cx.stage.write_shared(&to, std::sync::Arc::clone(content), set)?)
        }
        Action::Write { path, content, mode, owner } => {
            text::write(at, path, content, *mode, owner.as_deref(), cx)
        }
    }
}

fn link(at: &At, target: &str, path: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    if cx.stage.lstat(path)?.is_some_and(|found| found.kind == FileType::Directory) {
        return Err(at
            .refused(format!("{path} is a directory in the image, which a link does not replace"))
            .hint("write the whole path of the link"));
    }
    at.parent(path, cx)?;
    Ok(cx.stage.symlink(path, target)?)
}

fn task(name: &'static str, step: &TaskStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    use hardtack_credentials::TaskKind;
    let command = step.command.as_ref();
    if let Some(command) = command {
        hide(command, cx);
    }
    let work = match step.kind {
        TaskKind::Script => Work::Script(&step.script),
        TaskKind::Command => Work::Command(command.map_or("", |command| &command.text)),
        TaskKind::Install => Work::Install(&step.packages),
        TaskKind::Uninstall => Work::Uninstall(&step.packages),
        TaskKind::Update => Work::Update,
    };
    let task = NewTask { step: name, name: &step.title, work, stop: step.stop, retry: step.retry };
    tasks::stage(cx, &task)
}

/// Which operation this is, for messages.
struct At {
    line: usize,
    name: &'static str,
}

impl At {
    fn refused(&self, what: impl AsRef<str>) -> StepError {
        StepError::refused(self.name, self.say(what.as_ref()))
    }

    /// The image does not have it: what `optional` passes over.
    fn absent(&self, what: impl AsRef<str>) -> StepError {
        StepError::absent(self.name, self.say(what.as_ref()))
    }

    fn usage(&self, what: impl AsRef<str>) -> StepError {
        StepError::usage(self.name, self.say(what.as_ref()))
    }

    fn say(&self, what: &str) -> String {
        format!("recipe line {}: {what}", self.line)
    }

    fn missing(&self, path: &str) -> StepError {
        self.absent(format!("{path}: {ABSENT} in the image")).hint("`optional: true` passes it over")
    }

    /// What `path` is, links followed.
    fn existing(&self, path: &str, cx: &Context<'_, '_>) -> Result<hardtack_guest::Metadata, StepError> {
        cx.stage.stat(path)?.ok_or_else(|| self.missing(path))
    }

    /// The directory that `path` is to be in exists.
    fn parent(&self, path: &str, cx: &Context<'_, '_>) -> Result<(), StepError> {
        let parent = match path.trim_end_matches('/').rsplit_once('/') {
            Some(("", _)) | None => return Ok(()),
            Some((parent, _)) => parent,
        };
        self.directory(parent, cx)
    }

    fn directory(&self, path: &str, cx: &Context<'_, '_>) -> Result<(), StepError> {
        match cx.stage.stat(path)? {
            Some(found) if found.kind == FileType::Directory => Ok(()),
            Some(found) => {
                Err(self
                    .refused(format!("{path} is {} in the image, not a directory", found.kind.describe())))
            }
            None => Err(self
                .absent(format!("{path}: {ABSENT} in the image"))
                .hint("make the directory by `mkdir` before")),
        }
    }

    /// `path` is a file, or nothing in a directory that exists.
    fn writable(&self, path: &str, cx: &Context<'_, '_>) -> Result<bool, StepError> {
        match cx.stage.stat(path)? {
            Some(found) if found.kind == FileType::Regular => Ok(true),
            Some(found) => {
                Err(self.refused(format!("{path} is {} in the image, not a file", found.kind.describe())))
            }
            None => {
                // Through a dangling link the file comes where that leads.
                let target = cx.stage.resolve(path)?;
                self.parent(target.as_str(), cx).map(|()| false)
            }
        }
    }

    /// `path` is a file that exists.
    fn file(&self, path: &str, cx: &Context<'_, '_>) -> Result<(), StepError> {
        if cx.stage.stat(path)?.is_none() {
            return Err(self.missing(path));
        }
        self.writable(path, cx).map(|_| ())
    }

    /// The numbers of "user", "user:group" or ":group"; what is left open is `now`'s.
    fn owner(&self, owner: &str, now: (u32, u32), cx: &Context<'_, '_>) -> Result<(u32, u32), StepError> {
        let (user, group) = owner.split_once(':').map_or((owner, ""), |(user, group)| (user, group));
        let hint = "cloud-init makes its users at first boot; use a number or an existing one";
        let uid = match user {
            "" => now.0,
            name => accounts::user(cx.stage, name)?
                .map(|user| user.uid)
                .or_else(|| name.parse().ok())
                .ok_or_else(|| {
                    self.absent(format!("the image has no user `{name}` in /etc/passwd")).hint(hint)
                })?,
        };
        let gid = match group {
            "" => now.1,
            name => accounts::group_id(cx.stage, name)?.or_else(|| name.parse().ok()).ok_or_else(|| {
                self.absent(format!("the image has no group `{name}` in /etc/group")).hint(hint)
            })?,
        };
        Ok((uid, gid))
    }

    /// Says so when a secret lies in a file that others can read.
    fn exposed(&self, path: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
        if let Some(mode) = cx.stage.stat(path)?.map(|found| found.mode).filter(|mode| mode & 0o044 != 0) {
            let text = self.say(&format!(
                "{path} holds a value from outside the recipe and has mode {mode:04o}: others can read it"
            ));
            cx.warn(self.name, text);
        }
        Ok(())
    }
}

/// In every message about a path that is not there.
const ABSENT: &str = "no such file or directory";

/// True for what the image does not have; what it has and cannot be treated, damage and wrong recipes
/// are none of it.
fn is_absence(error: &StepError) -> bool {
    match error {
        StepError::Refused { absent, .. } => *absent,
        StepError::Guest { source, .. } => matches!(source, hardtack_guest::Error::Missing { .. }),
        _ => false,
    }
}

fn plain(error: &StepError) -> String {
    let text = match error {
        StepError::Refused { what, .. } => what.clone(),
        other => other.to_string(),
    };
    // The line stands before it already.
    text.split_once(": ")
        .filter(|(head, _)| head.starts_with("recipe line"))
        .map_or(text.clone(), |(_, rest)| rest.to_owned())
}

fn is_directory(path: &str, cx: &Context<'_, '_>) -> Result<bool, StepError> {
    Ok(cx.stage.stat(path)?.is_some_and(|found| found.kind == FileType::Directory))
}

/// Keeps a secret out of plans.
fn hide(content: &Content, cx: &mut Context<'_, '_>) {
    if content.secret {
        cx.stage.add_secret(content.text.trim_end_matches(['\n', '\r']));
        for line in content.text.lines().filter(|line| !line.trim().is_empty()) {
            cx.stage.add_secret(line);
        }
    }
}

/// The paths that a pattern names now, each as it is in the guest without links on the way.
fn matching(pattern: &str, cx: &Context<'_, '_>) -> Result<Vec<GuestPath>, StepError> {
    let mut found = Vec::new();
    for path in glob::glob(cx.stage, pattern)? {
        let path = cx.stage.resolve_parent(&path)?;
        if !found.contains(&path) {
            found.push(path);
        }
    }
    Ok(found)
}
