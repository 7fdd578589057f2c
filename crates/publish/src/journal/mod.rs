//! The journal: what a run makes, written down before it is made.
//!
//! A file of JSON lines, mode 0600, each appended in one write. Before a call that makes something there is an
//! `intend` record with everything that finds it again (a client token, a name, the tag `hardtack:journal`), after it
//! a `made` record with its id. So a run that is killed anywhere can go on, or be undone.
//!
//! What has to outlive a power failure (`intend`, and `made` of all but objects) is synced before the call returns;
//! values that only save work are not.

mod file;
mod record;
mod resource;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hardtack_bundle::hex;
use hardtack_cloud::{Environment, Error as Cloud};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::file::{JournalFile, LARGEST, LONGEST};
use self::record::{Contents, Record};
pub use self::resource::Resource;
use crate::Error;

/// The tag that everything which a run makes has, with the journal's id as its value.
pub const TAG: &str = "hardtack:journal";

/// Bytes of a journal that values may take: what is intended always finds room behind them.
const KEPT: u64 = LARGEST / 4 * 3;

/// What a journal is of; a run that goes on must have the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `local`, `aws`, `euca`.
    pub place: String,
    /// The region; empty where there is none.
    pub region: String,
    /// EC2's address where one was given, so that `undo` needs no option.
    pub ec2_url: Option<String>,
    /// S3's address where one was given.
    pub s3_url: Option<String>,
    /// The image's name.
    pub name: String,
    /// The digest of everything that the image is made of, hexadecimal.
    pub inputs: String,
}

/// A record of something that is intended, for [`Journal::made`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Something that is written down and about to be asked for.
pub struct Intent<'a> {
    journal: &'a Journal,
    /// Its ticket.
    pub ticket: Ticket,
    first: bool,
}

impl Intent<'_> {
    /// Writes it off where the service has refused what nobody had asked for before: nothing was made, and nothing
    /// is to be looked for later.
    pub fn settle<T>(&self, answer: Result<T, Cloud>) -> Result<T, Cloud> {
        if let Err(error) = &answer
            && self.first
            && error.is_refusal()
        {
            // A record too many costs `undo` a look; what the service says is more important.
            let _ = self.journal.removed(self.ticket);
        }
        answer
    }
}

/// Something that a journal says was intended and not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its ticket.
    pub ticket: Ticket,
    /// Its region.
    pub region: String,
    /// What it is.
    pub resource: Resource,
    /// Its id, where the run got to know it; empty where it is there and has none.
    pub id: Option<String>,
}

/// An open journal. One process at a time has it (a lock on the file).
pub struct Journal {
    id: String,
    header: Header,
    resumed: bool,
    state: Mutex<State>,
}

struct State {
    file: JournalFile,
    contents: Contents,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secret.
        formatter
            .debug_struct("Journal")
            .field("id", &self.id)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal at `path`, or begins one.
    ///
    /// # Errors
    /// Another process has it; it is of something else, and there is something in it; a line of it is none of ours (a last line that is cut off is
    /// not an error: a kill did that).
    pub fn open(path: &Path, header: &Header, environment: &Environment) -> Result<Self, Error> {
        let mut random = [0; 16];
        (environment.random)(&mut random);
        let first = Record::header(&hex::encode(&random), header);
        let (file, made) = match JournalFile::open(path)? {
            Some(file) => (file, false),
            None => {
                JournalFile::create(path, &first)?;
                let gone = || Error::Refused(format!("{}: others remove this journal", path.display()));
                (JournalFile::open(path)?.ok_or_else(gone)?, true)
            }
        };
        let mut state = State::read(file)?;
        let mut begun = made;
        if state.contents.head.is_none() {
            state.write(vec![first], true)?;
            begun = true;
        } else if state.contents.is_empty_of_another(header) {
            // A run that came to nothing is in nobody's way.
            state.file.replace(&[first])?;
            state.contents = state.file.read()?;
            begun = true;
        }
        let mut journal = Self::of(state)?;
        refuse_other(path, &journal.header, header)?;
        // Somebody else may have begun it in the meantime.
        journal.resumed = !(begun && journal.id == hex::encode(&random));
        Ok(journal)
    }

    /// The journal of an earlier run of the same, if there is one. Nothing is begun, and nothing replaced.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn earlier(path: &Path, header: &Header) -> Result<Option<Self>, Error> {
        let Some(file) = JournalFile::open(path)? else { return Ok(None) };
        let state = State::read(file)?;
        if state.contents.head.is_none() || state.contents.is_empty_of_another(header) {
            return Ok(None);
        }
        let journal = Self::of(state)?;
        refuse_other(path, &journal.header, header)?;
        Ok(Some(journal))
    }

    /// Opens a journal that is there, to be undone or looked at.
    ///
    /// # Errors
    /// As [`open`](Self::open), and there is none.
    pub fn existing(path: &Path) -> Result<Self, Error> {
        match JournalFile::open(path)? {
            Some(file) => Self::of(State::read(file)?),
            None => {
                let text = "there is no such file";
                let source = std::io::Error::new(std::io::ErrorKind::NotFound, text);
                Err(Error::file(path, "open the journal", source))
            }
        }
    }

    fn of(state: State) -> Result<Self, Error> {
        let Some((id, header)) = state.contents.head.clone() else {
            let path = state.file.path().display();
            return Err(Error::Refused(format!(
                "{path}: nothing is in this journal; the file can be removed"
            )));
        };
        Ok(Self { id, header, resumed: true, state: Mutex::new(state) })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.state().file.path().to_owned()
    }

    /// What it is of.
    pub fn header(&self) -> Header {
        self.header.clone()
    }

    /// True when there was one.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Its id: random, hexadecimal, the value of [`TAG`].
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// A client token for `purpose`: the same in every run with this journal, another for each purpose. It has 41
    /// characters; EC2 takes 64.
    pub fn token(&self, purpose: &str) -> String {
        let digest = Sha256::new().chain_update(&self.id).chain_update([0]).chain_update(purpose).finalize();
        format!("hardtack-{}", hex::encode(digest.get(..16).unwrap_or_default()))
    }

    /// The tags that everything of this run gets: [`TAG`].
    pub fn tags(&self) -> Vec<(String, String)> {
        vec![(TAG.to_owned(), self.id())]
    }

    /// Writes down, synced to the disk, that `resource` is about to be made in `region`. What is written down
    /// already and not removed is not written again: its ticket is given.
    pub fn intend(&self, region: &str, resource: &Resource) -> Result<Ticket, Error> {
        let mut state = self.state();
        if let Some(ticket) = state.contents.ticket(region, resource) {
            return Ok(Ticket(ticket));
        }
        let ticket = state.contents.next();
        let (region, resource) = (region.to_owned(), resource.clone());
        state.write(vec![Record::Intend { ticket, region, resource }], true)?;
        Ok(Ticket(ticket))
    }

    /// It is there and has this id (empty where it has none).
    pub fn made(&self, ticket: Ticket, id: &str) -> Result<(), Error> {
        let mut state = self.state();
        let standing = state.contents.get(ticket.0);
        if standing.is_some_and(|standing| standing.id.as_deref() == Some(id)) {
            return Ok(());
        }
        // An object's name says all of it; thousands of them need not wait for the disk.
        let synced = !standing.is_some_and(|standing| matches!(standing.resource, Resource::Object { .. }));
        state.write(vec![Record::Made { ticket: ticket.0, id: id.to_owned() }], synced)
    }

    /// It is gone again. (To say so twice does no harm.)
    pub fn removed(&self, ticket: Ticket) -> Result<(), Error> {
        let mut state = self.state();
        if state.contents.get(ticket.0).is_none() {
            return Ok(());
        }
        state.write(vec![Record::Removed { ticket: ticket.0 }], false)
    }

    /// Everything that stands, in the order in which it was intended.
    pub fn standing(&self) -> Vec<Standing> {
        self.state().contents.standing().cloned().collect()
    }

    /// What [`intend`](Self::intend) gave, for a call that may be refused: [`Intent::settle`] writes it off then.
    pub fn intent(&self, region: &str, resource: &Resource) -> Result<Intent<'_>, Error> {
        // A call of an earlier run may have been carried out, whatever is said of this one.
        let first = self.find(region, resource).is_none();
        Ok(Intent { journal: self, ticket: self.intend(region, resource)?, first })
    }

    /// The standing record of `resource` in `region`.
    pub fn find(&self, region: &str, resource: &Resource) -> Option<Standing> {
        let state = self.state();
        state.contents.ticket(region, resource).and_then(|ticket| state.contents.get(ticket)).cloned()
    }

    /// Keeps a value for a later run: state, not something to undo. Values may be secret: the file is 0600. It
    /// outlives the process, not a power failure. One that has no room (more than 1 MiB, or hundreds of MiB of them) is
    /// not written: a later run does that work again.
    pub fn keep(&self, key: &str, value: &serde_json::Value) -> Result<(), Error> {
        let mut state = self.state();
        let text = value.to_string();
        if state.contents.kept_text(key) == Some(text.as_str()) || state.file.length() > KEPT {
            return Ok(());
        }
        let record = Record::Keep { key: key.to_owned(), value: value.clone() };
        let line =
            record.line().map_err(|error| Error::file(state.file.path(), "write to the journal", error))?;
        if line.len() as u64 > LONGEST {
            return Ok(());
        }
        state.write(vec![record], false)
    }

    /// A value that was kept last under `key`.
    pub fn kept(&self, key: &str) -> Option<serde_json::Value> {
        self.state().contents.kept_text(key).and_then(|text| serde_json::from_str(text).ok())
    }

    /// Every value kept under a key that begins with `prefix`, the last of each, with what follows the prefix.
    pub fn kept_all(&self, prefix: &str) -> Vec<(String, serde_json::Value)> {
        self.state().contents.kept_all(prefix).map(|(rest, value)| (rest.to_owned(), value)).collect()
    }

    /// The run has come to its end; `result` is what it gave. Values are dropped from the file (a new one is renamed
    /// over it): what stands can still be undone.
    pub fn finish(&self, result: &serde_json::Value) -> Result<(), Error> {
        let mut state = self.state();
        let records = state.contents.finished(result);
        state.file.replace(&records)?;
        state.contents.forget(result);
        Ok(())
    }

    /// The run is at no end any more: from now on it is undone. A later run does not take it for finished.
    pub(crate) fn reopen(&self) -> Result<(), Error> {
        let mut state = self.state();
        if state.contents.result.is_none() {
            return Ok(());
        }
        state.write(vec![Record::Result { result: serde_json::Value::Null }], true)
    }

    /// What a run that came to its end gave.
    pub fn result(&self) -> Option<serde_json::Value> {
        self.state().contents.result.clone()
    }

    /// Removes the file: everything is undone.
    pub fn remove(self) -> Result<(), Error> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).file.remove()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(mut file: JournalFile) -> Result<Self, Error> {
        let contents = file.read()?;
        Ok(Self { file, contents })
    }

    /// Writes the records, and takes them in when they are written.
    fn write(&mut self, records: Vec<Record>, synced: bool) -> Result<(), Error> {
        let mut lines = Vec::new();
        for record in &records {
            let line = record.line();
            let line = line.map_err(|error| Error::file(self.file.path(), "write to the journal", error))?;
            if line.len() as u64 > LONGEST {
                // It could never be read again.
                return Err(Error::Refused(format!(
                    "{}: a record of more than 1 MiB; shorten names and tags",
                    self.file.path().display()
                )));
            }
            lines.extend(line);
        }
        self.file.append(&lines, synced)?;
        for record in records {
            self.contents
                .apply(record)
                .map_err(|what| Error::Refused(format!("{}: {what}", self.file.path().display())))?;
        }
        Ok(())
    }
}

/// Refuses a journal of another run, and says which.
fn refuse_other(path: &Path, found: &Header, wanted: &Header) -> Result<(), Error> {
    let url = |url: &Option<String>| url.clone().unwrap_or_else(|| "none".to_owned());
    let texts = [
        ("place", found.place.clone(), wanted.place.clone()),
        ("region", found.region.clone(), wanted.region.clone()),
        ("image's name", found.name.clone(), wanted.name.clone()),
        ("EC2 address", url(&found.ec2_url), url(&wanted.ec2_url)),
        ("S3 address", url(&found.s3_url), url(&wanted.s3_url)),
    ];
    let mut other: Vec<String> = texts
        .iter()
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| format!("its {what} is {found:?}, and now it is {wanted:?}"))
        .collect();
    if found.inputs != wanted.inputs {
        other.push("it was begun with another source, recipe or options".to_owned());
    }
    if other.is_empty() {
        return Ok(());
    }
    let path = path.display();
    Err(Error::Refused(format!(
        "{path}: this journal is of another run: {}; take that one back with `hardtack undo {path}`, or give another \
         --journal",
        other.join("; ")
    )))
}
