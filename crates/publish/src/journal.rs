//! The journal: what a run makes, written down before it is made.
//!
//! A file of JSON lines, mode 0600, each appended in one write. Before a call that makes something there is an
//! `intend` record with everything that finds it again (a client token, a name, the tag `hardtack:journal`), after it
//! a `made` record with its id. So a run that is killed anywhere can go on, or be undone.

use std::path::Path;

use hardtack_cloud::Environment;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::pending;

/// The tag that everything which a run makes has, with the journal's id as its value.
pub const TAG: &str = "hardtack:journal";

/// Something that a run makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Resource {
    /// A bucket that was not there.
    Bucket {
        /// Its name.
        name: String,
    },
    /// An object of a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// A snapshot begun by EBS direct (found again by token and tag).
    Snapshot {
        /// The client token.
        token: String,
    },
    /// A copy of a snapshot (found again by its tag).
    SnapshotCopy {
        /// The snapshot that is copied.
        of: String,
    },
    /// A registered image (found again by its name).
    Image {
        /// Its name.
        name: String,
    },
    /// A copy of an image (found again by token, name and tag).
    ImageCopy {
        /// Its name.
        name: String,
        /// The client token.
        token: String,
    },
    /// A parameter of Systems Manager.
    Parameter {
        /// Its name.
        name: String,
        /// What it was before; `None`: it was not there.
        before: Option<String>,
        /// What it becomes. One that is something else again by the time of undoing is left alone.
        after: String,
    },
    /// An instance, of a trial (found again by token and tag).
    Instance {
        /// The client token.
        token: String,
    },
    /// An image of the local catalog.
    Local {
        /// The catalog's directory.
        catalog: String,
        /// Its id.
        id: String,
    },
}

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

/// Something that a journal says was intended and not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its ticket.
    pub ticket: Ticket,
    /// Its region.
    pub region: String,
    /// What it is.
    pub resource: Resource,
    /// Its id, where the run got to know it.
    pub id: Option<String>,
}

/// An open journal. One process at a time has it (a lock on the file).
#[derive(Debug)]
pub struct Journal(());

impl Journal {
    /// Opens the journal at `path`, or begins one.
    ///
    /// # Errors
    /// Another process has it; it is of something else; a line of it is none of ours (a last line that is cut off is
    /// not an error: a kill did that).
    pub fn open(path: &Path, header: &Header, environment: &Environment) -> Result<Self, Error> {
        let _ = (path, header, environment);
        pending()
    }

    /// Opens a journal that is there, to be undone or looked at.
    ///
    /// # Errors
    /// As [`open`](Self::open), and there is none.
    pub fn existing(path: &Path) -> Result<Self, Error> {
        let _ = path;
        pending()
    }

    /// What it is of.
    pub fn header(&self) -> Header {
        unreachable_header()
    }

    /// True when there was one.
    pub fn resumed(&self) -> bool {
        false
    }

    /// Its id: random, hexadecimal, the value of [`TAG`].
    pub fn id(&self) -> String {
        String::new()
    }

    /// A client token for `purpose`: the same in every run with this journal, another for each purpose.
    pub fn token(&self, purpose: &str) -> String {
        purpose.to_owned()
    }

    /// The tags that everything of this run gets: [`TAG`].
    pub fn tags(&self) -> Vec<(String, String)> {
        vec![(TAG.to_owned(), self.id())]
    }

    /// Writes down, synced to the disk, that `resource` is about to be made in `region`. What is written down
    /// already and not removed is not written again: its ticket is given.
    pub fn intend(&self, region: &str, resource: &Resource) -> Result<Ticket, Error> {
        let _ = (region, resource);
        pending()
    }

    /// It is there and has this id (empty where it has none).
    pub fn made(&self, ticket: Ticket, id: &str) -> Result<(), Error> {
        let _ = (ticket, id);
        pending()
    }

    /// It is gone again.
    pub fn removed(&self, ticket: Ticket) -> Result<(), Error> {
        let _ = ticket;
        pending()
    }

    /// Everything that stands, in the order in which it was intended.
    pub fn standing(&self) -> Vec<Standing> {
        Vec::new()
    }

    /// The standing record of `resource` in `region`.
    pub fn find(&self, region: &str, resource: &Resource) -> Option<Standing> {
        self.standing()
            .into_iter()
            .find(|standing| standing.region == region && standing.resource == *resource)
    }

    /// Keeps a value for a later run: state, not something to undo. Values may be secret: the file is 0600.
    pub fn keep(&self, key: &str, value: &serde_json::Value) -> Result<(), Error> {
        let _ = (key, value);
        pending()
    }

    /// A value that was kept last under `key`.
    pub fn kept(&self, key: &str) -> Option<serde_json::Value> {
        let _ = key;
        None
    }

    /// Every value kept under a key that begins with `prefix`, the last of each, with what follows the prefix.
    pub fn kept_all(&self, prefix: &str) -> Vec<(String, serde_json::Value)> {
        let _ = prefix;
        Vec::new()
    }

    /// The run has come to its end; `result` is what it gave. Values are dropped from the file (a new one is renamed
    /// over it): what stands can still be undone.
    pub fn finish(&self, result: &serde_json::Value) -> Result<(), Error> {
        let _ = result;
        pending()
    }

    /// What a run that came to its end gave.
    pub fn result(&self) -> Option<serde_json::Value> {
        None
    }

    /// Removes the file: everything is undone.
    pub fn remove(self) -> Result<(), Error> {
        pending()
    }
}

fn unreachable_header() -> Header {
    Header {
        place: String::new(),
        region: String::new(),
        ec2_url: None,
        s3_url: None,
        name: String::new(),
        inputs: String::new(),
    }
}
