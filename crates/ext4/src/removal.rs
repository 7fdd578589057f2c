//! The end of an inode: its content, attributes and bits are given back.
//!
//! Linux, fs/ext4/inode.c `ext4_evict_inode`, fs/ext4/ialloc.c `ext4_free_inode`.

use crate::Error;
use crate::bytes::low_u32;
use crate::inode::{Inode, flag};
use crate::map::is_fast_link;
use crate::volume::Volume;

impl Volume {
    /// Removes an inode that no name leads to any more.
    ///
    /// Its bytes become zeros but for type, generation and time of deletion: what a removed secret's inode held
    /// (inline content, attributes, a link's target) is gone.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn remove_inode(&mut self, mut inode: Inode) -> Result<(), Error> {
        if inode.has(flag::INLINE_DATA) {
            self.clear_inline_content(&mut inode)?;
        } else if has_map(&inode) {
            self.truncate_map(&mut inode, 0)?;
        }
        self.release_attributes(&mut inode)?;
        self.free_inode(inode.number, inode.is_directory())?;
        let mut gone = Inode::blank(inode.number, &self.superblock);
        gone.set_mode(inode.mode());
        gone.set_generation(inode.generation());
        gone.set_dtime(low_u32(self.epoch.clamp(1, i64::from(u32::MAX)).cast_unsigned()));
        self.write_inode(&mut gone)
    }
}

/// True when `i_block` maps blocks: not for devices, and not for links whose target stands there.
fn has_map(inode: &Inode) -> bool {
    inode.is_regular() || inode.is_directory() || (inode.is_symlink() && !is_fast_link(inode))
}
