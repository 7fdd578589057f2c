//! What an image holds, read and never changed.
//!
//! * [`facts`]: what recipes may ask of an image.
//! * [`model`]: what `inspect` tells, and its JSON; [`text`]: the same for people.
//! * [`ways`]: who gets in, where, with what.
//! * [`diff`]: two trees compared.
//!
//! What is damaged is told beside what can be read: each part of an [`Inspection`] is looked at by itself.

#![forbid(unsafe_code)]

mod accounts;
mod boot;
pub mod diff;
mod disk;
pub mod facts;
mod leftovers;
mod logins;
pub mod model;
mod system;
pub mod text;
pub mod ways;

use std::sync::Arc;

use hardtack_disk::BlockWrite;
use hardtack_guest::{Error, Guest};

pub use model::{Inspection, SCHEMA};

/// What is wanted beside the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Every package by name.
    pub packages: bool,
    /// Today, in days since 1970: what has expired; none where no clock counts.
    pub today: Option<i64>,
}

/// Looks at a disk; `guest` is the system on it, or why there is none.
///
/// # Errors
/// When nothing at all can be read.
pub fn inspect(
    disk: &Arc<dyn BlockWrite>,
    guest: Result<&Guest, &Error>,
    options: Options,
) -> Result<Inspection, Error> {
    let mut problems = Vec::new();
    let read = disk::read(disk, guest.ok(), &mut problems);
    let found = match (read, guest) {
        (Ok(found), _) => found,
        (Err(error), Err(_)) => return Err(error),
        (Err(error), Ok(_)) => {
            problems.push(error.to_string());
            model::Disk { size: disk.len(), table: "unknown", ..model::Disk::default() }
        }
    };
    let mut inspection =
        Inspection { schema: SCHEMA, disk: found, system: None, notes: Vec::new(), problems };
    match guest {
        Ok(guest) => {
            inspection.notes = guest.notes().to_vec();
            let mut problems = std::mem::take(&mut inspection.problems);
            inspection.system = Some(system::read(guest, disk, &inspection.disk, options, &mut problems));
            inspection.problems = problems;
        }
        Err(error) => inspection.notes.push(error.to_string()),
    }
    Ok(inspection)
}

/// The part, or what is empty of it and why.
fn part<T: Default>(problems: &mut Vec<String>, what: &str, read: Result<T, Error>) -> T {
    read.unwrap_or_else(|error| {
        problems.push(format!("{what}: {error}"));
        T::default()
    })
}
