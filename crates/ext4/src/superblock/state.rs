//! What an edited file system says about itself.

use super::layout;
use crate::Error;
use crate::bytes::{low_u32, put, put_u16, put_u32, u16_at};
use crate::volume::Volume;

impl Volume {
    /// Marks the file system as written at the clock's time and unmounted cleanly. Mount counts and
    /// mount times stay: nobody mounted it.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub(crate) fn mark_clean(&mut self) -> Result<(), Error> {
        // The time has 40 bits, unsigned.
        let seconds = self.epoch.clamp(0, (1 << 40) - 1).cast_unsigned();
        self.edit_superblock(|bytes| {
            let state = u16_at(bytes, layout::S_STATE);
            put_u16(bytes, layout::S_STATE, state | layout::VALID_FS);
            put_u32(bytes, layout::S_WTIME, low_u32(seconds));
            put(bytes, layout::S_WTIME_HI, &low_u32(seconds >> 32).to_le_bytes()[..1]);
        })
    }
}
