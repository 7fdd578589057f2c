//! What an edited file system says about itself.

use super::{Superblock, layout};
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

/// `s_feature_compat`, by the names of mke2fs; none of them keeps anybody from reading or writing.
const COMPAT: &[(u32, &str)] = &[
    (0x0001, "dir_prealloc"),
    (0x0002, "imagic_inodes"),
    (layout::COMPAT_HAS_JOURNAL, "has_journal"),
    (layout::COMPAT_EXT_ATTR, "ext_attr"),
    (layout::COMPAT_RESIZE_INODE, "resize_inode"),
    (layout::COMPAT_DIR_INDEX, "dir_index"),
    (layout::COMPAT_SPARSE_SUPER2, "sparse_super2"),
    (0x0400, "fast_commit"),
    (0x0800, "stable_inodes"),
    (layout::COMPAT_ORPHAN_FILE, "orphan_file"),
];

impl Superblock {
    /// The features, by their names in mke2fs.conf(5), in the order of dumpe2fs: bits without a name as
    /// "FEATURE_I17" and the like.
    #[must_use]
    pub fn feature_names(&self) -> Vec<String> {
        let [compat, incompat, ro_compat] = self.features;
        let name = |table: &[layout::Feature], bit: u32| {
            table.iter().find(|feature| feature.bit == bit).map(|feature| feature.name)
        };
        let of_compat = |bit: u32| COMPAT.iter().find(|(known, _)| *known == bit).map(|(_, name)| *name);
        let mut names = Vec::new();
        for (bits, letter) in [(compat, 'C'), (incompat, 'I'), (ro_compat, 'R')] {
            for index in (0..32).filter(|index| bits >> index & 1 != 0) {
                let found = match letter {
                    'C' => of_compat(1 << index),
                    'I' => name(layout::INCOMPAT, 1 << index),
                    _ => name(layout::RO_COMPAT, 1 << index),
                };
                names.push(found.map_or_else(|| format!("FEATURE_{letter}{index}"), str::to_owned));
            }
        }
        names
    }
}
