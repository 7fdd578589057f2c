//! What was done once: `/var/lib/hardtack/operations.json`, 0600.
//!
//! An operation that is an event cannot be told from the image's state alone: after a move the file
//! is where it was moved to, or never was elsewhere. So each leaves a digest of itself and where it
//! led; a copy or a move also what it left there. One that is recorded and whose effect still stands is done. Operations before it that made
//! what it has taken away are done, too.
//!
//! Only kinds, paths, patterns and texts of the recipe that are no secrets go into a digest, and contents
//! without the secrets. Whoever is root in the guest can write the record anew: it tells of changes, not
//! of somebody who hides them.

use std::collections::BTreeSet;

use hardtack_guest::{GuestPath, Set};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::result::fingerprint;
use crate::model::operation::{Action, Operation};
use crate::steps::agent::STATE;
use crate::{Context, StepError};

pub(super) const PATH: &str = "/var/lib/hardtack/operations.json";
const VERSION: u32 = 1;
const STEP: &str = "operations";
/// A longer file is none of ours.
const LIMIT: u64 = 8 << 20;
/// So many records are kept, the latest.
const MOST: usize = 10_000;

#[derive(Debug, Deserialize, Serialize)]
struct Book {
    version: u32,
    done: Vec<Done>,
}

/// One event.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Done {
    /// The step's name, for people.
    operation: String,
    /// SHA-256 of what it is.
    digest: String,
    /// Where it led: where something was moved or copied to, or what was taken away.
    paths: Vec<String>,
    /// What is there, of a copy or a move: an operation whose result is another one now is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<String>,
}

/// The events of this image.
pub(in crate::steps) struct Records {
    done: Vec<Done>,
}

impl Records {
    pub(in crate::steps) fn load(cx: &Context<'_, '_>) -> Result<Self, StepError> {
        let Some(bytes) = cx.stage.read_limited(PATH, LIMIT)? else {
            return Ok(Self { done: Vec::new() });
        };
        let book: Book = serde_json::from_slice(&bytes).map_err(|error| {
            StepError::refused(STEP, format!("{PATH}: is not the record of earlier builds: {error}"))
                .hint("remove the file from the image; operations that were done once are then done again")
        })?;
        if book.version != VERSION {
            let what = format!("{PATH}: version {} of the record is not known here", book.version);
            return Err(StepError::refused(STEP, what).hint("build with the release that made the image"));
        }
        Ok(Self { done: book.done })
    }

    /// Where the operation led when it was done; `None` when it never was.
    pub(in crate::steps) fn led(&self, digest: &str) -> Option<&[String]> {
        self.done.iter().find(|done| done.digest == digest).map(|done| &done.paths[..])
    }

    pub(in crate::steps) fn add(&mut self, operation: &str, digest: &str, paths: Vec<String>) {
        let new = Done { operation: operation.to_owned(), digest: digest.to_owned(), paths, result: None };
        match self.done.iter_mut().find(|done| done.digest == digest) {
            Some(done) => *done = new,
            None => self.done.push(new),
        }
    }

    /// Whether what the operation led to is still what it was in the end of the build that did it.
    pub(super) fn holds(&self, digest: &str, cx: &Context<'_, '_>) -> Result<bool, StepError> {
        let Some(done) = self.done.iter().find(|done| done.digest == digest) else { return Ok(false) };
        let [place] = &done.paths[..] else { return Ok(false) };
        Ok(done.result.is_some() && done.result == fingerprint(place, cx)?)
    }

    /// Keeps what the operation led to, as it is now.
    pub(super) fn seal(&mut self, digest: &str, cx: &Context<'_, '_>) -> Result<(), StepError> {
        let Some(done) = self.done.iter_mut().find(|done| done.digest == digest) else { return Ok(()) };
        if let [place] = &done.paths[..] {
            done.result = fingerprint(place, cx)?;
        }
        Ok(())
    }

    pub(in crate::steps) fn store(mut self, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
        if self.done.is_empty() {
            return Ok(());
        }
        let extra = self.done.len().saturating_sub(MOST);
        self.done.drain(..extra);
        let book = Book { version: VERSION, done: self.done };
        let mut text = serde_json::to_string_pretty(&book)
            .map_err(|error| StepError::refused(STEP, format!("{PATH} cannot be written: {error}")))?;
        text.push('\n');
        cx.stage.mkdir(STATE, Set::all(0o700, 0, 0))?;
        cx.stage.write(PATH, text, Set::all(0o600, 0, 0))?;
        Ok(())
    }

    /// Operations whose result a later one has taken away already, in a build before.
    pub(super) fn taken(
        &self,
        operations: &[Operation],
        cx: &Context<'_, '_>,
    ) -> Result<BTreeSet<usize>, StepError> {
        let mut taken = BTreeSet::new();
        if self.done.is_empty() {
            return Ok(taken);
        }
        for (index, operation) in operations.iter().enumerate().rev() {
            let gone = self.gone(operations, index, cx)?;
            if gone.is_empty() || taken.contains(&index) && !matches!(operation.action, Action::Move { .. }) {
                continue;
            }
            for (earlier, other) in operations[..index].iter().enumerate() {
                let mut subjects = Vec::new();
                for subject in subjects_of(&other.action) {
                    subjects.push(cx.stage.resolve_parent(&subject)?);
                }
                let is_gone = |subject: &GuestPath| gone.iter().any(|gone| subject.starts_with(gone));
                if subjects.iter().any(is_gone) {
                    taken.insert(earlier);
                }
            }
        }
        Ok(taken)
    }

    /// What the operation has taken away and is still away.
    fn gone(
        &self,
        operations: &[Operation],
        index: usize,
        cx: &Context<'_, '_>,
    ) -> Result<Vec<GuestPath>, StepError> {
        let Some(operation) = operations.get(index) else { return Ok(Vec::new()) };
        let Some(led) = self.led(&digest(operations, index)) else { return Ok(Vec::new()) };
        let paths = match &operation.action {
            Action::Delete { .. } | Action::Scrub { .. } => led.to_vec(),
            Action::Move { from, .. } => vec![cx.stage.resolve_parent(from)?.to_string()],
            _ => Vec::new(),
        };
        for path in &paths {
            if cx.stage.lstat(path)?.is_some() {
                return Ok(Vec::new());
            }
        }
        Ok(paths.iter().map(|path| GuestPath::new(path)).collect())
    }
}

/// What an operation makes or needs: when that was taken away later, the operation is done.
fn subjects_of(action: &Action) -> Vec<String> {
    let within = |to: &str, from: &str| {
        let name = from.rsplit('/').next().unwrap_or_default();
        format!("{}/{name}", to.trim_end_matches('/'))
    };
    match action {
        Action::AppendLine { path, .. }
        | Action::Chmod { path, .. }
        | Action::Chown { path, .. }
        | Action::Edit { path, .. }
        | Action::Mkdir { path }
        | Action::Scrub { path }
        | Action::Touch { path }
        | Action::Truncate { path }
        | Action::TruncateRecursive { path }
        | Action::Write { path, .. } => vec![path.clone()],
        Action::Copy { from, to } => vec![from.clone(), to.clone(), within(to, from)],
        Action::Move { from, to } => vec![to.clone(), within(to, from)],
        Action::CopyIn { to, tree, .. } => {
            tree.first().map(|top| format!("{}/{}", to.trim_end_matches('/'), top.path)).into_iter().collect()
        }
        Action::Upload { to, origin, .. } => vec![to.clone(), within(to, origin)],
        Action::Link { paths, .. } => paths.clone(),
        Action::TarIn { to, .. } => vec![to.clone()],
        Action::Delete { .. }
        | Action::Hostname { .. }
        | Action::Password { .. }
        | Action::SelinuxRelabel
        | Action::SshInject { .. }
        | Action::Task(_)
        | Action::Timezone { .. } => Vec::new(),
    }
}

/// What the operation is, with those before it that make what it moves or copies: with other text in
/// the file it is another move.
pub(super) fn digest(operations: &[Operation], index: usize) -> String {
    let mut sum = Sha256::new();
    let Some(operation) = operations.get(index) else { return String::new() };
    add(&mut sum, operation);
    if let Action::Move { from, .. } | Action::Copy { from, .. } = &operation.action {
        let from = GuestPath::new(from);
        for other in &operations[..index] {
            if subjects_of(&other.action).iter().any(|subject| GuestPath::new(subject).starts_with(&from)) {
                add(&mut sum, other);
            }
        }
    }
    hex(sum)
}

/// What an event of another step is.
pub(in crate::steps) fn digest_of(parts: &[&str]) -> String {
    let mut sum = Sha256::new();
    for part in parts {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part.as_bytes());
    }
    hex(sum)
}

pub(super) fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn add(sum: &mut Sha256, operation: &Operation) {
    let mut part = |text: &str| {
        sum.update((text.len() as u64).to_be_bytes());
        sum.update(text.as_bytes());
    };
    part(operation.name);
    match &operation.action {
        Action::Copy { from, to } | Action::Move { from, to } => {
            part(from);
            part(to);
        }
        Action::Delete { pattern } => part(pattern),
        Action::Edit { path, pattern, with, expect } => {
            part(path);
            part(pattern.as_str());
            part(if with.secret { "" } else { &with.text });
            part(&expect.map(|expect| expect.to_string()).unwrap_or_default());
        }
        Action::AppendLine { path, line: text } | Action::Write { path, content: text, .. } => {
            part(path);
            part(if text.secret { "" } else { &text.text });
        }
        other => subjects_of(other).iter().for_each(|subject| part(subject)),
    }
}
