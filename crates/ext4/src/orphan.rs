//! Orphans: files that were deleted while open, or half truncated, when the machine stopped.

use crate::Error;
use crate::volume::Volume;

impl Volume {
    /// Finishes what the orphan list and the orphan file say, as the kernel does at mount.
    pub(crate) fn process_orphans(&mut self) -> Result<(), Error> {
        Err(Error::Damaged("orphans cannot be processed yet".to_owned()))
    }
}
