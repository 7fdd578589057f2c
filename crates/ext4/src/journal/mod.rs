//! The journal (JBD2): replayed as the kernel would, then empty.

use crate::Error;
use crate::volume::Volume;

impl Volume {
    /// Replays the journal into the disk and marks it and the superblock clean.
    pub(crate) fn replay_journal(&mut self) -> Result<(), Error> {
        Err(Error::Damaged("journals cannot be replayed yet".to_owned()))
    }
}
