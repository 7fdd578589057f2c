//! What a disk holds that no file owns: deleted files, old versions, copies in a journal.

use std::ops::Range;

use super::Guest;
use crate::{Error, GuestPath, Residue};

impl Guest {
    /// Byte ranges of the disk that hold nothing any more, ascending; asked after
    /// [`finish_all`](Self::finish_all).
    ///
    /// # Errors
    /// When an allocation map cannot be read.
    pub fn residue(&self, which: Residue) -> Result<Vec<Range<u64>>, Error> {
        let mut ranges = Vec::new();
        for mounted in &self.mounts {
            let Some(volume) = self.volumes.iter().find(|volume| volume.mount.as_ref() == Some(&mounted.mount))
            else {
                continue;
            };
            let start = volume.range.start;
            let free = mounted.fs.residue(which)?;
            ranges.extend(free.into_iter().map(|range| start + range.start..start + range.end));
        }
        ranges.sort_unstable_by_key(|range| range.start);
        Ok(ranges)
    }

    /// The partition of the root file system.
    #[must_use]
    pub fn root_volume(&self) -> &super::Volume {
        self.locate(&GuestPath::root()).0
    }
}
